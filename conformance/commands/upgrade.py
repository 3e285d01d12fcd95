"""`bce-conformance upgrade`: what another version changes in a loss, in sentences, and since which release."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import click

from conformance.commands import Command, progress
from conformance.commands.options import Asked, fail_options, plan_options
from conformance.commands.output import console, whom_to_tell
from conformance.commands.versions import builder_from, environment_options, tell
from conformance.errors import InputError
from conformance.ids import CheckId
from conformance.known.record import default_place, load
from conformance.record import record as records
from conformance.record.compare import FailOn, Side, compare
from conformance.record.moves import Move, Moves, Way, moves
from conformance.record.record import RunRecord
from conformance.record.spelled import command
from conformance.render import bisect as rendered
from conformance.render import comparison
from conformance.render import moves as said
from conformance.render.comparison import Compared
from conformance.run import kept
from conformance.versions import bisect as searches
from conformance.versions import matrix as worked_off
from conformance.versions.bisect import Watched
from conformance.versions.build import Builder
from conformance.versions.columns import ask
from conformance.versions.companions import known
from conformance.versions.ladder import steps
from conformance.versions.matrix import Settings
from conformance.versions.requirements import Column, beside, columns

#: What a version is asked for, by the names of a move and of the filters.
ASKED = ("case", "implementation", "dtype", "quantity")

#: How the names of run records end.
RECORDS = (".jsonl", ".jsonl.gz")


@dataclass(frozen=True)
class _Word:
    """One side as it was asked for: the file of a run record, or a column."""

    text: str
    file: Path | None
    column: Column | None


@click.command(cls=Command)
@click.argument("old", metavar="OLD")
@click.argument("new", metavar="NEW")
@plan_options
@click.option("--quick", is_flag=True, help="Values of the main families, eager mode, float32 and float16.")
@click.option("--search/--no-search", default=True, help="Find the releases in which results changed, too.")
@environment_options
@fail_options
@click.option("--all", "everything", is_flag=True, help="All changes, however many screens.")
def upgrade(
    old: str, new: str, quick: bool, search: bool, folder: Path | None, limits: FailOn, everything: bool, asked: Asked
) -> None:
    """Tell what an upgrade from OLD to NEW changes in your loss, and since which release.

    Each is PACKAGE==VERSION[+COMPANION…], a wheel, an interpreter, or a run record, as a file or the number of a run
    that is kept.  `uv` makes environments for versions; they are kept, as are the records.  With --adapter your own
    loss is judged in both.  Exit code 0: no regression. 1: an element deviates that did not, a check is lost, or what
    --fail-on names.
    """
    words = [_word(text) for text in (old, new)]
    if quick:
        asked = replace(asked, options=replace(asked.options, filters=asked.options.filters.quick()))
    builder = builder_from(folder)
    between = _between(words, builder) if search else None
    before, after = _sides(words, builder, asked)
    found = Compared(compare(before, after), limits)
    moved = moves(before, after, found.found.both)
    limit = None if everything else comparison.SHOWN
    releases: said.Releases = {}
    if between is not None and moved.found:
        survey = _survey(between, moved.found[:limit], builder, asked, {
            word.column: side.record
            for word, side in zip(words, (before, after), strict=True)
            if word.column is not None
        })  # fmt: skip
        releases = dict(_releases(survey, moved.found[:limit]))
    out = console(comparison.WIDTH)
    models = comparison.models_of(found.found, everything)
    comparison.answer(found.found, moved, models, out, limit, releases)
    for line in _end(found, before, after, moved):
        click.echo(line)
    sys.exit(int(found.exit))


def _word(text: str) -> _Word:
    """What a side asks for.  Raises InputError where it is neither a record nor one column."""
    file = kept.named(text)
    if file.name.endswith(RECORDS):
        return _Word(text, file, None)
    try:
        found = columns((text,), known())
    except InputError as error:
        raise InputError(error.message, f"{error.hint}, or a run record, whose name ends in {RECORDS[0]}") from None
    if len(found) > 1:
        raise InputError(f"must be one version (got {text!r})", "`bce-conformance matrix` runs many side by side")
    return _Word(text, None, found[0])


def _between(words: Sequence[_Word], builder: Builder) -> searches.Range | None:
    """The releases from one side to the other; None where they are no two of one package, which is told if need be."""
    old, new = (word.column for word in words)
    if old is None or new is None or old.package != new.package or old == new or not (old.released and new.released):
        return None
    try:
        found = searches.between(new.package, old.version, new.version, builder.index, known(), *beside(words[1].text))
    except InputError as error:
        tell(f"in which release results changed is not looked for: {error.message}")
        return None
    if len(found.columns) > 2:
        tell(
            f"{new.package}: {len(found.columns) - 2} releases lie between; where results changed, about "
            f"{steps(len(found.columns)) - 2} of them are tried, each in an environment (--no-search leaves that out)"
        )
    return found


def _sides(words: Sequence[_Word], builder: Builder, asked: Asked) -> list[Side]:
    """The two runs: read, or made now.  Raises InputError where one cannot be made."""
    given = {word.text: Side(str(word.file), records.read(word.file)) for word in words if word.file is not None}
    wanted = list(dict.fromkeys(word.column for word in words if word.column is not None))
    if wanted:
        question = ask(asked.suite(), asked.options, load((default_place(),)), known())
        settings = Settings(len(wanted), False, False, progress.of_requests, together=True)
        made = {one.column: one for one in worked_off.results(wanted, builder, question, settings, tell)}
        for word in words:
            if word.column is not None:
                result = made.get(word.column)
                if result is None or not isinstance(result.record, RunRecord):
                    raise InputError(f"{word.column.label}: {result.reason if result else 'was not run'}")
                given[word.text] = Side(str(result.file), result.record)
    return [given[word.text] for word in words]


def _survey(
    between: searches.Range,
    wanted: Sequence[Move],
    builder: Builder,
    asked: Asked,
    runs: Mapping[Column, RunRecord],
) -> searches.Survey:
    """The search for the releases of some moves, in which a version is asked for all of them at once."""
    filters = replace(
        asked.options.filters,
        **{name: tuple(dict.fromkeys(getattr(one, name) for one in wanted)) for name in ASKED},
    )
    question = ask(asked.suite(), replace(asked.options, filters=filters), load((default_place(),)), known())
    return searches.Survey(between, builder, question, runs, tell)


def _releases(survey: searches.Survey, wanted: Sequence[Move]) -> Iterator[tuple[tuple[object, ...], str]]:
    """With which release results changed, by the key of their move."""
    for one in wanted:
        check = str(CheckId(one.case, one.implementation, one.dtype, one.quantity))
        try:
            yield one.key, rendered.since(survey.search(Watched(check, one.element, one.way is Way.DIGITS)))
        except InputError as error:
            tell(f"{one.implementation} {one.quantity}: no release is found: {error.message}")


def _end(found: Compared, old: Side, new: Side, moved: Moves) -> Iterator[str]:
    """The outcome, whom to tell, and where to read more."""
    yield ""
    yield comparison.outcome(*found)
    yield from whom_to_tell(moved)
    yield f"check by check: {command('diff', old.name, new.name)}"
