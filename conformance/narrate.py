"""Words for numbers: how an expected value comes about, the floor of a soft label, why there is a NaN."""

from __future__ import annotations

import math

import numpy as np

import reference
from conformance.contracts import Contract
from conformance.formats import FORMATS
from conformance.literals import text_of
from conformance.plan import Inputs

FORMULA = {
    "logits": "L = y·softplus(-z) + (1-y)·softplus(z)",
    "probabilities": "L = -y·log p - (1-y)·log1p(-p)",
}


def exact_inputs(inputs: Inputs, index: int) -> str:
    """Prediction, label and options of an element, in decimal and as bits."""
    fmt = FORMATS[inputs.dtype]
    patterns = {name: int(tensor.bits[index]) for name, tensor in inputs.tensors.items()}
    return " ".join(f"{name}={text_of(bits, fmt)} (0x{bits:0{fmt.width // 4}x})" for name, bits in patterns.items())


def values_at(inputs: Inputs, index: int) -> tuple[float, float, float, float]:
    """Prediction, label, weight and pos_weight of an element; absent options are 1."""
    p, y, w, q = (float(inputs.values[name][index]) for name in ("prediction", "label", "weight", "pos_weight"))
    return p, y, w, q


def loss(form: str, prediction: float, label: float, weight: float = 1.0, pos_weight: float = 1.0) -> float:
    """The exact loss, rounded to float64."""
    p, y, w, q = (np.array([value]) for value in (prediction, label, weight, pos_weight))
    return float(reference.loss(form, p, y, w, q).hi[0])


def derivation(form: str, prediction: float, label: float, weight: float = 1.0, pos_weight: float = 1.0) -> str:
    """The two natural terms of the loss, their coefficients and the sum, in one line."""
    names = ("softplus(-z)", "softplus(z)") if form == "logits" else ("-log p", "-log1p(-p)")
    positive, negative = loss(form, prediction, 1.0), loss(form, prediction, 0.0)
    a = weight * pos_weight * label
    b = weight * (1.0 - label)
    total = loss(form, prediction, label, weight, pos_weight)
    special = ""
    if (a == 0 and math.isinf(positive)) or (b == 0 and math.isinf(negative)):
        special = " (a coefficient 0 annihilates an infinite term)"
    coefficients = ("y", "(1-y)") if weight == pos_weight == 1 else ("w·q·y", "w·(1-y)")
    return (
        f"{coefficients[0]}·{names[0]} + {coefficients[1]}·{names[1]} = "
        f"{a:.9g}·{positive:.9g} + {b:.9g}·{negative:.9g} = {total:.9g}{special}"
    )


def floor(form: str, prediction: float, label: float) -> str:
    """H(y) and KL(y||p) for a label in [0, 1]: why the loss of a soft label is not 0; "" elsewhere."""
    if not 0.0 <= label <= 1.0:
        return ""
    entropy = loss("probabilities", label, label)
    total = loss(form, prediction, label)
    if math.isnan(total):
        return ""
    return f"floor H(y) = {entropy:.9g}, excess KL(y||p) = {total - entropy:.9g}"


def why_nan(form: str, prediction: float, label: float) -> str:
    """Where a NaN can come from at these inputs; "" where an ordinary formula has none."""
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
