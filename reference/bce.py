"""Tier 1: binary cross-entropy and its derivatives in double-double, as ``hi + lo`` with a bound of the error.

With a = weight*pos_weight*label and b = weight*(1 - label), L is

* for logits z: a*softplus(-z) + b*softplus(z),
* for probabilities p: -(a*log p + b*log(1 - p)).

Every number carries an exponent of its own (`doubledouble.Scaled`), so no intermediate result overflows or underflows.
The weight is applied last, to the finished sum of the two terms.
Arrays are worked through in chunks that stay in cache.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from reference import doubledouble as dd
from reference import focal, labels, special
from reference.operands import (
    FORMS,
    GRADIENT_LABEL,
    GRADIENT_POS_WEIGHT,
    GRADIENT_PREDICTION,
    GRADIENT_WEIGHT,
    LOGITS,
    SECOND_DERIVATIVE,
    VALUE,
    Operands,
)
from reference.terms import KERNELS

if TYPE_CHECKING:
    from typing import Protocol

    from numpy.typing import ArrayLike

    from reference.doubledouble import Array, Scaled

    class Function(Protocol):
        """What evaluates one quantity."""

        def __call__(
            self,
            form: str,
            prediction: ArrayLike,
            label: ArrayLike,
            weight: ArrayLike | None = None,
            pos_weight: ArrayLike | None = None,
            log_clamp: float | None = None,
            epsilon: float | None = None,
            label_smoothing: float | None = None,
            gamma: float | None = None,
            alpha: float | None = None,
        ) -> Reference:
            """Evaluate it: see `loss`."""


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


def _function(name: str, quantity: str, doc: str) -> Function:
    """Return the function of a quantity, under a name of Python's."""

    def function(
        form: str,
        prediction: ArrayLike,
        label: ArrayLike,
        weight: ArrayLike | None = None,
        pos_weight: ArrayLike | None = None,
        log_clamp: float | None = None,
        epsilon: float | None = None,
        label_smoothing: float | None = None,
        gamma: float | None = None,
        alpha: float | None = None,
    ) -> Reference:
        numbers = log_clamp, epsilon, label_smoothing, gamma, alpha
        return _evaluate(quantity, form, (prediction, label, weight, pos_weight), *numbers)

    function.__name__ = function.__qualname__ = name
    function.__doc__ = doc
    return function


loss = _function(
    "loss",
    VALUE,
    """Return the loss L in nats.

    Args:
        form: what the prediction is, one of FORMS.
        prediction: probabilities p in [0, 1], or logits z.
        label: y; values outside [0, 1] are evaluated by the same formula.
        weight: factor of the loss.
        pos_weight: factor of the label's own term.
        log_clamp: probabilities only; each logarithm is replaced by max(log, log_clamp).
        epsilon: probabilities only; log(p + epsilon) and log(1 - p + epsilon).
        label_smoothing: s in [0, 1]; the label is replaced by y*(1 - s) + s/2, unrounded.
        gamma: an integer from 0 to LARGEST_GAMMA: the focal loss, the loss times (1 - p_t)**gamma, where
            p_t = y*p + (1 - y)*(1 - p) with the smoothed label.
        alpha: in [0, 1], with gamma only: the focal loss times y*alpha + (1 - y)*(1 - alpha), y smoothed.

    Raises:
        ValueError: for an option that the form or the quantity does not have, or that is out of its range.
    """,
)

gradient_prediction = _function(
    "gradient_prediction",
    GRADIENT_PREDICTION,
    "Return dL/dp or dL/dz; arguments as for `loss`. A clamped logarithm has derivative 0.",
)

gradient_label = _function(
    "gradient_label",
    GRADIENT_LABEL,
    "Return dL/dy; arguments as for `loss`, no focal loss. It does not depend on the label, unless that is NaN.",
)

gradient_weight = _function(
    "gradient_weight",
    GRADIENT_WEIGHT,
    "Return dL/dweight, the unweighted loss; arguments as for `loss`. A NaN weight gives NaN.",
)

gradient_pos_weight = _function(
    "gradient_pos_weight",
    GRADIENT_POS_WEIGHT,
    "Return dL/dpos_weight; arguments as for `loss`, no focal loss. A NaN pos_weight gives NaN.",
)

second_derivative = _function(
    "second_derivative",
    SECOND_DERIVATIVE,
    "Return d2L/dp2 or d2L/dz2; arguments as for `loss`, no focal loss. A clamped logarithm has derivative 0.",
)

#: The functions by their quantity.
FUNCTIONS: dict[str, Function] = {
    VALUE: loss,
    GRADIENT_PREDICTION: gradient_prediction,
    GRADIENT_LABEL: gradient_label,
    GRADIENT_WEIGHT: gradient_weight,
    GRADIENT_POS_WEIGHT: gradient_pos_weight,
    SECOND_DERIVATIVE: second_derivative,
}


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


def check_parameters(quantity: str, label_smoothing: float | None, gamma: float | None, alpha: float | None) -> None:
    """Raise ValueError for a parameter outside its range, or one that the quantity does not have."""
    if label_smoothing and not labels.SMALLEST_SMOOTHING <= label_smoothing <= 1.0:
        raise ValueError(f"'label_smoothing' must be 0 or between 2**-500 and 1 (got {label_smoothing!r})")
    if gamma is None:
        if alpha is not None:
            raise ValueError(f"'alpha' exists with 'gamma' only (got alpha {alpha!r} without it)")
        return
    if quantity not in focal.QUANTITIES:
        offered = ", ".join(focal.QUANTITIES)
        raise ValueError(f"{quantity!r} has no focal reference ('gamma' exists for {offered})")
    if gamma not in range(focal.LARGEST_GAMMA + 1):
        raise ValueError(f"'gamma' must be an integer from 0 to {focal.LARGEST_GAMMA} (got {gamma!r})")
    if alpha is not None and not 0.0 <= alpha <= 1.0:
        raise ValueError(f"'alpha' must be between 0 and 1 (got {alpha!r})")


def _evaluate(
    quantity: str,
    form: str,
    arrays: tuple[ArrayLike | None, ...],
    log_clamp: float | None,
    epsilon: float | None,
    label_smoothing: float | None,
    gamma: float | None,
    alpha: float | None,
) -> Reference:
    """Broadcast the inputs and work through them chunk by chunk."""
    check_options(form, log_clamp, epsilon)
    check_parameters(quantity, label_smoothing, gamma, alpha)
    inputs = [None if x is None else np.asarray(x, dtype=np.float64) for x in arrays]
    shape = np.broadcast(*[x for x in inputs if x is not None]).shape
    flat = [None if x is None else _flatten(x, shape) for x in inputs]
    numbers = (
        None if log_clamp is None or log_clamp == -np.inf else float(log_clamp),
        float(epsilon) if epsilon else None,
        float(label_smoothing) if label_smoothing else None,
        None if gamma is None or (gamma == 0 and alpha is None) else int(gamma),
        None if alpha is None else float(alpha),
    )
    size = int(np.prod(shape, dtype=np.int64))
    results = [np.empty(size) for _ in Reference._fields]
    with np.errstate(all="ignore"):
        for start in range(0, size, CHUNK):
            window = slice(start, start + CHUNK)
            parts = [x if x is None or x.size == 1 else x[window] for x in flat]
            operands = Operands(*parts, *numbers)  # type: ignore[arg-type, call-arg]
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
    outcome = (KERNELS if operands.gamma is None else focal.KERNELS)[form, quantity](tame)
    value, error_scale, scale = outcome.value, outcome.error_scale, outcome.scale
    for weight in _factors(quantity, tame):
        value = dd.multiply(value, weight)
        error_scale, scale = dd.multiply_magnitudes(error_scale, weight), dd.multiply_magnitudes(scale, weight)
    hi, lo = dd.to_floats(value)
    bound = dd.to_float(error_scale._replace(high=error_scale.high * relative_bound(operands)))
    bound += SMALLEST * (error_scale.high != 0.0)
    scales = dd.to_float(scale)
    if outcome.plain is not None:
        scales = np.where(outcome.plain, np.abs(hi), scales)
    scales = np.minimum(scales, _LARGEST)
    if mask is not None:
        limits = (special if operands.gamma is None else focal).limits(form, quantity, operands)
        hi = np.where(mask & ~np.isfinite(limits), limits, hi)
    finite = np.isfinite(hi)
    if not finite.all():
        lo, bound = np.where(finite, lo, 0.0), np.where(finite, bound, 0.0)
        scales = np.where(finite, scales, np.abs(hi))
    return hi, lo, bound, scales


def _factors(quantity: str, operands: Operands) -> list[Scaled]:
    """Return what the sum of the terms is multiplied by in the end: the weight, and dy'/dy where y is varied."""
    factors = []
    if operands.weight is not None and quantity != GRADIENT_WEIGHT:
        factors.append(dd.normalise(operands.weight))
    if operands.label_smoothing is not None and quantity == GRADIENT_LABEL:
        factors.append(labels.slope(operands.label_smoothing))
    return factors


def relative_bound(operands: Operands) -> float:
    """Return RELATIVE_BOUND, or what it grows to by smoothed labels and by a focal loss (docs/reference.md counts)."""
    smoothed = 1.0 if operands.label_smoothing is None else 2.0
    return RELATIVE_BOUND * smoothed * (1.0 if operands.gamma is None else 2.0 + operands.gamma)
