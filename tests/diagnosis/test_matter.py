"""How much a wrong result matters, against every number of bfloat16 and against what a person computes."""

from __future__ import annotations

import math

import numpy as np
import pytest

from conformance.diagnosis.matter import Matter, matter
from conformance.diagnosis.window import Curve, Where, windows
from conformance.formulas.arithmetic import EACH, KERNELS, Arithmetic
from conformance.formulas.expression import Expression, exp, log1p, var
from tests.blame import TORCH

z, y = var("z"), var("y")

FLOAT32 = Arithmetic(name=EACH, inputs="float32", step="float32", inside="float32", result="float32")
BFLOAT16 = Arithmetic(name=KERNELS, inputs="bfloat16", step="bfloat16", inside="float32", result="bfloat16")


def of(formula: Expression, arithmetic: Arithmetic, label: float = 0.0) -> Matter | None:
    """How much the results of a formula matter, of which a run has none."""
    curve = Curve(expression=formula, arithmetic=arithmetic, form="logits", quantity="value", label=label)
    return matter(Where(curve, windows(curve), curve.at(np.zeros(0))))


def bfloat16(values: np.ndarray) -> np.ndarray:
    """float32 numbers rounded to 8 bits, ties to even."""
    bits = values.astype(np.float32).view(np.uint32).astype(np.uint64)
    kept = (bits + 0x7FFF + (bits >> np.uint64(16) & np.uint64(1))) >> np.uint64(16) << np.uint64(16)
    return kept.astype(np.uint32).view(np.float32)


def test_the_largest_loss_that_comes_out_as_0_is_that_of_every_number_of_bfloat16() -> None:
    """-4.15625, whose sigmoid is 1.5 %: log_sigmoid is rounded to the prediction itself from there on."""
    every = (np.arange(0x8000, 0xFF80, dtype=np.uint32) << np.uint32(16)).view(np.float32)
    every = every[(every <= -1e-4) & (every >= -110)]
    log_sigmoid = bfloat16(every - np.log1p(np.exp(every)))
    largest = max(float(one) for one in every[log_sigmoid == every])
    found = of(TORCH, BFLOAT16)
    assert found is not None
    assert found.zero is not None
    assert found.zero.prediction == largest
    assert found.zero.exact == pytest.approx(math.log1p(math.exp(largest)), rel=1e-12)


def test_no_loss_that_is_rounded_beside_the_prediction_is_off_by_more_than_one_step_of_it() -> None:
    """Half a step where log_sigmoid is in the binade of z, one where it is beyond the next power of two."""
    found = of(TORCH, BFLOAT16)
    assert found is not None
    assert 0.5 < found.steps <= 1
    assert 0.01 < found.error < 2**-6


def test_a_loss_that_overflows_is_no_number_where_the_exact_one_is_small() -> None:
    """log(1 + e^88.72) is 88.72, and no result that is a number is wrong."""
    found = of(log1p(exp(z)) - z * y, FLOAT32)
    assert found is not None
    assert found.lost is not None
    assert found.lost.prediction == found.lost.exact == pytest.approx(88.7228, rel=1e-6)
    assert found.zero is None
    assert found.at is None


def test_where_nothing_is_wrong_nothing_matters() -> None:
    """With label 1 nothing cancels."""
    assert of(TORCH, FLOAT32, 1.0) is None
