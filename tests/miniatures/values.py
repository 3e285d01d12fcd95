"""Wrong values: formulas that cancel, clip, overflow or leave something out."""

from __future__ import annotations

from typing import Any

import numpy as np

from conformance.adapters.numpy import NumPyRuntime
from conformance.contracts import Clip
from conformance.diagnosis.vocabulary import Mechanism
from tests.miniatures.base import ALL_REDUCTIONS, Logits, Probabilities, times
from tests.miniatures.registry import wrong
from tests.miniatures.right import SOURCE, Clips

#: A relative error that float32 shows as more than 100 ULP.
ABIT = 1.0 + 2e-5


class ValueLogits(Logits):
    """Only the value is offered: its mistake is nowhere else."""

    quantities = ("value",)


class ValueOnly(Probabilities):
    """Only the value is offered: its mistake is nowhere else."""

    quantities = ("value",)


# -- formulas --------------------------------------------------------------------------------------------------------


@wrong(rare=True, report="scikit-learn/scikit-learn#24315")
class LogOfOneMinusP(ValueOnly):
    """log(1 - p), which is 0 for p below 1e-16, where log1p(-p) is needed."""

    mechanism = (Mechanism.ABSORBED,)

    def log_q(self, p: Any) -> Any:
        return np.log(1.0 - p)


@wrong()
class LogOfOneMinusPNarrow(ValueOnly):
    """log(1 - p) with the difference rounded to float32."""

    mechanism = (Mechanism.ABSORBED,)

    def log_q(self, p: Any) -> Any:
        return np.log((1.0 - p).astype(np.float32).astype(np.float64))


@wrong(report="pytorch/pytorch#195529")
class StableFormulaUndocumented(ValueLogits):
    """max(z, 0) - z y + log1p(exp(-|z|)) in float32 without a word of documentation: z y is rounded."""

    mechanism = (Mechanism.CANCELLED, Mechanism.ZERO_TIMES_INFINITY, Mechanism.MISSING_CHECK)

    def value(self, x: Any, y: Any, w: Any, q: Any) -> Any:
        z, label = x.astype(np.float32), y.astype(np.float32)
        return np.maximum(z, 0) - z * label + np.log1p(np.exp(-np.abs(z)))


@wrong(report="pytorch/pytorch#195529")
class BranchLosesTail(ValueLogits):
    """(1 - y) z + max(-z, 0) + log(exp(-max) + exp(-z - max)): the tail is lost on one of two symmetric branches."""

    mechanism = (Mechanism.CANCELLED, Mechanism.ABSORBED, Mechanism.REORDERED)

    def value(self, x: Any, y: Any, w: Any, q: Any) -> Any:
        z, label = x.astype(np.float32), y.astype(np.float32)
        top = np.maximum(-z, 0)
        return np.where(np.isinf(z), super().value(x, y, w, q), (1 - label) * z + top + np.log1p(np.exp(-np.abs(z))))


@wrong()
class LostTail(ValueLogits):
    """log(1 + exp(-|z|)) in float32: the tail is lost on both branches beyond |z| = 17."""

    mechanism = (Mechanism.ABSORBED,)

    def softplus(self, z: Any) -> Any:
        return np.maximum(z, 0.0) + np.log(np.float32(1) + np.exp(-np.abs(z)).astype(np.float32))


@wrong(rare=True)
class LogAddExp(ValueLogits):
    """logaddexp(0, z) - z y in float64: at label 1 two numbers of the size of z cancel beyond z = 20."""

    mechanism = (Mechanism.ABSORBED, Mechanism.MISSING_CHECK)

    def value(self, x: Any, y: Any, w: Any, q: Any) -> Any:
        return np.where(np.isinf(x), super().value(x, y, w, q), np.logaddexp(0.0, x) - x * y)


@wrong(report="keras-team/keras-core#196")
class SigmoidFirst(ValueLogits):
    """The logit becomes a clipped probability first, so that a huge wrong logit costs 16 instead of itself."""

    mechanism = (Mechanism.UNDOCUMENTED_CLAMP,)

    def terms(self, x: Any) -> tuple[Any, Any]:
        p = np.clip(self.sigmoid(x), 1e-7, 1 - 1e-7)
        return -np.log(p), -np.log1p(-p)


@wrong()
class ExpOverflows(ValueLogits):
    """log1p(exp(z)) without the maximum taken out, in float32: infinite from z = 89 on."""

    mechanism = (Mechanism.OVERFLOW,)

    def softplus(self, z: Any) -> Any:
        return np.log1p(np.exp(z.astype(np.float32)))


@wrong()
class AbsForMaximum(ValueLogits):
    """|z| where max(z, 0) belongs."""

    mechanism = (Mechanism.WRONG_TERM,)

    def softplus(self, z: Any) -> Any:
        return np.abs(z) + np.log1p(np.exp(-np.abs(z)))


@wrong(report="deepjavalibrary/djl#1316")
class LogForgotten(ValueOnly):
    """The logarithm of 1 - p is forgotten."""

    mechanism = (Mechanism.WRONG_TERM,)

    def log_q(self, p: Any) -> Any:
        return 1.0 - p


@wrong()
class Bits(ValueOnly):
    """The binary logarithm: bits where nats are meant."""

    mechanism = (Mechanism.WRONG_TERM,)

    def log_p(self, p: Any) -> Any:
        return np.log2(p)

    def log_q(self, p: Any) -> Any:
        return np.log1p(-p) / np.log(2.0)


@wrong()
class DecimalForLabelOne(ValueOnly):
    """log10 for log, in the term of label 1 only."""

    mechanism = (Mechanism.WRONG_TERM,)

    def log_p(self, p: Any) -> Any:
        return np.log10(p)


@wrong()
class FactorForgotten(ValueLogits):
    """y softplus(-z) + softplus(z): the factor 1 - y is missing."""

    mechanism = (Mechanism.WRONG_TERM,)

    def coefficients(self, y: Any, w: Any, q: Any) -> tuple[Any, Any]:
        return y, np.ones_like(y)


@wrong()
class ArgumentsExchanged(ValueOnly):
    """Label and prediction change places: the question's first and second experiment."""

    mechanism = (Mechanism.WRONG_TERM, Mechanism.MISSING_CHECK)

    def value(self, x: Any, y: Any, w: Any, q: Any) -> Any:
        return super().value(y, x, w, q)


@wrong()
class DivergenceForEntropy(ValueOnly):
    """The Kullback-Leibler divergence: for soft labels it lacks their entropy."""

    mechanism = (Mechanism.WRONG_TERM,)

    def value(self, x: Any, y: Any, w: Any, q: Any) -> Any:
        floor = -times(y, np.log(y)) - times(1.0 - y, np.log1p(-y))
        return super().value(x, y, w, q) - floor


# -- clips -----------------------------------------------------------------------------------------------------------


@wrong(report="tensorflow/tensorflow PR#41595")
class EpsilonTwice(Clips):
    """Clipped as documented, and 1e-7 is added once more inside the logarithms."""

    mechanism = (Mechanism.WRONG_TERM,)
    contract = (Clip("1e-7", "0.9999999", SOURCE),)
    quantities = ("value",)

    def log_p(self, p: Any) -> Any:
        return np.log(p + 1e-7)

    def log_q(self, p: Any) -> Any:
        return np.log(1.0 - p + 1e-7)


@wrong(rare=True, report="tensorflow/tensorflow#38457")
class ClipDoesNothing(Clips):
    """The clip is computed in float16, where 1 - 1e-7 is 1."""

    mechanism = (Mechanism.CLIP_WITHOUT_EFFECT,)
    contract = (Clip("1e-7", "0.9999999", SOURCE),)
    dtypes = ("float16",)
    quantities = ("value",)
    low, high = float(np.float16(1e-7)), float(np.float16(1 - 1e-7))


@wrong(rare=True, report="keras-team/keras#23661")
class ClipHidesNaN(Clips):
    """The clip is made of fmin and fmax, which turn NaN into a bound."""

    mechanism = (Mechanism.MISSING_CHECK,)
    contract = (Clip("1e-7", "0.9999999", SOURCE),)
    quantities = ("value",)

    def inside(self, p: Any) -> Any:
        return np.fmin(np.fmax(p, self.low), self.high)


@wrong(report="keras-team/keras#377")
class ClipUndocumented(Clips):
    """The prediction is clipped to [1e-7, 1 - 1e-7], and nothing says so."""

    mechanism = (Mechanism.UNDOCUMENTED_CLAMP,)
    quantities = ("value",)


@wrong(rare=True)
class ClipSwallowsOutside(Probabilities):
    """Predictions outside [0, 1] are taken for 0 and 1, and nothing else is clipped."""

    mechanism = (Mechanism.UNDOCUMENTED_CLAMP,)
    quantities = ("value",)

    def inside(self, p: Any) -> Any:
        return np.clip(p, 0.0, 1.0)


@wrong(report="pytorch/pytorch#103316")
class ClampedAtHundred(ValueOnly):
    """Logarithms are at least -100, and nothing says so."""

    mechanism = (Mechanism.UNDOCUMENTED_CLAMP,)

    def log_p(self, p: Any) -> Any:
        return np.maximum(np.log(p), -100.0)

    def log_q(self, p: Any) -> Any:
        return np.maximum(np.log1p(-p), -100.0)


@wrong(report="tensorflow/tensorflow#61519")
class LossAtMostHundred(ValueLogits):
    """A loss above 100 is 100."""

    mechanism = (Mechanism.UNDOCUMENTED_CLAMP,)

    def value(self, x: Any, y: Any, w: Any, q: Any) -> Any:
        return np.minimum(super().value(x, y, w, q), 100.0)


# -- infinities and NaN ----------------------------------------------------------------------------------------------


@wrong(rare=True, report="pytorch/pytorch#49844")
class InfiniteLogitIsNaN(ValueLogits):
    """z y is formed, which is NaN for an infinite logit and the label 0."""

    mechanism = (Mechanism.ZERO_TIMES_INFINITY,)

    def value(self, x: Any, y: Any, w: Any, q: Any) -> Any:
        return super().value(x, y, w, q) + 0.0 * (x * y)


@wrong(rare=True, report="pytorch/pytorch#135359")
class MinusInfinityIsNaN(ValueLogits):
    """The maximum of -z is subtracted from itself: NaN for the logit -inf."""

    mechanism = (Mechanism.INFINITY_MINUS_INFINITY,)

    def value(self, x: Any, y: Any, w: Any, q: Any) -> Any:
        top = np.maximum(-x, 0.0)
        return super().value(x, y, w, q) + (top - top)


@wrong(rare=True, report="pyro-ppl/numpyro#2240")
class ZeroTimesInfinity(ValueOnly):
    """0 log 0 is NaN."""

    mechanism = (Mechanism.ZERO_TIMES_INFINITY,)

    def value(self, x: Any, y: Any, w: Any, q: Any) -> Any:
        positive, negative = self.terms(x)
        return y * positive + (1.0 - y) * negative


@wrong(rare=True)
class InfinityIsLargest(ValueOnly):
    """An infinite loss is replaced by the largest finite number."""

    mechanism = (Mechanism.UNDOCUMENTED_CLAMP,)

    def value(self, x: Any, y: Any, w: Any, q: Any) -> Any:
        result = super().value(x, y, w, q)
        return np.where(np.isposinf(result), float(np.finfo(np.float32).max), result)


@wrong(rare=True)
class NaNIsZero(ValueLogits):
    """nan_to_num on the loss: a diverged model has the loss 0."""

    mechanism = (Mechanism.MISSING_CHECK,)

    def value(self, x: Any, y: Any, w: Any, q: Any) -> Any:
        result = super().value(x, y, w, q)
        return np.where(np.isnan(result), 0.0, result)


@wrong(rare=True)
class SignOfZero(ValueOnly):
    """A prediction is refused by its sign bit: -0 is taken for a number below 0."""

    mechanism = (Mechanism.WRONG_TERM,)

    def inside(self, p: Any) -> Any:
        return np.where(np.signbit(p), np.nan, super().inside(p))


# -- holes -----------------------------------------------------------------------------------------------------------


@wrong(rare=True)
class HoleAtHalf(ValueOnly):
    """0.49 < p < 0.51 has a relative error of 2e-5."""

    mechanism = (Mechanism.WRONG_TERM,)

    def value(self, x: Any, y: Any, w: Any, q: Any) -> Any:
        return super().value(x, y, w, q) * np.where(np.abs(x - 0.5) < 0.01, ABIT, 1.0)


@wrong(rare=True)
class HoleAtThreeQuarters(ValueOnly):
    """0.74 < p < 0.76 has a relative error of 2e-5."""

    mechanism = (Mechanism.WRONG_TERM,)

    def value(self, x: Any, y: Any, w: Any, q: Any) -> Any:
        return super().value(x, y, w, q) * np.where(np.abs(x - 0.75) < 0.01, ABIT, 1.0)


@wrong(rare=True)
class HoleAtQuarterLabel(ValueOnly):
    """Labels between 0.24 and 0.26 have a relative error of 2e-5."""

    mechanism = (Mechanism.WRONG_TERM,)

    def value(self, x: Any, y: Any, w: Any, q: Any) -> Any:
        return super().value(x, y, w, q) * np.where(np.abs(y - 0.25) < 0.01, ABIT, 1.0)


@wrong(rare=True)
class HoleBeyondThirty(ValueLogits):
    """|z| > 30 has a relative error of 2e-5."""

    mechanism = (Mechanism.WRONG_TERM,)

    def value(self, x: Any, y: Any, w: Any, q: Any) -> Any:
        return super().value(x, y, w, q) * np.where(np.abs(x) > 30, ABIT, 1.0)


@wrong(rare=True)
class HoleAtFive(ValueLogits):
    """4.9 < z < 5.1 has a relative error of 2e-5."""

    mechanism = (Mechanism.WRONG_TERM,)

    def value(self, x: Any, y: Any, w: Any, q: Any) -> Any:
        return super().value(x, y, w, q) * np.where(np.abs(x - 5) < 0.1, ABIT, 1.0)


@wrong(rare=True)
class HoleAtOne(ValueLogits):
    """The logit 1 alone has a relative error of 2e-5, as a wrong entry of a table would give."""

    mechanism = (Mechanism.WRONG_TERM,)

    def value(self, x: Any, y: Any, w: Any, q: Any) -> Any:
        return super().value(x, y, w, q) * np.where(x == 1, ABIT, 1.0)


@wrong(rare=True)
class SubnormalsOff(ValueLogits):
    """A subnormal result is 20 ULP too large."""

    def narrow(self, result: Any, prediction: Any) -> Any:
        narrow = super().narrow(result, prediction)
        tiny = np.finfo(narrow.dtype)
        off = (narrow > 0) & (narrow < tiny.tiny)
        return np.where(off, narrow + 20 * tiny.smallest_subnormal, narrow)


@wrong(rare=True)
class NearlyHardIsHard(ValueOnly):
    """A label closer than 1e-6 to 0 or 1 is taken for 0 or 1."""

    mechanism = (Mechanism.WRONG_TERM,)

    def value(self, x: Any, y: Any, w: Any, q: Any) -> Any:
        return super().value(x, np.where(np.abs(y - np.round(y)) < 1e-6, np.round(y), y), w, q)


# -- positions -------------------------------------------------------------------------------------------------------


class Positions(ValueLogits):
    """Some positions of a tensor have a relative error of 2e-5."""

    def wrong(self, count: int) -> slice:
        """The positions that are wrong in a tensor of `count` elements."""
        raise NotImplementedError

    def value(self, x: Any, y: Any, w: Any, q: Any) -> Any:
        result = np.array(super().value(x, y, w, q))
        result.reshape(-1)[self.wrong(result.size)] *= ABIT
        return result


@wrong(rare=True)
class LastElement(Positions):
    """The last element of a tensor is wrong."""

    def wrong(self, count: int) -> slice:
        return slice(max(count - 1, 0), count)


@wrong(rare=True)
class FirstOfMany(Positions):
    """The first element of a tensor with more than 32 elements is wrong."""

    def wrong(self, count: int) -> slice:
        return slice(0, 1 if count > 32 else 0)


@wrong()
class BeyondSixteen(Positions):
    """Whatever comes after the first vector register of 16 is wrong."""

    def wrong(self, count: int) -> slice:
        return slice(16, count)


@wrong(rare=True)
class VectorTail(Positions):
    """The elements that do not fill a vector register of 32, after at least one that does, are wrong."""

    def wrong(self, count: int) -> slice:
        return slice(count - count % 32 if count > 32 else count, count)


@wrong(rare=True)
class BlockBoundary(Positions):
    """The elements after the first block of 65535 are wrong."""

    def wrong(self, count: int) -> slice:
        return slice(65535, count)


@wrong(rare=True)
class SecondBlock(Positions):
    """The elements from 65536 on are wrong, one later than in `BlockBoundary`."""

    def wrong(self, count: int) -> slice:
        return slice(65536, count)


# -- reductions ------------------------------------------------------------------------------------------------------


class Reduces(ValueOnly):
    """Offers reductions."""

    reductions = ALL_REDUCTIONS


class ReducesLogits(ValueLogits):
    """Offers reductions."""

    reductions = ALL_REDUCTIONS


@wrong(rare=True)
class AccumulatesInFloat16(ReducesLogits):
    """A sum of float16 losses is accumulated in float16."""

    mechanism = (Mechanism.NARROWER_INTERMEDIATE, Mechanism.REDUCTION_ORDER, Mechanism.ABSORBED)
    dtypes = ("float16",)

    def reduce(self, quantity: str, result: Any, reduction: str, w: Any) -> Any:
        if reduction == "none":
            return result
        total = np.add.accumulate(result.astype(np.float16).ravel(), dtype=np.float16)[-1:].sum().astype(np.float64)
        return total / result.size if reduction == "mean" else total


@wrong(rare=True)
class SumStagnates(Reduces):
    """A sum of float32 losses goes from left to right in float32, and stops growing where they become too small."""

    mechanism = (Mechanism.REDUCTION_ORDER, Mechanism.ABSORBED)

    def reduce(self, quantity: str, result: Any, reduction: str, w: Any) -> Any:
        if reduction == "none":
            return result
        total = np.add.accumulate(result.astype(np.float32).ravel())[-1:].sum().astype(np.float64)
        return total / result.size if reduction == "mean" else total


@wrong()
class DividesByNMinusOne(Reduces):
    """The mean divides by n - 1."""

    def reduce(self, quantity: str, result: Any, reduction: str, w: Any) -> Any:
        reduced = super().reduce(quantity, result, reduction, w)
        return reduced * np.size(result) / np.float64(np.size(result) - 1) if reduction == "mean" else reduced


@wrong(report="keras-team/keras#15323")
class DividesByWeights(Reduces):
    """The mean divides by the sum of the weights."""

    options = ("weight",)

    def reduce(self, quantity: str, result: Any, reduction: str, w: Any) -> Any:
        if reduction == "mean" and np.ndim(w):
            return np.sum(result) / np.sum(w)
        return super().reduce(quantity, result, reduction, w)


@wrong()
class MeanOverLastAxis(Reduces):
    """The mean is taken over the last axis alone."""

    def reduce(self, quantity: str, result: Any, reduction: str, w: Any) -> Any:
        if reduction == "mean" and np.ndim(result):
            return np.mean(result, axis=-1)
        return super().reduce(quantity, result, reduction, w)


@wrong()
class SumIsMean(ReducesLogits):
    """The sum is the mean."""

    def reduce(self, quantity: str, result: Any, reduction: str, w: Any) -> Any:
        return super().reduce(quantity, result, "none" if reduction == "none" else "mean", w)


@wrong(rare=True)
class MeanSkipsInfinity(ReducesLogits):
    """The mean leaves out losses that are not finite."""

    def reduce(self, quantity: str, result: Any, reduction: str, w: Any) -> Any:
        return super().reduce(quantity, result if reduction == "none" else result[np.isfinite(result)], reduction, w)


@wrong(rare=True)
class MeanOfTailsInFloat16(ReducesLogits):
    """Losses are rounded to float16 before they are reduced, which loses small ones."""

    mechanism = (Mechanism.NARROWER_INTERMEDIATE,)

    def reduce(self, quantity: str, result: Any, reduction: str, w: Any) -> Any:
        rounded = result if reduction == "none" else result.astype(np.float16).astype(np.float64)
        return super().reduce(quantity, rounded, reduction, w)


@wrong(rare=True, report="pytorch/pytorch#50224")
class EmptyMeanIsZero(Reduces):
    """The mean of nothing is 0 where it is NaN."""

    def reduce(self, quantity: str, result: Any, reduction: str, w: Any) -> Any:
        return 0.0 if reduction == "mean" and not np.size(result) else super().reduce(quantity, result, reduction, w)


# -- probabilities with a past ---------------------------------------------------------------------------------------


class Softmaxed(np.ndarray):
    """Probabilities that remember the logit they were made of."""

    logits: Any = None

    def __array_finalize__(self, parent: Any) -> None:
        self.logits = getattr(parent, "logits", None)


class Remembering(NumPyRuntime):
    """A runtime whose softmax hands out probabilities with a past, as a Keras tensor has `_keras_logits`."""

    def produce(self, producer: str, logits: Any) -> Any:
        made = super().produce(producer, logits)
        if producer == "softmax":
            made = made.view(Softmaxed)
            made.logits = np.stack([np.zeros_like(logits), logits], axis=-1)
        return made


@wrong(rare=True, report="keras-team/keras#17125")
class SoftmaxLogits(ValueOnly):
    """The logits of a softmax are used as logits of a sigmoid, in place of the probabilities that came."""

    def call(self, quantity: str, prediction: Any, label: Any, **rest: Any) -> Any:
        past = getattr(prediction, "logits", None)
        if past is not None and past.shape == prediction.shape:
            return Logits().call(quantity, past, label, **rest)
        return super().call(quantity, np.asarray(prediction), label, **rest)


RUNTIME = Remembering()
