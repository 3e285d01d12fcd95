"""Calls that depend on other calls, or leave something behind."""

from __future__ import annotations

from typing import Any

import numpy as np

from conformance.diagnosis.vocabulary import Mechanism
from tests.miniatures.base import Logits, Probabilities
from tests.miniatures.registry import wrong
from tests.miniatures.right import FlushesLogits


@wrong()
class CachesByShape(Logits):
    """What was computed first for a shape is returned for every later call of that shape."""

    quantities = ("value",)

    def __init__(self) -> None:
        self.seen: dict[Any, Any] = {}

    def call(self, quantity: str, prediction: Any, label: Any, **rest: Any) -> Any:
        if prediction.shape not in self.seen:
            self.seen[prediction.shape] = super().call(quantity, prediction, label, **rest)
        return self.seen[prediction.shape]


@wrong()
class ReturnsThePrevious(Logits):
    """The result of the previous call is returned where it is long enough."""

    quantities = ("value",)

    def __init__(self) -> None:
        self.before = np.zeros(0)

    def call(self, quantity: str, prediction: Any, label: Any, **rest: Any) -> Any:
        result = super().call(quantity, prediction, label, **rest)
        before, self.before = self.before, result
        return before.ravel()[: result.size].reshape(result.shape) if before.size >= result.size else result


@wrong()
class ComputesPredictionsOnce(Probabilities):
    """Elements with the same prediction get the loss of the first of them, whatever their labels are."""

    quantities = ("value",)

    def value(self, x: Any, y: Any, w: Any, q: Any) -> Any:
        _, first, position = np.unique(x, return_index=True, return_inverse=True)
        return np.ravel(super().value(x, y, w, q))[first][position].reshape(np.shape(x))


@wrong(rare=True)
class ReusesItsBuffer(Probabilities):
    """Every call writes its result into the same memory, which an earlier result still shows."""

    def __init__(self) -> None:
        self.buffers: dict[Any, Any] = {}

    def narrow(self, result: Any, prediction: Any) -> Any:
        narrow = super().narrow(result, prediction)
        buffer = self.buffers.setdefault((narrow.shape, narrow.dtype), np.empty_like(narrow))
        buffer[...] = narrow
        return buffer


@wrong(rare=True)
class GradientOfThePrevious(Logits):
    """The gradient is that of the previous gradient's logits, where those were as many."""

    def __init__(self) -> None:
        self.before: Any = None

    def gradient_prediction(self, x: Any, y: Any, w: Any, q: Any) -> Any:
        stale, self.before = self.before, x
        return super().gradient_prediction(x if np.shape(stale) != np.shape(x) else stale, y, w, q)


@wrong(rare=True)
class ClipsInPlace(Probabilities):
    """The prediction is clipped where it lies, to bounds that change 0 and 1 alone, and restored too late."""

    quantities = ("value",)

    def call(self, quantity: str, prediction: Any, label: Any, **rest: Any) -> Any:
        result = super().call(quantity, prediction, label, **rest)
        if prediction.flags.writeable:
            prediction[prediction == 1] = 1 - 2.0**-24
        return result


@wrong()
class MutatesPrediction(Logits):
    """The prediction is negated where it lies."""

    quantities = ("value",)

    def call(self, quantity: str, prediction: Any, label: Any, **rest: Any) -> Any:
        result = super().call(quantity, prediction, label, **rest)
        if prediction.flags.writeable:
            np.negative(prediction, out=prediction)
        return result


@wrong()
class MutatesLabel(Probabilities):
    """1 - y is formed where the label lies."""

    quantities = ("value",)

    def call(self, quantity: str, prediction: Any, label: Any, **rest: Any) -> Any:
        result = super().call(quantity, prediction, label, **rest)
        if label.flags.writeable:
            label[...] = 1 - label.astype(np.float64)
        return result


@wrong(rare=True)
class GradientMutatesLabel(Logits):
    """The gradient is computed where the label lies."""

    def call(self, quantity: str, prediction: Any, label: Any, **rest: Any) -> Any:
        result = super().call(quantity, prediction, label, **rest)
        if quantity == "gradient-prediction" and label.flags.writeable and result.shape == label.shape:
            label[...] = result
        return result


@wrong(rare=True)
class LeaksThePrevious(Probabilities):
    """A hundred-thousandth of the previous call's last loss is added."""

    quantities = ("value",)

    def __init__(self) -> None:
        self.rest = 0.0

    def value(self, x: Any, y: Any, w: Any, q: Any) -> Any:
        result = np.asarray(super().value(x, y, w, q))
        leaked, finite = self.rest, result[np.isfinite(result)]
        self.rest = 1e-5 * float(finite[-1]) if finite.size else 0.0
        return result + leaked


@wrong(rare=True)
class LastBitFlickers(Probabilities):
    """Every other call is one ULP larger: inside the budget, but not repeatable."""

    quantities = ("value",)

    def __init__(self) -> None:
        self.calls = 0

    def narrow(self, result: Any, prediction: Any) -> Any:
        self.calls += 1
        narrow = super().narrow(result, prediction)
        if self.calls % 2 or narrow.dtype.kind != "f":
            return narrow
        return np.where((narrow > 0) & np.isfinite(narrow) & (narrow < 1e30), np.nextafter(narrow, np.inf), narrow)


@wrong(rare=True)
class FirstCallDiffers(Logits):
    """The first call after another shape is one ULP larger, as a kernel that tunes itself would be."""

    quantities = ("value",)

    def __init__(self) -> None:
        self.shape: Any = None

    def narrow(self, result: Any, prediction: Any) -> Any:
        narrow = super().narrow(result, prediction)
        first, self.shape = narrow.shape != self.shape, narrow.shape
        return (
            np.where((narrow > 1e-30) & (narrow < 1e30), np.nextafter(narrow, 1e38), narrow).astype(narrow.dtype)
            if first
            else narrow
        )


@wrong(rare=True)
class Flushes(FlushesLogits):
    """Subnormal results are replaced by zero, and nothing says so."""

    mechanism = (Mechanism.FLUSHED,)
    quantities = ("value",)


@wrong(rare=True)
class ReadsSubnormalsAsZero(Probabilities):
    """Subnormal predictions are read as zero, and nothing says so."""

    mechanism = (Mechanism.FLUSHED,)
    quantities = ("value",)

    def inside(self, p: Any) -> Any:
        return np.where(np.abs(p) < np.finfo(np.float32).tiny, 0.0 * p, super().inside(p))
