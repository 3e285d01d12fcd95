"""Right ones: exact mathematics, and what documents print."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np

from conformance.adapters import ALL_DTYPES, Implementation
from conformance.contracts import CastsTo, Clip, DomainCheck, Epsilon, FlushToZero, Formula, LogClamp, Reduction, Source
from tests.data.adapters import correctly_rounded
from tests.miniatures.base import ALL_REDUCTIONS, WEIGHTS, Logits, Probabilities, times
from tests.miniatures.registry import right

#: These miniatures are their own documentation.
SOURCE = Source("it says so", "https://example.org/documentation")

#: A mean divides by the number of elements also where weights mask some of them.
DIVIDES_BY_ELEMENTS = Reduction("all", "elements", SOURCE)


@right
class NaturalTermsLogits(Logits):
    """Float64 by natural terms, with everything that a loss can offer."""

    contract = (DIVIDES_BY_ELEMENTS,)
    dtypes = ALL_DTYPES
    options = WEIGHTS
    reductions = ALL_REDUCTIONS


@right
class NaturalTerms(Probabilities):
    """The same of probabilities, but not for float64, whose largest label leaves float64 no room."""

    contract = (DIVIDES_BY_ELEMENTS,)
    dtypes = ALL_DTYPES[1:]
    options = WEIGHTS
    reductions = ALL_REDUCTIONS


@right
class UnreducedLogits(Logits):
    """The same without options, reductions and anything documented."""

    dtypes = ALL_DTYPES


@right
class Unreduced(Probabilities):
    """The same without options, reductions and anything documented."""

    dtypes = ALL_DTYPES[1:]


class InItsOwnDtype(Logits):
    """A value that is computed in the dtype of the prediction by a printed formula, where that says something.

    At infinities it gives NaN, and where the loss is subnormal its bound excuses no 0.
    """

    options = ("pos_weight",)

    def call(self, quantity: str, prediction: Any, label: Any, **rest: Any) -> Any:
        exact = super().call(quantity, prediction, label, **rest)
        if quantity != "value":
            return exact
        one = np.ones((), dtype=prediction.dtype)
        with np.errstate(all="ignore"):
            printed = self.printed(prediction, label.astype(prediction.dtype), rest.get("pos_weight", one))
            finite = np.isfinite(prediction) & np.isfinite(label.astype(prediction.dtype))
            normal = np.abs(exact) >= np.finfo(exact.dtype).tiny
            return np.where(finite & normal, printed, exact)

    def printed(self, x: Any, z: Any, q: Any) -> Any:
        """The formula, in the letters of its documentation."""
        raise NotImplementedError


@right
class StableFormula(InItsOwnDtype):
    """The formula that TensorFlow prints, with its rounding errors, which it declares."""

    contract = (Formula("tf-sigmoid-cross-entropy", SOURCE),)
    options = ()

    def printed(self, x: Any, z: Any, q: Any) -> Any:
        return np.maximum(x, 0) - x * z + np.log1p(np.exp(-np.abs(x)))


@right
class WeightedFormula(InItsOwnDtype):
    """The formula that TensorFlow prints for a weight of the positive term, with its rounding errors."""

    contract = (Formula("tf-weighted-cross-entropy", SOURCE),)

    def printed(self, x: Any, z: Any, q: Any) -> Any:
        left = times(1 - z, x).astype(x.dtype)
        return left + (1 + (q - 1) * z) * (np.log1p(np.exp(-np.abs(x))) + np.maximum(-x, 0))


class Clips(Probabilities):
    """The prediction is clipped before the logarithms; outside the bounds the derivatives by it are 0."""

    low, high = float(np.float32(1e-7)), float(np.float32(1 - 1e-7))

    def inside(self, p: Any) -> Any:
        return np.clip(p, self.low, self.high)

    def slopes(self, x: Any) -> tuple[Any, Any]:
        positive, negative = super().slopes(x)
        outside = (x < self.low) | (x > self.high)
        return np.where(outside, 0.0, positive), np.where(outside, 0.0, negative)

    def curvatures(self, x: Any) -> tuple[Any, Any]:
        positive, negative = super().curvatures(x)
        outside = (x < self.low) | (x > self.high)
        return np.where(outside, 0.0, positive), np.where(outside, 0.0, negative)


@right
class DocumentedClip(Clips):
    """The clip to [1e-7, 1 - 1e-7], as Keras documents it."""

    contract = (Clip("1e-7", "0.9999999", SOURCE),)


@right
class DocumentedLogClamp(Probabilities):
    """Logarithms are at least -100, as PyTorch documents it; where one is clamped its derivatives are 0."""

    contract = (LogClamp(-100.0, SOURCE),)

    def log_p(self, p: Any) -> Any:
        return np.maximum(super().log_p(p), -100.0)

    def log_q(self, p: Any) -> Any:
        return np.maximum(super().log_q(p), -100.0)

    def slopes(self, x: Any) -> tuple[Any, Any]:
        positive, negative = super().slopes(x)
        return np.where(np.log(x) < -100, 0.0, positive), np.where(x == 1, 0.0, negative)

    def curvatures(self, x: Any) -> tuple[Any, Any]:
        positive, negative = super().curvatures(x)
        return np.where(np.log(x) < -100, 0.0, positive), np.where(x == 1, 0.0, negative)


@right
class DocumentedEpsilon(Probabilities):
    """1e-7 is added inside both logarithms, as TensorFlow's losses.log_loss documents it."""

    contract = (Epsilon(1e-7, SOURCE),)

    def log_p(self, p: Any) -> Any:
        return np.log(p + 1e-7)

    def log_q(self, p: Any) -> Any:
        return np.where(p < 0.5, np.log1p(1e-7 - p), np.log((1.0 - p) + 1e-7))

    def slopes(self, x: Any) -> tuple[Any, Any]:
        p = self.inside(x)
        return -1.0 / (p + 1e-7), 1.0 / ((1.0 - p) + 1e-7)

    def curvatures(self, x: Any) -> tuple[Any, Any]:
        positive, negative = self.slopes(x)
        return positive * positive, negative * negative


class Checks(Probabilities):
    """Raises for a label or a prediction outside [0, 1]."""

    def check(self, prediction: Any, label: Any, weight: Any, pos_weight: Any) -> None:
        super().check(prediction, label, weight, pos_weight)
        for name, array in (("prediction", prediction), ("label", label)):
            if ((array < 0) | (array > 1)).any():
                raise ValueError(f"{name} must lie between 0 and 1")


@right
class DocumentedCheck(Checks):
    """Labels and predictions outside [0, 1] are rejected, which is documented."""

    contract = (DomainCheck("label", "ValueError", SOURCE), DomainCheck("prediction", "ValueError", SOURCE))


class CastsToFloat32:
    """All inputs are cast to float32 first, and the result has that dtype."""

    dtypes = ALL_DTYPES
    contract = (CastsTo("float32", SOURCE),)

    def call(self, quantity: str, prediction: Any, label: Any, **rest: Any) -> Any:
        """The call with float32 in place of what came."""
        with np.errstate(all="ignore"):
            return super().call(quantity, prediction.astype(np.float32), label.astype(np.float32), **rest)  # type: ignore[misc]


@right
class DocumentedCastAndClip(CastsToFloat32, Clips):
    """Everything is cast to float32 and then clipped, as the loss objects of Keras document it."""

    contract = (CastsTo("float32", SOURCE), Clip("1e-7", "0.9999999", SOURCE))


@right
class DocumentedCastLogits(CastsToFloat32, Logits):
    """Everything is cast to float32, which is documented."""


class FlushesLogits(Logits):
    """Subnormal results are replaced by zero."""

    def narrow(self, result: Any, prediction: Any) -> Any:
        narrow = super().narrow(result, prediction)
        return np.where(np.abs(narrow) < np.finfo(narrow.dtype).tiny, 0 * narrow, narrow)


@right
class DocumentedFlush(FlushesLogits):
    """Subnormal results are replaced by zero, which is documented."""

    contract = (FlushToZero(SOURCE),)


#: Each result is the exact value rounded once, by another derivation than that of the reference.
CORRECTLY_ROUNDED: list[Implementation] = [copy.copy(one) for one in correctly_rounded.adapters[0].implementations]
for _one in CORRECTLY_ROUNDED:
    _one.contract = (DIVIDES_BY_ELEMENTS,)
