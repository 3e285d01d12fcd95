"""Requests: what travels to a worker, one case on one implementation in one dtype, with all its quantities.

A check is what is judged and reported: one quantity of one request.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from conformance.adapters.declaration import Declaration
from conformance.ids import CheckId
from conformance.plan.cases import Case
from conformance.plan.inputs import Inputs
from conformance.plan.presentations import Presentation
from conformance.plan.relations import RELATIONS, Relation
from conformance.quantities import CALLS, NUMERIC, QUANTITIES


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
    def divisor(self) -> str:
        """What the ideal mean divides by: a mask takes an element out of the count, whatever the case is about."""
        return "weights" if self.implementation.masks else self.case.divisor

    @property
    def relation(self) -> Relation | None:
        """What must hold between the results, for a case about that."""
        return RELATIONS[self.case.relation] if self.case.relation else None

    @cached_property
    def calls(self) -> tuple[str, ...]:
        """What the worker must observe for this request's checks: numeric quantities, and variants of the call."""
        if self.relation is not None:
            return (self.relation.quantity, *self.relation.variants)
        wanted = {call for one in self.quantities for call in QUANTITIES[one].calls}
        return tuple(call for call in CALLS if call in wanted)

    @cached_property
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
