"""Tier 0 for sweeps: each quantity as a sum that splits into functions of the prediction and numbers of the label.

For predictions of one sign and one binade, r = (k0 * first + k1 * second) * factor, where `first`, `second` and
`factor` depend on the prediction alone and the coefficients on the label alone.  A sweep computes the former once for
all labels and implementations.  Plain float64; for labels in [0, 1] a result is at most a few ulp of float64 off
relative to its natural terms (`Split.scale`), which for a loss are the result itself.

Standard library and NumPy only, Python 3.7 on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Callable, List, Optional, Tuple

import numpy as np

from reference.operands import GRADIENT_PREDICTION, LOGITS, VALUE

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from reference.doubledouble import Array

    Narrow = NDArray[np.float32]

#: From here on exp(-x) < 2**-184, below half of the smallest number of every format of at most 32 bits.
NO_TAIL = 128.0

#: Below this log1p(exp(-x)) is log 2, and -expm1(-x) is x, to more than 60 bits.
FLAT = 2.0**-60

#: A term that is smaller than the other by this factor does not change a float64.
NEGLIGIBLE = 2.0**-56

#: What float32 loses of a sum of two products that is a normal number, in units of 2^-24: of both products together, as
#: coefficients, functions and products are rounded; and of the sum, for itself and for products that are subnormal.
NARROW_TERMS, NARROW_SUM = 4, 8

#: Functions and products smaller than this have room in float32.
MOST_NARROW = 2.0**126

#: A number of float64, or an array of them: what is made of one is of its kind.
Number = Any

#: Of (a, b) = (y, 1 - y) the coefficients of a sum.
Coefficients = Callable[[Number, Number], Tuple[Number, Number]]

#: Of (abs(y), abs(1 - y), first, second), the size of the natural terms without the factor.
Natural = Callable[["Array", "Array", "Array", "Array"], "Array"]

#: A function of the prediction that is the same number for a whole block.
ONE = np.ones(1)
NONE = np.zeros(1)


class Split:
    """One quantity at some predictions, in order; the arrays have one element, or one for each prediction.

    `coefficients` makes (k0, k1) of y and 1 - y.  `natural` makes abs(A) + abs(B), but for the factor, of their sizes,
    where that is not the size of the two products.
    """

    def __init__(
        self,
        first: Array,
        second: Array,
        factor: Optional[Array],
        coefficients: Coefficients,
        natural: Optional[Natural] = None,
    ) -> None:
        self.first = first
        self.second = second
        self.factor = factor
        self.coefficients = coefficients
        self.natural = natural

    def taken(self, index: NDArray[np.int64]) -> Split:
        """The same at some of the predictions."""
        first, second = (one if one.size == 1 else one[index] for one in (self.first, self.second))
        factor = self.factor
        if factor is not None and factor.size > 1:
            factor = factor[index]
        return Split(first, second, factor, self.coefficients, self.natural)

    def at(self, label: Array) -> Array:
        """r for labels that broadcast with the predictions; it may be one of the functions itself."""
        if label.size > 1:
            k0, k1 = self.coefficients(label, 1.0 - label)
            one, other = k0 * self.first, k1 * self.second
            wide = one if one.size >= other.size else other
            whole = wide.size == label.size * max(self.first.size, self.second.size)
            total: Array = np.add(one, other, out=wide if whole else None)
        else:
            only = float(label.flat[0])
            total = self._of_one_label(*self.coefficients(only, 1.0 - only))
        if self.factor is None:
            return total
        if total.size < self.factor.size or total is self.first or total is self.second:
            return total * self.factor
        total *= self.factor
        return total

    def _of_one_label(self, k0: float, k1: float) -> Array:
        """k0 * first + k1 * second, where one that does not matter beside the other anywhere is left out."""
        (least_first, most_first), (least_second, most_second) = _ends(self.first), _ends(self.second)
        if abs(k0) * most_first <= NEGLIGIBLE * abs(k1) * least_second:
            return self.second if k1 == 1.0 else k1 * self.second
        if abs(k1) * most_second <= NEGLIGIBLE * abs(k0) * least_first:
            return self.first if k0 == 1.0 else k0 * self.first
        if self.first.size < self.second.size:
            total = k1 * self.second
            total += k0 * self.first
            return total
        total = k0 * self.first
        total += self.second if k1 == 1.0 else k1 * self.second
        return total

    def narrow(self) -> Optional[Narrow]:
        """first * factor and second * factor in float32, as rows; None where one has no room in that."""
        rows = [one if self.factor is None else one * self.factor for one in (self.first, self.second)]
        if max(_ends(row)[1] for row in rows) >= MOST_NARROW:
            return None
        made = np.empty((2, max(row.size for row in rows)), dtype=np.float32)
        made[0], made[1] = rows
        return made

    def scale(self, label: Array) -> Array:
        """The size of the natural terms, abs(A) + abs(B)."""
        if self.natural is None:
            return self.spread(label)
        total = self.natural(np.abs(label), np.abs(1.0 - label), self.first, self.second)
        return total if self.factor is None else total * np.abs(self.factor)

    def spread(self, label: Array) -> Array:
        """The size of the two products that are added: what float64 loses is relative to that."""
        k0, k1 = self.coefficients(label, 1.0 - label)
        total: Array = np.abs(k0) * np.abs(self.first) + np.abs(k1) * np.abs(self.second)
        return total if self.factor is None else total * np.abs(self.factor)


class Ends:
    """A `Split` at the first and at the last of its predictions, between which its functions are monotone."""

    def __init__(self, of: Split) -> None:
        self.first = _both(of.first)
        self.second = _both(of.second)
        self.factor = None if of.factor is None else _both(of.factor)
        self.coefficients = of.coefficients

    def bounds(self, labels: Tuple[float, float]) -> Tuple[float, float]:
        """Two numbers between which r lies, but for rounding, for labels between two."""
        low, high = 0.0, 0.0
        for ks, term in zip(self._coefficients(labels), (self.first, self.second)):
            products = [k * end for k in ks for end in term]
            low, high = low + min(products), high + max(products)
        if self.factor is not None:
            products = [total * end for total in (low, high) for end in self.factor]
            low, high = min(products), max(products)
        return low, high

    def largest_spread(self, labels: Tuple[float, float]) -> float:
        """A number that `Split.spread` does not exceed for labels between two."""
        terms = zip(self._coefficients(labels), (self.first, self.second))
        largest: float = sum(max(abs(k * end) for k in ks for end in term) for ks, term in terms)
        return largest if self.factor is None else largest * max(abs(end) for end in self.factor)

    def _coefficients(self, labels: Tuple[float, float]) -> List[Tuple[float, ...]]:
        """The coefficients of `first`, then those of `second`, for both labels."""
        if labels[0] == labels[1]:
            return [(k,) for k in self.coefficients(labels[0], 1.0 - labels[0])]
        return list(zip(*(self.coefficients(label, 1.0 - label) for label in labels)))


def _both(term: Array) -> Tuple[float, float]:
    """A monotone function of operands in order at both ends."""
    return float(term.flat[0]), float(term.flat[-1])


def _ends(term: Array) -> Tuple[float, float]:
    """The least and the largest size of a monotone function of operands in order: one at each end."""
    one, other = (abs(end) for end in _both(term))
    return (one, other) if one <= other else (other, one)


class Splits:
    """The `Split` of some predictions of one sign and one binade in order, computed when it is asked for.

    `ends` are the first and the last of them, `values` gives all.
    """

    def __init__(self, form: str, quantity: str, ends: Array, values: Callable[[], Array]) -> None:
        self._of = form, quantity
        self._values = values
        self._whole: Optional[Split] = None
        self._rows: Optional[Tuple[Optional[Narrow]]] = None
        self.ends = Ends(split(form, quantity, ends))

    @property
    def whole(self) -> Split:
        """That of all."""
        if self._whole is None:
            self._whole = split(*self._of, self._values())
        return self._whole

    def narrow(self, label: Array, scale: float) -> Optional[Narrow]:
        """r * scale, a power of two, in float32 for a column of labels; None where float32 cannot hold it.

        NARROW_TERMS and NARROW_SUM tell how far off it is.  A product of matrices of any library will do.
        """
        if self._rows is None:
            self._rows = (self.whole.narrow(),)
        (rows,) = self._rows
        if rows is None:
            return None
        coefficients = np.empty((label.size, 2), dtype=np.float32)
        for column, k in enumerate(self.whole.coefficients(label[:, 0], 1.0 - label[:, 0])):
            coefficients[:, column] = k * scale
        return coefficients @ rows


def split(
    form: str, quantity: str, prediction: Array, log_clamp: Optional[float] = None, epsilon: Optional[float] = None
) -> Split:
    """The loss or its gradient by the prediction, split.

    `prediction` holds numbers of one sign and one binade: finite logits, or probabilities other than 0 and 1.
    `log_clamp` and `epsilon` are as in `reference.loss`.  Raises KeyError for another quantity.
    """
    with np.errstate(all="ignore"):
        if form == LOGITS:
            return _LOGITS[quantity](np.abs(prediction), bool(np.signbit(prediction.flat[0])))
        if quantity == GRADIENT_PREDICTION and (log_clamp is not None or epsilon):
            return _gradient_of_contract(prediction, log_clamp, epsilon or 0.0)
        if quantity == GRADIENT_PREDICTION:
            return _gradient_probabilities(prediction)
        return {VALUE: _loss_probabilities}[quantity](prediction, log_clamp, epsilon)


def _loss_logits(x: Array, negative: bool) -> Split:
    """abs(z) * (1 - y, or y where z is negative) + softplus(-abs(z))."""
    largest = x.max()
    if largest >= NO_TAIL:
        soft = NONE
    elif largest < FLAT:
        soft = np.full(1, np.log(2.0))
    else:
        soft = np.negative(x)
        np.exp(soft, out=soft)
        np.log1p(soft, out=soft)
    if negative:
        return Split(x, soft, None, lambda a, b: (a, 1.0), lambda a, b, x, soft: a * (x + soft) + b * soft)
    return Split(x, soft, None, lambda a, b: (b, 1.0), lambda a, b, x, soft: b * (x + soft) + a * soft)


def _gradient_logits(x: Array, negative: bool) -> Split:
    """(b - a*t) / (1 + t) where z is positive and (b*t - a) / (1 + t) where it is negative, with t = exp(-abs(z)).

    From abs(z) = 1 on t is small; below, 1 - t = -expm1(-abs(z)) takes its place, so that 1/2 - y does not cancel.
    """
    largest = x.max()
    if largest >= 1.0:
        t = NONE if largest >= NO_TAIL else np.exp(-x)
        factor = ONE if largest >= NO_TAIL else 1.0 / (1.0 + t)
        signed: Coefficients = (lambda a, b: (-a, b)) if negative else (lambda a, b: (b, -a))
        return Split(ONE, t, factor, signed)
    u = x if largest < FLAT else -np.expm1(-x)
    t = 1.0 - u
    factor = np.full(1, 0.5) if largest < FLAT else 1.0 / (1.0 + t)
    rest: Coefficients = (lambda a, b: (b - a, -b)) if negative else (lambda a, b: (b - a, a))
    sizes: Natural = (lambda a, b, one, u: a + b * (1.0 - u)) if negative else (lambda a, b, one, u: b + a * (1.0 - u))
    return Split(ONE, u, factor, rest, sizes)


def _loss_probabilities(p: Array, log_clamp: Optional[float], epsilon: Optional[float]) -> Split:
    """-y*log p - (1 - y)*log1p(-p)."""
    if epsilon:
        of_p, of_q = np.log(p + epsilon), np.log((1.0 - p) + epsilon)
    else:
        of_p, of_q = np.log(p), np.log1p(-p)
    if log_clamp is not None:
        of_p, of_q = np.maximum(of_p, log_clamp), np.maximum(of_q, log_clamp)
    return Split(of_p, of_q, None, lambda a, b: (-a, -b))


def _gradient_probabilities(p: Array) -> Split:
    """(p - y) / (p*(1 - p)): the difference of two numbers of a narrow format loses nothing in float64."""
    factor = 1.0 / (p * (1.0 - p))
    return Split(p, ONE, factor, lambda a, b: (1.0, -a), lambda a, b, p, one: b * p + a * (1.0 - p))


def _gradient_of_contract(p: Array, log_clamp: Optional[float], epsilon: float) -> Split:
    """(1 - y)/(1 - p + epsilon) - y/(p + epsilon), where a clamped logarithm has derivative 0."""
    shifted = p + epsilon, (1.0 - p) + epsilon
    of_p, of_q = 1.0 / shifted[0], 1.0 / shifted[1]
    if log_clamp is not None:
        of_p = np.where(np.log(shifted[0]) < log_clamp, 0.0, of_p)
        of_q = np.where(np.log(shifted[1]) < log_clamp, 0.0, of_q)
    return Split(of_p, of_q, None, lambda a, b: (-a, b))


_LOGITS = {VALUE: _loss_logits, GRADIENT_PREDICTION: _gradient_logits}
