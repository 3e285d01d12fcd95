"""Terms of the loss and of its derivatives in double-double, unweighted and for admissible operands.

One function for each form and quantity; `reference.bce` applies the weight, the special values and the rounding.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from reference import doubledouble as dd
from reference import labels
from reference.elementary import exp_and_expm1_minus, exp_minus, log, softplus_minus
from reference.operands import (
    GRADIENT_LABEL,
    GRADIENT_POS_WEIGHT,
    GRADIENT_PREDICTION,
    GRADIENT_WEIGHT,
    LOGITS,
    PROBABILITIES,
    SECOND_DERIVATIVE,
    VALUE,
    Operands,
)

if TYPE_CHECKING:
    from reference.doubledouble import Array, Mask, Pair, Scaled


class Outcome(NamedTuple):
    """Unweighted result of one chunk."""

    value: Scaled
    #: The error is at most RELATIVE_BOUND times this.
    error_scale: Scaled
    #: abs(A) + abs(B) of the natural terms.
    scale: Scaled
    #: Where abs(value) is the scale instead.
    plain: Mask | None


class _Coefficients(NamedTuple):
    """Unweighted coefficients of the two terms: a = pos_weight*label, b = 1 - label, exact for labels as they are."""

    a: Scaled
    b: Scaled


def _coefficients(operands: Operands) -> _Coefficients:
    label, complement = labels.label(operands), labels.less_label(np.ones(1), operands)
    if operands.pos_weight is None:
        return _Coefficients(label, complement)
    return _Coefficients(dd.multiply(dd.normalise(operands.pos_weight), label), complement)


def _is_one(pos_weight: Array | None) -> Mask:
    return np.ones(1, dtype=bool) if pos_weight is None else pos_weight == 1.0


# Logits. With x = abs(z), softplus(z) = softplus(-x) for z < 0 and x + softplus(-x) otherwise; so every quantity is
# written with softplus(-x) or t = exp(-x) only, and nothing cancels or overflows that does not do so in the result.


def _loss_logits(operands: Operands) -> Outcome:
    """Return (a + b)*softplus(-x) + c*x, where c = b for z >= 0 and a for z < 0."""
    z = operands.prediction
    x = np.abs(z)
    a, b = _coefficients(operands)
    soft = softplus_minus(x)
    sum_of_magnitudes = dd.multiply_magnitudes(dd.add_magnitudes(a, b), soft)
    if operands.pos_weight is not None:  # otherwise a + b = 1
        soft = dd.multiply(dd.renormalise(dd.add(a, b)), soft)
    linear = dd.multiply(dd.select(z >= 0.0, b, a), dd.normalise(x))
    scale = dd.add_magnitudes(sum_of_magnitudes, linear)
    return Outcome(dd.add(linear, soft), scale, scale, None)


def _gradient_logits(operands: Operands) -> Outcome:
    """Return +-(c - d*t)/(1 + t), where c, d = b, a for z >= 0 and a, b (and minus) for z < 0.

    For small x the numerator is (c - d) - d*(t - 1), with t - 1 from expm1, so that it keeps its relative accuracy
    near z = 0 for labels near 1/2.
    """
    z = operands.prediction
    right = z >= 0.0
    a, b = _coefficients(operands)
    c, d = dd.select(right, b, a), dd.select(right, a, b)
    t, less_1, near = exp_and_expm1_minus(np.abs(z))
    difference = dd.renormalise(dd.add(c, dd.negative(d)))
    if operands.label_smoothing is not None and operands.pos_weight is None:
        difference = labels.less_twice_label(operands)
        difference = dd.select(right, difference, dd.negative(difference))
    first = dd.select(near, difference, c)
    second = dd.multiply(d, dd.select(near, dd.normalise(*less_1), t))
    numerator = dd.renormalise(dd.add(first, dd.negative(second)))
    denominator = _one_plus(t)
    value = dd.divide(numerator, denominator)
    value = value._replace(high=np.where(right, value.high, -value.high), low=_negate_unless(right, value.low))
    error_scale = _divide_magnitude(dd.add_magnitudes(first, second), denominator)
    scale = _divide_magnitude(dd.add_magnitudes(c, dd.multiply_magnitudes(d, t)), denominator)
    scale = dd.select(difference.high == 0.0, dd.absolute(c), scale)  # 1/2 for the label 1/2, not a last bit less
    if operands.label_smoothing is not None and operands.pos_weight is not None:
        error_scale = scale  # c and d are rounded before they cancel
    tiny = np.abs(z) < _TINY
    if operands.pos_weight is None and tiny.any():
        value = dd.select(tiny, _next_to_zero(operands), value)
    return Outcome(value, error_scale, scale, None)


#: Below this sigmoid(x) is 1/2 + x/4 - x**3/48 to 2**-124 of x.
_TINY = 2.0**-30


def _next_to_zero(operands: Operands) -> Scaled:
    """Return sigmoid(z) - y' for tiny z, with a low part that tells on which side of a power of two it is.

    With the label 1/2 it is closer to z/4 than a quotient of double-doubles tells.
    """
    z = operands.prediction
    four_times = dd.normalise(z, -z * (z * z) / 12.0)
    rest = four_times._replace(exponent=four_times.exponent - np.int32(2))
    return dd.renormalise(dd.add(labels.less_label(np.full(1, 0.5), operands), rest))


def _negate_unless(mask: Mask, x: Array | None) -> Array | None:
    return None if x is None else np.where(mask, x, -x)


def _one_plus(t: Scaled) -> Scaled:
    """Return 1 + t for 0 <= t <= 1."""
    assert t.low is not None
    shift = np.maximum(t.exponent, -1000)
    high, error = dd.two_sum(np.ones(1), np.ldexp(t.high, shift))
    error += np.ldexp(t.low, shift)
    high, low = dd.fast_two_sum(high, error)
    return dd.Scaled(high, low, np.zeros(1, dtype=np.int32))


def sigmoids(z: Array) -> tuple[Scaled, Scaled]:
    """Return sigmoid(z) and sigmoid(-z), relative error about 9 u**2."""
    right = z >= 0.0
    t = exp_minus(np.abs(z))
    denominator = _one_plus(t)
    small, large = dd.divide(t, denominator), dd.divide(dd.normalise(np.ones(1)), denominator)
    return dd.select(right, large, small), dd.select(right, small, large)


def _divide_magnitude(x: Scaled, y: Scaled) -> Scaled:
    return dd.Scaled(np.abs(x.high) / np.abs(y.high), None, x.exponent - y.exponent)


def _gradient_pos_weight_logits(operands: Operands) -> Outcome:
    """Return label*softplus(-z), which is label*(x + softplus(-x)) for z < 0."""
    z = operands.prediction
    x = np.abs(z)
    soft = softplus_minus(x)
    linear = dd.zero_where(z >= 0.0, dd.normalise(x))
    return _single(dd.multiply(labels.label(operands), dd.renormalise(dd.add(linear, soft))))


def _single(value: Scaled) -> Outcome:
    """Return a quantity of one natural term."""
    magnitude = dd.absolute(value)
    return Outcome(value, magnitude, magnitude, np.ones(1, dtype=bool))


def _gradient_label_logits(operands: Operands) -> Outcome:
    """Return (q - 1)*softplus(-x) - x for z >= 0 and (q - 1)*softplus(-x) + q*x for z < 0, where q = pos_weight."""
    z = operands.prediction
    if operands.pos_weight is None:
        value = dd.normalise(-z)
        scale = dd.absolute(value)
        exact = operands.weight is None and operands.label_smoothing is None  # otherwise lo may underflow
        return Outcome(value, dd.zero_where(np.full(1, exact), scale), scale, np.ones(1, dtype=bool))
    q = dd.normalise(operands.pos_weight)
    x = np.abs(z)
    soft = softplus_minus(x)
    minus_one = dd.normalise(-np.ones(1))
    linear = dd.multiply(dd.select(z >= 0.0, minus_one, q), dd.normalise(x))
    soft_q = dd.multiply(dd.normalise(*dd.two_sum(operands.pos_weight, -np.ones(1))), soft)
    scale = dd.add_magnitudes(dd.multiply_magnitudes(dd.add_magnitudes(q, minus_one), soft), linear)
    return Outcome(dd.add(linear, soft_q), dd.add_magnitudes(linear, soft_q), scale, _is_one(operands.pos_weight))


def _second_derivative_logits(operands: Operands) -> Outcome:
    """Return (a + b)*t/(1 + t)**2."""
    t = exp_minus(np.abs(operands.prediction))
    denominator = _one_plus(t)
    value = dd.divide(t, dd.multiply(denominator, denominator))
    if operands.pos_weight is None:  # a + b = 1
        value = value._replace(exponent=value.exponent + np.zeros_like(operands.label, dtype=np.int32))
        return _single(value)
    a, b = _coefficients(operands)
    scale = dd.multiply_magnitudes(dd.add_magnitudes(a, b), value)
    value = dd.multiply(dd.renormalise(dd.add(a, b)), value)
    return Outcome(value, scale, scale, _is_one(operands.pos_weight))


# Probabilities. P = p + epsilon and Q = 1 - p + epsilon as pairs; where one of them is zero, 1 stands in: its term is
# then annihilated by a zero coefficient, or the result is infinite or NaN and `special.limits` decides.


class _Argument(NamedTuple):
    """P or Q, the same minus 1 (exact or to full relative accuracy), and where it is zero."""

    high: Array
    low: Array | None
    less_1: Pair
    zero: Mask | None


def _argument(high: Array, low: Array | None, less_1: Pair) -> _Argument:
    zero = high == 0.0
    if not zero.any():
        return _Argument(high, low, less_1, None)
    less_1 = np.where(zero, 0.0, less_1[0]), np.where(zero, 0.0, less_1[1])
    return _Argument(np.where(zero, 1.0, high), low, less_1, zero)


def _argument_p(operands: Operands) -> _Argument:
    p = operands.prediction
    if operands.epsilon is None:
        return _argument(p, None, (p - 1.0, np.zeros(1)))
    high, low = dd.two_sum(p, np.float64(operands.epsilon))  # type: ignore[arg-type]
    return _argument(high, low, dd.two_sum(high - 1.0, low))


def _argument_q(operands: Operands) -> _Argument:
    p = operands.prediction
    high, low = dd.two_sum(np.ones(1), -p)
    if operands.epsilon is None:
        return _argument(high, low, (-p, np.zeros(1)))
    less_1 = dd.two_sum(np.float64(operands.epsilon), -p)  # type: ignore[arg-type]
    high, error = dd.two_sum(high, np.float64(operands.epsilon))  # type: ignore[arg-type]
    return _argument(*dd.fast_two_sum(high, error + low), less_1)


class _Logarithm(NamedTuple):
    """log P or log Q after the clamp, and where the clamp holds."""

    value: Scaled
    clamped: Mask | None


def _logarithm(argument: _Argument, log_clamp: float | None) -> _Logarithm:
    high, low = log(argument.high, argument.low, argument.less_1)
    if log_clamp is None:
        return _Logarithm(dd.normalise(high, low), None)
    clamped = (high < log_clamp) | ((high == log_clamp) & (low < 0.0))
    if argument.zero is not None:
        clamped |= argument.zero
    high, low = np.where(clamped, log_clamp, high), np.where(clamped, 0.0, low)
    return _Logarithm(dd.normalise(high, low), clamped)


def _logarithms(operands: Operands) -> tuple[_Logarithm, _Logarithm]:
    clamp = operands.log_clamp
    return _logarithm(_argument_p(operands), clamp), _logarithm(_argument_q(operands), clamp)


def _difference(x: Scaled, y: Scaled) -> Outcome:
    """Return x - y of the natural terms x and -y."""
    scale = dd.add_magnitudes(x, y)
    return Outcome(dd.add(x, dd.negative(y)), scale, scale, None)


def _loss_probabilities(operands: Operands) -> Outcome:
    """Return -a*log P - b*log Q."""
    a, b = _coefficients(operands)
    log_p, log_q = _logarithms(operands)
    return _difference(dd.negative(dd.multiply(a, log_p.value)), dd.multiply(b, log_q.value))


def _gradient_pos_weight_probabilities(operands: Operands) -> Outcome:
    """Return -label*log P."""
    logarithm = _logarithm(_argument_p(operands), operands.log_clamp).value
    return _single(dd.negative(dd.multiply(labels.label(operands), logarithm)))


def _gradient_label_probabilities(operands: Operands) -> Outcome:
    """Return log Q - pos_weight*log P."""
    log_p, log_q = _logarithms(operands)
    positive = log_p.value
    if operands.pos_weight is not None:
        positive = dd.multiply(dd.normalise(operands.pos_weight), positive)
    return _difference(log_q.value, positive)


def _reciprocal_terms(operands: Operands, power: int) -> tuple[Scaled, Scaled]:
    """Return a/P**power and b/Q**power, zero where the logarithm is clamped."""
    terms: list[Scaled] = []
    a, b = _coefficients(operands)
    for coefficient, argument in ((a, _argument_p(operands)), (b, _argument_q(operands))):
        divisor = dd.normalise(argument.high, argument.low)
        if power == 2:
            divisor = dd.multiply(divisor, divisor)
        term = dd.divide(coefficient, divisor)
        if operands.log_clamp is not None:
            clamped = _logarithm(argument, operands.log_clamp).clamped
            assert clamped is not None
            term = dd.zero_where(clamped, term)
        terms.append(term)
    return terms[0], terms[1]


def _gradient_probabilities(operands: Operands) -> Outcome:
    """Return b/Q - a/P; without options (p - y)/(p*(1 - p)), whose numerator is exact."""
    if not (operands.pos_weight is None and operands.log_clamp is None and operands.epsilon is None):
        a, b = _reciprocal_terms(operands, 1)
        return _difference(b, a)
    p, q = _argument_p(operands), _argument_q(operands)
    numerator = labels.less_label(operands.prediction, operands)
    for argument, limit in ((p, 1.0), (q, -1.0)):
        if argument.zero is not None:  # label 0 at p = 0, label 1 at p = 1: the other term remains
            numerator = dd.select(argument.zero, dd.normalise(np.full(1, limit)), numerator)
    p_scaled, q_scaled = dd.normalise(p.high), dd.normalise(q.high, q.low)
    value = dd.divide(numerator, dd.multiply(p_scaled, q_scaled))
    a, b = _coefficients(operands)
    scale = dd.add_magnitudes(_divide_magnitude(a, p_scaled), _divide_magnitude(b, q_scaled))
    return Outcome(value, dd.absolute(value), scale, None)


def _second_derivative_probabilities(operands: Operands) -> Outcome:
    """Return a/P**2 + b/Q**2."""
    a, b = _reciprocal_terms(operands, 2)
    return _difference(a, dd.negative(b))


KERNELS: dict[tuple[str, str], Callable[[Operands], Outcome]] = {
    (LOGITS, VALUE): _loss_logits,
    (LOGITS, GRADIENT_PREDICTION): _gradient_logits,
    (LOGITS, GRADIENT_LABEL): _gradient_label_logits,
    (LOGITS, GRADIENT_WEIGHT): _loss_logits,
    (LOGITS, GRADIENT_POS_WEIGHT): _gradient_pos_weight_logits,
    (LOGITS, SECOND_DERIVATIVE): _second_derivative_logits,
    (PROBABILITIES, VALUE): _loss_probabilities,
    (PROBABILITIES, GRADIENT_PREDICTION): _gradient_probabilities,
    (PROBABILITIES, GRADIENT_LABEL): _gradient_label_probabilities,
    (PROBABILITIES, GRADIENT_WEIGHT): _loss_probabilities,
    (PROBABILITIES, GRADIENT_POS_WEIGHT): _gradient_pos_weight_probabilities,
    (PROBABILITIES, SECOND_DERIVATIVE): _second_derivative_probabilities,
}
