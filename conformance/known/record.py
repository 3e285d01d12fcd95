"""The record: what is recorded to deviate in the pinned environment, exactly, and the problems that explain it.

`match` holds judged checks against it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from conformance.errors import InputError
from conformance.known import problem, recorded
from conformance.known.explained import disputed, explained, idle
from conformance.known.problem import Problem
from conformance.known.recorded import UNEXPLAINED, Row
from conformance.plan.plan import Plan
from conformance.plan.requests import Request
from conformance.shipped import shipped


class Place(NamedTuple):
    """Where a record lies: what people write, and what a command writes."""

    problems: Path
    recorded: Path


@dataclass(frozen=True)
class Record:
    """What is recorded, and the instruction sets of the runs that it is made of; nothing is recorded by default."""

    rows: tuple[Row, ...] = ()
    problems: dict[str, Problem] = field(default_factory=dict)
    instruction_sets: frozenset[str] = frozenset()

    def knows(self, instruction_set: str) -> bool:
        """Whether it was made on such a processor, too; a record that does not say where knows all."""
        return not self.instruction_sets or instruction_set in self.instruction_sets


def default_place() -> Place:
    """`known` and `results/recorded` of a checkout, else what the package holds."""
    if Path("known").is_dir() and Path("cases/flags.yaml").is_file():
        return Place(Path("known"), Path("results/recorded"))
    return Place(shipped("known"), shipped("results/recorded"))


def place(folder: Path) -> Place:
    """A record of one's own: problems in a folder, and what is recorded in its `recorded`."""
    return Place(folder, folder / "recorded")


def must_be_there(place: Place) -> None:
    """Raises InputError where there is no such folder of problems."""
    if not place.problems.is_dir():
        what = "is no folder" if place.problems.exists() else "no such folder"
        raise InputError(f"{place.problems}: {what}", "a record is a folder with problems and `recorded`")


def load(places: Sequence[Place]) -> Record:
    """Read what lies in some places, as one record.

    Raises InputError with file and line for what is no record, and for a problem that two places have.
    """
    problems: dict[str, Problem] = {}
    for one in places:
        must_be_there(one)
        own = problem.load(one.problems)
        if twice := sorted(own.keys() & problems.keys()):
            raise InputError(f"{one.problems / twice[0]}.yaml: another record has this problem, too", "rename the file")
        problems |= own
    rows = tuple(row for one in places for row in recorded.read(one.recorded))
    return Record(rows, problems, frozenset(line for one in places for line in recorded.instruction_sets(one.recorded)))


def mistakes(record: Record) -> Iterator[str]:
    """A line for everything in which problems and rows do not fit."""
    left: dict[str, dict[str, None]] = {}
    stale: dict[tuple[str, str], str] = {}
    for row, now in zip(record.rows, explained(record.rows, record.problems), strict=True):
        if now.problem == UNEXPLAINED:
            left.setdefault(row.cause, {})[row.dtype] = None
        elif now.problem != row.problem:
            stale.setdefault((row.problem, now.problem), row.cause)
    yield from (f"no problem explains {cause} in {', '.join(dtypes)}" for cause, dtypes in left.items())
    for (old, new), cause in stale.items():
        yield f"{cause} is said to be {old}, and {new} explains it: `bce-conformance known update --write`"
    yield from _not_shown(record)
    yield from disputed(record.rows, record.problems)
    yield from idle(record.rows, record.problems)


def _not_shown(record: Record) -> Iterator[str]:
    """A line for each problem whose `shown_by` is not among what is recorded of it."""
    rows = explained(record.rows, record.problems)
    for name, one in record.problems.items():
        wanted = None if one.shown_by is None else problem.shown(one.shown_by)
        if wanted is not None and not any(row.problem == name and row.has(*wanted) for row in rows):
            yield f"{name}: shown_by names no recorded finding of this problem (got {one.shown_by!r})"


def unmatched(record: Record, plan: Plan) -> Iterator[str]:
    """A line for each row, or element of one, that matches nothing in a complete plan."""
    requests: dict[tuple[str, str], list[Request]] = {}
    for request in plan.requests:
        requests.setdefault((request.case.id, request.dtype), []).append(request)
    for row in record.rows:
        planned = [one for one in requests.get((row.case, row.dtype), ()) if row.takes(one.implementation.id)]
        yield from (f"{row.cause}: {text}" for text in _unmatched(row, planned))


def _unmatched(row: Row, found: Sequence[Request]) -> Iterator[str]:
    """What of a row matches none of the requests that it takes, in words."""
    if not found:
        yield f"{row.case} {row.dtype} matches no request"
        return
    modes = {request.implementation.mode for request in found}
    elements = {name for request in found for name in request.element_names} | {"all"}
    quantities = {name for request in found for name in request.quantities}
    for mode in row.modes:
        if mode not in modes:
            yield f"{row.case} is not planned in mode {mode!r} in {row.dtype}"
    for element in row.elements:
        if element not in elements:
            yield f"{row.case} has no element {element!r} in {row.dtype}"
    for quantity in row.quantities:
        if quantity not in quantities:
            yield f"{quantity} is not planned for {row.case}"
