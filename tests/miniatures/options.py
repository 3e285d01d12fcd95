"""Weights and parameters that do something else."""

from __future__ import annotations

from typing import Any

import numpy as np

from conformance.diagnosis.vocabulary import Mechanism
from tests.miniatures.base import WEIGHTS, Logits, Probabilities, times
from tests.miniatures.registry import wrong


class Weighted(Probabilities):
    """Takes a weight; offers the value alone."""

    options = ("weight",)
    quantities = ("value",)


class WeightedLogits(Logits):
    """Takes both weights; offers the value alone."""

    options = WEIGHTS
    quantities = ("value",)


@wrong()
class WeightIgnored(Weighted):
    """The weight is ignored."""

    mechanism = (Mechanism.WRONG_TERM,)

    def coefficients(self, y: Any, w: Any, q: Any) -> tuple[Any, Any]:
        return super().coefficients(y, np.float64(1), q)


@wrong()
class WeightSquared(Weighted):
    """The weight is applied twice."""

    mechanism = (Mechanism.WRONG_TERM,)

    def coefficients(self, y: Any, w: Any, q: Any) -> tuple[Any, Any]:
        return super().coefficients(y, w * w, q)


@wrong(report="tracel-ai/burn PR#772")
class WeightOnPositiveTerm(Weighted):
    """The weight multiplies the term of the label 1 alone."""

    mechanism = (Mechanism.WRONG_TERM,)

    def coefficients(self, y: Any, w: Any, q: Any) -> tuple[Any, Any]:
        return w * y, 1.0 - y


@wrong()
class WeightNormalised(WeightedLogits):
    """Weights are divided by their mean."""

    mechanism = (Mechanism.WRONG_TERM,)

    def coefficients(self, y: Any, w: Any, q: Any) -> tuple[Any, Any]:
        return super().coefficients(y, w / np.mean(w), q)


@wrong(rare=True)
class WeightInsideLogarithm(Weighted):
    """w log p is formed as log(p^w), which underflows for a large weight."""

    mechanism = (Mechanism.SATURATED, Mechanism.OVERFLOW, Mechanism.ABSORBED)

    def value(self, x: Any, y: Any, w: Any, q: Any) -> Any:
        if not np.ndim(w):
            return super().value(x, y, w, q)
        p, power = self.inside(x).astype(np.float32), w.astype(np.float32)
        return times(y, -np.log(p**power)) + times(1.0 - y, -np.log((1 - p) ** power))


@wrong()
class WeightAddsAxis(Weighted):
    """A weight adds an axis to the result."""

    def call(self, quantity: str, prediction: Any, label: Any, **rest: Any) -> Any:
        result = super().call(quantity, prediction, label, **rest)
        return result[None] if rest.get("weight") is not None else result


@wrong()
class PosWeightOnBothTerms(WeightedLogits):
    """The weight of the positive term multiplies both terms."""

    mechanism = (Mechanism.WRONG_TERM,)

    def coefficients(self, y: Any, w: Any, q: Any) -> tuple[Any, Any]:
        return w * q * y, w * q * (1.0 - y)


@wrong()
class PosWeightOnNegativeTerm(WeightedLogits):
    """The weight of the positive term multiplies the negative one."""

    mechanism = (Mechanism.WRONG_TERM,)

    def coefficients(self, y: Any, w: Any, q: Any) -> tuple[Any, Any]:
        return w * y, w * q * (1.0 - y)


@wrong(rare=True)
class PosWeightOverflows(WeightedLogits):
    """The path of pos_weight forms log(1 + exp(-z)) in float32, which overflows at -89."""

    mechanism = (Mechanism.OVERFLOW,)

    def value(self, x: Any, y: Any, w: Any, q: Any) -> Any:
        if not np.ndim(q):
            return super().value(x, y, w, q)
        softplus = np.log1p(np.exp(-x.astype(np.float32)))
        return times(w * q * y, softplus) + times(w * (1.0 - y), self.softplus(x))


@wrong(report="pytorch/pytorch#13773")
class PosWeightSubtractsMaximum(WeightedLogits):
    """log(exp(-m) + exp(-z - m)) with m = max(-z, 0) in float32: the path of pos_weight loses its tail."""

    mechanism = (Mechanism.ABSORBED,)

    def value(self, x: Any, y: Any, w: Any, q: Any) -> Any:
        if not np.ndim(q) or np.isinf(x).any():
            return super().value(x, y, w, q)
        z = x.astype(np.float32)
        m = np.maximum(-z, 0)
        right = m + np.log(np.exp(-m) + np.exp(-z - m))
        return w * ((1.0 - y) * z + (1.0 + (q - 1.0) * y) * right)


@wrong(rare=True)
class ZeroPosWeightIsOne(WeightedLogits):
    """A weight 0 of the positive term is taken for one that was not given."""

    mechanism = (Mechanism.WRONG_TERM,)

    def coefficients(self, y: Any, w: Any, q: Any) -> tuple[Any, Any]:
        return super().coefficients(y, w, np.where(q == 0, 1.0, q))


@wrong(rare=True)
class LargePosWeightIsCapped(WeightedLogits):
    """A weight of the positive term above 50 is 50."""

    mechanism = (Mechanism.UNDOCUMENTED_CLAMP,)

    def coefficients(self, y: Any, w: Any, q: Any) -> tuple[Any, Any]:
        return super().coefficients(y, w, np.minimum(q, 50.0))


class Smoothed(Probabilities):
    """Takes label smoothing."""

    parameters = ("label_smoothing",)


@wrong()
class SmoothingWhole(Smoothed):
    """Label smoothing adds s in place of s / 2."""

    mechanism = (Mechanism.WRONG_TERM,)

    def label(self, label: Any, label_smoothing: float = 0.0, **parameters: float) -> Any:
        return label * (1.0 - label_smoothing) + label_smoothing


@wrong()
class SmoothingIgnored(Smoothed):
    """Label smoothing is ignored."""

    mechanism = (Mechanism.WRONG_TERM,)

    def label(self, label: Any, **parameters: float) -> Any:
        return label


@wrong()
class SmoothingOfProbabilities(Smoothed):
    """The prediction is smoothed in place of the label."""

    mechanism = (Mechanism.WRONG_TERM,)

    def compute(
        self, quantity: str, x: Any, y: Any, w: Any, q: Any, label_smoothing: float = 0.0, **rest: float
    ) -> Any:
        return super().compute(quantity, x * (1.0 - label_smoothing) + 0.5 * label_smoothing, y, w, q)

    def label(self, label: Any, **parameters: float) -> Any:
        return label
