"""A choice as a page: what to take and why, a table, a sentence for each entry point; forms of output lay it out."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from conformance.adapters.declaration import PLAIN_CALL
from conformance.choose.choose import DOCUMENTED, MET, NOT_MEASURED, NOT_MET, Answer, Choice, Row, Source
from conformance.choose.limits import limits
from conformance.judge.harm import MISLEADING
from conformance.record.grades import NOTHING, SHORT
from conformance.record.record import SpeedLine
from conformance.render.answer import WORDS
from conformance.render.choice_sentences import sentence
from conformance.render.scoreboard import error_text

#: Rows of the table, and entry points that are named as what to take, at most.
ROWS, TAKEN = 10, 3

LEGEND = "a word is the worst on the inputs asked for · ULP: the worst error"


@dataclass(frozen=True)
class Grid:
    """A table: its caption, what stands below it, column heads, rows, and the number of columns of text at the left."""

    caption: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    texts: int = 1
    legend: str = ""

    @property
    def head(self) -> int:
        """The column that names the row."""
        return self.columns.index("implementation") if "implementation" in self.columns else 0


@dataclass(frozen=True, kw_only=True)
class Page:
    """What is told about a choice.

    `take` says what to take and why.  `grids` begins with the table of `ROWS`, whose entry points have `sentences`; the
    rest is for forms that have room for all.  `team` is a paragraph to copy.  `interrupted` warns of runs without an
    end.
    """

    title: str
    verdict: str
    met: bool
    take: str
    sources: tuple[str, ...]
    interrupted: tuple[str, ...]
    grids: tuple[Grid, ...]
    sentences: tuple[tuple[str, str], ...]
    limits: tuple[str, ...]
    team: str


@dataclass(frozen=True)
class _Alike:
    """Entry points of one name that did alike, in several backends: they share a row and a sentence."""

    rows: tuple[Row, ...]
    said: str

    @property
    def row(self) -> Row:
        """The best of them."""
        return self.rows[0]

    def name(self, several: bool) -> str:
        """Backends, then the entry point; the run where there are several."""
        backends = dict.fromkeys(_named(row).partition("/")[0] for row in self.rows)
        name = f"{', '.join(backends)}/{_named(self.row).partition('/')[2]}"
        return f"{name} ({self.row.source.name})" if several else name

    def short(self, several: bool) -> str:
        """The same without modules, as the first screen of a run has it."""
        backends, _, entry = self.name(several).partition("/")
        stem, bracket, variant = entry.partition("[")
        return f"{backends} {stem.rpartition('.')[2]}{bracket}{variant}"


def page(choice: Choice, everything: bool = False) -> Page:
    """The page of a choice; with `everything` the table has all rows and the sentences are about all of them.

    What `take` tells of has no other sentence.
    """
    several = len(choice.sources) > 1
    groups = _alike(choice.rows)
    best = _best(groups)
    shown = groups if everything else _shown(groups)
    said: dict[str, list[str]] = {}
    for one in shown:
        if one not in best and (everything or (one.row.main and one.row.trains)):
            said.setdefault(one.said, []).append(one.short(several))
    return Page(
        title=f"bce-conformance choose: {', '.join(need.name for need in choice.stated.needs)}",
        verdict=_verdict(choice),
        met=bool(choice.good),
        take=_take(groups, several),
        sources=tuple(source_text(source) for source in choice.sources),
        interrupted=tuple(source.name for source in choice.sources if source.record.interrupted),
        grids=tuple(
            grid
            for grid in (
                _ranking(choice, shown, several, len(groups) - len(shown)),
                _mixed(shown, several),
                _speed([row for group in shown for row in group.rows], several),
                _needs(choice),
            )
            if grid.rows
        ),
        sentences=tuple(("; ".join(names), text) for text, names in said.items()),
        limits=(*choice.notes, *limits(choice)),
        team=_team(choice, groups, several),
    )


def source_text(source: Source) -> str:
    """What was read: its name, its date, the versions and the machine."""
    header = source.record.header
    versions = {pair for line in header.backends for pair in line.versions.items()}
    named = " ".join(f"{name} {re.split('[-+]', version)[0]}" for name, version in sorted(versions))
    processor = header.machine.get("processor", "unknown processor")
    return f"{source.name}, of {header.started[:10]}, {processor}: {named or 'no backend'}"


def _alike(rows: Iterable[Row]) -> list[_Alike]:
    """The rows in order, those that did alike with the best of them."""
    groups: dict[tuple[object, ...], list[Row]] = {}
    for row in rows:
        entry = _named(row).partition("/")[2]
        words = tuple(answer_text(answer) for answer in row.answers)
        groups.setdefault((row.source.name, entry, words, row.status, sentence(row)), []).append(row)
    return [_Alike(tuple(members), str(key[-1])) for key, members in groups.items()]


def _shown(groups: Sequence[_Alike]) -> list[_Alike]:
    """The rows of the table: what to take, what people train with, and what else is good where there is room."""
    best = _best(groups)
    kept = [one for one in groups if one in best or (one.row.main and one.row.trains and one.row.linked)]
    others = [one for one in groups if one not in kept and one.row.status in (MET, DOCUMENTED)]
    kept += others[: max(ROWS - len(kept), 0)]
    return [one for one in groups if one in kept]


def _named(row: Row) -> str:
    """The id without the mode and device that most have."""
    return row.implementation.removesuffix(PLAIN_CALL)


def _verdict(choice: Choice) -> str:
    met, documented, every = len(choice.of(MET)), len(choice.of(DOCUMENTED)), len(choice.rows)
    if met or documented:
        also = f", {documented} more but for what they document" if documented else ""
        return f"{met} of {every} entry points meet all needs{also}"
    said = []
    for index, need in enumerate(choice.stated.needs):
        found = [row.answers[index].status for row in choice.rows]
        if not {MET, DOCUMENTED} & set(found):
            counts = ", ".join(f"{found.count(status)} {status}" for status in (NOT_MET, NOT_MEASURED))
            said.append(f"{need.name} is met by none ({counts})")
    return f"none of {every} entry points meets all needs: {'; '.join(said) or 'each is met by some, all by none'}"


def _best(groups: Sequence[_Alike]) -> list[_Alike]:
    """What to take: what meets all needs, or else what does so but for what it documents."""
    found = [[one for one in groups if one.row.status == status] for status in (MET, DOCUMENTED)]
    return (found[0] or found[1])[:TAKEN]


def _take(groups: Sequence[_Alike], several: bool) -> str:
    """What to take, and why; where nothing meets all needs, what does least harm."""
    if best := _best(groups):
        names = " or ".join(one.name(several) for one in best)
        return f"Take {names}: {best[0].said}{_error(best[0].row)}."
    usable = [one for one in groups if one.row.usable]
    if not usable:
        return "Nothing that was run can be called so."
    return f"Nothing meets all needs. {usable[0].name(several)} does least harm: {usable[0].said}."


def _error(row: Row) -> str:
    """The worst error where it is one that a number of ULP tells something about."""
    told = row.error is not None and row.error < 1 / MISLEADING and row.status == MET
    return f", {error_text(row.error)} ULP at worst" if told else ""


def _team(choice: Choice, groups: Sequence[_Alike], several: bool) -> str:
    """A paragraph to copy: the question, the answer, what the usual ones do, and how to see it again."""
    needs = ",".join(need.name for need in choice.stated.needs)
    usual = [one for one in groups if one.row.main and one.row.trains and one.row.status not in (MET, NOT_MEASURED)]
    said = " ".join(f"{one.name(several)}: {one.said}." for one in usual[:ROWS])
    return (
        f"For {needs}: {_take(groups, several)} {said} Measured on the CPU by bce-conformance, "
        f"{'; '.join(source_text(source) for source in choice.sources)}. "
        f"See it again: bce-conformance choose --shipped --need {needs}."
    )


def answer_text(answer: Answer) -> str:
    """A word: of what was found, as on the first screen; of what is documented, with the harm that it does."""
    if answer.form:
        return answer.form
    if answer.autocast is not None and answer.autocast.raises:
        return answer.autocast.word
    if answer.unanswered:
        return "refuses"
    if not answer.grade.elements:
        return NOTHING
    word, excused = answer.grade.word, answer.grade.documented
    told = f"{word} ({SHORT.get(excused, excused.word)})" if word == "docs" and excused is not None else word
    return f"{answer.autocast.word}: {told}" if answer.autocast is not None else told


def _ranking(choice: Choice, shown: Sequence[_Alike], several: bool, more: int) -> Grid:
    timed = [line for one in shown for line in one.row.speeds]
    used = {answer.grade.word for one in shown for answer in one.row.answers}
    meanings = " · ".join(meaning for word, meaning in WORDS.items() if word in used)
    left_out = f" · {more} rows more: --all" if more else ""
    return Grid(
        _verdict(choice),
        (
            "rank", "implementation", *(need.name for need in choice.stated.needs), "ULP",
            *(("million/s",) if timed else ()),
        ),
        tuple(
            (
                str(one.row.rank or "-"), one.name(several), *map(answer_text, one.row.answers),
                error_text(one.row.error) if one.row.error is None or math.isfinite(one.row.error) else "∞",
                *((_pace(one.row),) if timed else ()),
            )
            for one in shown
        ),
        2 + len(choice.stated.needs),
        f"{meanings}{' · ' if meanings else ''}{LEGEND}{left_out}",
    )  # fmt: skip


def _pace(row: Row) -> str:
    return "-" if math.isinf(row.seconds) else f"{1e-6 / row.seconds:.3g}"


def _needs(choice: Choice) -> Grid:
    """The needs in words, and the cases whose checks are the evidence."""
    dtypes = ", ".join(choice.stated.dtypes)
    rows = tuple(
        (need.name, need.meaning, need.dtype or dtypes, ", ".join(need.quantities), _cases(choice.cases(index)))
        for index, need in enumerate(choice.stated.needs)
    )
    return Grid(
        "What is needed, and the checks behind it", ("need", "meaning", "dtypes", "quantities", "cases"), rows, 5
    )


def _cases(cases: Iterable[str]) -> str:
    """Cases by the first part of their ids: `hard-labels/{logits, probabilities}`."""
    groups: dict[str, list[str]] = {}
    for case in cases:
        group, _, name = case.partition("/")
        groups.setdefault(group, []).append(name)
    return ", ".join(f"{group}/{{{', '.join(names)}}}" for group, names in groups.items()) or "none in this run"


def _mixed(shown: Sequence[_Alike], several: bool) -> Grid:
    """What documentation says of automatic mixed precision, where that is needed."""
    found: dict[tuple[str, str, str], list[str]] = {}
    for one in shown:
        for told in (answer.autocast for answer in one.row.answers if answer.autocast is not None):
            found.setdefault((told.does, told.quote, told.url), []).append(one.name(several))
    return Grid(
        "Automatic mixed precision, as documented",
        ("implementation", "what happens", "quotation", "source"),
        tuple(("; ".join(names), *told) for told, names in found.items()),
        4,
    )


def _speed(rows: Sequence[Row], several: bool) -> Grid:
    """Elements per second and memory in the dtypes asked for, a row for each that was timed, and direction."""
    sizes = sorted({line.elements for row in rows for line in row.speeds})
    made = []
    for row in rows:
        name = f"{_named(row)} ({row.source.name})" if several else _named(row)
        for dtype, direction in dict.fromkeys((line.dtype, line.direction) for line in row.speeds):
            found = {line.elements: line for line in row.speeds if (line.dtype, line.direction) == (dtype, direction)}
            made.append((name, dtype, direction, *(speed_text(found.get(size)) for size in sizes)))
    return Grid(
        "Speed: elements per second, and memory at the peak beyond what was held before",
        ("implementation", "dtype", "direction", *(f"{size:,} elements" for size in sizes)),
        tuple(made),
        3,
        "one thread; forward: the losses; backward: the gradient by the prediction, for which automatic "
        "differentiation computes the losses on the way unless a compiler leaves them out; the median of interleaved "
        "repeats",
    )


def speed_text(line: SpeedLine | None) -> str:
    """Elements per second, and memory in units of 1000 bytes and so on."""
    if line is None:
        return "not measured"
    memory = "" if line.memory is None else f", {_with_unit(line.memory)}B"
    return f"{_with_unit(line.elements / line.seconds)}/s{memory}"


def _with_unit(number: float) -> str:
    """Three digits and the prefix that leaves the number between 1 and 1000."""
    for factor, prefix in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if number >= 0.9995 * factor:
            return f"{number / factor:.3g} {prefix}"
    return f"{number:.3g} "
