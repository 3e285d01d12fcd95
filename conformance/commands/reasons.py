"""Why results of a few cases are wrong: what commands say below a verdict."""

from __future__ import annotations

from collections.abc import Sequence
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
) -> dict[tuple[str, str, str], str]:
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
    more = runs.observed(pool, backends, suite, replace(options, filters=filters))
    found = causes(done.record)
    said = sentences(more.record, found, suite)
    return {
        (one.example.implementation, one.example.dtype, one.example.quantity): f"{WORD}{said[one.cause]}"
        for one in found
        if one.example is not None and one.cause in said
    }
