"""The focal loss: alpha_t * (1 - p_t)**gamma times the loss, and its derivative by the prediction.

p_t = y*p + (1 - y)*(1 - p) and alpha_t = y*alpha + (1 - y)*(1 - alpha) for soft labels, as Keras
(`keras.losses.BinaryFocalCrossentropy`) and Optax (`optax.losses.sigmoid_focal_loss`) compute them; for labels 0 and 1
those are the definitions of T.-Y. Lin et al., Focal Loss for Dense Object Detection, 2017.
1 - p_t = y*(1 - p) + (1 - y)*p does not cancel for labels in [0, 1].
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from reference import doubledouble as dd
from reference import labels, special
from reference.operands import GRADIENT_PREDICTION, GRADIENT_WEIGHT, LOGITS, PROBABILITIES, VALUE, Operands
from reference.terms import KERNELS as UNFOCUSED
from reference.terms import Outcome, sigmoids

if TYPE_CHECKING:
    from collections.abc import Callable

    from reference.doubledouble import Array, Scaled

#: Powers beyond this are refused: the bound of the error grows with gamma, and nobody uses them.
LARGEST_GAMMA = 8

#: Quantities that have a focal reference.
QUANTITIES = (VALUE, GRADIENT_PREDICTION, GRADIENT_WEIGHT)


def _loss(form: str, operands: Operands) -> Outcome:
    """Return alpha_t * r**gamma * L with r = 1 - p_t."""
    assert operands.gamma is not None
    focus = _product(_alpha(operands), _power(_miss(form, operands), operands.gamma))
    return _product(focus, UNFOCUSED[form, VALUE](operands))


def _gradient(form: str, operands: Operands) -> Outcome:
    """Return alpha_t * r**(gamma - 1) * (gamma * r' * L + r * L')."""
    gamma = operands.gamma
    assert gamma is not None
    miss = _miss(form, operands)
    alpha = _alpha(operands)
    steep = _product(_product(alpha, _power(miss, gamma)), UNFOCUSED[form, GRADIENT_PREDICTION](operands))
    if gamma == 0:
        return steep
    slope = _exact(dd.multiply(_miss_slope(form, operands), dd.normalise(np.full(1, float(gamma)))))
    focus = _product(_product(alpha, _power(miss, gamma - 1)), slope)
    return _sum(_product(focus, UNFOCUSED[form, VALUE](operands)), steep)


def _miss(form: str, operands: Operands) -> Outcome:
    """Return 1 - p_t = y*(1 - p) + (1 - y)*p."""
    p, q = _probabilities(form, operands)
    y, complement = labels.label(operands), labels.less_label(np.ones(1), operands)
    return _sum(_exact(dd.multiply(y, q)), _exact(dd.multiply(complement, p)))


def _miss_slope(form: str, operands: Operands) -> Scaled:
    """Return the derivative of 1 - p_t by the prediction: 1 - 2*y by p, times p*(1 - p) by z."""
    slope = labels.less_twice_label(operands)
    return slope if form == PROBABILITIES else dd.multiply(slope, dd.multiply(*_probabilities(form, operands)))


def _probabilities(form: str, operands: Operands) -> tuple[Scaled, Scaled]:
    """Return p and 1 - p."""
    if form == LOGITS:
        return sigmoids(operands.prediction)
    p = operands.prediction
    return dd.normalise(p), dd.normalise(*dd.two_sum(np.ones(1), -p))


def _alpha(operands: Operands) -> Outcome:
    """Return alpha_t = y*alpha + (1 - y)*(1 - alpha), 1 without alpha."""
    if operands.alpha is None:
        return _exact(dd.normalise(np.ones(1)))
    alpha = np.full(1, operands.alpha)
    y, complement = labels.label(operands), labels.less_label(np.ones(1), operands)
    rest = dd.normalise(*dd.two_sum(np.ones(1), -alpha))
    return _sum(_exact(dd.multiply(y, dd.normalise(alpha))), _exact(dd.multiply(complement, rest)))


def _exact(value: Scaled) -> Outcome:
    """Return a number as an outcome whose magnitude is its own."""
    magnitude = dd.absolute(value)
    return Outcome(value, magnitude, magnitude, None)


def _sum(x: Outcome, y: Outcome) -> Outcome:
    return Outcome(
        dd.renormalise(dd.add(x.value, y.value)),
        dd.add_magnitudes(x.error_scale, y.error_scale),
        dd.add_magnitudes(x.scale, y.scale),
        None,
    )


def _product(x: Outcome, y: Outcome) -> Outcome:
    return Outcome(
        dd.multiply(dd.renormalise(x.value), dd.renormalise(y.value)),
        dd.multiply_magnitudes(x.error_scale, y.error_scale),
        dd.multiply_magnitudes(x.scale, y.scale),
        None,
    )


def _power(x: Outcome, exponent: int) -> Outcome:
    result = _exact(dd.normalise(np.ones(1)))
    for _ in range(exponent):
        result = _product(result, x)
    return result


def limits(form: str, quantity: str, operands: Operands) -> Array:
    """Return the result where it is infinite or NaN by the rules, and an arbitrary finite number elsewhere.

    An alpha_t or a derivative of 1 - p_t of exactly zero annihilates; an infinite label gives NaN. At p = 0 and p = 1
    the pole of the loss' derivative exceeds its logarithm, and at infinite z the derivative of 1 - p_t decays faster
    than the loss grows.
    """
    assert operands.gamma is not None
    tame = special.tame(form, operands)
    alpha, miss = (np.sign(x.value.high) for x in (_alpha(tame), _miss(form, tame)))
    result: Array = miss**operands.gamma * special.limits(form, quantity, operands)
    if quantity == GRADIENT_PREDICTION and operands.gamma > 0:
        slope = np.where(np.isinf(operands.prediction), 0.0, np.sign(_miss_slope(form, tame).high))
        growth = miss ** (operands.gamma - 1) * slope * special.limits(form, VALUE, operands)
        pole = np.isinf(result) & ((operands.prediction == 0.0) | (operands.prediction == 1.0)) & (form != LOGITS)
        result = np.where((slope == 0.0) | pole, result, growth + result)
    result = np.where(alpha == 0.0, 0.0, result)
    undefined = np.isinf(operands.label)
    if form == PROBABILITIES:
        undefined = undefined | ~((operands.prediction >= 0.0) & (operands.prediction <= 1.0))
    for x in operands[:4]:
        if x is not None:
            undefined = undefined | np.isnan(x)
    return np.where(undefined, np.nan, result)


def _bound_to(form: str, function: Callable[[str, Operands], Outcome]) -> Callable[[Operands], Outcome]:
    return lambda operands: function(form, operands)


KERNELS: dict[tuple[str, str], Callable[[Operands], Outcome]] = {
    (form, quantity): _bound_to(form, function)
    for form in (LOGITS, PROBABILITIES)
    for quantity, function in ((VALUE, _loss), (GRADIENT_PREDICTION, _gradient), (GRADIENT_WEIGHT, _loss))
}
