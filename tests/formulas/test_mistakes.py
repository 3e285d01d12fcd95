"""Formulas that are not the loss: each has a mistake that can be seen, and its derivatives are those of its value."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

import reference
from conformance.formulas.arithmetic import arithmetics
from conformance.formulas.catalogue import LOSSES, MISTAKES, Loss, Options, candidates
from conformance.formulas.catalogue.mistakes import NATURAL
from conformance.formulas.evaluate import emulated

FLOAT64 = arithmetics("float64", "float64")[0]
FORMS = ("logits", "probabilities")
NAMES = {"logits": "z", "probabilities": "p"}
#: Predictions and labels with which every mistake shows.
PREDICTIONS = {
    "logits": np.array([0.5, 0.5, 0.5, 800.0, -np.inf, 9.0]),
    "probabilities": np.array([0.25, 0.25, 0.25, 1.5, 0.0, 0.0]),
}
LABELS = np.array([0.25, 2.0, np.nan, 0.0, 1.0, 0.0])
WITH = Options(weight=True, label_smoothing="0.25")


def given(loss: Loss, options: Options, quantity: str, predictions: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """What the formula of a quantity gives in float64, with a weight of 3 and a weight of positives of 5."""
    build = loss.build if quantity == "value" else loss.own[quantity][0]
    x = build(options.given(loss.form))
    assert x is not None, f"{loss.name} has no {quantity} under {options}"
    inputs = {NAMES[loss.form]: predictions, "y": labels, "w": np.array(3.0), "c": np.array(5.0)}
    return np.broadcast_to(emulated(x, inputs, FLOAT64), labels.shape)


def natural(form: str) -> Loss:
    """The loss without a mistake."""
    return next(one for one in NATURAL if one.form == form)


def test_every_mistake_says_where_it_is_written_and_has_a_name_of_its_own() -> None:
    """Losses and mistakes are told apart by their names, too."""
    assert all(one.source.startswith("https://") for one in (*NATURAL, *MISTAKES))
    names = Counter((one.form, one.name) for one in (*LOSSES, *MISTAKES))
    assert max(names.values()) == 1


@pytest.mark.parametrize("form", FORMS)
def test_a_factor_of_zero_makes_an_infinite_term_zero_and_leaves_a_nan(form: str) -> None:
    """By the natural terms; the exact values are of the limits."""
    ends = {"logits": np.array([-np.inf, np.inf, -np.inf, np.nan]), "probabilities": np.array([0.0, 1.0, 0.0, np.nan])}
    found = given(natural(form), Options(), "value", ends[form], np.array([0.0, 1.0, 1.0, 0.0]))
    np.testing.assert_array_equal(found, [0.0, 0.0, np.inf, np.nan])


@pytest.mark.parametrize("form", FORMS)
def test_the_natural_terms_have_the_derivatives_of_the_loss(form: str) -> None:
    """By the reference, for soft labels, too."""
    predictions, labels = np.array([0.25, 0.4, 0.625]), np.array([0.0, 1.0, 0.3])
    for quantity, exact in (
        ("gradient-prediction", reference.gradient_prediction(form, predictions, labels).hi),
        ("second-derivative", reference.second_derivative(form, predictions, labels).hi),
    ):
        found = given(natural(form), Options(), quantity, predictions, labels)
        np.testing.assert_allclose(found, exact, rtol=1e-14)


@pytest.mark.parametrize("loss", MISTAKES, ids=lambda loss: f"{loss.form}: {loss.name}")
def test_every_mistake_can_be_seen(loss: Loss) -> None:
    """In the value, or in a derivative written by hand, of the predictions, labels and options above."""
    form, seen = loss.form, False
    for options in (WITH, Options(weight=True), *([Options(pos_weight=True)] if "pos_weight" in loss.name else [])):
        for quantity in ("value", *loss.own):
            right = natural(form)
            if quantity in ("value", *right.own) and loss.build(options.given(form)) is not None:
                pair = [given(one, options, quantity, PREDICTIONS[form], LABELS) for one in (loss, right)]
                seen |= not np.array_equal(*pair, equal_nan=True)
    assert seen or "gradient-label" in loss.own


@pytest.mark.parametrize(
    "loss", [one for one in MISTAKES if len(one.own) == 2], ids=lambda loss: f"{loss.form}: {loss.name}"
)
def test_the_derivatives_of_a_mistake_in_labels_weights_or_smoothing_are_those_of_its_value(loss: Loss) -> None:
    """By quotients of central differences, where the value itself is not changed."""
    predictions, labels, step = np.array([0.3, 0.6, 0.7]), np.array([0.2, 1.0, 1.5]), 1e-4
    ends = [given(loss, WITH, "value", predictions + k * step, labels) for k in (-1, 0, 1)]
    first, second = (ends[2] - ends[0]) / (2 * step), (ends[2] - 2 * ends[1] + ends[0]) / step**2
    for quantity, expected, tolerance in (("gradient-prediction", first, 1e-5), ("second-derivative", second, 1e-4)):
        found = np.where(np.isfinite(expected), given(loss, WITH, quantity, predictions, labels), np.nan)
        np.testing.assert_allclose(found, expected, rtol=tolerance)
    assert np.isfinite(first[:2]).all()


@pytest.mark.parametrize("form", FORMS)
def test_mistakes_are_no_candidates_unless_they_are_asked_for(form: str) -> None:
    """Neither are losses then."""
    plain, mistaken = ({one.name for one in candidates(form, "value", WITH, mistaken=of)} for of in (False, True))
    assert plain
    assert mistaken
    assert not plain & mistaken
