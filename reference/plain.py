"""Tier 0: the same quantities in plain float64, for sweeps over formats of 24 bits or less.

About 2 ulp of float64 off for labels in [0, 1]; far more near the zero crossings of labels outside.
Arguments are those of the functions of the same name in `reference.bce`; the results are float64 arrays.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from reference import special
from reference.bce import check_options
from reference.operands import (
    GRADIENT_LABEL,
    GRADIENT_PREDICTION,
    LOGITS,
    LOSS,
    PROBABILITIES,
    SECOND_DERIVATIVE,
    Operands,
)

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from reference.doubledouble import Array


def loss(
    form: str,
    prediction: ArrayLike,
    label: ArrayLike,
    weight: ArrayLike | None = None,
    pos_weight: ArrayLike | None = None,
    log_clamp: float | None = None,
    epsilon: float | None = None,
) -> Array:
    """Return the loss L in nats."""
    return _evaluate(form, LOSS, prediction, label, weight, pos_weight, log_clamp, epsilon)


def gradient_prediction(
    form: str,
    prediction: ArrayLike,
    label: ArrayLike,
    weight: ArrayLike | None = None,
    pos_weight: ArrayLike | None = None,
    log_clamp: float | None = None,
    epsilon: float | None = None,
) -> Array:
    """Return dL/dp or dL/dz."""
    return _evaluate(form, GRADIENT_PREDICTION, prediction, label, weight, pos_weight, log_clamp, epsilon)


def gradient_label(
    form: str,
    prediction: ArrayLike,
    label: ArrayLike,
    weight: ArrayLike | None = None,
    pos_weight: ArrayLike | None = None,
    log_clamp: float | None = None,
    epsilon: float | None = None,
) -> Array:
    """Return dL/dy."""
    return _evaluate(form, GRADIENT_LABEL, prediction, label, weight, pos_weight, log_clamp, epsilon)


def second_derivative(
    form: str,
    prediction: ArrayLike,
    label: ArrayLike,
    weight: ArrayLike | None = None,
    pos_weight: ArrayLike | None = None,
    log_clamp: float | None = None,
    epsilon: float | None = None,
) -> Array:
    """Return d2L/dp2 or d2L/dz2."""
    return _evaluate(form, SECOND_DERIVATIVE, prediction, label, weight, pos_weight, log_clamp, epsilon)


def _evaluate(
    form: str,
    quantity: str,
    prediction: ArrayLike,
    label: ArrayLike,
    weight: ArrayLike | None,
    pos_weight: ArrayLike | None,
    log_clamp: float | None,
    epsilon: float | None,
) -> Array:
    check_options(form, log_clamp, epsilon)
    operands = Operands(
        prediction=np.asarray(prediction, dtype=np.float64),
        label=np.asarray(label, dtype=np.float64),
        weight=None if weight is None else np.asarray(weight, dtype=np.float64),
        pos_weight=None if pos_weight is None else np.asarray(pos_weight, dtype=np.float64),
        log_clamp=None if log_clamp is None or log_clamp == -np.inf else float(log_clamp),
        epsilon=float(epsilon) if epsilon else None,
    )
    shape = np.broadcast(*[x for x in operands[:4] if x is not None]).shape
    with np.errstate(all="ignore"):
        mask = special.irregular(form, operands)
        tame = operands if mask is None else special.tame(form, operands)
        result = _QUANTITIES[form, quantity](tame)
        if tame.weight is not None:
            result = result * tame.weight
        if mask is not None:
            limits = special.limits(form, quantity, operands)
            result = np.where(mask & ~np.isfinite(limits), limits, result)
    return np.broadcast_to(result, shape).copy()


def _coefficients(operands: Operands) -> tuple[Array, Array]:
    a = operands.label if operands.pos_weight is None else operands.pos_weight * operands.label
    return a, 1.0 - operands.label


def _loss_logits(operands: Operands) -> Array:
    z = operands.prediction
    x = np.abs(z)
    a, b = _coefficients(operands)
    soft = np.log1p(np.exp(-x))
    if operands.pos_weight is not None:
        soft = (a + b) * soft
    result: Array = np.where(z >= 0.0, b, a) * x + soft
    return result


def _gradient_logits(operands: Operands) -> Array:
    z = operands.prediction
    a, b = _coefficients(operands)
    t = np.exp(-np.abs(z))
    result: Array = np.where(z >= 0.0, b - a * t, b * t - a) / (1.0 + t)
    return result


def _gradient_label_logits(operands: Operands) -> Array:
    z = operands.prediction
    if operands.pos_weight is None:
        return -z
    x = np.abs(z)
    soft = (operands.pos_weight - 1.0) * np.log1p(np.exp(-x))
    result: Array = np.where(z >= 0.0, -1.0, operands.pos_weight) * x + soft
    return result


def _second_derivative_logits(operands: Operands) -> Array:
    t = np.exp(-np.abs(operands.prediction))
    result: Array = t / ((1.0 + t) * (1.0 + t))
    if operands.pos_weight is not None:
        a, b = _coefficients(operands)
        result = (a + b) * result
    return result


def _logarithms(operands: Operands) -> tuple[Array, Array]:
    """Return log P and log Q, infinities replaced by 0: either annihilated or decided by `special.limits`."""
    p = operands.prediction
    if operands.epsilon is None:
        logs = np.log(p), np.log1p(-p)
    else:
        q = (1.0 - p) + operands.epsilon
        log_q = np.where(p <= 0.5, np.log1p(np.maximum(operands.epsilon - p, -0.75)), np.log(q))
        logs = np.log(p + operands.epsilon), log_q
    if operands.log_clamp is not None:
        return np.maximum(logs[0], operands.log_clamp), np.maximum(logs[1], operands.log_clamp)
    return np.where(np.isinf(logs[0]), 0.0, logs[0]), np.where(np.isinf(logs[1]), 0.0, logs[1])


def _loss_probabilities(operands: Operands) -> Array:
    a, b = _coefficients(operands)
    log_p, log_q = _logarithms(operands)
    return -(a * log_p + b * log_q)


def _gradient_label_probabilities(operands: Operands) -> Array:
    log_p, log_q = _logarithms(operands)
    return log_q - (log_p if operands.pos_weight is None else operands.pos_weight * log_p)


def _reciprocal_terms(operands: Operands, power: int) -> tuple[Array, Array]:
    """Return a/P**power and b/Q**power, 0 where clamped and where the coefficient is 0."""
    a, b = _coefficients(operands)
    epsilon = operands.epsilon or 0.0
    p, q = operands.prediction + epsilon, (1.0 - operands.prediction) + epsilon
    of_p, of_q = np.where(p == 0.0, 0.0, a / p), np.where(q == 0.0, 0.0, b / q)
    if power == 2:
        of_p, of_q = np.where(p == 0.0, 0.0, of_p / p), np.where(q == 0.0, 0.0, of_q / q)
    if operands.log_clamp is not None:
        of_p = np.where(np.log(p) < operands.log_clamp, 0.0, of_p)
        of_q = np.where(np.log(q) < operands.log_clamp, 0.0, of_q)
    return of_p, of_q


def _gradient_probabilities(operands: Operands) -> Array:
    of_p, of_q = _reciprocal_terms(operands, 1)
    return of_q - of_p


def _second_derivative_probabilities(operands: Operands) -> Array:
    of_p, of_q = _reciprocal_terms(operands, 2)
    return of_p + of_q


_QUANTITIES: dict[tuple[str, str], Callable[[Operands], Array]] = {
    (LOGITS, LOSS): _loss_logits,
    (LOGITS, GRADIENT_PREDICTION): _gradient_logits,
    (LOGITS, GRADIENT_LABEL): _gradient_label_logits,
    (LOGITS, SECOND_DERIVATIVE): _second_derivative_logits,
    (PROBABILITIES, LOSS): _loss_probabilities,
    (PROBABILITIES, GRADIENT_PREDICTION): _gradient_probabilities,
    (PROBABILITIES, GRADIENT_LABEL): _gradient_label_probabilities,
    (PROBABILITIES, SECOND_DERIVATIVE): _second_derivative_probabilities,
}
