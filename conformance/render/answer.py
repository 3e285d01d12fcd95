"""The first screen of a run: what is not as expected, then which entry points are good for what, and what is known."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from rich.console import Console
from rich.markup import escape
from rich.text import Text

from conformance.adapters.declaration import BASE_MODE
from conformance.diagnosis.why import sentences
from conformance.ids import ImplementationId, backend_of
from conformance.record.grades import EXCUSED, NOTHING, Graded, Said, entries, grades
from conformance.record.harms import Harms, harms
from conformance.record.kinds import Kind
from conformance.record.problems import ProblemSummary, problems
from conformance.record.record import RunRecord
from conformance.record.summary import causes
from conformance.render import text
from conformance.render.narrate import by_harm, counted
from conformance.render.wrapping import wrap

#: A screen: lines at most, in so many columns.  A narrower terminal is told the same in more lines.
LINES, WIDE = 40, 100

#: Lines that new and fixed findings have at most.
FOR_UNEXPECTED = 10

#: What a line to be typed begins with.
COMMAND = "bce-conformance"

#: New and fixed findings that are told at most.
MOST = 3

#: The kinds that have a column.  Of weights and shapes one word says little, since nearly all broadcast what they
#: should refuse: that is a sentence below, and `show --counts` and the page have it.
COLUMNS = tuple(kind for kind in Kind if kind is not Kind.OPTIONS)

#: What marks the rows whose worst problem is told below.
MARKS = "abcdefghijklmnopqrstuvwxyz"

#: The colour of a word in a cell, which is that of its harm whatever the documentation says.
STYLES = {"BREAKS": "bold red", "misleads": "red", "drifts": "yellow", "ok": "green", "rejects": "green"}

#: What the words in cells mean, the worst first.
WORDS = {
    "BREAKS": "BREAKS training",
    "misleads": "misleads: off by over 1 %, which a batch shows",
    "drifts": "drifts: a small loss is off or lost",
    EXCUSED: f"{EXCUSED}: as it documents",
    "digits": "digits: last ones are off",
    "edge": "edge: only at tiny or infinite numbers",
    "refuses": "refuses: raises for ordinary values",
    "rejects": "rejects: raises, as it may",
    "ok": "ok: right to rounding",
}


@dataclass(frozen=True)
class Row:
    """Implementations of one entry point that did alike: a word for each kind, and what most is to be said of them."""

    name: str
    words: dict[Kind, str]
    said: Said


def rows(graded: Sequence[Graded], packages: Collection[str] = ()) -> list[Row]:
    """A row for each entry point, the best first; backends that do alike with entry points of one name share it.

    The module is part of the name where a backend has two of the same, or where it is of one of the `packages` beside
    the framework.
    """
    alike: dict[tuple[str, tuple[str, ...], Said], list[str]] = {}
    count = Counter(_name(one.implementation) for one in graded)
    for one in graded:
        backend, entry = _name(one.implementation)
        if count[backend, entry] > 1 or ImplementationId.parse(one.implementation).entry.split(".")[0] in packages:
            entry = _whole(ImplementationId.parse(one.implementation))
        words = tuple(word for kind, word in zip(Kind, one.words, strict=True) if kind in COLUMNS)
        alike.setdefault((entry, words, one.said), []).append(backend)
    return [
        Row(f"{', '.join(who)} {entry}", dict(zip(COLUMNS, words, strict=True)), said)
        for (entry, words, said), who in alike.items()
    ]


def answered(record: RunRecord, weighed: Harms) -> list[Row]:
    """The rows of a run; `weighed` is the harm of all findings."""
    packages = {name for line in record.header.backends for name in line.versions}
    return rows(grades(record, entries(record), weighed), packages)


def _name(implementation: str) -> tuple[str, str]:
    """The backend, and the entry point without its module; the mode where it is not the plain one."""
    one = ImplementationId.parse(implementation)
    stem, bracket, variant = one.entry.partition("[")
    return one.backend, _whole(one._replace(entry=f"{stem.rpartition('.')[2]}{bracket}{variant}"))


def _whole(one: ImplementationId) -> str:
    """The entry point, and the mode where it is not the plain one."""
    return one.entry if one.mode == BASE_MODE else f"{one.entry} ({one.mode})"


def known_line(found: Sequence[ProblemSummary], record: RunRecord) -> str:
    """How many known problems there are, which harm they do, what is new and fixed, and what was not asked for."""
    known = [one.worst for one in found if one.explained]
    elements = Counter(finding.outcome for check in record.checks for finding in check.findings)
    fixed = ", or they are fixed" if elements["fixed"] else ""
    others = record.header.problems - len(known)  # the header of an older record tells 0
    left = f"; {others} more are of modes, backends or inputs that were not run{fixed}" if others > 0 else ""
    return (
        f"[bold]{counted(len(known), 'known problem')}, {elements['new']} new, {elements['fixed']} fixed[/]"
        f"{f': {by_harm(known)}' if known else ''}{left}"
    )


def legend(rows: Sequence[Row], kinds: Sequence[Kind]) -> Iterator[str]:
    """What the columns of a table of `kinds` hold, and what the words in its rows mean."""
    yield " · ".join(kind.meaning for kind in kinds)
    used = "".join(word for row in rows for word in row.words.values())
    yield " · ".join(meaning for word, meaning in WORDS.items() if word in used)


def render(record: RunRecord, console: Console) -> None:
    """Print the first screen in the width of the console, in LINES if that has WIDE columns or more."""
    for line in lines(record, console.width):
        console.print(line, highlight=False, soft_wrap=True)


def lines(record: RunRecord, width: int) -> list[Text]:
    """All lines of the first screen, none longer than `width`, with what LINES of WIDE columns or more hold."""
    weighed = harms(record)
    found = problems(record, weighed)
    graded = answered(record, weighed)
    screens = {wide: _Screen.of(record, found, graded, wide) for wide in {width, max(width, WIDE)}}
    return screens[width].lines(*screens[max(width, WIDE)].chosen(found))


class _Note(NamedTuple):
    """A problem below the table, the mark of its rows if it has some, and whether it is said what to do instead."""

    problem: ProblemSummary
    mark: str = " "
    workaround: bool = False

    def lines(self, width: int) -> list[Text]:
        """The title, with the harm where no row says it, and the workaround."""
        line = self.problem.line
        harm = "" if self.mark.strip() else f"{self.problem.worst.word}: "
        instead = wrap(Text(f"    instead: {line.workaround}", "dim"), width) if self.workaround else []
        return [*wrap(Text(f"{self.mark} {harm}{line.title or line.problem}"), width), *instead]


@dataclass(frozen=True, kw_only=True)
class _Screen:
    """The parts of the screen in a width."""

    width: int
    start: list[Text]
    table: _Table | None
    legend: list[Text]
    end: list[Text]

    @classmethod
    def of(cls, record: RunRecord, found: Sequence[ProblemSummary], graded: list[Row], width: int) -> _Screen:
        """Those of a run."""
        table = _Table(graded, width) if graded else None
        said = () if table is None else table.legend()
        return cls(
            width=width,
            start=[*_wrapped(_head(record), width), *_unexpected(record, width)],
            table=table,
            legend=[line for one in said for line in wrap(Text(one, "dim"), width) if one],
            end=[*_wrapped(_counts(record, found), width)],
        )

    def chosen(self, found: Sequence[ProblemSummary]) -> tuple[int, list[_Note]]:
        """How many rows of the table have room together with what most is to be said of them, one at least; the notes.

        What room is left has the workarounds of the notes, and then the worst of the other problems.
        """
        if self.table is None:
            return 0, []
        room = LINES - len(self.start) - len(self.legend) - len(self.end)
        rows, by_id = self.table.rows, {one.line.problem: one for one in found}
        for taken in range(len(rows), 0, -1):
            wanted = dict.fromkeys(row.said.problem for row in rows[:taken])
            told = [by_id[name] for name in wanted if name in by_id]
            notes = [_Note(one, mark) for one, mark in zip(told, MARKS, strict=False)]
            left = room - self.table.height(taken) - self._height(notes)
            if left >= 0 and len(told) <= len(MARKS):
                break
        return taken, self._filled(notes, found, left)

    def _filled(self, notes: list[_Note], found: Sequence[ProblemSummary], left: int) -> list[_Note]:
        """The notes with workarounds, then others, then theirs, as far as `left` lines go."""
        notes, left = self._instead(notes, left)
        told = {note.problem.line.problem for note in notes}
        others: list[_Note] = []
        for one in found:
            height = self._height([_Note(one)])
            if one.explained and one.line.problem not in told and height <= left:
                others.append(_Note(one))
                left -= height
        return notes + self._instead(others, left)[0]

    def _instead(self, notes: list[_Note], left: int) -> tuple[list[_Note], int]:
        """The notes with their workarounds if `left` lines have room for all of these; the lines that are left then."""
        longer = [note._replace(workaround=bool(note.problem.line.workaround)) for note in notes]
        more = self._height(longer) - self._height(notes)
        return (longer, left - more) if more <= left else (notes, left)

    def _height(self, notes: Iterable[_Note]) -> int:
        return sum(len(note.lines(self.width)) for note in notes)

    def lines(self, taken: int, notes: Sequence[_Note]) -> list[Text]:
        """All of them, with so many rows of the table and these notes."""
        marks = {note.problem.line.problem: note.mark for note in notes}
        table = [] if self.table is None else self.table.lines(taken, marks)
        told = (line for note in notes for line in note.lines(self.width))
        return [*self.start, *table, *self.legend, *told, *self.end]


def _head(record: RunRecord) -> Iterator[str]:
    ran = len({check.implementation for check in record.checks})
    size = f"{counted(ran, 'implementation')} · {counted(len(record.checks), 'check')}"
    yield f"[bold]bce-conformance {record.header.suite}[/] · {size}"
    versions = {
        f"{name} {re.split('[-+]', version)[0]}"
        for line in record.header.backends
        for name, version in line.versions.items()
    }
    yield escape(" ".join(sorted(versions, key=str.lower)))
    if quick := text.quick_text(record):
        yield f"[yellow]quick run[/]: {quick}"
    yield from text.caveats(record)


def _unexpected(record: RunRecord, width: int) -> list[Text]:
    """New findings, and why, then fixed ones: one at least, and as many as have room."""
    if all(finding.outcome == "recorded" for check in record.checks for finding in check.findings):
        return []
    found = [one for one in causes(record) if one.outcome != "recorded"]
    versions = {line.name: text.named(line) for line in record.header.backends}
    why = sentences(record, [one for one in found if one.outcome == "new"][:MOST])
    told: list[Text] = []
    count = 0
    for one in found[:MOST]:
        said = text.finding(one, versions.get(backend_of(one.cause), ""), why.get(one.cause, ""))
        own = [part for line in said for part in _told(line, width)]
        if count and len(told) + len(own) > FOR_UNEXPECTED:
            break
        told += own
        count += 1
    left = Counter(one.outcome for one in found[count:])
    if left:
        more = " and ".join(counted(number, f"more {outcome} cause") for outcome, number in left.items())
        told += _wrapped([f"… {more}: `bce-conformance show --all`"], width)
    return told


def _told(line: str, width: int) -> list[Text]:
    """A line of a finding; a command stays whole, so that it can be copied, and the terminal wraps it."""
    made = Text.from_markup(line)
    return [made] if made.plain.lstrip().startswith(f"{COMMAND} ") else wrap(made, width)


def _wrapped(said: Iterable[str], width: int) -> Iterator[Text]:
    """Lines of markup in the width that there is."""
    for line in said:
        yield from wrap(Text.from_markup(line), width)


class _Table:
    """The table of entry points in a width: a name that is too long stands on a line of its own.

    Kinds of input that nobody was asked about have no column.  Where the width does not hold the columns, each word
    stands beside its kind.
    """

    def __init__(self, rows: list[Row], width: int) -> None:
        self.rows = rows
        self.width = width
        self.kinds = [kind for kind in COLUMNS if any(row.words[kind] != NOTHING for row in rows)]
        self.widths = [max(len(kind.word), *(len(row.words[kind]) for row in rows)) for kind in self.kinds]
        left = width - sum(self.widths) - len(self.widths) - 2
        self.narrow = left < 2
        self.left = max((len(row.name) for row in rows if len(row.name) <= left), default=2)
        self.heights = [len(self._row(row, "")) for row in rows]

    def height(self, taken: int) -> int:
        """Lines of the heading, of so many rows, and of what is said of those left out."""
        return 1 + sum(self.heights[:taken]) + (taken < len(self.rows))

    def lines(self, taken: int, marks: Mapping[str, str]) -> Iterator[Text]:
        """The heading and so many rows, with the marks of their problems."""
        if not self.narrow:
            title = "best first" if self.left >= len("best first") else ""
            heading = self._line(title, "", [kind.word for kind in self.kinds])
            heading.stylize("bold")
            yield heading
        for row in self.rows[:taken]:
            yield from self._row(row, marks.get(row.said.problem, ""))
        if taken < len(self.rows):
            left_out = len(self.rows) - taken
            yield from wrap(Text(f"… and {left_out} more, or `show --counts` for all entry points"), self.width)

    def legend(self) -> Iterator[str]:
        """What the columns hold, and what the words in them mean."""
        yield from legend(self.rows, self.kinds)

    def _row(self, row: Row, mark: str) -> list[Text]:
        """The lines of a row."""
        if self.narrow:
            words = Text(f"{mark:1} ")
            for kind in self.kinds:
                words.append(f"{kind.word} ").append(row.words[kind], _style(row.words[kind])).append(", ")
            return [*wrap(Text(row.name), self.width), *wrap(words[:-2], self.width)]
        words_of = [row.words[kind] for kind in self.kinds]
        if len(row.name) <= self.left:
            return [self._line(row.name, mark, words_of)]
        return [*wrap(Text(row.name), self.width), self._line("", mark, words_of)]

    def _line(self, name: str, mark: str, words: Sequence[str]) -> Text:
        line = Text(f"{name:{self.left}} {mark:1}")
        for word, wide in zip(words, self.widths, strict=True):
            line.append(" ")
            line.append(f"{word:{wide}}", _style(word))
        line.rstrip()
        return line


def _style(word: str) -> str:
    """The colour of a word in a cell."""
    return STYLES.get(word.removesuffix(EXCUSED), "")


def _counts(record: RunRecord, found: Sequence[ProblemSummary]) -> Iterator[str]:
    """How many problems there are by harm, the counts of checks, and the outcome."""
    yield known_line(found, record)
    footer = record.footer
    if footer is None:
        yield "[bold red]interrupted[/]: no outcome"
        return
    conform, documented = (footer.verdicts.get(name, 0) for name in ("conforms", "by-contract"))
    offered = sum(record.header.not_offered.values())
    timed = text.timed(record)
    yield (
        f"{counted(len(record.checks), 'check')}: {conform} right, {documented} as documented; "
        f"{footer.not_run} not run, {offered} not offered{f'; {timed} timed' if timed else ''}"
    )
    left_out = [*text.untimed(record), *(f"not run: {escape(line)}" for line in footer.lost)]
    yield from left_out[:MOST]
    if len(left_out) > MOST:
        yield f"… and {len(left_out) - MOST} more such lines: `bce-conformance show --counts`"
    yield text.outcome(footer)
