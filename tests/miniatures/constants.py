"""Bounds and epsilons that nobody documents, with numbers of their own."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from conformance.diagnosis.vocabulary import Mechanism
from tests.miniatures.base import Logits, Probabilities
from tests.miniatures.registry import wrong


class ConstantOfLogits(Logits):
    """Only the value is offered."""

    quantities = ("value",)


class ConstantOfProbabilities(Probabilities):
    """Only the value is offered."""

    quantities = ("value",)


class Added(ConstantOfProbabilities):
    """An epsilon is added inside both logarithms."""

    epsilon: ClassVar[float]

    def log_p(self, p: Any) -> Any:
        return np.log(p + self.epsilon)

    def log_q(self, p: Any) -> Any:
        return np.log1p(self.epsilon - p)


@wrong()
class MillionthAdded(Added):
    """1e-6 is added inside both logarithms."""

    mechanism = (Mechanism.WRONG_TERM,)
    epsilon = 1e-6


@wrong()
class TrillionthAdded(Added):
    """1e-12 is added inside both logarithms."""

    mechanism = (Mechanism.WRONG_TERM,)
    epsilon = 1e-12


@wrong()
class ThousandthAdded(Added):
    """1e-3 is added inside both logarithms."""

    mechanism = (Mechanism.WRONG_TERM,)
    epsilon = 1e-3


@wrong()
class ClipsAtThousandth(ConstantOfProbabilities):
    """The prediction is clipped to [0.001, 0.999]."""

    mechanism = (Mechanism.UNDOCUMENTED_CLAMP,)

    def inside(self, p: Any) -> Any:
        return np.clip(p, 1e-3, 1 - 1e-3)


@wrong()
class ClipsNextToZero(ConstantOfProbabilities):
    """The prediction is clipped to [1e-15, 1 - 1e-15] in float64."""

    mechanism = (Mechanism.UNDOCUMENTED_CLAMP,)

    def inside(self, p: Any) -> Any:
        return np.clip(p, 1e-15, 1 - 1e-15)


@wrong()
class FloorOfProbability(ConstantOfProbabilities):
    """The logarithm of p is that of 1e-6 below 1e-6."""

    mechanism = (Mechanism.UNDOCUMENTED_CLAMP,)

    def log_p(self, p: Any) -> Any:
        return np.log(np.maximum(p, 1e-6))


@wrong(rare=True)
class SmallestForZero(ConstantOfProbabilities):
    """The logarithm of 0 is that of the smallest normal number."""

    mechanism = (Mechanism.UNDOCUMENTED_CLAMP,)

    def log_p(self, p: Any) -> Any:
        return np.log(np.maximum(p, np.finfo(np.float32).tiny))


@wrong()
class LogarithmsAtLeastThirty(ConstantOfProbabilities):
    """Logarithms are at least -30."""

    mechanism = (Mechanism.UNDOCUMENTED_CLAMP,)

    def log_p(self, p: Any) -> Any:
        return np.maximum(np.log(p), -30.0)

    def log_q(self, p: Any) -> Any:
        return np.maximum(np.log1p(-p), -30.0)


@wrong()
class Squeezed(ConstantOfProbabilities):
    """[0, 1] is squeezed to [1e-6, 1 - 1e-6]."""

    mechanism = (Mechanism.WRONG_TERM,)

    def inside(self, p: Any) -> Any:
        return super().inside(p) * (1 - 2e-6) + 1e-6


@wrong()
class LogitsWithinThirty(ConstantOfLogits):
    """The logit is clipped to [-30, 30]."""

    mechanism = (Mechanism.UNDOCUMENTED_CLAMP,)

    def terms(self, x: Any) -> tuple[Any, Any]:
        return super().terms(np.clip(x, -30.0, 30.0))


@wrong()
class LogitsAboveMinusFifty(ConstantOfLogits):
    """The logit is at least -50."""

    mechanism = (Mechanism.UNDOCUMENTED_CLAMP,)

    def terms(self, x: Any) -> tuple[Any, Any]:
        return super().terms(np.maximum(x, -50.0))


@wrong()
class ThresholdTen(ConstantOfLogits):
    """Softplus is its argument beyond 10."""

    mechanism = (Mechanism.WRONG_TERM,)

    def softplus(self, z: Any) -> Any:
        return np.where(z > 10, z, super().softplus(z))


@wrong(rare=True)
class ThresholdTwenty(ConstantOfLogits):
    """Softplus is its argument from 20 on, which float64 notices."""

    mechanism = (Mechanism.WRONG_TERM,)
    dtypes = ("float64",)

    def softplus(self, z: Any) -> Any:
        return np.where(z >= 20, z, super().softplus(z))


@wrong()
class ZeroBelowFifteen(ConstantOfLogits):
    """Softplus is 0 below -15."""

    mechanism = (Mechanism.WRONG_TERM,)

    def softplus(self, z: Any) -> Any:
        return np.where(z < -15, 0.0, super().softplus(z))


@wrong()
class AddedToTheLoss(ConstantOfLogits):
    """1e-7 is added to the loss."""

    mechanism = (Mechanism.WRONG_TERM,)

    def value(self, x: Any, y: Any, w: Any, q: Any) -> Any:
        return super().value(x, y, w, q) + 1e-7


@wrong()
class FloorOfTheLoss(ConstantOfLogits):
    """The loss is at least 1e-7."""

    mechanism = (Mechanism.UNDOCUMENTED_CLAMP,)

    def value(self, x: Any, y: Any, w: Any, q: Any) -> Any:
        return np.maximum(super().value(x, y, w, q), 1e-7)


@wrong(rare=True)
class SaturatingCast(ConstantOfLogits):
    """A loss beyond 65504 is 65504, as after a cast to float16 and back that saturates."""

    mechanism = (Mechanism.UNDOCUMENTED_CLAMP,)

    def value(self, x: Any, y: Any, w: Any, q: Any) -> Any:
        return np.clip(super().value(x, y, w, q), -65504.0, 65504.0)
