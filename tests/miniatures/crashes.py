"""Calls that do not come back, or raise for valid input."""

from __future__ import annotations

import ctypes
import os
from typing import Any

import numpy as np

from tests.miniatures.base import ALL_REDUCTIONS, Logits, Probabilities
from tests.miniatures.registry import wrong


class OnlyValue(Probabilities):
    """Only the value is offered."""

    quantities = ("value",)


class OnlyValueLogits(Logits):
    """Only the value is offered."""

    quantities = ("value",)


@wrong(rare=True)
class SegfaultsAtHuge(OnlyValueLogits):
    """Reads memory that is not there for a logit beyond 1e30, as a table lookup without a bound would."""

    def value(self, x: Any, y: Any, w: Any, q: Any) -> Any:
        if (np.isfinite(x) & (np.abs(x) > 1e30)).any():
            ctypes.string_at(0)
        return super().value(x, y, w, q)


@wrong(rare=True)
class ExitsOnNaN(OnlyValue):
    """Ends the process where a prediction is NaN."""

    def value(self, x: Any, y: Any, w: Any, q: Any) -> Any:
        if np.isnan(x).any():
            os._exit(3)
        return super().value(x, y, w, q)


@wrong(rare=True)
class AbortsAtLargeLabel(OnlyValue):
    """An assertion of a kernel ends the process where a label is beyond 200."""

    def value(self, x: Any, y: Any, w: Any, q: Any) -> Any:
        if (y > 200).any():
            os.abort()
        return super().value(x, y, w, q)


@wrong()
class SystemExitAtHalf(OnlyValue):
    """Raises SystemExit for a prediction of exactly one half."""

    def value(self, x: Any, y: Any, w: Any, q: Any) -> Any:
        if (x == 0.5).any():
            raise SystemExit(5)
        return super().value(x, y, w, q)


@wrong(rare=True)
class RaisesForOneElement(OnlyValue):
    """Refuses a tensor of one element."""

    reductions = ALL_REDUCTIONS

    def value(self, x: Any, y: Any, w: Any, q: Any) -> Any:
        if np.size(x) == 1:
            raise ValueError("batch size must be greater than 1")
        return super().value(x, y, w, q)


@wrong(rare=True)
class RaisesAtInfiniteLoss(OnlyValue):
    """Raises where the loss is infinite."""

    def value(self, x: Any, y: Any, w: Any, q: Any) -> Any:
        result = super().value(x, y, w, q)
        if np.isposinf(result).any():
            raise OverflowError("math range error")
        return result


@wrong(rare=True)
class RaisesAtSubnormal(OnlyValueLogits):
    """Raises where exp underflows."""

    def value(self, x: Any, y: Any, w: Any, q: Any) -> Any:
        if ((np.abs(x) > 87) & np.isfinite(x)).any():
            raise FloatingPointError("underflow encountered in exp")
        return super().value(x, y, w, q)
