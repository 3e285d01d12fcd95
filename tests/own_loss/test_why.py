"""`from conformance import diagnose`: a loss of one's own, from its results alone."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from conformance import diagnose
from conformance.diagnosis.vocabulary import Mechanism

pytestmark = pytest.mark.slow


def sigmoid_textbook(prediction: Any, label: Any) -> Any:
    """What loses a prediction of 20."""
    with np.errstate(all="ignore"):
        s = 1 / (1 + np.exp(-prediction))
        return -(label * np.log(s) + (1 - label) * np.log(1 - s))


def without_a_model(prediction: Any, label: Any) -> Any:
    """No formula: noise of one part in a hundred, the same for the same inputs."""
    with np.errstate(all="ignore"):
        z, y = np.float64(prediction), np.float64(label)
        loss = np.maximum(z, 0) - z * y + np.log1p(np.exp(-np.abs(z)))
        return (loss * (1 + 0.01 * np.sin(1e6 * (z + 3 * y)))).astype(prediction.dtype)


def test_the_formula_and_the_mechanism_of_a_loss_of_ones_own_are_told() -> None:
    """As text and as data."""
    found = diagnose(sigmoid_textbook, form="logits", backend="numpy", dtypes=["float32"], quantities=["value"])
    assert found
    assert "-(y*log(sigmoid(z)) + (1 - y)*log(1 - sigmoid(z)))" in str(found)
    assert Mechanism.SATURATED in found.found[0].mechanisms


def test_a_loss_that_no_formula_gives_is_unidentified() -> None:
    """And no mechanism is claimed."""
    found = diagnose(without_a_model, form="logits", backend="numpy", dtypes=["float32"], quantities=["value"])
    assert found
    assert all(one.model is None and one.examples == () for one in found.found)
    assert "unidentified" in str(found)
