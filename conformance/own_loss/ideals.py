"""An ideal of one's own: a loss as a Python function on exact numbers, and what a case can be asked of it.

The function takes (prediction, label), and options and parameters by keyword.  The prediction is an `Exact`, all others
are fractions; it uses operators, comparisons and the functions of this module.  Values and the derivative by the
prediction are balls of Arb, at rising precision until they are known far beyond float64.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from functools import cache
from typing import Any

import msgspec
import numpy as np
from flint import arb, fmpq

from conformance.errors import InputError
from conformance.judge.escalate import certified
from conformance.judge.expected import Point
from conformance.plan.cases import OPTIONS, Case, DType, Located, Suite
from conformance.plan.filters import Filters, matches
from conformance.plan.inputs import Inputs
from conformance.quantities import GRADIENT_PREDICTION, VALUE
from reference import Reference

#: (prediction, label, **options and parameters) -> the loss of one element.
Ideal = Callable[..., Any]

#: What an ideal of one's own says.
QUANTITIES = (VALUE, GRADIENT_PREDICTION)

_NOT_KNOWN = arb("nan")


class Undecided(ArithmeticError):
    """A comparison that no number decides in this precision."""


class Exact:
    """A number with its derivative by the prediction; a fraction that is exactly 0 annihilates whatever it multiplies.

    So `label * log(prediction)` is 0 for a label of 0, where the logarithm is infinite.
    """

    __slots__ = ("slope", "value")

    def __init__(self, value: arb, slope: arb) -> None:
        self.value = value
        self.slope = slope

    def __add__(self, other: Any) -> Exact:
        one = exact(other)
        return Exact(self.value + one.value, self.slope + one.slope)

    def __mul__(self, other: Any) -> Exact:
        if not isinstance(other, Exact) and other == 0:
            return exact(0)
        one = exact(other)
        return Exact(self.value * one.value, self.slope * one.value + self.value * one.slope)

    def __truediv__(self, other: Any) -> Exact:
        return self * exact(other) ** -1

    def __pow__(self, power: Any) -> Exact:
        if isinstance(power, Exact):
            return exp(power * log(self))
        n = Fraction(power)
        if n == 0:
            return exact(1)
        steep = arb(1) if n == 1 else _power(self.value, n - 1)
        slope = arb(0) if self.slope == 0 else _rational(n) * steep * self.slope
        return Exact(_power(self.value, n), slope)

    def __rpow__(self, base: Any) -> Exact:
        return exp(self * log(base))

    def __neg__(self) -> Exact:
        return Exact(-self.value, -self.slope)

    def __sub__(self, other: Any) -> Exact:
        return self + -exact(other)

    def __rsub__(self, other: Any) -> Exact:
        return exact(other) + -self

    def __rtruediv__(self, other: Any) -> Exact:
        return exact(other) / self

    __radd__ = __add__
    __rmul__ = __mul__

    def __abs__(self) -> Exact:
        return self if self >= 0 else -self

    def __eq__(self, other: object) -> bool:
        return self._compared(other, operator.eq, operator.ne)

    __hash__ = None  # type: ignore[assignment]  # equality is of numbers that no hash knows

    def __gt__(self, other: Any) -> bool:
        return self._compared(other, operator.gt, operator.le)

    def __ge__(self, other: Any) -> bool:
        return self._compared(other, operator.ge, operator.lt)

    def __lt__(self, other: Any) -> bool:
        return self._compared(other, operator.lt, operator.ge)

    def __le__(self, other: Any) -> bool:
        return self._compared(other, operator.le, operator.gt)

    def _compared(self, other: Any, holds: Callable[..., bool], fails: Callable[..., bool]) -> bool:
        one = exact(other).value
        if holds(self.value, one):
            return True
        if fails(self.value, one):
            return False
        raise Undecided(f"{self.value} beside {one}")


def exact(number: Any) -> Exact:
    """A number as an Exact; int, float and Fraction are taken for exactly what they are."""
    return number if isinstance(number, Exact) else Exact(arb(_rational(Fraction(number))), arb(0))


def exp(x: Any) -> Exact:
    """e to the power of x."""
    one = exact(x)
    value = one.value.exp()
    return Exact(value, one.slope * value)


def log(x: Any) -> Exact:
    """The natural logarithm."""
    one = exact(x)
    return Exact(one.value.log(), one.slope / one.value)


def sigmoid(x: Any) -> Exact:
    """1 / (1 + exp(-x))."""
    return 1 / (1 + exp(-exact(x)))


def maximum(x: Any, y: Any) -> Exact:
    """The larger of two; where they are equal it has no derivative."""
    left, right = exact(x), exact(y)
    if left.value == right.value:
        return Exact(left.value, left.slope if left.slope == right.slope else _NOT_KNOWN)
    return left if left > right else right


def minimum(x: Any, y: Any) -> Exact:
    """The smaller of two, likewise."""
    return -maximum(-exact(x), -exact(y))


def bce(prediction: Any, label: Any) -> Exact:
    """Binary cross-entropy of a probability, as a term of a sum."""
    return -exact(label * log(prediction) + (1 - label) * log(1 - prediction))


def _rational(number: Fraction) -> fmpq:
    return fmpq(number.numerator, number.denominator)


def _power(base: arb, n: Fraction) -> arb:
    return base ** int(n) if n.denominator == 1 else base ** _rational(n)


class Own:
    """The exact values of an ideal of one's own: what the judge holds results against."""

    def __init__(self, ideal: Ideal, options: Sequence[str], parameters: Sequence[str]) -> None:
        self._ideal = ideal
        self._options = tuple(options)
        self._parameters = tuple(parameters)
        self._known = cache(self._certified)

    def __call__(self, points: Sequence[Point]) -> list[Reference]:
        """The references at some points.  Raises InputError where the function raises."""
        return [self._reference(point) for point in points]

    def _reference(self, point: Point) -> Reference:
        rows = zip(*(array.tolist() for array in point.arrays), strict=True)
        found = [self.at(point.quantity, row, point.constants) for row in rows]
        hi, lo, scale = (np.array(column, dtype=np.float64) for column in zip(*found, strict=True))
        return Reference(hi, lo, np.zeros(len(hi)), scale)

    def at(
        self, quantity: str, row: Sequence[float], parameters: tuple[tuple[str, float], ...]
    ) -> tuple[float, float, float]:
        """(hi, lo, scale) for prediction, label, weight and pos_weight; NaN where no finite number is known.

        The scale is what the labels 1 and 0 would give, by their shares: the natural terms of a loss that is linear in
        the label, which may cancel.
        """
        prediction, label, *others = row
        nothing = (np.nan, np.nan, np.nan)
        if not np.isfinite(row).all() or not 0.0 <= label <= 1.0:
            return nothing
        given = tuple(
            (name, float(value)) for name, value in zip(OPTIONS, others, strict=True) if name in self._options
        )
        given += parameters
        found = self._known(quantity, prediction, label, given)
        if found is None:
            return nothing
        scale = abs(found[0])
        if label not in (0.0, 1.0):
            ends = [self._known(quantity, prediction, end, given) for end in (1.0, 0.0)]
            shares = zip((label, 1.0 - label), ends, strict=True)
            scale = max(scale, sum(share * abs(end[0]) for share, end in shares if end is not None))
        return *found, scale

    def _certified(
        self, quantity: str, prediction: float, label: float, given: tuple[tuple[str, float], ...]
    ) -> tuple[float, float] | None:
        words = {name: Fraction(value) for name, value in given}

        def compute() -> arb:
            try:
                found = exact(self._ideal(Exact(arb(prediction), arb(1)), Fraction(label), **words))
            except (Undecided, ZeroDivisionError):
                return _NOT_KNOWN
            except Exception as error:
                raise InputError(
                    f"ideal raised {type(error).__name__} for prediction={prediction!r}, label={label!r}: {error}",
                    "it gets exact numbers: use operators, and log, exp, maximum of conformance.own_loss.ideals",
                ) from error
            return found.value if quantity == VALUE else found.slope

        found = certified(compute)
        return found if found is not None and np.isfinite(found[0]) else None

    def fitting(self, suite: Suite, form: str, filters: Filters) -> Suite:
        """The cases that can be asked of this loss, without what its ideal gives no finite number for.

        Relations and probes are about binary cross-entropy.  Of single elements those that are known stay; a reduced
        or presented case needs all.
        """
        chosen = (one for one in suite.cases if one.case.form == form and filters.takes_case(one))
        return replace(suite, cases=tuple(self._fitting(chosen, filters)))

    def _fitting(self, located: Iterator[Located], filters: Filters) -> Iterator[Located]:
        for one in located:
            case = one.case
            if {*case.options, *case.parameters} - {*self._options, *self._parameters}:
                continue
            quantities = tuple(name for name in case.numeric if name in QUANTITIES)
            if case.relation or case.probe or not quantities:
                continue
            known = {dtype: self._elements(case, dtype) for dtype in case.dtypes if matches(filters.dtype, dtype)}
            if case.present or case.reduction != "none":
                whole = tuple(dtype for dtype, found in known.items() if all(found.values()))
                kept = msgspec.structs.replace(case, grid=None, dtypes=whole, quantities=quantities) if whole else None
            else:
                kept = _with_elements(case, known, quantities)
            if kept is not None:
                yield replace(one, case=kept)

    def _elements(self, case: Case, dtype: str) -> Mapping[str, bool]:
        """Whether value and gradient are known, by the id of each element that exists in this dtype."""
        inputs = Inputs(case, dtype)
        parameters = tuple(inputs.parameters.items())
        rows = zip(*(inputs.values[name].tolist() for name in ("prediction", "label", *OPTIONS)), strict=True)
        asked = [name for name in case.numeric if name in QUANTITIES]
        return {
            name: all(np.isfinite(self.at(quantity, row, parameters)[0]) for quantity in asked)
            for name, row in zip(inputs.names, rows, strict=True)
        }


def _with_elements(case: Case, known: Mapping[DType, Mapping[str, bool]], quantities: Sequence[str]) -> Case | None:
    """A case with the elements that are known, each in the dtypes in which it is; None where none is."""
    elements = []
    for one in case.elements:
        dtypes = tuple(dtype for dtype, found in known.items() if found.get(one.id))
        if dtypes:
            elements.append(msgspec.structs.replace(one, dtypes=dtypes))
    if not elements:
        return None
    return msgspec.structs.replace(
        case, grid=None, elements=tuple(elements), dtypes=tuple(known), quantities=tuple(quantities)
    )
