"""Where a formula is wrong, against windows that can be computed by hand."""

from __future__ import annotations

import math
from dataclasses import replace
from decimal import Decimal

import numpy as np
import pytest

from conformance.diagnosis.identify import Models, identify
from conformance.diagnosis.results import Group, Part, Table
from conformance.diagnosis.window import Curve, Where, Window, where_wrong
from conformance.diagnosis.window import windows as windows_of
from conformance.formulas.arithmetic import EACH, Arithmetic
from conformance.formulas.catalogue import Options
from conformance.formulas.expression import Expression, const, exp, log1p, maximum, var
from conformance.formulas.library import LOG_SIGMOID, SIGMOID

z, p, y, w = map(var, "zpyw")

FLOAT32 = Arithmetic(name=EACH, inputs="float32", step="float32", inside="float32", result="float32")
FLUSHED = replace(FLOAT32, flush=True, daz=True)
TORCH = (1 - y) * z - LOG_SIGMOID(z)
NAIVE = log1p(exp(z)) - z * y


def windows(
    expression: Expression, arithmetic: Arithmetic, form: str, quantity: str, label: float
) -> tuple[Window, ...]:
    """The windows of a formula for one label."""
    return windows_of(Curve(expression=expression, arithmetic=arithmetic, form=form, quantity=quantity, label=label))


def beyond(number: float, towards: float) -> Decimal:
    """The neighbour of a number of float32."""
    return Decimal(float(np.nextafter(np.float32(number), np.float32(towards))))


def test_the_window_of_a_lost_tail_ends_where_the_loss_underflows() -> None:
    """log(1 + e**z) of float32 is 0 below z = -104; above, the difference loses what -z*u is of it."""
    (one,) = windows((1 - y) * z - LOG_SIGMOID(z), FLOAT32, "logits", "value", 0.0)
    assert -104.5 < one.low.at < -87
    assert -4 < one.high.at < -0.5
    assert 2**23 <= one.error <= 2**24
    assert not one.low.last
    assert not one.high.last


def test_a_formula_that_is_right_has_no_window() -> None:
    """With label 1 nothing cancels."""
    assert windows((1 - y) * z - LOG_SIGMOID(z), FLOAT32, "logits", "value", 1.0) == ()


def test_a_window_at_the_end_says_that_it_goes_on() -> None:
    """exp overflows from 88.7 on, and is infinite ever after."""
    (one,) = windows(log1p(exp(z)) - z * y, FLOAT32, "logits", "value", 0.0)
    assert one.low.at == pytest.approx(math.log(3.4e38), rel=1e-3)
    assert one.high.last
    assert not one.low.last


def test_a_saturated_gradient_is_wrong_where_the_sigmoid_is_near_1() -> None:
    """sigmoid(z) - 1 loses all from z = 16.6 on, 24*log(2)."""
    (one,) = windows(SIGMOID(z) - y, FLOAT32, "logits", "gradient-prediction", 1.0)
    assert one.low.at < 16.6 < one.high.at


def test_a_clamp_of_probabilities_is_wrong_at_both_ends() -> None:
    """max(p*(1 - p), 1e-7) has no effect between 1e-7 and 1 - 1e-7."""
    formula = (p - y) / maximum((1 - p) * p, const("1e-7"))
    first, last = windows(formula, FLOAT32, "probabilities", "gradient-prediction", 0.0)
    assert first.low.last
    assert first.high.at == pytest.approx(1e-7, rel=1e-3)
    assert last.high.last
    assert 1 - last.low.at <= 1.2e-7  # of two numbers next to 1


def test_a_flushed_tail_begins_at_the_first_number_whose_exponential_is_subnormal() -> None:
    """2^-126 is e^-87.3365: the end is a number of float32 below that, and its neighbour is above."""
    smallest = Decimal(2) ** -126
    (one,) = windows(maximum(z, 0) - z * y + log1p(exp(-maximum(z, -z))), FLUSHED, "logits", "value", 0.0)
    assert one.high.sharp
    assert Decimal(one.high.at).exp() < smallest <= beyond(one.high.at, 0).exp()
    assert one.worst == one.high.at
    assert one.error == pytest.approx(2**23, rel=1e-4)


def test_an_overflow_begins_at_the_first_number_whose_exponential_is_none() -> None:
    """What rounds to infinity is (2 - 2^-24)*2^127 and above, e^88.7228."""
    largest = (2 - Decimal(2) ** -24) * Decimal(2) ** 127
    (one,) = windows(NAIVE, FLOAT32, "logits", "value", 0.0)
    assert one.low.sharp
    assert beyond(one.low.at, 0).exp() < largest <= Decimal(one.low.at).exp()


def test_an_end_where_right_and_wrong_results_are_mixed_is_none_of_the_sharp_ones() -> None:
    """What log_sigmoid rounds off decides by its last bits, number by number."""
    (one,) = windows(TORCH, FLOAT32, "logits", "value", 0.0)
    assert not one.high.sharp


def test_the_tail_of_float64_is_wrong_until_the_loss_is_4_ulp_of_the_smallest_number() -> None:
    """log(4*2^-1074) is -743.05; the reference is less certain there, by half an ULP."""
    float64 = Arithmetic(name=EACH, inputs="float64", step="float64", inside="float64", result="float64")
    (one,) = windows(TORCH, float64, "logits", "value", 0.0)
    assert -743.1 < one.low.at < -742.5


def run_of(got: np.ndarray, z_: np.ndarray) -> Group:
    """Results of float32 for label 0, each of them wrong or not as it is beside the exact value."""
    exact = np.log1p(np.exp(z_))
    wrong = ~(np.abs(got - exact) <= 4 * np.spacing(exact.astype(np.float32)))
    table = Table(
        form="logits",
        dtype="float32",
        options=Options(),
        inputs={"z": z_, "y": np.zeros(z_.size)},
        ideal={"value": exact},
        has_ideal={"value": np.ones(z_.size, bool)},
        names=tuple(("case", str(k)) for k in range(z_.size)),
    )
    part = Part(
        table=table,
        rows=np.arange(z_.size),
        got=got,
        ideal=exact,
        condition=np.ones(z_.size),
        wrong=wrong,
        causes=tuple("a/b/c/d/e" if one else "" for one in wrong),
    )
    return Group(
        implementation="a/b/c/d",
        dtype="float32",
        result_dtype="float32",
        quantity="value",
        form="logits",
        parts=(part,),
    )


def found(change: int | None = None) -> Where:
    """Where a loss that overflows is wrong, of a run in which one result is as right as none is there."""
    z_ = np.concatenate([np.linspace(-20, 80, 60), np.linspace(89, 100, 12)]).astype(np.float32).astype(np.float64)
    with np.errstate(over="ignore"):
        got = np.log1p(np.exp(z_.astype(np.float32))).astype(np.float64)
    model = identify(run_of(got, z_), Models()).survivors[0]
    if change is not None:
        got[change] = z_[change]
    where = where_wrong(run_of(got, z_), model, 0.0)
    assert where is not None
    return where


def test_a_run_that_is_wrong_where_the_emulation_is_agrees() -> None:
    """Then the ends are those of the emulation."""
    assert found().agrees
    assert found().recorded.wrong.sum() == 12


def test_a_run_that_is_right_where_the_emulation_is_wrong_does_not_agree() -> None:
    """One result is enough: of a contract that excuses it, or of another formula beyond the samples."""
    where = found(change=-1)
    assert not where.agrees
    assert where.recorded.wrong.sum() == 11


def test_other_inputs_are_refused() -> None:
    """A weight is an input of its own."""
    with pytest.raises(ValueError, match=r"a formula in z and y is required, got \['w', 'y', 'z'\]"):
        windows(w * z * y, FLOAT32, "logits", "value", 0.0)
