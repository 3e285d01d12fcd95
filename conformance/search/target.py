"""What is hunted: calls of one implementation, or of two on the same inputs, judged as in any run."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from conformance.adapters.declaration import PLAIN_CALL, Declaration
from conformance.errors import InputError
from conformance.judge.judge import Judge
from conformance.judge.verdicts import Judged
from conformance.numbers.formats import FORMATS, ulp
from conformance.plan.cases import Case, Element, Suite
from conformance.plan.filters import Filters
from conformance.plan.inputs import Inputs
from conformance.plan.plan import make_plan
from conformance.plan.requests import Request
from conformance.pool.backend import Backend
from conformance.pool.observation import Observed
from conformance.pool.pool import Pool
from conformance.run.tolerances import values_of
from conformance.search.hunt import Score
from conformance.search.options import Call

#: What can be hunted: the derivatives by prediction and the value have one number for each element.
QUANTITIES = ("value", "gradient-prediction", "second-derivative")


@dataclass(frozen=True)
class Target:
    """What is hunted: the error of one implementation, or the distance between the results of two."""

    implementations: Sequence[Declaration]
    dtype: str
    quantity: str
    sessions: Sequence[Callable[[Request], dict[str, Observed]]]

    @property
    def form(self) -> str:
        """What they take as prediction."""
        return self.implementations[0].form

    def case(self, predictions: Sequence[float], labels: Sequence[float]) -> Case:
        """Inputs as a case that expects nothing."""
        return Case(
            id="hunted/worst",
            why="the worst input that a search found",
            form=self.form,  # type: ignore[arg-type]  # one of Form
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
        suite = Suite.of("hunted", call.case(self.form, self.dtype, self.quantity))
        asked = make_plan(suite, [one], Filters(quantity=(self.quantity,))).requests
        return Judge(asked).judge([self.sessions[0](asked[0])])[0] if asked else None

    def judge_call(self, call: Call) -> float:
        """The largest error of a whole call, in units of its budget; NaN where it gives no number."""
        check = self.check(call)
        known = [e / b for e, b in zip(check.scaled, check.budget, strict=True) if e == e] if check else []
        return max(known, default=float("nan"))

    def judge(self, predictions: Any, labels: Any) -> Score:
        """Errors and classes of a batch."""
        checks = self.checks(predictions, labels)
        got = [values_of(check) for check in checks]
        ideal = np.array(checks[0].ideal)
        if len(checks) == 1:
            return Score(np.array(checks[0].scaled), _classes(got[0], ideal, checks[0]))
        with np.errstate(all="ignore"):
            distance = np.abs(got[0] - got[1]) / ulp(np.abs(ideal), FORMATS[self.dtype])
        distance = np.where(np.isfinite(distance), distance, np.nan)
        odd = np.isfinite(got[0]) != np.isfinite(got[1])
        return Score(distance, tuple("one of the two is no number" if one else "" for one in odd.tolist()))


def _classes(got: Any, ideal: Any, check: Judged) -> tuple[str, ...]:
    """The class of each result that is no error in ULP."""
    raised = [not bits for bits in check.bits] if check.bits else [True] * len(ideal)
    nan = np.isnan(got) & ~np.isnan(ideal)
    infinite = np.isinf(got) & np.isfinite(ideal) & np.isnan(np.array(check.scaled))
    return tuple(
        "raised" if r else "nan" if n else "infinite" if i else ""
        for r, n, i in zip(raised, nan.tolist(), infinite.tolist(), strict=True)
    )


@contextlib.contextmanager
def opened(
    pool: Pool, backends: Sequence[Backend], names: Sequence[str], dtype: str, quantity: str
) -> Iterator[Target]:
    """The target of the implementations of some names, while their workers, one for each backend, are open.

    Raises InputError where there is none of a name, or where it or two of them cannot be searched.
    """
    chosen = [_chosen(name, backends) for name in names]
    _check(chosen, dtype, quantity)
    with contextlib.ExitStack() as stack:
        sessions = {}
        for backend, _ in chosen:
            if backend.name not in sessions:
                sessions[backend.name] = stack.enter_context(pool.session(backend))
        yield Target([one for _, one in chosen], dtype, quantity, [sessions[backend.name] for backend, _ in chosen])


def _chosen(name: str, backends: Sequence[Backend]) -> tuple[Backend, Declaration]:
    known = {one.id: (backend, one) for backend in backends for one in backend.implementations}
    found = known.get(name) or known.get(name + PLAIN_CALL)
    if found is None:
        near = [one for one in known if name.lower() in one.lower()][:3]
        raise InputError(
            f"no implementation is called {name!r}" + (f"; near are {', '.join(near)}" if near else ""),
            "`bce-conformance list implementations --mode '*'` shows all",
        )
    return found


def _check(chosen: Sequence[tuple[Backend, Declaration]], dtype: str, quantity: str) -> None:
    forms = {one.form for _, one in chosen}
    if len(forms) > 1:
        raise InputError(f"two implementations can disagree on one form of prediction only (got {', '.join(forms)})")
    for _, one in chosen:
        if dtype not in one.dtypes or quantity not in one.quantities or "none" not in one.reductions:
            raise InputError(f"{one.id} offers no unreduced {quantity} in {dtype}")
