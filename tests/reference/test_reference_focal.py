"""The focal loss and its gradient by the prediction."""

from __future__ import annotations

import numpy as np
import pytest

import reference
from tests.reference import samples
from tests.reference.measure import FOCAL, measure

pytestmark = pytest.mark.filterwarnings("error")

INF, NAN = np.inf, np.nan
P, Z = reference.FORMS
LOSS, DX = "value", "gradient-prediction"
POINTS = 800


@pytest.mark.parametrize("labels", [samples.labels_inside, samples.labels_outside])
@pytest.mark.parametrize(("form", "quantity", "options"), FOCAL)
def test_focal_losses_obey_the_error_law(form, quantity, options, labels):
    """The value hi is at most 0.5 ulp + (2 + gamma) * 2**-104 * scale off, and hi + lo within the bound."""
    random = np.random.RandomState(51)
    x = samples.predictions(form, POINTS, random)
    errors = measure(form, quantity, x, labels(x.size, random), **options)
    if labels is samples.labels_inside and quantity == LOSS:
        assert errors.normal <= 0.51
    assert errors.law <= 2.0 + options["gamma"]
    assert errors.subnormal <= 1.0
    assert errors.bound <= 1.0
    assert errors.scale <= 3e-15


@pytest.mark.parametrize("gamma", range(9))
@pytest.mark.parametrize("label", [0.0, 1.0, 0.3])
@pytest.mark.parametrize("form", reference.FORMS)
def test_every_power_is_right_for_the_labels_that_cases_use(form, label, gamma):
    """Half a unit for the loss, whose terms do not cancel; the law for the gradient."""
    random = np.random.RandomState(52)
    x = samples.predictions(form, 80, random)
    options = {"gamma": gamma, "alpha": 0.25}
    assert measure(form, LOSS, x, np.full(x.size, label), **options).normal <= 0.51
    assert measure(form, DX, x, np.full(x.size, label), **options).bound <= 1.0


@pytest.mark.parametrize("quantity", [LOSS, DX, "gradient-weight"])
@pytest.mark.parametrize("form", reference.FORMS)
def test_gamma_zero_without_alpha_changes_no_bit(form, quantity):
    """It is the plain loss."""
    random = np.random.RandomState(53)
    x = samples.predictions(form, 200, random)
    y = samples.labels_outside(x.size, random)
    plain, focal = (reference.FUNCTIONS[quantity](form, x, y, 0.1, **options) for options in ({}, {"gamma": 0.0}))
    assert all(np.array_equal(a, b) for a, b in zip(plain, focal, strict=True))


@pytest.mark.parametrize("form", reference.FORMS)
def test_the_gradient_of_a_focal_loss_by_the_weight_is_the_focal_loss_without_weight(form):
    """Bit for bit."""
    random = np.random.RandomState(54)
    x = samples.predictions(form, 200, random)
    y = samples.labels_inside(x.size, random)
    got = reference.gradient_weight(form, x, y, 0.1, gamma=2, alpha=0.25)
    expected = reference.loss(form, x, y, gamma=2, alpha=0.25)
    assert all(np.array_equal(a, b) for a, b in zip(got, expected, strict=True))


@pytest.mark.parametrize("z", [30.0, 300.0, 745.0])
def test_a_certain_right_prediction_keeps_its_relative_accuracy(z):
    """1 - p_t is sigmoid(-z) for the label 1, about exp(-z), where 1 - sigmoid(z) is 0."""
    right = reference.loss(Z, z, 1.0, weight=1e300, gamma=1)
    np.testing.assert_allclose(right.hi, 1e300 * np.exp(-z) * np.exp(-z), rtol=1e-12)
    assert 1.0 - 1.0 / (1.0 + np.exp(-300.0)) == 0.0


def test_keras_prints_the_same_numbers():
    """The examples of keras.losses.BinaryFocalCrossentropy: means of rows, gamma 2, from logits and from p."""
    y = [[0.0, 1.0], [0.0, 0.0]]
    p = reference.loss(P, [[0.6, 0.4], [0.4, 0.6]], y, gamma=2)
    np.testing.assert_allclose(reference.exact_mean(p, -1).hi, [0.330, 0.206], atol=5e-4)
    z = reference.loss(Z, [-18.6, 0.51, 2.94, -12.8], [0.0, 1.0, 0.0, 0.0], gamma=2)
    np.testing.assert_allclose(reference.exact_mean(z).hi, 0.691, atol=5e-4)
    balanced = reference.loss(Z, [-18.6, 0.51, 2.94, -12.8], [0.0, 1.0, 0.0, 0.0], gamma=2, alpha=0.25)
    np.testing.assert_allclose(reference.exact_mean(balanced).hi, 0.51, atol=5e-3)


@pytest.mark.parametrize(
    ("form", "quantity", "prediction", "label", "options", "expected"),
    [
        (Z, LOSS, INF, 1.0, {"gamma": 2}, 0.0),
        (Z, LOSS, INF, 0.0, {"gamma": 2}, INF),
        (Z, LOSS, -INF, 0.3, {"gamma": 2}, INF),
        (Z, LOSS, INF, 2.0, {"gamma": 2}, -INF),
        (Z, LOSS, INF, 2.0, {"gamma": 1}, INF),
        (P, LOSS, 0.0, 0.0, {"gamma": 2}, 0.0),
        (P, LOSS, 0.0, 1.0, {"gamma": 2}, INF),
        (P, LOSS, 0.0, 1.0, {"gamma": 2, "log_clamp": -100.0}, 100.0),
        (P, LOSS, 0.0, 0.0, {"gamma": 2, "label_smoothing": 0.1}, INF),
        # an alpha_t of zero annihilates, a weight of zero does not
        (Z, LOSS, INF, 0.0, {"gamma": 2, "alpha": 1.0}, 0.0),
        (P, LOSS, 0.0, 1.0, {"gamma": 2, "alpha": 0.0}, 0.0),
        (P, DX, 0.0, 1.0, {"gamma": 2, "alpha": 0.0}, 0.0),
        (P, LOSS, 0.0, 1.0, {"gamma": 2, "weight": 0.0}, NAN),
        (P, LOSS, 0.5, 1.0, {"gamma": 2, "weight": INF}, INF),
        # gradients: limits at infinite logits, the pole at certain probabilities
        (Z, DX, INF, 0.0, {"gamma": 2}, 1.0),
        (Z, DX, -INF, 1.0, {"gamma": 2}, -1.0),
        (Z, DX, INF, 1.0, {"gamma": 2}, 0.0),
        (Z, DX, INF, 0.5, {"gamma": 2}, 0.125),
        (Z, DX, 0.0, 0.5, {"gamma": 2}, 0.0),
        (P, DX, 0.0, 1.0, {"gamma": 2}, -INF),
        (P, DX, 0.0, 0.25, {"gamma": 2}, -INF),
        (P, DX, 1.0, 0.25, {"gamma": 2}, INF),
        (P, DX, 0.0, 0.5, {"gamma": 2}, -INF),
        (P, DX, 0.0, 0.0, {"gamma": 2}, 0.0),
        (P, DX, 0.0, 0.0, {"gamma": 0, "alpha": 0.25}, 0.75),
        # NaN, infinite and inadmissible inputs
        (Z, LOSS, NAN, 0.5, {"gamma": 2}, NAN),
        (Z, DX, 1.0, NAN, {"gamma": 2}, NAN),
        (Z, DX, 1.0, INF, {"gamma": 2}, NAN),
        (P, LOSS, 1.5, 1.0, {"gamma": 2, "alpha": 0.0}, NAN),
        (P, DX, -0.5, 0.0, {"gamma": 2}, NAN),
    ],
)
def test_focal_losses_follow_the_rules_for_special_values(form, quantity, prediction, label, options, expected):
    """Those of the plain loss, times 1 - p_t, which is 0 only where the term is annihilated anyway."""
    result = reference.FUNCTIONS[quantity](form, prediction, label, **options)
    np.testing.assert_array_equal(result.hi, expected)


@pytest.mark.parametrize(
    ("quantity", "options", "message"),
    [
        ("value", {"gamma": 1.5}, "'gamma' must be an integer from 0 to 8"),
        ("value", {"gamma": 9}, "'gamma' must be an integer from 0 to 8"),
        ("value", {"gamma": -1}, "'gamma' must be an integer from 0 to 8"),
        ("value", {"gamma": NAN}, "'gamma' must be an integer from 0 to 8"),
        ("value", {"gamma": 2, "alpha": 1.5}, "'alpha' must be between 0 and 1"),
        ("value", {"gamma": 2, "alpha": NAN}, "'alpha' must be between 0 and 1"),
        ("value", {"alpha": 0.25}, "'alpha' exists with 'gamma' only"),
        ("gradient-label", {"gamma": 2}, "'gradient-label' has no focal reference"),
        ("gradient-pos_weight", {"gamma": 2}, "'gradient-pos_weight' has no focal reference"),
        ("second-derivative", {"gamma": 2}, "'second-derivative' has no focal reference"),
    ],
)
def test_parameters_that_have_no_reference_are_refused(quantity, options, message):
    """With a message that names the parameter, the requirement and the value."""
    with pytest.raises(ValueError, match=message):
        reference.FUNCTIONS[quantity](Z, 0.0, 0.5, **options)
