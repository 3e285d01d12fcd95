"""A right binary cross-entropy: float64 by natural terms, rounded once to the dtype of the prediction.

Each method is one step that a miniature can get wrong.
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from conformance.diagnosis.vocabulary import Mechanism
from conformance.quantities import NUMERIC

ALL_REDUCTIONS = ("none", "mean", "sum")
WEIGHTS = ("weight", "pos_weight")


def times(coefficient: Any, term: Any) -> Any:
    """Their product, in which a coefficient 0 annihilates an infinite term; NaN stays NaN."""
    product = coefficient * term
    return np.where((coefficient == 0) & ~np.isnan(term), 0.0, product)


def single(x: Any) -> Any:
    """Rounded to float32, as float64: what a step in float32 gives."""
    return np.asarray(x, np.float64).astype(np.float32).astype(np.float64)


def half(x: Any) -> Any:
    """Rounded to float16, as float64."""
    return np.asarray(x, np.float64).astype(np.float16).astype(np.float64)


def brain(x: Any) -> Any:
    """Rounded to the 8 bits of bfloat16, as float64; its range is that of float64."""
    digits, exponent = np.frexp(np.asarray(x, np.float64))
    return np.where(np.isfinite(x), np.ldexp(np.rint(digits * 256.0) / 256.0, exponent), x)


def total(gradient: Any, like: Any) -> Any:
    """A gradient by something that was broadcast: the sum over the elements that share it."""
    gradient = np.asarray(gradient)
    shape = np.shape(like)
    extra = gradient.ndim - len(shape)
    axes = tuple(axis for axis in range(gradient.ndim) if axis < extra or shape[axis - extra] < gradient.shape[axis])
    return gradient.sum(axis=axes).reshape(shape) if axes else gradient


class Loss:
    """What both forms share; class attributes are what an adapter declares.

    But for `mechanism`, which is what a diagnosis may say of what is wrong: each of them is true.  None where the
    mistake is neither one of the formula nor of the arithmetic.
    """

    mechanism: ClassVar[tuple[Mechanism, ...]] = ()
    form: ClassVar[str]
    dtypes: ClassVar[tuple[str, ...]] = ("float32",)
    options: ClassVar[tuple[str, ...]] = ()
    reductions: ClassVar[tuple[str, ...]] = ("none",)
    parameters: ClassVar[tuple[str, ...]] = ()
    contract: ClassVar[tuple[Any, ...]] = ()
    quantities: ClassVar[tuple[str, ...]] = NUMERIC

    # -- a call ------------------------------------------------------------------------------------------------------

    def call(
        self,
        quantity: str,
        prediction: Any,
        label: Any,
        reduction: str = "none",
        weight: Any = None,
        pos_weight: Any = None,
        **parameters: float,
    ) -> Any:
        """`quantity` in the dtype of the prediction.  Raises ValueError where the shapes do not fit."""
        self.check(prediction, label, weight, pos_weight)
        with np.errstate(all="ignore"):
            x, y = self.widen(prediction), self.label(self.widen(label), **parameters)
            w = np.float64(1) if weight is None else self.widen(weight)
            q = np.float64(1) if pos_weight is None else self.widen(pos_weight)
            result = self.compute(quantity, x, y, w, q, **parameters)
            return self.narrow(self.reduce(quantity, result, reduction, w), prediction)

    def check(self, prediction: Any, label: Any, weight: Any, pos_weight: Any) -> None:
        """The label has the prediction's shape, and no weight enlarges it."""
        if label.shape != prediction.shape:
            raise ValueError(f"label has shape {label.shape}, prediction {prediction.shape}")
        for one in (weight, pos_weight):
            if one is not None and np.broadcast_shapes(one.shape, prediction.shape) != prediction.shape:
                raise ValueError(f"weight has shape {one.shape}, prediction {prediction.shape}")

    def widen(self, array: Any) -> Any:
        """An input as float64, exactly."""
        return array.astype(np.float64)

    def label(self, label: Any, label_smoothing: float = 0.0, **parameters: float) -> Any:
        """The label that the loss sees: smoothed, where that is asked for."""
        return label * (1.0 - label_smoothing) + 0.5 * label_smoothing if label_smoothing else label

    def narrow(self, result: Any, prediction: Any) -> Any:
        """The result, rounded once."""
        return np.asarray(result).astype(prediction.dtype)

    def reduce(self, quantity: str, result: Any, reduction: str, w: Any) -> Any:
        """Mean or sum of a value; gradients of a mean are divided by the number of elements."""
        if reduction == "none":
            return result
        if quantity != "value":
            return result / np.size(result) if reduction == "mean" else result
        return np.mean(result) if reduction == "mean" else np.sum(result)

    def compute(self, quantity: str, x: Any, y: Any, w: Any, q: Any, **parameters: float) -> Any:
        """One quantity of each element."""
        return getattr(self, quantity.replace("-", "_"))(x, y, w, q)

    # -- quantities --------------------------------------------------------------------------------------------------

    def coefficients(self, y: Any, w: Any, q: Any) -> tuple[Any, Any]:
        """What the terms of label 1 and label 0 are multiplied with."""
        return w * q * y, w * (1.0 - y)

    def value(self, x: Any, y: Any, w: Any, q: Any) -> Any:
        """The loss."""
        a, b = self.coefficients(y, w, q)
        positive, negative = self.terms(x)
        return times(a, positive) + times(b, negative)

    def gradient_prediction(self, x: Any, y: Any, w: Any, q: Any) -> Any:
        """Its derivative by the prediction."""
        a, b = self.coefficients(y, w, q)
        positive, negative = self.slopes(x)
        return times(a, positive) + times(b, negative)

    def second_derivative(self, x: Any, y: Any, w: Any, q: Any) -> Any:
        """Its second derivative by the prediction."""
        a, b = self.coefficients(y, w, q)
        positive, negative = self.curvatures(x)
        return times(a, positive) + times(b, negative)

    def gradient_label(self, x: Any, y: Any, w: Any, q: Any) -> Any:
        """Its derivative by the label."""
        positive, negative = self.terms(x)
        return times(w * q, positive) - times(w, negative)

    def gradient_weight(self, x: Any, y: Any, w: Any, q: Any) -> Any:
        """Its derivative by the weight: the loss without it."""
        return total(self.value(x, y, np.float64(1), q), w)

    def gradient_pos_weight(self, x: Any, y: Any, w: Any, q: Any) -> Any:
        """Its derivative by the weight of the positive term: that term."""
        return total(times(w * y, self.terms(x)[0]), q)

    def terms(self, x: Any) -> tuple[Any, Any]:
        """The loss for label 1 and for label 0."""
        raise NotImplementedError

    def slopes(self, x: Any) -> tuple[Any, Any]:
        """The first derivatives of `terms`."""
        raise NotImplementedError

    def curvatures(self, x: Any) -> tuple[Any, Any]:
        """The second derivatives of `terms`."""
        raise NotImplementedError


class Logits(Loss):
    """The prediction is a logit."""

    form = "logits"

    def softplus(self, z: Any) -> Any:
        """log(1 + exp(z)), without overflow and with its tail."""
        return np.maximum(z, 0.0) + np.log1p(np.exp(-np.abs(z)))

    def sigmoid(self, z: Any) -> Any:
        """1 / (1 + exp(-z)), with its tail."""
        e = np.exp(-np.abs(z))
        return np.where(z >= 0, 1.0, e) / (1.0 + e)

    def terms(self, x: Any) -> tuple[Any, Any]:
        return self.softplus(-x), self.softplus(x)

    def slopes(self, x: Any) -> tuple[Any, Any]:
        return -self.sigmoid(-x), self.sigmoid(x)

    def curvatures(self, x: Any) -> tuple[Any, Any]:
        both = self.sigmoid(x) * self.sigmoid(-x)
        return both, both

    def second_derivative(self, x: Any, y: Any, w: Any, q: Any) -> Any:
        """Both terms have the same curvature, so their coefficients are added first."""
        return w * (1.0 + (q - 1.0) * y) * self.curvatures(x)[0]

    def gradient_label(self, x: Any, y: Any, w: Any, q: Any) -> Any:
        """softplus(-z) - softplus(z) is -z, in which the tails cancel."""
        tail = times(q - 1.0, np.log1p(np.exp(-np.abs(x))))
        return times(w, np.where(x >= 0, -x, times(q, -x)) + tail)


class Probabilities(Loss):
    """The prediction is a probability; outside [0, 1] everything is NaN."""

    form = "probabilities"

    def inside(self, p: Any) -> Any:
        """The probability, NaN where it is none."""
        return np.where((p >= 0) & (p <= 1), p, np.nan)

    def log_p(self, p: Any) -> Any:
        """The logarithm of the probability of label 1."""
        return np.log(p)

    def log_q(self, p: Any) -> Any:
        """The logarithm of the probability of label 0."""
        return np.log1p(-p)

    def terms(self, x: Any) -> tuple[Any, Any]:
        p = self.inside(x)
        return -self.log_p(p), -self.log_q(p)

    def slopes(self, x: Any) -> tuple[Any, Any]:
        p = np.abs(self.inside(x))
        return -1.0 / p, 1.0 / (1.0 - p)

    def curvatures(self, x: Any) -> tuple[Any, Any]:
        p = self.inside(x)
        return 1.0 / (p * p), 1.0 / ((1.0 - p) * (1.0 - p))
