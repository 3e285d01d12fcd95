"""`bce-conformance list cases|implementations|checks`."""

from __future__ import annotations

from typing import Any

import click

from conformance import run as runs
from conformance.options import options_from, suite_from, suite_options


@click.command("list")
@click.argument("what", type=click.Choice(["cases", "implementations", "checks", "flags"]))
@suite_options
def list_(what: str, **arguments: Any) -> None:
    """List what the filters leave: cases, implementations, checks or flags.  No framework is imported."""
    suite = suite_from(arguments)
    options = options_from(arguments)
    if what == "flags":
        for name, flag in suite.flags.items():
            click.echo(f"{name}\t{flag.meaning}")
        return
    if what == "cases":
        for located in suite.cases:
            if options.filters.takes_case(located):
                case = located.case
                click.echo(f"{case.id}\t{located.family}\t{case.form}\t{len(case.elements)} elements\t{case.why}")
        return
    with runs.open_pool(options) as pool:
        plan = runs.planned(runs.discover(pool, options), suite, options)
    if what == "implementations":
        for one in plan.implementations:
            contract = ", ".join(field.name for field in one.contract) or "no contract"
            click.echo(f"{one.id}\t{one.form}\t{contract}\t{one.link}")
        return
    for check in plan.check_ids():
        click.echo(check)
