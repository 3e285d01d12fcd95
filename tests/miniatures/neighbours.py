"""Formulas one step away from one that a framework evaluates, each step in float32 unless it says otherwise."""

from __future__ import annotations

from typing import Any

import numpy as np

from conformance.contracts import Clip
from conformance.diagnosis.vocabulary import Mechanism
from tests.miniatures.base import Logits, Probabilities, half, single
from tests.miniatures.forms import AT_INFINITIES, FormOfLogits, FormOfProbabilities, entropy, tail
from tests.miniatures.registry import wrong
from tests.miniatures.right import SOURCE


@wrong(rare=True)
class ClipThenLog1p(FormOfProbabilities):
    """The clip to [1e-7, 1 - 1e-7] of float64 with log1p(-q) after it, where Keras forms 1 - q."""

    mechanism = (Mechanism.UNDOCUMENTED_CLAMP, *AT_INFINITIES)
    dtypes = ("float64",)

    def formula(self, p: Any, y: Any) -> Any:
        q = np.clip(p, 1e-7, 1 - 1e-7)
        return -(y * np.log(q) + (1.0 - y) * np.log1p(-q))


@wrong()
class ClampThenLog(FormOfProbabilities):
    """Logarithms not below -100, but of 1 - p as float32 has it."""

    mechanism = (Mechanism.ABSORBED, Mechanism.UNDOCUMENTED_CLAMP, *AT_INFINITIES)

    def formula(self, p: Any, y: Any) -> Any:
        log_p, log_q = (np.maximum(single(np.log(one)), -100.0) for one in (p, single(1.0 - p)))
        return entropy(y, log_p, log_q)


@wrong()
class ClipRoundsTheRest(FormOfProbabilities):
    """Clipped as documented, but 1 - q is rounded to float32 before its logarithm."""

    mechanism = (Mechanism.ABSORBED, *AT_INFINITIES)
    contract = (Clip("1e-7", "0.9999999", SOURCE),)

    def formula(self, p: Any, y: Any) -> Any:
        q = np.clip(p, single(1e-7), single(1 - 1e-7))
        return entropy(y, single(np.log(q)), single(np.log(single(1.0 - q))))


@wrong()
class ClipAndEpsilon(FormOfProbabilities):
    """Clipped as documented, and 1e-7 is added once more inside both logarithms."""

    mechanism = (Mechanism.WRONG_TERM, Mechanism.ABSORBED, *AT_INFINITIES)
    contract = (Clip("1e-7", "0.9999999", SOURCE),)

    def formula(self, p: Any, y: Any) -> Any:
        epsilon = single(1e-7)
        q = np.clip(p, epsilon, single(1 - 1e-7))
        return entropy(y, single(np.log(single(q + epsilon))), single(np.log(single(single(1.0 - q) + epsilon))))


@wrong()
class EpsilonBeforeDifference(FormOfProbabilities):
    """log((1 + 1e-7) - p) where log((1 - p) + 1e-7) is meant: the sum is rounded first."""

    mechanism = (Mechanism.WRONG_TERM, Mechanism.ABSORBED, *AT_INFINITIES)

    def formula(self, p: Any, y: Any) -> Any:
        above = single(single(1.0 + 1e-7) - p)
        return entropy(y, single(np.log(single(p + single(1e-7)))), single(np.log(above)))


@wrong()
class ProductTakenFromLogit(FormOfLogits):
    """(z - z y) - log_sigmoid(z) where (1 - y) z is meant."""

    mechanism = (Mechanism.CANCELLED, Mechanism.ABSORBED, *AT_INFINITIES)

    def formula(self, z: Any, y: Any) -> Any:
        return single(single(z - single(z * y)) - single(np.minimum(z, 0.0) - tail(z)))


@wrong(rare=True)
class FusedProduct(FormOfLogits):
    """max(z, 0) - z y by a fused multiply-add: right but for infinities."""

    mechanism = AT_INFINITIES

    def formula(self, z: Any, y: Any) -> Any:
        return single(single(np.maximum(z, 0.0) - z * y) + tail(z))


@wrong(rare=True)
class HalfOfDoubleMaximum(FormOfLogits):
    """(|z| + z) / 2 for max(z, 0), which overflows above the half of the largest number."""

    mechanism = (Mechanism.CANCELLED, Mechanism.OVERFLOW, *AT_INFINITIES)

    def formula(self, z: Any, y: Any) -> Any:
        above = single(0.5 * single(np.abs(z) + z))
        return single(single(above - single(z * y)) + tail(z))


@wrong(rare=True)
class SmallerDenominator(Probabilities):
    """(p - y) / max((1 - p) p, 1e-10), where PyTorch has 1e-12."""

    mechanism = (Mechanism.UNDOCUMENTED_CLAMP, Mechanism.ABSORBED, Mechanism.CANCELLED, Mechanism.MISSING_CHECK)
    quantities = ("value", "gradient-prediction")

    def gradient_prediction(self, x: Any, y: Any, w: Any, q: Any) -> Any:
        below = np.maximum(single(single(1.0 - x) * x), single(1e-10))
        return single(single(x - y) / below)


@wrong(rare=True)
class ExpOverSquare(Logits):
    """exp(z) / (1 + exp(z))**2 for the second derivative: a quotient of infinities from 89 on."""

    mechanism = (Mechanism.ZERO_TIMES_INFINITY, Mechanism.OVERFLOW, Mechanism.SATURATED)
    quantities = ("value", "second-derivative")

    def second_derivative(self, x: Any, y: Any, w: Any, q: Any) -> Any:
        e = single(np.exp(x))
        return single(e / single(single(1.0 + e) ** 2)) + 0.0 * y


@wrong(rare=True)
class ExpInFloat32(Logits):
    """exp(-|z|) of float64 is rounded to float32, and nothing else is."""

    mechanism = (Mechanism.NARROWER_INTERMEDIATE, Mechanism.FLUSHED)
    dtypes = ("float64",)
    quantities = ("value",)

    def softplus(self, z: Any) -> Any:
        return np.maximum(z, 0.0) + np.log1p(single(np.exp(-np.abs(z))))


@wrong(rare=True)
class ExpInItsOwnKernel(Logits):
    """(1 - y) z - log_sigmoid(z) in float16, with log1p in float32 of an exp in float16."""

    mechanism = (Mechanism.ABSORBED, Mechanism.CANCELLED, Mechanism.FLUSHED, Mechanism.OVERFLOW, *AT_INFINITIES)
    dtypes = ("float16",)
    quantities = ("value",)

    def value(self, x: Any, y: Any, w: Any, q: Any) -> Any:
        log_sigmoid = half(np.minimum(x, 0.0) - tail_in_float16(x))
        return half(half(half(1.0 - y) * x) - log_sigmoid)


def tail_in_float16(z: Any) -> Any:
    """log1p in float32 of exp(-|z|) in float16."""
    return single(np.log1p(half(np.exp(-np.abs(z)))))
