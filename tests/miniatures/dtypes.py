"""Results of another dtype, and computations in a narrower one."""

from __future__ import annotations

from typing import Any

import numpy as np

from conformance.contracts import CastsTo
from conformance.diagnosis.vocabulary import Mechanism
from tests.miniatures.base import ALL_REDUCTIONS, Logits, Probabilities
from tests.miniatures.registry import wrong
from tests.miniatures.right import SOURCE


class OnlyValue(Probabilities):
    """Only the value is offered."""

    quantities = ("value",)


@wrong()
class ReturnsFloat64(OnlyValue):
    """The result for float32 is float64."""

    def narrow(self, result: Any, prediction: Any) -> Any:
        return np.asarray(result)


@wrong(rare=True)
class ReturnsFloat32ForFloat16(OnlyValue):
    """The result for float16 is float32."""

    dtypes = ("float32", "float16")

    def narrow(self, result: Any, prediction: Any) -> Any:
        return np.asarray(result).astype(np.float32)


@wrong()
class ComputesInFloat16(OnlyValue):
    """Inputs are rounded to float16."""

    mechanism = (Mechanism.NARROWER_INTERMEDIATE,)

    def widen(self, array: Any) -> Any:
        return array.astype(np.float16).astype(np.float64)


@wrong()
class ComputesInBfloat16(OnlyValue):
    """The result is rounded to eight bits."""

    mechanism = (Mechanism.NARROWER_INTERMEDIATE,)

    def narrow(self, result: Any, prediction: Any) -> Any:
        bits = np.atleast_1d(super().narrow(result, prediction)).view(np.uint32)
        return (bits & 0xFFFF0000).view(np.float32).reshape(np.shape(result))


@wrong(rare=True)
class Float64InFloat32(OnlyValue):
    """Float64 is computed in float32."""

    mechanism = (Mechanism.NARROWER_INTERMEDIATE,)
    dtypes = ("float64", "float32")

    def widen(self, array: Any) -> Any:
        return array.astype(np.float32).astype(np.float64)


@wrong(rare=True)
class Float64ThroughFloat32(Logits):
    """A float64 result passes through float32."""

    mechanism = (Mechanism.NARROWER_INTERMEDIATE,)
    dtypes = ("float64", "float32")
    quantities = ("value",)

    def narrow(self, result: Any, prediction: Any) -> Any:
        return np.asarray(result).astype(np.float32).astype(prediction.dtype)


@wrong(rare=True)
class OverflowsInFloat16(Logits):
    """exp(z) is formed in float16, where it overflows at 11.1."""

    mechanism = (Mechanism.OVERFLOW,)
    dtypes = ("float32", "float16")
    quantities = ("value",)

    def call(self, quantity: str, prediction: Any, label: Any, **rest: Any) -> Any:
        exact = super().call(quantity, prediction, label, **rest)
        with np.errstate(all="ignore"):
            return np.where(np.isinf(np.exp(prediction)) & (prediction.dtype == np.float16), exact * np.inf, exact)


@wrong(rare=True)
class ReturnsLabelDtype(OnlyValue):
    """The result has the dtype of the label."""

    mechanism = (Mechanism.NARROWER_INTERMEDIATE,)

    def call(self, quantity: str, prediction: Any, label: Any, **rest: Any) -> Any:
        return super().call(quantity, prediction, label, **rest).astype(label.dtype)


@wrong(rare=True, report="pytorch/pytorch#842")
class PredictionCastToLabel(Probabilities):
    """The prediction is cast to the dtype of the label, so that integer labels make it 0."""

    quantities = ("value",)

    def call(self, quantity: str, prediction: Any, label: Any, **rest: Any) -> Any:
        with np.errstate(all="ignore"):
            cast = prediction.astype(label.dtype).astype(prediction.dtype)
        return super().call(quantity, cast, label, **rest)


@wrong(rare=True)
class IntegerLabelsDivided(Logits):
    """Integer labels are halved and doubled in integers, so that 1 becomes 0."""

    quantities = ("value",)

    def call(self, quantity: str, prediction: Any, label: Any, **rest: Any) -> Any:
        halved = label // 2 * 2 if label.dtype.kind in "iu" else label
        return super().call(quantity, prediction, halved, **rest)


@wrong(rare=True, report="pytorch/pytorch#842")
class BooleanLabelsSubtracted(Logits):
    """1 - y is formed of boolean labels, which NumPy refuses."""

    quantities = ("value",)

    def call(self, quantity: str, prediction: Any, label: Any, **rest: Any) -> Any:
        if label.dtype == bool:
            raise TypeError("numpy boolean subtract, the `-` operator, is not supported")
        return super().call(quantity, prediction, label, **rest)


@wrong()
class ReturnsPythonFloat(OnlyValue):
    """A reduced loss is a Python float."""

    reductions = ALL_REDUCTIONS

    def narrow(self, result: Any, prediction: Any) -> Any:
        narrow = super().narrow(result, prediction)
        return narrow if narrow.ndim else float(narrow)


@wrong(rare=True)
class ReductionInFloat64(Logits):
    """A reduced loss is float64."""

    reductions = ALL_REDUCTIONS
    quantities = ("value",)

    def narrow(self, result: Any, prediction: Any) -> Any:
        return super().narrow(result, prediction) if np.ndim(result) else np.asarray(result)


@wrong()
class CastUndone(Probabilities):
    """Documents a cast to float32 and returns the dtype of the prediction."""

    contract = (CastsTo("float32", SOURCE),)
    dtypes = ("float64", "float32")
    quantities = ("value",)
