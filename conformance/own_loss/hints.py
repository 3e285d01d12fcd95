"""What a loss may have left unsaid, where a finding looks as if it had."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from conformance.judge.harm import MISLEADING
from conformance.judge.verdicts import Judged
from conformance.numbers.formats import FORMATS, decode_hexadecimal
from conformance.plan.cases import Case
from conformance.quantities import REDUCTION, VALUE
from conformance.record.summary import Example

_ONE_NUMBER = re.compile(r"returned shape \(\), expected \(\d")


def of_shape(detail: str) -> str:
    """For a result-shape in words: what declares a loss that gives one number for all elements; "" otherwise."""
    if not _ONE_NUMBER.match(detail):
        return ""
    return "one number for all elements is a mean or a sum: declare reductions=['mean'] or reductions=['sum']"


def of_example(example: Example, case: Case) -> str:
    """What would declare that an example is right as it is, if it is meant; "" where nothing would."""
    if case.reduction == "mean" and "weight" in case.options and example.quantity in (VALUE, REDUCTION):
        return (
            "a mean that divides by the weights must be declared: masks=True where they are 0 or 1, "
            "else Reduction('all', 'weights', source) in `contract`"
        )
    return of_shape(example.detail)


def another_loss(checks: Sequence[Judged]) -> str:
    """An example where a loss of some numbers is plainly another function; "" where it is none.

    Of the elements that everybody means the same by (no option, parameter or reduction, ordinary inputs) most must be
    wrong by more than 1 % of the value and of 1 (`harm.MISLEADING`): what cancels or overflows is wrong at few.
    """
    told: list[str] = []
    right = 0
    for check in checks:
        case, fmt = check.request.case, check.result_dtype
        if check.quantity != VALUE or case.options or case.parameters or case.reduction != "none" or case.present:
            continue
        if fmt not in FORMATS or "" in check.bits or check.request.case.dtypes_of:
            continue
        inputs = check.request.inputs.values
        got = decode_hexadecimal(check.bits, fmt)
        exact = np.array(check.ideal)
        prediction, label = inputs["prediction"], inputs["label"]
        plain = np.isfinite(exact) & np.isfinite(got) & (label >= 0) & (label <= 1)
        with np.errstate(invalid="ignore"):
            wrong = np.abs(got - exact) > MISLEADING * np.maximum(1.0, np.abs(exact))
        right += int((plain & ~wrong).sum())
        told += [
            f"{case.id}#{check.elements[place]}: prediction={prediction[place]:.9g} label={label[place]:.9g}, "
            f"got {got[place]:.9g} for {exact[place]:.9g}"
            for place in np.flatnonzero(plain & wrong).tolist()
        ]
    return told[0] if len(told) > right else ""
