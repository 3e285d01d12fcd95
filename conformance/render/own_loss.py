"""What `measure` found of a loss of one's own, as text: what failed, why the case exists, how to see it again."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich.console import Console

from conformance.cases import Case
from conformance.formats import FORMATS
from conformance.record import CheckLine, RunRecord
from conformance.render import text
from conformance.render.scoreboard import LEGEND, table
from conformance.summary import CauseSummary, Example, scoreboard

#: Causes that are told with an example; of the others there is one line each.
SPELLED_OUT = 8

#: Width of the printed report, as of a run's where there is no terminal.
WIDTH = 140


@dataclass(frozen=True)
class Arguments:
    """What was judged, as it was given: name of the callable, form, backend, what it declares.

    `tensor` and `gradient` are those of a Runtime's `written`: how calls are written in this framework.
    """

    loss: str
    form: str
    backend: str
    declared: Mapping[str, Any]
    tensor: str = ""
    gradient: str = ""

    def again(self, example: Example) -> str:
        """A call of `measure` that finds the example."""
        words = [self.loss, f"form={self.form!r}", f"backend={self.backend}"]
        words += [f"{name}=…" for name in self.declared]
        words += [f"cases=[{example.case!r}]", f"dtypes=[{example.dtype!r}]", f"quantities=[{example.quantity!r}]"]
        return f"measure({', '.join(words)})"

    def call(self, example: Example, case: Case, dtypes: Mapping[str, str]) -> str:
        """The call of the loss, or of its gradient, that gives the example; "" where that is no matter of one line.

        `dtypes` names the tensors that have another dtype than the case's.
        """
        single = all(" " not in bits for _, bits in example.inputs.values())
        frames = {"value": "{loss}", "gradient-prediction": self.gradient}
        frame = frames.get(example.quantity, "")
        if not self.tensor or not frame or not single:
            return ""
        tensors = {
            name: _written(self.tensor, decimal, dtypes.get(name, example.dtype))
            for name, (decimal, _) in example.inputs.items()
        }
        prediction, label = tensors.pop("prediction"), tensors.pop("label")
        words = [f"{name}={tensor}" for name, tensor in tensors.items()]
        words += [f"{name}={number}" for name, number in case.parameters.items()]
        words += [f"reduction={case.reduction!r}"] if "reductions" in self.declared else []
        first = prediction if example.quantity == "value" else "prediction"
        loss = f"{self.loss}({', '.join((first, label, *words))})"
        return frame.format(loss=loss, prediction=prediction)


def failure(
    record: RunRecord,
    findings: Sequence[CauseSummary],
    cases: Mapping[str, Case],
    arguments: Arguments,
    unused: Sequence[str] = (),
) -> str:
    """The text of a failed assertion; `unused` is what was allowed and did not show."""
    return "\n".join(_failure(record, findings, cases, arguments, unused))


def whole(record: RunRecord, findings: Sequence[CauseSummary], cases: Mapping[str, Case], arguments: Arguments) -> str:
    """The printed report: what was run, the scoreboard, the findings, the counts."""
    console = Console(file=io.StringIO(), width=WIDTH, color_system=None, highlight=False)
    for line in text.head(record):
        console.print(line)
    console.print(table(record, scoreboard(record), False, WIDTH))
    console.print(LEGEND)
    for line in _causes(record, findings, cases, arguments):
        console.print(line, markup=False, soft_wrap=True)
    for line in text.closing(record):
        console.print(line, soft_wrap=True)
    return str(console.file.getvalue())  # type: ignore[attr-defined]  # it is the StringIO from above


def _failure(
    record: RunRecord,
    findings: Sequence[CauseSummary],
    cases: Mapping[str, Case],
    arguments: Arguments,
    unused: Sequence[str],
) -> Iterator[str]:
    new = [one for one in findings if one.outcome != "recorded"]
    failed = sum(check.outcome in ("new", "fixed") for check in record.checks)
    yield (
        f"{arguments.loss} does not conform: {failed} of {len(record.checks)} checks are not as expected "
        f"({len(new)} causes) on {_versions(record)}"
        if new
        else f"{arguments.loss} conforms better than it is allowed to"
    )
    yield from _causes(record, new, cases, arguments)
    for pattern in unused:
        yield f"allowed, but it does not show: {pattern!r}; take it out of `allow`"
    if new:
        yield ""
        yield f"All of it: print(measure({arguments.loss}, …)).  Documented behaviour belongs into `contract`."
        yield f"Known and accepted: allow={{{new[0].cause!r}: 'the reason'}}"


def _versions(record: RunRecord) -> str:
    return ", ".join(f"{name} {version}" for line in record.header.backends for name, version in line.versions.items())


def _causes(
    record: RunRecord, findings: Sequence[CauseSummary], cases: Mapping[str, Case], arguments: Arguments
) -> Iterator[str]:
    checks = {check.id: check for check in record.checks}
    for number, one in enumerate(findings, start=1):
        dtypes = " ".join(dtype for dtype in FORMATS if dtype in one.dtypes)
        yield ""
        yield f"{number}. {one.outcome} {one.cause}: {one.elements} elements in {one.checks} checks, {dtypes}"
        if one.example is None:
            yield "   recorded, but not seen: take it out of the record"
        elif number <= SPELLED_OUT:
            yield from (f"   {line}" for line in _example(record, checks, one.example, cases, arguments))
        else:
            yield f"   {arguments.again(one.example)}"


def _example(
    record: RunRecord,
    checks: Mapping[str, CheckLine],
    example: Example,
    cases: Mapping[str, Case],
    arguments: Arguments,
) -> Iterator[str]:
    case = cases[example.case]
    check = checks[f"{example.case}::{example.implementation}::{example.dtype}::{example.quantity}"]
    line = record.inputs_by_case[example.case, example.dtype]
    yield printable(text.example_text(example)) + _against(example, check)
    yield f"why:   {case.why}"
    if call := arguments.call(example, case, line.dtypes):
        yield f"call:  {call}"
    yield f"again: {arguments.again(example)}"


def _against(example: Example, check: CheckLine) -> str:
    """The budget that an error exceeds."""
    if example.ulp is None or example.element not in check.elements or not check.budget:
        return ""
    return f" of {check.result_dtype}, budget {check.budget[check.elements.index(example.element)]:g}"


def _written(tensor: str, decimal: str, dtype: str) -> str:
    """A tensor of one element in Python."""
    number = f"float({decimal!r})" if decimal.strip("-") in ("nan", "inf") else decimal
    return tensor.format(number=str(decimal == "1") if dtype == "bool" else number, dtype=dtype)


def printable(line: str) -> str:
    """`line` with control characters, which may stand in a framework's message, written out."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in line)
