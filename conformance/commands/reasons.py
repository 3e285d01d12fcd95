"""Why results of a few cases are wrong, and which problem it is: what commands say below a verdict."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from functools import cache

import msgspec

from conformance.diagnosis.diagnosis import Only
from conformance.diagnosis.why import WORD, sentences
from conformance.ids import ImplementationId, backend_of
from conformance.known.explained import Explainer
from conformance.known.record import Place as Recorded
from conformance.known.record import default_place, load
from conformance.plan.cases import Case, Suite
from conformance.plan.filters import QUICK_FAMILIES, Filters, matches
from conformance.pool.backend import Backend
from conformance.pool.pool import Pool
from conformance.quantities import NUMERIC
from conformance.record.record import CheckLine, RunRecord
from conformance.record.summary import causes
from conformance.render.elements import Place, Reason, known_line
from conformance.run import run as runs

#: Elements of one case by which a formula is told from others: as many as a combined call of the suite's own cases.
ENOUGH = 4096


def reasons(
    pool: Pool, backends: Sequence[Backend], done: runs.Run, suite: Suite, options: runs.Options
) -> dict[Place, Reason]:
    """Why results of `done` are wrong and the known problems behind them; nothing where neither is known."""
    why = _why(pool, backends, done, suite, options)
    known = problems(done.record.checks)
    return {place: Reason(why.get(place, ""), known.get(place, ())) for place in why | known}


def problems(checks: Iterable[CheckLine], element: str = "") -> dict[Place, tuple[str, ...]]:
    """A line for each known problem that explains findings, of one `element` or of all; nothing where none does."""
    wrong = [check for check in checks if check.findings]
    if not wrong:
        return {}
    explainer = _explainer(default_place())
    found: dict[Place, tuple[str, ...]] = {}
    for check in wrong:
        mode = ImplementationId.parse(check.implementation).mode
        causes_of = dict.fromkeys(one.cause for one in check.findings if element in ("", one.element))
        named = (explainer.of(cause, check.case, check.dtype, mode) for cause in causes_of)
        place = check.implementation, check.dtype, check.quantity
        lines = (*found.get(place, ()), *(known_line(one) for one in named if one is not None))
        if lines:
            found[place] = tuple(dict.fromkeys(lines))
    return found


@cache
def _explainer(place: Recorded) -> Explainer:
    record = load((place,))
    return Explainer(record.rows, record.problems)


def problems_of(
    record: RunRecord, implementation: str, quantities: Sequence[str], dtypes: Sequence[str], only: Only
) -> list[str]:
    """A line for each known problem that explains some results of an implementation, of `only` what was asked for."""
    told = [
        check
        for check in record.checks
        if check.implementation == implementation
        and matches(quantities, check.quantity)
        and matches(dtypes, check.dtype)
        and only.case in ("", check.case)
    ]
    return list(dict.fromkeys(line for lines in problems(told, only.element).values() for line in lines))


def _fewer(suite: Suite, examples: Collection[str]) -> Suite:
    """A suite in which of a case with more elements than tell a formula `examples` and as many as do are left."""
    return replace(suite, cases=tuple(replace(one, case=_cut(one.case, examples)) for one in suite.cases))


def _cut(case: Case, examples: Collection[str]) -> Case:
    if len(case.elements) <= ENOUGH or case.present or case.reduction != "none":
        return case
    step = -(-len(case.elements) // ENOUGH)
    kept = [one for index, one in enumerate(case.elements) if index % step == 0 or one.id in examples]
    return msgspec.structs.replace(case, elements=tuple(kept))


def _why(
    pool: Pool, backends: Sequence[Backend], done: runs.Run, suite: Suite, options: runs.Options
) -> dict[Place, str]:
    """Why numbers of `done` are wrong, by implementation, dtype and quantity; nothing where that is not known.

    A few results are given by many formulas, so those that deviate are called once more, with the cases of `suite`
    that a quick run has, too; it must have the cases of `done` as well.
    """
    wrong = [check for check in done.record.checks if check.quantity in NUMERIC and check.verdict == "deviates"]
    if not wrong:
        return {}
    names = tuple(dict.fromkeys(check.implementation for check in wrong))
    filters = Filters(
        backend=tuple(dict.fromkeys(map(backend_of, names))),
        implementation=names,
        case=(*QUICK_FAMILIES, *dict.fromkeys(check.case for check in wrong)),
        dtype=tuple(dict.fromkeys(check.dtype for check in wrong)),
        quantity=tuple(dict.fromkeys(check.quantity for check in wrong)),
    )
    found = causes(done.record)
    suite = _fewer(suite, {one.example.element for one in found if one.example is not None})
    more = runs.observed(pool, backends, suite, replace(options, filters=filters))
    said = sentences(more.record, found, suite)
    return {
        (one.example.implementation, one.example.dtype, one.example.quantity): f"{WORD}{said[one.cause]}"
        for one in found
        if one.example is not None and one.cause in said
    }
