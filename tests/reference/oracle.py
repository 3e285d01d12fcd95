"""Exact values of binary cross-entropy by interval arithmetic (Arb, through python-flint).

Written from the definitions and independent of `reference`: softplus, sigmoid and logarithms of balls that contain the
exact value. The oracle looks at the accuracy of every ball it computes and repeats at twice the precision until that is
enough: at any fixed precision some inputs cancel completely (320 bits do at z = 1e-97, y = 0.5).
Results that are exactly zero cannot be reached that way and are recognised from the inputs.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import flint
from flint import arb, fmpq

#: Relative accuracy demanded of every value, in bits: 53 of hi, 53 of lo, 44 to see the error of both.
ACCURACY = 150

_FIRST_PRECISION = 256
_LAST_PRECISION = 1 << 15

SMALLEST_EXPONENT, LARGEST_EXPONENT = -1022, 1023


class Unreachable(ArithmeticError):
    """The demanded accuracy was not reached at the last precision."""


def exact(
    form: str,
    quantity: str,
    prediction: float,
    label: float,
    weight: float | None = None,
    pos_weight: float | None = None,
    log_clamp: float | None = None,
    epsilon: float | None = None,
    label_smoothing: float | None = None,
    gamma: int | None = None,
    alpha: float | None = None,
) -> arb:
    """Return a ball around the exact value of a quantity, for finite inputs where it is finite.

    Its relative accuracy is at least ACCURACY bits, or its radius is zero.
    """
    y, p, e = _smoothed(label, label_smoothing), _rational(prediction), _rational(epsilon, 0)
    w = fmpq(1) if quantity == "gradient-weight" else _rational(weight, 1)

    def plain(quantity: str) -> arb:
        positive, negative = _coefficients(quantity, y, pos_weight, label_smoothing)
        if form == "logits":
            terms = _logit_terms(_like(quantity), p, positive, negative)
        else:
            terms = _probability_terms(_like(quantity), p, positive, negative, log_clamp, e)
        return terms[0] + terms[1]

    def focal() -> arb:
        miss, slope = _miss(form, p, y)
        if quantity != "gradient-prediction":
            return miss**gamma * plain("value")
        steep = miss**gamma * plain(quantity)
        return steep if gamma == 0 or y == fmpq(1, 2) else steep + gamma * miss ** (gamma - 1) * slope * plain("value")

    if gamma is None:
        return accurate(lambda: _times(w, plain(quantity)))
    return accurate(lambda: _times(w * _alpha(y, alpha), focal()))


def _like(quantity: str) -> str:
    """Return the quantity whose factors a quantity has; its coefficients are its own."""
    return "value" if quantity in ("gradient-weight", "gradient-pos_weight") else quantity


def _smoothed(label: float, smoothing: float | None) -> fmpq:
    s = _rational(smoothing, 0)
    return _rational(label) * (1 - s) + s / 2


def _alpha(y: fmpq, alpha: float | None) -> fmpq:
    return fmpq(1) if alpha is None else y * _rational(alpha) + (1 - y) * (1 - _rational(alpha))


def _miss(form: str, x: fmpq, y: fmpq) -> tuple[arb, arb]:
    """Return 1 - p_t and its derivative by the prediction."""
    if form == "probabilities":
        return _ball(y * (1 - x) + (1 - y) * x), _ball(1 - 2 * y)
    slope = _times(1 - 2 * y, _sigmoid(x) * _sigmoid(-x))
    if x == 0:
        return arb(0.5), slope
    return _times(y, _sigmoid(-x)) + _times(1 - y, _sigmoid(x)), slope


def accurate(value: Callable[[], arb]) -> arb:
    """Return value() at the first precision at which it has ACCURACY bits."""
    precision = _FIRST_PRECISION
    while precision <= _LAST_PRECISION:
        flint.ctx.prec = precision
        ball = value()
        if ball.is_exact() or ball.rel_accuracy_bits() >= ACCURACY:
            return ball
        precision *= 2
    raise Unreachable(f"{ball} has {ball.rel_accuracy_bits()} bits at precision {_LAST_PRECISION}")


def _coefficients(quantity: str, y: fmpq, pos_weight: float | None, label_smoothing: float | None) -> tuple[fmpq, fmpq]:
    """Return the coefficients of the two terms without the weight, for a label that is already smoothed."""
    if quantity == "gradient-label":
        slope = 1 - _rational(label_smoothing, 0)
        return slope * _rational(pos_weight, 1), slope
    if quantity == "gradient-pos_weight":
        return y, fmpq(0)
    return _rational(pos_weight, 1) * y, 1 - y


def _rational(x: float | None, default: int | None = None) -> fmpq:
    if x is None:
        assert default is not None
        return fmpq(default)
    return fmpq(*float(x).as_integer_ratio())


def _ball(q: fmpq) -> arb:
    """Return a rational whose denominator is a power of two exactly where the precision allows."""
    return arb(q)


def _times(q: fmpq, x: arb) -> arb:
    """Return q * x, an exact zero if q is zero."""
    return arb(0) if q == 0 else _ball(q) * x


def _softplus(z: fmpq) -> arb:
    return _ball(z) + _softplus(-z) if z > 0 else _ball(z).exp().log1p()


def _sigmoid(z: fmpq) -> arb:
    if z >= 0:
        return 1 / (1 + (-_ball(z)).exp())
    t = _ball(z).exp()
    return t / (1 + t)


def _logit_terms(quantity: str, z: fmpq, positive: fmpq, negative: fmpq) -> tuple[arb, arb]:
    """Return the two natural terms, joined into one where they are multiples of each other (z = 0) or of z."""
    if quantity == "value":
        if z == 0:
            return _times(positive + negative, _softplus(z)), arb(0)
        return _times(positive, _softplus(-z)), _times(negative, _softplus(z))
    if quantity == "gradient-label":
        if positive == negative:
            return _ball(-positive * z), arb(0)
        return _times(positive, _softplus(-z)), -_times(negative, _softplus(z))
    if quantity == "gradient-prediction":
        if z == 0:
            return _ball((negative - positive) / 2), arb(0)
        return _times(negative, _sigmoid(z)), -_times(positive, _sigmoid(-z))
    return _times(positive + negative, _sigmoid(z) * _sigmoid(-z)), arb(0)


def _probability_terms(
    quantity: str, p: fmpq, positive: fmpq, negative: fmpq, log_clamp: float | None, epsilon: fmpq
) -> tuple[arb, arb]:
    """Return the two natural terms; rational ones are added exactly."""
    of_p, of_q = p + epsilon, 1 - p + epsilon
    p_clamped, q_clamped = _is_clamped(of_p, log_clamp), _is_clamped(of_q, log_clamp)
    if quantity in ("value", "gradient-label"):
        sign = 1 if quantity == "value" else -1
        if of_p == of_q:
            return _times(-positive - sign * negative, _log(of_p, p_clamped, log_clamp)), arb(0)
        a = arb(0) if positive == 0 else _times(-positive, _log(of_p, p_clamped, log_clamp))
        b = arb(0) if negative == 0 else _times(-sign * negative, _log(of_q, q_clamped, log_clamp))
        return a, b
    power = 1 if quantity == "gradient-prediction" else 2
    sign = -1 if quantity == "gradient-prediction" else 1
    a = fmpq(0) if positive == 0 or p_clamped else sign * positive / of_p**power
    b = fmpq(0) if negative == 0 or q_clamped else negative / of_q**power
    return _ball(a + b), arb(0)


def _is_clamped(x: fmpq, log_clamp: float | None) -> bool:
    if log_clamp is None:
        return False
    return bool(x == 0 or _ball(x).log() < arb(log_clamp))


def _log(x: fmpq, clamped: bool, log_clamp: float | None) -> arb:
    return arb(log_clamp) if clamped else _ball(x).log()


def natural_scale(
    form: str,
    quantity: str,
    prediction: float,
    label: float,
    weight: float | None = None,
    pos_weight: float | None = None,
    log_clamp: float | None = None,
    epsilon: float | None = None,
    label_smoothing: float | None = None,
    gamma: int | None = None,
    alpha: float | None = None,
) -> arb:
    """Return abs(A) + abs(B) of the natural terms (or abs of the value where that is the scale)."""
    y, z, e = _smoothed(label, label_smoothing), _rational(prediction), _rational(epsilon, 0)
    w = fmpq(1) if quantity == "gradient-weight" else _rational(weight, 1)
    if gamma is not None:
        options = prediction, label, None, pos_weight, log_clamp, epsilon, label_smoothing
        balance = abs(_alpha(y, alpha))
        if alpha is not None:
            balance = abs(y * _rational(alpha)) + abs((1 - y) * (1 - _rational(alpha)))
        loss = natural_scale(form, "value", *options)
        steep = natural_scale(form, "gradient-prediction", *options)
        flint.ctx.prec = _FIRST_PRECISION
        p, q = (_sigmoid(z), _sigmoid(-z)) if form == "logits" else (_ball(z), _ball(1 - z))
        miss = _ball(abs(y)) * q + _ball(abs(1 - y)) * p
        slope = abs(_ball(1 - 2 * y)) * (p * q if form == "logits" else 1)
        if quantity != "gradient-prediction":
            return _ball(abs(w) * balance) * miss**gamma * loss
        flat = gamma * miss ** (gamma - 1) * slope * loss if gamma else arb(0)
        return _ball(abs(w) * balance) * (flat + miss**gamma * steep)
    if form == "logits" and quantity in ("gradient-label", "second-derivative") and pos_weight in (None, 1.0):
        return abs(exact(form, quantity, prediction, label, weight, pos_weight, label_smoothing=label_smoothing))
    positive, negative = _coefficients(quantity, y, pos_weight, label_smoothing)
    quantity = _like(quantity)
    functions = {
        "value": (lambda: _softplus(-z), lambda: _softplus(z)),
        "gradient-label": (lambda: _softplus(-z), lambda: _softplus(z)),
        "gradient-prediction": (lambda: _sigmoid(-z), lambda: _sigmoid(z)),
        "second-derivative": (lambda: _sigmoid(z) * _sigmoid(-z),) * 2,
    }[quantity]
    if form == "probabilities":
        functions = (
            lambda: _probability_factor(quantity, z + e, log_clamp),
            lambda: _probability_factor(quantity, 1 - z + e, log_clamp),
        )
    terms = [
        accurate(lambda c=c, f=f: _times(c, f())) if c != 0 else arb(0)
        for c, f in zip((positive, negative), functions, strict=True)
    ]
    return abs(_ball(w)) * (abs(terms[0]) + abs(terms[1]))


def _probability_factor(quantity: str, x: fmpq, log_clamp: float | None) -> arb:
    clamped = _is_clamped(x, log_clamp)
    if quantity in ("value", "gradient-label"):
        return arb(0) if x == 0 and not clamped else _log(x, clamped, log_clamp)
    return arb(0) if clamped or x == 0 else _ball(1 / x ** (1 if quantity == "gradient-prediction" else 2))


def unit_exponent(value: arb) -> int:
    """Return e where 2**e is one ulp of float64 at the exact, unrounded value (not zero)."""
    mantissa, exponent = value.mid().man_exp()
    magnitude = abs(int(mantissa)).bit_length() - 1 + int(exponent)
    return min(max(magnitude, SMALLEST_EXPONENT), LARGEST_EXPONENT) - 52


def scaled_float(value: arb, exponent: int) -> float:
    """Return value * 2**exponent as a float64."""
    return float((value * arb(2) ** exponent).mid())


def ulp_error(got: float, value: arb) -> float:
    """Return abs(got - value) in ulp of float64 at the exact value; infinities count as 2**1024."""
    if value == 0:
        return 0.0 if got == 0 else math.inf
    flint.ctx.prec = _FIRST_PRECISION
    if math.isinf(got):
        if abs(value) >= arb(2) ** 1024 - arb(2) ** 970 and (value > 0) == (got > 0):
            return 0.0
        placed = math.copysign(1.0, got) * arb(2) ** (LARGEST_EXPONENT + 1)
    else:
        placed = arb(got)
    return abs(scaled_float(placed - value, -unit_exponent(value)))
