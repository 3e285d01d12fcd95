"""For each input the set of numbers that an operation can give, bounded by its ends.

The ends are ordered as totalOrder of IEEE 754-2019, 5.10 orders numbers: -0 lies below +0.  So [+0, 1] does not hold
-0, and 1/[+0, 1] is [1, inf].  Every rule gives a set that holds all results of numbers of its arguments; where one
argument occurs twice it may hold more (R. E. Moore, Interval Analysis, 1966).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from conformance.formulas.arithmetic import nearest
from conformance.formulas.elementary import sum_to_odd
from conformance.formulas.points import operation

if TYPE_CHECKING:
    from conformance.numbers.arrays import Floats, Index, Mask
    from conformance.numbers.formats import Format


class Reach(NamedTuple):
    """For each input the numbers from `low` to `high`, and NaN where `nan` holds; both ends are NaN where only NaN is.

    An end that is infinite is a result that can be: [1, inf] holds infinity.
    """

    low: Floats
    high: Floats
    nan: Mask

    def at(self, rows: Index) -> Reach:
        """Those of some inputs."""
        return Reach(self.low[rows], self.high[rows], self.nan[rows])

    def of(self, count: int) -> Reach:
        """One for each of `count` inputs, where a formula that does not depend on them has one for all."""
        return Reach(*(np.broadcast_to(one, count) for one in self))  # type: ignore[arg-type]  # each as it was

    def holds(self, values: Floats) -> Mask:
        """Where a value is one of the set.

        Zeros of both signs are one result here: no error tells them apart, and a compiler that moves a sign changes it.
        Inside of a formula they are told apart, since they decide the sign of an infinity.
        """
        with np.errstate(invalid="ignore"):
            return ((values >= self.low) & (values <= self.high)) | (np.isnan(values) & self.nan)

    @property
    def single(self) -> bool:
        """Whether each set is one number: then both ends are the same array."""
        return self.low is self.high


class Truth(NamedTuple):
    """Of a condition: where it can hold, and where it can fail."""

    true: Mask
    false: Mask


def point(values: Floats) -> Reach:
    """One number each."""
    return Reach(values, values, np.isnan(values))


class Sets:
    """Operations on sets, in which each elementary function errs by up to `error` ULP of its exact result."""

    def __init__(self, error: float) -> None:
        self.error = error

    def given(self, values: Floats) -> Reach:
        """Inputs or a constant: one number each."""
        return point(np.asarray(values, np.float64))

    def rounded(self, value: Reach, fmt: Format, flush: bool) -> Reach:
        """Rounding is monotonic; what can be flushed may be zero or not."""
        low = nearest(value.low, fmt)
        high = low if value.single else nearest(value.high, fmt)
        if not flush:
            return Reach(low, high, value.nan)
        least = 2.0**fmt.emin
        flushed_low, flushed_high = (low > 0) & (low < least), (high < 0) & (high > -least)
        if flushed_low.any() or flushed_high.any():
            low, high = np.where(flushed_low, 0.0, low), np.where(flushed_high, -0.0, high)
        return Reach(low, high, value.nan)

    def operation(self, op: str, args: tuple[Any, ...], fmt: Format) -> Any:
        """The set of results before they are rounded to `fmt`."""
        if op in _RULES:
            return _RULES[op](*args)
        if op == "fma":
            return self._fused(args[0], args[1], args[2], fmt)
        if op == "pow":
            return self._power(args[0], args[1], fmt)
        return self._function(op, args[0], fmt)

    def _function(self, op: str, x: Reach, fmt: Format) -> Reach:
        """A function that grows with its argument, from where its domain begins."""
        function, begin = operation(op, fmt), _BEGIN.get(op)
        low, nan = x.low, x.nan
        if begin is not None:
            outside = low < begin
            nan = nan | outside
            if not x.single:
                low = np.where(outside & (x.high >= begin), begin, low)
        low_end = function(low)
        found = Reach(low_end, low_end if x.single else function(x.high), nan)
        if op == "sqrt":
            return found
        exact = _exact(op, low)
        return self._widened(found, exact, exact if x.single else _exact(op, x.high), fmt)

    def _widened(self, x: Reach, exact_low: Mask, exact_high: Mask, fmt: Format) -> Reach:
        """With an error of `error` ULP at each end that is not exact; the sign of a result is always right.

        What is less than a quarter of the smallest number is 0 in every library.
        """
        least = 2.0 ** (fmt.emin - fmt.fraction_bits - 2) if fmt.emin > -1022 else 0.0
        keep_low, low_error = exact_low | (np.abs(x.low) <= least), self.error * _unit(x.low, fmt)
        keep_high, high_error = keep_low, low_error
        if not x.single:
            keep_high, high_error = exact_high | (np.abs(x.high) <= least), self.error * _unit(x.high, fmt)
        low = np.where(keep_low, x.low, x.low - low_error)
        high = np.where(keep_high, x.high, x.high + high_error)
        low = np.where((x.low > 0) & (low <= 0), 0.0, low)
        high = np.where((x.high < 0) & (high >= 0), -0.0, high)
        return Reach(low, high, x.nan)

    def _power(self, x: Reach, y: Reach, fmt: Format) -> Reach:
        """From 0 on x^y is monotonic in x and in y; below, y is an integer or the result is NaN."""
        function = operation("pow", fmt)
        corners = [function(a, b) for a in _ends(x) for b in _ends(y)]
        nan = x.nan | y.nan | _any_nan(corners)
        below = np.signbit(x.low)
        if below.any():
            zeros = np.zeros_like(x.low), np.copysign(np.zeros_like(x.low), -1.0)
            across = below & (x.high >= 0)
            corners += [np.where(across, function(zero, b), corners[0]) for zero in zeros for b in (y.low, y.high)]
            anything = below & (y.low != y.high)
            corners += [np.where(anything, end, corners[0]) for end in (-np.inf, np.inf)]
            nan |= anything | ((x.low < 0) & (y.low != np.rint(y.low)))
        exact = (y.low == y.high) & ((y.low == 0) | (y.low == 1))
        return self._widened(Reach(*hull(corners), nan), exact, exact, fmt)

    def _fused(self, x: Reach, y: Reach, z: Reach, fmt: Format) -> Reach:
        """x*y + z with the product rounded or not: a compiler fuses where it can."""
        product = _multiply(x, y)
        plain = _add(self.rounded(product, fmt, flush=True), z)
        if fmt.name != "float64":
            return _union(plain, _add(product, z, sum_to_odd))
        # Here the product is rounded already; the exact one lies between its neighbours.
        low = np.where(np.isfinite(product.low), np.nextafter(product.low, -np.inf), product.low)
        high = np.where(np.isfinite(product.high), np.nextafter(product.high, np.inf), product.high)
        return _union(plain, _add(Reach(low, high, product.nan), z))


#: Where a function's domain begins; below is NaN.  The square root of -0 is -0.
_BEGIN = {"log": 0.0, "log1p": -1.0, "sqrt": -0.0}
#: Arguments at which every library gives the exact result, besides infinities.
_EXACT_AT = {"exp": 0.0, "log": 1.0, "log1p": 0.0, "expm1": 0.0, "tanh": 0.0}


def _unit(x: Floats, fmt: Format) -> Floats:
    """An ULP of finite numbers; of others some number that changes none of them."""
    unit: Floats = np.ldexp(1.0, np.maximum(np.frexp(x)[1] - 1, fmt.emin) - fmt.fraction_bits)
    return unit


def _exact(op: str, x: Floats) -> Mask:
    return np.asarray((x == _EXACT_AT[op]) | ~np.isfinite(x) | (x == _BEGIN.get(op, np.inf)))


def hull(corners: list[Floats]) -> tuple[Floats, Floats]:
    """The lowest and the highest number of each row in totalOrder; NaN, which is no number, where there is none."""
    low, high = reduce(np.fmin, corners), reduce(np.fmax, corners)
    zero_low, zero_high = low == 0, high == 0
    if zero_low.any() or zero_high.any():
        zeros = [(one == 0, np.signbit(one)) for one in corners]
        minus = reduce(np.logical_or, [zero & negative for zero, negative in zeros])
        plus = reduce(np.logical_or, [zero & ~negative for zero, negative in zeros])
        low = np.where(zero_low, np.where(minus, -0.0, 0.0), low)
        high = np.where(zero_high, np.where(plus, 0.0, -0.0), high)
    return low, high


def _union(x: Reach, y: Reach) -> Reach:
    return Reach(hull([x.low, y.low])[0], hull([x.high, y.high])[1], x.nan | y.nan)


def _any_nan(corners: list[Floats]) -> Mask:
    result = np.isnan(corners[0])
    for one in corners[1:]:
        result = result | np.isnan(one)
    return result


def _has_zero(x: Reach) -> Mask:
    return (x.low <= 0) & (x.high >= 0)


def _infinite(x: Reach) -> Mask:
    return np.isinf(x.low) | np.isinf(x.high)


def _add(x: Reach, y: Reach, add: Callable[..., Floats] = np.add) -> Reach:
    """A sum grows with each term, in totalOrder, too."""
    low = add(x.low, y.low)
    if x.single and y.single:
        return point(low)
    high = add(x.high, y.high)
    nan = x.nan | y.nan
    low_nan, high_nan = np.isnan(low), np.isnan(high)
    if low_nan.any() or high_nan.any() or (np.isinf(low) & np.isinf(high)).any():
        nan = nan | ((x.low == -np.inf) & (y.high == np.inf)) | ((x.high == np.inf) & (y.low == -np.inf))
        # -inf + inf at one end: the numbers next to one of the infinities give what the other end gives.
        low, high = np.where(low_nan, high, low), np.where(high_nan, low, high)
    return Reach(low, high, nan)


def _ends(x: Reach) -> tuple[Floats, ...]:
    return (x.low,) if x.single else (x.low, x.high)


def _corners(operation: Callable[..., Floats], x: Reach, y: Reach) -> list[Floats]:
    """Products or quotients of all ends; for 0*inf and inf/inf what numbers next to the infinity give, a zero."""
    corners = []
    for a in _ends(x):
        for b in _ends(y):
            found = operation(a, b)
            beside = np.isnan(found)
            if beside.any():
                beside &= ~np.isnan(a) & ~np.isnan(b)
                beside &= np.where(np.isinf(a), x.low != x.high, np.isinf(b) & (y.low != y.high))
                zero = np.where(np.signbit(a) != np.signbit(b), -0.0, 0.0)
                found = np.where(beside, zero, found)
            corners.append(found)
    return corners


def _multiply(x: Reach, y: Reach) -> Reach:
    if x.single and y.single:
        return point(x.low * y.low)
    x_infinite, y_infinite = _infinite(x), _infinite(y)
    nan = x.nan | y.nan
    if x_infinite.any():
        nan = nan | (x_infinite & _has_zero(y))
    if y_infinite.any():
        nan = nan | (y_infinite & _has_zero(x))
    return Reach(*hull(_corners(np.multiply, x, y)), nan)


def _divide(x: Reach, y: Reach) -> Reach:
    """By numbers of one sign; where a divisor has both, by those up to -0 and by those from +0 on."""
    if x.single and y.single:
        return point(x.low / y.low)
    corners = _corners(np.divide, x, y)
    across = np.signbit(y.low) & ~np.signbit(y.high)
    if across.any():
        corners += [np.where(across, a / zero, corners[0]) for a in (x.low, x.high) for zero in (-0.0, 0.0)]
    nan = x.nan | y.nan | (_has_zero(x) & _has_zero(y)) | (_infinite(x) & _infinite(y))
    return Reach(*hull(corners), nan)


def _maximum(x: Reach, y: Reach) -> Reach:
    """Of zeros with two signs either may be returned (IEEE 754-2008, 5.3.1, maxNum)."""
    low = np.maximum(x.low, y.low)
    zeros = (low == 0).any()
    high = low if x.single and y.single and not zeros else np.maximum(x.high, y.high)
    if zeros or (high == 0).any():
        minus = (np.signbit(x.low) & (x.high >= 0)) | (np.signbit(y.low) & (y.high >= 0))
        plus = ((x.high == 0) & ~np.signbit(x.high)) | ((y.high == 0) & ~np.signbit(y.high))
        low = np.where(low == 0, np.where(minus, -0.0, 0.0), low)
        high = np.where(high == 0, np.where(plus, 0.0, -0.0), high)
    return Reach(low, high, x.nan | y.nan)


def _minimum(x: Reach, y: Reach) -> Reach:
    return _negate(_maximum(_negate(x), _negate(y)))


def _negate(x: Reach) -> Reach:
    high = -x.low
    return Reach(high if x.single else -x.high, high, x.nan)


def _absolute(x: Reach) -> Reach:
    low = np.abs(x.low)
    if x.single:
        return Reach(low, low, x.nan)
    high = np.abs(x.high)
    across = np.signbit(x.low) & ~np.signbit(x.high)
    return Reach(np.where(across, 0.0, np.minimum(low, high)), np.maximum(low, high), x.nan)


def _sign(x: Reach) -> Reach:
    """1, -1, or at zero a zero whose sign differs between frameworks."""
    low: Floats = np.sign(x.low)
    high: Floats = np.sign(x.high)
    return Reach(np.where(low == 0, -0.0, low), np.where(high == 0, 0.0, high), x.nan)


def _where(condition: Truth, x: Reach, y: Reach) -> Reach:
    true, false = condition
    nan = (true & x.nan) | (false & y.nan)
    low: Floats = np.where(true, x.low, y.low)
    both = true & false
    if x.single and y.single and not both.any():
        return Reach(low, low, nan)
    high: Floats = np.where(true, x.high, y.high)
    if both.any():
        low, high = np.where(both, hull([x.low, y.low])[0], low), np.where(both, hull([x.high, y.high])[1], high)
    return Reach(low, high, nan)


def _greater_equal(x: Reach, y: Reach) -> Truth:
    return Truth(x.high >= y.low, (x.low < y.high) | x.nan | y.nan)


def _greater(x: Reach, y: Reach) -> Truth:
    return Truth(x.high > y.low, (x.low <= y.high) | x.nan | y.nan)


def _equal(x: Reach, y: Reach) -> Truth:
    alike = (x.low == x.high) & (y.low == y.high) & (x.low == y.low)
    return Truth((x.low <= y.high) & (y.low <= x.high), ~alike | x.nan | y.nan)


_RULES: dict[str, Callable[..., Any]] = {
    "add": _add,
    "sub": lambda x, y: _add(x, _negate(y)),
    "mul": _multiply,
    "div": _divide,
    "max": _maximum,
    "min": _minimum,
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
