"""`bce-conformance environments`: the same plan under several settings of the workers' environment."""

from __future__ import annotations

import sys

import click

from conformance.commands import Command
from conformance.commands.options import Asked, suite_options
from conformance.commands.output import console
from conformance.errors import Exit
from conformance.known.record import default_place, load
from conformance.render import settings as render
from conformance.render import text
from conformance.run import run as runs
from conformance.run import settings


@click.command(cls=Command)
@suite_options
@click.option(
    "--format", "form", type=click.Choice(["text", "json", "markdown"]), default="text", show_default=True,
    help="Form of the output.",
)  # fmt: skip
def environments(form: str, asked: Asked) -> None:
    """Run the same checks under each setting of the environment that a backend declares, and compare.

    A setting is a choice of instruction set, threads or library that should change no result.  Exit code 0 unless a
    check has a new deviation that it has not under the default setting, the first of each backend.
    """
    suite, options = asked.suite(), asked.options
    with runs.open_pool(options) as pool:
        backends = runs.discover(pool, options)
    chosen, plan = settings.chosen(backends, suite, options)
    known = load((default_place(),))
    records = settings.run(chosen, plan, known, options, lambda line: click.echo(line, err=True))
    rows = list(settings.rows(chosen, records))
    if form == "text":
        render.text(rows, console(text.WIDTH))
    else:
        click.echo(render.as_json(rows) if form == "json" else render.markdown(rows))
    if any(one.footer is None for one in records.values()):
        sys.exit(130)
    failed = any(one.footer is not None and one.footer.exit == Exit.HARNESS_FAILED for one in records.values())
    new = any(row.new for row in rows)
    sys.exit(int(Exit.HARNESS_FAILED if failed else Exit.NOT_AS_EXPECTED if new else Exit.AS_EXPECTED))
