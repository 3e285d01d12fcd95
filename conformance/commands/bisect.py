"""`bce-conformance bisect`: the first released version that behaves otherwise."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import click

from conformance.commands import Command
from conformance.commands.options import (
    ADAPTER,
    CASES,
    DTYPE,
    QUANTITY,
    Asked,
    asking,
    complete_cases,
    complete_implementations,
)
from conformance.commands.versions import builder_from, environment_options, must_be_new, tell, write_new
from conformance.errors import InputError, did_you_mean
from conformance.known.record import default_place, load
from conformance.render import bisect as rendered
from conformance.versions import bisect as searches
from conformance.versions.build import Environment
from conformance.versions.columns import ask, watching
from conformance.versions.companions import Known, known
from conformance.versions.ladder import Untestable
from conformance.versions.requirements import Column, package_name, python_version, requirement

FORMS = {"text": rendered.text, "markdown": rendered.markdown, "json": rendered.json}

Behave = Callable[[Column, Environment], searches.Behaviour | Untestable]


@click.command(cls=Command)
@click.argument("subject", metavar="CASE[#ELEMENT]|CASES.yaml[#ELEMENT]|REPRO.py", shell_complete=complete_cases)
@click.argument("implementation", required=False, shell_complete=complete_implementations)
@click.option("--good", required=True, metavar="VERSION", help="A version that does as it should.")
@click.option("--bad", required=True, metavar="VERSION", help="A version that does not; it may be older or newer.")
@click.option("--package", help="The package whose versions are searched [default: what brings the implementation].")
@click.option("--with", "companions", multiple=True, metavar="REQUIREMENT", help="Install this, too (repeatable).")
@click.option("--python", default="", metavar="3.N", help="Python of the environments.")
@DTYPE
@QUANTITY
@click.option("--bits", is_flag=True, help="Other bits are other behaviour, whatever the verdict.")
@CASES
@ADAPTER
@click.option("--timeout", default=60.0, show_default=True, help="Seconds of a request (CPU time) or of the script.")
@environment_options
@click.option("--format", "form", type=click.Choice(tuple(FORMS)), default="text", show_default=True)
@click.option("--output", type=click.Path(path_type=Path, dir_okay=False), help="Write the result here, too.")
@click.option("--force", is_flag=True, help="Overwrite --output.")
@asking("dtype", "quantity", "cases_folder", "adapters", "timeout")
def bisect(
    subject: str, implementation: str | None, good: str, bad: str, package: str | None, companions: tuple[str, ...],
    python: str, bits: bool, folder: Path | None, form: str, output: Path | None, force: bool, asked: Asked,
) -> None:  # fmt: skip
    """Find the first released version between two whose behaviour changed, in about log2 steps.

    What is watched is a case, or those of a file, on an implementation; or a script that exits with 1 where the bug
    shows, 0 where it does not and 125 where it cannot tell.  Both versions are tested first.  Yanked versions, and
    those that cannot be installed, are passed over with a note.  Exit code 0: found.  2: the two versions behave
    alike, or bad input.
    """
    if output is not None:
        must_be_new(output, force)
    sets = known()
    name = package_name(package) if package else sets.package_of(implementation or subject)
    behave = _script(subject, asked) if implementation is None else _checks(
        subject, implementation, sets, bits, asked
    )  # fmt: skip
    builder = builder_from(folder)
    chosen = searches.between(
        name, good, bad, builder.index, sets, python and python_version(python), tuple(map(requirement, companions))
    )
    for line in searches.plan(chosen, builder):
        tell(line)
    outcome = searches.bisect(chosen, searches.making(builder), behave, tell)
    document = FORMS[form](outcome)
    click.echo(document, nl=False)
    if output is not None:
        write_new(document, output, force)


def _script(subject: str, asked: Asked) -> Behave:
    script = Path(subject)
    if script.suffix != ".py":
        raise InputError(f"{subject}: a case needs an implementation, too", "bce-conformance list implementations")
    if not script.is_file():
        raise InputError(f"{subject}: no such script")
    return searches.of_script(script, asked.options.timeout)


def _checks(subject: str, implementation: str, sets: Known, bits: bool, asked: Asked) -> Behave:
    what, _, element = subject.partition("#")
    suite = asked.suite().only(what)
    names = [element.id for one in suite.cases for element in one.case.elements]
    if element and element not in names:
        raise InputError(f"{what} has no element {element!r}", did_you_mean(element, names))
    question = ask(suite, watching(asked.options, implementation), load((default_place(),)), sets)
    return searches.of_checks(question, element, bits)
