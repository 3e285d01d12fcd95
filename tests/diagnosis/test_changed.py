"""What changed between two runs: a formula, an arithmetic, or nothing that anybody can tell."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from conformance import measure
from conformance.diagnosis.changed import ModelChange, Results, model_changes
from conformance.record.record import RunRecord
from tests.diagnosis.test_why import FAMILIES, from_logits, never_twice

#: What is called the same in both runs.
LOSS = "numpy/loss/eager/cpu"


def softplus_of_size(z: Any, y: Any) -> Any:
    """max(z, 0) - z*y + log1p(exp(-|z|)), each step in the dtype."""
    with np.errstate(all="ignore"):
        return np.maximum(z, 0) - z * y + np.log1p(np.exp(-np.abs(z)))


def inside_float32(z: Any, y: Any) -> Any:
    """(1 - y)*z - log_sigmoid(z) in float32, rounded once to the dtype."""
    return from_logits(z.astype(np.float32), y.astype(np.float32)).astype(z.dtype)


def other_last_bits(z: Any, y: Any) -> Any:
    """(1 - y)*z - log_sigmoid(z) with a log1p that rounds up, as another processor's may."""
    with np.errstate(all="ignore"):
        tail = np.log1p(np.exp(-np.abs(z)))
        return (1 - y) * z - (np.minimum(z, 0) - np.nextafter(tail, tail + tail))


def run(loss: Any, dtype: str) -> RunRecord:
    """The values of a loss of logits."""
    with np.errstate(all="ignore"):
        return measure(
            loss, name="loss", form="logits", backend="numpy", dtypes=[dtype], quantities=["value"], cases=FAMILIES
        ).record


def between(old: Any, new: Any, dtype: str) -> list[ModelChange]:
    """The changes from one loss to another."""
    return model_changes(run(old, dtype), run(new, dtype), [Results(LOSS, "value", dtype)])


@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_another_formula_is_told_by_both_names(dtype: str) -> None:
    """The one that loses the tail for label 0, and the one that does not."""
    (change,) = between(from_logits, softplus_of_size, dtype)
    assert (change.implementation, change.quantity, change.dtypes) == (LOSS, "value", (dtype,))
    assert change.sentence == ("the formula changed: (1 - y)*z - log_sigmoid(z) → max(z, 0) - z*y + log1p(exp(-|z|))")


def test_another_arithmetic_of_the_same_formula_is_told_as_that() -> None:
    """As a compiler does it that keeps float32 between the steps of a loss in float16."""
    (change,) = between(from_logits, inside_float32, "float16")
    assert change.sentence == "the arithmetic changed: each step → float32 inside"


@pytest.mark.parametrize("other", [from_logits, other_last_bits])
def test_last_bits_of_another_processor_are_no_change(other: Any) -> None:
    """The results differ, and the old model has the new ones in its reach."""
    assert between(from_logits, other, "float32") == []


def test_nothing_is_said_where_a_side_is_unidentified() -> None:
    """The nearest formula is none."""
    assert between(from_logits, never_twice, "float32") == between(never_twice, from_logits, "float32") == []
