"""Runs of several versions side by side: verdicts and worst errors of each implementation, family and quantity."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from conformance.record.record import CheckLine, RunRecord
from conformance.versions.columns import Result


@dataclass
class Cell:
    """One row in one version: verdicts of elements, and the worst condition-scaled error of values that are finite.

    `worst` is in ULP of the returned dtype, against the ideal; None where there is no such error.
    """

    verdicts: Counter[str] = field(default_factory=Counter)
    worst: float | None = None

    def count(self, check: CheckLine) -> None:
        """Take a check in."""
        self.verdicts.update(check.verdicts or (check.verdict,) * max(len(check.elements), 1))
        errors = [one for one in check.ulp if one is not None]
        if errors:
            self.worst = max(errors) if self.worst is None else max(self.worst, *errors)


@dataclass(frozen=True)
class Row:
    """An implementation × case family × quantity, with a cell for each column; None where nothing was run."""

    implementation: str
    family: str
    quantity: str
    cells: tuple[Cell | None, ...]

    @property
    def differs(self) -> bool:
        """Whether two versions have other verdicts or another worst error; one that has no such checks is none."""
        seen = [one for one in self.cells if one is not None]
        return any(one != seen[0] for one in seen[1:])


@dataclass(frozen=True)
class Sheet:
    """Columns that have implementations in common, and their rows."""

    results: tuple[Result, ...]
    rows: tuple[Row, ...]


def sheets(results: Sequence[Result]) -> tuple[Sheet, ...]:
    """One sheet for all columns that are about the same implementations, in the order of the columns."""
    groups: list[tuple[set[str], list[Result]]] = []
    for result in results:
        if not isinstance(result.record, RunRecord):
            continue
        names = {check.implementation for check in result.record.checks}
        for known, members in groups:
            if known & names:
                known |= names
                members.append(result)
                break
        else:
            groups.append((names, [result]))
    return tuple(Sheet(tuple(members), tuple(_rows(members))) for _, members in groups)


def _rows(results: Sequence[Result]) -> Iterator[Row]:
    found: dict[tuple[str, str, str], list[Cell | None]] = {}
    for place, result in enumerate(results):
        assert isinstance(result.record, RunRecord)
        for check in result.record.checks:
            key = (check.implementation, check.family, check.quantity)
            cells = found.setdefault(key, [None] * len(results))
            cell = cells[place] or Cell()
            cell.count(check)
            cells[place] = cell
    order = list(dict.fromkeys(implementation for implementation, _, _ in found))
    for (implementation, family, quantity), cells in sorted(found.items(), key=lambda one: order.index(one[0][0])):
        yield Row(implementation, family, quantity, tuple(cells))
