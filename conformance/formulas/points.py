"""One number for each input: what an operation gives with correct rounding."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from conformance.formulas import elementary
from conformance.formulas.arithmetic import nearest

if TYPE_CHECKING:
    from conformance.numbers.arrays import Floats, Mask
    from conformance.numbers.formats import Format

_IN_FLOAT64: dict[str, Callable[..., Any]] = {
    "add": np.add,
    "sub": np.subtract,
    "mul": np.multiply,
    "div": np.divide,
    "pow": np.power,
    "max": lambda x, y: np.where(x == y, x, np.maximum(x, y)),  # the first of equal ones, as std::max: 0 and -0
    "min": lambda x, y: np.where(x == y, x, np.minimum(x, y)),
    "neg": np.negative,
    "abs": np.abs,
    "sign": np.sign,
    "exp": np.exp,
    "log": np.log,
    "log1p": np.log1p,
    "expm1": np.expm1,
    "sqrt": np.sqrt,
    "tanh": np.tanh,
    "ge": np.greater_equal,
    "gt": np.greater,
    "le": np.less_equal,
    "lt": np.less,
    "eq": np.equal,
    "where": np.where,
    "fma": lambda x, y, z: elementary.sum_to_odd(x * y, z),
}
#: What float64 has to spare for narrower formats it has not for itself.
_TO_FLOAT64: dict[str, Callable[..., Any]] = _IN_FLOAT64 | {
    "exp": elementary.exp,
    "log": elementary.log,
    "log1p": elementary.log1p,
    "expm1": elementary.expm1,
    "tanh": elementary.tanh,
    "pow": elementary.power,
    "fma": elementary.fused,
}


def operation(op: str, fmt: Format) -> Callable[..., Any]:
    """An operation on float64 arrays whose result, rounded to `fmt`, is the correctly rounded one.

    The operations are those of `expression.ARITY`, and fma(x, y, z) = x*y + z.
    """
    return (_TO_FLOAT64 if fmt.name == "float64" else _IN_FLOAT64)[op]


class Points:
    """Operations on one number for each input."""

    def given(self, values: Floats) -> Floats:
        """Inputs or a constant."""
        return np.asarray(values, np.float64)

    def operation(self, op: str, args: tuple[Floats, ...], fmt: Format) -> Floats:
        """The result, to be rounded to `fmt`."""
        found: Floats = operation(op, fmt)(*args)
        return found

    def rounded(self, value: Floats, fmt: Format, flush: bool) -> Floats:
        """`value` as a number of `fmt`."""
        return nearest(value, fmt, flush)


class Watched(NamedTuple):
    """Numbers, and where one on the way to them is subnormal; None where none is."""

    value: Floats
    small: Mask | None

    def of(self, count: int) -> Watched:
        """One for each of `count` inputs, where a formula that does not depend on them has one for all."""
        small = None if self.small is None else np.broadcast_to(self.small, count)  # of a constant, one for all
        return Watched(np.broadcast_to(self.value, count), small)


class WatchedPoints:
    """Operations on one number for each input, which tell where an arithmetic that flushes may give another."""

    def given(self, values: Floats) -> Watched:
        """Inputs or a constant."""
        return Watched(np.asarray(values, np.float64), None)

    def operation(self, op: str, args: tuple[Watched, ...], fmt: Format) -> Watched:
        """The result, to be rounded to `fmt`."""
        small: Mask | None = None
        for one in args:
            if one.small is not None:
                small = one.small if small is None else small | one.small
        return Watched(operation(op, fmt)(*(one.value for one in args)), small)

    def rounded(self, value: Watched, fmt: Format, flush: bool) -> Watched:
        """`value` as a number of `fmt`."""
        found = nearest(value.value, fmt, flush)
        size = np.abs(found)
        below = size < 2.0**fmt.emin
        small = below & (size > 0) if below.any() else below
        if small is below or not small.any():
            return Watched(found, value.small)
        return Watched(found, small if value.small is None else value.small | small)
