"""What each entry point does to what was asked for, in a sentence: from the run, and from proofs where there are any."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import NamedTuple

import numpy as np

from conformance.choose.choose import Answer, Element, Row
from conformance.ids import ImplementationId
from conformance.judge.harm import Harm
from conformance.judge.harm import harms as weighed
from conformance.numbers.formats import decode_hexadecimal
from conformance.quantities import ACCEPTANCE, GRADIENT_PREDICTION, NUMERIC, VALUE
from conformance.render.narrate import loss
from conformance.shipped import shipped
from conformance.sweep import named
from conformance.sweep.certificate import Certificate, Result

#: What the prediction is called, by form.
PREDICTION = {"logits": "z", "probabilities": "p"}

#: How what is said of a number begins, by quantity.
SUBJECTS = {VALUE: "returns", GRADIENT_PREDICTION: "its gradient is"}

#: The same where a proof says from which input on that is 0.
PROVED = {quantity: f"{subject} 0" for quantity, subject in SUBJECTS.items()}


class Lost(NamedTuple):
    """From which logit on a proof found 0 where the exact number is `owed`, which is more than a subnormal one."""

    prediction: float
    label: float
    owed: float

    @property
    def text(self) -> str:
        """As in "from z = -4.16 down at label 0, where 0.0155 is due"."""
        way = "down" if self.prediction < 0 else "up"
        return f"from z = {self.prediction:.3g} {way} at label {self.label:.3g}, where {self.owed:.3g} is due"


def sentence(row: Row) -> str:
    """What most is to be said of an entry point: its losses, its gradients if these are needed, and the rest."""
    lost = _lost(row)
    parts: dict[str, None] = {}
    for answer in row.answers:
        for part in _of_answer(row, answer, lost):
            parts.setdefault(part)
    return "; ".join(parts) or f"right on all {row.inputs} inputs that were asked for"


def _of_answer(row: Row, answer: Answer, lost: dict[str, Lost]) -> Iterator[str]:
    """What is said about one need."""
    if answer.autocast is not None:
        yield f"under mixed precision {answer.autocast.does}"
    if answer.form:
        yield f"takes {answer.form}"
        return
    if answer.unanswered:
        yield f"refuses {answer.unanswered} of {answer.grade.elements} inputs of {answer.need.name}"
    if not answer.grade.elements:
        yield f"{answer.need.name} is {'not offered' if answer.tried else 'not measured'}"
        return
    harmful = [one for one in answer.wrong if one.harm is not None and one.harm > Harm.LAST_DIGITS]
    if not harmful:
        if answer.need.quantities == (GRADIENT_PREDICTION,):
            yield "its gradient is right"
        return
    worst = max(harmful, key=_plainest)
    quantity = worst.check.quantity
    if worst.harm is Harm.DRIFTS and quantity in lost:
        yield f"{PROVED[quantity]} {lost[quantity].text}"
    else:
        yield _example(worst)
    if worst.harm is Harm.DRIFTS and quantity == GRADIENT_PREDICTION:
        yield "where prediction and label part its gradient stays right"


def _example(one: Element) -> str:
    """What came back at one input, and what should have."""
    prediction, label = _inputs(one)
    at = f"{PREDICTION[one.line.form]} = {prediction:.3g}, label {label:.3g}"
    due = one.line.ideal.get(one.check.quantity, ())
    if one.at is not None and one.check.quantity in SUBJECTS and one.check.bits and len(due) == len(one.check.elements):
        got = float(decode_hexadecimal([one.check.bits[one.at]], one.check.result_dtype)[0])
        owed = float.fromhex(due[one.at])
        said = f"{SUBJECTS[one.check.quantity]} {got:.3g} where {owed:.3g} is due ({at})"
    elif one.check.quantity == ACCEPTANCE:
        said = f"{'raises' if one.verdict == 'rejects' else 'does not raise'} for label {label:.3g}"
    else:
        said = f"{one.check.quantity}: {one.verdict} ({one.check.case})"
    return f"{said}, as documented" if one.documented else said


def _plainest(one: Element) -> tuple[Harm, bool, bool, float]:
    prediction, _ = _inputs(one)
    off = abs(prediction) if one.line.form == "logits" else abs(prediction - 0.5)
    return one.harm or Harm.REFUSES, one.at is not None, one.check.quantity in NUMERIC, -off


def _inputs(one: Element) -> tuple[float, float]:
    place = one.at if one.at is not None and one.at < len(one.line.elements) else 0
    found = []
    for name in ("prediction", "label"):
        bits = one.line.inputs[name]
        dtype = one.line.dtypes.get(name, one.line.dtype)
        found.append(float(decode_hexadecimal([bits[min(place, len(bits) - 1)]], dtype)[0]))
    return found[0], found[1]


# -- proofs ----------------------------------------------------------------------------------------------------------


@cache
def proofs() -> tuple[Certificate, ...]:
    """The proofs that ship with the suite."""
    found = (one.certificate for one in named.of_folder(shipped("results/certificates")))
    return tuple(one for one in found if one.kind == "proof")


def _lost(row: Row) -> dict[str, Lost]:
    """By quantity, the first logit from 0 outwards at which a proof found a number of some size lost.

    The proof is about the entry point itself, or about one of the same backend that gave the same bits for all inputs
    of the run.
    """
    found: dict[str, Lost] = {}
    if row.form != "logits":
        return found
    backend = ImplementationId.parse(row.implementation).backend
    for one in proofs():
        if one.backend != backend or one.dtype not in row.dtypes or one.quantity not in PROVED:
            continue
        same = [result for result in one.results if _same(row, result.implementation, one.dtype)]
        for lost in (lost for result in same for lost in _firsts(one, result)):
            known = found.get(one.quantity, lost)
            found[one.quantity] = min(known, lost, key=lambda each: abs(each.prediction))
    return found


def _firsts(one: Certificate, result: Result) -> Iterator[Lost]:
    for name in ("-zero", "+zero"):
        if (place := result.firsts.get(name)) is None:
            continue
        prediction, label = (float(decode_hexadecimal([place[key]], one.dtype)[0]) for key in ("prediction", "label"))
        if label not in (0, 1):
            continue
        small = float(np.exp(-abs(prediction)))  # of a right and confident logit, which a lost one is
        owed = loss(one.form, [prediction], [label])[0] if one.quantity == VALUE else (1 - 2 * label) * small / (1 + small)
        harm = weighed(np.zeros(1), np.array([owed]), one.dtype, one.quantity, one.form)[0]
        if harm > Harm.LAST_DIGITS:
            yield Lost(prediction, label, owed)


def _same(row: Row, other: str, dtype: str) -> bool:
    """Whether an implementation is that of a row, or gave the same bits for all inputs that both were asked for."""
    if row.implementation == other:
        return True
    ours, theirs = (
        {key: bits for key, bits in row.source.bits.get(name, {}).items() if key[1] == dtype}
        for name in (row.implementation, other)
    )
    shared = ours.keys() & theirs.keys()
    return bool(shared) and all(ours[key] == theirs[key] for key in shared)
