"""What a formula gives, each step rounded: one number for each input, or the set of numbers that it can be.

`emulated` takes every operation for correctly rounded.  `reach` allows each elementary function an error of k ULP and
returns what the formula can then give, class included.  The walk over the steps is the same; what a value is and how an
operation acts on it is a domain: `Points` or `Sets`.
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Mapping
from functools import cache, partial
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, Protocol, TypeVar

import numpy as np

from conformance.formulas.arithmetic import Arithmetic, rounded
from conformance.formulas.expression import COMPARISONS, ELEMENTARY, Expression, Function, ordered
from conformance.numbers.formats import FORMATS, ulp

if TYPE_CHECKING:
    from conformance.numbers.formats import Array, Format

Value = TypeVar("Value")

#: ULP that an elementary function may err where nothing else is known: 1 is what libm and the vector libraries of the
#: frameworks promise for float32 (SVML and SLEEF: 1.0), and one more is NumPy's own in float64.
ERROR = 2.0


class Domain(Protocol[Value]):
    """How operations act on values of one kind."""

    def given(self, values: Array) -> Value:
        """Inputs or a constant."""

    def operation(self, op: str, args: tuple[Value, ...], fmt: Format) -> Value:
        """The result of one operation before it is rounded; `fmt` is what it will be rounded to."""

    def rounded(self, value: Value, fmt: Format, flush: bool) -> Value:
        """`value` as a number of `fmt`."""


class _Walk(Generic[Value]):
    """One evaluation of a formula."""

    def __init__(self, domain: Domain[Value], arithmetic: Arithmetic) -> None:
        self.domain = domain
        self.arithmetic = arithmetic

    def values(
        self, roots: tuple[Expression, ...], inputs: Mapping[str, Value], step: Format
    ) -> dict[Expression, Value]:
        """The value of every node."""
        rounding = partial(self.domain.rounded, flush=self.arithmetic.flush)
        inside = FORMATS[self.arithmetic.inside]
        known: dict[Expression, Value] = {}
        for node in ordered(*roots):
            args = tuple(known[one] for one in node.args)
            if node.op == "var":
                value = inputs[str(node.name)]
            elif node.op == "const":
                value = self.domain.rounded(self.domain.given(np.array(self._constant(str(node.name)))), inside, False)
            elif node.op == "cast":
                dtype = getattr(self.arithmetic, str(node.name), str(node.name))  # "inputs" and "step" are its own
                value = rounding(args[0], FORMATS[dtype])
            elif isinstance(node.name, Function):
                to = inside if node.name.single else step
                body = node.name.body
                value = self.values((body,), dict(zip(node.name.parameters, args, strict=True)), to)[body]
                value = rounding(value, step)
            else:
                value = self.domain.operation(node.op, args, step)
                if node.op not in COMPARISONS:
                    value = rounding(value, step)
            known[node] = value
        return known

    def _constant(self, text: str) -> float:
        """A constant; "eps" is the distance from 1 to the next number of the inputs' dtype."""
        if text == "eps":
            return 2.0 * FORMATS[self.arithmetic.inputs].unit_roundoff
        return number(text)


def _evaluated(domain: Domain[Value], x: Expression, inputs: Mapping[str, Array], arithmetic: Arithmetic) -> Value:
    with np.errstate(all="ignore"):
        return _evaluation(domain, x, inputs, arithmetic)


def _evaluation(domain: Domain[Value], x: Expression, inputs: Mapping[str, Array], arithmetic: Arithmetic) -> Value:
    to = FORMATS[arithmetic.inputs]
    given = {name: domain.rounded(domain.given(values), to, arithmetic.daz) for name, values in inputs.items()}
    value = _Walk(domain, arithmetic).values((x,), given, FORMATS[arithmetic.step])[x]
    return domain.rounded(value, FORMATS[arithmetic.result], arithmetic.flush)


def emulated(x: Expression, inputs: Mapping[str, Array], arithmetic: Arithmetic) -> Array:
    """What `x` gives for `inputs` (float64 arrays that broadcast) with correctly rounded operations, as float64."""
    return _evaluated(Points(), x, inputs, arithmetic)


def reach(x: Expression, inputs: Mapping[str, Array], arithmetic: Arithmetic, error: float = ERROR) -> Reach:
    """The set of numbers that `x` can give if each elementary function errs by up to `error` ULP."""
    found: Reach = _evaluated(Sets(error), x, inputs, arithmetic)
    return found


@cache
def number(text: str) -> float:
    """A constant as Python computes it in float64: "1e-7", "1 - 1e-7", "inf"."""
    if text in ("inf", "-inf", "nan"):
        return float(text)
    return _number(ast.parse(text, mode="eval").body)


_OPERATORS: dict[type[ast.AST], Callable[..., float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.USub: operator.neg,
}


def _number(node: ast.AST) -> float:
    if isinstance(node, ast.Constant) and isinstance(node.value, (int, float)):
        return float(node.value)
    if isinstance(node, ast.BinOp) and type(node.op) in _OPERATORS:
        return _OPERATORS[type(node.op)](_number(node.left), _number(node.right))
    if isinstance(node, ast.UnaryOp) and type(node.op) in _OPERATORS:
        return _OPERATORS[type(node.op)](_number(node.operand))
    raise ValueError(f"no constant: {ast.unparse(node)}")


# ---------------------------------------------------------------------------------------------------------- points

_POINTS: dict[str, Callable[..., Any]] = {
    "add": np.add,
    "sub": np.subtract,
    "mul": np.multiply,
    "div": np.divide,
    "pow": np.power,
    "max": np.maximum,
    "min": np.minimum,
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
}


class Points:
    """One number for each input."""

    def given(self, values: Array) -> Array:
        """Inputs or a constant."""
        return np.asarray(values, np.float64)

    def operation(self, op: str, args: tuple[Array, ...], fmt: Format) -> Array:
        """The operation in float64."""
        return _POINTS[op](*args)

    def rounded(self, value: Array, fmt: Format, flush: bool) -> Array:
        """`value` as a number of `fmt`."""
        return rounded(value, fmt, flush)


# ------------------------------------------------------------------------------------------------------------ sets


class Reach(NamedTuple):
    """For each input the numbers from `low` to `high`, and NaN where `nan` holds; both ends are NaN where only NaN is.

    An end that is infinite is a result that can be: [1, inf] holds infinity.
    """

    low: Array
    high: Array
    nan: Array

    def holds(self, values: Array) -> Array:
        """Where a value is one of the set."""
        with np.errstate(invalid="ignore"):
            return ((values >= self.low) & (values <= self.high)) | (np.isnan(values) & self.nan)


class _Truth(NamedTuple):
    """Of a condition: where it can hold, and where it can fail."""

    true: Array
    false: Array


class Sets:
    """Sets of numbers, each bounded by its ends."""

    def __init__(self, error: float) -> None:
        self.error = error

    def given(self, values: Array) -> Reach:
        """Inputs or a constant: one number each."""
        values = np.asarray(values, np.float64)
        return Reach(values, values, np.isnan(values))

    def rounded(self, value: Reach, fmt: Format, flush: bool) -> Reach:
        """Rounding is monotonic; what can be flushed may be zero or not."""
        low, high = rounded(value.low, fmt), rounded(value.high, fmt)
        if flush:
            low = np.minimum(low, rounded(value.low, fmt, flush=True))
            high = np.maximum(high, rounded(value.high, fmt, flush=True))
        return Reach(low, high, value.nan)

    def operation(self, op: str, args: tuple[Any, ...], fmt: Format) -> Any:
        """The set of results."""
        if op in _RULES:
            return _RULES[op](*args)
        x = args[0]
        if op == "pow":
            return self._power(x, args[1], fmt)
        ends = _POINTS[op](x.low), _POINTS[op](x.high)
        outside = _OUTSIDE.get(op)
        if outside is not None:
            beyond = x.low < outside
            ends = np.where(beyond & (x.high >= outside), _POINTS[op](np.full_like(x.low, outside)), ends[0]), ends[1]
            x = x._replace(nan=x.nan | beyond)
        return self._widened(Reach(*ends, x.nan), op in ELEMENTARY, fmt)

    def _widened(self, x: Reach, errs: bool, fmt: Format) -> Reach:
        if not errs:
            return x
        low, high = x.low - self._error(x.low, fmt), x.high + self._error(x.high, fmt)
        # A logarithm has the sign of its result right, and no function with results from 0 on returns less.
        low = np.where((x.low >= 0) & (low < 0), 0.0, low)
        high = np.where((x.high <= 0) & (high > 0), 0.0, high)
        return Reach(low, high, x.nan)

    def _error(self, x: Array, fmt: Format) -> Array:
        """No error where a result is exact: at 0, 1 and infinity."""
        exact = (x == 0) | (x == 1) | ~np.isfinite(x)
        return np.where(exact, 0.0, self.error * ulp(np.abs(x), fmt))

    def _power(self, x: Reach, y: Reach, fmt: Format) -> Reach:
        corners = [np.power(a, b) for a in (x.low, x.high) for b in (y.low, y.high)]
        hull = _hull(corners)
        return self._widened(Reach(*hull, _any_nan(corners) | x.nan | y.nan), True, fmt)


#: Where a function's domain starts: below it is NaN.
_OUTSIDE = {"log": 0.0, "log1p": -1.0, "sqrt": 0.0}


def _hull(corners: list[Array]) -> tuple[Array, Array]:
    low, high = corners[0], corners[0]
    for one in corners[1:]:
        low, high = np.fmin(low, one), np.fmax(high, one)
    return low, high


def _any_nan(corners: list[Array]) -> Array:
    result = np.isnan(corners[0])
    for one in corners[1:]:
        result = result | np.isnan(one)
    return result


def _has(x: Reach, value: float) -> Array:
    return (x.low <= value) & (value <= x.high)


def _infinite(x: Reach) -> Array:
    return np.isinf(x.low) | np.isinf(x.high)


def _by_corners(operation: Callable[..., Array], x: Reach, y: Reach) -> Reach:
    corners = [operation(a, b) for a in (x.low, x.high) for b in (y.low, y.high)]
    return Reach(*_hull(corners), x.nan | y.nan | _any_nan(corners))


def _add(x: Reach, y: Reach) -> Reach:
    return _by_corners(np.add, x, y)


def _subtract(x: Reach, y: Reach) -> Reach:
    return _by_corners(np.subtract, x, y)


def _multiply(x: Reach, y: Reach) -> Reach:
    found = _by_corners(np.multiply, x, y)
    nan = found.nan | (_has(x, 0.0) & _infinite(y)) | (_has(y, 0.0) & _infinite(x))
    return found._replace(nan=nan)


def _divide(x: Reach, y: Reach) -> Reach:
    wide = y.low < y.high
    # A set that ends at zero holds numbers of one sign next to it, and the zero of that sign.
    y = Reach(np.where(wide & (y.low == 0), 0.0, y.low), np.where(wide & (y.high == 0), -0.0, y.high), y.nan)
    found = _by_corners(np.divide, x, y)
    across = (y.low < 0) & (y.high > 0)
    nan = found.nan | (_has(x, 0.0) & _has(y, 0.0)) | (_infinite(x) & _infinite(y))
    return Reach(np.where(across, -np.inf, found.low), np.where(across, np.inf, found.high), nan)


def _extreme(operation: Callable[..., Array], x: Reach, y: Reach) -> Reach:
    return Reach(operation(x.low, y.low), operation(x.high, y.high), x.nan | y.nan)


def _negate(x: Reach) -> Reach:
    return Reach(-x.high, -x.low, x.nan)


def _absolute(x: Reach) -> Reach:
    low, high = np.abs(x.low), np.abs(x.high)
    across = (x.low < 0) & (x.high > 0)
    return Reach(np.where(across, 0.0, np.minimum(low, high)), np.maximum(low, high), x.nan)


def _sign(x: Reach) -> Reach:
    return Reach(np.sign(x.low), np.sign(x.high), x.nan)


def _where(condition: _Truth, x: Reach, y: Reach) -> Reach:
    true, false = condition
    both = true & false
    low = np.where(both, np.fmin(x.low, y.low), np.where(true, x.low, y.low))
    high = np.where(both, np.fmax(x.high, y.high), np.where(true, x.high, y.high))
    return Reach(low, high, (true & x.nan) | (false & y.nan))


def _greater_equal(x: Reach, y: Reach) -> _Truth:
    return _Truth(x.high >= y.low, (x.low < y.high) | x.nan | y.nan)


def _greater(x: Reach, y: Reach) -> _Truth:
    return _Truth(x.high > y.low, (x.low <= y.high) | x.nan | y.nan)


def _equal(x: Reach, y: Reach) -> _Truth:
    single = (x.low == x.high) & (y.low == y.high) & (x.low == y.low)
    return _Truth((x.low <= y.high) & (y.low <= x.high), ~single | x.nan | y.nan)


_RULES: dict[str, Callable[..., Any]] = {
    "add": _add,
    "sub": _subtract,
    "mul": _multiply,
    "div": _divide,
    "max": partial(_extreme, np.maximum),
    "min": partial(_extreme, np.minimum),
    "neg": _negate,
    "abs": _absolute,
    "sign": _sign,
    "where": _where,
    "ge": _greater_equal,
    "gt": _greater,
    "le": lambda x, y: _greater_equal(y, x),
    "lt": lambda x, y: _greater(y, x),
    "eq": _equal,
}
