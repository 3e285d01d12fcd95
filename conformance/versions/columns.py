"""A run of the suite's worker in the environment of a column, by the one path that every run takes."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path

from conformance.adapters.declaration import BASE_MODE
from conformance.errors import InputError
from conformance.ids import backend_of
from conformance.known.record import Record
from conformance.plan.cases import Suite
from conformance.plan.filters import matches
from conformance.pool.backend import Backend
from conformance.record import record as records
from conformance.record.record import RunRecord
from conformance.run import run as runs
from conformance.shipped import PACKAGE
from conformance.versions.build import Environment, Failure
from conformance.versions.companions import Known
from conformance.versions.requirements import Column

#: Is given how many requests there are, and gives what is told how many were answered.
Progress = Callable[[int], AbstractContextManager[Callable[[int], None]]]


def _silent(_total: int) -> AbstractContextManager[Callable[[int], None]]:
    """Tells nothing."""
    return nullcontext(lambda steps: None)


@dataclass(frozen=True)
class Question:
    """What every column is asked: the checks that `options` leave of `suite`, held against `record`.

    `backends` are all that there are, and `known` which of them an environment can run.
    """

    suite: Suite
    options: runs.Options
    record: Record
    backends: tuple[Backend, ...]
    known: Known


def ask(suite: Suite, options: runs.Options, record: Record, known: Known) -> Question:
    """The question to every column; which adapters there are is found out once."""
    with runs.open_pool(options) as pool:
        return Question(suite, options, record, runs.discover(pool, options), known)


def run(
    column: Column, environment: Environment, question: Question, progress: Progress = _silent
) -> RunRecord | Failure:
    """The run record of a column, or why there is none: nothing runs there, or the framework cannot be imported.

    An interrupted run gives a record without footer.
    """
    chosen = chosen_backends(column, environment, question)
    if not chosen:
        return Failure("holds nothing that a backend runs on")
    names = tuple(one.name for one in chosen)
    own, wanted = frozenset(map(str, question.options.adapters)), question.options.filters.backend
    # Of a package that no backend is about, what a file of the user's brings is what the column is for.
    about = any(column.package in question.known.backends.get(one.name, ()) for one in chosen)
    guests = tuple(one.name for one in chosen if about and one.source in own and one.name not in wanted)
    options = replace(question.options, filters=replace(question.options.filters, backend=names), guests=guests)
    plan = runs.planned(chosen, question.suite, options)
    try:
        with (
            runs.open_pool(options) as pool,
            progress(len(plan.requests) + len(runs.samples(plan, options))) as advance,
        ):
            record = runs.execute(pool, chosen, plan, question.record, options, advance).record
    except InputError as error:
        return Failure(error.message)
    failed = [f"{line.name}: {line.failed}" for line in record.header.backends if line.failed]
    return Failure(": ".join([*failed, *_last_words()])) if failed else record


def _last_words() -> list[str]:
    """The last line of the workers' log, which tells why a worker left."""
    file = runs.STATE / "worker.log"
    lines = file.read_text(encoding="utf-8", errors="replace").split("\n") if file.is_file() else []
    return [line.strip()[:300] for line in lines if line.strip()][-1:]


def chosen_backends(column: Column, environment: Environment, question: Question) -> tuple[Backend, ...]:
    """The backends of a column, in its interpreter: those that its package has to do with, or the filters name.

    A backend of a file of the user's is one in every column; another that `known` does not know, where the filters name
    it.
    """
    installed = frozenset(environment.installed.packages)
    wanted = question.options.filters.backend
    own = frozenset(map(str, question.options.adapters))
    # By name any that can run: SciPy in several versions of NumPy, for instance.
    able = question.known.runnable(installed, "" if wanted or column.interpreter is not None else column.package)
    return tuple(
        replace(one, interpreter=str(environment.interpreter))
        for one in question.backends
        if (one.name in able or one.source in own or (wanted and one.name not in question.known.backends))
        and (not wanted or matches(wanted, one.name))
    )


def choice(column: Column, environment: Environment, question: Question) -> str:
    """Which backends a column has and why those, in words."""
    chosen = chosen_backends(column, environment, question)
    names = ", ".join(one.name for one in chosen) or "no backend"
    wanted = question.options.filters.backend
    if wanted:
        return f"{names}, as --backend {' '.join(wanted)} says"
    if column.interpreter is not None:
        return f"{names}, all that it has the packages of"
    files = frozenset(map(str, question.options.adapters))
    own = [one.name for one in chosen if one.source in files]
    others = [one.name for one in chosen if one.source not in files]
    related = f"{', '.join(others)}, which {'has' if len(others) == 1 else 'have'} to do with {column.package}"
    names = "; ".join(filter(None, (related if others else "", f"{', '.join(own)} of --adapter" if own else "")))
    lacking = question.known.lacking(frozenset(environment.installed.packages), column.package)
    told = "; ".join(f"not {name}, without {' and '.join(of)}" for name, of in lacking.items())
    return f"{names or 'no backend'}{f'; {told}' if told else ''}"


def watching(options: runs.Options, implementation: str) -> runs.Options:
    """The same of one implementation, whose mode is the plain one where it names none."""
    filters = replace(
        options.filters,
        implementation=(implementation,),
        mode=() if implementation.count("/") > 1 else (BASE_MODE,),
        backend=(backend_of(implementation),),  # by name, so that one that is absent tells why
    )
    return replace(options, filters=filters)


@dataclass(frozen=True)
class Result:
    """What became of a column: its environment, if there is one, its record or why there is none, and where that is."""

    column: Column
    environment: Environment | None
    record: RunRecord | Failure
    file: Path | None = None

    @property
    def reason(self) -> str:
        """Why there is no record, or ""."""
        return self.record.reason if isinstance(self.record, Failure) else ""


def digest(question: Question) -> str:
    """What decides a record beside its environment, in a word: suite, cases, adapters and filters.

    The code counts with all its files, so that a record is not taken for one of another adapter.
    """
    made = hashlib.sha256(question.suite.digest.encode())
    for file in sorted([*PACKAGE.rglob("*.py"), *question.options.adapters]):
        made.update(file.read_bytes())
    made.update(repr((question.options.filters, question.options.strict, question.options.environment)).encode())
    return made.hexdigest()[:16]


def kept(file: Path) -> RunRecord | None:
    """A complete record that is there; None where there is none or the run was interrupted."""
    if not file.is_file():
        return None
    record = records.read(file)
    return None if record.interrupted else record
