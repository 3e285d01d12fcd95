"""Special values: where the result is infinite or NaN, and which; shared by all tiers.

Rules, on the natural terms A and B of a quantity (docs/reference.md has them as a table):

* NaN in any input gives NaN; a probability outside [0, 1] gives NaN.
* A coefficient label, 1 - label or pos_weight of exactly zero annihilates its term, also an infinite one.
* Everything else is extended-real arithmetic: inf - inf and 0*inf are NaN, also weight 0 times an infinite term.

Only the class of each factor matters (zero, finite with a sign, infinite with a sign), so no overflow or underflow of
an intermediate result can disturb the decision: a finite softplus counts as positive even where float64 has no number
small enough for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from reference import labels
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
    from reference.doubledouble import Array, Mask


def irregular(form: str, operands: Operands) -> Mask | None:
    """Return where the result may be infinite or NaN by the rules (a superset), or None if nowhere."""
    masks = [~np.isfinite(x) for x in operands[:4] if x is not None]
    if form == PROBABILITIES:
        masks[0] = ~((operands.prediction > 0.0) & (operands.prediction < 1.0))
    masks = [mask for mask in masks if mask.any()]
    if not masks:
        return None
    result = masks[0]
    for mask in masks[1:]:
        result = result | mask
    return result


def tame(form: str, operands: Operands) -> Operands:
    """Return operands with every NaN, infinity and inadmissible probability replaced by an admissible number.

    Infinite logits become the largest finite ones, which have the same limits wherever the result is finite.
    """
    prediction = operands.prediction
    if form == PROBABILITIES:
        prediction = np.where((prediction >= 0.0) & (prediction <= 1.0), np.abs(prediction), 0.5)
    else:
        largest = np.finfo(np.float64).max
        prediction = np.clip(np.where(np.isnan(prediction), 0.0, prediction), -largest, largest)
    return operands._replace(
        prediction=prediction,
        label=_finite_or(operands.label, 0.5),
        weight=None if operands.weight is None else _finite_or(operands.weight, 1.0),
        pos_weight=None if operands.pos_weight is None else _finite_or(operands.pos_weight, 1.0),
    )


def _finite_or(x: Array, substitute: float) -> Array:
    return np.where(np.isfinite(x), x, substitute)


def _class_of(x: Array) -> Array:
    """Return -inf, -1, 0, 1, inf or NaN: what extended-real arithmetic needs to know of x."""
    return np.where(np.isinf(x), x, np.sign(x))


def _annihilating(coefficient: Array, factor: Array) -> Array:
    """Return coefficient * factor, 0 where the coefficient is 0, whatever the factor."""
    return np.where(coefficient == 0.0, 0.0, coefficient * factor)


def limits(form: str, quantity: str, operands: Operands) -> Array:
    """Return the result where it is infinite or NaN by the rules, and an arbitrary finite number elsewhere."""
    factors = _logit_factors if form == LOGITS else _probability_factors
    positive_factor, negative_factor = factors(quantity, operands)
    positive, negative = _coefficients(quantity, operands)
    if operands.weight is not None and quantity != GRADIENT_WEIGHT:
        weight = _class_of(operands.weight)
        positive_factor, negative_factor = weight * positive_factor, weight * negative_factor
    result: Array = _annihilating(positive, positive_factor) + _annihilating(negative, negative_factor)
    for x in operands[:4]:
        if x is not None:
            result = np.where(np.isnan(x), np.nan, result)
    return result


def _coefficients(quantity: str, operands: Operands) -> tuple[Array, Array]:
    """Return the classes of the coefficients of both factors."""
    one = np.ones_like(operands.prediction)
    pos_weight = one if operands.pos_weight is None else _class_of(operands.pos_weight)
    if quantity == GRADIENT_LABEL:
        slope = 1.0 if operands.label_smoothing is None else np.sign(1.0 - operands.label_smoothing)
        return slope * pos_weight, slope * one
    label, complement = _label_classes(operands)
    if quantity == GRADIENT_POS_WEIGHT:
        return label, 0.0 * one
    return pos_weight * label, complement


def _label_classes(operands: Operands) -> tuple[Array, Array]:
    """Return the classes of label and 1 - label, smoothed; smoothing leaves infinite labels infinite."""
    plain = _class_of(operands.label), _class_of(1.0 - operands.label)
    if operands.label_smoothing is None:
        return plain
    finite = np.isfinite(operands.label)
    smoothed = operands._replace(label=_finite_or(operands.label, 0.5))
    signs = np.sign(labels.label(smoothed).high), np.sign(labels.less_label(np.ones(1), smoothed).high)
    return np.where(finite, signs[0], plain[0]), np.where(finite, signs[1], plain[1])


def _logit_factors(quantity: str, operands: Operands) -> tuple[Array, Array]:
    """Return the classes of the factors of the two coefficients."""
    z = operands.prediction
    below = np.where(z == np.inf, 0.0, np.where(z == -np.inf, np.inf, 1.0))  # softplus(-z)
    above = np.where(z == -np.inf, 0.0, np.where(z == np.inf, np.inf, 1.0))  # softplus(z)
    if quantity in (VALUE, GRADIENT_WEIGHT, GRADIENT_POS_WEIGHT):
        return below, above
    if quantity == GRADIENT_LABEL:
        return below, -above
    sigmoid_minus, sigmoid = np.minimum(below, 1.0), np.minimum(above, 1.0)
    if quantity == GRADIENT_PREDICTION:
        return -sigmoid_minus, sigmoid
    return sigmoid * sigmoid_minus, sigmoid * sigmoid_minus


def _probability_factors(quantity: str, operands: Operands) -> tuple[Array, Array]:
    """Return the same for probabilities."""
    p = np.where((operands.prediction >= 0.0) & (operands.prediction <= 1.0), np.abs(operands.prediction), np.nan)
    epsilon = operands.epsilon or 0.0
    log_p, log_q = np.log(p + epsilon), (np.log1p(-p) if epsilon == 0.0 else np.log((1.0 - p) + epsilon))
    clamp = -np.inf if operands.log_clamp is None else operands.log_clamp
    if quantity not in (GRADIENT_PREDICTION, SECOND_DERIVATIVE):
        log_p, log_q = _class_of(np.maximum(log_p, clamp)), _class_of(np.maximum(log_q, clamp))
        return -log_p, (log_q if quantity == GRADIENT_LABEL else -log_q)
    # 1/p and 1/(1 - p), 0 where the clamp holds: one of them is infinite only where a probability is exactly 0
    of_p, of_q = _class_of(1.0 / _positive(p + epsilon)), _class_of(1.0 / _positive((1.0 - p) + epsilon))
    of_p, of_q = np.where(log_p < clamp, 0.0, of_p), np.where(log_q < clamp, 0.0, of_q)
    if quantity == GRADIENT_PREDICTION:
        return -of_p, of_q
    return of_p, of_q


def _positive(x: Array) -> Array:
    """Return x with every positive number replaced by 1, so that reciprocals of subnormals do not overflow."""
    return np.minimum(np.sign(x), 1.0)
