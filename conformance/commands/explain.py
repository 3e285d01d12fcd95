"""`bce-conformance explain CASE [IMPLEMENTATION]`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

import click

from conformance.adapters.declaration import BASE_MODE, Declaration
from conformance.commands import Command
from conformance.commands.options import Asked, complete_cases, complete_implementations, suite_options
from conformance.commands.output import TABLE, show_lines, show_table, show_verdicts
from conformance.commands.reasons import reasons
from conformance.commands.stages import stages
from conformance.contracts import Contract
from conformance.ids import ImplementationId
from conformance.plan.cases import Case, Located
from conformance.plan.domain import expectations
from conformance.plan.filters import Filters
from conformance.plan.inputs import Inputs
from conformance.quantities import AGREEMENT, NUMERIC
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
            show_lines([*_case_lines(located, dtypes), *_documents(one for one in known if _takes(one, located.case))])
            return
        chosen = words.implementation(implementation_id, known)
        quantities = options.filters.quantity
        filters = Filters(
            backend=(chosen.adapter,),
            implementation=(chosen.id, chosen._replace(mode=BASE_MODE).id),  # agreement is with the plain call
            case=(case_id,),
            dtype=tuple(dtypes),
            quantity=(*quantities, *NUMERIC) if AGREEMENT in quantities else quantities,
        )
        narrowed = replace(options, filters=filters)
        done = runs.observed(pool, backends, suite, narrowed).of(chosen.id, quantities)
        show_verdicts(done, reasons(pool, backends, done, suite, narrowed))
        show_lines(stages(pool, backends, chosen, suite, narrowed))
    show_lines(["", *_case_lines(located, dtypes), *_documents([chosen])])
    if wide:
        click.echo()
        show_table(done)


def _takes(one: Declaration, case: Case) -> bool:
    """Whether an implementation is of the form of a case, and takes all that the case sets."""
    return (
        one.form == case.form
        and set(case.options) <= set(one.options)
        and all(name in one.parameters for name in case.parameters)
    )


def _case_lines(located: Located, dtypes: tuple[str, ...]) -> list[str]:
    case = located.case
    lines = [
        f"{case.id} ({located.family}, {located.file}:{located.line})",
        f"  {case.why}",
        f"  form {case.form}, reduction {case.reduction}, flags {', '.join(case.flags)}",
        f"  {narrate.formula(case)}",
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
        if floor and (0 < inputs.values["label"][index] < 1 or "label_smoothing" in inputs.parameters):
            lines.append(f"      {floor}")
    return lines


def _documents(implementations: Iterable[Declaration]) -> Iterator[str]:
    """What is documented of each entry point; of a mode only where that is something else."""
    yield "documented:"
    quoted: dict[str, list[Contract]] = {}
    for one in implementations:
        own = quoted.setdefault(ImplementationId.parse(one.id).family, [])
        if one.contract in own:
            continue
        own.append(one.contract)
        lines = narrate.contract_lines(one.contract)
        yield f"  {one.id}: {'nothing that changes a number' if not lines else ''}".rstrip()
        yield from (f"      {line}" for line in lines)
