"""`bce-conformance explain CASE [IMPLEMENTATION]`."""

from __future__ import annotations

from dataclasses import replace

import click

from conformance.adapters.declaration import Declaration
from conformance.commands.options import Asked, suite_options
from conformance.commands.reasons import reasons
from conformance.commands.stages import stages
from conformance.plan.cases import Located
from conformance.plan.domain import expectations
from conformance.plan.filters import Filters
from conformance.plan.inputs import Inputs
from conformance.render import narrate
from conformance.render.elements import check_table, print_table
from conformance.run import asked as words
from conformance.run import run as runs


@click.command()
@click.argument("case_id", metavar="CASE")
@click.argument("implementation_id", metavar="[IMPLEMENTATION]", required=False)
@suite_options
def explain(case_id: str, implementation_id: str | None, asked: Asked) -> None:
    """Explain a case: exact inputs, what is expected and why, what the frameworks document.

    With IMPLEMENTATION it is also run, and every element is shown with result, ideal, contract and error.
    """
    suite, options = asked.suite(), asked.options
    located = suite.find(case_id)
    dtypes = options.filters.dtype or located.case.dtypes
    for line in _case_lines(located, dtypes):
        click.echo(line)
    with runs.open_pool(options) as pool:
        backends = runs.discover(pool, options)
        known = [one for backend in backends for one in backend.implementations]
        if implementation_id is None:
            _documents([one for one in known if one.form == located.case.form])
            return
        chosen = words.implementation(implementation_id, known)
        _documents([chosen])
        filters = Filters(
            backend=(chosen.adapter,),
            implementation=(chosen.id,),
            case=(case_id,),
            dtype=tuple(dtypes),
            quantity=options.filters.quantity,
        )
        narrowed = replace(options, filters=filters)
        done = runs.observed(pool, backends, suite, narrowed)
        click.echo()
        print_table(check_table(done))
        for line in reasons(pool, backends, done, suite, narrowed):
            click.echo(line)
        for line in stages(pool, backends, chosen, suite, narrowed):
            click.echo(line)


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


def _documents(implementations: list[Declaration]) -> None:
    click.echo("documented:")
    for one in implementations:
        lines = narrate.contract_lines(one.contract)
        click.echo(f"  {one.id}: {'nothing that changes a number' if not lines else ''}")
        for line in lines:
            click.echo(f"      {line}")
