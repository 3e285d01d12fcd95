"""Which problem explains which recorded finding: each has one, that of the narrowest claim to it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

from conformance.ids import CauseId
from conformance.known.problem import Explains, Problem
from conformance.known.recorded import UNEXPLAINED, Row


class Explainer:
    """Which problem explains a result that need not be recorded, such as one of numbers that a reader tried."""

    def __init__(self, rows: Sequence[Row], problems: dict[str, Problem]) -> None:
        self._rows: dict[str, list[Row]] = {}
        for row in rows:
            self._rows.setdefault(row.cause, []).append(row)
        self._problems = problems
        self._widths: dict[Explains, int] = {}

    def of(self, cause: str, case: str, dtype: str, mode: str) -> Problem | None:
        """The problem of the narrowest claim to a finding of `cause`, the first of several; None of none."""
        parts = CauseId.parse(cause)
        claims = [
            (self._width(one), name)
            for name, problem in self._problems.items()
            for one in problem.explains
            if one.takes_cause(parts) and one.takes(case, dtype, (mode,))
        ]
        return self._problems[min(claims)[1]] if claims else None

    def _width(self, claim: Explains) -> int:
        """How many rows a claim takes."""
        if claim not in self._widths:
            self._widths[claim] = sum(
                claim.takes(row.case, row.dtype, row.modes)
                for cause, rows in self._rows.items()
                if claim.takes_cause(CauseId.parse(cause))
                for row in rows
            )
        return self._widths[claim]


class Claim(NamedTuple):
    """The entry of a problem's `explains` at this place; `width` is how many rows it takes."""

    problem: str
    place: int
    width: int


def explained(rows: Sequence[Row], problems: dict[str, Problem]) -> tuple[Row, ...]:
    """The rows, each with the problem of the narrowest claim to it, the one that takes fewest rows, or none.

    Of claims that take as many, the first problem by id has it: `disputed` names these.
    """
    return tuple(
        replace(row, problem=found[0].problem if found else UNEXPLAINED)
        for row, found in zip(rows, _claimed(rows, problems), strict=True)
    )


def disputed(rows: Sequence[Row], problems: dict[str, Problem]) -> Iterator[str]:
    """A line for each pair of problems whose claims to a row are as narrow."""
    seen: set[tuple[str, str]] = set()
    for row, found in zip(rows, _claimed(rows, problems), strict=True):
        for other in found[1:]:
            pair = found[0].problem, other.problem
            if other.width == found[0].width and pair[0] != pair[1] and pair not in seen:
                seen.add(pair)
                yield f"{pair[0]} and {pair[1]} both claim {row.cause} in {row.dtype}: one must be narrower"


def idle(rows: Sequence[Row], problems: dict[str, Problem]) -> Iterator[str]:
    """A line for each problem that explains nothing, and for each entry of `explains` that takes no row."""
    taken = {row.problem for row in explained(rows, problems)}
    counts = Counter((one.problem, one.place) for found in _claimed(rows, problems) for one in found)
    for name, problem in problems.items():
        if name not in taken:
            yield f"{name} explains nothing that is recorded"
        for index in range(len(problem.explains)):
            if not counts[name, index]:
                yield f"{name}: explains[{index}] takes nothing that is recorded"


def _claimed(rows: Sequence[Row], problems: dict[str, Problem]) -> list[list[Claim]]:
    """The claims to each row, the narrowest first."""
    explains = [(name, index, one) for name, each in problems.items() for index, one in enumerate(each.explains)]
    of_cause: dict[str, list[tuple[str, int, Explains]]] = {}
    found: list[list[tuple[str, int]]] = []
    for row in rows:
        if row.cause not in of_cause:
            cause = CauseId.parse(row.cause)
            of_cause[row.cause] = [claim for claim in explains if claim[2].takes_cause(cause)]
        takers = of_cause[row.cause]
        found.append([(name, index) for name, index, one in takers if one.takes(row.case, row.dtype, row.modes)])
    sizes = Counter(claim for claims in found for claim in claims)
    return [sorted((Claim(*one, sizes[one]) for one in each), key=lambda one: (one.width, one)) for each in found]
