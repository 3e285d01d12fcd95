"""`bce-conformance upgrade`: what another version changes in a loss, in sentences, and since which release."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import click

from conformance.commands import progress
from conformance.commands.options import Asked, fail_options, plan_options
from conformance.commands.output import console, whom_to_tell
from conformance.commands.versions import builder_from, environment_options, tell
from conformance.errors import InputError
from conformance.known.record import default_place, load
from conformance.record import record as records
from conformance.record.compare import FailOn, Side, compare
from conformance.record.moves import Move, Moves, moves
from conformance.record.record import RunRecord
from conformance.record.spelled import command
from conformance.render import bisect as rendered
from conformance.render import comparison
from conformance.render.comparison import Compared
from conformance.render.moves import firsts
from conformance.run import kept
from conformance.versions import bisect as searches
from conformance.versions import matrix as worked_off
from conformance.versions.build import Builder
from conformance.versions.columns import ask, watching
from conformance.versions.companions import known
from conformance.versions.matrix import Settings
from conformance.versions.requirements import Beside, Column, beside, columns

#: Releases that are searched at most, those of what does most harm first: each takes about log2 of the versions
#: between, and for most of them an environment.
SEARCHED = 3

#: How the names of run records end.
RECORDS = (".jsonl", ".jsonl.gz")


@dataclass(frozen=True)
class _Word:
    """One side as it was asked for: the file of a run record, or a column."""

    text: str
    file: Path | None
    column: Column | None


@click.command()
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
    before, after = _sides(words, builder, asked)
    found = Compared(compare(before, after), limits)
    moved = moves(before, after, found.found.both)
    releases = dict(_releases(words, moved, builder, asked)) if search else {}
    out, limit = console(comparison.WIDTH), None if everything else comparison.SHOWN
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
    found = columns((text,), known())
    if len(found) > 1:
        raise InputError(f"must be one version (got {text!r})", "`bce-conformance matrix` runs many side by side")
    return _Word(text, None, found[0])


def _sides(words: Sequence[_Word], builder: Builder, asked: Asked) -> list[Side]:
    """The two runs: read, or made now.  Raises InputError where one cannot be made."""
    given = {word.text: Side(str(word.file), records.read(word.file)) for word in words if word.file is not None}
    wanted = list(dict.fromkeys(word.column for word in words if word.column is not None))
    if wanted:
        question = ask(asked.suite(), asked.options, load((default_place(),)), known())
        settings = Settings(len(wanted), False, False, progress.of_requests)
        made = {one.column: one for one in worked_off.results(wanted, builder, question, settings, tell)}
        for word in words:
            if word.column is not None:
                result = made.get(word.column)
                if result is None or not isinstance(result.record, RunRecord):
                    raise InputError(f"{word.column.label}: {result.reason if result else 'was not run'}")
                given[word.text] = Side(str(result.file), result.record)
    return [given[word.text] for word in words]


def _releases(
    words: Sequence[_Word], moved: Moves, builder: Builder, asked: Asked
) -> Iterator[tuple[tuple[object, ...], str]]:
    """With which release the first SEARCHED results changed, where both sides are releases of one package."""
    old, new = (word.column for word in words)
    if old is None or new is None or old.wheel or new.wheel or old.package != new.package:
        return
    for one in firsts(moved)[:SEARCHED]:
        try:
            yield one.key, _release(one, old, new, beside(words[1].text), builder, asked)
        except InputError as error:
            tell(f"{new.package}: not searched: {error.message}")


def _release(one: Move, old: Column, new: Column, asked_beside: Beside, builder: Builder, asked: Asked) -> str:
    """The release in which a move happened.  Raises InputError where no search can find it."""
    chosen = searches.between(new.package, old.version, new.version, builder.index, known(), *asked_beside)
    filters = replace(asked.options.filters, dtype=(one.dtype,), quantity=(one.quantity,))
    options = watching(replace(asked.options, filters=filters), one.implementation)
    question = ask(asked.suite().only(one.case), options, load((default_place(),)), known())
    outcome = searches.bisect(chosen, builder, searches.of_checks(question, one.element, False), tell)
    also = ", ".join(f"{name} {was} → {now}" for name, was, now in outcome.differing)
    return f"{rendered.title(outcome)}{f'; with it changed {also}' if also else ''}"


def _end(found: Compared, old: Side, new: Side, moved: Moves) -> Iterator[str]:
    """The outcome, whom to tell, and where to read more."""
    yield ""
    yield comparison.outcome(*found)
    yield from whom_to_tell(moved)
    yield f"check by check: {command('diff', old.name, new.name)}"
