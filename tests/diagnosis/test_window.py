"""Where a formula is wrong, against windows that can be computed by hand."""

from __future__ import annotations

import math

import pytest

from conformance.diagnosis.window import windows
from conformance.formulas.arithmetic import EACH, Arithmetic
from conformance.formulas.expression import const, exp, log1p, maximum, var
from conformance.formulas.library import LOG_SIGMOID, SIGMOID

z, p, y, w = map(var, "zpyw")

FLOAT32 = Arithmetic(name=EACH, inputs="float32", step="float32", inside="float32", result="float32")


def test_the_window_of_a_lost_tail_ends_where_the_loss_underflows() -> None:
    """log(1 + e**z) of float32 is 0 below z = -104; above, the difference loses what -z*u is of it."""
    (one,) = windows((1 - y) * z - LOG_SIGMOID(z), FLOAT32, "logits", "value", 0.0)
    assert -104.5 < one.low < -87
    assert -4 < one.high < -0.5
    assert 2**23 <= one.error <= 2**24
    assert not one.from_first
    assert not one.to_last


def test_a_formula_that_is_right_has_no_window() -> None:
    """With label 1 nothing cancels."""
    assert windows((1 - y) * z - LOG_SIGMOID(z), FLOAT32, "logits", "value", 1.0) == ()


def test_a_window_at_the_end_says_that_it_goes_on() -> None:
    """exp overflows from 88.7 on, and is infinite ever after."""
    (one,) = windows(log1p(exp(z)) - z * y, FLOAT32, "logits", "value", 0.0)
    assert one.low == pytest.approx(math.log(3.4e38), rel=0.02)
    assert one.to_last
    assert not one.from_first


def test_a_saturated_gradient_is_wrong_where_the_sigmoid_is_near_1() -> None:
    """sigmoid(z) - 1 loses all from z = 16.6 on, 24*log(2)."""
    (one,) = windows(SIGMOID(z) - y, FLOAT32, "logits", "gradient-prediction", 1.0)
    assert one.low < 16.6 < one.high


def test_a_clamp_of_probabilities_is_wrong_at_both_ends() -> None:
    """max(p*(1 - p), 1e-7) has no effect between 1e-7 and 1 - 1e-7."""
    formula = (p - y) / maximum((1 - p) * p, const("1e-7"))
    first, last = windows(formula, FLOAT32, "probabilities", "gradient-prediction", 0.0)
    assert first.from_first
    assert first.high == pytest.approx(1e-7, rel=0.1)
    assert last.to_last
    assert 1 - last.low <= 1.2e-7  # of two numbers next to 1


def test_other_inputs_are_refused() -> None:
    """A weight is an input of its own."""
    with pytest.raises(ValueError, match=r"a formula in z and y is required, got \['w', 'y', 'z'\]"):
        windows(w * z * y, FLOAT32, "logits", "value", 0.0)
