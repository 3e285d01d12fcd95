"""Wrong derivatives of right values."""

from __future__ import annotations

from typing import Any

import numpy as np

from conformance.diagnosis.vocabulary import Mechanism
from tests.miniatures.base import ALL_REDUCTIONS, WEIGHTS, Logits, Probabilities, times, total
from tests.miniatures.registry import wrong


@wrong(rare=True, report="pytorch/pytorch#2298")
class ZeroAtTheKink(Logits):
    """max and abs are differentiated: at the logit 0 the gradient is -y in place of 1/2 - y."""

    mechanism = (Mechanism.DERIVATIVE_OF_BRANCH,)

    def gradient_prediction(self, x: Any, y: Any, w: Any, q: Any) -> Any:
        return super().gradient_prediction(x, y, w, q) - 0.5 * (x == 0)


@wrong(rare=True, report="keras-team/keras#9664")
class ZeroWhereClipped(Probabilities):
    """The gradient is 0 below 1e-7 and above 1 - 1e-7, though the value is not clipped."""

    mechanism = (Mechanism.DERIVATIVE_OF_BRANCH, Mechanism.MISSING_CHECK)

    def gradient_prediction(self, x: Any, y: Any, w: Any, q: Any) -> Any:
        return np.where((x < 1e-7) | (x > 1 - 1e-7), 0.0, super().gradient_prediction(x, y, w, q))


@wrong(rare=True)
class SignAtLabelOne(Logits):
    """For the label 1 the gradient has the wrong sign."""

    mechanism = (Mechanism.WRONG_TERM,)

    def gradient_prediction(self, x: Any, y: Any, w: Any, q: Any) -> Any:
        return super().gradient_prediction(x, y, w, q) * np.where(y == 1, -1.0, 1.0)


@wrong(rare=True, report="pytorch/pytorch#195529")
class SigmoidMinusLabel(Logits):
    """sigmoid(z) - y in float32, which loses the gradient of a confident right logit for the label 1."""

    mechanism = (Mechanism.SATURATED,)

    def gradient_prediction(self, x: Any, y: Any, w: Any, q: Any) -> Any:
        return self.sigmoid(x).astype(np.float32) - y.astype(np.float32)


@wrong(rare=True)
class ExpOverExp(Logits):
    """exp(z) / (1 + exp(z)) in float32: NaN from z = 89 on."""

    mechanism = (Mechanism.ZERO_TIMES_INFINITY, Mechanism.OVERFLOW)

    def slopes(self, x: Any) -> tuple[Any, Any]:
        e = np.exp(x.astype(np.float32))
        return -1 / (1 + e), e / (1 + e)


@wrong(rare=True)
class MeanGradientUndivided(Probabilities):
    """The gradient of a mean is that of a sum."""

    reductions = ALL_REDUCTIONS

    def reduce(self, quantity: str, result: Any, reduction: str, w: Any) -> Any:
        return super().reduce(quantity, result, reduction if quantity == "value" else "none", w)


@wrong(rare=True)
class SumGradientDivided(Probabilities):
    """The gradient of a sum is that of a mean."""

    reductions = ALL_REDUCTIONS

    def reduce(self, quantity: str, result: Any, reduction: str, w: Any) -> Any:
        divided = quantity != "value" and reduction != "none"
        return super().reduce(quantity, result, "mean" if divided else reduction, w)


@wrong(rare=True, report="pytorch/pytorch#59477")
class GradientOfSumIsSummed(Logits):
    """Derivatives of a reduced loss are summed to one number."""

    reductions = ALL_REDUCTIONS

    def reduce(self, quantity: str, result: Any, reduction: str, w: Any) -> Any:
        reduced = super().reduce(quantity, result, reduction, w)
        return reduced if quantity == "value" or reduction == "none" else np.sum(reduced)


@wrong(rare=True)
class LabelDetached(Probabilities):
    """The gradient by the label is 0, as where it is cut off."""

    mechanism = (Mechanism.WRONG_TERM, Mechanism.MISSING_CHECK)

    def gradient_label(self, x: Any, y: Any, w: Any, q: Any) -> Any:
        return np.zeros_like(x)


@wrong(rare=True)
class LabelGradientOfClippedLogit(Logits):
    """The gradient by the label is the logit of a clipped probability, so at most 16."""

    mechanism = (Mechanism.UNDOCUMENTED_CLAMP,)

    def gradient_label(self, x: Any, y: Any, w: Any, q: Any) -> Any:
        return np.clip(super().gradient_label(x, y, w, q), -16.1, 16.1)


@wrong(rare=True)
class LabelGradientAsDifference(Logits):
    """softplus(-z) - softplus(z) is formed as a difference, which loses small logits."""

    mechanism = (Mechanism.CANCELLED, Mechanism.ABSORBED)

    def gradient_label(self, x: Any, y: Any, w: Any, q: Any) -> Any:
        return self.softplus(-x) - self.softplus(x)


@wrong(rare=True)
class PosWeightGradientOfOther(Logits):
    """The gradient by pos_weight is the other term, that of the label 0."""

    mechanism = (Mechanism.WRONG_TERM,)
    options = WEIGHTS

    def gradient_pos_weight(self, x: Any, y: Any, w: Any, q: Any) -> Any:
        return total(times(w * (1.0 - y), self.terms(x)[1]), q)


@wrong(rare=True)
class WeightGradientWeighted(Logits):
    """The gradient by the weight is the weighted loss."""

    mechanism = (Mechanism.WRONG_TERM,)
    options = WEIGHTS

    def gradient_weight(self, x: Any, y: Any, w: Any, q: Any) -> Any:
        return self.value(x, y, w, q)


@wrong(rare=True)
class OneMinusSigmoid(Logits):
    """s (1 - s) for the second derivative, in float32: on one side the tail is lost."""

    mechanism = (Mechanism.SATURATED,)

    def curvatures(self, x: Any) -> tuple[Any, Any]:
        s = self.sigmoid(x).astype(np.float32)
        return s * (1 - s), s * (1 - s)


@wrong(rare=True)
class HoleInTheCurvature(Logits):
    """The second derivative has a relative error of 2e-5 where |z| is 17.9 to 18.1, as at the end of a table."""

    mechanism = (Mechanism.WRONG_TERM,)

    def second_derivative(self, x: Any, y: Any, w: Any, q: Any) -> Any:
        return super().second_derivative(x, y, w, q) * np.where(np.abs(np.abs(x) - 18) < 0.1, 1 + 2e-5, 1.0)


@wrong(rare=True)
class CurvatureOfTheFloor(Probabilities):
    """1 / (p (1 - p)) for the second derivative, which holds at p = y only."""

    mechanism = (Mechanism.WRONG_TERM,)

    def second_derivative(self, x: Any, y: Any, w: Any, q: Any) -> Any:
        p = self.inside(x)
        return 1.0 / (p * (1.0 - p))


@wrong(rare=True, report="pytorch/pytorch#103316")
class ClampedDenominator(Probabilities):
    """(p - y) / max(p (1 - p), 1e-12): the gradient at a certain wrong prediction is finite."""

    mechanism = (Mechanism.UNDOCUMENTED_CLAMP,)

    def gradient_prediction(self, x: Any, y: Any, w: Any, q: Any) -> Any:
        exact = super().gradient_prediction(x, y, w, q)
        p = self.inside(x)
        clamped = p * (1.0 - p) < 1e-12
        return np.where(clamped, (p - y) / 1e-12, exact)


@wrong(rare=True)
class NaNAtTheEnds(Probabilities):
    """(p - y) / (p (1 - p)) is 0 / 0 at a certain right prediction."""

    mechanism = (Mechanism.DIVISION_BY_ZERO,)

    def gradient_prediction(self, x: Any, y: Any, w: Any, q: Any) -> Any:
        exact = super().gradient_prediction(x, y, w, q)
        return np.where((x == y) & ((x == 0) | (x == 1)), np.nan, exact)


@wrong(rare=True)
class KinkOfSoftLabels(Logits):
    """At the logit 0 the gradient of a soft label is that of the nearer hard one."""

    mechanism = (Mechanism.WRONG_TERM, Mechanism.DERIVATIVE_OF_BRANCH)

    def gradient_prediction(self, x: Any, y: Any, w: Any, q: Any) -> Any:
        nearer = np.where(y < 0.5, 0.5, -0.5)
        return np.where((x == 0) & (y > 0) & (y < 1) & (y != 0.5), nearer, super().gradient_prediction(x, y, w, q))


@wrong(rare=True)
class GradientInFloat64(Probabilities):
    """Gradients come back in float64."""

    mechanism = (Mechanism.NARROWER_INTERMEDIATE,)

    def call(self, quantity: str, prediction: Any, label: Any, **rest: Any) -> Any:
        result = super().call(quantity, prediction, label, **rest)
        return result if quantity == "value" else result.astype(np.float64)


@wrong(rare=True)
class GradientInFloat16(Logits):
    """Gradients are rounded to float16 on their way."""

    mechanism = (Mechanism.NARROWER_INTERMEDIATE,)

    def gradient_prediction(self, x: Any, y: Any, w: Any, q: Any) -> Any:
        return super().gradient_prediction(x, y, w, q).astype(np.float16).astype(np.float64)
