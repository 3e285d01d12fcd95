"""Label smoothing: y' = y*(1 - s) + s/2, unrounded."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

import reference
from reference import labels as smoothed
from reference.operands import Operands
from tests.reference import samples
from tests.reference.measure import QUANTITIES, SMOOTHED, measure

pytestmark = pytest.mark.filterwarnings("error")

INF, NAN = np.inf, np.nan
LOSS, DX, DY, D2 = QUANTITIES
P, Z = reference.FORMS
ALL = (*QUANTITIES, "gradient-weight", "gradient-pos_weight")
POINTS = 800

#: From hardly any to all; the first is the smallest that is not refused.
AMOUNTS = (2.0**-500, 1e-20, 2.0**-53, 0.1, 0.5, 1.0 - 2.0**-53, 1.0)


@pytest.mark.parametrize("labels", [samples.labels_inside, samples.labels_outside])
@pytest.mark.parametrize(("form", "quantity", "options"), SMOOTHED)
def test_smoothed_labels_obey_the_error_law(form, quantity, options, labels):
    """The same law as for labels as they are, and a bound that is no looser than four times it."""
    random = np.random.RandomState(41)
    x = samples.predictions(form, POINTS, random)
    y = labels(x.size, random)
    errors = measure(form, quantity, x, y, **options)
    assert errors.excess <= 0.5 + 1e-6
    assert errors.subnormal <= 1.0
    assert errors.law <= 2.0
    assert errors.bound <= 1.0
    assert errors.scale <= 1e-15
    got = reference.FUNCTIONS[quantity](form, x, y, **options)
    assert np.all(got.bound <= 2.0**-99 * got.scale + 2.0**-1074)


@pytest.mark.parametrize("smoothing", AMOUNTS)
def test_the_smoothed_label_and_its_complement_keep_106_bits_however_they_cancel(smoothing):
    """Also at the labels outside [0, 1] that smoothing brings next to 0 or 1, and at those that meet them exactly."""
    random = np.random.RandomState(42)
    s = Fraction(smoothing)
    crossings = [float(-s / 2 / (1 - s)), float((1 - s / 2) / (1 - s))] if s < 1 else [-2.0, 2.0]
    y = np.concatenate([samples.labels_inside(200, random), samples.labels_outside(200, random)])
    y = np.concatenate([y, *[np.sign(x) * samples.neighbourhood(abs(x)) for x in crossings]])
    operands = Operands(y, y, None, None, label_smoothing=smoothing)
    for got, exact in (
        (smoothed.label(operands), lambda y: y * (1 - s) + s / 2),
        (smoothed.less_label(np.ones(1), operands), lambda y: 1 - y * (1 - s) - s / 2),
        (smoothed.less_twice_label(operands), lambda y: 1 - 2 * y * (1 - s) - s),
    ):
        for high, low, exponent, label in zip(got.high, got.low, got.exponent, y, strict=True):
            expected = exact(Fraction(label))
            value = (Fraction(high) + Fraction(low)) * (Fraction(2) ** int(exponent) if high else 1)
            assert abs(value - expected) <= abs(expected) * Fraction(5, 2**106)


@pytest.mark.parametrize("quantity", ALL)
@pytest.mark.parametrize("form", reference.FORMS)
def test_no_smoothing_changes_no_bit(form, quantity):
    """0 is the same as none."""
    random = np.random.RandomState(43)
    x = samples.predictions(form, 200, random)
    y = samples.labels_outside(x.size, random)
    plain = reference.FUNCTIONS[quantity](form, x, y, 0.1, 3.7)
    zero = reference.FUNCTIONS[quantity](form, x, y, 0.1, 3.7, label_smoothing=0.0)
    assert all(np.array_equal(a, b) for a, b in zip(plain, zero, strict=True))


@pytest.mark.parametrize("form", reference.FORMS)
@pytest.mark.parametrize("quantity", [LOSS, DX, D2])
@pytest.mark.parametrize("label", [2.0**973, -(2.0**1000), -4.722657577750278e307, np.finfo(float).max, -1e300])
def test_a_label_that_is_smoothed_away_is_one_half_however_large_it_was(form, quantity, label):
    """s = 1 leaves 1/2 of every finite label; beside 2^973 that was once too small to be kept."""
    x = np.array([0.5054968636804023, 0.3, 0.999])
    got = reference.FUNCTIONS[quantity](form, x, np.full(3, label), label_smoothing=1.0)
    half = reference.FUNCTIONS[quantity](form, x, np.full(3, 0.5))
    assert got.hi.tolist() == half.hi.tolist()
    np.testing.assert_allclose(got.lo, half.lo, rtol=0, atol=float(np.max(got.bound + half.bound)))


@pytest.mark.parametrize("quantity", ALL)
@pytest.mark.parametrize("form", reference.FORMS)
def test_a_smoothed_label_that_float64_holds_gives_the_result_of_that_label(form, quantity):
    """Labels of eighths smoothed by a quarter: the same hi, times 3/4 where the label is varied."""
    random = np.random.RandomState(44)
    x = samples.predictions(form, 200, random)
    y = random.randint(-16, 17, x.size) / 8.0
    x = np.maximum(x, 1e-150) if form == P else x  # derivatives stay finite
    got = reference.FUNCTIONS[quantity](form, x, y, 0.1, 3.7, label_smoothing=0.25)
    expected = reference.FUNCTIONS[quantity](form, x, y * 0.75 + 0.125, 0.075 if quantity == DY else 0.1, 3.7)
    assert np.all(np.abs(got.hi - expected.hi) <= 2.0**-51 * expected.scale)


@pytest.mark.parametrize("z", [1e-8, 1e-97, 5e-324])
@pytest.mark.parametrize("smoothing", [0.1, 1.0])
def test_the_gradient_for_label_one_half_keeps_its_relative_accuracy_near_zero(z, smoothing):
    """Smoothing leaves 1/2 where it is, exactly."""
    got = reference.gradient_prediction(Z, z, 0.5, label_smoothing=smoothing)
    plain = reference.gradient_prediction(Z, z, 0.5)
    assert got.hi == plain.hi
    assert got.lo == plain.lo


@pytest.mark.parametrize(
    ("form", "quantity", "prediction", "label", "smoothing", "expected"),
    [
        # hard labels have no certain side any more
        (Z, LOSS, INF, 1.0, 0.1, INF),
        (Z, LOSS, -INF, 0.0, 0.1, INF),
        (P, LOSS, 0.0, 0.0, 0.1, INF),
        (P, LOSS, 1.0, 1.0, 2.0**-500, INF),
        (P, DX, 0.0, 0.0, 0.1, -INF),
        (P, DX, 1.0, 1.0, 0.1, INF),
        (P, D2, 0.0, 0.0, 0.1, INF),
        (P, "gradient-pos_weight", 0.0, 0.0, 0.1, INF),
        # a label outside that is smoothed to exactly 0 or 1 annihilates
        (P, LOSS, 0.0, -0.5, 0.5, 0.0),
        (P, DX, 0.0, -0.5, 0.5, 1.0),
        (P, LOSS, 1.0, 1.5, 0.5, 0.0),
        (P, DX, 1.0, 1.5, 0.5, -1.0),
        (Z, LOSS, INF, 1.5, 0.5, 0.0),
        (P, LOSS, 0.0, np.nextafter(-0.5, 0), 0.5, INF),
        (P, LOSS, 0.0, np.nextafter(-0.5, -1), 0.5, -INF),
        # smoothed completely, the label does not matter
        (Z, DY, INF, 0.0, 1.0, 0.0),
        (P, DY, 0.0, 0.0, 1.0, 0.0),
        (Z, DX, INF, 7.0, 1.0, 0.5),
        # NaN, infinite and inadmissible inputs
        (Z, LOSS, 1.0, NAN, 1.0, NAN),
        (Z, DY, 1.0, NAN, 0.1, NAN),
        (Z, LOSS, 1.0, INF, 0.1, NAN),
        (Z, DX, 1.0, INF, 0.1, -INF),
        (P, LOSS, 1.5, 0.5, 0.1, NAN),
        (Z, DY, INF, 0.5, 0.1, -INF),
    ],
)
def test_smoothed_labels_follow_the_rules_for_special_values(form, quantity, prediction, label, smoothing, expected):
    """A coefficient annihilates if it is exactly zero after smoothing, which no rounding may decide."""
    result = reference.FUNCTIONS[quantity](form, prediction, label, label_smoothing=smoothing)
    np.testing.assert_array_equal(result.hi, expected)


@pytest.mark.parametrize("smoothing", [-0.1, 1.0 + 2.0**-52, NAN, INF, 1e-200])
@pytest.mark.parametrize("quantity", ALL)
def test_smoothing_outside_its_range_is_refused(quantity, smoothing):
    """With a message that names the option, the requirement and the value."""
    with pytest.raises(ValueError, match="'label_smoothing' must be 0 or between"):
        reference.FUNCTIONS[quantity](Z, 0.0, 0.5, label_smoothing=smoothing)
