"""Errors in ULP and classes of mistakes, held against the definition computed in exact rationals."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from conformance.adapters import ALL_DTYPES
from conformance.numbers.formats import FORMATS, Format
from conformance.numbers.measurement import BUDGET, CLASSES, Limits, Measured, concatenate, measure
from reference import Reference
from tests.builders import deterministic

#: Formats that are judged: in 8 bits a budget of four spacings reaches from zero over all subnormal numbers.
JUDGED = {name: FORMATS[name] for name in ALL_DTYPES}
every_format = pytest.mark.parametrize("fmt", JUDGED.values(), ids=list(JUDGED))
narrow_format = pytest.mark.parametrize(
    "fmt", [FORMATS[name] for name in ("float32", "float16", "bfloat16")], ids=lambda fmt: fmt.name
)
FLOAT64, FLOAT32, FLOAT16 = FORMATS["float64"], FORMATS["float32"], FORMATS["float16"]


def reference(hi: float, lo: float = 0.0, bound: float = 0.0, scale: float | None = None) -> Reference:
    """A reference of one point; without a scale it is not a cancelling sum."""
    return Reference(*(np.array([x]) for x in (hi, lo, bound, abs(hi) if scale is None else scale)))


def one(got: float, exact: Reference, fmt: Format, budget: float = BUDGET) -> tuple[str, float, float]:
    """Class, scaled and plain error of one point."""
    found = measure(np.array([got]), exact, Limits.of([fmt], [1]), budget)
    return CLASSES[found.code[0]], float(found.scaled[0]), float(found.plain[0])


def classed(got: float, exact: Reference, fmt: Format = FLOAT32, budget: float = BUDGET) -> str:
    """The class of one point."""
    return one(got, exact, fmt, budget)[0]


def binade(x: Fraction) -> int:
    """floor(log2|x|), exactly."""
    exponent = abs(x).numerator.bit_length() - abs(x).denominator.bit_length()
    return exponent if Fraction(2) ** exponent <= abs(x) else exponent - 1


def ulp_of(x: Fraction, fmt: Format) -> Fraction:
    """The definition: 2^(clamp(floor(log2|x|), emin, emax) - (p - 1))."""
    exponent = fmt.emin if x == 0 else min(max(binade(x), fmt.emin), fmt.emax)
    return Fraction(2) ** (exponent - (fmt.precision - 1))


def ulps(got: float, exact: Fraction, fmt: Format, scale: Fraction | None = None) -> Fraction:
    """The definition of the error: |got - r| / ulp(r), an infinite result standing at 2^(emax+1)."""
    placed = Fraction(got) if math.isfinite(got) else int(math.copysign(1, got)) * Fraction(2) ** (fmt.emax + 1)
    return abs(placed - exact) / ulp_of(exact if scale is None else scale, fmt)


def as_float(x: Fraction) -> float:
    """The nearest float64; errors beyond 1e300, which need not be in the range of float64, are all 1e300."""
    return float(min(x, Fraction(1e300)))


def representable(fmt: Format) -> st.SearchStrategy[float]:
    """Finite numbers of a format, of all binades."""
    return st.builds(
        lambda significand, exponent: math.ldexp(significand, exponent),
        st.integers(-(2**fmt.precision) + 1, 2**fmt.precision - 1),
        st.integers(fmt.emin - fmt.fraction_bits, fmt.emax - fmt.fraction_bits),
    )


@every_format
def test_the_error_is_that_of_the_definition(fmt: Format) -> None:
    """For exact values hi + lo and any finite result both errors are the definition's, up to one rounding."""

    @deterministic
    @given(representable(fmt), st.integers(-40, 40), st.floats(0.5, 1), st.floats(-0.5, 0.5), st.integers(0, 20))
    def check(got: float, steps: int, share: float, tail: float, wider: int) -> None:
        near = Fraction(got) + (steps + Fraction(share)) * ulp_of(Fraction(got), fmt)
        hi = float(near)
        lo = tail * math.ulp(hi)
        exact = Fraction(hi) + Fraction(lo)
        if abs(exact) > fmt.largest:
            return
        scale = abs(hi) * 2.0**wider
        _, scaled, plain = one(got, reference(hi, lo, scale=scale), fmt)
        assert plain == pytest.approx(as_float(ulps(got, exact, fmt)), rel=1e-12, abs=1e-300)
        if wider and math.isfinite(scale):
            assert scaled == pytest.approx(as_float(ulps(got, exact, fmt, Fraction(scale))), rel=1e-12, abs=1e-300)
        else:
            assert scaled == plain

    check()


@every_format
def test_an_error_far_away_is_that_of_the_definition(fmt: Format) -> None:
    """The error of results of another magnitude is not lost in rounding or overflow."""

    @deterministic
    @given(representable(fmt), representable(fmt))
    def check(got: float, exact: float) -> None:
        _, scaled, plain = one(got, reference(exact), fmt)
        assert plain == scaled == pytest.approx(as_float(ulps(got, Fraction(exact), fmt)), rel=1e-12)

    check()


@narrow_format
def test_the_ulp_is_taken_at_the_exact_value_below_a_binade(fmt: Format) -> None:
    """Just below 2^k the ULP is that of the lower binade, although hi is 2^k."""
    got = 1 - 2.0**-fmt.precision
    exact = Fraction(1) - Fraction(1, 2**70)
    _, scaled, plain = one(got, reference(1.0, -(2.0**-70)), fmt)
    assert plain == scaled == pytest.approx(as_float(ulps(got, exact, fmt)), rel=1e-12)


@narrow_format
def test_an_infinite_result_stands_at_the_next_power_of_two(fmt: Format) -> None:
    """For a finite exact value the error of an infinity is its distance to 2^(emax+1) in ULP."""
    largest = float(fmt.largest)
    for exact in (largest, largest * 0.75, 1.0, 0.0, -largest):
        for got in (math.inf, -math.inf):
            _, scaled, plain = one(got, reference(exact), fmt)
            assert plain == scaled == pytest.approx(as_float(ulps(got, Fraction(exact), fmt)), rel=1e-12)


def test_an_infinite_float64_result_stands_at_2_to_the_1024() -> None:
    """The place of infinity is beyond float64 itself, and is reached all the same."""
    for exact in (float(FLOAT64.largest), 1e308, 1e300, 2.0**1000, 1.0):
        _, scaled, plain = one(math.inf, reference(exact), FLOAT64)
        assert plain == scaled == pytest.approx(as_float(ulps(math.inf, Fraction(exact), FLOAT64)), rel=1e-12)


@narrow_format
def test_an_infinity_at_or_beyond_the_overflow_threshold_is_right(fmt: Format) -> None:
    """|r| >= (2 - 2^-p) 2^emax rounds to infinity: an infinity of its sign has the error 0."""
    threshold = (2 - 2.0**-fmt.precision) * 2.0**fmt.emax
    for exact in (threshold, threshold * 2, 1e300):
        assert one(math.inf, reference(exact), fmt) == ("ok", 0.0, 0.0)
        assert one(-math.inf, reference(-exact), fmt) == ("ok", 0.0, 0.0)
        assert classed(-math.inf, reference(exact), fmt) == "infinite"
    below = math.nextafter(threshold, 0)
    _, scaled, _ = one(math.inf, reference(below), fmt)
    assert scaled == pytest.approx(0.5)


@narrow_format
def test_a_finite_result_far_beyond_the_threshold_is_wrong(fmt: Format) -> None:
    """The largest finite number is no answer to an exact value of four times its size."""
    assert classed(float(fmt.largest), reference(4 * float(fmt.largest)), fmt) == "inaccurate"


def test_an_infinity_is_a_large_number_only_inside_the_budget() -> None:
    """One ULP below the largest number infinity is 2 ULP off; at half the largest it is an infinity too many."""
    nearly = float(FLOAT32.largest) - 2.0**104
    assert one(math.inf, reference(nearly), FLOAT32)[:2] == ("ok", 2.0)
    assert classed(math.inf, reference(nearly), budget=1.5) == "infinite"
    assert classed(math.inf, reference(2.0**126)) == "infinite"


@pytest.mark.parametrize(
    ("got", "exact", "wanted"),
    [
        (math.nan, math.nan, "ok"),
        (math.inf, math.inf, "ok"),
        (-math.inf, -math.inf, "ok"),
        (1.0, 1.0, "ok"),
        (0.0, 0.0, "ok"),
        (-0.0, 0.0, "ok"),
        (0.0, -0.0, "ok"),
        (math.nan, 1.0, "nan"),
        (math.nan, 0.0, "nan"),
        (math.nan, math.inf, "nan"),
        (1.0, math.nan, "number"),
        (0.0, math.nan, "number"),
        (math.inf, math.nan, "number"),
        (1.0, math.inf, "finite"),
        (0.0, math.inf, "finite"),
        (-3.0, -math.inf, "finite"),
        (-math.inf, math.inf, "infinite"),
        (math.inf, -math.inf, "infinite"),
        (math.inf, 1.0, "infinite"),
        (math.inf, 0.0, "infinite"),
        (-math.inf, 1.0, "infinite"),
        (-1.0, 1.0, "sign"),
        (1e-30, -1.0, "sign"),
        (0.0, 1.0, "zero"),
        (-0.0, 1.0, "zero"),
        (0.0, -1.0, "zero"),
        (1.1, 1.0, "inaccurate"),
        (0.5, 0.0, "inaccurate"),
        (1e-45, 1.0, "inaccurate"),
    ],
)
def test_each_way_of_being_wrong_has_its_class(got: float, exact: float, wanted: str) -> None:
    """The class tells NaN, infinities, signs and zeros apart from plain inaccuracy."""
    assert classed(float(np.float32(got)), reference(exact)) == wanted


@pytest.mark.parametrize(("got", "exact"), [(math.nan, 1.0), (1.0, math.nan), (1.0, math.inf), (-math.inf, math.inf)])
def test_a_class_without_a_number_has_no_error(got: float, exact: float) -> None:
    """Where NaN or an infinite exact value is involved, no ULP is made up; a maximum is taken per class."""
    _, scaled, plain = one(got, reference(exact), FLOAT32)
    assert math.isnan(scaled)
    assert math.isnan(plain)


def test_the_wrong_sign_inside_the_budget_is_only_inaccurate() -> None:
    """Near a zero crossing, where the terms cancel, a sign may be lost to rounding."""
    exact = reference(2.0**-30, scale=1.0)
    assert classed(-(2.0**-30), exact) == "ok"
    assert classed(-(2.0**-20), exact) == "sign"


@every_format
def test_the_budget_is_inclusive(fmt: Format) -> None:
    """An error of exactly the budget passes, the next one does not."""
    step = 2.0**-fmt.fraction_bits
    assert classed(1 + 4 * step, reference(1.0), fmt) == "ok"
    assert classed(1 + 5 * step, reference(1.0), fmt) == "inaccurate"
    assert classed(1 + 5 * step, reference(1.0), fmt, budget=5.0) == "ok"
    assert classed(1 + 4 * step, reference(1.0), fmt, budget=np.nextafter(4.0, 0)) == "inaccurate"


def test_the_budget_is_fractional() -> None:
    """An error of 4.25 ULP is not rounded down to 4."""
    step = 2.0**-23
    assert classed(1 + 4 * step, reference(1 - 0.25 * step, scale=1.0)) == "inaccurate"
    assert classed(1 + 4 * step, reference(1 + 0.25 * step, scale=1.0)) == "ok"


@pytest.mark.parametrize("budget", [math.nan, math.inf, -math.inf, 0.0, -1.0])
def test_a_budget_that_passes_everything_or_nothing_is_refused(budget: float) -> None:
    """NaN, infinite, zero and negative budgets raise: a NaN budget once passed every result of a peer."""
    with pytest.raises(ValueError, match="budget must be a positive finite number"):
        one(1.0, reference(1.0), FLOAT32, budget)


@pytest.mark.parametrize("budget", [math.nan, math.inf, 0.0])
def test_one_bad_budget_among_many_is_refused(budget: float) -> None:
    """Budgets are checked point by point."""
    exact = concatenate([reference(1.0), reference(1.0)])
    with pytest.raises(ValueError, match="budget"):
        measure(np.ones(2), exact, Limits.of([FLOAT32], [2]), np.array([4.0, budget]))


def test_the_scale_of_the_terms_divides_the_error() -> None:
    """An error of 2^-20 against an exact value of 2^-10 with terms of size 1 is 8 ULP of float32, not 8192."""
    exact = reference(2.0**-10, scale=1.0)
    kind, scaled, plain = one(2.0**-10 + 2.0**-20, exact, FLOAT32)
    assert (kind, scaled, plain) == ("inaccurate", 8.0, 8192.0)
    assert classed(2.0**-10 + 2.0**-21, exact) == "ok"


@every_format
@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_zero_for_a_subnormal_value_is_flushed_beyond_the_budget(fmt: Format, sign: float) -> None:
    """Of the least numbers 0 is as near as any other result within the budget; beyond it has a class of its own."""
    least = 2.0 ** (fmt.emin - fmt.fraction_bits)
    for zero in (0.0, -0.0):
        for count in range(1, int(BUDGET) + 1):
            assert classed(zero, reference(sign * min(count, 2**fmt.fraction_bits - 1) * least), fmt) == "ok"
        for count in (int(BUDGET) + 1, 2**fmt.fraction_bits - 1):
            if BUDGET < count < 2**fmt.fraction_bits:
                assert classed(zero, reference(sign * count * least), fmt) == "flushed"


@every_format
def test_zero_for_the_smallest_normal_value_is_not_called_flushed(fmt: Format) -> None:
    """Flush-to-zero never excuses 0 for a normal exact result."""
    smallest = 2.0**fmt.emin
    assert classed(0.0, reference(smallest), fmt) == "zero"


@every_format
def test_subnormal_results_are_measured_in_the_smallest_ulp(fmt: Format) -> None:
    """Below 2^emin one unit in the last place is one ULP, so that gradual underflow is judged like the rest."""
    least = 2.0 ** (fmt.emin - fmt.fraction_bits)
    assert one(9 * least, reference(6 * least), fmt) == ("ok", 3.0, 3.0)
    assert one(2 * least, reference(7 * least), fmt) == ("inaccurate", 5.0, 5.0)


def test_an_uncertain_reference_decides_nothing() -> None:
    """Where the bound of the reference exceeds 1/16 of the budget, neither ok nor inaccurate is said."""
    step = 2.0**-23
    for got in (1.0, 1 + 100 * step):
        assert classed(got, reference(1.0, bound=BUDGET / 16 * step * 1.01)) == "undecided"
        assert classed(got, reference(1.0, bound=BUDGET / 16 * step)) != "undecided"
    assert classed(math.nan, reference(1.0, bound=1.0)) == "nan"


def test_points_of_several_formats_are_measured_in_one_call() -> None:
    """Each point has the parameters of its own format."""
    formats = [FORMATS[name] for name in ("float64", "float32", "float16", "bfloat16")]
    got = np.array([1 + 2.0**-fmt.fraction_bits for fmt in formats])
    exact = concatenate([reference(1.0)] * 4)
    found: Measured = measure(got, exact, Limits.of(formats, [1, 1, 1, 1]))
    assert found.plain.tolist() == [1.0] * 4
    assert found.ok.all()


def test_no_points_are_no_error() -> None:
    """An empty run is measured without complaint."""
    found = measure(np.zeros(0), concatenate([]), Limits.of([], []))
    assert found.code.shape == found.scaled.shape == found.plain.shape == (0,)


def test_measuring_leaves_warnings_and_floating_point_errors_off() -> None:
    """NaN, infinities and overflow in the data raise no warning, which would be an error here."""
    numbers = np.array([math.nan, math.inf, -math.inf, 0.0, 1e308, -5e-324])
    got, hi = (axis.ravel() for axis in np.meshgrid(numbers, numbers))
    exact = Reference(hi, np.zeros_like(hi), np.zeros_like(hi), np.abs(hi))
    with np.errstate(all="raise"):
        found = measure(got, exact, Limits.of([FLOAT64], [got.size]))
    assert found.code.shape == (36,)
