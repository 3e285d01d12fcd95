"""Losses that people publish, restated in NumPy: what is right passes as it is, and what is wrong is told first."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from conformance import Report, assert_conforms, measure


def of_logits(z: Any, y: Any) -> Any:
    """The loss of logits in float64, for any label."""
    with np.errstate(all="ignore"):
        one = np.where(y == 0, 0.0, y * np.logaddexp(0, -z))
        zero = np.where(y == 1, 0.0, (1 - y) * np.logaddexp(0, z))
        return one + zero


def of_probabilities(p: Any, y: Any) -> Any:
    """The loss of probabilities in float64, for any label."""
    with np.errstate(all="ignore"):
        one = np.where(y == 0, 0.0, -y * np.log(p))
        zero = np.where(y == 1, 0.0, -(1 - y) * np.log1p(-p))
        return one + zero


def wide(*arrays: Any) -> tuple[Any, ...]:
    """Arrays in float64, in which the results of float32 and float16 are right to less than an ULP."""
    return tuple(np.asarray(one).astype(np.float64) for one in arrays)


def causes(report: Report) -> list[str]:
    """What was found, in the order in which it is told."""
    return [one.cause for one in report.findings]


# -- masks -----------------------------------------------------------------------------------------------------------

MASKED: dict[str, Any] = {
    "form": "probabilities",
    "backend": "numpy",
    "dtypes": ["float16", "float32"],
    "cases": ["hard-labels", "reductions"],
    "options": ["weight"],
    "masks": True,
    "reductions": ["none", "mean", "sum"],
}


def masked(kept: bool) -> Callable[..., Any]:
    """A loss with a mask, whose mean is over the elements that are kept, or by mistake over all."""

    def loss(prediction: Any, label: Any, weight: Any = None, reduction: str = "none") -> Any:
        p, y, w = wide(prediction, label, np.ones_like(prediction) if weight is None else weight)
        losses = np.where(w == 0, 0.0, of_probabilities(p, y))
        if reduction == "none":
            return losses.astype(prediction.dtype)
        with np.errstate(all="ignore"):
            divisor = 1.0 if reduction == "sum" else w.sum() if kept else float(w.size)
            return np.asarray(losses.sum() / divisor).astype(prediction.dtype)

    return loss


def test_the_mean_over_what_a_mask_keeps_conforms_without_a_word_more() -> None:
    """A mask says what the mean divides by: who declares it has declared that."""
    assert_conforms(masked(kept=True), **MASKED)


def test_a_masked_mean_over_all_elements_is_wrong_in_every_case_that_masks_one() -> None:
    """One of them would be right by luck if cases divided by different numbers."""
    report = measure(masked(kept=False), **MASKED)
    assert {check.case for check in report.checks if check.findings and check.quantity == "value"} == {
        "reductions/mean-masked",
        "reductions/mean-weighted",
    }
