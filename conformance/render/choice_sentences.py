"""What each entry point does to what was asked for, in a sentence: from the run, and from proofs."""

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

#: How what is said begins, by quantity.
SUBJECTS = {VALUE: "returns", GRADIENT_PREDICTION: "gradient", ACCEPTANCE: "call"}


class Lost(NamedTuple):
    """From which logit on a proof found 0 and not the exact number, which is more than a subnormal one."""

    prediction: float
    label: float
    owed: float

    @property
    def where(self) -> str:
        """As in "0 below z = -4.16 at label 0"."""
        way = "below" if self.prediction < 0 else "above"
        return f"0 {way} z = {self.prediction:.3g} at label {self.label:.3g}"

    @property
    def text(self) -> str:
        """As in "0 below z = -4.16 at label 0, not 0.0155"."""
        return f"{self.where}, not {self.owed:.3g}"


def sentence(row: Row) -> str:
    """What most is to be said of an entry point: what harms its losses most, its gradients, and the rest."""
    parts = [*_asides(row)]
    if any(answer.form for answer in row.answers):
        return "; ".join(parts)  # what it does with other predictions than those that there are
    lost = _lost(row)
    before = ""
    worsts = examples(row)
    every = bool(worsts) and all(one.documented for one in worsts)  # said once, at the end
    for worst in worsts:
        quantity = worst.check.quantity
        small = worst.harm is Harm.DRIFTS
        if small and quantity == GRADIENT_PREDICTION:
            where = lost[quantity].where if quantity in lost else f"lost {_where(worst)}"
            parts.append(f"gradient right but where small ({where})")
            continue
        if worst.verdict == "rejects" and quantity != ACCEPTANCE:
            parts.append(f"raises {_where(worst)}")
            continue
        told = lost[quantity].text if small and quantity in lost else _example(worst)
        place = f" {_where(worst)}"
        told, before = told.replace(place, " there") if place == before else told, place
        excuse = ", as documented" if worst.documented and not every else ""
        parts.append(f"{SUBJECTS.get(quantity, quantity)} {told}{excuse}")
    if not worsts and row.usable:
        parts.append(f"right on all {row.inputs} inputs asked for" if row.inputs else "does all that is needed")
    return "; ".join(parts) + (", as documented" if every else "")


def examples(row: Row) -> list[Element]:
    """What harms most, for each quantity: the elements that the sentence tells of."""
    harmful = [one for answer in row.answers for one in answer.wrong if (one.harm or Harm.REFUSES) > Harm.LAST_DIGITS]
    quantities = dict.fromkeys(one.check.quantity for one in harmful)
    return [max((one for one in harmful if one.check.quantity == name), key=_plainest) for name in quantities]


def _asides(row: Row) -> Iterator[str]:
    """What is said of a row besides its numbers."""
    for answer in row.answers:
        yield from _aside(answer)
        if answer.autocast is not None and (answer.autocast.computes or answer.autocast.raises):
            yield f"autocast: {answer.autocast.word}"


def _aside(answer: Answer) -> Iterator[str]:
    """What is said about a need besides the numbers."""
    if answer.form:
        yield f"takes {answer.form}"
    elif answer.unanswered:
        yield f"refuses {answer.unanswered} of {answer.grade.elements} inputs of {answer.need.name}"
    elif not answer.grade.elements:
        yield f"{answer.need.name}: {'not offered' if answer.tried else 'not measured'}"
    elif answer.lacking:
        yield f"{answer.need.name}: not measured on {', '.join(sorted(answer.lacking))}"


def _example(one: Element) -> str:
    """What came back at one input, and what should have."""
    due = one.line.ideal.get(one.check.quantity, ())
    if one.at is not None and one.check.quantity in NUMERIC and one.check.bits and len(due) == len(one.check.elements):
        got = float(decode_hexadecimal([one.check.bits[one.at]], one.check.result_dtype)[0])
        owed = float.fromhex(due[one.at])
        return f"{', not '.join(_apart(got, owed))} {_where(one)}"
    if one.check.quantity == ACCEPTANCE:
        return f"{'raises' if one.verdict == 'rejects' else 'does not raise'} {_where(one)}"
    return f"{one.verdict} in {one.check.case}"


def _where(one: Element) -> str:
    """At which prediction and label, or in which case of a mean or sum."""
    reduced = one.line.reduction != "none"
    return f"in the {one.line.reduction} of {one.check.case}" if reduced else f"at {_at(one)}"


def _at(one: Element) -> str:
    prediction, label = _inputs(one)
    return f"{PREDICTION[one.line.form]}={prediction:.3g}, y={label:.3g}"


def _apart(got: float, owed: float) -> tuple[str, str]:
    """Two numbers with three digits, or as many more as tell them apart."""
    told = ((f"{got + 0.0:.{digits}g}", f"{owed + 0.0:.{digits}g}") for digits in range(3, 17))
    return next((pair for pair in told if pair[0] != pair[1]), (str(got), str(owed)))


def _plainest(one: Element) -> tuple[Harm, bool, bool, bool, float, float]:
    """The worst comes last: by harm; where little is lost, by how much of it; else what is least far from even odds."""
    prediction, _ = _inputs(one)
    off = abs(prediction) if one.line.form == "logits" else abs(prediction - 0.5)
    harm = one.harm or Harm.REFUSES
    alone = one.line.reduction == "none"
    return (
        harm,
        alone,
        one.at is not None,
        one.check.quantity in NUMERIC,
        one.error if harm <= Harm.DRIFTS else 0.0,
        -off,
    )


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
        if one.backend != backend or one.dtype not in row.dtypes or one.quantity not in (VALUE, GRADIENT_PREDICTION):
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
        owed = (
            loss(one.form, [prediction], [label])[0] if one.quantity == VALUE else (1 - 2 * label) * small / (1 + small)
        )
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
