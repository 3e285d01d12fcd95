"""Which implementations meet a reader's needs: one run record or several, ranked without invented weights.

A row is one implementation in one run.  Nothing of two runs is ever put into one row: they may differ in versions and
machines, and a reader who hands over two sees both.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

from conformance.adapters.declaration import BASE_MODE
from conformance.choose.needs import Need, Stated, verdicts
from conformance.ids import ImplementationId
from conformance.judge.verdicts import SEVERITY
from conformance.quantities import NUMERIC
from conformance.record.record import CheckLine, ImplementationLine, InputsLine, RunRecord, SpeedLine
from conformance.record.summary import Cell, answers_outside

MET, NOT_MET, NOT_MEASURED = "met", "not met", "not measured"


@dataclass(frozen=True)
class Source:
    """A run record and what the reader calls it."""

    name: str
    record: RunRecord


@dataclass(frozen=True, order=True)
class Worst:
    """The largest condition-scaled errors, in ULP of the returned dtypes; infinite where no number of ULP covers it.

    `contract` is against the nearer of ideal and contract, which is what a need admits, and so it comes first in the
    order; `ideal` is against exact mathematics, where a documented clip shows.
    """

    contract: float = 0.0
    ideal: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Answer:
    """Whether a row meets a need: the counts of its evidence, and the checks that do not meet it, the worst first.

    `most` is the largest evidence that any implementation of the same form has: some take hard labels only.  `tried`
    says whether any implementation of the run has evidence; if so, one that has none does not offer what is needed.
    `cases` are those of the evidence.
    """

    need: Need
    cell: Cell
    failing: tuple[CheckLine, ...] = ()
    cases: tuple[str, ...] = ()
    most: int = 0
    tried: bool = False

    @property
    def status(self) -> str:
        """met, not met or not measured."""
        return NOT_MEASURED if not self.cell.checks else NOT_MET if self.failing else MET


@dataclass(frozen=True, kw_only=True)
class Row:
    """One implementation in one run: its answers, and what a reader may want to know besides.

    `rank` is None unless all needs are met.  `worst` is over the numeric evidence, or over the values of the main
    families where the needs have none; None where nothing of that was measured.  `outside` is what happens to labels
    outside [0, 1]: rejects, accepts, mixed, or "" where that was not run.
    """

    implementation: str
    form: str
    source: Source
    answers: tuple[Answer, ...]
    worst: Worst | None
    values: Cell
    gradients: Cell
    worst_gradient: Worst | None
    outside: str
    speeds: tuple[SpeedLine, ...]
    rank: int | None = None

    @property
    def status(self) -> str:
        """met where all needs are, not met where one is not, else not measured."""
        found = {answer.status for answer in self.answers}
        return NOT_MET if NOT_MET in found else NOT_MEASURED if NOT_MEASURED in found else MET

    @property
    def order(self) -> tuple[int, int, bool, Worst]:
        """The place of the row: by status, among excluded ones by the number of needs not met, then by worst error."""
        unmet = sum(answer.status == NOT_MET for answer in self.answers)
        return (MET, NOT_MEASURED, NOT_MET).index(self.status), unmet, self.worst is None, self.worst or Worst()


@dataclass(frozen=True)
class Choice:
    """The answer to a reader: all rows in order."""

    stated: Stated
    sources: tuple[Source, ...]
    rows: tuple[Row, ...]

    def of(self, status: str) -> list[Row]:
        """The rows of one status, in order."""
        return [row for row in self.rows if row.status == status]

    def cases(self, index: int) -> tuple[str, ...]:
        """The cases whose checks are the evidence for a need, over all rows."""
        return tuple(dict.fromkeys(case for row in self.rows for case in row.answers[index].cases))


@dataclass
class _Candidate:
    """An implementation in one run, with its checks."""

    source: Source
    line: ImplementationLine
    checks: list[CheckLine] = field(default_factory=list)

    @cached_property
    def place(self) -> ImplementationId:
        """Backend, entry, mode and device."""
        return ImplementationId.parse(self.line.id)


def choose(sources: Sequence[Source], stated: Stated) -> Choice:
    """Rank the implementations of some runs.

    Those that meet all needs come first and have a rank, which equal errors share; then those of which something was
    not measured; then those that do not meet a need.
    """
    rows = [_row(one, stated) for one in _chosen(list(_candidates(sources)), stated.compiled)]
    rows = sorted(_compared(rows), key=lambda row: row.order)
    return Choice(stated, tuple(sources), tuple(_ranked(rows)))


def _candidates(sources: Sequence[Source]) -> Iterator[_Candidate]:
    for source in sources:
        found = {one.id: _Candidate(source, one) for one in source.record.header.implementations}
        for check in source.record.checks:
            found[check.implementation].checks.append(check)
        yield from (one for one in found.values() if one.checks)


def _chosen(candidates: list[_Candidate], compiled: bool) -> Iterator[_Candidate]:
    """The modes that a reader chooses between: compiled ones where that is needed, else the plain call.

    Where an entry was not run so in any of the runs, the modes that were run stand for it.
    """
    entries: dict[tuple[str, str, str], list[_Candidate]] = {}
    for one in candidates:
        backend, entry, _, device = one.place
        entries.setdefault((backend, entry, device), []).append(one)
    for modes in entries.values():
        instead = BASE_MODE if any(one.place.mode == BASE_MODE for one in modes) else None
        fitting = [one for one in modes if (one.line.is_compiled if compiled else one.place.mode == BASE_MODE)]
        yield from fitting or [one for one in modes if one.place.mode == (instead or one.place.mode)]


def _paired(record: RunRecord, checks: Iterable[CheckLine]) -> Iterator[tuple[CheckLine, InputsLine]]:
    """Checks with their inputs; an interrupted record may lack some."""
    for check in checks:
        line = record.inputs_by_case.get((check.case, check.dtype))
        if line is not None:
            yield check, line


def _row(one: _Candidate, stated: Stated) -> Row:
    record = one.source.record
    paired = list(_paired(record, one.checks))
    answers, used = [], []
    for need in stated.needs:
        evidence = [pair for pair in paired if stated.is_evidence(need, *pair)]
        if need.compiled and not one.line.is_compiled:
            evidence = []  # the plain call says nothing about a compiled one
        answers.append(_answer(need, evidence))
        used += [check for check, _ in evidence] if need.accurate else []
    numeric = {check.id: check for check in used if check.quantity in NUMERIC}
    values = _main(paired, stated, "value")
    gradients = _main(paired, stated, "gradient-prediction")
    return Row(
        implementation=one.line.id,
        form=one.line.form,
        source=one.source,
        answers=tuple(answers),
        worst=worst_of(numeric.values() or values),
        values=_counted(values),
        gradients=_counted(gradients),
        worst_gradient=worst_of(gradients),
        outside=answers_outside(record, (check for check, _ in paired if check.dtype in stated.dtypes)),
        speeds=tuple(line for line in record.speeds if line.implementation == one.line.id),
    )


def _main(paired: Iterable[tuple[CheckLine, InputsLine]], stated: Stated, quantity: str) -> list[CheckLine]:
    """The checks of one quantity that are about what was stated, whatever is needed."""
    of = (pair for pair in paired if pair[0].quantity == quantity and pair[0].dtype in stated.dtypes)
    return [check for check, line in of if stated.about(line)]


def _answer(need: Need, evidence: Sequence[tuple[CheckLine, InputsLine]]) -> Answer:
    failing = [check for check, line in evidence if not need.met_by(check, line)]
    failing.sort(key=lambda check: (SEVERITY[check.verdict], worst_of([check]) or Worst()), reverse=True)
    cases = tuple(dict.fromkeys(check.case for check, _ in evidence))
    return Answer(need=need, cell=_counted(check for check, _ in evidence), failing=tuple(failing), cases=cases)


def _counted(checks: Iterable[CheckLine]) -> Cell:
    cell = Cell()
    for check in checks:
        cell.add(check)
    return cell


def worst_of(checks: Iterable[CheckLine]) -> Worst | None:
    """The worst errors of numeric checks; None where there is none."""
    found = [error for check in checks for error in _errors(check)]
    if not found:
        return None
    return Worst(max(error.contract for error in found), max(error.ideal for error in found))


def _errors(check: CheckLine) -> Iterator[Worst]:
    """The errors of each element that says anything; a wrong result that no ULP measure is infinitely wrong."""
    if not verdicts(check):
        return
    against = check.contract_ulp or check.ulp
    every = check.verdicts or (check.verdict,) * max(len(check.ulp), 1)
    for index, verdict in enumerate(every):
        ideal = check.ulp[index] if index < len(check.ulp) else None
        contract = against[index] if index < len(against) else None
        expected = verdict in ("conforms", "rejects", "recorded")
        yield Worst(
            contract if contract is not None else 0.0 if expected or verdict == "by-contract" else math.inf,
            ideal if ideal is not None else 0.0 if expected else math.inf,
        )


def _compared(rows: Sequence[Row]) -> Iterator[Row]:
    """The rows, told how much evidence others have."""
    most: dict[tuple[str, str], int] = {}
    for row in rows:
        for answer in row.answers:
            key = row.form, answer.need.name
            most[key] = max(most.get(key, 0), answer.cell.checks)
    tried = {(row.source.name, one.need.name) for row in rows for one in row.answers if one.cell.checks}
    for row in rows:
        told = [
            replace(one, most=most[row.form, one.need.name], tried=(row.source.name, one.need.name) in tried)
            for one in row.answers
        ]
        yield replace(row, answers=tuple(told))


def _ranked(rows: Sequence[Row]) -> Iterator[Row]:
    """Ranks for rows in order: equal errors share one, and the next rank counts them all."""
    rank, before = 0, None
    for index, row in enumerate(rows, start=1):
        if row.status != MET:
            yield row
            continue
        if row.order != before:
            rank, before = index, row.order
        yield replace(row, rank=rank)
