"""`bce-conformance lint` and `bce-conformance schema`."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from conformance import yamlfile
from conformance.commands import Command
from conformance.diagnosis.vocabulary import Mechanism
from conformance.errors import Exit, InputError, at
from conformance.known import problem
from conformance.known.problem import Problem
from conformance.known.record import Record, default_place, load, mistakes, place, unmatched
from conformance.plan import cases
from conformance.plan.plan import make_plan
from conformance.record import record
from conformance.render.characters import clean
from conformance.render.narrate import counted
from conformance.run import run as runs
from conformance.sweep import certificate

SCHEMAS = {
    "cases": cases.json_schema,
    "certificates": certificate.schema,
    "problems": problem.json_schema,
    "record": record.schema,
}


@click.command(cls=Command)
@click.argument("files", nargs=-1, metavar="[FILE]...", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--cases", "cases_folder", type=click.Path(path_type=Path), help="Folder of case files.")
@click.option(
    "--known", "folder", type=click.Path(path_type=Path), help="A record of your own, in place of the shipped one."
)
@click.pass_context
def lint(context: click.Context, files: tuple[Path, ...], cases_folder: Path | None, folder: Path | None) -> None:
    """Check cases, problems and what is recorded, and that they fit each other and what is planned.

    With FILEs (case files, problems, flags.yaml) only those are checked, each by itself: the first mistake of
    each is told, and no framework is asked.
    """
    if files:
        context.exit(int(_lint_files(files, cases_folder)))
    suite = cases.load_suite(cases_folder or cases.default_folder())
    elements = sum(len(located.case.elements) for located in suite.cases)
    sizes = {"case": len(suite.cases), "element": elements, "flag": len(suite.flags)}
    click.echo(f"{suite.folder}: {', '.join(counted(size, name) for name, size in sizes.items())}")
    known = load((place(folder) if folder else default_place(),))
    if not known.problems and not known.rows:
        raise InputError(
            f"{folder}: holds neither a problem nor what is recorded", "`known update --write` makes a record"
        )
    with runs.open_pool(runs.Options()) as pool:
        backends = pool.discover()
    plan = make_plan(suite, [one for backend in backends for one in backend.implementations])
    wrong = [*mistakes(known), *_strange_words(known), *unmatched(known, plan)]
    for line in dict.fromkeys(wrong):
        click.echo(line, err=True)
    causes = len({row.cause for row in known.rows})
    click.echo(f"{len(known.problems)} problems explain {causes} recorded causes, {counted(len(wrong), 'mistake')}")
    context.exit(int(Exit.BAD_INPUT if wrong else Exit.AS_EXPECTED))


def _strange_words(known: Record) -> Iterator[str]:
    """A line for each mechanism of a problem that is none of the vocabulary."""
    for name, one in known.problems.items():
        yield from (f"{name}: {said}" for _, said in _strange(one))


def _strange(one: Problem) -> Iterator[tuple[int, str]]:
    """The place of each such mechanism, and what is said of it."""
    words = [mechanism.value for mechanism in Mechanism]
    for index, word in enumerate(one.mechanism):
        if word not in words:
            yield index, f"mechanism must be of {', '.join(map(repr, words))} (got {word!r})"


def _lint_files(files: tuple[Path, ...], cases_folder: Path | None) -> Exit:
    wrong = 0
    for file in files:
        try:
            _lint_file(file, cases_folder)
        except InputError as error:
            wrong += 1
            click.echo(clean(str(error)), err=True)
    click.echo(f"{counted(len(files), 'file')}, {wrong} with a mistake")
    return Exit.BAD_INPUT if wrong else Exit.AS_EXPECTED


def _lint_file(file: Path, cases_folder: Path | None) -> None:
    """Read a file as what its keys say that it is; raises InputError at its first mistake."""
    tree, lines = yamlfile.read(file)
    keys = tree if isinstance(tree, dict) else {}
    if "flags" in keys:
        cases.load_flags(file)
    elif "explains" in keys:
        for index, said in _strange(problem.load_file(file)):
            raise at(file, lines["mechanism", index], said, "a word that holds a comma must be quoted")
    else:
        cases.load_files((file,), cases.load_flags(_flag_file(file, cases_folder)))


def _flag_file(file: Path, cases_folder: Path | None) -> Path:
    """The flags of the suite that a case file lies in, or else of the suite that any command would take."""
    above = (parent / "flags.yaml" for parent in (*file.parents, *Path(os.path.realpath(file)).parents))
    fallback = cases.default_folder() / "flags.yaml"
    return cases_folder / "flags.yaml" if cases_folder else next((one for one in above if one.is_file()), fallback)


@click.command(cls=Command)
@click.argument("what", type=click.Choice(list(SCHEMAS)))
def schema(what: str) -> None:
    """Print the JSON Schema of case files, certificates, problems or the lines of a run record."""
    click.echo(schema_text(what), nl=False)


def schema_text(what: str) -> str:
    """The schema as it is published in docs/schema/."""
    found: dict[str, Any] = SCHEMAS[what]()
    return json.dumps(found, indent=2, sort_keys=True) + "\n"
