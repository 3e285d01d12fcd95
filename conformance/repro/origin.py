"""Where a finding comes from: a run record, or a run of a case and an implementation that is made for it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from conformance.errors import InputError
from conformance.known.record import Record
from conformance.plan import cases
from conformance.plan.filters import Filters
from conformance.pool.backend import Backend
from conformance.pool.pool import Pool
from conformance.record import record as records
from conformance.record.record import RunRecord
from conformance.repro import groups
from conformance.run import asked as words
from conformance.run import kept
from conformance.run import run as runs
from conformance.shipped import shipped


def origin(
    what: str | None,
    which: str,
    suite: cases.Suite,
    pool: Pool,
    backends: tuple[Backend, ...],
    options: runs.Options,
    known: Record,
) -> tuple[RunRecord, cases.Suite, str]:
    """The record to choose from, the suite that it is about, and what is wanted of it.

    That of a file; for a problem alone the last run or, where that does not show it, the one that ships; for a case and
    an implementation that of a run of both.
    """
    if what in known.problems and not which and not Path(what).exists():
        return _showing(what, known), suite, what
    file = kept.named(what) if what is not None else kept.LAST
    if what is None or (file.is_file() and file.suffix not in cases.CASE_FILES):
        return records.read(file), suite, which
    suite = suite.only(what)
    declared = [one for backend in backends for one in backend.implementations]
    if not which:
        raise InputError(
            "a case needs an implementation beside it", "`bce-conformance list implementations` shows them"
        )
    one = words.implementation(which, declared)
    filters = Filters(
        backend=(one.adapter,),
        implementation=(one.id,),
        case=tuple(each.case.id for each in suite.cases),
        dtype=options.filters.dtype,
        quantity=options.filters.quantity,
    )
    narrowed = replace(options, filters=filters)
    plan = runs.planned(backends, suite, narrowed)
    done = runs.execute(pool, backends, plan, Record(), narrowed)
    return done.record, suite, ""


def _showing(problem: str, known: Record) -> RunRecord:
    """The first run with a finding of a problem, or the one that ships."""
    if kept.LAST.is_file():
        last = records.read(kept.LAST)
        if any(one.problem == problem for one in groups.explained(last, known)):
            return last
    return records.read(shipped("results/pinned.jsonl.gz"))
