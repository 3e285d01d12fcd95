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
from conformance.numbers.formats import FORMATS, Tensor
from conformance.numbers.literals import text_of
from conformance.plan.cases import Case
from conformance.plan.inputs import ARGUMENTS, Inputs

FORMULA = {
    "logits": "L = {y}·softplus(-z) + (1-{y})·softplus(z)",
    "probabilities": "L = -{y}·log p - (1-{y})·log1p(-p)",
}

#: What the parameters of a case make of that: smoothing of the label, the focal factor, its weight of the classes.
SMOOTHED = "y' = y·(1-s) + s/2"
FOCUSED = "(1-p_t)^gamma·L, 1-p_t = {y}·(1-p) + (1-{y})·p"
ALPHA = "alpha_t = {y}·alpha + (1-{y})·(1-alpha)"

#: What is said of a result that came back for inputs which must be refused.
ACCEPTED = "accepted, must be rejected"

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


def formula(case: Case) -> str:
    """The loss of a case, with what its parameters make of it."""
    y = _label(case)
    parts = [FORMULA[case.form].format(y=y)]
    parts += [SMOOTHED] if "label_smoothing" in case.parameters else []
    if "gamma" in case.parameters:
        parts.append(f"F = {'alpha_t·' if 'alpha' in case.parameters else ''}{FOCUSED.format(y=y)}")
    parts += [ALPHA.format(y=y)] if "alpha" in case.parameters else []
    return "; ".join(parts)


def _label(case: Case) -> str:
    """What the label is called in the formula of a case."""
    return "y'" if "label_smoothing" in case.parameters else "y"


def exact_inputs(inputs: Inputs, index: int) -> str:
    """Prediction, label and options of an element, in decimal and as bits, then the parameters of its case."""
    numbers = [f"{name}={_written(tensor, index)}" for name, tensor in inputs.tensors.items()]
    return " ".join([*numbers, *(f"{name}={number:g}" for name, number in inputs.parameters.items())])


def _written(tensor: Tensor, index: int) -> str:
    """A number in the dtype of its own tensor; that of an integer is the number itself."""
    if tensor.dtype not in FORMATS:
        return f"{tensor.bits[index]} ({tensor.dtype})"
    fmt, bits = FORMATS[tensor.dtype], int(tensor.bits[index])
    return f"{text_of(bits, fmt)} (0x{bits:0{fmt.width // 4}x})"


def loss(form: str, prediction: Any, label: Any, weight: Any = 1.0, pos_weight: Any = 1.0) -> list[float]:
    """The exact loss of every element, rounded to float64."""
    exact: list[float] = reference.loss(form, prediction, label, weight, pos_weight).hi.tolist()
    return exact


def _losses(inputs: Inputs) -> list[float]:
    """The exact loss of every element of a case, with the parameters that the case has."""
    arguments = (inputs.values[name] for name in ARGUMENTS)
    exact: list[float] = reference.loss(inputs.case.form, *arguments, **inputs.parameters).hi.tolist()
    return exact


def _smoothed(inputs: Inputs) -> Any:
    """The labels, smoothed where the case says so."""
    s = inputs.parameters.get("label_smoothing", 0.0)
    y = inputs.values["label"]
    return y * (1 - s) + s / 2 if s else y


def derivations(inputs: Inputs) -> list[str]:
    """The two natural terms of each element's loss, their coefficients and the sum, in one line."""
    p, _, w, q = (inputs.values[name] for name in ARGUMENTS)
    form, y = inputs.case.form, _smoothed(inputs)
    names = {"logits": ("softplus(-z)", "softplus(z)"), "probabilities": ("-log p", "-log1p(-p)")}[form]
    columns = (y.tolist(), w.tolist(), q.tolist(), loss(form, p, 1.0), loss(form, p, 0.0))
    sums = [_derivation(_label(inputs.case), names, *row) for row in zip(*columns, strict=True)]
    smoothed = [f"y' = {label:.9g}; " if "label_smoothing" in inputs.parameters else "" for label in y.tolist()]
    if "gamma" not in inputs.parameters:
        ends = [f" = {total:.9g}" for total in _losses(inputs)]
    else:
        ends = [f"; F = {words} = {total:.9g}" for words, total in zip(_focused(inputs), _losses(inputs), strict=True)]
    lines = zip(smoothed, sums, ends, strict=True)
    return [f"{before}{terms}{end}{special}" for before, (terms, special), end in lines]


def _derivation(
    y: str, names: tuple[str, str], label: float, weight: float, pos_weight: float, positive: float, negative: float
) -> tuple[str, str]:
    """The sum of both terms, and a word where a coefficient 0 annihilates one that is infinite."""
    a = weight * pos_weight * label
    b = weight * (1.0 - label)
    special = ""
    if (a == 0 and math.isinf(positive)) or (b == 0 and math.isinf(negative)):
        special = " (a coefficient 0 annihilates an infinite term)"
    coefficients = (y, f"(1-{y})") if weight == pos_weight == 1 else (f"w·q·{y}", f"w·(1-{y})")
    terms = (
        f"{coefficients[0]}·{names[0]} + {coefficients[1]}·{names[1]} = {a:.9g}·{positive:.9g} + {b:.9g}·{negative:.9g}"
    )
    return terms, special


def _focused(inputs: Inputs) -> list[str]:
    """What each element's loss is multiplied by in a focal loss."""
    y, x = _smoothed(inputs), inputs.values["prediction"]
    with np.errstate(all="ignore"):
        hit, miss = (1 / (1 + np.exp(-x)), 1 / (1 + np.exp(x))) if inputs.case.form == "logits" else (x, 1 - x)
    gamma, alpha = inputs.parameters["gamma"], inputs.parameters.get("alpha")
    powers = [f"{base:.9g}^{gamma:g}·L" for base in (y * miss + (1 - y) * hit).tolist()]
    if alpha is None:
        return powers
    return [f"{a:.9g}·{power}" for a, power in zip((y * alpha + (1 - y) * (1 - alpha)).tolist(), powers, strict=True)]


def floors(inputs: Inputs) -> list[str]:
    """H(y) and KL(y||p) for each label in [0, 1]: why the loss of a soft label is not 0; "" elsewhere.

    Of a smoothed label they are those of what it is smoothed to; a focal loss has no such floor.
    """
    p, y = inputs.values["prediction"], _smoothed(inputs)
    if "gamma" in inputs.parameters:
        return [""] * len(y)
    inside = (y >= 0.0) & (y <= 1.0)
    labels = np.where(inside, y, 0.0)  # of others there is no entropy
    columns = (inside.tolist(), loss(inputs.case.form, p, y), loss("probabilities", labels, labels))
    return [
        _floor(_label(inputs.case), total, entropy) if soft else ""
        for soft, total, entropy in zip(*columns, strict=True)
    ]


def _floor(y: str, total: float, entropy: float) -> str:
    return "" if math.isnan(total) else f"floor H({y}) = {entropy:.9g}, excess KL({y}||p) = {total - entropy:.9g}"


def signs(inputs: Inputs) -> list[str]:
    """Why the loss of an element is below 0; "" where it is not."""
    return [_sign(*pair) for pair in zip(_losses(inputs), inputs.values["label"].tolist(), strict=True)]


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
