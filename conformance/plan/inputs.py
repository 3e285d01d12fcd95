"""The exact inputs of a case in one dtype: bit patterns and what they stand for, and how elements meet."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Any

import numpy as np

from conformance.numbers.formats import FORMATS, Tensor, decode
from conformance.numbers.literals import bits_of, float_of, rational
from conformance.plan.cases import Case, Element
from conformance.plan.presentations import Presentation
from conformance.plan.relations import RELATIONS, Leg, Statement, exact_in, literal

#: The tensors of which a loss is made.
ARGUMENTS = ("prediction", "label", "weight", "pos_weight")


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
