"""The points of a numeric check: what came back, place by place, and the expected values spread to the same places.

A check is about elements (of the case, or presentations of it); each of them has points, those of an unreduced plain
call exactly one.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from conformance import contracts
from conformance.judge import expected
from conformance.judge.expected import Alternative
from conformance.numbers.formats import FORMATS, Format, decode
from conformance.plan.requests import Request
from conformance.pool.observation import Observation, Observed
from reference import Reference, exact_total


class Answer(NamedTuple):
    """A request, and what was observed of each of its calls."""

    request: Request
    outcome: dict[str, Observed]


class Points:
    """A plain call: one tensor of all elements, or a result over all of them.

    `quantity` is what is judged, `numeric` the quantity whose ideal its results are held against.  `owner` tells which
    of the check's `names` each point belongs to.  `got` is float64, `present` whether something comparable came back,
    `dtype` what came back, `problem` why nothing of it is comparable.
    """

    def __init__(self, answer: Answer, quantity: str, numeric: str) -> None:
        request, outcome = answer
        self.request = request
        self.outcome = outcome
        self.quantity = quantity
        self.numeric = numeric
        self.observations = outcome[numeric]
        self.scalar = request.case.reduction != "none" and numeric == "value"
        self.dtype = ""
        self.fmt: Format = FORMATS[request.dtype]
        self.problem = ""
        self._read()

    def _read(self) -> None:
        names = self.request.inputs.names
        self.names: tuple[str, ...] = names if not self.scalar or len(names) == 1 else ("all",)
        self.count = len(self.names)
        self.owner = np.arange(self.count)
        self.got = np.full(self.count, np.nan)
        self.present = np.zeros(self.count, dtype=bool)
        tensors = [one.tensor for one in self.observations]
        self._take_dtype(tensors)
        if not self.dtype or self.problem:
            return
        if len(tensors) == 1:
            assert tensors[0] is not None
            if tensors[0].bits.size != self.count:
                self.problem = "result-shape"
                return
            self.got = decode(tensors[0]).ravel()
            self.present[:] = True
            return
        for index, tensor in enumerate(tensors):
            if tensor is not None and tensor.bits.size == 1 and tensor.dtype == self.dtype:
                self.got[index] = decode(tensor).ravel()[0]
                self.present[index] = True

    def _take_dtype(self, tensors: list[Any]) -> None:
        returned = [tensor for tensor in tensors if tensor is not None]
        if returned:
            self.dtype = returned[0].dtype
            self.problem = "" if self.dtype in FORMATS else "result-dtype"
            self.fmt = FORMATS.get(self.dtype, self.fmt)

    def observation(self, index: int) -> Observation:
        """The observation of element `index`."""
        return self.observations[index if len(self.observations) > 1 else 0]

    def trouble(self, index: int) -> str:
        """Why element `index` has no value although something came back; "" where it has one."""
        if self.problem or self.present[index] or self.observation(index).tensor is None:
            return self.problem
        return "result-shape"

    @cached_property
    def bits(self) -> tuple[str, ...]:
        """Patterns that came back, in hexadecimal, one for each point."""
        if len(self.observations) == 1:
            tensor = self.observations[0].tensor
            if tensor is None or tensor.dtype not in FORMATS or tensor.bits.size != self.count:
                return ("",) * self.count
            return _hexadecimal(tensor)
        return tuple(
            _hexadecimal(one.tensor)[0] if one.tensor is not None and self.present[index] else ""
            for index, one in enumerate(self.observations)
        )

    def where(self, point: int) -> str:
        """Which of many places a point stands at; "" where its element has no other."""
        return ""

    def spread(self, unreduced: Reference, reduction: str, divisor: str) -> Reference:
        """The expected values at the combinations of the inputs as those of the points, reduced where the case is."""
        if reduction == "none" or (reduction == "sum" and not self.scalar):
            return unreduced
        ones = np.ones(len(unreduced.hi), dtype=np.int64)
        by = self.divided_by(ones, reduction, divisor)
        return exact_total(unreduced, ones, by) if self.scalar else expected.divided(unreduced, by)

    def line(self, index: int) -> Any:
        """How often each combination stands in what element `index` of the check reduces."""
        return np.ones(len(self.request.inputs.arguments[0]), dtype=np.int64)

    def divided_by(self, counts: Any, reduction: str, divisor: str) -> Fraction | None:
        """What a sum over `counts` of each combination is divided by; None for the mean of nothing."""
        if reduction == "sum":
            return Fraction(1)
        if divisor == "elements":
            return Fraction(int(counts.sum())) or None
        pairs = zip(counts.tolist(), self.request.inputs.arguments[2].tolist(), strict=True)
        return sum((int(n) * Fraction(w) for n, w in pairs), Fraction(0)) or None

    def spread_reading(self, reading: Alternative, reduction: str, divisor: str) -> Alternative:
        """One reading of a contract, likewise; neither a hull nor a formula's slack is carried through a sum."""
        reference = self.spread(reading.reference, reduction, divisor)
        if self.scalar:
            size = len(reference.hi)
            return Alternative(reference, np.zeros(size, dtype=bool), np.zeros(size))
        slack = np.zeros_like(reading.slack) if reduction != "none" else reading.slack
        return Alternative(reference, *(self._at_points(field) for field in (reading.hull, slack)))

    def _at_points(self, field: Any) -> Any:
        return field


class PresentedPoints(Points):
    """Several calls: the points of a presentation are the distinct results of each combination of its elements."""

    def _read(self) -> None:
        presentations = self.request.presentations
        self.names = tuple(one.name for one in presentations)
        self._take_dtype([one.tensor for one in self.observations])
        self.troubles = [self._problem_of(index) for index in range(len(presentations))]
        parts = [self._part(index) for index in range(len(presentations))]
        self.owner = np.repeat(np.arange(len(parts)), [len(got) for got, _, _ in parts])
        self.got = np.concatenate([got for got, _, _ in parts])
        self.rows = np.concatenate([rows for _, rows, _ in parts])
        self.positions = np.concatenate([positions for _, _, positions in parts])
        self.count = len(self.got)
        self.present = np.ones(self.count, dtype=bool)
        self.problem = ""

    def _problem_of(self, index: int) -> str:
        seen = self.observation(index)
        if seen.tensor is None:
            return ""
        if seen.tensor.dtype != self.dtype or self.dtype not in FORMATS:
            return "result-dtype"
        return "" if seen.shape == self.shape(index) else "result-shape"

    def shape(self, index: int) -> tuple[int, ...]:
        """The shape that the result of a presentation must have."""
        return result_shape(self.request, self.request.presentations[index].shape, self.scalar)

    def _part(self, index: int) -> tuple[Any, Any, Any]:
        """Values of one presentation, the combination (or line to reduce) of each, and where each stands first."""
        seen = self.observation(index)
        presentation = self.request.presentations[index]
        if seen.tensor is None or self.troubles[index] or not self.request.inputs.fits(presentation):
            nothing = np.zeros(0, dtype=np.int64)
            return np.zeros(0), nothing, nothing
        positions = np.array(seen.positions, dtype=np.int64)
        rows = positions if self.scalar else self.request.inputs.rows_at(presentation, positions)
        return decode(seen.tensor).ravel(), rows, positions

    def trouble(self, index: int) -> str:
        """Why presentation `index` has no points although something came back; "" where it has."""
        return self.troubles[index]

    @cached_property
    def bits(self) -> tuple[str, ...]:
        """Patterns that came back, in hexadecimal, one for each point."""
        patterns: list[str] = []
        for index, seen in enumerate(self.observations):
            if seen.tensor is not None and (self.owner == index).any():
                patterns += _hexadecimal(seen.tensor)
        return tuple(patterns)

    def where(self, point: int) -> str:
        """The position in the result and the element that stands there."""
        if self.scalar:
            return ""
        row = int(self.rows[point])
        names = self.request.inputs.names
        element = names[row] if row < len(names) else "a combination of elements"
        return f"position {int(self.positions[point])}, {element}"

    def spread(self, unreduced: Reference, reduction: str, divisor: str) -> Reference:
        """The expected value of each point: that of its combination, or of the line that it reduces."""
        if not self.scalar:
            return expected.take(unreduced, self.rows)
        lines = [
            exact_total(unreduced, counts, self.divided_by(counts, reduction, divisor))
            for index in np.unique(self.owner).tolist()
            for counts in self.lines(index, len(unreduced.hi))
        ]
        empty = Reference(*(np.zeros(0) for _ in Reference._fields))
        return Reference(*(np.concatenate(fields) for fields in zip(*lines, strict=True))) if lines else empty

    def line(self, index: int) -> Any:
        """How often each combination stands in the first line that presentation `index` reduces."""
        return next(self.lines(index, len(self.request.inputs.arguments[0])))

    def lines(self, index: int, combinations: int) -> Iterator[Any]:
        """How often each combination stands in each line that presentation `index` reduces."""
        presentation = self.request.presentations[index]
        if self.shape(index) == ():
            yield self.request.inputs.times(presentation)
            return
        rows = self.request.inputs.rows_at(presentation, np.arange(presentation.size))
        for line in rows.reshape(-1, presentation.shape[-1]):
            yield np.bincount(line, minlength=combinations)

    def _at_points(self, field: Any) -> Any:
        return field[self.rows]


def points(answer: Answer, quantity: str, numeric: str) -> Points:
    """The points of a check, of the kind that its request asks for."""
    kind = PresentedPoints if answer.request.presentations else Points
    return kind(answer, quantity, numeric)


def result_shape(request: Request, shape: tuple[int, ...], scalar: bool) -> tuple[int, ...]:
    """The shape of a result for a prediction of `shape`: the documented axes are reduced, without a word all."""
    if not scalar:
        return shape
    field = contracts.find(request.implementation.contract, "reduction")
    return shape[:-1] if field is not None and field.axes == "last" else ()


def _hexadecimal(tensor: Any) -> tuple[str, ...]:
    width = FORMATS[tensor.dtype].width // 4
    return tuple([f"{one:0{width}x}" for one in tensor.bits.ravel().tolist()])


def coarser(fmt: Format, contract: contracts.Contract) -> Format:
    """The format of a result, or the narrower one that its documentation casts to, which gradients pass through."""
    cast = contracts.find(contract, "casts_to")
    return FORMATS[cast.dtype] if cast and FORMATS[cast.dtype].precision < fmt.precision else fmt
