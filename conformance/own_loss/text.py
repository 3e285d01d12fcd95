"""What `measure` found of a loss of one's own, as text: what failed, why the case exists, how to see it again."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence

from rich.console import Console

from conformance.diagnosis.why import WORD, sentences
from conformance.ids import CheckId, ImplementationId
from conformance.numbers.formats import FORMATS
from conformance.own_loss import hints
from conformance.own_loss.found import Found
from conformance.record.record import CheckLine, RunRecord
from conformance.record.summary import CauseSummary, Example, scoreboard
from conformance.render import text
from conformance.render.narrate import counted
from conformance.render.scoreboard import LEGEND, table

#: Causes that are told with an example; of the others there is one line each.
SPELLED_OUT = 8

#: Width of the printed report, as of a run's where there is no terminal.
WIDTH = 140


class Report(Found):
    """What `measure` found of one loss; `print(report)` shows it."""

    def __str__(self) -> str:
        return whole(self)


def failure(report: Found, unused: Sequence[str] = ()) -> str:
    """The text of a failed assertion; `unused` is what was allowed and does not show."""
    return "\n".join(_failure(report, unused))


def whole(report: Found) -> str:
    """The printed report: what was run, the scoreboard, the findings, the counts."""
    console = Console(file=io.StringIO(), width=WIDTH, color_system=None, highlight=False, emoji=False)
    with console.capture() as captured:
        for line in text.head(report.record):
            console.print(line)
        console.print(table(report.record, scoreboard(report.record), False, WIDTH))
        console.print(LEGEND)
        for line in _causes(report, report.findings):
            console.print(line, markup=False, soft_wrap=True)
        for line in text.closing(report.record):
            console.print(line, soft_wrap=True)
    return captured.get()


def _failure(report: Found, unused: Sequence[str]) -> Iterator[str]:
    new = [one for one in report.findings if one.outcome != "recorded"]
    (judged,) = report.record.header.implementations
    loss, checks = ImplementationId.parse(judged.id).entry, report.checks
    if new:
        failed = sum(check.outcome in ("new", "fixed") for check in checks)
        yield (
            f"{loss} does not conform: {failed} of {counted(len(checks), 'check')} not as expected, "
            f"{counted(len(new), 'cause')}, on {_versions(report.record)}"
        )
    else:
        yield f"{loss} conforms better than it is allowed to"
    yield from _causes(report, new)
    for pattern in unused:
        yield f"allowed, but it does not show: {pattern!r}; take it out of `allow`"
    if new:
        yield ""
        yield f"All of it: print(measure({report.arguments.loss}, …)). What you document belongs into `contract`,"
        yield f"what you know and accept into allow=[{report.problem(new[0])!r}]."


def _versions(record: RunRecord) -> str:
    return ", ".join(f"{name} {version}" for line in record.header.backends for name, version in line.versions.items())


def _causes(report: Found, findings: Sequence[CauseSummary]) -> Iterator[str]:
    checks = {check.id: check for check in report.checks}
    new = [one for one in findings[:SPELLED_OUT] if one.outcome == "new"]
    # Formulas of binary cross-entropy, and of the losses that are known, say nothing about one of the user's own.
    why = {} if "ideal" in report.arguments.declared else sentences(report.record, new)
    for number, one in enumerate(findings, start=1):
        dtypes = " ".join(dtype for dtype in FORMATS if dtype in one.dtypes)
        yield ""
        yield (
            f"{number}. {one.outcome} {one.cause}: "
            f"{counted(one.elements, 'element')} in {counted(one.checks, 'check')}, {dtypes}"
        )
        if one.example is None:
            yield "   recorded, but not seen: take it out of the record"
        elif number <= SPELLED_OUT:
            yield from (f"   {line}" for line in _example(report, checks, one.example, why.get(one.cause, "")))
            yield from (f"   with {name}: {printable(text.example_text(x))}" for name, x in one.others.items())
        else:
            yield f"   {report.arguments.again(one.example)}"


def _example(report: Found, checks: Mapping[str, CheckLine], example: Example, why: str) -> Iterator[str]:
    case = report.cases[example.case]
    check = checks[str(CheckId(example.case, example.implementation, example.dtype, example.quantity))]
    line = report.record.inputs_by_case[example.case, example.dtype]
    yield printable(text.example_text(example)) + _against(example, check)
    if why:
        yield f"{WORD:<7}{why}"
    yield f"case:  {case.why}"
    if hint := hints.of_example(example, case):
        yield f"hint:  {hint}"
    if call := report.arguments.call(example, case, line.dtypes):
        yield f"call:  {call}"
    yield f"again: {report.arguments.again(example)}"


def _against(example: Example, check: CheckLine) -> str:
    """The budget that an error exceeds."""
    if example.ulp is None or example.element not in check.elements or not check.budget:
        return ""
    return f" of {check.result_dtype}, budget {check.budget[check.elements.index(example.element)]:g}"


def printable(line: str) -> str:
    """`line` with control characters, which may stand in a framework's message, written out."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in line)
