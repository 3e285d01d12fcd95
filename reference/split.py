"""Tier 0 for sweeps: each quantity as a sum that splits into functions of the prediction and numbers of the label.

For predictions of one sign and one binade, r = (k0 * first + k1 * second) * factor, where `first`, `second` and
`factor` depend on the prediction alone and the coefficients on the label alone.  A sweep computes the former once for
all labels and implementations.  Plain float64; for labels in [0, 1] a result is at most a few ulp of float64 off
relative to its natural terms (`Split.scale`), which for a loss are the result itself.

Standard library and NumPy only, Python 3.7 on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Callable, NamedTuple, Optional, Tuple

import numpy as np

from reference.special import GRADIENT_PREDICTION, LOGITS, LOSS

if TYPE_CHECKING:
    from reference.doubledouble import Array

#: From here on exp(-x) < 2**-184, below half of the smallest number of every format of at most 32 bits.
NO_TAIL = 128.0

#: Below this log1p(exp(-x)) is log 2, and -expm1(-x) is x, to more than 60 bits.
FLAT = 2.0**-60

#: A term that is smaller than the other by this factor does not change a float64.
NEGLIGIBLE = 2.0**-56

#: Of (a, b) = (y, 1 - y), the coefficients of a sum.
Coefficients = Callable[["Array", "Array"], Tuple["Array", "Array"]]

#: A function of the prediction that is the same number for a whole block.
ONE = np.ones(1)
NONE = np.zeros(1)


class Split(NamedTuple):
    """One quantity at some predictions; the arrays have one element, or one for each prediction."""

    first: Array
    second: Array
    factor: Optional[Array]
    coefficients: Coefficients
    #: The same for abs(A) + abs(B); None where the terms of a label in [0, 1] cannot cancel.
    natural: Optional[Tuple[Array, Array, Coefficients]] = None

    def at(self, label: Array) -> Array:
        """r for labels that broadcast with the predictions."""
        return _combined(self.first, self.second, self.factor, *self.coefficients(label, 1.0 - label))

    def scale(self, label: Array) -> Array:
        """The size of the natural terms, abs(A) + abs(B)."""
        a, b = np.abs(label), np.abs(1.0 - label)
        if self.natural is None:
            k0, k1 = self.coefficients(a, b)
            return _combined(np.abs(self.first), np.abs(self.second), self.factor, np.abs(k0), np.abs(k1))
        first, second, coefficients = self.natural
        return _combined(first, second, self.factor, *coefficients(a, b))

    def largest_scale(self, label: Array) -> float:
        """A number that `scale` does not exceed, for predictions in order."""
        a, b = np.abs(label), np.abs(1.0 - label)
        first, second, coefficients = self.natural or (self.first, self.second, self.coefficients)
        k0, k1 = coefficients(a, b)
        largest = float(np.abs(k0).max()) * _largest(first) + float(np.abs(k1).max()) * _largest(second)
        return largest * (1.0 if self.factor is None else _largest(self.factor))


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
        return {LOSS: _loss_probabilities}[quantity](prediction, log_clamp, epsilon)


def _combined(first: Array, second: Array, factor: Optional[Array], k0: Array, k1: Array) -> Array:
    """(k0 * first + k1 * second) * factor, without what is 0 or does not matter anywhere."""
    if k0.size == 1 and k1.size == 1:
        total = _sum_of_two(first, second, float(k0.flat[0]), float(k1.flat[0]))
    else:
        total = k0 * first
        total += k1 * second
    if factor is None:
        return total
    return np.multiply(total, factor, out=total if total.size >= factor.size else None)


def _sum_of_two(first: Array, second: Array, k0: float, k1: float) -> Array:
    """k0 * first + k1 * second, where one that does not matter beside the other is left out."""
    sizes = abs(k0) * _largest(first), abs(k1) * _largest(second)
    if sizes[0] <= NEGLIGIBLE * abs(k1) * _smallest(second):
        return k1 * second
    if sizes[1] <= NEGLIGIBLE * abs(k0) * _smallest(first):
        return k0 * first
    total = k0 * first if first.size >= second.size else k0 * np.broadcast_to(first, second.shape)
    total += second if k1 == 1.0 else k1 * second
    return total


def _largest(term: Array) -> float:
    """Over a monotone function of predictions in order: one of its ends."""
    return float(max(abs(term.flat[0]), abs(term.flat[-1])))


def _smallest(term: Array) -> float:
    return float(min(abs(term.flat[0]), abs(term.flat[-1])))


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
        return Split(x, soft, None, lambda a, b: (a, np.ones(1)))
    return Split(x, soft, None, lambda a, b: (b, np.ones(1)))


def _gradient_logits(x: Array, negative: bool) -> Split:
    """(b - a*t) / (1 + t) where z is positive and (b*t - a) / (1 + t) where it is negative, with t = exp(-abs(z)).

    From abs(z) = 1 on t is small; below, 1 - t = -expm1(-abs(z)) takes its place, so that 1/2 - y does not cancel.
    """
    largest = x.max()
    if largest >= 1.0:
        t = NONE if largest >= NO_TAIL else np.exp(-x)
        factor = ONE if largest >= NO_TAIL else 1.0 / (1.0 + t)
        signed: Coefficients = (lambda a, b: (-a, b)) if negative else (lambda a, b: (b, -a))
        sizes: Coefficients = (lambda a, b: (a, b)) if negative else (lambda a, b: (b, a))
        return Split(ONE, t, factor, signed, (ONE, t, sizes))
    u = x if largest < FLAT else -np.expm1(-x)
    t = 1.0 - u
    factor = np.full(1, 0.5) if largest < FLAT else 1.0 / (1.0 + t)
    rest: Coefficients = (lambda a, b: (b - a, -b)) if negative else (lambda a, b: (b - a, a))
    sizes = (lambda a, b: (a, b)) if negative else (lambda a, b: (b, a))
    return Split(ONE, u, factor, rest, (ONE, t, sizes))


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
    return Split(p, ONE, factor, lambda a, b: (np.ones(1), -a), (p, 1.0 - p, lambda a, b: (b, a)))


def _gradient_of_contract(p: Array, log_clamp: Optional[float], epsilon: float) -> Split:
    """(1 - y)/(1 - p + epsilon) - y/(p + epsilon), where a clamped logarithm has derivative 0."""
    shifted = p + epsilon, (1.0 - p) + epsilon
    of_p, of_q = 1.0 / shifted[0], 1.0 / shifted[1]
    if log_clamp is not None:
        of_p = np.where(np.log(shifted[0]) < log_clamp, 0.0, of_p)
        of_q = np.where(np.log(shifted[1]) < log_clamp, 0.0, of_q)
    return Split(of_p, of_q, None, lambda a, b: (-a, b))


_LOGITS = {LOSS: _loss_logits, GRADIENT_PREDICTION: _gradient_logits}
