"""`bce-conformance hunt`: search for the worst input of an implementation, or the largest disagreement of two."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import numpy as np

from conformance.adapters import ALL_DTYPES
from conformance.commands.options import ADAPTER, INTERPRETER, Asked, asking
from conformance.commands.try_numbers import save_case
from conformance.errors import InputError
from conformance.judge.judge import Judge
from conformance.judge.verdicts import Judged
from conformance.numbers import literals
from conformance.numbers.formats import FORMATS, ulp
from conformance.numbers.literals import text_of
from conformance.plan.cases import Case, Element, Suite
from conformance.plan.plan import Filters, Implementation, Inputs, Request, make_plan
from conformance.pool.pool import Backend, Pool
from conformance.record import spelled
from conformance.render import narrate
from conformance.run import run as runs
from conformance.run.tolerances import values_of
from conformance.search import hunt as search
from conformance.search.options import Call, hunt_calls

#: What can be hunted: the derivatives by prediction and the value have one number for each element.
QUANTITIES = ("value", "gradient-prediction", "second-derivative")


@click.command("hunt")
@click.argument("implementation")
@click.argument("other", required=False)
@click.option("--dtype", type=click.Choice(ALL_DTYPES), default="float32", show_default=True)
@click.option("--quantity", type=click.Choice(QUANTITIES), default="value", show_default=True)
@click.option("--label", "labels", default="0,1", show_default=True, help="One literal, or two: from and to.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True)
@click.option("--inputs", type=click.IntRange(1), default=200_000, show_default=True, help="Inputs to try.")
@click.option(
    "--seconds", type=click.FloatRange(0.1), default=60.0, show_default=True, help="Time after which it ends."
)
@click.option("--options", "varied", is_flag=True, help="Vary options, shapes and reductions, too (needs Hypothesis).")
@click.option("--calls", type=click.IntRange(1), default=2_000, show_default=True, help="Calls to try with --options.")
@click.option("--save", type=click.Path(path_type=Path, dir_okay=False), help="Write what was found as a case file.")
@ADAPTER
@INTERPRETER
@asking("adapters", "interpreters")
def hunt(
    implementation: str,
    other: str | None,
    dtype: str,
    quantity: str,
    labels: str,
    seed: int,
    inputs: int,
    seconds: float,
    varied: bool,
    calls: int,
    save: Path | None,
    asked: Asked,
) -> None:
    """Search for the input on which IMPLEMENTATION is worst, or on which it and OTHER disagree most.

    IMPLEMENTATION is an id, as of `bce-conformance list implementations`. The same seed and number of inputs give the
    same answer. What is found is a lower bound of the largest error, never a proof.
    """
    ends = _ends(labels)
    with runs.open_pool(asked.options) as pool:
        backends = runs.discover(pool, asked.options)
        chosen = [_chosen(name, backends) for name in (implementation, *([other] if other else []))]
        _check(chosen, dtype, quantity)
        with contextlib.ExitStack() as stack:
            target = Target(
                [one for _, one in chosen], dtype, quantity, _sessions(stack, pool, chosen), asked.options.asked
            )
            if varied:
                _hunt_calls(target, seed, calls, save)
                return
            where = search.space(chosen[0][1].form, dtype, ends)
            found = search.hunt(target.judge, where, seed, inputs, seconds)
            shown = [found.worst] if found.worst is not None else []
            small = [search.shrink(target.judge, where, one) for one in (*shown, *found.classes)]
            for one in small:
                click.echo(target.tell(one))
    ended = "the time was over" if found.out_of_time else "all were tried"
    click.echo(f"{found.tried} inputs, seed {seed}; {ended}. A search proves no maximum.")
    if save is not None and small:
        save_case(target.case([one.prediction for one in small], [one.label for one in small]), save)


def _hunt_calls(target: Target, seed: int, calls: int, save: Path | None) -> None:
    """Search over whole calls, and tell the worst one."""
    if len(target.implementations) > 1:
        raise InputError("--options is about one implementation")
    one = target.implementations[0]
    found = hunt_calls(target.judge_call, one, target.dtype, seed, calls)
    if found is None:
        click.echo("no call gave a number")
        return
    check = target.check(found.call)
    assert check is not None
    call = found.call
    settings = [*(f"{name}={value}" for name, value in call.parameters.items()), f"reduction={call.reduction}"]
    settings += [f"presented as {call.presentation}"] if call.presentation else []
    click.echo(f"worst: {target.dtype} {target.quantity} of {one.id}, {', '.join(settings)}")
    inputs = Inputs(check.request.case, target.dtype)
    for index in range(len(inputs.elements)):
        click.echo(f"    {narrate.exact_inputs(inputs, index)}")
    for name, error, ideal in zip(check.elements, check.scaled, check.ideal, strict=True):
        click.echo(f"    {name}: ideal {ideal:.9g}, {error:.6g} ULP")
    click.echo(f"{found.budgets:.6g} times the budget; seed {seed}, {calls} calls. A search proves no maximum.")
    if save is not None:
        save_case(check.request.case, save)


def _ends(labels: str) -> tuple[str, str]:
    words = labels.split(",")
    if len(words) > 2:
        raise InputError(f"--label must be one literal, or two with a comma between them (got {labels!r})")
    for word in words:
        try:
            literals.check(word)
        except literals.LiteralError as error:
            raise InputError(f"--label: {error}") from None
        if not np.isfinite(
            search.values([literals.bits_of(word.lstrip("+-"), FORMATS["float64"])], FORMATS["float64"])[0]
        ):
            raise InputError(f"--label must be finite (got {word!r})")
    return words[0], words[-1]


def _chosen(name: str, backends: Sequence[Backend]) -> tuple[Backend, Implementation]:
    known = {one.id: (backend, one) for backend in backends for one in backend.implementations}
    found = known.get(name) or known.get(f"{name}/eager/cpu")
    if found is None:
        near = [one for one in known if name.lower() in one.lower()][:3]
        raise InputError(
            f"no implementation is called {name!r}" + (f"; near are {', '.join(near)}" if near else ""),
            "`bce-conformance list implementations --mode '*'` shows all",
        )
    return found


def _check(chosen: Sequence[tuple[Backend, Implementation]], dtype: str, quantity: str) -> None:
    forms = {one.form for _, one in chosen}
    if len(forms) > 1:
        raise InputError(f"two implementations can disagree on one form of prediction only (got {', '.join(forms)})")
    for _, one in chosen:
        if dtype not in one.dtypes or quantity not in one.quantities or "none" not in one.reductions:
            raise InputError(f"{one.id} offers no unreduced {quantity} in {dtype}")


def _sessions(stack: contextlib.ExitStack, pool: Pool, chosen: Sequence[tuple[Backend, Implementation]]) -> list[Any]:
    """A function that observes a request for each implementation; those of one backend share a worker."""
    opened: dict[str, Any] = {}
    for backend, _ in chosen:
        if backend.name not in opened:
            opened[backend.name] = stack.enter_context(pool.session(backend))
    return [opened[backend.name] for backend, _ in chosen]


@dataclass
class Target:
    """What is hunted: the error of one implementation, or the distance between the results of two."""

    implementations: Sequence[Implementation]
    dtype: str
    quantity: str
    sessions: Sequence[Any]
    asked: spelled.Asked

    def case(self, predictions: Sequence[float], labels: Sequence[float]) -> Case:
        """Inputs as a case that expects nothing."""
        return Case(
            id="hunted/worst",
            why="the worst input that a search found",
            form=self.implementations[0].form,  # type: ignore[arg-type]  # one of Form
            flags=(),
            elements=tuple(
                Element(id=f"e{index}", prediction=float(p).hex(), label=float(y).hex())
                for index, (p, y) in enumerate(zip(predictions, labels, strict=True))
            ),
            dtypes=(self.dtype,),  # type: ignore[arg-type]  # one of ALL_DTYPES
            expect="observe",
            quantities=(self.quantity,),  # type: ignore[arg-type]  # one of NUMERIC
        )

    def checks(self, predictions: Any, labels: Any) -> list[Judged]:
        """The judged check of each implementation."""
        case = self.case(predictions.tolist(), labels.tolist())
        requests = [Request("hunted", one, Inputs(case, self.dtype), (self.quantity,)) for one in self.implementations]
        observed = [observe(request) for observe, request in zip(self.sessions, requests, strict=True)]
        return Judge(requests).judge(observed)

    def check(self, call: Call) -> Judged | None:
        """The judged check of a whole call; None where the implementation has no such call."""
        one = self.implementations[0]
        suite = Suite.of("hunted", call.case(one.form, self.dtype, self.quantity))
        asked = make_plan(suite, [one], Filters(quantity=(self.quantity,))).requests
        return Judge(asked).judge([self.sessions[0](asked[0])])[0] if asked else None

    def judge_call(self, call: Call) -> float:
        """The largest error of a whole call, in units of its budget; NaN where it gives no number."""
        check = self.check(call)
        known = [e / b for e, b in zip(check.scaled, check.budget, strict=True) if e == e] if check else []
        return max(known, default=float("nan"))

    def judge(self, predictions: Any, labels: Any) -> search.Score:
        """Errors and classes of a batch."""
        checks = self.checks(predictions, labels)
        got = [values_of(check) for check in checks]
        ideal = np.array(checks[0].ideal)
        if len(checks) == 1:
            return search.Score(np.array(checks[0].scaled), _classes(got[0], ideal, checks[0]))
        with np.errstate(all="ignore"):
            distance = np.abs(got[0] - got[1]) / ulp(np.abs(ideal), FORMATS[self.dtype])
        distance = np.where(np.isfinite(distance), distance, np.nan)
        odd = np.isfinite(got[0]) != np.isfinite(got[1])
        return search.Score(distance, tuple("one of the two is no number" if one else "" for one in odd.tolist()))

    def tell(self, found: search.Found) -> str:
        """A finding in words: exact inputs, results, ideal, error, and a command that shows it again."""
        checks = self.checks(np.array([found.prediction]), np.array([found.label]))
        fmt = FORMATS[self.dtype]
        inputs = [
            f"{name}={text_of(bits, fmt)} (0x{bits:0{fmt.width // 4}x})"
            for name, value in (("prediction", found.prediction), ("label", found.label))
            for bits in (literals.bits_of(float(value).hex(), fmt),)
        ]
        lines = [f"{found.what or 'worst'}: {self.dtype} {self.quantity} at {' '.join(inputs)}"]
        for check in checks:
            wide = FORMATS.get(check.result_dtype)
            bits = check.bits[0] if check.bits else ""
            got = f"{text_of(int(bits, 16), wide)} (0x{bits})" if bits and wide else "; ".join(check.details)
            error = check.scaled[0] if check.scaled else float("nan")
            lines.append(
                f"    {check.request.implementation.id}: got {got}, ideal {check.ideal[0]:.9g}"
                + (f", {error:.6g} ULP" if error == error else "")
            )
        if len(checks) > 1:
            lines.append(f"    apart by {found.ulp:.6g} ULP of the ideal")
        prediction, label = (_short(value, fmt) for value in (found.prediction, found.label))
        names, form = tuple(one.id for one in self.implementations), self.implementations[0].form
        lines.append(f"    {spelled.try_numbers(names, form, prediction, label, self.dtype, self.asked)}")
        return "\n".join(lines)


def _short(value: float, fmt: Any) -> str:
    return text_of(literals.bits_of(float(value).hex(), fmt), fmt)


def _classes(got: Any, ideal: Any, check: Judged) -> tuple[str, ...]:
    """The class of each result that is no error in ULP."""
    raised = [not bits for bits in check.bits] if check.bits else [True] * len(ideal)
    nan = np.isnan(got) & ~np.isnan(ideal)
    infinite = np.isinf(got) & np.isfinite(ideal) & np.isnan(np.array(check.scaled))
    return tuple(
        "raised" if r else "nan" if n else "infinite" if i else ""
        for r, n, i in zip(raised, nan.tolist(), infinite.tolist(), strict=True)
    )
