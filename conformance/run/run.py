"""One conformance run: discover, plan, run, judge, hold against what is recorded, keep a run record.

Every command, pytest and the Python API come through here; there is no second path.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from itertools import compress
from pathlib import Path
from typing import IO

from msgspec.structs import replace as replace_fields

from conformance.adapters.declaration import BASE_MODE, Declaration
from conformance.errors import Exit, HarnessError, InputError, did_you_mean
from conformance.judge.expected import Point, compute
from conformance.judge.judge import Judge
from conformance.judge.verdicts import Judged
from conformance.known.match import Match, Matcher, Outcome, Seen, outcome_of
from conformance.known.record import Record
from conformance.numbers.soundness import flushes_to_zero
from conformance.plan import sample
from conformance.plan.cases import Suite, default_folder
from conformance.plan.filters import Filters, matches
from conformance.plan.plan import Plan, make_plan
from conformance.plan.requests import Request
from conformance.pool import plugins
from conformance.pool.backend import Backend, Opened, interpreter_of
from conformance.pool.observation import Observed, anonymous, portable
from conformance.pool.pool import Executor, Pool
from conformance.record.files import write_lines
from conformance.record.record import SCHEMA, Header, RunRecord
from conformance.record.spelled import Asked
from conformance.run import lines, speed
from conformance.run.machine import machine
from conformance.version import __version__
from reference import Reference

#: Where the last run's record and the workers' log are kept, in the current folder.
STATE = Path(".bce-conformance")

#: CPU seconds of one request, without another word.
TIMEOUT = 60.0


@dataclass(frozen=True, kw_only=True)
class Options:
    """What a run is asked for, apart from its cases.

    `needs` are the distributions that each backend needs; `ideal` is what results are held against.  `guests` are
    backends that may be absent although the filters name them.
    """

    filters: Filters = field(default_factory=Filters)
    adapters: tuple[Path, ...] = ()
    interpreters: dict[str, str] = field(default_factory=dict)
    timeout: float = TIMEOUT
    jobs: int | None = None
    strict: bool = False
    environment: dict[str, str] = field(default_factory=dict)
    sample: bool = False
    speed: bool = False
    memory: int | None = None
    seed: int = 0
    needs: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    guests: tuple[str, ...] = ()
    ideal: Callable[[Sequence[Point]], list[Reference]] = compute

    def install(self, backend: str) -> str:
        """The command that installs what a backend cannot do without; "" where that is not known."""
        packages = self.needs.get(backend)
        interpreter = interpreter_of(backend, self.interpreters)
        where = f"{interpreter} -m " if interpreter != sys.executable else ""
        return f"{where}pip install {' '.join(dict.fromkeys((*packages, 'numpy')))}" if packages else ""

    @property
    def asked(self) -> Asked:
        """What other commands must be asked for, too, so as to find the same implementations."""
        return Asked(
            tuple(portable(str(file)) for file in self.adapters),
            tuple(f"{backend}={portable(path)}" for backend, path in self.interpreters.items()),
            self.environment.get("BCE_DEVICE"),
            timeout=self.timeout if self.timeout != TIMEOUT else None,
        )


@dataclass(kw_only=True)
class Run:
    """A run that has ended, or was interrupted."""

    plan: Plan
    judge: Judge
    opened: dict[str, Opened]
    checks: list[Judged]
    matches: dict[str, list[Match]]
    outcomes: dict[str, Outcome]
    record: RunRecord

    @property
    def exit(self) -> Exit:
        """1 where something is not as expected."""
        return Exit(self.record.footer.exit) if self.record.footer else Exit.HARNESS_FAILED

    def of(self, implementation: str, quantities: Sequence[str]) -> Run:
        """What was run of one implementation, without the calls that its mode was held against: some quantities."""
        taken = [
            one.request.implementation.id == implementation and matches(quantities, one.quantity) for one in self.checks
        ]
        checks = list(compress(self.checks, taken))
        ids = {check.id for check in checks}
        lines = [line for line in self.record.checks if line.id in ids]
        return replace(self, checks=checks, record=replace(self.record, checks=tuple(lines)))


@contextmanager
def open_pool(options: Options) -> Iterator[Pool]:
    """A pool whose workers' chatter goes to a log, which is stripped of private names when the pool ends."""
    with tempfile.TemporaryFile() as log, tempfile.TemporaryDirectory() as scratch:
        pool = Pool(
            log=log,
            timeout=options.timeout,
            interpreters=dict(options.interpreters),
            environment=dict(options.environment),
            scratch=scratch,
            seed=options.seed,
            memory=options.memory,
        )
        if options.jobs is not None:
            pool.jobs = options.jobs
        try:
            yield pool
        finally:
            pool.stop()
            _keep_log(log)


def discover(pool: Pool, options: Options) -> tuple[Backend, ...]:
    """Backends that can be chosen from; asking for one by a name that none has, or a refused plugin, is an error.

    They have those stages of their modes that `options` name as modes; a pattern names none.
    """
    found = pool.discover(options.adapters, plugins.installed())
    backends = tuple(backend.with_stages(options.filters.mode) for backend in found)
    for refusal in pool.refused:
        if refusal.plugin.name in options.filters.backend:
            raise InputError(str(refusal))
        print(f"warning: {refusal}", file=sys.stderr)
    names = [backend.name for backend in backends]
    for wanted in options.filters.backend:
        if not any(Filters(backend=(wanted,)).takes_implementation(one) for b in backends for one in b.implementations):
            raise InputError(f"no backend matches {wanted!r}", did_you_mean(wanted, names, most=len(names)))
    return backends


def planned(backends: Sequence[Backend], suite: Suite, options: Options) -> Plan:
    """The plan of a run, with what the filters skip; InputError where they leave nothing of it."""
    plan = filtered(backends, suite, options)
    return replace(plan, skipped=make_plan(suite, _implementations(backends)).checks - plan.checks)


def samples(plan: Plan, options: Options) -> tuple[Request, ...]:
    """What is observed beside a plan, where that was asked for: nothing of it is judged or counted."""
    return sample.requests(plan.implementations, options.filters) if options.sample else ()


def filtered(backends: Sequence[Backend], suite: Suite, options: Options) -> Plan:
    """The plan of what the filters leave; InputError where that is nothing."""
    plan = make_plan(suite, _implementations(backends), options.filters)
    if not plan.requests:
        _each_matches(suite, backends, options.filters)
        raise InputError("the filters leave no check", _hint(plan.not_offered))
    return plan


def _hint(not_offered: Mapping[str, int]) -> str:
    """What to do where filters leave no check."""
    if "plain call" in not_offered:
        return f"agreement is of a mode with the plain call: ask for --mode {BASE_MODE} and --quantity value as well"
    return "`bce-conformance list checks` shows what there is"


def _each_matches(suite: Suite, backends: Sequence[Backend], filters: Filters) -> None:
    """Raises InputError, with what was meant, where a filter by itself matches nothing."""
    everyone = _implementations(backends)
    cases = {one.case.id for one in suite.cases} | {one.family for one in suite.cases}
    named = {
        "--implementation": (filters.implementation, {one.id for one in everyone} | {one.family for one in everyone}),
        "--case": (filters.case, cases),
        "--flag": (filters.flag, set(suite.flags)),
        "--mode": (filters.mode, {one.mode for one in everyone}),
    }
    for option, (patterns, names) in named.items():
        for wanted in patterns:
            if not any(matches((wanted,), name) for name in names):
                raise InputError(f"{option} {wanted!r} matches nothing", did_you_mean(wanted, sorted(names)))


def observed(pool: Pool, backends: Sequence[Backend], suite: Suite, options: Options) -> Run:
    """Run what the filters leave, held against no record; InputError where that is nothing."""
    return execute(pool, backends, filtered(backends, suite, options), Record(), options)


def _implementations(backends: Sequence[Backend]) -> list[Declaration]:
    return [one for backend in backends for one in backend.implementations]


def execute(
    executor: Executor,
    backends: Sequence[Backend],
    plan: Plan,
    record: Record,
    options: Options,
    progress: Callable[[int], None] = lambda steps: None,
) -> Run:
    """Run a plan and judge it.  An interruption (Ctrl-C) gives a run without footer.

    No `record` is of stages of modes: a plan with one of them is held against none.

    The judge has a thread of its own, which was there before any implementation was called: what a framework then does
    to the floating-point state of this one does not reach the reference.  Raises HarnessError where it is too late.
    """
    clock = time.monotonic()
    started = lines.now()
    record = Record() if any(one.stage_of for one in plan.implementations) else record
    beside = samples(plan, options)
    requests = (*plan.requests, *beside)
    observed: list[dict[str, Observed] | None] = [None] * len(requests)
    opened: dict[str, Opened] = {}
    timed = speed.Timed()
    interrupted = False

    def on_observed(index: int, what: dict[str, Observed]) -> None:
        observed[index] = what
        progress(1)

    with ThreadPoolExecutor(max_workers=1) as apart:
        _must_not_flush(apart)
        computed = apart.submit(Judge, requests, options.ideal)  # the ideals are computed while workers are waited for
        if executor.here:  # no worker is waited for, and what both use of this process they use one after the other
            computed.result()
        try:
            executor.run(backends, requests, lambda one, what: opened.update({one.name: what}), on_observed)
            if options.speed and isinstance(executor, Pool):  # after the checks, so that nothing else runs meanwhile
                computed.result()
                timed = speed.measure(executor, backends, plan, opened, options.filters.dtype, progress)
        except KeyboardInterrupt:
            interrupted = True
            executor.stop()
        judge = computed.result()
        if not interrupted:
            _absent_by_name(opened, options)
        judged = apart.submit(judge.judge, observed).result()
        _must_not_flush(apart)
    checks = [one for one in judged if not sample.is_sample(one.request)]
    matcher = Matcher(record)
    matches = {check.id: matcher.match(Seen.of(check)) for check in checks}
    outcomes = {check.id: outcome_of(matches[check.id]) for check in checks}
    header = _header(plan, opened, options, started, record)
    made = lines.recorded(header, plan, beside, judged, matches, outcomes, timed.lines, record)
    if not interrupted:
        footer = lines.footer_of(made, plan, opened, executor, time.monotonic() - clock, timed.untimed)
        made = replace(made, footer=footer)
    return Run(plan=plan, judge=judge, opened=opened, checks=checks, matches=matches, outcomes=outcomes, record=made)


def _header(plan: Plan, opened: dict[str, Opened], options: Options, started: str, record: Record) -> Header:
    here = machine()
    return Header(
        schema=SCHEMA,
        suite=__version__,
        cases=plan.suite.digest,
        started=started,
        machine=here,
        filters={key: list(value) for key, value in asdict(options.filters).items() if value},
        backends=lines.backend_lines(opened),
        implementations=tuple(lines.implementation_line(one) for one in plan.implementations),
        planned=plan.checks,
        not_offered=dict(sorted(plan.not_offered.items())),
        skipped=plan.skipped,
        strict=options.strict,
        seed=options.seed,
        familiar=record.knows(here["instruction-set"]),
        problems=len(record.problems),
        asked=replace_fields(options.asked, cases=_folder(plan.suite)),
    )


def _folder(suite: Suite) -> str | None:
    """The folder of cases where it is not the one that commands take without being told."""
    return None if suite.folder.resolve() == default_folder().resolve() else portable(str(suite.folder))


def _must_not_flush(apart: ThreadPoolExecutor) -> None:
    """Raises HarnessError where the thread of the judge flushes subnormal numbers to zero, as frameworks can ask for.

    A thread starts with the floating-point state of the one that makes it (measured on Linux, x86-64).
    """
    if apart.submit(flushes_to_zero).result():
        raise HarnessError(
            "this process flushes subnormal numbers to zero, so that no expected value would be right",
            "switch that off in your framework before anything is judged; docs/own-loss.md tells how",
        )


def _absent_by_name(opened: dict[str, Opened], options: Options) -> None:
    for name, one in opened.items():
        by_name = name in (*options.filters.backend, *options.interpreters) and name not in options.guests
        if one.absent is not None and by_name:
            raise InputError(f"backend {name} was asked for by name but is absent: {one.absent}", options.install(name))
        for dtype, why in one.lacking.items():
            if name in options.filters.backend and dtype in options.filters.dtype:
                raise InputError(f"backend {name} and {dtype} were asked for by name, but it has none here: {why}")
    if opened and all(one.absent is not None for one in opened.values()):
        reasons = ", ".join(f"{name}: {one.absent}" for name, one in sorted(opened.items()))
        raise InputError(f"nothing was run, since every backend is absent: {reasons}")


def _keep_log(log: IO[bytes]) -> None:
    log.seek(0)
    text = anonymous(log.read().decode("utf-8", "replace"))
    if text or (STATE / "worker.log").exists():
        write_lines((line.encode() for line in text.splitlines()), STATE / "worker.log")
