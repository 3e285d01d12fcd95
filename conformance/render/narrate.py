"""Words for numbers: how an expected value comes about, the floor of a soft label, why there is a NaN."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable
from typing import Any

import numpy as np

import reference
from conformance.contracts import Contract
from conformance.judge.harm import Harm
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


#: What problems of a harm do: one of them, and several.
DO = {
    Harm.BREAKS: ("breaks training", "break training"),
    Harm.MISLEADS: ("misleads", "mislead"),
    Harm.DRIFTS: ("drifts", "drift"),
    Harm.LAST_DIGITS: ("is in last digits", "are in last digits"),
    Harm.EDGE: ("is at the edge", "are at the edge"),
    Harm.REFUSES: ("refuses", "refuse"),
}


def by_harm(found: Iterable[Harm]) -> str:
    """How many problems do which harm, the worst first: `2 break training, 1 misleads`."""
    counts = Counter(found)
    return ", ".join(f"{counts[harm]} {DO[harm][counts[harm] > 1]}" for harm in Harm if counts[harm])


def exact_inputs(inputs: Inputs, index: int) -> str:
    """Prediction, label and options of an element, in decimal and as bits."""
    fmt = FORMATS[inputs.dtype]
    patterns = {name: int(tensor.bits[index]) for name, tensor in inputs.tensors.items()}
    return " ".join(f"{name}={text_of(bits, fmt)} (0x{bits:0{fmt.width // 4}x})" for name, bits in patterns.items())


def formula(inputs: Inputs) -> str:
    """The loss of a case in symbols, with what its parameters make of it."""
    parts, numbers = [FORMULA[inputs.case.form]], inputs.parameters
    if "label_smoothing" in numbers:
        parts.append(f"y = label·(1-s) + s/2, s = label_smoothing = {numbers['label_smoothing']:g}")
    if "gamma" in numbers:
        parts.append(f"times (1-p_t)^gamma, p_t = y·p + (1-y)·(1-p), gamma = {numbers['gamma']:g}")
    if "alpha" in numbers:
        parts.append(f"times a_t = y·alpha + (1-y)·(1-alpha), alpha = {numbers['alpha']:g}")
    return "; ".join(parts)


def loss(form: str, prediction: Any, label: Any, *options: Any, **parameters: float) -> list[float]:
    """The exact loss of every element, rounded to float64; `options` are weight and pos_weight."""
    exact: list[float] = reference.loss(form, prediction, label, *options, **parameters).hi.tolist()
    return exact


def _total(inputs: Inputs) -> list[float]:
    """The exact loss of every element with all options and parameters."""
    return loss(inputs.case.form, *(inputs.values[name] for name in ARGUMENTS), **inputs.parameters)


def _labels(inputs: Inputs) -> Any:
    """The labels that the loss is of: smoothed, where the case says so."""
    smoothing = inputs.parameters.get("label_smoothing", 0.0)
    return inputs.values["label"] * (1 - smoothing) + smoothing / 2 if smoothing else inputs.values["label"]


def derivations(inputs: Inputs) -> list[str]:
    """The two natural terms of each element's loss, their coefficients and the sum, in one line.

    The factors of a focal loss stand before the sum.
    """
    form, y = inputs.case.form, _labels(inputs)
    p, _, w, q = (inputs.values[name] for name in ARGUMENTS)
    columns = (y.tolist(), w.tolist(), q.tolist(), loss(form, p, 1.0), loss(form, p, 0.0), loss(form, p, y, w, q))
    plain = [_derivation(form, *row) for row in zip(*columns, strict=True)]
    if "gamma" not in inputs.parameters:
        return plain
    names, factors = _focus(inputs)
    rows = zip(factors, columns[-1], _total(inputs), plain, strict=True)
    return [
        f"{line}; {names}·L = {' · '.join(f'{one:.9g}' for one in (*own, whole))} = {total:.9g}"
        for own, whole, total, line in rows
    ]


def _focus(inputs: Inputs) -> tuple[str, list[tuple[float, ...]]]:
    """What a focal loss is multiplied by: in symbols, and for each element its numbers."""
    p, y, numbers = inputs.values["prediction"], _labels(inputs), inputs.parameters
    with np.errstate(over="ignore"):
        right, wrong = (1 / (1 + np.exp(-p)), 1 / (1 + np.exp(p))) if inputs.case.form == "logits" else (p, 1 - p)
    columns = {"(1-p_t)^gamma": (y * wrong + (1 - y) * right) ** numbers["gamma"]}
    if "alpha" in numbers:
        columns |= {"a_t": y * numbers["alpha"] + (1 - y) * (1 - numbers["alpha"])}
    return "·".join(columns), list(zip(*(one.tolist() for one in columns.values()), strict=True))


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
    """H(y) and KL(y||p) for each label in [0, 1]: why the loss of a soft label is not 0; "" elsewhere.

    A focal loss has no such floor.
    """
    p, y = inputs.values["prediction"], _labels(inputs)
    inside = (y >= 0.0) & (y <= 1.0) & ("gamma" not in inputs.parameters)
    labels = np.where(inside, y, 0.0)  # of others there is no entropy
    columns = (inside.tolist(), loss(inputs.case.form, p, y), loss("probabilities", labels, labels))
    return [_floor(total, entropy) if soft else "" for soft, total, entropy in zip(*columns, strict=True)]


def _floor(total: float, entropy: float) -> str:
    return "" if math.isnan(total) else f"floor H(y) = {entropy:.9g}, excess KL(y||p) = {total - entropy:.9g}"


def signs(inputs: Inputs) -> list[str]:
    """Why the loss of an element is below 0; "" where it is not."""
    return [_sign(*pair) for pair in zip(_total(inputs), inputs.values["label"].tolist(), strict=True)]


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
