"""Confirming errors by Arb: exact values at the hard places, and disagreement told."""

from __future__ import annotations

import math
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

import reference
from conformance.contracts import Clip, Contract, Epsilon, LogClamp
from conformance.errors import HarnessError
from conformance.judge.escalate import scale
from conformance.numbers.formats import FORMATS
from conformance.numbers.literals import bits_of, float_of
from conformance.sweep.certificate import ROUNDING, rounded_up
from conformance.sweep.confirm import Confirmed, Question, confirm, ulp
from tests.builders import SOURCE, deterministic


def confirmed(
    form: str,
    quantity: str,
    numbers: tuple[str, str, str],
    found: float,
    column: str = "ideal",
    dtype: str = "float32",
    contract: Contract = (),
) -> Confirmed:
    """The confirmation of an error at a prediction and label, and of a result, given as literals."""
    fmt = FORMATS[dtype]
    bits = [bits_of(text, fmt) for text in numbers]
    return confirm(Question(form, quantity, fmt, fmt, contract), column, bits[0], bits[1], bits[2], found)


def test_an_error_is_that_of_the_exact_value() -> None:
    """-log(1/2) is log 2, whose binade is [1/2, 1): 1 is (1 - log 2) / 2^-24 off."""
    expected = (1 - math.log(2)) * 2**24
    assert confirmed("probabilities", "value", ("0.5", "1", "1"), expected).error == pytest.approx(expected, rel=1e-15)


def test_another_error_than_that_of_the_sweep_is_a_failure_of_the_suite() -> None:
    """Both are told, with the input."""
    with pytest.raises(HarnessError, match="and Arb one of"):
        confirmed("probabilities", "value", ("0.5", "1", "1"), 1.0)


@pytest.mark.parametrize("label", ["0.5", "0.3", "0x1p-100"])
def test_the_gradient_at_its_zero_is_zero(label: str) -> None:
    """(p - y) / (p (1 - p)) at p = y: no interval around it has relative accuracy, but it is a rational number."""
    assert confirmed("probabilities", "gradient-prediction", (label, label, "min_subnormal"), 1.0).hi == 0.0


def test_a_clipped_gradient_is_zero() -> None:
    """Outside of the clip."""
    clip = (Clip("1e-7", "0.9999999", SOURCE),)
    one = confirmed("probabilities", "gradient-prediction", ("1e-9", "1", "0"), 0.0, "contract", contract=clip)
    assert one.error == 0.0


def test_a_clamped_logarithm_is_the_clamp() -> None:
    """100 for a probability of 0, where the ideal is infinite."""
    clamp = (LogClamp(-100.0, SOURCE),)
    assert confirmed("probabilities", "value", ("0", "1", "100"), 0.0, "contract", contract=clamp).error == 0.0


def test_an_epsilon_is_added_inside_the_logarithm() -> None:
    """log(p + e) to the last bit of float64."""
    epsilon = (Epsilon(2.0**-10, SOURCE),)
    exact = 10 * math.log(2)
    error = (7 - exact) / 2**-21
    assert confirmed(
        "probabilities", "value", ("0", "1", "7"), error, "contract", contract=epsilon
    ).error == pytest.approx(error, rel=1e-12)


def test_a_flushed_prediction_may_be_read_as_zero() -> None:
    """The logit 2^-140 has the gradient 2^-142 at the label 1/2; 0 is that of the logit 0."""
    given = ("0x1p-140", "0.5", "0")
    assert confirmed("logits", "gradient-prediction", given, 0.0, "flushed").error == 0.0
    assert confirmed("logits", "gradient-prediction", given, 128.0).error == 128.0


@pytest.mark.parametrize("prediction", ["0x3bfaec11", "0x3bfaea0d", "0x3f800000", "0xb9b4e004"])
def test_the_natural_terms_of_a_gradient_at_one_half_have_the_size_one_half(prediction: str) -> None:
    """(s(z) + s(-z)) / 2 is 1/2, a power of two, and its ULP in float32 is 2^-24; in float64 the sum may be less."""
    fmt = FORMATS["float32"]
    bits = int(prediction, 16)
    z = float_of(bits, fmt)
    exact = math.tanh(z / 2) / 2
    got = bits_of((exact + 2.0**-24).hex(), fmt)
    found = abs(float_of(got, fmt) - exact) / 2.0**-24
    question = Question("logits", "gradient-prediction", fmt, fmt, ())
    assert confirm(question, "scaled", bits, bits_of("0.5", fmt), got, found).error == pytest.approx(found, rel=1e-6)


@pytest.mark.parametrize(
    ("form", "labels"), [("logits", (0.0, 1.0, 0.5, 0.3, 2.0, -1.0)), ("probabilities", (0.0, 1.0, 0.5, 0.3))]
)
@pytest.mark.parametrize("quantity", ["value", "gradient-prediction"])
def test_the_size_of_the_natural_terms_is_that_of_the_reference(
    form: str, quantity: str, labels: tuple[float, ...]
) -> None:
    """To the last bits of float64, which the double-double reference gives."""
    compute = reference.FUNCTIONS[quantity]
    for prediction in (0.001, 0.25, 0.75) if form == "probabilities" else (-700.0, -3.0, 1e-30, 0.5, 40.0):
        for label in labels:
            expected = float(compute(form, prediction, label).scale)
            assert sum(scale(form, quantity, prediction, label)) == pytest.approx(expected, rel=2**-50)


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        (Fraction(1), Fraction(1, 1 << 10)),
        (Fraction(1) - Fraction(1, 1 << 200), Fraction(1, 1 << 11)),
        (Fraction(0), Fraction(1, 1 << 24)),
        (Fraction(1 << 40), Fraction(32)),
    ],
)
def test_the_ulp_is_that_of_the_unrounded_size(size: Fraction, expected: Fraction) -> None:
    """In float16: below a power of two it is half as large; it ends at both ends of the format."""
    assert ulp(size, FORMATS["float16"]) == expected


def test_the_natural_terms_of_a_huge_logit_are_its_loss() -> None:
    """1.5e308 with the label 1/2: the exponential is beyond Arb, and both terms have one sign."""
    given = ("0x1.abp+1023", "0.5", "0x1.abp+1022")
    assert confirmed("logits", "value", given, 0.0, "scaled", dtype="float64").error < 1e-9


@deterministic
@given(st.lists(st.floats(0.5, 1e300), min_size=2, max_size=9))
def test_three_digits_of_an_error_are_not_less_and_keep_the_order(errors: list[float]) -> None:
    """They are at most a hundredth more, and the larger of two errors has the larger ones."""
    shown = [rounded_up(error) for error in sorted(errors)]
    assert shown == sorted(shown)
    assert all(error <= three <= ROUNDING * error for error, three in zip(sorted(errors), shown, strict=True))
    assert all(float(f"{three:.3g}") == three for three in shown)
