"""Forward-error bounds of the formulas that frameworks print in their documentation.

A result outside the budget but inside such a bound is what the printed formula promises: it is the formula that is
poor, not the kernel.  The bounds are counted operation by operation (Higham, Accuracy and Stability of Numerical
Algorithms, 2nd ed., section 3.1): each rounding costs u times the size of its result, `exp` and `log` cost 4 ULP, that
is at most 8u, as in the suite's budget.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Callable, Dict

import numpy as np

if TYPE_CHECKING:
    from reference.doubledouble import Array, Mask

#: Relative error allowed to exp and log, in units of u: 4 ULP of at most 2u each.
FUNCTION = 8.0


def _log_of_one_plus_exp(x: Array, u: float) -> tuple[Array, Array]:
    """(value, error bound) of log(1 + exp(-|x|)) with the 1 + exp rounded."""
    e = np.exp(-np.abs(x))
    value = np.log1p(e)
    return value, u * (FUNCTION * e / (1 + e) + 1 + FUNCTION * value)


def _is_zero_or_one(z: Array) -> Mask:
    found: Mask = (z == 0) | (z == 1)
    return found


def _is_exact(z: Array) -> Mask:
    """Whether a product with `z` is exact, underflow aside: 0 and powers of two."""
    found: Mask = (z == 0) | (np.abs(np.frexp(z)[0]) == 0.5)
    return found


def sigmoid_cross_entropy(x: Array, z: Array, weight: Array, pos_weight: Array, u: float) -> Array:
    """Bound of max(x, 0) - x z + log(1 + exp(-|x|)) (TensorFlow, `tf.nn.sigmoid_cross_entropy_with_logits`)."""
    product = np.where(_is_exact(z), 0.0, np.abs(x * z))
    linear = np.abs(np.maximum(x, 0) - x * z)
    value, error = _log_of_one_plus_exp(x, u)
    # A difference with 0, or of a number with itself, is exact, too.
    difference = np.where(_is_zero_or_one(z), 0.0, linear)
    return np.abs(weight) * (u * (product + difference) + error + u * (linear + value))


def weighted_cross_entropy(x: Array, z: Array, weight: Array, pos_weight: Array, u: float) -> Array:
    """Bound of (1 - z) x + l (log(1 + exp(-|x|)) + max(-x, 0)), l = 1 + (q - 1) z, q = `pos_weight`.

    TensorFlow, `tf.nn.weighted_cross_entropy_with_logits`.
    """
    hard = _is_zero_or_one(z)
    left = np.abs((1 - z) * x)
    rise = np.abs((pos_weight - 1) * z)
    factor = np.abs(1 + (pos_weight - 1) * z)
    value, error = _log_of_one_plus_exp(x, u)
    right = value + np.maximum(-x, 0)
    product = factor * right
    error_product = right * u * (2 * rise + factor) + factor * (error + u * right) + u * product
    plain = hard & (pos_weight == 1) | (z == 0)
    error_product = np.where(plain, error + u * right, error_product)
    return np.abs(weight) * (np.where(hard, 0.0, 2 * u * left) + error_product + u * (left + product))


Bound = Callable[["Array", "Array", "Array", "Array", float], "Array"]

#: Bounds by the name that a contract's formula field gives: (prediction, label, weight, pos_weight, u) -> bound.
FORMULAS: Dict[str, Bound] = {
    "tf-sigmoid-cross-entropy": sigmoid_cross_entropy,
    "tf-weighted-cross-entropy": weighted_cross_entropy,
}


def forward_error(formula: str, x: Array, z: Array, weight: Array, pos_weight: Array, u: float) -> Array:
    """Absolute error bound of `formula` in an arithmetic of unit roundoff `u`; infinite where it says nothing.

    Raises KeyError for a formula that is not in FORMULAS.
    """
    with np.errstate(all="ignore"):
        bound = FORMULAS[formula](x, z, weight, pos_weight, u)
        # Products of roundings: a sum of fewer than 32 terms grows by at most 1 + 32u.
        return np.where(np.isnan(bound), np.inf, bound * (1 + 32 * u))
