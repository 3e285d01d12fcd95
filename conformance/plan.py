"""The plan: case × implementation × dtype × quantity, made before anything runs.

A request is what travels to a worker: one case on one implementation in one dtype, with all its quantities.
A check is what is judged and reported: one quantity of one request.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from functools import cached_property
from typing import Any

import numpy as np

from conformance import contracts
from conformance.cases import NUMERIC, Case, Element, Located, Suite
from conformance.formats import FORMATS, Tensor, decode
from conformance.literals import bits_of

#: Quantities that describe how the value came back; they need the value's call and no other.
BEHAVIOUR = ("acceptance", "result-dtype", "result-shape", "inputs-unchanged")

#: The quantity of a probe case: does the contract's field show?
PROBE = "contract"

QUANTITIES = (*NUMERIC, *BEHAVIOUR, PROBE)

#: The quantities of a quick run.
QUICK = ("value", "gradient-prediction", *BEHAVIOUR, PROBE)


@dataclass(frozen=True)
class Implementation:
    """An implementation under test as its adapter declared it."""

    adapter: str
    key: str
    entry: str
    mode: str
    device: str
    form: str
    dtypes: tuple[str, ...]
    options: tuple[str, ...]
    reductions: tuple[str, ...]
    quantities: tuple[str, ...]
    contract: contracts.Contract
    link: str = ""
    parameters: tuple[str, ...] = ()
    labels: str = "any"
    counterpart: str = ""
    layouts: tuple[str, ...] = ("contiguous",)
    producers: tuple[str, ...] = ()

    @property
    def id(self) -> str:
        """backend/entry/mode/device."""
        return f"{self.adapter}/{self.key}"

    @property
    def family(self) -> str:
        """backend/entry: what modes and devices have in common, and what a cause is attributed to."""
        return f"{self.adapter}/{self.entry}"


def implementation_from_wire(adapter: str, item: dict[str, Any]) -> Implementation:
    """The parent's view of a declaration.  Raises ValueError where its contract is not of the vocabulary."""
    item = dict(item)
    contract = contracts.from_wire(item.pop("contract"))
    rest: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in item.items()}
    return Implementation(adapter=adapter, contract=contract, **rest)


@dataclass(frozen=True)
class Inputs:
    """The exact inputs of a case in one dtype: bit patterns, and the values they stand for as float64."""

    case: Case
    dtype: str

    @cached_property
    def elements(self) -> tuple[Element, ...]:
        """Elements that exist in this dtype."""
        return tuple(one for one in self.case.elements if one.dtypes is None or self.dtype in one.dtypes)

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Ids of the elements."""
        return tuple(one.id for one in self.elements)

    @cached_property
    def tensors(self) -> dict[str, Tensor]:
        """Bit patterns of prediction, label and the options that the case sets."""
        fmt = FORMATS[self.dtype]
        return {
            name: Tensor(
                self.dtype,
                np.array([bits_of(getattr(one, name), fmt) for one in self.elements], dtype=fmt.storage),
            )
            for name in ("prediction", "label", *self.case.options)
        }

    @cached_property
    def values(self) -> dict[str, Any]:
        """The same as float64; absent options are ones."""
        ones = np.ones(len(self.elements))
        return {"weight": ones, "pos_weight": ones} | {name: decode(t) for name, t in self.tensors.items()}


@dataclass(frozen=True)
class Request:
    """One case on one implementation in one dtype."""

    located: Located
    implementation: Implementation
    inputs: Inputs
    quantities: tuple[str, ...]

    @property
    def case(self) -> Case:
        """The case."""
        return self.located.case

    @property
    def dtype(self) -> str:
        """dtype of all input tensors."""
        return self.inputs.dtype

    @property
    def numeric(self) -> tuple[str, ...]:
        """The quantities that the worker must compute for this request's checks."""
        wanted = [one for one in self.quantities if one in NUMERIC]
        if "value" not in wanted and any(one not in NUMERIC for one in self.quantities):
            wanted.insert(0, "value")
        return tuple(wanted)

    def check_id(self, quantity: str) -> str:
        """case::implementation::dtype::quantity."""
        return f"{self.case.id}::{self.implementation.id}::{self.dtype}::{quantity}"


@dataclass(frozen=True)
class Filters:
    """Glob patterns; an empty tuple lets everything pass.  `preset` only names where the others come from."""

    backend: tuple[str, ...] = ()
    implementation: tuple[str, ...] = ()
    case: tuple[str, ...] = ()
    flag: tuple[str, ...] = ()
    dtype: tuple[str, ...] = ()
    quantity: tuple[str, ...] = ()
    mode: tuple[str, ...] = ()
    without_flag: tuple[str, ...] = ()
    preset: tuple[str, ...] = ()

    def quick(self) -> Filters:
        """These filters, and what they leave open narrowed to what a minute is enough for."""
        return replace(
            self,
            mode=self.mode or ("eager",),
            dtype=self.dtype or ("float32", "float16"),
            quantity=self.quantity or QUICK,
            without_flag=("slow", "large"),
            preset=("quick",),
        )

    def takes_case(self, located: Located) -> bool:
        """Whether a case passes by id, family and flags."""
        case = located.case
        by_id = matches(self.case, case.id) or matches(self.case, located.family)
        wanted = not self.flag or any(matches(self.flag, flag) for flag in case.flags)
        return by_id and wanted and not set(self.without_flag) & set(case.flags)

    def takes_implementation(self, one: Implementation) -> bool:
        """Whether an implementation passes by id (or the part before its mode), backend and mode."""
        by_id = matches(self.implementation, one.id) or matches(self.implementation, one.family)
        return by_id and matches(self.backend, one.adapter) and matches(self.mode, one.mode)


def matches(patterns: Sequence[str], name: str) -> bool:
    """Whether `name` matches any of the glob `patterns`, or there is none."""
    return not patterns or any(fnmatchcase(name, pattern) or name == pattern for pattern in patterns)


@dataclass(frozen=True)
class Plan:
    """All requests, and how many checks were not offered by an implementation or left out by the filters."""

    suite: Suite
    implementations: tuple[Implementation, ...]
    requests: tuple[Request, ...]
    not_offered: dict[str, int] = field(default_factory=dict)
    skipped: int = 0

    @property
    def checks(self) -> int:
        """Number of checks."""
        return sum(len(request.quantities) for request in self.requests)

    def check_ids(self) -> Iterator[str]:
        """Ids of all checks, in order."""
        for request in self.requests:
            for quantity in request.quantities:
                yield request.check_id(quantity)


def make_plan(suite: Suite, implementations: Sequence[Implementation], filters: Filters | None = None) -> Plan:
    """Plan every case on every implementation of its form.

    What an implementation has no callable for is not planned but counted in `not_offered`, by reason.
    """
    filters = filters or Filters()
    chosen = tuple(one for one in implementations if filters.takes_implementation(one))
    requests: list[Request] = []
    not_offered: dict[str, int] = {}
    for located in suite.cases:
        if not filters.takes_case(located):
            continue
        inputs: dict[str, Inputs] = {
            dtype: Inputs(located.case, dtype) for dtype in located.case.dtypes if matches(filters.dtype, dtype)
        }
        for one in chosen:
            if one.form == located.case.form:
                requests.extend(_requests(located, one, inputs, filters, not_offered))
    return Plan(suite, chosen, tuple(requests), not_offered)


def _requests(
    located: Located, one: Implementation, inputs: dict[str, Inputs], filters: Filters, not_offered: dict[str, int]
) -> Iterator[Request]:
    case = located.case
    if case.probe is not None:
        if contracts.probed(one.contract, case.probe) is None:
            return
        asked: tuple[str, ...] = (PROBE,)
    else:
        asked = (*case.quantities, *BEHAVIOUR)
    wanted = tuple(quantity for quantity in asked if matches(filters.quantity, quantity))
    offered = tuple(q for q in wanted if q not in NUMERIC or q in one.quantities)
    reason = _refusal(case, one)
    for dtype, values in inputs.items():
        if not values.elements or not wanted:
            continue
        missing = reason or ("dtype" if dtype not in one.dtypes else None)
        if missing:
            not_offered[missing] = not_offered.get(missing, 0) + len(wanted)
            continue
        if len(offered) < len(wanted):
            not_offered["quantity"] = not_offered.get("quantity", 0) + len(wanted) - len(offered)
        if offered:
            yield Request(located, one, values, offered)


def _refusal(case: Case, one: Implementation) -> str | None:
    if any(option not in one.options for option in case.options):
        return "option"
    if case.reduction not in one.reductions:
        return "reduction"
    return None
