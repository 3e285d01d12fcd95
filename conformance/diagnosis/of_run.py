"""What a run record is identified with: the cases that it was made of, and the results of one implementation."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path

from conformance.diagnosis.identify import Identified, Models, elements_of, identify
from conformance.diagnosis.results import groups, reductions
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


def identified_in(record: RunRecord, suite: Suite, implementation: str, quantity: str, dtype: str) -> list[Identified]:
    """The models of one implementation, quantity and dtype, one for each dtype of results; a quarter of a second.

    Those of reductions with wrong results follow.
    An implementation has one source: of few results, as of labels in another dtype, only formulas survive that give the
    most results as well.
    """
    found = [
        identify(one, Models())
        for one in groups(record, suite, (quantity,), implementation=implementation, dtype=dtype)
    ]
    most = max(found, key=lambda one: sum(part.got.size for part in one.group.parts), default=None)
    names = {name for fit in most.survivors for name in fit.names} if most is not None else set()
    elements = [replace(one, survivors=tuple(fit for fit in one.survivors if names & {*fit.names})) for one in found]
    among = elements_of(*elements)
    several = reductions(record, suite, (quantity,), implementation=implementation, dtype=dtype)
    return [*elements, *(identify(one, Models(), among) for one in several if one.is_wrong)]
