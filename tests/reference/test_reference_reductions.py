"""Exact sums and means."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest

import reference
from tests.reference import samples

pytestmark = pytest.mark.filterwarnings("error")

MAX = 1.7976931348623157e308


def fraction(values):
    """Return the exact sum of hi and lo."""
    return sum((Fraction(x) for part in (values.hi, values.lo) for x in np.ravel(part).tolist()), Fraction(0))


def nearest(exact):
    """Return the nearest float64."""
    return exact.numerator / exact.denominator


@pytest.mark.parametrize("seed", range(20))
def test_sums_and_means_are_rounded_once(seed):
    """The value hi is the exact sum of all hi and lo rounded to nearest, hi + lo is right to the bound."""
    random = np.random.RandomState(seed)
    z = samples.logits(60, random)
    z = z[np.abs(z) < 1e300]
    values = reference.loss("logits", z, random.choice([0.0, 1.0, 0.3, 2.0, -2.0], z.size))
    exact = fraction(values)
    for result, expected in ((reference.exact_sum(values), exact), (reference.exact_mean(values), exact / z.size)):
        assert float(result.hi) == nearest(expected)
        error = abs(expected - Fraction(float(result.hi)) - Fraction(float(result.lo)))
        assert error <= Fraction(float(result.bound))
        assert abs(float(result.lo)) <= np.spacing(abs(float(result.hi)))


def test_the_bound_covers_the_bounds_of_the_elements():
    """Uncertainty of the elements adds up; the mean divides it."""
    values = reference.Reference(np.ones(4), np.zeros(4), np.full(4, 2.0**-60), np.ones(4))
    assert 2.0**-58 <= float(reference.exact_sum(values).bound) <= 2.0**-58 * 1.001
    assert 2.0**-60 <= float(reference.exact_mean(values).bound) <= 2.0**-60 * 1.001
    assert float(reference.exact_sum(values).scale) == 4.0
    assert float(reference.exact_mean(values).scale) == 1.0


@pytest.mark.parametrize(
    ("values", "total", "mean"),
    [
        ([1e308, 1e308, -1e308], 1e308, 1e308 / 3),
        ([MAX, MAX], math.inf, MAX),
        ([-MAX, -MAX], -math.inf, -MAX),
        ([MAX, MAX, -MAX, -MAX, 5e-324], 5e-324, 0.0),
        ([1e300, 1.0, -1e300], 1.0, 1.0 / 3.0),
        ([1.0, 2.0**-60, -1.0], 2.0**-60, 2.0**-60 / 3),
        ([5e-324], 5e-324, 5e-324),
        ([0.0, -0.0], 0.0, 0.0),
        ([math.inf, 1.0], math.inf, math.inf),
        ([-math.inf, MAX, MAX], -math.inf, -math.inf),
        ([math.inf, -math.inf], math.nan, math.nan),
        ([math.nan, 1.0], math.nan, math.nan),
        ([math.nan, math.inf], math.nan, math.nan),
        ([], 0.0, math.nan),
    ],
)
def test_overflow_cancellation_infinities_and_nan_are_decided_correctly(values, total, mean):
    """Partial sums beyond the range do not matter; infinities and NaN are decided before summing."""
    given = reference.as_reference(values)
    for function, expected in ((reference.exact_sum, total), (reference.exact_mean, mean)):
        result = function(given)
        np.testing.assert_array_equal(result.hi, expected)
        assert result.hi.shape == ()
        if not math.isfinite(expected):
            assert result.lo == 0.0
            assert result.bound == 0.0


def test_the_textbook_sum_fails():
    """Negative control: math.fsum refuses, and np.sum loses the small addend."""
    with pytest.raises(OverflowError):
        math.fsum([1e308, 1e308, -1e308])
    assert np.sum(np.array([1e300, 1.0, -1e300])) != 1.0


@pytest.mark.parametrize("axis", [None, 0, 1, 2, -1, (0, 2), (-1, 0), (0, 1, 2), ()])
def test_axes_are_those_of_numpy(axis):
    """Integers, negative ones, tuples, none at all: shape and values of np.sum and np.mean."""
    values = np.arange(24.0).reshape(2, 3, 4) - 7.0
    given = reference.as_reference(values)
    np.testing.assert_array_equal(reference.exact_sum(given, axis).hi, np.sum(values, axis=axis))
    np.testing.assert_allclose(reference.exact_mean(given, axis).hi, np.mean(values, axis=axis), rtol=1e-15)
    assert reference.exact_mean(given, axis).scale.shape == np.shape(np.sum(values, axis=axis))


@pytest.mark.parametrize("shape", [(0,), (0, 3), (3, 0)])
@pytest.mark.parametrize("axis", [None, 0, -1])
def test_empty_arrays_sum_to_zero_and_have_no_mean(shape, axis):
    """As in NumPy, but without its warning."""
    given = reference.as_reference(np.zeros(shape))
    total, mean = reference.exact_sum(given, axis).hi, reference.exact_mean(given, axis).hi
    expected = np.sum(np.zeros(shape), axis=axis)
    np.testing.assert_array_equal(total, expected)
    assert mean.shape == expected.shape
    assert np.all(np.isnan(mean))


@pytest.mark.parametrize("axis", [3, -4, (0, 0)])
def test_axes_that_do_not_exist_are_refused(axis):
    """The message names the axis."""
    with pytest.raises(ValueError, match="'axis' must name axes"):
        reference.exact_sum(reference.as_reference(np.zeros((2, 2, 2))), axis)


def test_given_numbers_are_not_modified():
    """as_reference copies, and the reductions only read."""
    values = np.array([1.0, 2.0])
    values.flags.writeable = False
    given = reference.as_reference(values)
    assert not np.shares_memory(given.hi, values)
    reference.exact_sum(given)
    assert given.hi.tolist() == [1.0, 2.0]


@pytest.mark.parametrize(
    ("n", "factor"), [(0, 8), (1, 8), (2, 9), (3, 10), (4, 10), (5, 11), (1024, 18), (1025, 19), (2**53 + 1, 62)]
)
def test_the_bound_of_a_reduction_grows_with_the_depth_of_pairwise_summation(n, factor):
    """(ceil(log2 n) + 8) * u * sum|x|; the logarithm is exact also beyond the integers of float64."""
    assert reference.reduction_bound(n, 2.0**-24, 3.0) == factor * 2.0**-24 * 3.0


def test_the_bound_of_a_reduction_covers_pairwise_and_refuses_naive_summation():
    """NumPy's pairwise float32 sum of many tenths is inside, adding one by one is not."""
    values = np.full(1 << 16, 0.1, dtype=np.float32)
    exact = float(reference.exact_sum(reference.as_reference(values)).hi)
    bound = float(reference.reduction_bound(values.size, 2.0**-24, exact))
    assert abs(float(np.sum(values)) - exact) <= bound
    assert abs(float(np.cumsum(values)[-1]) - exact) > bound


def test_the_bound_of_a_reduction_takes_arrays_infinities_and_nan():
    """One bound for each sum, without a warning."""
    bound = reference.reduction_bound(4, 0.5, [1.0, math.inf, math.nan, MAX])
    np.testing.assert_array_equal(bound, [5.0, math.inf, math.nan, math.inf])


@pytest.mark.parametrize(
    ("n", "u_acc", "message"), [(-1, 0.5, "'n' must not be negative"), (1, 0.0, "'u_acc'"), (1, math.nan, "'u_acc'")]
)
def test_a_bound_of_a_reduction_that_makes_no_sense_is_refused(n, u_acc, message):
    """A budget that is NaN or 0 would pass or fail everything."""
    with pytest.raises(ValueError, match=message):
        reference.reduction_bound(n, u_acc, 1.0)
