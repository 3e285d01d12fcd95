"""Many runs side by side, from their records alone: what each backend and implementation came to, run by run.

A run that was interrupted has no counts, which is not the same as counts of 0.  Counts of runs over other cases or with
other filters than the newest complete run are marked, since they count something else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from conformance.errors import InputError
from conformance.ids import backend_of
from conformance.judge.harm import Harm
from conformance.record import ends
from conformance.record.ends import Ends
from conformance.record.record import BackendLine, TallyLine

#: What a record's name ends in.
SUFFIXES = (".jsonl", ".jsonl.gz")

_HARMS = {one.word: one for one in Harm}

#: A filter that leaves the others of a backend what they are.
HARMLESS = "backend"


@dataclass(frozen=True)
class Point:
    """What one backend or implementation came to in one run.

    `worst` holds the largest condition-scaled error of each quantity in ULP of the returned dtype, over all dtypes,
    `problems` the worst harm of each problem.
    """

    verdicts: dict[str, int]
    outcomes: dict[str, int]
    worst: dict[str, float]
    problems: dict[str, Harm]

    def harmed(self, harm: Harm) -> int | None:
        """How many problems do this harm at worst; None where the run named no problem of its findings."""
        if not self.problems and self.outcomes.get("recorded"):
            return None
        return sum(one is harm for one in self.problems.values())


@dataclass(frozen=True)
class Past:
    """One run of a history; `marks` say why its counts do not stand beside those of the newest complete run."""

    ends: Ends
    marks: tuple[str, ...]

    @property
    def interrupted(self) -> bool:
        """Whether the run did not reach its end."""
        return self.ends.footer is None

    def backend(self, name: str) -> BackendLine | None:
        """A backend of the run by name."""
        return next((line for line in self.ends.header.backends if line.name == name), None)

    def versions(self, backend: str) -> str:
        """The versions of a backend's packages, NumPy's only where it is alone; "" where the backend is not there."""
        line = self.backend(backend)
        named = dict(line.versions) if line else {}
        shown = {name: version for name, version in named.items() if name != "numpy"} or named
        return ", ".join(f"{name} {version}" for name, version in shown.items())


@dataclass(frozen=True)
class Series:
    """One backend or implementation through all runs; None where a run does not tell, so that nothing is drawn as 0."""

    name: str
    points: tuple[Point | None, ...]


@dataclass(frozen=True)
class History:
    """Runs by date, oldest first."""

    runs: tuple[Past, ...]

    @cached_property
    def _points(self) -> tuple[dict[str, Point], ...]:
        """What each implementation came to in each run."""
        return tuple(_by(one.ends.tallies, lambda line: line.implementation) for one in self.runs)

    def by_backend(self) -> tuple[Series, ...]:
        """A series for each backend that any run has counts of."""
        return _series([_by(one.ends.tallies, _backend) for one in self.runs])

    def by_implementation(self, backend: str) -> tuple[Series, ...]:
        """A series for each implementation of a backend that any run has counts of."""
        own = [{name: one for name, one in run.items() if backend_of(name) == backend} for run in self._points]
        return _series(own)


def _series(runs: Sequence[dict[str, Point]]) -> tuple[Series, ...]:
    names = sorted({name for points in runs for name in points})
    return tuple(Series(name, tuple(points.get(name) for points in runs)) for name in names)


def _backend(line: TallyLine) -> str:
    return backend_of(line.implementation)


def _by(lines: Iterable[TallyLine], key: Callable[[TallyLine], str]) -> dict[str, Point]:
    """The tallies of several implementations or dtypes as one: counts added, errors the largest."""
    found: dict[str, Point] = {}
    for line in lines:
        point = found.setdefault(key(line), Point({}, {}, {}, {}))
        for counts, more in ((point.verdicts, line.verdicts), (point.outcomes, line.outcomes)):
            for name, count in more.items():
                counts[name] = counts.get(name, 0) + count
        for quantity, error in line.worst.items():
            point.worst[quantity] = max(point.worst.get(quantity, 0.0), error)
        for name, word in line.problems.items():
            harm = _HARMS[word]
            point.problems[name] = max(harm, point.problems.get(name, harm))
    return found


def load(folder: Path) -> History:
    """The history of all records below `folder`.

    Raises InputError where there is none, or where a file that is called as a record is not one.
    """
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder")
    files = sorted(file for file in folder.rglob("*") if file.name.endswith(SUFFIXES) and file.is_file())
    if not files:
        raise InputError(
            f"{folder}: must hold run records (files named *.jsonl or *.jsonl.gz)",
            f"keep them with `bce-conformance run --output {folder}/NAME.jsonl.gz`",
        )
    found = sorted((ends.read(file) for file in files), key=lambda one: (one.header.started, str(one.file)))
    newest = next((one for one in reversed(found) if one.footer is not None), None)
    return History(tuple(Past(one, tuple(_marks(one, newest))) for one in found))


def _marks(one: Ends, newest: Ends | None) -> Iterable[str]:
    if one.footer is None:
        yield "INTERRUPTED"
    elif one.footer.not_run > one.footer.absent:
        yield f"{one.footer.not_run - one.footer.absent} checks not run"
    if newest is not None and one.header.cases != newest.header.cases:
        yield "other cases"
    if newest is not None and _narrowed(one) != _narrowed(newest):
        yield "other filters"


def _narrowed(one: Ends) -> dict[str, list[str]]:
    return {name: sorted(values) for name, values in one.header.filters.items() if name != HARMLESS}
