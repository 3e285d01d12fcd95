"""Tier 1: binary cross-entropy and its derivatives in double-double, as ``hi + lo`` with a bound of the error.

With a = weight*pos_weight*label and b = weight*(1 - label), L is

* for logits z: a*softplus(-z) + b*softplus(z),
* for probabilities p: -(a*log p + b*log(1 - p)).

Every number carries an exponent of its own (`doubledouble.Scaled`), so no intermediate result overflows or underflows.
The weight is applied last, to the finished sum of the two terms.
Arrays are worked through in chunks that stay in cache.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from reference import doubledouble as dd
from reference import special
from reference.elementary import exp_and_expm1_minus, exp_minus, log, softplus_minus
from reference.special import FORMS, LOGITS, PROBABILITIES, Operands

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from reference.doubledouble import Array, Mask, Pair, Scaled

#: Elements worked on at a time: 64 KiB an array, so that the live temporaries fit a level 2 cache of 1 MiB.
CHUNK = 8192

#: abs(exact - (hi + lo)) <= RELATIVE_BOUND * (abs(A) + abs(B)) + SMALLEST. The sum of the worst cases of all steps is
#: 30 u**2 = 7.5 * 2**-104 (docs/reference.md counts them); 1.2 * 2**-104 is the most that has been seen.
RELATIVE_BOUND = 2.0**-101

#: Half of it is lost at most by rounding lo to a subnormal number.
SMALLEST = 2.0**-1074

_LARGEST = float(np.finfo(np.float64).max)


class Reference(NamedTuple):
    """Expected values: float64 arrays of the broadcast shape."""

    #: The exact value rounded to nearest: at most 0.51 ulp off where the terms do not cancel, 1 where subnormal.
    hi: Array
    #: The exact value is about hi + lo; 0 where hi is not finite.
    lo: Array
    #: abs(exact - (hi + lo)) is at most this; 0 where hi is infinite or NaN.
    bound: Array
    #: abs(A) + abs(B) of the natural terms: what a condition-scaled error is relative to. At most the largest finite
    #: float64 where hi is finite; abs(hi) where it is not.
    scale: Array


class _Outcome(NamedTuple):
    """Unweighted result of one chunk."""

    value: Scaled
    #: The error is at most RELATIVE_BOUND times this.
    error_scale: Scaled
    #: abs(A) + abs(B) of the natural terms.
    scale: Scaled
    #: Where abs(value) is the scale instead.
    plain: Mask | None


def loss(
    form: str,
    prediction: ArrayLike,
    label: ArrayLike,
    weight: ArrayLike | None = None,
    pos_weight: ArrayLike | None = None,
    log_clamp: float | None = None,
    epsilon: float | None = None,
) -> Reference:
    """Return the loss L in nats.

    Args:
        form: what the prediction is, one of FORMS.
        prediction: probabilities p in [0, 1], or logits z.
        label: y; values outside [0, 1] are evaluated by the same formula.
        weight: factor of the loss.
        pos_weight: factor of the label's own term.
        log_clamp: probabilities only; each logarithm is replaced by max(log, log_clamp).
        epsilon: probabilities only; log(p + epsilon) and log(1 - p + epsilon).
    """
    return _evaluate(form, special.LOSS, prediction, label, weight, pos_weight, log_clamp, epsilon)


def gradient_prediction(
    form: str,
    prediction: ArrayLike,
    label: ArrayLike,
    weight: ArrayLike | None = None,
    pos_weight: ArrayLike | None = None,
    log_clamp: float | None = None,
    epsilon: float | None = None,
) -> Reference:
    """Return dL/dp or dL/dz; arguments as for `loss`. A clamped logarithm has derivative 0."""
    return _evaluate(form, special.GRADIENT_PREDICTION, prediction, label, weight, pos_weight, log_clamp, epsilon)


def gradient_label(
    form: str,
    prediction: ArrayLike,
    label: ArrayLike,
    weight: ArrayLike | None = None,
    pos_weight: ArrayLike | None = None,
    log_clamp: float | None = None,
    epsilon: float | None = None,
) -> Reference:
    """Return dL/dy; arguments as for `loss`. It does not depend on the label, unless that is NaN."""
    return _evaluate(form, special.GRADIENT_LABEL, prediction, label, weight, pos_weight, log_clamp, epsilon)


def second_derivative(
    form: str,
    prediction: ArrayLike,
    label: ArrayLike,
    weight: ArrayLike | None = None,
    pos_weight: ArrayLike | None = None,
    log_clamp: float | None = None,
    epsilon: float | None = None,
) -> Reference:
    """Return d2L/dp2 or d2L/dz2; arguments as for `loss`. A clamped logarithm has derivative 0."""
    return _evaluate(form, special.SECOND_DERIVATIVE, prediction, label, weight, pos_weight, log_clamp, epsilon)


def check_options(form: str, log_clamp: float | None, epsilon: float | None) -> None:
    """Raise ValueError for an unknown form, or an option that the form does not have."""
    if form not in FORMS:
        raise ValueError(f"'form' must be one of {FORMS} (got {form!r})")
    if form == LOGITS and not (log_clamp is None and epsilon is None):
        raise ValueError("'log_clamp' and 'epsilon' exist for form 'probabilities' only (got form 'logits')")
    if log_clamp is not None and not -np.inf <= log_clamp < np.inf:
        raise ValueError(f"'log_clamp' must be a number below infinity (got {log_clamp!r})")
    if epsilon is not None and not 0.0 <= epsilon < np.inf:
        raise ValueError(f"'epsilon' must be finite and not negative (got {epsilon!r})")


def _evaluate(
    form: str,
    quantity: str,
    prediction: ArrayLike,
    label: ArrayLike,
    weight: ArrayLike | None,
    pos_weight: ArrayLike | None,
    log_clamp: float | None,
    epsilon: float | None,
) -> Reference:
    """Broadcast the inputs and work through them chunk by chunk."""
    check_options(form, log_clamp, epsilon)
    inputs = [None if x is None else np.asarray(x, dtype=np.float64) for x in (prediction, label, weight, pos_weight)]
    shape = np.broadcast(*[x for x in inputs if x is not None]).shape
    flat = [None if x is None else _flatten(x, shape) for x in inputs]
    clamp = None if log_clamp is None or log_clamp == -np.inf else float(log_clamp)
    offset = float(epsilon) if epsilon else None
    size = int(np.prod(shape, dtype=np.int64))
    results = [np.empty(size) for _ in Reference._fields]
    with np.errstate(all="ignore"):
        for start in range(0, size, CHUNK):
            window = slice(start, start + CHUNK)
            parts = [x if x is None or x.size == 1 else x[window] for x in flat]
            operands = Operands(parts[0], parts[1], parts[2], parts[3], clamp, offset)  # type: ignore[arg-type]
            for field, part in enumerate(_chunk(form, quantity, operands)):
                results[field][window] = part
    return Reference(*[result.reshape(shape) for result in results])


def _flatten(x: Array, shape: tuple[int, ...]) -> Array:
    """Return x as one dimension of the broadcast shape, or as one element if it has only one."""
    return x.reshape(1) if x.size == 1 else np.broadcast_to(x, shape).reshape(-1)


def _chunk(form: str, quantity: str, operands: Operands) -> tuple[Array, Array, Array, Array]:
    """Return hi, lo, bound and scale of one chunk."""
    mask = special.irregular(form, operands)
    tame = operands if mask is None else special.tame(form, operands)
    outcome = _QUANTITIES[form, quantity](tame)
    value, error_scale, scale = outcome.value, outcome.error_scale, outcome.scale
    if tame.weight is not None:
        weight = dd.normalise(tame.weight)
        value = dd.multiply(value, weight)
        error_scale, scale = dd.multiply_magnitudes(error_scale, weight), dd.multiply_magnitudes(scale, weight)
    hi, lo = dd.to_floats(value)
    bound = dd.to_float(error_scale._replace(high=error_scale.high * RELATIVE_BOUND))
    bound += SMALLEST * (error_scale.high != 0.0)
    scales = dd.to_float(scale)
    if outcome.plain is not None:
        scales = np.where(outcome.plain, np.abs(hi), scales)
    scales = np.minimum(scales, _LARGEST)
    if mask is not None:
        limits = special.limits(form, quantity, operands)
        hi = np.where(mask & ~np.isfinite(limits), limits, hi)
    finite = np.isfinite(hi)
    if not finite.all():
        lo, bound = np.where(finite, lo, 0.0), np.where(finite, bound, 0.0)
        scales = np.where(finite, scales, np.abs(hi))
    return hi, lo, bound, scales


class _Coefficients(NamedTuple):
    """Unweighted coefficients of the two terms: a = pos_weight*label, b = 1 - label, both exact."""

    a: Scaled
    b: Scaled


def _coefficients(operands: Operands) -> _Coefficients:
    one = np.ones(1)
    complement = dd.normalise(*dd.two_sum(one, -operands.label))
    label = dd.normalise(operands.label)
    if operands.pos_weight is None:
        return _Coefficients(label, complement)
    return _Coefficients(dd.multiply(dd.normalise(operands.pos_weight), label), complement)


def _total(result: Scaled) -> Scaled:
    """Return a sum, with ``high`` scaled again, as it may have cancelled to any size."""
    scaled = dd.normalise(result.high, result.low)
    return scaled._replace(exponent=scaled.exponent + result.exponent)


def _is_one(pos_weight: Array | None) -> Mask:
    return np.ones(1, dtype=bool) if pos_weight is None else pos_weight == 1.0


# Logits. With x = abs(z), softplus(z) = softplus(-x) for z < 0 and x + softplus(-x) otherwise; so every quantity is
# written with softplus(-x) or t = exp(-x) only, and nothing cancels or overflows that does not do so in the result.


def _loss_logits(operands: Operands) -> _Outcome:
    """Return (a + b)*softplus(-x) + c*x, where c = b for z >= 0 and a for z < 0."""
    z = operands.prediction
    x = np.abs(z)
    a, b = _coefficients(operands)
    soft = softplus_minus(x)
    sum_of_magnitudes = dd.multiply_magnitudes(dd.add_magnitudes(a, b), soft)
    if operands.pos_weight is not None:  # otherwise a + b = 1
        soft = dd.multiply(_total(dd.add(a, b)), soft)
    linear = dd.multiply(dd.select(z >= 0.0, b, a), dd.normalise(x))
    scale = dd.add_magnitudes(sum_of_magnitudes, linear)
    return _Outcome(dd.add(linear, soft), scale, scale, None)


def _gradient_logits(operands: Operands) -> _Outcome:
    """Return +-(c - d*t)/(1 + t), where c, d = b, a for z >= 0 and a, b (and minus) for z < 0.

    For small x the numerator is (c - d) - d*(t - 1), with t - 1 from expm1, so that it keeps its relative accuracy
    near z = 0 for labels near 1/2.
    """
    z = operands.prediction
    right = z >= 0.0
    a, b = _coefficients(operands)
    c, d = dd.select(right, b, a), dd.select(right, a, b)
    t, less_1, near = exp_and_expm1_minus(np.abs(z))
    first = dd.select(near, _total(dd.add(c, dd.negative(d))), c)
    second = dd.multiply(d, dd.select(near, dd.normalise(*less_1), t))
    numerator = _total(dd.add(first, dd.negative(second)))
    denominator = _one_plus(t)
    value = dd.divide(numerator, denominator)
    value = value._replace(high=np.where(right, value.high, -value.high), low=_negate_unless(right, value.low))
    error_scale = _divide_magnitude(dd.add_magnitudes(first, second), denominator)
    scale = _divide_magnitude(dd.add_magnitudes(c, dd.multiply_magnitudes(d, t)), denominator)
    return _Outcome(value, error_scale, scale, None)


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


def _divide_magnitude(x: Scaled, y: Scaled) -> Scaled:
    return dd.Scaled(np.abs(x.high) / np.abs(y.high), None, x.exponent - y.exponent)


def _gradient_label_logits(operands: Operands) -> _Outcome:
    """Return (q - 1)*softplus(-x) - x for z >= 0 and (q - 1)*softplus(-x) + q*x for z < 0, where q = pos_weight."""
    z = operands.prediction
    if operands.pos_weight is None:
        value = dd.normalise(-z)
        scale = dd.absolute(value)
        exact = operands.weight is None  # otherwise lo may underflow
        return _Outcome(value, dd.zero_where(np.full(1, exact), scale), scale, np.ones(1, dtype=bool))
    q = dd.normalise(operands.pos_weight)
    x = np.abs(z)
    soft = softplus_minus(x)
    minus_one = dd.normalise(-np.ones(1))
    linear = dd.multiply(dd.select(z >= 0.0, minus_one, q), dd.normalise(x))
    soft_q = dd.multiply(dd.normalise(*dd.two_sum(operands.pos_weight, -np.ones(1))), soft)
    scale = dd.add_magnitudes(dd.multiply_magnitudes(dd.add_magnitudes(q, minus_one), soft), linear)
    return _Outcome(dd.add(linear, soft_q), dd.add_magnitudes(linear, soft_q), scale, _is_one(operands.pos_weight))


def _second_derivative_logits(operands: Operands) -> _Outcome:
    """Return (a + b)*t/(1 + t)**2."""
    t = exp_minus(np.abs(operands.prediction))
    denominator = _one_plus(t)
    value = dd.divide(t, dd.multiply(denominator, denominator))
    if operands.pos_weight is None:  # a + b = 1
        value = value._replace(exponent=value.exponent + np.zeros_like(operands.label, dtype=np.int32))
        return _Outcome(value, dd.absolute(value), dd.absolute(value), np.ones(1, dtype=bool))
    a, b = _coefficients(operands)
    scale = dd.multiply_magnitudes(dd.add_magnitudes(a, b), value)
    value = dd.multiply(_total(dd.add(a, b)), value)
    return _Outcome(value, scale, scale, _is_one(operands.pos_weight))


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


def _difference(x: Scaled, y: Scaled) -> _Outcome:
    """Return x - y of the natural terms x and -y."""
    scale = dd.add_magnitudes(x, y)
    return _Outcome(dd.add(x, dd.negative(y)), scale, scale, None)


def _loss_probabilities(operands: Operands) -> _Outcome:
    """Return -a*log P - b*log Q."""
    a, b = _coefficients(operands)
    log_p, log_q = _logarithms(operands)
    return _difference(dd.negative(dd.multiply(a, log_p.value)), dd.multiply(b, log_q.value))


def _gradient_label_probabilities(operands: Operands) -> _Outcome:
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


def _gradient_probabilities(operands: Operands) -> _Outcome:
    """Return b/Q - a/P; without options (p - y)/(p*(1 - p)), whose numerator is exact."""
    if not (operands.pos_weight is None and operands.log_clamp is None and operands.epsilon is None):
        a, b = _reciprocal_terms(operands, 1)
        return _difference(b, a)
    p, q = _argument_p(operands), _argument_q(operands)
    numerator = dd.two_sum(operands.prediction, -operands.label)
    for argument, limit in ((p, 1.0), (q, -1.0)):
        if argument.zero is not None:  # label 0 at p = 0, label 1 at p = 1: the other term remains
            numerator = np.where(argument.zero, limit, numerator[0]), np.where(argument.zero, 0.0, numerator[1])
    p_scaled, q_scaled = dd.normalise(p.high), dd.normalise(q.high, q.low)
    value = dd.divide(dd.normalise(*numerator), dd.multiply(p_scaled, q_scaled))
    a, b = _coefficients(operands)
    scale = dd.add_magnitudes(_divide_magnitude(a, p_scaled), _divide_magnitude(b, q_scaled))
    return _Outcome(value, dd.absolute(value), scale, None)


def _second_derivative_probabilities(operands: Operands) -> _Outcome:
    """Return a/P**2 + b/Q**2."""
    a, b = _reciprocal_terms(operands, 2)
    return _difference(a, dd.negative(b))


_QUANTITIES: dict[tuple[str, str], Callable[[Operands], _Outcome]] = {
    (LOGITS, special.LOSS): _loss_logits,
    (LOGITS, special.GRADIENT_PREDICTION): _gradient_logits,
    (LOGITS, special.GRADIENT_LABEL): _gradient_label_logits,
    (LOGITS, special.SECOND_DERIVATIVE): _second_derivative_logits,
    (PROBABILITIES, special.LOSS): _loss_probabilities,
    (PROBABILITIES, special.GRADIENT_PREDICTION): _gradient_probabilities,
    (PROBABILITIES, special.GRADIENT_LABEL): _gradient_label_probabilities,
    (PROBABILITIES, special.SECOND_DERIVATIVE): _second_derivative_probabilities,
}
