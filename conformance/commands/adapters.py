"""`bce-conformance adapters check FILE.py`: the acceptance test of a third party's adapter."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import click

from conformance.commands import Group
from conformance.commands.options import Asked, suite_options
from conformance.errors import Exit, InputError
from conformance.judge.verdicts import Judged
from conformance.known.record import Record
from conformance.own_loss import hints
from conformance.quantities import PROBE
from conformance.render.narrate import counted
from conformance.run import asked as words
from conformance.run import run as runs

#: What an adapter must get right before its numbers mean anything.
OWED = {"result-shape", "raised", "unsupported", "crashed", "timed-out", "changed", "field"}


@click.group(cls=Group)
def adapters() -> None:
    """Work with adapter files."""


@adapters.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@suite_options
@click.pass_context
def check(context: click.Context, /, file: Path, asked: Asked) -> None:
    """Check an adapter file: it loads, answers in every dtype it declares, and its contract is true.

    Exit code 1 where something of that fails.  Inaccurate results do not fail it: they are what a run reports.
    """
    if not file.is_file():
        raise InputError(f"{file}: no such file")
    suite = asked.suite()
    options = replace(asked.options, adapters=(*words.adapter_files([file]), *asked.options.adapters))
    with runs.open_pool(options) as pool:
        backends = [backend for backend in pool.discover(options.adapters) if backend.source == str(file)]
        names = tuple(backend.name for backend in backends)
        options = replace(options, filters=replace(options.filters, backend=names))
        plan = runs.planned(backends, suite, options)
        done = runs.execute(pool, backends, plan, Record(), options)
    problems = 0
    for one in plan.implementations:
        checks = [judged for judged in done.checks if judged.request.implementation.id == one.id]
        counts = Counter(judged.verdict for judged in checks)
        click.echo(
            f"{one.id}: {counted(len(checks), 'check')}, "
            + ", ".join(f"{n} {verdict}" for verdict, n in counts.items())
        )
        for line in _problems(checks):
            click.echo(f"    problem: {line}")
            problems += 1
    click.echo(f"{file.name}: {'accepted' if not problems else counted(problems, 'problem')}")
    context.exit(int(Exit.NOT_AS_EXPECTED if problems else Exit.AS_EXPECTED))


def _problems(checks: list[Judged]) -> list[str]:
    if not checks:
        return ["no check is planned: no case has its form, dtypes and reductions"]
    lines: dict[str, str] = {}
    if another := hints.another_loss(checks):
        lines["another loss"] = f"at most inputs it is no binary cross-entropy: {another}"
    for judged in checks:
        if judged.request.case.dtypes_of or any(one.others for one in judged.request.presentations):
            continue  # what it does with labels of another dtype or shape is for a run to tell
        for finding in judged.findings:
            if finding.what in OWED or (judged.quantity == PROBE and finding.verdict == "deviates"):
                about = f"contract field {judged.request.case.probe}" if judged.quantity == PROBE else finding.what
                lines.setdefault(
                    f"{about} in {judged.request.dtype}",
                    f"{about} in {judged.request.dtype}: {judged.request.case.id}#{finding.element} {finding.detail}",
                )
                if hint := hints.of_shape(finding.detail):
                    lines["hint"] = hint
    return list(lines.values())
