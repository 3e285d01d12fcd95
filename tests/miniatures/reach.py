"""Mistakes that ordinary batches of ordinary numbers do not show: each needs a place, a number or a caller of its own.

How they were thought of: what a kernel is split by (blocks, vectors, threads), what it is told beside numbers (strides,
parameters, what comes from above), what a function can hold on to or leave behind, and what a programmer compares with.
Each says in which check the finding must lie (`found_by`), so that it is told by its kind and not by luck.
"""

from __future__ import annotations

import decimal
import gc
import os
import random
import sys
import threading
import time
import warnings
from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np

from conformance.adapters.numpy import NumPyRuntime
from tests.miniatures.base import WEIGHTS, Logits, Loss, Probabilities
from tests.miniatures.registry import wrong

#: What becomes of a result that is wrong.
DAMAGES: dict[str, Callable[[Any], Any]] = {
    "twice": lambda result: 2.0 * result,
    "half": lambda result: 0.5 * result,
    "none": lambda result: 0.0 * result,
    "nan": lambda result: result + np.nan,
    "negated": lambda result: -result,
    "near": lambda result: result * (1.0 + 2.0**-14),
}


class Deferred:
    """A result that is computed when it is read."""

    def __init__(self, compute: Callable[[], Any]) -> None:
        self.compute = compute


class Reading(NumPyRuntime):
    """NumPy whose results may be computed late."""

    def bits(self, native: Any) -> Any:
        return super().bits(native.compute() if isinstance(native, Deferred) else native)


RUNTIME = Reading()


class Damaged(Loss):
    """Right but for some results of some quantities."""

    found_by: ClassVar[str]
    hard: ClassVar[str] = ""
    large: ClassVar[bool] = False
    damage: ClassVar[str]
    damaged: ClassVar[tuple[str, ...]]
    where: ClassVar[Callable[..., Any]]

    def compute(self, quantity: str, x: Any, y: Any, w: Any, q: Any, **parameters: float) -> Any:
        result = super().compute(quantity, x, y, w, q, **parameters)
        if quantity not in self.damaged or not np.size(result):
            return result
        return np.where(type(self).where(np.asarray(x)), DAMAGES[self.damage](result), result)


VALUE, GRADIENT, BOTH = ("value",), ("gradient-prediction",), ("value", "gradient-prediction")

FORMS: dict[str, type[Loss]] = {"logits": Logits, "probabilities": Probabilities}


def _index(x: Any) -> Any:
    return np.arange(x.size).reshape(x.shape)


def _last(x: Any, when: bool) -> Any:
    return _index(x) == (x.size - 1 if when else -1)


def _single(x: Any) -> Any:
    return x.astype(np.float32)


def _prime(number: int) -> bool:
    return number > 1 and all(number % one for one in range(2, int(number**0.5) + 1))


def _binade(x: Any, exponent: int) -> Any:
    return (x >= 2.0**exponent) & (x < 2.0 ** (exponent + 1))


def _like(x: Any, number: float) -> Any:
    """Elements that are the number in float32."""
    return _single(x) == np.float32(number)


BLOCK, MILLION, FAR = 1 << 16, 1 << 20, 1 << 22

#: name: (form, quantities, damage, where, the check that must find it, what it is).
PLACES: dict[str, tuple[str, tuple[str, ...], str, Callable[[Any], Any], str, str]] = {
    # Far inside a large tensor.
    "FarBeyondAMillion": ("logits", VALUE, "twice", lambda x: _index(x) >= MILLION, "shapes/large*", "From 2^20 on."),
    "OnceInAMillion": (
        *("probabilities", VALUE, "nan", lambda x: _index(x) % MILLION == MILLION - 1, "shapes/large*"),
        "The last of every 2^20 elements.",
    ),
    "BeyondFourMillion": ("logits", VALUE, "nan", lambda x: _index(x) >= FAR, "shapes/large*", "From 2^22 on."),
    "BlockEndsFarOut": (
        *("probabilities", VALUE, "twice", lambda x: (_index(x) % BLOCK == BLOCK - 1) & (_index(x) > MILLION)),
        *("shapes/large*", "The last of every 2^16 elements beyond a million."),
    ),
    # What is left of a length.
    "RestOf32": (
        "logits",
        VALUE,
        "twice",
        lambda x: _last(x, x.size > 1000 and x.size % 32 == 31),
        "shapes/residues*",
        "n = 31 mod 32.",
    ),
    "RestOf16": (
        "probabilities",
        VALUE,
        "nan",
        lambda x: _last(x, x.size > 1000 and x.size % 16 == 9),
        "shapes/residues*",
        "n = 9 mod 16.",
    ),
    "RestOf64": (
        "logits",
        VALUE,
        "none",
        lambda x: _last(x, x.size > 1000 and x.size % 64 in (33, 34, 35)),
        "shapes/residues*",
        "n = 33 to 35 mod 64.",
    ),
    "RestOf48": (
        "probabilities",
        VALUE,
        "half",
        lambda x: _last(x, x.size > 1000 and x.size % 48 > 44),
        "shapes/residues*",
        "n = 45 to 47 mod 48.",
    ),
    "LongPrimes": (
        "logits",
        VALUE,
        "half",
        lambda x: _last(x, x.size > 2000 and _prime(x.size)),
        "shapes/residues*",
        "Of a long prime length.",
    ),
    "RestOf8InTheGradient": (
        "probabilities",
        GRADIENT,
        "negated",
        lambda x: _last(x, x.size > 1000 and x.size % 8 == 5),
        "shapes/residues-gradient*",
        "n = 5 mod 8.",
    ),
    "LongPrimesInTheGradient": (
        "logits",
        GRADIENT,
        "twice",
        lambda x: _last(x, x.size > 1000 and _prime(x.size)),
        "shapes/residues-gradient*",
        "Of a long prime length.",
    ),
    # One binade.
    "BinadeOfASixtyFourth": (
        "probabilities",
        VALUE,
        "near",
        lambda x: _binade(x, -7),
        "hard-labels/binades",
        "p from 2^-7 to 2^-6.",
    ),
    "BinadeOfAMillionth": (
        "probabilities",
        VALUE,
        "twice",
        lambda x: _binade(x, -20),
        "hard-labels/binades",
        "p from 2^-20 to 2^-19.",
    ),
    "BinadeBelowOne": (
        "probabilities",
        BOTH,
        "near",
        lambda x: _binade(1 - x, -12),
        "hard-labels/binades",
        "1 - p from 2^-12 to 2^-11.",
    ),
    "BinadeNextToOne": (
        "probabilities",
        GRADIENT,
        "half",
        lambda x: _binade(1 - x, -18),
        "hard-labels/binades",
        "1 - p from 2^-18 to 2^-17.",
    ),
    "BinadeOfSmallLogits": (
        "logits",
        GRADIENT,
        "twice",
        lambda x: _binade(x, -9),
        "hard-labels/binades*",
        "z from 2^-9 to 2^-8.",
    ),
    "BinadeOfNegativeLogits": (
        "logits",
        VALUE,
        "near",
        lambda x: _binade(-x, -4),
        "hard-labels/binades*",
        "z from -2^-3 to -2^-4.",
    ),
    "BinadeOfLogits": (
        "logits",
        GRADIENT,
        "near",
        lambda x: _binade(np.abs(x), 2),
        "hard-labels/binades*",
        "z from 4 to 8.",
    ),
    # A number that somebody compares with.
    "AtAThousandth": (
        "probabilities",
        BOTH,
        "near",
        lambda x: _like(x, 1e-3),
        "extreme-predictions/constants",
        "p = 1e-3.",
    ),
    "AtTheRootOfEps": (
        "probabilities",
        BOTH,
        "twice",
        lambda x: _single(x) == np.float32(2.0**-11.5),
        "extreme-predictions/constants",
        "p = sqrt(2^-23).",
    ),
    "BelowATenThousandth": (
        *("probabilities", BOTH, "half", lambda x: _single(x) == np.nextafter(np.float32(1e-4), np.float32(0))),
        *("extreme-predictions/constants", "The number below 1e-4."),
    ),
    "AtEps": (
        "probabilities",
        BOTH,
        "half",
        lambda x: _like(x, 2.0**-23),
        "extreme-predictions/constants",
        "p = 2^-23.",
    ),
    "AtOneMinusAThousandth": (
        "probabilities",
        BOTH,
        "none",
        lambda x: _like(x, 0.999),
        "extreme-predictions/constants",
        "p = 1 - 1e-3.",
    ),
    "AtATenBillionth": (
        "probabilities",
        BOTH,
        "near",
        lambda x: _like(x, 1e-10),
        "extreme-predictions/constants",
        "p = 1e-10.",
    ),
    "AtSixteen": ("logits", BOTH, "twice", lambda x: x == 16, "extreme-predictions/constants*", "z = 16."),
    "AboveFifteen": (
        "logits",
        BOTH,
        "half",
        lambda x: (x > 15) & (x < 15.01),
        "extreme-predictions/constants*",
        "Just above z = 15.",
    ),
    "AtMinusThirtyTwo": ("logits", BOTH, "nan", lambda x: x == -32, "extreme-predictions/constants*", "z = -32."),
    "BelowForty": (
        "logits",
        BOTH,
        "none",
        lambda x: (x < 40) & (x > 39.99),
        "extreme-predictions/constants*",
        "Just below z = 40.",
    ),
}

for _name, (_form, _damaged, _damage, _where, _found, _what) in PLACES.items():
    _large = _found == "shapes/large*"
    _body = {
        "__doc__": f"{_what} {_damage} of what is right, in {' and '.join(_damaged)}.",
        "__module__": __name__,
        "damage": _damage,
        "damaged": _damaged,
        "where": staticmethod(_where),
        "found_by": _found,
        "large": _large,
        "hard": "one presentation, one quantity: millions of elements are asked for once" if _large else "",
        "quantities": BOTH if _damaged != VALUE else VALUE,
    }
    wrong(rare=True)(type(_name, (Damaged, FORMS[_form]), _body))


# -- parameters and weights ---------------------------------------------------------------------------


class Smoothed(Probabilities):
    """Takes a smoothing, which is first changed."""

    parameters = ("label_smoothing",)
    quantities = VALUE
    found_by = "options/label-smoothing-*"

    def changed(self, smoothing: float) -> float:
        """The smoothing that is applied."""
        raise NotImplementedError

    def label(self, label: Any, label_smoothing: float = 0.0, **parameters: float) -> Any:
        return super().label(label, self.changed(label_smoothing), **parameters)


class SmoothedLogits(Smoothed, Logits):
    """The same of logits."""

    form = "logits"
    terms, slopes, curvatures = Logits.terms, Logits.slopes, Logits.curvatures


#: name: (class, how the smoothing is changed, what it is).
SMOOTHINGS: dict[str, tuple[type[Smoothed], Callable[[float], float], str]] = {
    "SmallSmoothingIgnored": (Smoothed, lambda s: s if s >= 0.01 else 0.0, "A smoothing below 1 % is ignored."),
    "TinySmoothingIgnored": (SmoothedLogits, lambda s: s if s >= 0.002 else 0.0, "A smoothing below 0.2 % is ignored."),
    "SmoothingRounded": (SmoothedLogits, lambda s: round(s, 2), "A smoothing has two digits."),
    "SmoothingOfOneDigit": (Smoothed, lambda s: round(s, 1), "A smoothing has one digit."),
    "LargeSmoothingIsOne": (Smoothed, lambda s: 1.0 if s > 0.9 else s, "A smoothing above 0.9 is 1."),
    "SmoothingInTwentieths": (SmoothedLogits, lambda s: round(s * 20) / 20, "A smoothing has steps of 5 %."),
}

for _name, (_class, _change, _what) in SMOOTHINGS.items():
    _body = {"__doc__": _what, "__module__": __name__, "changed": lambda self, s, _change=_change: _change(s)}
    wrong(rare=True)(type(_name, (_class,), _body))


class Weighed(Logits):
    """Takes both weights, which are first changed."""

    options = WEIGHTS
    quantities = VALUE
    found_by = "options/*odd*"

    def coefficients(self, y: Any, w: Any, q: Any) -> tuple[Any, Any]:
        return super().coefficients(y, *self.changed(w, q))

    def changed(self, w: Any, q: Any) -> tuple[Any, Any]:
        """The weights that are applied."""
        raise NotImplementedError


#: name: (how the weights are changed, what it is).
WEIGHINGS: dict[str, tuple[Callable[[Any, Any], tuple[Any, Any]], str]] = {
    "SmallWeightsAreZero": (lambda w, q: (np.where(w < 0.05, 0.0, w), q), "A weight below 5 % is 0."),
    "WeightsOfTwoDigits": (lambda w, q: (np.round(w, 2), np.round(q, 2)), "Weights have two digits."),
    "LargeWeightsClipped": (lambda w, q: (np.minimum(w, 1000.0), np.minimum(q, 1000.0)), "Weights above 1000 are cut."),
    "WholeWeights": (lambda w, q: (np.where(w > 4, np.floor(w), w), q), "A weight above 4 is cut to an integer."),
    "WholePosWeights": (lambda w, q: (w, np.where(q > 4, np.floor(q), q)), "A pos_weight above 4 is cut."),
}

for _name, (_weigh, _what) in WEIGHINGS.items():
    _body = {"__doc__": _what, "__module__": __name__, "changed": lambda self, w, q, _weigh=_weigh: _weigh(w, q)}
    wrong(rare=True)(type(_name, (Weighed,), _body))


# -- how inputs lie in memory ---------------------------------------------------------------------------


def _raw(array: Any, strides: tuple[int, ...]) -> Any:
    return np.lib.stride_tricks.as_strided(array, strides=strides)


def _steps(array: Any) -> int:
    return array.strides[0] // array.itemsize if array.ndim == 1 and array.size > 1 else 0


def _packed(array: Any) -> Any:
    """Read as if rows followed each other without a gap."""
    return _raw(array, (array.shape[1] * array.itemsize, array.itemsize))


#: name: (quantities that read so, how an array is read, what it is).
READINGS: dict[str, tuple[tuple[str, ...], Callable[[Any], Any], str]] = {
    "ThirdsAsHalves": (VALUE, lambda a: _raw(a, (2 * a.itemsize,)) if _steps(a) == 3 else a, "Stride 3 is read as 2."),
    "SeventhsAsEighths": (
        *(VALUE, lambda a: _raw(a, (4 * a.itemsize,)) if _steps(a) == 7 else a),
        "A stride of 7 is read as one of 4.",
    ),
    "PaddingRead": (
        *(
            VALUE,
            lambda a: _packed(a) if a.ndim == 2 and a.size and a.strides[0] == (a.shape[1] + 3) * a.itemsize else a,
        ),
        "Rows are read as if they had no padding.",
    ),
    "RowsNotSkipped": (
        *(VALUE, lambda a: _packed(a) if a.ndim == 2 and a.size and a.strides[0] == 2 * a.shape[1] * a.itemsize else a),
        "Every other row is read as every row.",
    ),
    "AxesAsTheyLie": (
        *(VALUE, lambda a: a.ravel(order="K").reshape(a.shape) if a.ndim == 3 and not a.flags.f_contiguous else a),
        "Three axes are read in the order of memory.",
    ),
    "GradientOfThePadding": (
        *(GRADIENT, lambda a: _packed(a) if a.ndim == 2 and a.size and a.strides[0] > a.shape[1] * a.itemsize else a),
        "The gradient reads rows without their padding.",
    ),
    "GradientOfAxesAsTheyLie": (
        *(GRADIENT, lambda a: a.ravel(order="K").reshape(a.shape) if a.ndim > 1 and not a.flags.f_contiguous else a),
        "The gradient reads elements in the order of memory.",
    ),
}


class ReadsWrongly(Logits):
    """The prediction is read by a method of its own."""

    quantities = BOTH
    reading: ClassVar[tuple[tuple[str, ...], Callable[[Any], Any]]]
    found_by = "shapes/views*"

    def call(self, quantity: str, prediction: Any, label: Any, **rest: Any) -> Any:
        quantities, read = type(self).reading
        return super().call(quantity, read(prediction) if quantity in quantities else prediction, label, **rest)


for _name, (_quantities, _read, _what) in READINGS.items():
    _body = {"__doc__": _what, "__module__": __name__, "reading": (_quantities, _read)}
    wrong(rare=True)(type(_name, (ReadsWrongly,), _body))


# -- what comes from above ---------------------------------------------------------------------------


class Pulled(np.ndarray):  # type: ignore[type-arg]
    """A gradient that is multiplied by what comes from above in a way of its own."""

    pull: Callable[[Any], Any]

    def __mul__(self, upstream: Any) -> Any:
        plain = np.asarray(self)
        return plain * np.asarray(self.pull(np.asarray(upstream))).astype(plain.dtype)


class Backward(Logits):
    """The derivative is a vector-Jacobian product."""

    quantities = BOTH
    found_by = "relations/upstream*"
    pull: ClassVar[Callable[[Any], Any]]

    def call(self, quantity: str, prediction: Any, label: Any, **rest: Any) -> Any:
        result = super().call(quantity, prediction, label, **rest)
        if quantity != "gradient-prediction":
            return result
        pulled = np.asarray(result).view(Pulled)
        pulled.pull = type(self).pull
        return pulled


class BackwardProbabilities(Backward, Probabilities):
    """The same of probabilities."""

    form = "probabilities"
    terms, slopes, curvatures = Probabilities.terms, Probabilities.slopes, Probabilities.curvatures
    second_derivative, gradient_label = Loss.second_derivative, Loss.gradient_label


class BackwardSums(Backward):
    """The same with a sum."""

    reductions = ("none", "sum")


#: name: (class, what becomes of what comes from above, what it is).
PULLS: dict[str, tuple[type[Backward], Callable[[Any], Any], str]] = {
    "UpstreamIgnored": (Backward, np.ones_like, "It is taken for ones."),
    "UpstreamWithoutSign": (BackwardProbabilities, np.abs, "Its sign is lost."),
    "UpstreamIsASign": (BackwardProbabilities, np.sign, "Its size is lost."),
    "UpstreamClipped": (BackwardProbabilities, lambda v: np.clip(v, -1, 1), "It is cut to [-1, 1]."),
    "UpstreamAveraged": (BackwardProbabilities, lambda v: np.full_like(v, v.mean()), "Every element gets its mean."),
    "UpstreamReversed": (Backward, lambda v: v[::-1] if v.ndim else v, "It is read from its end."),
    "UpstreamSquared": (BackwardSums, lambda v: v * np.abs(v), "It is applied twice."),
    "FirstUpstreamForAll": (
        BackwardProbabilities,
        lambda v: v[:1] + 0 * v if v.ndim else v,
        "Only its first number is read.",
    ),
    "UpstreamOfASumIgnored": (BackwardSums, lambda v: v if v.ndim else np.ones_like(v), "A single one is taken for 1."),
}

for _name, (_class, _pull, _what) in PULLS.items():
    _body = {"__doc__": f"What comes from above: {_what}", "__module__": __name__, "pull": staticmethod(_pull)}
    wrong(rare=True)(type(_name, (_class,), _body))


# -- beside a stranger ---------------------------------------------------------------------------


class Batchwise(Logits):
    """Results of a batch are changed where one of it is strange."""

    quantities = BOTH
    spread: ClassVar[tuple[tuple[str, ...], Callable[[Any, Any], Any]]]
    found_by = "relations/beside-*"

    def compute(self, quantity: str, x: Any, y: Any, w: Any, q: Any, **parameters: float) -> Any:
        result = super().compute(quantity, x, y, w, q, **parameters)
        quantities, change = type(self).spread
        return change(result, x) if quantity in quantities and np.size(result) else result


def _softened(result: Any, x: Any) -> Any:
    """Relative to the largest finite one, in float32."""
    finite = result[np.isfinite(result)]
    most = np.max(np.abs(finite)) if finite.size else 0.0
    return np.where(most > 1e4, (result + most).astype(np.float32) - most, result)


#: name: (quantities, what becomes of the results of a batch, what it is).
SPREADS: dict[str, tuple[tuple[str, ...], Callable[[Any, Any], Any], str]] = {
    "NaNSpreads": (VALUE, lambda r, x: r + (np.nan if np.isnan(r).any() else 0), "One NaN makes all of them NaN."),
    "NaNStopsTheBatch": (VALUE, lambda r, x: np.where(np.isnan(r).any(), 0 * r, r), "A batch with a NaN has loss 0."),
    "GradientNaNSpreads": (
        GRADIENT,
        lambda r, x: r + (np.nan if np.isnan(r).any() else 0),
        "One NaN makes every gradient NaN.",
    ),
    "GradientSkipsTheBatch": (
        GRADIENT,
        lambda r, x: np.where(np.isnan(r).any(), 0.0, r),
        "A batch with a NaN has no gradient.",
    ),
    "InfinitySpreads": (
        VALUE,
        lambda r, x: r + (np.inf if np.isposinf(r).any() else 0),
        "One infinite loss makes all so.",
    ),
    "InfinityCancels": (
        BOTH,
        lambda r, x: r * (np.nan if np.isinf(x).any() else 1),
        "A batch with an infinite logit is NaN.",
    ),
    "HugeScalesAway": (VALUE, _softened, "Losses are formed relative to the largest, in float32."),
    "HugeClipsTheBatch": (
        VALUE,
        lambda r, x: np.where(np.max(x) > 1e4, np.minimum(r, 1.0), r),
        "Beside a huge logit losses end at 1.",
    ),
}

for _name, (_quantities, _spread, _what) in SPREADS.items():
    _body = {"__doc__": _what, "__module__": __name__, "spread": (_quantities, _spread)}
    wrong(rare=True)(type(_name, (Batchwise,), _body))


# -- memory, threads and what stays ---------------------------------------------------------------------------


@wrong(rare=True)
class ComputesWhenRead(Logits):
    """The loss is computed when it is read, of what the inputs then hold."""

    quantities = VALUE
    found_by = "relations/overwritten*"

    def call(self, quantity: str, prediction: Any, label: Any, **rest: Any) -> Any:
        return Deferred(lambda: super(ComputesWhenRead, self).call(quantity, prediction, label, **rest))


@wrong(rare=True)
class GradientComputedWhenRead(Probabilities):
    """The gradient is computed when it is read, of what the inputs then hold."""

    quantities = BOTH
    found_by = "relations/overwritten-gradient*"

    def call(self, quantity: str, prediction: Any, label: Any, **rest: Any) -> Any:
        if quantity == "value":
            return super().call(quantity, prediction, label, **rest)
        return Deferred(lambda: super(GradientComputedWhenRead, self).call(quantity, prediction, label, **rest))


class Buffered(Logits):
    """Results are written into memory that is used again."""

    quantities = VALUE
    found_by = "relations/kept*"
    buffers = 1

    def __init__(self) -> None:
        self.memory: dict[Any, Any] = {}
        self.turn = 0

    def call(self, quantity: str, prediction: Any, label: Any, **rest: Any) -> Any:
        result = super().call(quantity, prediction, label, **rest)
        if quantity != self.quantities[-1]:
            return result
        self.turn = (self.turn + 1) % self.buffers
        buffer = self.memory.setdefault((self.turn, result.shape, result.dtype), np.empty_like(result))
        buffer[...] = result
        return buffer


@wrong(rare=True)
class TwoBuffers(Buffered):
    """Results go round in two buffers."""

    buffers = 2


@wrong(rare=True)
class GradientReusesItsBuffer(Buffered):
    """Every gradient is written into the memory of the one before."""

    quantities = BOTH
    found_by = "relations/kept-gradient*"


class Elsewhere(Logits):
    """Results in another thread than the one that came first are changed."""

    quantities = BOTH
    moved: ClassVar[tuple[tuple[str, ...], Callable[[Any], Any]]]
    found_by = "relations/thread*"

    def __init__(self) -> None:
        self.owner = 0

    def compute(self, quantity: str, x: Any, y: Any, w: Any, q: Any, **parameters: float) -> Any:
        result = super().compute(quantity, x, y, w, q, **parameters)
        self.owner = self.owner or threading.get_ident()
        quantities, change = type(self).moved
        return change(result) if quantity in quantities and threading.get_ident() != self.owner else result


def _raised(result: Any) -> Any:
    raise RuntimeError("there is no context in this thread")


#: name: (quantities, what becomes of results in another thread, what it is).
MOVES: dict[str, tuple[tuple[str, ...], Callable[[Any], Any], str]] = {
    "TableOfTheFirstThread": (VALUE, DAMAGES["nan"], "A table is filled in the first thread alone."),
    "PrecisionOfTheFirstThread": (VALUE, DAMAGES["near"], "Another thread computes with 14 bits."),
    "GradientModeOfTheFirstThread": (GRADIENT, DAMAGES["none"], "Another thread has no gradient."),
    "ContextOfTheFirstThread": (VALUE, _raised, "Another thread is refused."),
}

for _name, (_quantities, _move, _what) in MOVES.items():
    _body = {"__doc__": _what, "__module__": __name__, "moved": (_quantities, _move)}
    wrong(rare=True)(type(_name, (Elsewhere,), _body))


class OneScratch(Probabilities):
    """Two calls at the same time share what lies between their steps."""

    quantities = VALUE
    found_by = "relations/threads*"
    patience = 2000

    def __init__(self) -> None:
        self.scratch: Any = None

    def value(self, x: Any, y: Any, w: Any, q: Any) -> Any:
        self.scratch = x
        mine = x
        if threading.current_thread() is not threading.main_thread():
            for _ in range(self.patience):  # a step that takes long lets the other thread in
                time.sleep(0)
                if self.scratch is not mine:
                    break
        return super().value(
            np.broadcast_to(np.ravel(self.scratch)[:1], np.shape(x)) if self.scratch is not mine else x, y, w, q
        )


wrong(rare=True)(type("SharesItsScratch", (OneScratch,), {"__doc__": OneScratch.__doc__, "__module__": __name__}))


@wrong(rare=True)
class TakesOneTensorForNothing(Probabilities):
    """A tensor with itself has no loss, as a distance would have none."""

    quantities = VALUE
    found_by = "relations/aliased"

    def call(self, quantity: str, prediction: Any, label: Any, **rest: Any) -> Any:
        result = super().call(quantity, prediction, label, **rest)
        return 0 * result if prediction is label else result


class Flickering(Probabilities):
    """Gradients are not the same twice."""

    quantities = BOTH
    found_by = "*::repeatable"
    every = 2

    def __init__(self) -> None:
        self.calls = 0

    def gradient_prediction(self, x: Any, y: Any, w: Any, q: Any) -> Any:
        self.calls += 1
        result = super().gradient_prediction(x, y, w, q)
        return result * (1 + 2.0**-22) if self.calls % self.every == 0 else result


wrong(rare=True)(
    type(
        "GradientFlickers", (Flickering,), {"__doc__": "Every other gradient is 2 ULP larger.", "__module__": __name__}
    )
)


class Leaves(Loss):
    """A call leaves something behind in the process."""

    quantities = VALUE
    found_by = "*::inputs-unchanged"
    left: ClassVar[tuple[Callable[[Any], bool], Callable[[], Any]]]

    def value(self, x: Any, y: Any, w: Any, q: Any) -> Any:
        when, leave = type(self).left
        if np.size(x) and when(np.asarray(x)):
            leave()
        return super().value(x, y, w, q)


def _set_environment() -> None:
    os.environ["MINIATURE_SEEN"] = str(len(os.environ.get("MINIATURE_SEEN", "")))


#: name: (form, for which predictions it is left, what is done, what it is).
LEFT: dict[str, tuple[str, Callable[[Any], bool], Callable[[], Any], str]] = {
    "SilencesNumPy": (
        "logits",
        lambda x: True,
        lambda: np.seterr(all="ignore", under="raise"),
        "NumPy's error state is set.",
    ),
    "SeedsNumPy": ("probabilities", lambda x: True, lambda: np.random.seed(0), "NumPy's generator is seeded."),
    "DrawsANumber": ("logits", lambda x: bool((x > 8).any()), random.random, "A random number is drawn."),
    "FiltersWarnings": (
        "probabilities",
        lambda x: bool((x > 0.85).any()),
        lambda: warnings.simplefilter("ignore"),
        "Warnings are ignored from now on.",
    ),
    "SetsAVariable": (
        "logits",
        lambda x: bool((x < -8).any()),
        _set_environment,
        "A variable of the environment is set.",
    ),
    "NarrowsDecimals": (
        "probabilities",
        lambda x: bool((x < 0.05).any()),
        lambda: setattr(decimal.getcontext(), "prec", 7),
        "Decimal numbers have 7 digits.",
    ),
    "StopsCollecting": ("logits", lambda x: bool((x > 2.5).any()), gc.disable, "Garbage is collected no more."),
    "RecursesDeeper": (
        "logits",
        lambda x: bool((x < -2.5).any()),
        lambda: sys.setrecursionlimit(5000),
        "The recursion limit is raised.",
    ),
    "PrintsOtherwise": (
        "probabilities",
        lambda x: bool((x > 0.65).any()),
        lambda: np.set_printoptions(precision=3),
        "Arrays are printed with 3 digits.",
    ),
    "DrawsFromNumPy": (
        "probabilities",
        lambda x: bool((x < 0.2).any()),
        np.random.random,
        "A random number of NumPy is drawn.",
    ),
}

for _name, (_form, _when, _leave, _what) in LEFT.items():
    _body = {"__doc__": _what, "__module__": __name__, "left": (_when, _leave)}
    wrong(rare=True)(type(_name, (Leaves, FORMS[_form]), _body))
