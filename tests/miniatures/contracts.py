"""Documented properties that the results do not show."""

from __future__ import annotations

from typing import Any

import numpy as np

from conformance.contracts import Clip, DenormalsAreZero, Epsilon, FlushToZero, Formula, LogClamp, Reduction
from conformance.diagnosis.vocabulary import Mechanism
from tests.miniatures.base import ALL_REDUCTIONS, Logits, Probabilities
from tests.miniatures.registry import wrong
from tests.miniatures.right import SOURCE, Clips


class OnlyValue(Probabilities):
    """Only the value is offered."""

    quantities = ("value",)


class OnlyValueLogits(Logits):
    """Only the value is offered."""

    quantities = ("value",)


@wrong(rare=True)
class ClipNotDone(OnlyValue):
    """Documents a clip and does not clip."""

    contract = (Clip("1e-7", "0.9999999", SOURCE),)


@wrong()
class ClipsEarlier(Clips):
    """Documents a clip at 1e-7 and clips at 1e-6."""

    mechanism = (Mechanism.UNDOCUMENTED_CLAMP,)
    contract = (Clip("1e-7", "0.9999999", SOURCE),)
    quantities = ("value",)
    low, high = 1e-6, 1 - 1e-6


@wrong()
class ClampsEarlier(OnlyValue):
    """Documents that logarithms are at least -100 and clamps them at -50."""

    mechanism = (Mechanism.UNDOCUMENTED_CLAMP,)
    contract = (LogClamp(-100.0, SOURCE),)

    def log_p(self, p: Any) -> Any:
        return np.maximum(np.log(p), -50.0)

    def log_q(self, p: Any) -> Any:
        return np.maximum(np.log1p(-p), -50.0)


@wrong()
class ClampsOneLogarithm(OnlyValue):
    """Documents that logarithms are at least -100 and clamps that of p alone."""

    mechanism = (Mechanism.WRONG_TERM,)
    contract = (LogClamp(-100.0, SOURCE),)

    def log_p(self, p: Any) -> Any:
        return np.maximum(np.log(p), -100.0)


@wrong()
class EpsilonInOneLogarithm(OnlyValue):
    """Documents an epsilon inside both logarithms and adds it in one."""

    mechanism = (Mechanism.WRONG_TERM,)
    contract = (Epsilon(1e-7, SOURCE),)

    def log_p(self, p: Any) -> Any:
        return np.log(p + 1e-7)


@wrong(rare=True)
class FlushNotDone(OnlyValueLogits):
    """Documents flush-to-zero and keeps subnormal results."""

    contract = (FlushToZero(SOURCE),)


@wrong(rare=True)
class DenormalsKept(OnlyValue):
    """Documents that subnormal inputs are read as zero and reads them as they are."""

    contract = (DenormalsAreZero(SOURCE),)


@wrong(rare=True)
class FormulaNotUsed(OnlyValueLogits):
    """Documents a formula and computes something better."""

    contract = (Formula("tf-sigmoid-cross-entropy", SOURCE),)


@wrong()
class MeanNotDivided(OnlyValue):
    """Documents a mean over the number of elements and returns the sum."""

    contract = (Reduction("all", "elements", SOURCE),)
    reductions = ALL_REDUCTIONS

    def reduce(self, quantity: str, result: Any, reduction: str, w: Any) -> Any:
        return super().reduce(quantity, result, "none" if reduction == "none" else "sum", w)
