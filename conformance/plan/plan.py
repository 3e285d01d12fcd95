"""The plan: case × implementation × dtype × quantity, made before anything runs."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from conformance import contracts
from conformance.adapters import PRODUCERS
from conformance.adapters.declaration import BASE_MODE, Declaration
from conformance.plan.cases import Case, Located, Suite
from conformance.plan.filters import Filters, matches
from conformance.plan.inputs import Inputs
from conformance.plan.relations import RELATIONS
from conformance.plan.requests import Request
from conformance.quantities import AGREEMENT, BEHAVIOUR, NUMERIC, PROBE, REDUCTION, RELATION

#: Where every shape and every combination of dtypes costs a compilation, both are varied in this dtype.
VARIED = "float32"


#: Labels for which every entry point is a binary cross-entropy.
_HARD = frozenset({"0", "1"})


@dataclass(frozen=True, kw_only=True)
class Plan:
    """All requests, and how many checks were not offered by an implementation or left out by the filters."""

    suite: Suite
    implementations: tuple[Declaration, ...]
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


def _singly(case: Case, one: Declaration) -> bool:
    """Whether a case without a reduction can be asked of a mean or a sum, element by element.

    Shapes and other orders of the elements cannot, nor a weight that the mean of one element divides out again.
    """
    if not one.singly or case.reduction != "none" or case.present or case.relation:
        return False
    return "weight" not in case.options or contracts.divisor(one.contract, one.masks) == "elements"


def _refusal(case: Case, one: Declaration) -> str | None:
    """Why an implementation has no call for a case."""
    if any(option not in one.options for option in case.options):
        return "option"
    if any(name not in one.parameters for name in case.parameters):
        return "parameter"
    if case.reduction not in one.reductions and not _singly(case, one):
        return "reduction"
    if any(dtype in one.without for dtype in case.dtypes_of.values()):
        return "dtype"
    if case.modes and not matches(case.modes, one.stage_of or one.mode):
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
