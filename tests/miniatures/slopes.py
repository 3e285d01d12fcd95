"""Derivatives by formulas of their own: other factors, other denominators, other ways to the sigmoid."""

from __future__ import annotations

from typing import Any

import numpy as np

from conformance.diagnosis.vocabulary import Mechanism
from tests.miniatures.base import Logits, Probabilities, half, single
from tests.miniatures.registry import wrong


class SlopeOfLogits(Logits):
    """The value and its derivative by the prediction."""

    quantities = ("value", "gradient-prediction")


class SlopeOfProbabilities(Probabilities):
    """The value and its derivative by the prediction."""

    quantities = ("value", "gradient-prediction")


@wrong(rare=True)
class SlopeByTanh(SlopeOfLogits):
    """(tanh(z/2) + 1) / 2 - y, each step in float32."""

    mechanism = (Mechanism.SATURATED, Mechanism.ABSORBED, Mechanism.CANCELLED)

    def gradient_prediction(self, x: Any, y: Any, w: Any, q: Any) -> Any:
        return single(single(0.5 * single(single(np.tanh(x / 2)) + 1.0)) - y)


@wrong(rare=True)
class SlopeInFloat16(SlopeOfLogits):
    """sigmoid(z) - y with the sigmoid in float16."""

    mechanism = (Mechanism.NARROWER_INTERMEDIATE, Mechanism.SATURATED, Mechanism.CANCELLED)

    def gradient_prediction(self, x: Any, y: Any, w: Any, q: Any) -> Any:
        return half(self.sigmoid(x)) - y


@wrong(rare=True)
class SlopeDoubled(SlopeOfLogits):
    """2 (sigmoid(z) - y)."""

    mechanism = (Mechanism.WRONG_TERM,)

    def gradient_prediction(self, x: Any, y: Any, w: Any, q: Any) -> Any:
        return 2.0 * super().gradient_prediction(x, y, w, q)


@wrong(rare=True)
class SlopeWithoutLabel(SlopeOfLogits):
    """sigmoid(z): the label is forgotten."""

    mechanism = (Mechanism.WRONG_TERM,)

    def gradient_prediction(self, x: Any, y: Any, w: Any, q: Any) -> Any:
        return self.sigmoid(x) + 0.0 * y


@wrong(rare=True)
class SlopeOfSquaredError(SlopeOfLogits):
    """(sigmoid(z) - y) s (1 - s): the chain rule is applied once too often."""

    mechanism = (Mechanism.WRONG_TERM,)

    def gradient_prediction(self, x: Any, y: Any, w: Any, q: Any) -> Any:
        return super().gradient_prediction(x, y, w, q) * self.sigmoid(x) * self.sigmoid(-x)


@wrong(rare=True)
class SlopeOfRoundedLabel(SlopeOfLogits):
    """sigmoid(z) less the nearer hard label."""

    mechanism = (Mechanism.WRONG_TERM,)

    def gradient_prediction(self, x: Any, y: Any, w: Any, q: Any) -> Any:
        return super().gradient_prediction(x, np.rint(y), w, q)


@wrong(rare=True)
class SlopeMasked(SlopeOfLogits):
    """The gradient is 0 beyond a logit of 30, as where the logit is clipped, which the value does not show."""

    mechanism = (Mechanism.DERIVATIVE_OF_BRANCH,)

    def gradient_prediction(self, x: Any, y: Any, w: Any, q: Any) -> Any:
        return np.where(np.abs(x) > 30, 0.0, super().gradient_prediction(x, y, w, q))


@wrong(rare=True)
class SlopeClipped(SlopeOfProbabilities):
    """The gradient is clipped to [-1000, 1000]."""

    mechanism = (Mechanism.UNDOCUMENTED_CLAMP,)

    def gradient_prediction(self, x: Any, y: Any, w: Any, q: Any) -> Any:
        return np.clip(super().gradient_prediction(x, y, w, q), -1000.0, 1000.0)


@wrong(rare=True)
class SlopeWithEpsilon(SlopeOfProbabilities):
    """(p - y) / (p (1 - p) + 1e-6)."""

    mechanism = (Mechanism.WRONG_TERM,)

    def gradient_prediction(self, x: Any, y: Any, w: Any, q: Any) -> Any:
        p = self.inside(x)
        return (p - y) / (p * (1.0 - p) + 1e-6)


@wrong(rare=True)
class SlopeOfSmallestDenominator(SlopeOfProbabilities):
    """(p - y) / max(p (1 - p), 1e-4)."""

    mechanism = (Mechanism.UNDOCUMENTED_CLAMP,)

    def gradient_prediction(self, x: Any, y: Any, w: Any, q: Any) -> Any:
        p = self.inside(x)
        return np.where(p * (1.0 - p) < 1e-4, (p - y) / 1e-4, super().gradient_prediction(x, y, w, q))


@wrong(rare=True)
class SlopeOfPositiveTerm(SlopeOfProbabilities):
    """-y / p: the other term has none."""

    mechanism = (Mechanism.WRONG_TERM,)

    def gradient_prediction(self, x: Any, y: Any, w: Any, q: Any) -> Any:
        return -y / np.abs(self.inside(x))


@wrong(rare=True)
class SlopeOfTheLogit(SlopeOfProbabilities):
    """p - y, which is the derivative by the logit."""

    mechanism = (Mechanism.WRONG_TERM,)

    def gradient_prediction(self, x: Any, y: Any, w: Any, q: Any) -> Any:
        return self.inside(x) - y


@wrong(rare=True)
class SquareSubtracted(Logits):
    """s - s**2 for the second derivative, each step in float32."""

    mechanism = (Mechanism.CANCELLED, Mechanism.SATURATED, Mechanism.ABSORBED)
    quantities = ("value", "second-derivative")

    def second_derivative(self, x: Any, y: Any, w: Any, q: Any) -> Any:
        s = single(self.sigmoid(x))
        return single(s - single(s * s)) + 0.0 * y


@wrong(rare=True)
class CurvatureByDifference(Logits):
    """The second derivative is a difference quotient of the sigmoid over 1/64."""

    mechanism = (Mechanism.WRONG_TERM, Mechanism.CANCELLED)
    quantities = ("value", "second-derivative")

    def second_derivative(self, x: Any, y: Any, w: Any, q: Any) -> Any:
        return 64.0 * (self.sigmoid(x + 1 / 128) - self.sigmoid(x - 1 / 128)) + 0.0 * y


@wrong(rare=True)
class LabelSlopeWithEpsilon(Probabilities):
    """log(1 - p + 1e-6) - log(p + 1e-6) for the derivative by the label."""

    mechanism = (Mechanism.WRONG_TERM,)
    quantities = ("value", "gradient-label")

    def gradient_label(self, x: Any, y: Any, w: Any, q: Any) -> Any:
        p = self.inside(x)
        return np.log1p(1e-6 - p) - np.log(p + 1e-6)
