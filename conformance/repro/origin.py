"""Where a finding comes from: a run record, or a run of a case and an implementation that is made for it."""

from __future__ import annotations

from dataclasses import replace

from conformance.errors import InputError
from conformance.known.record import Record
from conformance.plan import cases
from conformance.plan.filters import Filters
from conformance.pool.backend import Backend
from conformance.pool.pool import Pool
from conformance.record import record as records
from conformance.record.record import RunRecord
from conformance.run import asked as words
from conformance.run import kept
from conformance.run import run as runs


def origin(
    what: str | None,
    which: str,
    suite: cases.Suite,
    pool: Pool,
    backends: tuple[Backend, ...],
    options: runs.Options,
) -> tuple[RunRecord, cases.Suite, str]:
    """The record to choose from, the suite that it is about, and what is wanted of it.

    That of a file, or for a case and an implementation that of a run of both.
    """
    file = kept.named(what) if what is not None else kept.LAST
    if what is None or (file.is_file() and file.suffix not in cases.CASE_FILES):
        return records.read(file), suite, which
    suite = suite.only(what)
    known = [one for backend in backends for one in backend.implementations]
    if not which:
        raise InputError(
            "a case needs an implementation beside it", "`bce-conformance list implementations` shows them"
        )
    one = words.implementation(which, known)
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
