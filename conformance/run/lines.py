"""A run as its record: what was planned, judged and matched, line by line."""

from __future__ import annotations

import datetime
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from conformance import contracts
from conformance.adapters.declaration import Declaration
from conformance.errors import Exit
from conformance.judge.verdicts import Judged
from conformance.known.match import Match, Outcome
from conformance.known.problem import Problem
from conformance.known.record import Record
from conformance.known.recorded import UNEXPLAINED
from conformance.numbers.formats import FORMATS, Tensor
from conformance.plan.plan import Plan
from conformance.plan.requests import Request
from conformance.plan.sample import is_sample
from conformance.pool.backend import Opened
from conformance.pool.pool import Executor
from conformance.quantities import NUMERIC
from conformance.record.record import (
    BackendLine,
    CheckLine,
    FindingLine,
    Footer,
    Header,
    ImplementationLine,
    InputsLine,
    LinkLine,
    ProblemLine,
    RunRecord,
    SampleLine,
    SpeedLine,
    ToleranceLine,
)
from conformance.record.tally import tallies
from conformance.run import pinned
from conformance.run.tolerances import tolerances


def now() -> str:
    """The time as records have it."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")


def backend_lines(opened: dict[str, Opened]) -> tuple[BackendLine, ...]:
    """Backends in the header."""
    return tuple(
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
    )


def implementation_line(one: Declaration) -> ImplementationLine:
    """An implementation in the header."""
    return ImplementationLine(
        id=one.id,
        family=one.family,
        form=one.form,
        contract=contracts.to_wire(one.contract),
        link=one.link,
        compiled=one.compiled,
        main=one.main,
        stage_of=one.stage_of,
    )


def recorded(
    header: Header,
    plan: Plan,
    beside: Sequence[Request],
    judged: Sequence[Judged],
    matches: dict[str, list[Match]],
    outcomes: dict[str, Outcome],
    speeds: tuple[SpeedLine, ...],
    known: Record,
) -> RunRecord:
    """A run without its end; what was `judged` `beside` the plan has its own lines and was not matched."""
    checks = [one for one in judged if not is_sample(one.request)]
    sampled = [one for one in judged if is_sample(one.request)]
    lines = tuple(_check_line(check, matches[check.id], outcomes[check.id]) for check in checks)
    record = RunRecord(
        header=header,
        inputs=(*_inputs_lines(plan.requests, checks), *_inputs_lines(beside, sampled)),
        checks=lines,
        problems=problem_lines((match for found in matches.values() for match in found), known),
        tolerances=tuple(_tolerance_lines(checks)),
        samples=tuple(map(_sample_line, sampled)),
        speeds=speeds,
    )
    return replace(record, tallies=tallies(record))


def _tolerance_lines(checks: Sequence[Judged]) -> Iterator[ToleranceLine]:
    for key, one in tolerances(checks).items():
        yield ToleranceLine(
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


def problem_lines(matches: Iterable[Match], known: Record) -> tuple[ProblemLine, ...]:
    """The problems that matches are about, in the order of their ids."""
    seen = {match.row.problem for match in matches if match.row is not None}
    return tuple(_problem_line(known.problems[name]) for name in sorted(seen & set(known.problems)))


def _problem_line(one: Problem) -> ProblemLine:
    return ProblemLine(
        problem=one.id,
        title=one.title,
        kind=one.kind,
        advice=one.advice,
        why=one.why.strip(),
        remedy=(one.remedy or "").strip(),
        workaround=one.workaround or "",
        links=tuple(LinkLine(link.url, link.state, link.seen) for link in one.links),
        mechanism=one.mechanism,
    )


def finding_line(match: Match, contract: str, ideal: str) -> FindingLine:
    """A match; `contract` and `ideal` are what the contract and exact mathematics give there."""
    row = match.row
    return FindingLine(
        element=match.element,
        outcome=match.outcome,  # type: ignore[arg-type]  # a match is never "as expected"
        verdict=match.verdict,
        what=match.what,
        cause=match.cause,
        note=match.note,
        contract=contract,
        ideal=ideal,
        detail=match.detail[:200],
        problem=row.problem if row is not None and row.problem != UNEXPLAINED else "",
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
            parameters=dict(request.case.parameters),
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
            finding_line(one, _contract_value(check, one.element), _presented_ideal(check, one.element))
            for one in matches
        ),
        details=check.details,
        warnings=check.warnings,
    )


Errors = tuple[float | None, ...]


#: Significant digits of a sample's errors, which a plot shows: a record has as many of them as of all checks.
SAMPLED = 3


def numbers(values: Sequence[float], digits: int = 6) -> tuple[float | None, ...]:
    """Errors for the record: a few significant digits, null where no number applies."""
    return tuple(
        [float(f"{value:.{digits}g}") if value == value and abs(value) != float("inf") else None for value in values]
    )


def _errors(check: Judged, digits: int = 6) -> tuple[Errors, Errors, Errors]:
    """Condition-scaled errors, plain ones and those against the contract; of the latter only what is not the first."""
    return (
        numbers(check.scaled, digits),
        numbers(check.plain, digits) if check.plain != check.scaled else (),
        numbers(check.contract, digits) if check.contract != check.scaled else (),
    )


def _expected(check: Judged, element: str) -> tuple[str, str]:
    """What the contract, and of a presentation exact mathematics, gives at an element."""
    return _contract_value(check, element), _presented_ideal(check, element)


def _contract_value(check: Judged, element: str) -> str:
    """What the contract gives at an element, as a hexadecimal float; "" where there is no contract."""
    if not check.contract_values or not check.request.implementation.contract:
        return ""
    value = check.contract_values[check.elements.index(element)]
    return "" if value is None else value.hex()


def _presented_ideal(check: Judged, element: str) -> str:
    """The exact value where a presentation is told of, as a hexadecimal float: elements have theirs in the inputs."""
    if not check.request.presentations or element not in check.elements[: len(check.ideal)]:
        return ""
    index = check.elements.index(element)
    return check.ideal[index].hex() if check.bits[index] else ""


def footer_of(
    record: RunRecord,
    plan: Plan,
    opened: dict[str, Opened],
    executor: Executor,
    seconds: float,
    untimed: tuple[str, ...],
) -> Footer:
    """The footer of a run that has come to its end."""
    outcomes = Counter(line.outcome for line in record.checks)
    not_run = plan.checks - len(record.checks)
    absent = sum(len(request.quantities) for request in plan.requests if _is_absent(request, opened))
    failed = any(record.fails(line) for line in record.checks)
    code = Exit.HARNESS_FAILED if not_run > absent else Exit.NOT_AS_EXPECTED if failed else Exit.AS_EXPECTED
    return Footer(
        finished=now(),
        seconds=round(seconds, 3),
        verdicts=dict(sorted(Counter(line.verdict for line in record.checks).items())),
        outcomes=dict(sorted(outcomes.items())),
        not_run=not_run,
        absent=absent,
        restarts=tuple(executor.restarts),
        exit=int(code),
        untimed=untimed,
        lost=tuple(executor.lost),
    )


def _is_absent(request: Request, opened: dict[str, Opened]) -> bool:
    """Whether it was not run because its backend, or a dtype of that, is not installed; a failure is something else."""
    one = opened.get(request.implementation.adapter, Opened(absent="it was not asked"))
    return one.failed is None and one.why_not(request) is not None
