"""The values that Arb certifies where double-double is not certain enough are those of the reference."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

import reference
from conformance.judge.escalate import escalate, exact
from reference import FUNCTIONS

FOCAL = ("value", "gradient-prediction", "gradient-weight")

PREDICTIONS = {"logits": (-700.0, -1e-3, 0.0, 2.0), "probabilities": (1e-300, 0.1, 0.5, 0.3)}


@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"label_smoothing": 0.1},
        {"label_smoothing": 1.0},
        {"gamma": 2},
        {"gamma": 1, "alpha": 0.0},
        {"gamma": 2, "alpha": 0.25, "label_smoothing": 0.1},
    ],
)
@pytest.mark.parametrize("quantity", FUNCTIONS)
@pytest.mark.parametrize("form", PREDICTIONS)
def test_arb_and_double_double_agree_to_the_bound(form, quantity, parameters):
    """For every quantity and parameter; only an exact zero may stay uncertified."""
    if "gamma" in parameters and quantity not in FOCAL:
        pytest.skip("no focal reference")
    for p, y, w, q in itertools.product(PREDICTIONS[form], (0.0, 0.3, 0.5, 1.0), (1.0, 2.5), (1.0, 3.7)):
        found = FUNCTIONS[quantity](form, p, y, w, q, **parameters)
        if not np.isfinite(found.hi):  # overflow
            continue
        certified = exact(form, quantity, p, y, w, q, **parameters)
        if certified is None:
            assert abs(found.hi) <= found.bound
        else:
            assert abs((certified[0] - found.hi) + (certified[1] - found.lo)) <= found.bound


def test_a_point_without_certainty_is_certified_with_the_parameters_of_the_call():
    """Smoothed by 0.1 the gradient vanishes next to p = 0.59, where the label 0.6 alone would give -0.04."""
    y, w, q = np.array([0.6]), np.ones(1), np.array([1.5])
    p = np.array([0.6 * 0.9 + 0.05]) * 1.5
    p = p / (p + (1 - p / 1.5))
    found = reference.gradient_prediction("probabilities", p, y, w, q, label_smoothing=0.1)
    got = escalate("probabilities", "gradient-prediction", [p, y, w, q], found, 0.0, label_smoothing=0.1)
    assert got.bound == 0.0
    assert abs(float(got.hi[0])) < 1e-14
    assert abs((got.hi - found.hi) + (got.lo - found.lo)) <= found.bound
