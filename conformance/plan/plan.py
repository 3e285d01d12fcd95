"""The plan: case × implementation × dtype × quantity, made before anything runs.

A request is what travels to a worker: one case on one implementation in one dtype, with all its quantities.
A check is what is judged and reported: one quantity of one request.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from fractions import Fraction
from functools import cached_property
from typing import Any

import numpy as np

from conformance import contracts
from conformance.adapters import NUMERIC, PRODUCERS
from conformance.adapters.declaration import BASE_MODE, Declaration
from conformance.ids import CheckId, ImplementationId
from conformance.numbers.formats import FORMATS, Tensor, decode
from conformance.numbers.literals import bits_of, float_of, rational
from conformance.plan.cases import Case, Element, Located, Suite
from conformance.plan.presentations import Presentation
from conformance.plan.relations import RELATIONS, Leg, Relation, Statement, exact_in, literal

#: Quantities that describe how the value came back; they need the value's call and no other.
REPEATABLE = "repeatable"
BEHAVIOUR = ("acceptance", "result-dtype", "result-shape", "inputs-unchanged", REPEATABLE)

#: Whether an execution mode does what the entry point does when it is called plainly (`BASE_MODE`).
AGREEMENT = "agreement"

#: The quantity of a reduced case: is the result the sum or mean of the implementation's own unreduced results?
REDUCTION = "reduction"

#: The quantity of a case with a relation.
RELATION = "relation"

#: The quantity of a probe case: does the contract's field show?
PROBE = "contract"

#: Where every shape and every combination of dtypes costs a compilation, both are varied in this dtype.
VARIED = "float32"

#: Labels for which every entry point is a binary cross-entropy.
_HARD = frozenset({"0", "1"})

QUANTITIES = (*NUMERIC, *BEHAVIOUR, AGREEMENT, REDUCTION, RELATION, PROBE)

#: The families of a quick run: those that the question is about, special values, and what contracts promise.
QUICK_FAMILIES = (
    "hard-labels",
    "soft-labels",
    "out-of-range-labels",
    "extreme-predictions",
    "special-values",
    "contracts",
)

#: The quantities of a quick run: what one plain call tells.
QUICK = ("value", *BEHAVIOUR, PROBE)


@dataclass(frozen=True)
class Group:
    """An element of a case with a relation: which of the elements are its legs, and what is stated of them."""

    name: str
    legs: tuple[int, ...]
    statement: Statement


@dataclass(frozen=True)
class Inputs:
    """The exact inputs of a case in one dtype: bit patterns, and the values they stand for as float64."""

    case: Case
    dtype: str

    @cached_property
    def elements(self) -> tuple[Element, ...]:
        """Elements that exist in this dtype, for a relation with the legs derived from them."""
        return self._related[0]

    @cached_property
    def groups(self) -> tuple[Group, ...]:
        """For a case with a relation, its elements and their legs."""
        return self._related[1]

    @cached_property
    def _related(self) -> tuple[tuple[Element, ...], tuple[Group, ...]]:
        own = tuple(one for one in self.case.elements if one.dtypes is None or self.dtype in one.dtypes)
        if self.case.relation is None:
            return own, ()
        relation = RELATIONS[self.case.relation]
        elements: list[Element] = []
        groups: list[Group] = []
        fmt = FORMATS[self.dtype]
        for one in own:
            first = Leg(*(Fraction(float_of(bits_of(text, fmt), fmt)) for text in _numbers(one)))
            legs = relation.legs(self.case.form, first)
            if not all(exact_in(leg, fmt) for leg in legs.values()):
                continue
            derived = [replace(one, f"{one.id}.{name}", leg) for name, leg in legs.items()]
            places = tuple(range(len(elements), len(elements) + 1 + len(derived)))
            groups.append(Group(one.id, places, relation.states(first, legs)))
            elements += [one, *derived]
        return tuple(elements), tuple(groups)

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Ids of the elements."""
        return tuple(one.id for one in self.elements)

    @cached_property
    def tensors(self) -> dict[str, Tensor]:
        """Bit patterns of prediction, label and the options that the case sets; integers as they are."""
        return {name: self._tensor(name) for name in ("prediction", "label", *self.case.options)}

    def _tensor(self, name: str) -> Tensor:
        dtype = self.case.dtypes_of.get(name, self.dtype)
        numbers = [getattr(one, name) for one in self.elements]
        if dtype not in FORMATS:
            return Tensor(dtype, np.array([int(number) for number in numbers]).astype(dtype))
        fmt = FORMATS[dtype]
        return Tensor(dtype, np.array([bits_of(number, fmt) for number in numbers], dtype=fmt.storage))

    @cached_property
    def parameters(self) -> dict[str, float]:
        """Numbers for the whole call, as float64."""
        return {name: float(rational(number)) for name, number in self.case.parameters.items()}

    @cached_property
    def values(self) -> dict[str, Any]:
        """The elements as float64; absent options are ones."""
        ones = np.ones(len(self.elements))
        return {"weight": ones, "pos_weight": ones} | {name: decode(t) for name, t in self.tensors.items()}

    @cached_property
    def combinations(self) -> tuple[Any, dict[str, Any]]:
        """Which elements of the four tensors meet anywhere, one row each, and the row at each position by presentation.

        The first rows are the elements themselves.  A presentation in which all tensors have one shape meets no others
        and is left out: its rows are those of `Presentation.elements_of`.
        """
        count = len(self.elements)
        rows = {(index,) * len(ARGUMENTS): index for index in range(count)}
        places: dict[str, Any] = {}
        for one in self.case.presentations:
            met = [one.met(name, count) for name in ARGUMENTS] if one.others else []
            if not met or any(index is None for index in met):
                continue
            columns = zip(*(index.ravel().tolist() for index in met if index is not None), strict=True)
            places[one.name] = np.array([rows.setdefault(key, len(rows)) for key in columns], dtype=np.int64)
        return np.array(list(rows), dtype=np.int64).reshape(-1, len(ARGUMENTS)), places

    @cached_property
    def arguments(self) -> tuple[Any, ...]:
        """Prediction, label, weight and pos_weight of every combination: what expected values are computed for."""
        rows, _ = self.combinations
        return tuple(self.values[name][rows[:, axis]] for axis, name in enumerate(ARGUMENTS))

    def fits(self, presentation: Presentation) -> bool:
        """Whether its tensors fit together without enlarging the prediction."""
        return not presentation.others or presentation.name in self.combinations[1]

    def rows_at(self, presentation: Presentation, positions: Any) -> Any:
        """The combination at some positions of the prediction; the tensors must fit together."""
        if presentation.others:
            return self.combinations[1][presentation.name][positions]
        return positions % presentation.period(len(self.elements))

    def times(self, presentation: Presentation) -> Any:
        """How often each combination stands in the whole prediction."""
        count = len(self.combinations[0])
        if presentation.others:
            return np.bincount(self.combinations[1][presentation.name], minlength=count)
        period = presentation.period(len(self.elements))
        times = np.zeros(count, dtype=np.int64)
        times[:period] = presentation.size // period + (np.arange(period) < presentation.size % period)
        return times


#: The tensors of which a loss is made.
ARGUMENTS = ("prediction", "label", "weight", "pos_weight")


def _numbers(element: Element) -> tuple[str, str, str]:
    return element.prediction, element.label, element.weight or "1"


def replace(element: Element, name: str, leg: Leg) -> Element:
    """`element` with the inputs of a leg."""
    weight = None if element.weight is None else literal(leg.weight)
    return Element(
        id=name,
        prediction=literal(leg.prediction),
        label=literal(leg.label),
        weight=weight,
        pos_weight=element.pos_weight,
        expect=element.expect,
    )


@dataclass(frozen=True)
class Request:
    """One case on one implementation in one dtype, in those of its presentations that can be had there."""

    family: str
    implementation: Declaration
    inputs: Inputs
    quantities: tuple[str, ...]
    presentations: tuple[Presentation, ...] = ()

    @property
    def case(self) -> Case:
        """The case, which stands in the file of `family`."""
        return self.inputs.case

    @property
    def dtype(self) -> str:
        """dtype of the prediction, and of all input tensors that the case gives no other."""
        return self.inputs.dtype

    @property
    def relation(self) -> Relation | None:
        """What must hold between the results, for a case about that."""
        return RELATIONS[self.case.relation] if self.case.relation else None

    @property
    def calls(self) -> tuple[str, ...]:
        """What the worker must observe for this request's checks: numeric quantities, and variants of the call."""
        if self.relation is not None:
            return (self.relation.quantity, *self.relation.variants)
        wanted = [one for one in self.quantities if one in NUMERIC]
        if "value" not in wanted and any(one not in NUMERIC for one in self.quantities):
            wanted.insert(0, "value")
        return (*wanted, *(("unreduced",) if REDUCTION in self.quantities else ()))

    @property
    def numeric(self) -> tuple[str, ...]:
        """The numeric quantities among them."""
        return tuple(one for one in self.calls if one in NUMERIC)

    @property
    def element_names(self) -> tuple[str, ...]:
        """What findings are about: the presentations, the elements of a relation, or the elements."""
        if self.presentations:
            return tuple(one.name for one in self.presentations)
        return tuple(one.name for one in self.inputs.groups) or self.inputs.names

    @property
    def call(self) -> tuple[str, ...]:
        """What the modes of one entry point have in common."""
        one = self.implementation
        return self.case.id, self.dtype, one.family, one.device

    def message(self, calls: Sequence[str]) -> dict[str, Any]:
        """What a worker is told of it, beside its tensors, to make some of its calls."""
        tensors = self.inputs.tensors
        return {
            "op": "evaluate",
            "implementation": self.implementation.key,
            "reduction": self.case.reduction,
            "tensors": list(tensors),
            "parameters": self.inputs.parameters,
            "presentations": [one.wire(tensors) for one in self.presentations],
            "calls": list(calls),
        }

    def check_id(self, quantity: str) -> str:
        """case::implementation::dtype::quantity."""
        return str(CheckId(self.case.id, self.implementation.id, self.dtype, quantity))


@dataclass(frozen=True, kw_only=True)
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
        return dataclasses.replace(
            self,
            case=self.case or QUICK_FAMILIES,
            mode=self.mode or (BASE_MODE,),
            dtype=self.dtype or ("float32", "float16"),
            quantity=self.quantity or QUICK,
            without_flag=("large",),
            preset=("quick",),
        )

    def takes_case(self, located: Located) -> bool:
        """Whether a case passes by id, family and flags."""
        return self.takes_scenario(located.case.id, located.family, located.case.flags)

    def takes_scenario(self, case: str, family: str, flags: Sequence[str]) -> bool:
        """Whether a case of that id, family and flags passes."""
        by_id = matches(self.case, case) or matches(self.case, family)
        wanted = not self.flag or any(matches(self.flag, flag) for flag in flags)
        unwanted = self.without_flag and any(matches(self.without_flag, flag) for flag in flags)
        return by_id and wanted and not unwanted

    def takes_implementation(self, one: Declaration) -> bool:
        """Whether an implementation passes by id (or the part before its mode), backend and mode."""
        return self.takes_id(one.id)

    def takes_id(self, implementation: str) -> bool:
        """Whether the implementation of that id passes."""
        one = ImplementationId.parse(implementation)
        by_id = matches(self.implementation, implementation) or matches(self.implementation, one.family)
        return by_id and matches(self.backend, one.backend) and matches(self.mode, one.mode)


def matches(patterns: Sequence[str], name: str) -> bool:
    """Whether `name` matches any of the glob `patterns`, or there is none."""
    return not patterns or any(fnmatchcase(name, pattern) or name == pattern for pattern in patterns)


@dataclass(frozen=True, kw_only=True)
class Plan:
    """All requests, and how many checks were not offered by an implementation or left out by the filters.

    `samples` are requests that are made beside them: nothing of those is judged or counted.
    """

    suite: Suite
    implementations: tuple[Declaration, ...]
    requests: tuple[Request, ...]
    not_offered: dict[str, int] = field(default_factory=dict)
    skipped: int = 0
    samples: tuple[Request, ...] = ()

    @property
    def checks(self) -> int:
        """Number of checks."""
        return sum(len(request.quantities) for request in self.requests)

    def check_ids(self) -> Iterator[str]:
        """Ids of all checks, in order."""
        for request in self.requests:
            for quantity in request.quantities:
                yield request.check_id(quantity)


def make_plan(suite: Suite, implementations: Sequence[Declaration], filters: Filters | None = None) -> Plan:
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
    return Plan(
        suite=suite, implementations=chosen, requests=tuple(_comparable(requests, not_offered)), not_offered=not_offered
    )


def _comparable(requests: Sequence[Request], not_offered: dict[str, int]) -> Iterator[Request]:
    """The requests without checks of agreement whose plain call is not planned beside them."""
    plain = {one.call for one in requests if one.implementation.mode == BASE_MODE}
    for one in requests:
        if AGREEMENT in one.quantities and one.call not in plain:
            not_offered["plain call"] = not_offered.get("plain call", 0) + 1
            rest = tuple(quantity for quantity in one.quantities if quantity != AGREEMENT)
            if rest:
                yield dataclasses.replace(one, quantities=rest)
        else:
            yield one


def _requests(
    located: Located, one: Declaration, inputs: dict[str, Inputs], filters: Filters, not_offered: dict[str, int]
) -> Iterator[Request]:
    case = located.case
    if case.probe is not None and contracts.probed(one.contract, case.probe) is None:
        return
    wanted = tuple(quantity for quantity in _asked(case, one) if matches(filters.quantity, quantity))
    offered = tuple(q for q in wanted if q not in NUMERIC or q in one.quantities)
    presentations = tuple(p for p in case.presentations if p.layout in one.layouts and (p.few or not one.few_shapes))
    reason = _refusal(case, one) or ("layout" if case.present and not presentations else None)
    for dtype, values in inputs.items():
        if not values.elements or not wanted:
            continue
        missing = reason or ("dtype" if dtype not in one.dtypes else None)
        if missing is None and one.few_shapes and _varies(case) and not (one.varied and dtype == VARIED):
            missing = "shape"
        if missing:
            not_offered[missing] = not_offered.get(missing, 0) + len(wanted)
            continue
        if len(offered) < len(wanted):
            not_offered["quantity"] = not_offered.get("quantity", 0) + len(wanted) - len(offered)
        if offered:
            yield Request(located.family, one, values, offered, presentations)


def _varies(case: Case) -> bool:
    """Whether a case varies shapes without reducing them, or dtypes."""
    return bool(case.dtypes_of) or (bool(case.present) and case.reduction == "none")


def _asked(case: Case, one: Declaration) -> tuple[str, ...]:
    """The quantities that a case asks of an implementation."""
    if case.probe is not None:
        return (PROBE,)
    if case.relation is not None:
        return (RELATION,)
    reduction = (REDUCTION,) if case.reduction != "none" and "none" in one.reductions else ()
    return (*case.numeric, *BEHAVIOUR, *reduction, *((AGREEMENT,) if one.mode != BASE_MODE else ()))


def _refusal(case: Case, one: Declaration) -> str | None:
    """Why an implementation has no call for a case."""
    if any(option not in one.options for option in case.options):
        return "option"
    if any(name not in one.parameters for name in case.parameters):
        return "parameter"
    if case.reduction not in one.reductions:
        return "reduction"
    if any(dtype in one.without for dtype in case.dtypes_of.values()):
        return "dtype"
    if case.modes and not matches(case.modes, one.mode):
        return "mode"
    if one.labels == "hard" and case.probe is None and any(element.label not in _HARD for element in case.elements):
        return "label"
    if one.masks and any(element.weight not in (None, "0", "1") for element in case.elements):
        return "weight"
    relation = RELATIONS[case.relation] if case.relation else None
    if relation is not None and (
        relation.quantity not in one.quantities
        or ("counterpart" in relation.variants and not one.counterpart)
        or any(name in PRODUCERS and name not in one.producers for name in relation.variants)
    ):
        return "relation"
    return None
