"""The record as complete runs say that it should be: the files of what is recorded, written anew."""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

from conformance.errors import InputError
from conformance.ids import CauseId, ImplementationId, backend_of
from conformance.known import problem, recorded
from conformance.known.explained import explained
from conformance.known.record import Place, Record, must_be_there
from conformance.known.recorded import INEXACT, INEXACT_CLASSES, UNEXPLAINED, Row
from conformance.numbers.measurement import BUDGET, LARGEST
from conformance.quantities import QUANTITIES
from conformance.record.files import write_lines, writing
from conformance.record.record import CheckLine, FindingLine, RunRecord
from conformance.run.held import findings
from conformance.yamlfile import read_text

#: The recorded order of magnitude is the least power of ten that is so many times the largest error that was seen.
MARGIN = 2.0

#: The exponent of `measurement.LARGEST`.
_HIGHEST = 300

#: An element that was seen within so many budgets may be right on another processor.
NEAR = 4


class Key(NamedTuple):
    """A check."""

    implementation: str
    case: str
    dtype: str
    quantity: str

    @classmethod
    def of(cls, check: CheckLine) -> Key:
        """The key of a line."""
        return cls(check.implementation, check.case, check.dtype, check.quantity)


class Expected(NamedTuple):
    """What an element deviates as: words, and whether it may be right."""

    words: tuple[str, ...]
    sometimes: bool


#: Cause -> check -> element -> what one run saw: class, and error in ULP where there is one.
Seen = dict[str, dict[Key, dict[str, tuple[str, float | None]]]]

#: Cause -> check -> element -> what is expected.
Contents = dict[str, dict[Key, dict[str, Expected]]]

#: (cause, dtype) -> the exponent of a power of ten.
Magnitudes = dict[tuple[str, str], int]


@dataclass(frozen=True)
class Edit:
    """One file to be created, changed or removed."""

    file: Path
    before: str
    after: str

    @property
    def action(self) -> str:
        """create, change or remove."""
        return "create" if not self.before else "remove" if not self.after else "change"

    def diff(self) -> Iterator[str]:
        """A unified diff without its header."""
        lines = difflib.unified_diff(self.before.splitlines(), self.after.splitlines(), lineterm="", n=0)
        yield from list(lines)[2:]

    def apply(self) -> None:
        """Make the edit; a failed write leaves the old file whole."""
        if self.after:
            write_lines([line.encode() for line in self.after.splitlines()], self.file)
        else:
            with writing(self.file):
                self.file.unlink()


def edits(runs: Sequence[RunRecord], place: Place, *, keep: bool = False) -> Iterator[Edit]:
    """Edits that make the record of a place say what `runs` saw, and name the problem of every line.

    What checks of no run are recorded with stays; with `keep` all of it does, as what other processors show, and the
    runs add to it.  Without runs only the problems are looked up again.
    Raises InputError for a place that is not there, for an interrupted run, and for one of stages.
    """
    must_be_there(place)
    for run in runs:
        if run.interrupted:
            raise InputError(
                f"the run of {run.header.started} is interrupted and says nothing about what no longer deviates",
                "give one that reached its end: its file ends with a footer",
            )
    stages = [one.id for run in runs for one in run.header.implementations if one.stage_of]
    if stages:
        raise InputError(f"no record is of a stage of a mode (got {stages[0]!r})", "make the run without it")
    before = recorded.read(place.recorded)
    rows = explained(_updated(before, runs, keep) if runs else before, problem.load(place.problems))
    of_backend: dict[str, list[Row]] = {backend_of(row.cause): [] for row in (*before, *rows)}
    for row in rows:
        of_backend[backend_of(row.cause)].append(row)
    for backend, members in sorted(of_backend.items()):
        yield from _edit(place.recorded / f"{backend}.tsv", recorded.text(members) if members else "")
    yield from _edit_machines(runs, place.recorded)


def beside(known: Record, run: RunRecord) -> Record:
    """What is known, and what a run saw, as far as nothing is asked to be seen again.

    So what a baseline had in the same way is no news, whoever else knows of it.
    """
    rows = (replace(row, sometimes=frozenset(row.elements)) for row in _updated((), [run], keep=False))
    return replace(known, rows=(*known.rows, *explained(tuple(rows), known.problems)))


def unexplained(edits: Sequence[Edit], place: Place) -> list[str]:
    """The causes that no problem explains once edits are made, those of files without an edit, too, with the dtype."""
    texts = {file: read_text(file) for file in sorted(place.recorded.glob("*.tsv"))}
    texts |= {edit.file: edit.after for edit in edits}
    lines = (
        (file.stem, *line.split("\t"))
        for file, text in texts.items()
        for line in text.split("\n")
        if line.startswith(f"{UNEXPLAINED}\t")
    )
    return list(dict.fromkeys(f"{cells[0]}/{cells[2]}/{cells[5]} in {cells[7]}" for cells in lines))


def _edit(file: Path, after: str) -> Iterator[Edit]:
    before = file.read_text(encoding="utf-8") if file.exists() else ""
    if before != after:
        yield Edit(file, before, after)


def _edit_machines(runs: Sequence[RunRecord], folder: Path) -> Iterator[Edit]:
    """The file of instruction sets names those of `runs`, too."""
    known = recorded.instruction_sets(folder)
    found = {str(run.header.machine["instruction-set"]) for run in runs if "instruction-set" in run.header.machine}
    yield from _edit(folder / recorded.INSTRUCTION_SETS, "".join(f"{line}\n" for line in sorted(found | set(known))))


def _updated(before: Sequence[Row], runs: Sequence[RunRecord], keep: bool) -> list[Row]:
    """Rows of what runs saw, and of what is recorded `before`: of checks that none had, or with `keep` of all."""
    claims = _claims(before) if keep else {}
    seen = [_seen(run, claims) for run in runs]
    ran = [{Key.of(line): set(line.elements) for line in run.checks} for run in runs]
    contents = _contents(seen, ran)
    magnitudes = _magnitudes(seen)
    had = {key for one in ran for key in one}
    if keep:
        _mark_what_is_new(contents, before)
    for row in before:
        kept = [key for key in _keys(row) if keep or key not in had]
        for key in kept:
            known = contents.setdefault(row.cause, {}).setdefault(key, {})
            known.update({name: _also(row, name, known.get(name), key in had) for name in row.elements})
        if kept and row.magnitude is not None:
            place = row.cause, row.dtype
            magnitudes[place] = max(row.magnitude, magnitudes.get(place, 0))
    return [row for cause, checks in contents.items() for row in _rows(cause, checks, magnitudes)]


def _also(row: Row, name: str, seen: Expected | None, ran: bool) -> Expected:
    """What is expected of an element that a row has, and that runs saw deviate, or not, if they had its check."""
    if seen is None:
        return Expected(row.words, ran or name in row.sometimes)
    return Expected(tuple(sorted({*row.words, *seen.words})), seen.sometimes or name in row.sometimes)


def _mark_what_is_new(contents: Contents, before: Sequence[Row]) -> None:
    """Elements that `before` lacks may be right: on the processors that it was made on they were."""
    recorded_with = {(row.cause, key, name) for row in before for key in _keys(row) for name in row.elements}
    for cause, checks in contents.items():
        for key, elements in checks.items():
            for name, one in elements.items():
                if (cause, key, name) not in recorded_with:
                    elements[name] = one._replace(sometimes=True)


#: Stem, check and element -> the cause that it is recorded for as a finite number outside the budget.
Claims = dict[tuple[str, Key, str], str]


def _claims(before: Sequence[Row]) -> Claims:
    """On another processor the same mistake may have another signature: its cause stays the recorded one."""
    inexact = (row for row in before if INEXACT in row.words)
    return {(row.id.stem, key, name): row.cause for row in inexact for key in _keys(row) for name in row.elements}


def _keys(row: Row) -> Iterator[Key]:
    """The checks that a row is about."""
    for implementation in row.implementations:
        for quantity in row.quantities:
            yield Key(implementation, row.case, row.dtype, quantity)


def _seen(run: RunRecord, claims: Claims) -> Seen:
    found: Seen = {}
    for check in run.checks:
        key = Key.of(check)
        for finding in findings(check):
            cause = finding.cause
            if finding.what in INEXACT_CLASSES:
                cause = claims.get((CauseId.parse(cause).stem, key, finding.element), cause)
            found.setdefault(cause, {}).setdefault(key, {})[finding.element] = _measured(check, finding)
    return found


def _measured(check: CheckLine, finding: FindingLine) -> tuple[str, float | None]:
    """The class of a finding and its error; None for a check that measures none, a relation for one."""
    if not check.ulp:
        return finding.what, None
    error = check.ulp[check.elements.index(finding.element)]
    return finding.what, LARGEST if error is None else error


def _magnitudes(seen: Sequence[Seen]) -> Magnitudes:
    """For each cause and dtype of inputs the order of magnitude of the errors that runs saw."""
    largest: dict[tuple[str, str], float] = {}
    for cause, key, what, error in _every(seen):
        if what in INEXACT_CLASSES and error is not None:
            largest[cause, key.dtype] = max(largest.get((cause, key.dtype), 0.0), error)
    return {place: min(math.ceil(math.log10(error * MARGIN)), _HIGHEST) for place, error in largest.items()}


def _every(seen: Sequence[Seen]) -> Iterator[tuple[str, Key, str, float | None]]:
    for one in seen:
        for cause, checks in one.items():
            for key, elements in checks.items():
                for what, error in elements.values():
                    yield cause, key, what, error


def _contents(seen: Sequence[Seen], ran: Sequence[dict[Key, set[str]]]) -> Contents:
    """What a record of these runs says.

    An element deviates `sometimes` where one of the runs that had it in a check (`ran`) did not see it deviate, or
    where it was nearly right.
    """
    contents: Contents = {}
    for cause in dict.fromkeys(cause for one in seen for cause in one):
        of_cause = [one.get(cause, {}) for one in seen]
        for key in dict.fromkeys(key for one in of_cause for key in one):
            contents.setdefault(cause, {})[key] = _expected(key, of_cause, ran)
    return contents


def _expected(
    key: Key, seen: Sequence[dict[Key, dict[str, tuple[str, float | None]]]], ran: Sequence[dict[Key, set[str]]]
) -> dict[str, Expected]:
    """What is expected of each element of a check that deviated."""
    found: dict[str, list[tuple[str, float | None]]] = {}
    for one in seen:
        for name, measured in one.get(key, {}).items():
            found.setdefault(name, []).append(measured)
    pairs = list(zip(seen, ran, strict=True))
    return {
        name: Expected(
            _words(each),
            _is_near(each) or any(name in had.get(key, ()) and name not in one.get(key, {}) for one, had in pairs),
        )
        for name, each in found.items()
    }


def _words(seen: Iterable[tuple[str, float | None]]) -> tuple[str, ...]:
    """What is expected of an element that runs saw as `seen`."""
    return tuple(sorted({INEXACT if what in INEXACT_CLASSES else what for what, _ in seen}))


def _is_near(seen: Iterable[tuple[str, float | None]]) -> bool:
    """Whether an inexact element was nearly right in some run."""
    return any(what in INEXACT_CLASSES and error is not None and error <= NEAR * BUDGET for what, error in seen)


def _rows(cause: str, checks: dict[Key, dict[str, Expected]], magnitudes: Magnitudes) -> Iterator[Row]:
    """One row for elements of a case that deviate alike; quantities that expect the same share one, and so do modes."""
    quantities: dict[tuple[Key, tuple[str, ...], str], set[str]] = {}
    for key, elements in checks.items():
        for words in dict.fromkeys(one.words for one in elements.values()):
            alike = sorted(
                f"{name}?" if one.sometimes else name for name, one in elements.items() if one.words == words
            )
            quantities.setdefault((key._replace(quantity=""), words, " ".join(alike)), set()).add(key.quantity)
    modes: dict[tuple[object, ...], tuple[Row, set[str]]] = {}
    for (key, words, names), members in quantities.items():
        one = ImplementationId.parse(key.implementation)
        row = Row(
            problem=UNEXPLAINED,
            cause=cause,
            modes=(),
            device=one.device,
            case=key.case,
            dtype=key.dtype,
            quantities=tuple(name for name in QUANTITIES if name in members),
            words=words,
            magnitude=magnitudes.get((cause, key.dtype)) if INEXACT in words else None,
            elements=tuple(name.rstrip("?") for name in names.split(" ")),
            sometimes=frozenset(name[:-1] for name in names.split(" ") if name.endswith("?")),
        )
        modes.setdefault((one.device, key.case, key.dtype, row.quantities, words, names), (row, set()))[1].add(one.mode)
    for row, together in modes.values():
        yield replace(row, modes=tuple(sorted(together)))
