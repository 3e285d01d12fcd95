"""Right when eager, wrong when compiled: the eager half of each is the class that it is derived from."""

from __future__ import annotations

from typing import Any

import numpy as np

from conformance.adapters import PLAIN, Mode
from conformance.adapters.numpy import NumPyRuntime
from conformance.diagnosis.vocabulary import Mechanism
from tests.miniatures.base import Logits, Probabilities
from tests.miniatures.registry import wrong
from tests.miniatures.right import Checks, DocumentedCheck

#: Execution modes of the runtime below.
MODES = dict(PLAIN, compiled=Mode())


class Compiling(NumPyRuntime):
    """A runtime with a compiler in which nothing is compiled."""

    modes = MODES


RUNTIME = Compiling()


class CompiledLogits(Logits):
    """The eager half: right, the value alone."""

    quantities = ("value",)


class Compiled(Probabilities):
    """The eager half: right, the value alone."""

    quantities = ("value",)


class CompiledWeighted(Probabilities):
    """The eager half: right, with a weight."""

    quantities = ("value",)
    options = ("weight",)


class ChecksUndocumented(Checks):
    """The eager half: rejects labels outside [0, 1], which it need not."""

    quantities = ("value",)


@wrong(compiled=True, report="pytorch/pytorch#193757")
class CompiledWithoutDocumentedCheck(DocumentedCheck):
    """Compiled, it accepts what its documentation and its eager half reject."""

    def check(self, prediction: Any, label: Any, weight: Any, pos_weight: Any) -> None:
        pass


@wrong(compiled=True, report="pytorch/pytorch#193757")
class CompiledWithoutCheck(ChecksUndocumented):
    """Compiled, it computes the exact loss of labels that its eager half rejects."""

    def check(self, prediction: Any, label: Any, weight: Any, pos_weight: Any) -> None:
        Probabilities.check(self, prediction, label, weight, pos_weight)


@wrong(compiled=True, report="pytorch/pytorch#197098")
class CompiledPromotes(CompiledWeighted):
    """Compiled with a weight, it returns float64."""

    mechanism = (Mechanism.NARROWER_INTERMEDIATE,)

    def call(self, quantity: str, prediction: Any, label: Any, **rest: Any) -> Any:
        result = super().call(quantity, prediction, label, **rest)
        return result.astype(np.float64) if rest.get("weight") is not None else result


@wrong(compiled=True)
class CompiledNaNForInfinity(CompiledLogits):
    """Compiled, an infinite loss is NaN, as where a branch is replaced by a product with 0."""

    def value(self, x: Any, y: Any, w: Any, q: Any) -> Any:
        result = super().value(x, y, w, q)
        return np.where(np.isinf(result), np.nan, result)


@wrong(compiled=True)
class CompiledLosesTail(CompiledLogits):
    """Compiled, log1p(e) becomes log(1 + e) in float32."""

    mechanism = (Mechanism.ABSORBED,)

    def softplus(self, z: Any) -> Any:
        e = np.exp(-np.abs(z)).astype(np.float32)
        return np.maximum(z, 0.0) + np.log(np.float32(1) + e)


@wrong(compiled=True)
class CompiledAddsAxis(Compiled):
    """Compiled, the result has one more axis in front."""

    def narrow(self, result: Any, prediction: Any) -> Any:
        return super().narrow(result, prediction)[None]


@wrong(compiled=True)
class CompiledKeepsFirstLength(Compiled):
    """Compiled for the length of its first call, it repeats the first results where another length comes."""

    def __init__(self) -> None:
        self.length = 0

    def value(self, x: Any, y: Any, w: Any, q: Any) -> Any:
        result = np.array(super().value(x, y, w, q))
        self.length = self.length or result.size
        if result.ndim == 1 and 0 < self.length < result.size:
            result[self.length :] = result[0]
        return result


@wrong(compiled=True)
class CompiledFusesClip(Compiled):
    """Compiled, predictions outside [0, 1] are clipped to it."""

    mechanism = (Mechanism.UNDOCUMENTED_CLAMP,)

    def inside(self, p: Any) -> Any:
        return np.clip(p, 0.0, 1.0)


@wrong(compiled=True)
class CompiledGradientLost(Logits):
    """Compiled, the gradient of a logit beyond 20 is 0 or 1 less the label."""

    mechanism = (Mechanism.SATURATED, Mechanism.FLUSHED)

    def sigmoid(self, z: Any) -> Any:
        return np.where(z < -20, 0.0, super().sigmoid(z))
