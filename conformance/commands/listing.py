"""`bce-conformance list cases|implementations|checks|flags|formulas`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import get_args

import click

from conformance.adapters.declaration import Declaration
from conformance.commands import Command
from conformance.commands.options import Asked, Named, suite_options
from conformance.errors import InputError
from conformance.formulas import catalogue
from conformance.formulas.catalogue import LOSSES
from conformance.formulas.text import written
from conformance.plan.cases import Form, Suite
from conformance.plan.filters import Filters, matches
from conformance.pool.backend import Backend, Opened, opened
from conformance.pool.pool import Pool
from conformance.render.narrate import counted
from conformance.run import run as runs
from conformance.run.run import Options


@click.command("list", cls=Command)
@click.argument("what", type=Named(["backends", "cases", "implementations", "checks", "flags", "formulas"]))
@click.option("--form", type=Named(get_args(Form)), help="Of formulas: those of this prediction.")
@suite_options
def list_(what: str, form: str | None, asked: Asked) -> None:
    """List what the filters leave: cases, implementations, checks, flags, formulas or backends.

    Of a backend its versions are told, or why it is absent and what to install; its framework is imported for that,
    and for nothing else.
    A formula is one that results are held against to find out how they were computed (`diagnose`): its name, what the
    prediction is, the formula with what its names stand for, and where it is from.
    """
    if form is not None and what != "formulas":
        raise InputError(f"--form chooses formulas (got {what})", "`--implementation` and `--case` choose the others")
    if what == "formulas":
        for line in _formulas(form):
            click.echo(line)
        return
    suite, options = asked.suite(), asked.options
    if what == "flags":
        for name, flag in suite.flags.items():
            click.echo(f"{name}\t{flag.meaning}")
        return
    if what == "cases":
        for located in suite.cases:
            if options.filters.takes_case(located):
                case = located.case
                click.echo(
                    f"{case.id}\t{located.family}\t{case.form}\t{counted(len(case.elements), 'element')}\t{case.why}"
                )
        return
    with runs.open_pool(options) as pool:
        backends = runs.discover(pool, options)
        if what == "backends":
            chosen = [one for one in backends if matches(options.filters.backend, one.name)]
            for line in _backends(pool, chosen, options):
                click.echo(line)
            return
    if what == "implementations":
        for one in _implementations(backends, suite, options.filters):
            contract = ", ".join(field.name for field in one.contract) or "no contract"
            click.echo(f"{one.id}\t{one.form}\t{contract}\t{one.link}")
        return
    for check in runs.filtered(backends, suite, options).check_ids():
        click.echo(check)


def _backends(pool: Pool, backends: Sequence[Backend], options: Options) -> Iterator[str]:
    """A line for each backend: its versions, or why there are none and the command that installs it."""
    with ThreadPoolExecutor(max_workers=pool.jobs) as threads:
        for backend, found in zip(backends, threads.map(partial(_opened, pool), backends), strict=True):
            if found.absent or found.failed:
                state = f"absent: {found.absent}" if found.absent else f"failed: {found.failed}"
                yield "\t".join(filter(None, (backend.name, state, options.install(backend.name))))
            else:
                versions = " ".join(f"{package} {version}" for package, version in found.versions.items())
                yield f"{backend.name}\t{versions}"


def _opened(pool: Pool, backend: Backend) -> Opened:
    with pool.worker(backend.interpreter, backend.source) as worker:
        return opened(worker, backend)


def _formulas(form: str | None) -> Iterator[str]:
    """The losses of the catalogue without a weight or a parameter, where a focal one has gamma 0."""
    for loss in LOSSES:
        expression = loss.build(catalogue.Options().given(loss.form))
        if form in (None, loss.form) and expression is not None:
            text = "; ".join(str(written(expression)).splitlines())
            yield f"{loss.name}\t{loss.form}\t{text}\t{loss.source}"


def _implementations(backends: Sequence[Backend], suite: Suite, filters: Filters) -> list[Declaration]:
    """Those that the filters leave, of a form and with a dtype that they leave of the cases; nothing is planned."""
    forms = {located.case.form for located in suite.cases if filters.takes_case(located)}
    found = [
        one
        for backend in backends
        for one in backend.implementations
        if filters.takes_implementation(one)
        and one.form in forms
        and any(matches(filters.dtype, dtype) for dtype in one.dtypes)
    ]
    if not found:
        raise InputError(
            "the filters leave no implementation", "`bce-conformance list implementations --mode '*'` shows all"
        )
    return found
