"""Words for numbers: how an expected value comes about, the floor of a soft label, why there is a NaN."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

import reference
from conformance.contracts import Contract
from conformance.numbers.formats import FORMATS
from conformance.numbers.literals import text_of
from conformance.plan.inputs import ARGUMENTS, Inputs

FORMULA = {
    "logits": "L = y·softplus(-z) + (1-y)·softplus(z)",
    "probabilities": "L = -y·log p - (1-y)·log1p(-p)",
}

#: Numeric quantities in words.
QUANTITIES = {
    "value": "the loss",
    "gradient-prediction": "the gradient by the prediction",
    "gradient-label": "the gradient by the label",
    "gradient-weight": "the gradient by the weight",
    "gradient-pos_weight": "the gradient by pos_weight",
    "second-derivative": "the second derivative by the prediction",
}


def counted(count: int, noun: str) -> str:
    """`1 problem`, `2 problems`."""
    return f"{count} {noun}{'' if count == 1 else 's'}"


def exact_inputs(inputs: Inputs, index: int) -> str:
    """Prediction, label and options of an element, in decimal and as bits."""
    fmt = FORMATS[inputs.dtype]
    patterns = {name: int(tensor.bits[index]) for name, tensor in inputs.tensors.items()}
    return " ".join(f"{name}={text_of(bits, fmt)} (0x{bits:0{fmt.width // 4}x})" for name, bits in patterns.items())


def loss(form: str, prediction: Any, label: Any, weight: Any = 1.0, pos_weight: Any = 1.0) -> list[float]:
    """The exact loss of every element, rounded to float64."""
    exact: list[float] = reference.loss(form, prediction, label, weight, pos_weight).hi.tolist()
    return exact


def derivations(inputs: Inputs) -> list[str]:
    """The two natural terms of each element's loss, their coefficients and the sum, in one line."""
    form = inputs.case.form
    p, y, w, q = (inputs.values[name] for name in ARGUMENTS)
    columns = (y.tolist(), w.tolist(), q.tolist(), loss(form, p, 1.0), loss(form, p, 0.0), loss(form, p, y, w, q))
    return [_derivation(form, *row) for row in zip(*columns, strict=True)]


def _derivation(
    form: str, label: float, weight: float, pos_weight: float, positive: float, negative: float, total: float
) -> str:
    names = ("softplus(-z)", "softplus(z)") if form == "logits" else ("-log p", "-log1p(-p)")
    a = weight * pos_weight * label
    b = weight * (1.0 - label)
    special = ""
    if (a == 0 and math.isinf(positive)) or (b == 0 and math.isinf(negative)):
        special = " (a coefficient 0 annihilates an infinite term)"
    coefficients = ("y", "(1-y)") if weight == pos_weight == 1 else ("w·q·y", "w·(1-y)")
    return (
        f"{coefficients[0]}·{names[0]} + {coefficients[1]}·{names[1]} = "
        f"{a:.9g}·{positive:.9g} + {b:.9g}·{negative:.9g} = {total:.9g}{special}"
    )


def floors(inputs: Inputs) -> list[str]:
    """H(y) and KL(y||p) for each label in [0, 1]: why the loss of a soft label is not 0; "" elsewhere."""
    p, y = inputs.values["prediction"], inputs.values["label"]
    inside = (y >= 0.0) & (y <= 1.0)
    labels = np.where(inside, y, 0.0)  # of others there is no entropy
    columns = (inside.tolist(), loss(inputs.case.form, p, y), loss("probabilities", labels, labels))
    return [_floor(total, entropy) if soft else "" for soft, total, entropy in zip(*columns, strict=True)]


def _floor(total: float, entropy: float) -> str:
    return "" if math.isnan(total) else f"floor H(y) = {entropy:.9g}, excess KL(y||p) = {total - entropy:.9g}"


def signs(inputs: Inputs) -> list[str]:
    """Why the loss of an element is below 0; "" where it is not."""
    total = loss(inputs.case.form, *(inputs.values[name] for name in ARGUMENTS))
    return [_sign(*pair) for pair in zip(total, inputs.values["label"].tolist(), strict=True)]


def _sign(total: float, label: float) -> str:
    if not total < 0:
        return ""
    if 0 <= label <= 1:
        return "the loss is below 0: a weight is negative"
    return f"the loss is below 0: the label {label:g} is no probability"


def why_nans(inputs: Inputs) -> list[str]:
    """Where a NaN can come from at each element; "" where an ordinary formula has none."""
    pairs = zip(inputs.values["prediction"].tolist(), inputs.values["label"].tolist(), strict=True)
    return [_why_nan(inputs.case.form, *pair) for pair in pairs]


def _why_nan(form: str, prediction: float, label: float) -> str:
    if math.isnan(prediction) or math.isnan(label):
        return "NaN in, NaN out: an input is NaN already"
    if form == "logits":
        if math.isinf(prediction):
            return (
                "max(z,0) - z·y, or (1-y)·z, meets inf - inf or 0·inf at an infinite logit; exactly, a coefficient 0 "
                "annihilates the infinite term"
            )
        return "inf - inf: both terms overflow, exactly they cannot" if abs(prediction) > 1e4 else ""
    if prediction in (0.0, 1.0):
        return "0·log 0 = 0·(-inf): the logarithm is not clipped (or 1-eps rounds to 1 in this dtype); exactly, 0 wins"
    if not 0.0 <= prediction <= 1.0:
        return "the logarithm of a negative number: the prediction is no probability"
    return ""


def contract_lines(contract: Contract) -> list[str]:
    """A contract in words, a line for each field with its source."""
    lines = []
    for one in contract:
        values = {key: value for key, value in vars(one).items() if key not in ("source", "name")}
        shown = ", ".join(f"{key} {value}" for key, value in values.items())
        lines.append(f'{one.name}{f" ({shown})" if shown else ""}: "{one.source.quote}" {one.source.link}')
    return lines
