"""A run that was made before, perhaps on another machine, held against the record of deviations as it is now."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

from msgspec import structs

from conformance.errors import Exit
from conformance.judge.verdicts import Finding
from conformance.known.match import Match, Matcher, Seen, outcome_of
from conformance.known.record import Record
from conformance.quantities import BEHAVIOUR
from conformance.record.record import CheckLine, FindingLine, RunRecord
from conformance.record.tally import tallies
from conformance.run.lines import finding_line, problem_lines

#: The exact values of a case in one dtype, by quantity.
Ideals = dict[str, tuple[str, ...]]


def held(run: RunRecord, known: Record) -> Iterator[tuple[CheckLine, list[Match]]]:
    """Every check of `run` with what the record says of it, as a run of today would be told."""
    matcher = Matcher(known)
    ideals = {(line.case, line.dtype): line.ideal for line in run.inputs}
    some_calls = bool(run.header.filters.get("quantity"))
    for line in run.checks:
        yield line, matcher.match(_seen(line, ideals.get((line.case, line.dtype), {}), some_calls))


def renewed(run: RunRecord, known: Record) -> RunRecord:
    """`run` as a run of today would be told: what is recorded, new and fixed, and the problem of every finding."""
    checks, every = [], []
    for line, matches in held(run, known):
        numbers = {one.element: (one.contract, one.ideal) for one in line.findings}
        every += matches
        findings = tuple(finding_line(one, *numbers.get(one.element, ("", ""))) for one in matches)
        checks.append(structs.replace(line, outcome=outcome_of(matches), findings=findings))
    header = structs.replace(run.header, problems=len(known.problems))
    made = replace(run, header=header, checks=tuple(checks), problems=problem_lines(every, known))
    made = replace(made, tallies=tallies(made))
    if run.footer is None:
        return made
    outcomes = dict(sorted(Counter(line.outcome for line in checks).items()))
    failed = Exit.NOT_AS_EXPECTED if any(map(made.fails, checks)) else Exit.AS_EXPECTED
    code = run.footer.exit if run.footer.exit == Exit.HARNESS_FAILED else failed
    return replace(made, footer=structs.replace(run.footer, outcomes=outcomes, exit=int(code)))


def _seen(line: CheckLine, ideals: Ideals, some_calls: bool) -> Seen:
    ideal = ideals.get(line.quantity, ())
    return Seen(
        case=line.case,
        dtype=line.dtype,
        implementation=line.implementation,
        quantity=line.quantity,
        elements=line.elements,
        findings=tuple(Finding(one.element, one.verdict, one.what, one.cause, one.detail) for one in findings(line)),
        verdict=line.verdict,
        scaled=_numbers(line.ulp),
        plain=_numbers(line.plain_ulp or line.ulp),
        ideal=tuple(float.fromhex(one) for one in ideal) if len(ideal) == len(line.elements) else (),
        result_dtype=line.result_dtype,
        in_part=some_calls and line.quantity in BEHAVIOUR,
    )


def findings(line: CheckLine) -> list[FindingLine]:
    """What a check found, whatever its run knew of it, by the rules of today."""
    return [one for one in line.findings if one.outcome != "fixed" and not _least(line, one)]


def _least(line: CheckLine, finding: FindingLine) -> bool:
    """Whether an older run counts as flushed what is within the budget of the least numbers."""
    if finding.what != "flushed" or finding.element not in line.elements or not line.ulp:
        return False
    place = line.elements.index(finding.element)
    error = line.ulp[place]
    return error is not None and error <= line.budget[place]


def _numbers(errors: tuple[float | None, ...]) -> tuple[float, ...]:
    return tuple(float("inf") if one is None else one for one in errors)
