"""`bce-conformance diagnose`: why the results of an implementation are wrong."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import click

from conformance.commands import Command
from conformance.commands.options import Asked, complete_implementations, complete_subjects, suite_options
from conformance.commands.output import console, show_lines
from conformance.commands.reasons import problems_of
from conformance.commands.stages import stages_of
from conformance.diagnosis.diagnosis import EVERYTHING, Only
from conformance.diagnosis.diagnosis import diagnose as diagnoses_of
from conformance.errors import InputError, did_you_mean
from conformance.ids import ImplementationId
from conformance.plan import cases
from conformance.plan.filters import Filters
from conformance.pool.backend import Backend
from conformance.quantities import AGREEMENT, NUMERIC
from conformance.record import record as records
from conformance.record.record import RunRecord
from conformance.render import diagnosis as render
from conformance.repro.finding import chosen
from conformance.run import asked as words
from conformance.run import kept
from conformance.run import run as runs


@dataclass(frozen=True, kw_only=True)
class _Wanted:
    """Implementations, and what of them is told: all, or one dtype and quantity, or a case or an element alone.

    Where it is `staged` the stages of their modes are called now; of a finding of agreement nothing else is told.
    """

    implementations: tuple[str, ...]
    staged: bool = False
    dtype: str = ""
    quantity: str = ""
    only: Only = EVERYTHING


@click.command(cls=Command)
@click.argument("what", metavar="[RUN | CASE | IMPLEMENTATION]", required=False, shell_complete=complete_subjects)
@click.argument("which", metavar="[FINDING | CASE | IMPLEMENTATION]", default="", shell_complete=complete_subjects)
@click.argument("whose", metavar="[IMPLEMENTATION]", default="", shell_complete=complete_implementations)
@click.option("--all", "every", is_flag=True, help="Name every formula that the results do not tell apart.")
@suite_options
def diagnose(what: str | None, which: str, whose: str, every: bool, asked: Asked) -> None:
    """Tell why results are wrong: the formula, the step to blame, where, who else, and a remedy.

    With RUN it is about a FINDING of that run (a cause, a check, or a check with `#` and an element), about a CASE on
    an IMPLEMENTATION in it, or about all of an IMPLEMENTATION.  Otherwise the implementation is run now; with a CASE
    only the results of that are told.  With --adapter and nothing else it is about every implementation of that file.

    Where a mode differs from the plain call, as in a finding of `agreement`, its stages are called, and it is told at
    which one the result changes and which of the two is nearer to exact.
    """
    suite = asked.suite()
    record, wanted = _record(what, which, whose, suite, asked)
    filters = asked.options.filters
    quantities = (wanted.quantity,) if wanted.quantity else filters.quantity
    dtypes = (wanted.dtype,) if wanted.dtype else filters.dtype
    out = console(render.WIDTH)
    for one in wanted.implementations:
        if wanted.quantity != AGREEMENT:
            found = diagnoses_of(record, suite, one, quantities, dtypes, wanted.only)
            if not found:
                click.echo(f"{one}: no number {f'of {wanted.only.case} ' if wanted.only.case else ''}is wrong")
            for page in render.pages(found, record, suite, wanted.only):
                render.render(page, out, every=every)
        if wanted.staged:
            narrowed = Filters(case=(wanted.only.case,), dtype=dtypes, quantity=filters.quantity)
            for line in stages_of(one, suite, replace(asked.options, filters=narrowed)):
                click.echo(line)
        show_lines(problems_of(record, one, quantities or NUMERIC, dtypes, wanted.only), render.WIDTH)


def _record(what: str | None, which: str, whose: str, suite: cases.Suite, asked: Asked) -> tuple[RunRecord, _Wanted]:
    """A run, and what is wanted of it."""
    file = kept.named(what) if what is not None else None
    if file is not None and file.is_file() and file.suffix not in cases.CASE_FILES:
        record = records.read(file)
        return record, _of_run(record, which, whose)
    if whose:
        raise InputError(f"there is no run {what!r}", "name a run first: diagnose RUN CASE IMPLEMENTATION")
    options = asked.options
    with runs.open_pool(options) as pool:
        backends = runs.discover(pool, options)
        wanted = _of_backends(what, which, suite, backends, options)
        narrowed = Filters(
            backend=tuple(sorted({ImplementationId.parse(one).backend for one in wanted.implementations})),
            implementation=wanted.implementations,
            dtype=options.filters.dtype,
            quantity=options.filters.quantity or NUMERIC,
        )
        return runs.observed(pool, backends, suite, replace(options, filters=narrowed)).record, wanted


def _of_run(record: RunRecord, which: str, whose: str) -> _Wanted:
    """An implementation of a run, a case on it, or one of the findings of the run.  Raises InputError."""
    if not which:
        raise InputError("which of the run?", "name a finding of it, or an implementation")
    known = tuple(dict.fromkeys(check.implementation for check in record.checks))
    if whose:
        ids = dict.fromkeys(check.case for check in record.checks)
        if which not in ids:
            raise InputError(f"the run has no case {which!r}", did_you_mean(which, list(ids)))
        named = _named(whose, known)
        if named is None:
            raise InputError(f"the run has no implementation {whose!r}", did_you_mean(whose, list(known)))
        return _Wanted(implementations=(named,), only=Only(which))
    named = _named(which, known)
    if named is not None:
        return _Wanted(implementations=(named,))
    check, finding = chosen(record, which)
    if check.quantity not in (*NUMERIC, AGREEMENT):
        raise InputError(
            f"{check.id} is about no number ({check.quantity})", "a formula is known of values and derivatives only"
        )
    return _Wanted(
        implementations=(check.implementation,),
        staged=check.quantity == AGREEMENT,
        dtype=check.dtype,
        quantity=check.quantity,
        only=Only(check.case, finding.element),
    )


def _named(name: str, known: Sequence[str]) -> str | None:
    """An implementation of a run by its id, or the first of its entry."""
    return next((one for one in known if name in (one, ImplementationId.parse(one).family)), None)


def _of_backends(
    what: str | None, which: str, suite: cases.Suite, backends: tuple[Backend, ...], options: runs.Options
) -> _Wanted:
    """An implementation that is installed, or all of an adapter file.  Raises InputError."""
    if what is None:
        files = {str(one) for one in options.adapters}
        own = tuple(one.id for backend in backends if backend.source in files for one in backend.implementations)
        if not own:
            raise InputError("diagnose what?", "name an implementation, a run and a finding of it, or --adapter FILE")
        return _Wanted(implementations=own)
    known = [one for backend in backends for one in backend.implementations]
    one = words.implementation(which or what, known)
    only = Only(suite.find(what).case.id) if which else EVERYTHING
    return _Wanted(implementations=(one.id,), staged=bool(which), only=only)
