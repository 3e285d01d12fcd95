"""Which entry points do least harm to what a reader needs: one run record or several, ranked without invented weights.

A row is one implementation in one run.  Nothing of two runs is ever put into one row: they may differ in versions and
machines, and a reader who hands over two sees both.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

from conformance.adapters.declaration import BASE_MODE
from conformance.choose.needs import MAIN, RIGHT, SILENT, Autocast, Need, Stated, autocast_of, mixed_mode
from conformance.ids import ImplementationId
from conformance.judge.harm import Harm
from conformance.quantities import GRADIENT_PREDICTION, NUMERIC, VALUE
from conformance.record.grades import Grade, entries
from conformance.record.harms import Harms, documented, harms
from conformance.record.record import CheckLine, ImplementationLine, InputsLine, RunRecord, SpeedLine
from conformance.record.summary import answers_outside

MET, DOCUMENTED, NOT_MET, NOT_MEASURED = "met", "as documented", "not met", "not measured"

MAIN_FAMILIES = frozenset(MAIN)

#: Verdicts of a call that gave no answer: it was refused, or nobody can say whether it is right.
UNANSWERED = frozenset({"unsupported", "undecided"})


@dataclass(frozen=True)
class Source:
    """A run record and what the reader calls it."""

    name: str
    record: RunRecord

    @cached_property
    def found(self) -> Harms:
        """The harm of every finding."""
        return harms(self.record)

    @cached_property
    def excused(self) -> Harms:
        """The harm of every element that only the documentation excuses."""
        return documented(self.record)

    @cached_property
    def bits(self) -> dict[str, dict[tuple[str, str, str], tuple[str, ...]]]:
        """By implementation what came back, for each case, dtype and numeric quantity."""
        found: dict[str, dict[tuple[str, str, str], tuple[str, ...]]] = {}
        for check in self.record.checks:
            if check.quantity in NUMERIC and check.bits:
                found.setdefault(check.implementation, {})[check.case, check.dtype, check.quantity] = check.bits
        return found


@dataclass(frozen=True, kw_only=True)
class Element:
    """One element of the evidence: its verdict, and the harm that it does; `documented` where documentation excuses it.

    `at` is its place among those of its check; None where it is a presentation of the case, or all of it.
    """

    check: CheckLine
    line: InputsLine
    name: str
    at: int | None
    verdict: str
    harm: Harm | None = None
    documented: bool = False
    problem: str = ""

    @property
    def error(self) -> float:
        """In ULP of the returned dtype against exact mathematics; infinite where no number of ULP covers it."""
        told = self.check.ulp[self.at] if self.at is not None and self.at < len(self.check.ulp) else None
        return told if told is not None else 0.0 if self.verdict in RIGHT - {"by-contract"} else math.inf


@dataclass(frozen=True, kw_only=True)
class Answer:
    """How a row does on a need: the grade of its evidence, as the first screen of a run gives it, and what is wrong.

    `wrong` are the elements that do harm; `unanswered` counts those that were refused.  `form` is that which the row
    takes where the need is about another.  `tried` says whether any implementation of the run has evidence; if so, one
    that has none does not offer what is needed.  `families` are those of the evidence, `lacking` the main ones that
    only others of its form have: this one takes no soft labels, for instance.  `autocast` is what the documentation
    says of mixed precision, where that is needed.
    """

    need: Need
    grade: Grade
    wrong: tuple[Element, ...] = ()
    unanswered: int = 0
    form: str = ""
    tried: bool = False
    cases: tuple[str, ...] = ()
    families: frozenset[str] = frozenset()
    lacking: frozenset[str] = frozenset()
    autocast: Autocast | None = None

    @property
    def refuses(self) -> bool:
        """Whether it cannot be called so: another form, an exception for valid inputs, an error of autocast."""
        raises = self.autocast is not None and self.autocast.raises
        return raises or bool(self.form) or self.unanswered > 0

    @property
    def status(self) -> str:
        """met: right, or off in the last digits, or where no training is.  as documented: but for what documents say.

        A documented result that breaks a training is no answer to any need.
        """
        if self.refuses:
            return NOT_MET
        if not self.grade.elements:
            return NOT_MEASURED
        found, excused = self.grade.found or Harm.REFUSES, self.grade.documented or Harm.REFUSES
        if found > Harm.LAST_DIGITS or excused >= Harm.BREAKS:
            return NOT_MET
        if self.lacking:
            return NOT_MEASURED
        return DOCUMENTED if excused > Harm.LAST_DIGITS else MET


@dataclass(frozen=True, kw_only=True)
class Row:
    """One implementation in one run: its answers, and what a reader may want to know besides.

    `rank` is that of the order, which equals share; None where nothing follows from the evidence.  `error` is the worst
    over the numeric evidence that is of some use, or over the values of the main families where the needs have none;
    None where nothing of that was measured.  `main` says whether it is what people call, `linked` whether that has a
    page of documentation, `trains` whether it has a gradient.  `inputs` counts those whose numbers are needed.
    `outside` is what happens to labels outside [0, 1]: rejects, accepts, mixed, or "" where that was not run.
    `speeds` are those in the dtypes that were asked for.
    """

    implementation: str
    form: str
    source: Source
    answers: tuple[Answer, ...]
    dtypes: tuple[str, ...]
    error: float | None
    inputs: int
    main: bool
    linked: bool
    trains: bool
    outside: str
    speeds: tuple[SpeedLine, ...]
    rank: int | None = None

    @property
    def status(self) -> str:
        """The worst of its answers."""
        found = {answer.status for answer in self.answers}
        return next(one for one in (NOT_MET, NOT_MEASURED, DOCUMENTED, MET) if one in found)

    @property
    def usable(self) -> bool:
        """Whether it can be called as is needed, and was."""
        return not any(one.refuses or one.status == NOT_MEASURED for one in self.answers)

    @property
    def order(self) -> tuple[bool, bool, list[float], float, float]:
        """The place of the row: what cannot be called last; then by harm, the worst first; by error; by time."""
        ranks = sorted((answer.grade.rank for answer in self.answers), reverse=True)
        refuses = any(answer.refuses for answer in self.answers)
        error = math.inf if self.error is None else self.error
        return refuses, not self.usable, ranks, error, self.seconds

    @property
    def seconds(self) -> float:
        """For an element of the largest call that was timed, with its gradient if that was; infinite without one."""
        timed = sorted(self.speeds, key=lambda one: (one.direction == "backward", one.elements))
        return timed[-1].seconds / timed[-1].elements if timed else math.inf


@dataclass(frozen=True)
class Choice:
    """The answer to a reader: all rows in order."""

    stated: Stated
    sources: tuple[Source, ...]
    rows: tuple[Row, ...]
    notes: tuple[str, ...] = ()

    def of(self, *statuses: str) -> list[Row]:
        """The rows of some statuses, in order."""
        return [row for row in self.rows if row.status in statuses]

    @property
    def good(self) -> list[Row]:
        """The rows that meet all needs, if only as documented."""
        return self.of(MET, DOCUMENTED)

    def cases(self, index: int) -> tuple[str, ...]:
        """The cases whose checks are the evidence for a need, over all rows."""
        return tuple(dict.fromkeys(case for row in self.rows for case in row.answers[index].cases))


@dataclass
class _Candidate:
    """An implementation in one run, with its checks; `main` as `Row` has it."""

    source: Source
    line: ImplementationLine
    main: bool
    checks: list[CheckLine] = field(default_factory=list)

    @cached_property
    def place(self) -> ImplementationId:
        """Backend, entry, mode and device."""
        return ImplementationId.parse(self.line.id)


def choose(sources: Sequence[Source], stated: Stated, everything: bool = False, notes: Sequence[str] = ()) -> Choice:
    """Rank the entry points of some runs: those that people call, and where none of a backend offers a need, what does.

    Twins, focal losses and losses of classes are ranked besides if they offer what no other of their backend does, or
    for `everything`.
    """
    candidates = list(_chosen(list(_candidates(sources)), stated))
    rows = [_row(one, stated) for one in candidates if one.main or everything]
    if not everything:
        others = [_row(one, stated) for one in candidates if not one.main]
        rows += [row for row in others if _offers_more(row, rows)]
    ordered = sorted(_told(rows), key=lambda row: row.order)
    return Choice(stated, tuple(sources), tuple(_ranked(ordered)), tuple(notes))


def _offers_more(row: Row, rows: Sequence[Row]) -> bool:
    """Whether it has evidence for a need of which no row has any, or none of its backend if people train with that."""
    backend = ImplementationId.parse(row.implementation).backend
    own = [one for one in rows if ImplementationId.parse(one.implementation).backend == backend]
    others = own if any(one.trains for one in own) else rows
    return any(
        answer.grade.elements and not any(one.answers[index].grade.elements for one in others)
        for index, answer in enumerate(row.answers)
    )


def _candidates(sources: Sequence[Source]) -> Iterator[_Candidate]:
    for source in sources:
        main = {ImplementationId.parse(name).family for name in entries(source.record)}
        found = {
            one.id: _Candidate(source, one, ImplementationId.parse(one.id).family in main)
            for one in source.record.header.implementations
        }
        for check in source.record.checks:
            found[check.implementation].checks.append(check)
        yield from (one for one in found.values() if one.checks)


def _chosen(candidates: list[_Candidate], stated: Stated) -> Iterator[_Candidate]:
    """The modes that a reader chooses between: compiled ones or mixed precision where that is needed, else plain calls.

    Where an entry was not run so in any of the runs, its plain call, or else the modes that were run, stand for it.
    """
    places: dict[tuple[str, str, str], list[_Candidate]] = {}
    for one in candidates:
        backend, entry, _, device = one.place
        places.setdefault((backend, entry, device), []).append(one)
    for modes in places.values():
        plain = [one for one in modes if one.place.mode == BASE_MODE]
        wanted = plain
        if stated.compiled:
            wanted = [one for one in modes if one.line.is_compiled]
        elif stated.amp:
            wanted = [one for one in modes if one.place.mode == mixed_mode()]
        yield from wanted or plain or modes


def _row(one: _Candidate, stated: Stated) -> Row:
    record = one.source.record
    autocast = autocast_of(one.place.family) if stated.amp else None
    if autocast is not None and autocast.computes and one.place.mode != mixed_mode():
        stated = stated.computed_in(autocast.computes)
    inputs = record.inputs_by_case  # of an interrupted record some are missing
    paired = [(check, inputs[key]) for check in one.checks if (key := (check.case, check.dtype)) in inputs]
    answers, used = [], []
    for need in stated.needs:
        evidence = [pair for pair in paired if stated.is_evidence(need, *pair)]
        if need.compiled and not one.line.is_compiled:
            evidence = []  # the plain call says nothing about a compiled one
        told = [element for pair in evidence for element in _elements(need, *pair, one.source)]
        answers.append(replace(_answer(need, told, one.line.form), autocast=autocast if need.amp else None))
        used += [element for element in told if need.accurate and element.check.quantity in NUMERIC]
    inputs_asked = len({(element.check.case, element.check.dtype, element.name) for element in used})
    if not used:
        values = [pair for pair in paired if pair[0].quantity == VALUE and pair[0].dtype in stated.dtypes]
        plain = replace(stated.needs[0], quantities=(VALUE,), passes=RIGHT)
        used = [element for pair in values if stated.about(pair[1]) for element in _elements(plain, *pair, one.source)]
    return Row(
        implementation=one.line.id,
        form=one.line.form,
        source=one.source,
        answers=tuple(answers),
        dtypes=stated.dtypes,
        error=max((element.error for element in used if element.harm is not Harm.EDGE), default=None),
        inputs=inputs_asked,
        main=one.main,
        linked=bool(one.line.link),
        trains=any(check.quantity == GRADIENT_PREDICTION for check in one.checks),
        outside=answers_outside(record, (check for check, _ in paired if check.dtype in stated.dtypes)),
        speeds=tuple(
            line for line in record.speeds if line.implementation == one.line.id and line.dtype in stated.dtypes
        ),
    )


def _elements(need: Need, check: CheckLine, line: InputsLine, source: Source) -> Iterator[Element]:
    """The elements of a check that say anything about a need, and what it found besides of the presentations of it."""
    places = {name: place for place, name in enumerate(check.elements)}
    findings = {one.element: one for one in check.findings if one.outcome != "fixed"}
    verdicts = check.verdicts or (check.verdict,) * len(check.elements)
    told = dict(zip(check.elements, verdicts, strict=True))
    for name, verdict in (*told.items(), *((name, one.verdict) for name, one in findings.items() if name not in told)):
        if verdict in SILENT:
            continue
        element = Element(check=check, line=line, name=name, at=places.get(name), verdict=verdict)
        excused = source.excused.get((check.id, name), Harm.LAST_DIGITS)
        if verdict in need.passes:
            if verdict == "by-contract" and need.passes <= RIGHT and excused > Harm.LAST_DIGITS:
                element = replace(element, harm=excused, documented=True)
        elif verdict == "by-contract":
            element = replace(element, harm=excused)
        elif verdict in RIGHT:  # an answer, but not that which is needed: it raises, or it does not
            element = replace(element, harm=Harm.BREAKS)
        else:
            finding = findings.get(name)
            harm = source.found.get((check.id, name), Harm.BREAKS)
            problem = "" if finding is None else finding.problem or finding.cause
            element = replace(element, harm=harm, problem=problem)
        yield element


def _answer(need: Need, told: Sequence[Element], form: str) -> Answer:
    grade = Grade()
    for one in told:
        grade.elements += 1
        grade.rejected += one.verdict == "rejects"
        if one.harm is None:
            continue
        if one.documented:
            grade.documented = max(one.harm, grade.documented or one.harm)
        else:
            grade.add(one.harm, one.problem)
    return Answer(
        need=need,
        grade=grade,
        wrong=tuple(one for one in told if one.harm is not None),
        unanswered=sum(one.verdict in UNANSWERED and one.verdict not in need.passes for one in told),
        form=form if need.form not in ("", form) else "",
        cases=tuple(dict.fromkeys(one.check.case for one in told)),
        families=frozenset(one.line.family for one in told),
    )


def _told(rows: Sequence[Row]) -> Iterator[Row]:
    """The rows, told what others have evidence of."""
    tried: dict[tuple[str, int], set[str]] = {}
    alike: dict[tuple[str, int, str], set[str]] = {}
    for row in rows:
        for index, one in enumerate(row.answers):
            tried.setdefault((row.source.name, index), set()).update(one.families)
            alike.setdefault((row.source.name, index, row.form), set()).update(one.families & MAIN_FAMILIES)
    for row in rows:
        answers = []
        for index, one in enumerate(row.answers):
            lacking = frozenset(alike[row.source.name, index, row.form]) - one.families if one.families else frozenset()
            answers.append(replace(one, tried=bool(tried[row.source.name, index]), lacking=lacking))
        yield replace(row, answers=tuple(answers))


def _ranked(rows: Iterable[Row]) -> Iterator[Row]:
    """Ranks for rows in order: equals share one, and the next rank counts them all."""
    rank, before = 0, None
    for index, row in enumerate(rows, start=1):
        if not row.usable:
            yield row
            continue
        if row.order != before:
            rank, before = index, row.order
        yield replace(row, rank=rank)
