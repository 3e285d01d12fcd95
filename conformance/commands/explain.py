"""`bce-conformance explain CASE [IMPLEMENTATION]`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

import click

from conformance.adapters.declaration import Declaration
from conformance.commands import Command
from conformance.commands.options import Asked, complete_cases, complete_implementations, suite_options
from conformance.commands.output import TABLE, show_lines, show_table, show_verdicts
from conformance.commands.reasons import reasons
from conformance.commands.stages import stages
from conformance.plan.cases import Located
from conformance.plan.domain import expectations
from conformance.plan.filters import Filters
from conformance.plan.inputs import Inputs
from conformance.render import narrate
from conformance.run import asked as words
from conformance.run import run as runs


@click.command(cls=Command)
@click.argument("case_id", metavar="CASE", shell_complete=complete_cases)
@click.argument(
    "implementation_id", metavar="[IMPLEMENTATION]", required=False, shell_complete=complete_implementations
)
@TABLE
@suite_options
def explain(case_id: str, implementation_id: str | None, wide: bool, asked: Asked) -> None:
    """Explain a case: exact inputs, what is expected and why, what the frameworks document.

    With IMPLEMENTATION it is also run: what it returns in place of what, and why, comes first.
    """
    suite, options = asked.suite(), asked.options
    located = suite.find(case_id)
    dtypes = options.filters.dtype or located.case.dtypes
    with runs.open_pool(options) as pool:
        backends = runs.discover(pool, options)
        known = [one for backend in backends for one in backend.implementations]
        if implementation_id is None:
            show_lines(
                [*_case_lines(located, dtypes), *_documents(one for one in known if one.form == located.case.form)]
            )
            return
        chosen = words.implementation(implementation_id, known)
        filters = Filters(
            backend=(chosen.adapter,),
            implementation=(chosen.id,),
            case=(case_id,),
            dtype=tuple(dtypes),
            quantity=options.filters.quantity,
        )
        narrowed = replace(options, filters=filters)
        done = runs.observed(pool, backends, suite, narrowed)
        show_verdicts(done, reasons(pool, backends, done, suite, narrowed))
        show_lines(stages(pool, backends, chosen, suite, narrowed))
    show_lines(["", *_case_lines(located, dtypes), *_documents([chosen])])
    if wide:
        click.echo()
        show_table(done)


def _case_lines(located: Located, dtypes: tuple[str, ...]) -> list[str]:
    case = located.case
    lines = [
        f"{case.id} ({located.family}, {located.file}:{located.line})",
        f"  {case.why}",
        f"  form {case.form}, reduction {case.reduction}, flags {', '.join(case.flags)}",
        f"  {narrate.FORMULA[case.form]}",
    ]
    if case.spec:
        lines.append(f"  see {case.spec}")
    if case.historical:
        lines.append(f"  once printed: {case.historical.value} ({case.historical.source})")
    for dtype in dtypes:
        lines += _element_lines(Inputs(case, dtype))
    return lines


def _element_lines(inputs: Inputs) -> list[str]:
    lines = [f"{inputs.dtype}:"] if inputs.elements else []
    told = zip(expectations(inputs, ()), narrate.derivations(inputs), narrate.floors(inputs), strict=True)
    for index, (expected, derivation, floor) in enumerate(told):
        lines.append(f"  {inputs.elements[index].id}: {narrate.exact_inputs(inputs, index)}, expect {expected}")
        lines.append(f"      {derivation}")
        if floor and 0 < inputs.values["label"][index] < 1:
            lines.append(f"      {floor}")
    return lines


def _documents(implementations: Iterable[Declaration]) -> Iterator[str]:
    yield "documented:"
    for one in implementations:
        lines = narrate.contract_lines(one.contract)
        yield f"  {one.id}: {'nothing that changes a number' if not lines else ''}".rstrip()
        yield from (f"      {line}" for line in lines)
