"""`bce-conformance lint` and `bce-conformance schema`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from conformance import cases, deviations, record
from conformance import run as runs
from conformance.errors import Exit
from conformance.plan import make_plan

SCHEMAS = {"cases": cases.json_schema, "deviations": deviations.json_schema, "record": record.schema}


@click.command()
@click.option("--cases", "cases_folder", type=click.Path(path_type=Path), help="Folder of case files.")
@click.option("--deviations", "folder", type=click.Path(path_type=Path), help="Folder or file of deviations.")
@click.pass_context
def lint(context: click.Context, cases_folder: Path | None, folder: Path | None) -> None:
    """Check case files and deviation files, and that every deviation's selectors match planned checks."""
    suite = cases.load_suite(cases_folder or cases.default_folder())
    elements = sum(len(located.case.elements) for located in suite.cases)
    click.echo(f"{suite.folder}: {len(suite.cases)} cases, {elements} elements, {len(suite.flags)} flags")
    known = deviations.load((folder or deviations.default_folder(),))
    with runs.open_pool(runs.Options()) as pool:
        backends = pool.discover()
    plan = make_plan(suite, [one for backend in backends for one in backend.implementations])
    problems = list(deviations.unmatched(known, plan))
    for problem in problems:
        click.echo(f"{known.folder}: {problem}", err=True)
    click.echo(f"{known.folder}: {len(known.deviations)} deviations, {len(problems)} selectors that match nothing")
    context.exit(int(Exit.BAD_INPUT if problems else Exit.AS_EXPECTED))


@click.command()
@click.argument("what", type=click.Choice(list(SCHEMAS)))
def schema(what: str) -> None:
    """Print the JSON Schema of case files, deviation files or the lines of a run record."""
    click.echo(schema_text(what), nl=False)


def schema_text(what: str) -> str:
    """The schema as it is published in docs/schema/."""
    found: dict[str, Any] = SCHEMAS[what]()
    return json.dumps(found, indent=2, sort_keys=True) + "\n"
