"""Why results of a few cases are wrong: what commands say below a table of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from conformance.diagnosis.why import WORD, sentences
from conformance.ids import backend_of
from conformance.plan.cases import Suite
from conformance.plan.filters import QUICK_FAMILIES, Filters
from conformance.pool.backend import Backend
from conformance.pool.pool import Pool
from conformance.quantities import NUMERIC
from conformance.record.summary import causes
from conformance.run import run as runs


def reasons(
    pool: Pool, backends: Sequence[Backend], done: runs.Run, suite: Suite, options: runs.Options
) -> Iterator[str]:
    """A line for each reason why numbers of `done` are wrong, and one for each implementation that it is the reason of.

    A few results are given by many formulas, so those that deviate are called once more, with the cases of `suite`
    that a quick run has, too; it must have the cases of `done` as well.
    """
    wrong = [check for check in done.record.checks if check.quantity in NUMERIC and check.verdict == "deviates"]
    if not wrong:
        return
    names = tuple(dict.fromkeys(check.implementation for check in wrong))
    filters = Filters(
        backend=tuple(dict.fromkeys(map(backend_of, names))),
        implementation=names,
        case=(*QUICK_FAMILIES, *dict.fromkeys(check.case for check in wrong)),
        dtype=tuple(dict.fromkeys(check.dtype for check in wrong)),
        quantity=tuple(dict.fromkeys(check.quantity for check in wrong)),
    )
    more = runs.observed(pool, backends, suite, replace(options, filters=filters))
    found: dict[str, list[str]] = {}
    told = [one for one in causes(done.record) if one.example is not None]
    said = sentences(more.record, told, suite)
    for one in told:
        if one.example is not None and one.cause in said:
            shown = one.example
            found.setdefault(said[one.cause], []).append(f"{shown.implementation} {shown.dtype} {shown.quantity}")
    for sentence, places in found.items():
        yield f"{WORD}{sentence}"
        yield from (f"    {place}" for place in places)
