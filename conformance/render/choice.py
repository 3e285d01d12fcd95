"""A choice as a page: what to take and why, a table, a sentence for each entry point; forms of output lay it out."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from conformance.adapters.declaration import PLAIN_CALL
from conformance.choose.choose import DOCUMENTED, MET, NOT_MEASURED, NOT_MET, Answer, Choice, Row, Source
from conformance.choose.sources import SHIPPED, limits
from conformance.ids import ImplementationId
from conformance.judge.harm import MISLEADING, Harm
from conformance.quantities import ACCEPTANCE
from conformance.record.grades import EXCUSED, NOTHING
from conformance.record.record import SpeedLine
from conformance.render.answer import WORDS
from conformance.render.choice_sentences import sentence
from conformance.render.narrate import counted
from conformance.render.scoreboard import error_text

#: Rows of the table, and entry points that are named as what to take, at most.
ROWS, TAKEN = 10, 3

#: Packages that frameworks bring along: of little use to one who chooses.
BESIDE = ("jaxlib", "numpy")

#: What stands below the table where a column of speed is.
PACE = "million/s: elements a second"

#: Where a loss is right that is wrong at the edge of its dtype.
BUT = ", tiny and infinite ones aside"


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
    rest is for forms that have room for all.  `ids` are the implementations of each row of the table, `said` is the
    sentence of each or "".  `team` is a paragraph to copy.  `interrupted` warns of runs without an end.
    """

    title: str
    verdict: str
    met: bool
    take: str
    sources: tuple[str, ...]
    interrupted: tuple[str, ...]
    grids: tuple[Grid, ...]
    ids: tuple[tuple[str, ...], ...]
    said: tuple[str, ...]
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

    def name(self, several: bool, short: bool = False) -> str:
        """Backends, then the entry point, without its modules if it is to be `short`; the run where there are several.

        What is written in brackets is an argument that is set: [from_logits] is from_logits=True.
        """
        backends = list(dict.fromkeys(_named(row).partition("/")[0] for row in self.rows))
        entry = _named(self.row).partition("/")[2]
        name = f"{_together(backends)} {_stem(entry)}" if short else f"{', '.join(backends)}/{entry}"
        return f"{name} ({self.row.source.name})" if several else name


@dataclass(frozen=True)
class _Naming:
    """How entry points are called in a table: without modules, unless two of a backend would have one name."""

    several: bool
    common: frozenset[tuple[str, str]]

    @classmethod
    def of(cls, choice: Choice) -> _Naming:
        """The names of a choice."""
        pairs = {(source.name, *_named(row).partition("/")[::2]) for row in choice.rows for source in [row.source]}
        count = Counter((source, backend, _stem(entry)) for source, backend, entry in pairs)
        common = frozenset((backend, name) for (_, backend, name), number in count.items() if number > 1)
        return cls(len(choice.sources) > 1, common)

    def __call__(self, one: _Alike) -> str:
        """The name of a row."""
        parts = [_named(row).partition("/") for row in one.rows]
        return one.name(
            self.several, short=not any((backend, _stem(entry)) in self.common for backend, _, entry in parts)
        )


def _together(backends: Sequence[str]) -> str:
    """Backends with what they have in common said once: `keras-jax, -torch`."""
    groups: dict[tuple[str, str], list[str]] = {}
    for name in backends:
        common, dash, own = name.partition("-")
        groups.setdefault((common, dash), []).append(f"{dash}{own}")
    return ", ".join(name for (common, _), own in groups.items() for name in (f"{common}{own[0]}", *own[1:]))


def _stem(entry: str) -> str:
    """An entry point without its modules."""
    stem, bracket, variant = entry.partition("[")
    return f"{stem.rpartition('.')[2]}{bracket}{variant}"


def page(choice: Choice, everything: bool = False) -> Page:
    """The page of a choice; with `everything` the table has all rows and the sentences are about all of them.

    What `take` tells of has no other sentence.
    """
    naming = _Naming.of(choice)
    groups = _alike(choice.rows)
    best = _best(groups)
    told = [one for one in best if one.said == best[0].said or one.row.status == MET]
    shown = groups if everything else _shown(groups)
    said = ["" if one in told else one.said for one in shown]
    sentences: dict[str, list[str]] = {}
    for one, words in zip(shown, said, strict=True):
        if words:
            sentences.setdefault(words, []).append(naming(one))
    return Page(
        title=f"bce-conformance choose: {', '.join(need.name for need in choice.stated.needs)}",
        verdict=_verdict(choice),
        met=bool(choice.good),
        take=_take(choice, groups, naming.several),
        sources=tuple(source_text(source, [row for one in shown for row in one.rows]) for source in choice.sources),
        interrupted=tuple(source.name for source in choice.sources if source.record.interrupted),
        grids=tuple(
            grid
            for grid in (
                _ranking(choice, shown, naming, len(groups) - len(shown)),
                _mixed(shown, naming),
                _speed([row for group in shown for row in group.rows], naming.several),
                _needs(choice),
            )
            if grid.rows
        ),
        ids=tuple(tuple(row.implementation for row in one.rows) for one in shown),
        said=tuple(said),
        sentences=tuple(("; ".join(names), text) for text, names in sentences.items()),
        limits=(*choice.notes, *limits(choice)),
        team=_team(choice, shown, groups, naming.several),
    )


def source_text(source: Source, rows: Sequence[Row] = ()) -> str:
    """What was read: its name, its date, the machine, and the versions, of the backends of some rows if there are."""
    header = source.record.header
    named = {ImplementationId.parse(row.implementation).backend for row in rows if row.source is source}
    lines = [line for line in header.backends if line.name in named or not named]
    own = {pair for line in lines for pair in line.versions.items() if not named or pair[0] not in BESIDE}
    told = " ".join(f"{name} {re.split('[-+]', version)[0]}" for name, version in sorted(own))
    processor = header.machine.get("processor", "unknown processor")
    return f"{source.name}, of {header.started[:10]}, {processor}: {told or 'no backend'}"


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
    main = [one for one in groups if one.row.main]
    usual = [one for one in groups if _usual(one)] or main[:ROWS]
    kept = [one for one in groups if one in best or one in usual]
    good = [one for one in groups if one.row.status in (MET, DOCUMENTED)]
    others = [one for one in groups if one not in kept and (one in good or (one.row.usable and not one.row.main))]
    kept += others[: max(ROWS - len(kept), 0)]
    return [one for one in groups if one in kept]


def _named(row: Row) -> str:
    """The id without the mode and device that most have."""
    return row.implementation.removesuffix(PLAIN_CALL)


def _verdict(choice: Choice) -> str:
    met, documented, every = len(choice.of(MET)), len(choice.of(DOCUMENTED)), len(choice.rows)
    if met or documented:
        also = f", {documented} more as they document" if documented else ""
        return f"{met} of {every} entry points meet all needs{also}"
    said = []
    for index, need in enumerate(choice.stated.needs):
        found = [row.answers[index].status for row in choice.rows]
        if not {MET, DOCUMENTED} & set(found):
            counts = ", ".join(f"{found.count(status)} {status}" for status in (NOT_MET, NOT_MEASURED))
            said.append(f"{need.name} is met by none ({counts})")
    return f"none of {every} entry points meets all needs: {'; '.join(said) or 'each is met by some, all by none'}"


def _best(groups: Sequence[_Alike]) -> list[_Alike]:
    """What to take: what meets all needs, or else what does so but for what it documents.

    A function that nobody trains with is taken only where there is nothing else.
    """
    found = [[one for one in groups if one.row.status == status] for status in (MET, DOCUMENTED)]
    good = found[0] or found[1]
    return ([one for one in good if _usual(one)] or good)[:TAKEN]


def _usual(one: _Alike) -> bool:
    """Whether people train with it: an entry point that is documented, and no formula."""
    return one.row.main and one.row.trains and one.row.linked


def _take(choice: Choice, groups: Sequence[_Alike], several: bool, written: Callable[[str], str] = str) -> str:
    """What to take, and why; where nothing meets all needs, what does least harm."""
    where = f"In {' and '.join(choice.stated.dtypes)} "
    if best := _best(groups):
        *others, last = (written(one.name(several)) for one in best)
        names = f"{', '.join(others)} or {last}" if others else last
        return f"{where}take {names}: {_right(best) if best[0].row.status == MET else best[0].said}."
    usable = [one for one in groups if one.row.usable]
    if not usable:
        return "Nothing that was run can be called so."
    return f"{where}nothing meets all needs. {written(usable[0].name(several))} does least harm: {usable[0].said}."


def _right(best: Sequence[_Alike]) -> str:
    """How far those are right that meet all needs."""
    rows = [one.row for one in best]
    least, most = (pick(row.inputs for row in rows) for pick in (min, max))
    if not least:
        return "does all that is needed" if len(rows) == 1 else "each does all that is needed"
    count = f"{most}" if least == most else f"{least} to {most}"
    but = BUT if any(answer.grade.found is Harm.EDGE for row in rows for answer in row.answers) else ""
    errors = [row.error for row in rows if row.error is not None and row.error < 1 / MISLEADING]
    worst = f"; {error_text(max(errors))} ULP off at worst" if len(errors) == len(rows) else ""
    return f"right on all {count} inputs asked for{but}{worst}"


def _team(choice: Choice, shown: Sequence[_Alike], groups: Sequence[_Alike], several: bool) -> str:
    """A paragraph to copy: the question, the answer, what the usual ones do, and how to see it again."""
    needs = ",".join(need.name for need in choice.stated.needs)
    said: dict[str, list[str]] = {}
    for one in shown:
        if one.row.main and one.row.status not in (MET, NOT_MEASURED):
            said.setdefault(one.said, []).append(one.name(several))
    usual = "".join(f" {', '.join(map(_code, names))}: {text}." for text, names in said.items())
    files = "--shipped" if choice.sources[0].name == SHIPPED else " ".join(one.name for one in choice.sources)
    read = "; ".join(source_text(source, [row for one in shown for row in one.rows]) for source in choice.sources)
    again = _code(f"bce-conformance choose {files} --need {needs}")
    return f"For {needs}: {_take(choice, groups, several, _code)}{usual} Read: {read}. See it again: {again}."


def _code(name: str) -> str:
    """As chats and Markdown have a name."""
    return "`" + name.replace("`", "'") + "`"


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
    if answer.need.quantities == (ACCEPTANCE,) or answer.grade.rejected == answer.grade.elements:
        return _acceptance(answer)
    return answer.grade.word


def word_of(cell: str) -> str:
    """The word of harm in a cell of the table, whether it is documented or not."""
    return cell.removesuffix(EXCUSED)


def _acceptance(answer: Answer) -> str:
    """Whether the call raises: of all inputs, of none, or of some."""
    rejected = answer.grade.rejected
    return "accepts" if not rejected else "rejects" if rejected == answer.grade.elements else "rejects some"


def _ranking(choice: Choice, shown: Sequence[_Alike], naming: _Naming, more: int) -> Grid:
    timed = [line for one in shown for line in one.row.speeds]
    cells = {answer_text(answer) for one in shown for answer in one.row.answers}
    used = {word_of(cell) for cell in cells} | {EXCUSED for cell in cells if cell.endswith(EXCUSED)}
    meanings = [meaning for word, meaning in WORDS.items() if word in used]
    left = [f"{counted(more, 'row')} more: --all"] if more else []
    legend = " · ".join([*meanings, *([PACE] if timed else ()), *left])
    return Grid(
        _verdict(choice),
        (
            "rank", "implementation", *(need.name for need in choice.stated.needs), "max ULP",
            *(("million/s",) if timed else ()),
        ),
        tuple(
            (
                str(one.row.rank or "-"), naming(one), *map(answer_text, one.row.answers),
                error_text(one.row.error) if one.row.error is None or math.isfinite(one.row.error) else "∞",
                *((_pace(one.row),) if timed else ()),
            )
            for one in shown
        ),
        2 + len(choice.stated.needs),
        legend,
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


def _mixed(shown: Sequence[_Alike], naming: _Naming) -> Grid:
    """What documentation says of automatic mixed precision, and a run on a CPU, where that is needed."""
    found: dict[tuple[str, ...], list[str]] = {}
    for one in shown:
        for told in (answer.autocast for answer in one.row.answers if answer.autocast is not None):
            found.setdefault((told.does, told.seen, told.quote, told.url), []).append(naming(one))
    return Grid(
        "Automatic mixed precision, as documented, and the result of bfloat16 on a CPU",
        ("implementation", "what happens", "seen", "quotation", "source"),
        tuple(("; ".join(names), *told) for told, names in found.items()),
        5,
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
