"""One conformance run: discover, plan, run, judge, hold against the record of deviations, keep a run record.

Every command, pytest and the Python API come through here; there is no second path.
"""

from __future__ import annotations

import datetime
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import IO

from msgspec.structs import replace as replace_fields

from conformance import contracts
from conformance.adapters import NUMERIC
from conformance.errors import Exit, HarnessError, InputError
from conformance.judge.judge import Judge
from conformance.judge.verdicts import Judged
from conformance.known import deviations
from conformance.known.deviations import Match, Matcher, Outcome
from conformance.numbers.formats import FORMATS, Tensor
from conformance.numbers.soundness import flushes_to_zero
from conformance.plan import sample
from conformance.plan.cases import Suite, default_folder
from conformance.plan.plan import Filters, Implementation, Plan, Request, make_plan
from conformance.pool import plugins
from conformance.pool.observation import Observed, anonymous, portable
from conformance.pool.pool import Backend, Executor, Opened, Pool
from conformance.record.record import (
    SCHEMA,
    BackendLine,
    CauseLine,
    CheckLine,
    FindingLine,
    Footer,
    Header,
    ImplementationLine,
    InputsLine,
    RunRecord,
    SampleLine,
    ToleranceLine,
    numbers,
    write_lines,
)
from conformance.record.spelled import Asked
from conformance.record.tally import tallies
from conformance.run import pinned, speed
from conformance.run.machine import machine
from conformance.run.tolerances import tolerances
from conformance.version import __version__

#: Where the last run's record and the workers' log are kept, in the current folder.
STATE = Path(".bce-conformance")

#: CPU seconds of one request, without another word.
TIMEOUT = 60.0


@dataclass(frozen=True, kw_only=True)
class Options:
    """What a run is asked for, apart from its cases."""

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
    """Backends that can be chosen from; asking for one by a name that none has, or a refused plugin, is an error."""
    backends = pool.discover(options.adapters, plugins.installed())
    for refusal in pool.refused:
        if refusal.plugin.name in options.filters.backend:
            raise InputError(str(refusal))
        print(f"warning: {refusal}", file=sys.stderr)
    names = [backend.name for backend in backends]
    for wanted in options.filters.backend:
        if not any(Filters(backend=(wanted,)).takes_implementation(one) for b in backends for one in b.implementations):
            raise InputError(f"no backend matches {wanted!r}", f"backends are {', '.join(names)}")
    return backends


def planned(backends: Sequence[Backend], suite: Suite, options: Options) -> Plan:
    """The plan of a run, with what the filters skip; InputError where they leave nothing of it."""
    plan = filtered(backends, suite, options)
    return replace(
        plan,
        skipped=make_plan(suite, _implementations(backends)).checks - plan.checks,
        samples=sample.requests(plan.implementations, options.filters) if options.sample else (),
    )


def filtered(backends: Sequence[Backend], suite: Suite, options: Options) -> Plan:
    """The plan of what the filters leave; InputError where that is nothing."""
    plan = make_plan(suite, _implementations(backends), options.filters)
    if not plan.requests:
        raise InputError("the filters leave no check", "`bce-conformance list checks` shows what there is")
    return plan


def _implementations(backends: Sequence[Backend]) -> list[Implementation]:
    return [one for backend in backends for one in backend.implementations]


def execute(
    executor: Executor,
    backends: Sequence[Backend],
    plan: Plan,
    record: deviations.Record,
    options: Options,
    progress: Callable[[int], None] = lambda steps: None,
) -> Run:
    """Run a plan and judge it.  An interruption (Ctrl-C) gives a run without footer.

    The judge has a thread of its own, which was there before any implementation was called: what a framework then does
    to the floating-point state of this one does not reach the reference.  Raises HarnessError where it is too late.
    """
    clock = time.monotonic()
    started = _now()
    requests = (*plan.requests, *plan.samples)
    observed: list[dict[str, Observed] | None] = [None] * len(requests)
    opened: dict[str, Opened] = {}
    timed = speed.Timed()
    interrupted = False

    def on_observed(index: int, what: dict[str, Observed]) -> None:
        observed[index] = what
        progress(1)

    with ThreadPoolExecutor(max_workers=1) as apart:
        _must_not_flush(apart)
        computed = apart.submit(Judge, requests)  # the ideals are computed while workers are waited for
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
    matcher = Matcher(record, {name: (one.versions, one.environment) for name, one in opened.items()})
    matches = {check.id: matcher.match(deviations.Seen.of(check)) for check in checks}
    outcomes = {check.id: deviations.outcome_of(matches[check.id]) for check in checks}
    lines = _record(plan, opened, checks, matches, outcomes, options, started)
    header = replace_fields(lines.header, familiar=record.knows(lines.header.machine["instruction-set"]))
    lines = replace(lines, header=header, speeds=timed.lines)
    lines = _with_sample(lines, plan, [one for one in judged if sample.is_sample(one.request)])
    if not interrupted:
        lines = _with_footer(lines, plan, opened, executor, clock, timed.untimed)
    return Run(plan=plan, judge=judge, opened=opened, checks=checks, matches=matches, outcomes=outcomes, record=lines)


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
        if one.absent is not None and (name in options.filters.backend or name in options.interpreters):
            raise InputError(f"backend {name} was asked for by name but is absent: {one.absent}")
        for dtype, why in one.lacking.items():
            if name in options.filters.backend and dtype in options.filters.dtype:
                raise InputError(f"backend {name} and {dtype} were asked for by name, but it has none here: {why}")
    if opened and all(one.absent is not None for one in opened.values()):
        reasons = ", ".join(f"{name}: {one.absent}" for name, one in sorted(opened.items()))
        raise InputError(f"nothing was run, since every backend is absent: {reasons}")


def _is_absent(request: Request, opened: dict[str, Opened]) -> bool:
    """Whether it was not run because its backend, or a dtype of that, is not installed; a failure is something else."""
    one = opened.get(request.implementation.adapter, Opened(absent="it was not asked"))
    return one.failed is None and one.why_not(request) is not None


def _keep_log(log: IO[bytes]) -> None:
    log.seek(0)
    text = anonymous(log.read().decode("utf-8", "replace"))
    if text or (STATE / "worker.log").exists():
        write_lines((line.encode() for line in text.splitlines()), STATE / "worker.log")


def _now() -> str:
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")


def _record(
    plan: Plan,
    opened: dict[str, Opened],
    checks: Sequence[Judged],
    matches: dict[str, list[Match]],
    outcomes: dict[str, Outcome],
    options: Options,
    started: str,
) -> RunRecord:
    header = Header(
        schema=SCHEMA,
        suite=__version__,
        cases=plan.suite.digest,
        started=started,
        machine=machine(),
        filters={key: list(value) for key, value in asdict(options.filters).items() if value},
        backends=tuple(
            BackendLine(
                name=name,
                versions=one.versions,
                environment=one.environment,
                absent=one.absent,
                failed=one.failed,
                pinned=pinned.is_pinned(one.versions),
                lacking=one.lacking,
            )
            for name, one in sorted(opened.items())
        ),
        implementations=tuple(_implementation_line(one) for one in plan.implementations),
        planned=plan.checks,
        not_offered=dict(sorted(plan.not_offered.items())),
        skipped=plan.skipped,
        strict=options.strict,
        seed=options.seed,
        asked=replace_fields(options.asked, cases=_folder(plan.suite)),
    )
    tolerance_lines = tuple(
        ToleranceLine(
            implementation=key[0],
            dtype=key[1],
            family=key[2],
            quantity=key[3],
            points=one.points,
            budget=one.budget,
            worst_ulp=one.worst_ulp,
            rtol=one.rtol,
            atol=one.atol,
            no_tolerance=one.no_tolerance,
        )
        for key, one in tolerances(checks).items()
    )
    lines = tuple(_check_line(check, matches[check.id], outcomes[check.id]) for check in checks)
    return RunRecord(
        header=header,
        inputs=tuple(_inputs_lines(plan.requests, checks)),
        checks=lines,
        causes=tuple(_cause_lines(matches)),
        tolerances=tolerance_lines,
        tallies=tallies(lines),
    )


def _folder(suite: Suite) -> str | None:
    """The folder of cases where it is not the one that commands take without being told."""
    return None if suite.folder.resolve() == default_folder().resolve() else portable(str(suite.folder))


def _cause_lines(matches: dict[str, list[Match]]) -> Iterator[CauseLine]:
    seen = {match.deviation.id: match.deviation for found in matches.values() for match in found if match.deviation}
    for cause, one in sorted(seen.items()):
        yield CauseLine(cause, one.title, one.kind, one.links, one.reason or "")


def _implementation_line(one: Implementation) -> ImplementationLine:
    return ImplementationLine(one.id, one.family, one.form, contracts.to_wire(one.contract), one.link)


def _with_sample(record: RunRecord, plan: Plan, checks: Sequence[Judged]) -> RunRecord:
    """The record with what was observed of the sample, and its inputs."""
    return replace(
        record,
        inputs=(*record.inputs, *_inputs_lines(plan.samples, checks)),
        samples=tuple(map(_sample_line, checks)),
    )


def _sample_line(check: Judged) -> SampleLine:
    scaled, plain, contract = _errors(check, SAMPLED)
    return SampleLine(
        case=check.request.case.id,
        implementation=check.request.implementation.id,
        dtype=check.request.dtype,
        quantity=check.quantity,
        bits=check.bits,
        ulp=scaled,
        plain_ulp=plain,
        contract_ulp=contract,
        result_dtype=check.result_dtype,
        details=check.details,
    )


def _inputs_lines(planned: Sequence[Request], checks: Sequence[Judged]) -> Iterator[InputsLine]:
    requests = {(request.case.id, request.dtype): request for request in planned}
    ideals: dict[tuple[str, str], dict[str, tuple[str, ...]]] = {}
    for check in checks:
        request = check.request
        known = ideals.setdefault((request.case.id, request.dtype), {})
        if check.quantity in NUMERIC and check.quantity not in known and not request.presentations:
            known[check.quantity] = tuple(value.hex() for value in check.ideal)
    for (case_id, dtype), request in requests.items():
        tensors = request.inputs.tensors.items()
        yield InputsLine(
            case=case_id,
            family=request.family,
            flags=request.case.flags,
            form=request.case.form,
            reduction=request.case.reduction,
            dtype=dtype,
            elements=request.inputs.names,
            inputs={
                name: tuple([f"{bits:0{_digits(tensor)}x}" for bits in tensor.bits.tolist()])
                for name, tensor in tensors
            },
            ideal=ideals.get((case_id, dtype), {}),
            dtypes={name: tensor.dtype for name, tensor in tensors if tensor.dtype != dtype},
        )


def _digits(tensor: Tensor) -> int:
    return FORMATS[tensor.dtype].width // 4 if tensor.dtype in FORMATS else 1


def _check_line(check: Judged, matches: Sequence[Match], outcome: Outcome) -> CheckLine:
    request = check.request
    scaled, plain, contract = _errors(check)
    return CheckLine(
        id=check.id,
        case=request.case.id,
        family=request.family,
        implementation=request.implementation.id,
        dtype=request.dtype,
        quantity=check.quantity,
        verdict=check.verdict,
        outcome=outcome,
        elements=check.elements,
        verdicts=check.verdicts if set(check.verdicts) != {check.verdict} else (),
        bits=check.bits,
        ulp=scaled,
        plain_ulp=plain,
        contract_ulp=contract,
        budget=check.budget,
        result_dtype=check.result_dtype,
        formula=check.formula,
        findings=tuple(
            FindingLine(
                element=one.element,
                outcome=one.outcome,  # type: ignore[arg-type]  # a match is never "as expected"
                verdict=one.verdict,
                what=one.what,
                cause=one.cause,
                note=one.note,
                contract=_contract_value(check, one.element),
                detail=one.detail[:200],
            )
            for one in matches
        ),
        details=check.details,
        warnings=check.warnings,
    )


Errors = tuple[float | None, ...]


#: Significant digits of a sample's errors, which a plot shows: a record has as many of them as of all checks.
SAMPLED = 3


def _errors(check: Judged, digits: int = 6) -> tuple[Errors, Errors, Errors]:
    """Condition-scaled errors, plain ones and those against the contract; of the latter only what is not the first."""
    return (
        numbers(check.scaled, digits),
        numbers(check.plain, digits) if check.plain != check.scaled else (),
        numbers(check.contract, digits) if check.contract != check.scaled else (),
    )


def _contract_value(check: Judged, element: str) -> str:
    """What the contract gives at an element, as a hexadecimal float; "" where there is no contract."""
    if not check.contract_values or not check.request.implementation.contract:
        return ""
    value = check.contract_values[check.elements.index(element)]
    return "" if value is None else value.hex()


def _with_footer(
    record: RunRecord,
    plan: Plan,
    opened: dict[str, Opened],
    executor: Executor,
    clock: float,
    untimed: tuple[str, ...],
) -> RunRecord:
    outcomes = Counter(line.outcome for line in record.checks)
    not_run = plan.checks - len(record.checks)
    absent = sum(len(request.quantities) for request in plan.requests if _is_absent(request, opened))
    failed = any(record.fails(line) for line in record.checks)
    code = Exit.HARNESS_FAILED if not_run > absent else Exit.NOT_AS_EXPECTED if failed else Exit.AS_EXPECTED
    footer = Footer(
        finished=_now(),
        seconds=round(time.monotonic() - clock, 3),
        verdicts=dict(sorted(Counter(line.verdict for line in record.checks).items())),
        outcomes=dict(sorted(outcomes.items())),
        not_run=not_run,
        absent=absent,
        restarts=tuple(executor.restarts),
        exit=int(code),
        untimed=untimed,
        lost=tuple(executor.lost),
    )
    return replace(record, footer=footer)
