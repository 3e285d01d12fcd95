"""What a run record is identified with: the cases that it was made of, and the results of one implementation."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path

from conformance.diagnosis.identify import Identified, Models, elements_of, identify
from conformance.diagnosis.results import Group, groups, reductions
from conformance.errors import InputError
from conformance.plan.cases import Suite, default_folder, load_suite
from conformance.record.record import RunRecord


def suite_of(record: RunRecord) -> Suite | None:
    """The cases that a run was made of, as they are now; None where they are no longer there."""
    return _suite(record.header.asked.cases)


@cache
def _suite(folder: str | None) -> Suite | None:
    try:
        return load_suite(default_folder() if folder is None else Path(folder).expanduser())
    except InputError:
        return None


def identified_of(
    record: RunRecord, suite: Suite, implementation: str, quantities: Iterable[str]
) -> tuple[Identified, ...]:
    """The models of an implementation, one for each quantity, dtype and dtype of results; a second for a quantity.

    Those of reductions with wrong results follow.  What is right has a formula as well, which another run may not have.
    """
    quantities = tuple(quantities)
    models = Models()
    several = [one for one in reductions(record, suite, quantities, implementation=implementation) if one.is_wrong]
    asked = {(one.quantity, one.dtype) for one in several}
    elements = agreed(
        [identify(one, models) for one in groups(record, suite, quantities, implementation=implementation)]
    )
    among = {place: elements_of(*(one for one in elements if _place(one.group) == place)) for place in asked}
    return (*elements, *(identify(one, models, among[_place(one)]) for one in several))


def _place(group: Group) -> tuple[str, str]:
    return group.quantity, group.dtype


def agreed(found: Sequence[Identified]) -> list[Identified]:
    """What is known of the groups of one implementation, taken together: it has one source.

    A formula stays in a group if it survives in the largest group of the same quantity and dtype of inputs, too, and
    if no other one survives where more results of the quantity are.  For of few results, as of labels in another dtype,
    many formulas survive; and in one dtype two formulas can be the same, max((1 - p)*p, 1e-12) and (1 - p)*p where
    1e-12 is 0.
    """
    votes = Counter[tuple[str, str]]()
    largest: dict[tuple[str, str], Identified] = {}
    for one in found:
        quantity, size = one.group.quantity, _size(one)
        votes.update({(quantity, name): size for name in _names(one)})
        known = largest.setdefault((quantity, one.group.dtype), one)
        if size > _size(known):
            largest[quantity, one.group.dtype] = one
    return [
        _of_most(
            one,
            {name: votes[one.group.quantity, name] for name in _names(largest[one.group.quantity, one.group.dtype])},
        )
        for one in found
    ]


def _size(one: Identified) -> int:
    return sum(part.got.size for part in one.group.parts)


def _names(one: Identified) -> set[str]:
    return {name for fit in one.survivors for name in fit.names}


def _of_most(one: Identified, votes: dict[str, int]) -> Identified:
    """The survivors of a group that have the most votes, if any has one."""
    of = [max(votes.get(name, 0) for name in fit.names) for fit in one.survivors]
    most = max(of, default=0)
    kept = [fit for fit, count in zip(one.survivors, of, strict=True) if count == most > 0]
    return replace(one, survivors=tuple(kept))
