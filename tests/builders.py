"""Small cases, implementations and observations of which tests are made."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import settings

from conformance.adapters import ALL_DTYPES
from conformance.adapters.declaration import Declaration
from conformance.contracts import Contract, Source
from conformance.judge.judge import Judge
from conformance.judge.verdicts import Judged
from conformance.numbers.formats import Tensor, encode
from conformance.plan.cases import Case, Element, Located, Suite
from conformance.plan.inputs import Inputs
from conformance.plan.plan import Plan
from conformance.plan.requests import Request
from conformance.pool.observation import Observation, Observed

#: Every run tries the same examples, however slow the machine is.
deterministic = settings(derandomize=True, deadline=None, database=None, max_examples=200)

#: A source of a contract's field, for implementations that nobody wrote documentation for.
SOURCE = Source("it says so", "https://example.org/documentation")

#: A suite as files, of one case with two elements in float32.
FLAGS = "flags:\n  plain:\n    meaning: nothing special about it\n"
CASES = """\
family: small
title: a family for tests
cases:
  - id: small/one
    why: it exists for this test
    form: probabilities
    flags: [plain]
    dtypes: [float32]
    quantities: [value]
    elements:
      - {id: a, prediction: 0.5, label: 1}
      - {id: b, prediction: 0.25, label: 0.5}
"""

DERIVED = ("gradient-prediction", "gradient-label", "second-derivative")


def case(*elements: tuple[str, str], name: str = "small/one", form: str = "probabilities", **fields: Any) -> Case:
    """A case of (prediction, label) pairs, whose elements are called e0, e1, ..."""
    made = tuple(
        Element(id=f"e{index}", prediction=prediction, label=label)
        for index, (prediction, label) in enumerate(elements)
    )
    fields.setdefault("elements", made)
    return Case(id=name, why="it exists for this test", form=form, flags=(), **fields)  # type: ignore[arg-type]


def suite(*cases: Case) -> Suite:
    """A suite of some cases."""
    return Suite(Path("cases"), tuple(Located(one, "small", Path("small.yaml"), 1) for one in cases), {}, "digest")


def implementation(contract: Contract = (), **fields: Any) -> Declaration:
    """The implementation `stub/loss/eager/cpu` of everything, unless fields say otherwise."""
    given: dict[str, Any] = {
        "adapter": "stub",
        "entry": "loss",
        "mode": "eager",
        "device": "cpu",
        "form": "probabilities",
        "dtypes": ALL_DTYPES,
        "options": ("weight", "pos_weight"),
        "reductions": ("none", "mean", "sum"),
        "quantities": ("value", *DERIVED),
    } | fields
    return Declaration(contract=contract, **given)


def request(
    one: Case, by: Declaration | None = None, dtype: str = "float32", quantities: Sequence[str] = ("value",)
) -> Request:
    """A request of a case, on the stub without a contract unless another is given."""
    chosen = by or implementation(form=one.form)
    return Request("small", chosen, Inputs(one, dtype), tuple(quantities))


def plan(requests: Sequence[Request]) -> Plan:
    """A plan of requests."""
    cases = {one.case.id: one.case for one in requests}
    return Plan(
        suite=suite(*cases.values()),
        implementations=tuple({one.implementation: None for one in requests}),
        requests=tuple(requests),
    )


def tensor(values: Any, dtype: str = "float32") -> Tensor:
    """A tensor of float64 values, rounded."""
    return encode(np.asarray(values, dtype=np.float64), dtype)


def returned(values: Any, dtype: str = "float32", **fields: Any) -> Observation:
    """An observation of a returned tensor."""
    result = values if isinstance(values, Tensor) else tensor(values, dtype)
    return Observation(kind="returned", tensor=result, **fields)


def raised(type_: str = "RuntimeError", message: str = "no", control: bool = True) -> Observation:
    """An observation of an exception; `control` tells whether the paired control succeeded."""
    return Observation(kind="raised", type=type_, message=message, control=control)


CRASHED = Observation(kind="crashed", message="the process was ended by SIGABRT")
TIMED_OUT = Observation(kind="timed-out", message="no answer within 1 s")


def judged(asked: Request, *seen: Observation, quantity: str | None = None) -> Judged:
    """The one check of a request, from the observations of its numeric quantity."""
    checks = judged_all([asked], [{asked.numeric[0]: seen}])
    if quantity is not None:
        checks = [check for check in checks if check.quantity == quantity]
    (check,) = checks
    return check


def judged_all(asked: Sequence[Request], observed: Sequence[dict[str, Observed] | None]) -> list[Judged]:
    """All checks of some requests."""
    return Judge(asked).judge(observed)
