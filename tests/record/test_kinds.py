"""Kinds of input: from exact numbers, whatever a case is called."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from conformance.numbers.formats import encode
from conformance.record.kinds import CONFIDENT_LOGIT, Kind, kinds
from conformance.record.record import CheckLine, InputsLine


def line(form: str, prediction: float, label: float, dtype: str = "float32", **fields: Any) -> InputsLine:
    """The inputs of a case with one element, `e`."""
    tensors = {"prediction": prediction, "label": label} | fields.pop("weights", {})

    def bits(value: float) -> tuple[str, ...]:
        return (f"{int(encode(np.array([value]), dtype).bits[0]):x}",)

    given = {"reduction": "none", "ideal": {"value": ("0x0p+0",)}, "flags": (), "family": "small"} | fields
    inputs = {name: bits(value) for name, value in tensors.items()}
    return InputsLine(case="any/name", form=form, dtype=dtype, elements=("e",), inputs=inputs, **given)


def kind(one: InputsLine, quantity: str = "value", element: str = "e") -> Kind:
    """What an element of a check of these inputs is told under."""
    check = CheckLine(
        id="",
        case=one.case,
        family="",
        implementation="",
        dtype=one.dtype,
        quantity=quantity,
        verdict="conforms",
        outcome="as expected",
    )
    return kinds(one).of(check, element)


@pytest.mark.parametrize(
    ("form", "prediction", "label", "expected"),
    [
        ("probabilities", 0.5, 1, Kind.EVERYDAY),
        ("probabilities", 2**-10, 0, Kind.EVERYDAY),
        ("probabilities", 1 - 2**-10, 0, Kind.EVERYDAY),
        ("probabilities", 2**-11, 0, Kind.CONFIDENT),
        ("probabilities", 1 - 2**-11, 1, Kind.CONFIDENT),
        ("probabilities", 0, 1, Kind.CONFIDENT),
        ("probabilities", 0.3, 0.25, Kind.SOFT),
        ("probabilities", 0, 0.25, Kind.CONFIDENT),
        ("probabilities", 1.5, 1, Kind.OUTSIDE),
        ("probabilities", 0.5, 255, Kind.OUTSIDE),
        ("logits", 1.5, 1, Kind.EVERYDAY),
        ("logits", -6.9, 0, Kind.EVERYDAY),
        ("logits", -7, 0, Kind.CONFIDENT),
        ("logits", 7, 0.5, Kind.CONFIDENT),
        ("logits", 3, 0.5, Kind.SOFT),
        ("logits", 3, -1, Kind.OUTSIDE),
        ("logits", math.inf, 1, Kind.EXTREME),
        ("logits", math.nan, 1, Kind.EXTREME),
        ("logits", 1e-45, 1, Kind.EXTREME),
        ("logits", 70000, 1, Kind.EXTREME),
        ("logits", 3, math.inf, Kind.EXTREME),
    ],
)
def test_the_numbers_decide(form: str, prediction: float, label: float, expected: Kind) -> None:
    """At the bounds, too: 2^-10 is the spacing of float16 at 1."""
    assert kind(line(form, prediction, label)) is expected


def test_a_confident_logit_is_a_confident_probability() -> None:
    """One bound for both forms: sigmoid(-6.93) is 2^-10."""
    assert 1 / (1 + math.exp(CONFIDENT_LOGIT)) == pytest.approx(2**-10, rel=1e-12)


def test_a_gradient_is_told_apart_where_training_is() -> None:
    """And with the inputs where these are what matters."""
    assert kind(line("logits", 1, 1), "gradient-prediction") is Kind.GRADIENT
    assert kind(line("logits", 20, 1), "gradient-prediction") is Kind.GRADIENT
    assert kind(line("logits", 1, 2), "gradient-prediction") is Kind.OUTSIDE


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_sixteen_bits_are_told_together(dtype: str) -> None:
    """Values and gradients; what lies outside stays outside."""
    assert kind(line("logits", 1, 1, dtype)) is Kind.NARROW
    assert kind(line("logits", 1, 1, dtype), "gradient-prediction") is Kind.NARROW
    assert kind(line("logits", 1, 2, dtype)) is Kind.OUTSIDE


def test_weights_shapes_and_other_dtypes_are_options() -> None:
    """A weight of 1 is none, and what is no element of the case is a presentation of it."""
    assert kind(line("logits", 1, 1, weights={"weight": 2})) is Kind.OPTIONS
    assert kind(line("logits", 1, 1, weights={"weight": 1})) is Kind.EVERYDAY
    assert kind(line("logits", 1, 1, dtypes={"label": "float32"})) is Kind.OPTIONS
    assert kind(line("logits", 1, 1), element="n3-label-4") is Kind.OPTIONS


def test_what_is_said_of_all_elements_is_of_the_last_kind_among_them() -> None:
    """A mean of an infinite loss is infinite; without exact values the case is one of shapes."""
    assert kind(line("logits", 1, 1), element="all") is Kind.EVERYDAY
    assert kind(line("logits", 1, 2), element="all") is Kind.OUTSIDE
    assert kind(line("logits", 1, 1, ideal={}), element="all") is Kind.OPTIONS
