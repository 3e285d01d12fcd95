"""What changed from one run to another in what an implementation evaluates: its formula, or the arithmetic of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import NamedTuple

from conformance.diagnosis.identify import ALLOWED, Fit, Identified, Models, alike
from conformance.diagnosis.of_run import identified_of, suite_of
from conformance.diagnosis.results import Group
from conformance.plan.cases import Suite
from conformance.quantities import NUMERIC
from conformance.record.record import RunRecord

FORMULA, ARITHMETIC = "formula", "arithmetic"


class Results(NamedTuple):
    """Results of an implementation that a model is of."""

    implementation: str
    quantity: str
    dtype: str


@dataclass(frozen=True, kw_only=True)
class ModelChange:
    """Another model of an implementation and quantity in some dtypes; `what` changed, from `old` to `new`."""

    implementation: str
    quantity: str
    what: str
    old: str
    new: str
    dtypes: tuple[str, ...]

    @property
    def sentence(self) -> str:
        """In words."""
        return f"the {self.what} changed: {self.old} → {self.new}"


def model_changes(old: RunRecord, new: RunRecord, results: Iterable[Results]) -> list[ModelChange]:
    """The changes of models of `results`, of several dtypes together.

    Nothing is said where a side is unidentified, or where a model survives on both.  Two seconds for each
    implementation and quantity.
    """
    found: dict[tuple[str, ...], ModelChange] = {}
    for one in _changes(old, new, results):
        key = one.implementation, one.quantity, one.what, one.old, one.new
        known = found.get(key)
        found[key] = one if known is None else replace(known, dtypes=known.dtypes + one.dtypes)
    return list(found.values())


def _changes(old: RunRecord, new: RunRecord, results: Iterable[Results]) -> Iterator[ModelChange]:
    asked = [one for one in dict.fromkeys(results) if one.quantity in NUMERIC]
    suites = (suite_of(old), suite_of(new)) if asked else (None, None)
    if suites[0] is None or suites[1] is None:
        return
    known: dict[tuple[str, str], tuple[tuple[Identified, ...], tuple[Identified, ...]]] = {}
    for one in asked:
        key = one.implementation, one.quantity
        if key not in known:
            known[key] = (
                identified_of(old, suites[0], one.implementation, (one.quantity,)),
                identified_of(new, suites[1], one.implementation, (one.quantity,)),
            )
        before, after = (
            {each.group.result_dtype: each for each in side if each.group.dtype == one.dtype and not each.group.reduced}
            for side in known[key]
        )
        for dtype in before.keys() & after.keys():
            change = changed(before[dtype], after[dtype])
            if change is not None:
                what, was, now = change
                yield ModelChange(
                    implementation=one.implementation,
                    quantity=one.quantity,
                    what=what,
                    old=was,
                    new=now,
                    dtypes=(one.dtype,),
                )


def in_one_run(record: RunRecord, suite: Suite, old: str, new: str, quantity: str, dtype: str) -> str:
    """What changed from one implementation of a run to another, in words; "" where nothing did, or nobody knows."""
    before, after = (
        {
            each.group.result_dtype: each
            for each in identified_of(record, suite, one, (quantity,))
            if each.group.dtype == dtype and not each.group.reduced
        }
        for one in (old, new)
    )
    found = filter(None, (changed(before[one], after[one]) for one in before.keys() & after.keys()))
    return next((f"the {what} changed: {was} → {now}" for what, was, now in found), "")


def changed(old: Identified, new: Identified) -> tuple[str, str, str] | None:
    """What changed, from what to what; None where nothing did, or nobody knows.

    On another processor the same code gives other last bits, and may look like another formula.  So both sides are told
    bit for bit but for what ALLOWED allows for, or no model of either side has the results of the other in its reach.
    """
    pairs = [(was, now) for was in old.survivors for now in new.survivors]
    same = [(was, now) for was, now in pairs if set(was.names) & set(now.names)]
    if not pairs or any(was.arithmetic == now.arithmetic for was, now in same):
        return None
    was, now = min(same or pairs, key=lambda pair: _rules_apart(_names(*pair)))
    if not (_bit_for_bit(was) and _bit_for_bit(now)) and (_explains(old, new.group) or _explains(new, old.group)):
        return None
    if same:
        return ARITHMETIC, was.arithmetic.name, now.arithmetic.name
    return FORMULA, *_names(was, now)


def _names(was: Fit, now: Fit) -> tuple[str, str]:
    """The plainest names of two models, by one framework's rules of derivatives where both have a name by them."""
    return min(((old, new) for old in was.names for new in now.names), key=_rules_apart)


def _rules_apart(names: tuple[str, str]) -> bool:
    """Whether two names are by other rules (`catalogue.candidates`): a framework that changes a formula keeps them."""
    old, new = (name.partition(", by ")[2] for name in names)
    return old != new


def _bit_for_bit(fit: Fit) -> bool:
    return fit.equal >= (1 - ALLOWED) * fit.total


def _explains(side: Identified, results: Group) -> bool:
    """Whether a model that survives has `results` in its reach, however many of them are its emulation."""
    models = Models()
    return any(alike(results, replace(fit, equal=0), models) for fit in side.survivors)
