"""Columns worked off: their environments are made ahead, and each is run as it comes, or taken from an earlier run."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

from conformance.errors import InputError, did_you_mean
from conformance.record import record as records
from conformance.record.record import RunRecord
from conformance.run import run as runs
from conformance.versions import columns
from conformance.versions.build import Builder, Environment, Failure, Resolved
from conformance.versions.columns import Progress, Question, Result
from conformance.versions.requirements import Column


@dataclass(frozen=True)
class Settings:
    """How columns are worked off: environments made at once, none kept, nothing taken from an earlier run.

    `progress` is told how far the run of a column is.  With `together` none is run where one cannot be installed.
    """

    jobs: int
    discard: bool
    fresh: bool
    progress: Progress
    together: bool = False


def results(
    asked_for: Sequence[Column], builder: Builder, question: Question, settings: Settings, tell: Callable[[str], None]
) -> Iterator[Result]:
    """Tell the plan, then make the environments, as many at once as is wanted, and run each as it comes.

    Raises InputError where all are wanted together and one cannot be installed, before anything is made.
    """
    with ThreadPoolExecutor(max_workers=settings.jobs) as threads:
        resolved = dict(zip(asked_for, threads.map(builder.resolve, asked_for), strict=True))
        failed = [(one, what) for one, what in resolved.items() if isinstance(what, Failure)]
        if failed and settings.together:
            column, why = failed[0]
            raise InputError(f"{column.label} cannot be installed: {why.reason}", _near(column, question))
        for line in plan(resolved):
            tell(line)
        for hint in dict.fromkeys(_near(column, question) for column, _ in failed):
            if hint:
                tell(f"  next: {hint}")
        building: dict[Column, Future[Environment | Failure]] = {}
        try:
            for place, one in enumerate(asked_for):
                for ahead in asked_for[place : place + (1 if settings.discard else len(asked_for))]:
                    if ahead not in building:
                        building[ahead] = threads.submit(_build, builder, ahead, resolved[ahead])
                result = _result(one, building[one].result(), question, settings)
                if not isinstance(resolved[one], Failure):  # of which the plan has told
                    tell(f"{one.label}: {_told(result, question)}")
                yield result
                if settings.discard:
                    builder.discard(one)
                if isinstance(result.record, RunRecord) and result.record.interrupted:
                    break
        finally:
            threads.shutdown(cancel_futures=True)


def _told(result: Result, question: Question) -> str:
    """What became of a column: the backends that were run in it and where the record is, or why there is none."""
    if result.environment is None or isinstance(result.record, Failure):
        return result.reason
    absent = "".join(f"; {one.name} is absent: {one.absent}" for one in result.record.header.backends if one.absent)
    return f"{columns.choice(result.column, result.environment, question)}{absent}; record: {result.file}"


def _near(column: Column, question: Question) -> str:
    """What may have been meant by a package of which nothing is known; "" where that is not the reason."""
    known = list(question.known.packages)
    return "" if column.package in known else did_you_mean(column.package, known)


def _build(builder: Builder, column: Column, resolved: Resolved | Failure) -> Environment | Failure:
    return resolved if isinstance(resolved, Failure) else builder.build(column, resolved)


def plan(resolved: dict[Column, Resolved | Failure]) -> Iterator[str]:
    """What is about to be made: for each column Python, what is installed with it, size and time; then the sums."""
    yield "1 environment:" if len(resolved) == 1 else f"{len(resolved)} environments:"
    for one, what in resolved.items():
        told = f"cannot be installed: {what.reason}" if isinstance(what, Failure) else what.told
        beside = f" with {' '.join(one.requirements[1:])}" if one.requirements[1:] else ""
        yield f"  {one.label}{f' on Python {one.python}' if one.python else ''}{beside}: {told}"
    made = [what for what in resolved.values() if isinstance(what, Resolved)]
    whole = Resolved((), sum(one.size for one in made), sum(one.unknown for one in made))
    yield f"  to download, at most: {whole.told}" if whole.size or whole.unknown else "  nothing to download"


def _result(column: Column, made: Environment | Failure, question: Question, settings: Settings) -> Result:
    if isinstance(made, Failure):
        return Result(column, None, made, None)
    file = runs.STATE / "matrix" / f"{column.key}-{columns.digest(question)}.jsonl.gz"
    # What an interpreter of the user's holds may have changed since.
    found = None if settings.fresh or column.interpreter is not None else columns.kept(file)
    record = found if found is not None else columns.run(column, made, question, settings.progress)
    if isinstance(record, RunRecord) and found is None:
        records.write(record, file)
    return Result(column, made, record, file if isinstance(record, RunRecord) else None)
