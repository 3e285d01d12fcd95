"""One step in fewer bits, or in a smaller range, than the rest."""

from __future__ import annotations

from typing import Any

import numpy as np

from conformance.diagnosis.vocabulary import Mechanism
from tests.miniatures.base import Logits, Probabilities, brain, half, single
from tests.miniatures.registry import wrong


class NarrowLogits(Logits):
    """Only the value is offered."""

    quantities = ("value",)


class NarrowProbabilities(Probabilities):
    """Only the value is offered."""

    quantities = ("value",)


@wrong()
class PositiveTermInFloat16(NarrowProbabilities):
    """The logarithm of p is rounded to float16."""

    mechanism = (Mechanism.NARROWER_INTERMEDIATE,)

    def log_p(self, p: Any) -> Any:
        return half(np.log(p))


@wrong()
class RestInBfloat16(NarrowProbabilities):
    """1 - p is rounded to bfloat16."""

    mechanism = (Mechanism.NARROWER_INTERMEDIATE, Mechanism.ABSORBED)

    def log_q(self, p: Any) -> Any:
        return np.log(brain(1.0 - p))


@wrong()
class SumInFloat16(NarrowProbabilities):
    """The loss is rounded to float16 before the result is float32: 65520 is infinite."""

    mechanism = (Mechanism.NARROWER_INTERMEDIATE, Mechanism.OVERFLOW, Mechanism.FLUSHED)

    def value(self, x: Any, y: Any, w: Any, q: Any) -> Any:
        return half(super().value(x, y, w, q))


@wrong()
class ExpInBfloat16(NarrowLogits):
    """exp(-|z|) is rounded to bfloat16."""

    mechanism = (Mechanism.NARROWER_INTERMEDIATE,)

    def softplus(self, z: Any) -> Any:
        return np.maximum(z, 0.0) + np.log1p(brain(np.exp(-np.abs(z))))


@wrong()
class ElevenBitLogits(NarrowLogits):
    """The logit is rounded to 11 bits, as matrix units read it."""

    mechanism = (Mechanism.NARROWER_INTERMEDIATE,)

    def terms(self, x: Any) -> tuple[Any, Any]:
        digits, exponent = np.frexp(x)
        return super().terms(np.where(np.isfinite(x), np.ldexp(np.rint(digits * 2048) / 2048, exponent), x))


@wrong()
class ProductInBfloat16(NarrowLogits):
    """z y is rounded to bfloat16, and z (1 - y) is what is left of z."""

    mechanism = (Mechanism.NARROWER_INTERMEDIATE, Mechanism.CANCELLED)

    def value(self, x: Any, y: Any, w: Any, q: Any) -> Any:
        formula = np.maximum(x, 0.0) - brain(x * y) + np.log1p(np.exp(-np.abs(x)))
        return np.where(np.isfinite(x) & np.isfinite(y), formula, super().value(x, y, w, q))


@wrong()
class ProbabilityInFloat16(NarrowLogits):
    """The probability is rounded to float16 before the logarithms."""

    mechanism = (Mechanism.NARROWER_INTERMEDIATE, Mechanism.SATURATED)

    def terms(self, x: Any) -> tuple[Any, Any]:
        s = half(self.sigmoid(x))
        return -np.log(s), -np.log1p(-s)


@wrong(rare=True)
class LabelRestInFloat16(NarrowLogits):
    """1 - y is rounded to float16."""

    mechanism = (Mechanism.NARROWER_INTERMEDIATE,)

    def coefficients(self, y: Any, w: Any, q: Any) -> tuple[Any, Any]:
        return y, half(1.0 - y)


@wrong()
class ExpWithinFloat16(NarrowLogits):
    """exp(z) is at most 65504, the largest number of float16."""

    mechanism = (Mechanism.UNDOCUMENTED_CLAMP, Mechanism.OVERFLOW)

    def softplus(self, z: Any) -> Any:
        return np.log1p(np.minimum(np.exp(z), 65504.0))


@wrong(rare=True)
class ExpFlushedInFloat16(NarrowLogits):
    """exp(-|z|) is 0 where it is subnormal in float16, and nothing else is."""

    mechanism = (Mechanism.FLUSHED,)
    dtypes = ("float16",)

    def softplus(self, z: Any) -> Any:
        e = np.exp(-np.abs(z))
        return np.maximum(z, 0.0) + np.log1p(np.where(e < 2.0**-14, 0.0, e))


@wrong()
class TailInFixedPoint(NarrowLogits):
    """exp(-|z|) is a multiple of 2**-20."""

    mechanism = (Mechanism.NARROWER_INTERMEDIATE, Mechanism.FLUSHED, Mechanism.SATURATED)

    def softplus(self, z: Any) -> Any:
        return np.maximum(z, 0.0) + np.log1p(np.rint(np.exp(-np.abs(z)) * 2**20) / 2**20)


@wrong(rare=True)
class LogarithmInFloat32(NarrowProbabilities):
    """The logarithms of float64 are rounded to float32, and nothing else is."""

    mechanism = (Mechanism.NARROWER_INTERMEDIATE,)
    dtypes = ("float64",)

    def log_p(self, p: Any) -> Any:
        return single(np.log(p))

    def log_q(self, p: Any) -> Any:
        return single(np.log1p(-p))


@wrong(rare=True)
class FactorFoldedInFloat32(NarrowProbabilities):
    """log p is log2(p) times a logarithm of 2 that was rounded to float32."""

    mechanism = (Mechanism.FOLDED_CONSTANT, Mechanism.NARROWER_INTERMEDIATE, Mechanism.WRONG_TERM)
    dtypes = ("float64",)

    def log_p(self, p: Any) -> Any:
        return np.log2(p) * single(np.log(2.0))
