"""Gradients by weight and by pos_weight."""

from __future__ import annotations

import numpy as np
import pytest

import reference
from tests.reference import samples
from tests.reference.measure import BY_WEIGHTS, measure

pytestmark = pytest.mark.filterwarnings("error")

INF, NAN = np.inf, np.nan
P, Z = reference.FORMS
POINTS = 1500


@pytest.mark.parametrize("labels", [samples.labels_inside, samples.labels_outside])
@pytest.mark.parametrize(("form", "quantity", "options"), BY_WEIGHTS)
def test_gradients_by_the_weights_obey_the_error_law(form, quantity, options, labels):
    """The value hi is at most 0.5 ulp + 2 * 2**-104 * scale off, hi + lo within the bound, the scale right to 1e-15."""
    random = np.random.RandomState(31)
    x = samples.predictions(form, POINTS, random)
    errors = measure(form, quantity, x, labels(x.size, random), **options)
    assert errors.excess <= 0.5 + 1e-6
    assert errors.subnormal <= 1.0
    assert errors.bound <= 1.0
    assert errors.scale <= 1e-15


@pytest.mark.parametrize("form", reference.FORMS)
def test_the_gradient_by_the_weight_is_the_loss_without_weight(form):
    """Bit for bit, whatever the weight."""
    random = np.random.RandomState(32)
    x = samples.predictions(form, 400, random)
    y = samples.labels_outside(x.size, random)
    expected = reference.loss(form, x, y, pos_weight=3.7)
    for weight in (None, 0.0, 0.1, -1e300):
        got = reference.gradient_weight(form, x, y, weight=weight, pos_weight=3.7)
        for a, b in zip(got, expected, strict=True):
            np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("form", reference.FORMS)
def test_the_gradient_by_pos_weight_is_the_slope_of_the_loss(form):
    """The loss is affine in pos_weight: L(2) - L(1) is the gradient, up to the rounding of the two."""
    random = np.random.RandomState(33)
    x = samples.predictions(form, 400, random)
    y = samples.labels_inside(x.size, random)
    one, two = (reference.loss(form, x, y, 0.3, q) for q in (1.0, 2.0))
    got = reference.gradient_pos_weight(form, x, y, 0.3, 1.5)
    scale = 2.0**-50 * two.scale
    assert np.all(np.abs((two.hi - one.hi) - got.hi) <= scale)
    np.testing.assert_array_equal(got.hi, reference.gradient_pos_weight(form, x, y, 0.3).hi)


@pytest.mark.parametrize(
    ("form", "quantity", "prediction", "label", "options", "expected"),
    [
        (Z, "gradient-weight", INF, 1.0, {"weight": 0.0}, 0.0),
        (Z, "gradient-weight", INF, 0.0, {"weight": 0.0}, INF),
        (Z, "gradient-weight", 1.0, 0.0, {"weight": NAN}, NAN),
        (Z, "gradient-weight", 800.0, 1.0, {"weight": INF}, np.exp(-800.0)),
        (P, "gradient-weight", 0.0, 1.0, {}, INF),
        (P, "gradient-weight", 0.0, 0.0, {}, 0.0),
        (P, "gradient-weight", 0.0, 1.0, {"log_clamp": -100.0}, 100.0),
        (P, "gradient-weight", 2.0, 1.0, {}, NAN),
        (Z, "gradient-pos_weight", -INF, 0.0, {}, 0.0),
        (Z, "gradient-pos_weight", -INF, 0.5, {}, INF),
        (Z, "gradient-pos_weight", INF, 0.5, {}, 0.0),
        (Z, "gradient-pos_weight", -INF, 0.5, {"pos_weight": 0.0}, INF),
        (Z, "gradient-pos_weight", -INF, 0.5, {"weight": 0.0}, NAN),
        (Z, "gradient-pos_weight", -1.0, 1.0, {"weight": INF}, INF),
        (Z, "gradient-pos_weight", -1.0, 1.0, {"pos_weight": NAN}, NAN),
        (Z, "gradient-pos_weight", -1.0, INF, {}, INF),
        (P, "gradient-pos_weight", 0.0, 0.0, {}, 0.0),
        (P, "gradient-pos_weight", 0.0, 1.0, {}, INF),
        (P, "gradient-pos_weight", 0.0, -1.0, {}, -INF),
        (P, "gradient-pos_weight", 1.0, 0.5, {}, 0.0),
        (P, "gradient-pos_weight", 0.0, 1.0, {"log_clamp": -100.0}, 100.0),
        (P, "gradient-pos_weight", -0.5, 1.0, {}, NAN),
    ],
)
def test_gradients_by_the_weights_follow_the_rules_for_special_values(
    form, quantity, prediction, label, options, expected
):
    """A label of zero annihilates, a weight of zero does not, and the varied factor itself matters only if NaN."""
    result = reference.FUNCTIONS[quantity](form, prediction, label, **options)
    np.testing.assert_allclose(result.hi, expected, rtol=1e-15)


@pytest.mark.parametrize("quantity", ["gradient-weight", "gradient-pos_weight"])
def test_gradients_by_the_weights_have_the_broadcast_shape_of_all_arguments(quantity):
    """One gradient for each element of the loss, not the sum over those that share a weight."""
    weight = np.ones((3, 1))
    for options in ({"weight": weight}, {"pos_weight": weight}):
        assert reference.FUNCTIONS[quantity](Z, np.zeros(4), 1.0, **options).hi.shape == (3, 4)
