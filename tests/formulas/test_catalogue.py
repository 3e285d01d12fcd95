"""The catalogue: every formula is the loss, its derivatives are those of the loss, and each says where it is from."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

import reference
from conformance.formulas.arithmetic import arithmetics
from conformance.formulas.catalogue import LOSSES, Candidate, Options, candidates
from conformance.formulas.evaluate import emulated

FLOAT64 = arithmetics("float64", "float64")[0]
FORMS = ("logits", "probabilities")
#: Points at which no formula here is ill-conditioned, with labels that all of them take.
PREDICTIONS = {"logits": np.repeat([-1.5, -0.25, 0.5, 2.0], 2), "probabilities": np.repeat([0.25, 0.4, 0.625, 0.8], 2)}
LABELS = np.tile([0.0, 1.0], 4)
NAMES = {"logits": "z", "probabilities": "p"}
#: What an epsilon of 1e-7 that is added to a probability, and a loss that is cast to float32, change here.
TOLERANCE = 2e-6
#: Keras' gradient through its clip and PyTorch's double backward divide by p*p; the epsilon counts twice.
TOLERANCE_OF_SECOND = 1e-5


def found(candidate: Candidate, form: str, **inputs: float) -> np.ndarray:
    """What a candidate gives at the points, in float64."""
    values = {NAMES[form]: PREDICTIONS[form], "y": LABELS} | {name: np.array(one) for name, one in inputs.items()}
    return np.broadcast_to(emulated(candidate.expression, values, FLOAT64), LABELS.shape)


def test_every_formula_says_where_it_is_written() -> None:
    """With a link; and no two of a form share a name."""
    assert all(one.source.startswith("https://") for one in LOSSES)
    names = Counter((one.form, one.name) for one in LOSSES)
    assert max(names.values()) == 1


@pytest.mark.parametrize("form", FORMS)
def test_every_formula_is_the_loss(form: str) -> None:
    """By the reference, at points where none of them is ill-conditioned."""
    exact = reference.loss(form, PREDICTIONS[form], LABELS).hi
    for one in candidates(form, "value", Options()):
        np.testing.assert_allclose(found(one, form), exact, rtol=TOLERANCE, err_msg=one.name)


@pytest.mark.parametrize("form", FORMS)
def test_every_gradient_is_that_of_the_loss(form: str) -> None:
    """By all rules, and by the formulas that frameworks wrote by hand."""
    exact = reference.gradient_prediction(form, PREDICTIONS[form], LABELS).hi
    for one in candidates(form, "gradient-prediction", Options()):
        np.testing.assert_allclose(found(one, form), exact, rtol=TOLERANCE, err_msg=one.name)


@pytest.mark.parametrize("form", FORMS)
def test_every_second_derivative_is_that_of_the_loss(form: str) -> None:
    """By all rules, through kernels that have a second backward formula too."""
    exact = reference.second_derivative(form, PREDICTIONS[form], LABELS).hi
    for one in candidates(form, "second-derivative", Options()):
        np.testing.assert_allclose(found(one, form), exact, rtol=TOLERANCE_OF_SECOND, err_msg=one.name)


@pytest.mark.parametrize("form", FORMS)
def test_a_weight_multiplies_the_loss(form: str) -> None:
    """And the derivative by it is the loss."""
    exact = reference.loss(form, PREDICTIONS[form], LABELS).hi
    for quantity, expected in (("value", 0.75 * exact), ("gradient-weight", exact)):
        for one in candidates(form, quantity, Options(weight=True)):
            if not any(name in one.name for name in IGNORING):
                np.testing.assert_allclose(found(one, form, w=0.75), expected, rtol=TOLERANCE, err_msg=one.name)


def test_a_weight_of_zero_is_an_index_to_ignore() -> None:
    """Where the label is an index of a class there is no other weight."""
    listed = [one for one in candidates("logits", "value", Options(weight=True)) if one.name in IGNORING]
    assert listed
    for one in listed:
        assert not found(one, "logits", w=0.0).any()


#: Formulas of an index of a class.
IGNORING = ("softmax of (0, z): log_softmax of the class",)


def test_a_weight_of_the_positive_class_multiplies_its_term() -> None:
    """Only formulas of logits have one."""
    weights = np.full(LABELS.shape, 3.0)
    exact = reference.loss("logits", PREDICTIONS["logits"], LABELS, None, weights).hi
    found_with = candidates("logits", "value", Options(pos_weight=True))
    assert found_with
    for one in found_with:
        np.testing.assert_allclose(found(one, "logits", c=3.0), exact, rtol=1e-13, err_msg=one.name)
    assert not candidates("probabilities", "value", Options(pos_weight=True))


@pytest.mark.parametrize("form", FORMS)
def test_focal_formulas_are_the_focal_loss(form: str) -> None:
    """(1 - p_t)**gamma times the loss, balanced by alpha."""
    exact = reference.loss(form, PREDICTIONS[form], LABELS, gamma=2.0, alpha=0.25).hi
    focal = candidates(form, "value", Options(gamma="2.0", alpha="0.25"))
    assert focal
    for one in focal:
        np.testing.assert_allclose(found(one, form), exact, rtol=1e-5, err_msg=one.name)


@pytest.mark.parametrize("form", FORMS)
def test_a_smoothed_label_is_that_of_the_reference(form: str) -> None:
    """y*(1 - s) + s/2."""
    exact = reference.loss(form, PREDICTIONS[form], LABELS, label_smoothing=0.25).hi
    for one in candidates(form, "value", Options(label_smoothing="0.25")):
        if one.name not in ONLY_HARD:
            np.testing.assert_allclose(found(one, form), exact, rtol=TOLERANCE, err_msg=one.name)


#: Formulas that are the loss for labels 0 and 1 alone.
ONLY_HARD = {"log1p(exp(-t*z)), t = 2*y - 1", "-log(p*y + (1 - p)*(1 - y))"}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("quantity", ["value", "gradient-prediction", "gradient-label", "second-derivative"])
def test_a_candidate_has_the_same_name_whatever_the_options_are(form: str, quantity: str) -> None:
    """By it the parts of a group are brought together: a focal loss without parameters is listed with them too."""
    plain, weighted = (
        [one.name for one in candidates(form, quantity, Options(weight=weight))] for weight in (False, True)
    )
    assert len(set(plain)) == len(plain)
    assert plain == weighted
    assert set(plain) > {one.name for one in candidates(form, quantity, Options(gamma="2.0"))} > set()


def test_what_a_case_does_not_have_has_no_derivative() -> None:
    """Without a weight there is no formula for the derivative by it."""
    assert not candidates("logits", "gradient-weight", Options())
    assert not candidates("logits", "gradient-pos_weight", Options(weight=True))


def test_beside_a_wider_label_each_operation_has_the_widest_dtype_of_its_operands() -> None:
    """As NumPy promotes them: 1 - p is a float16, its product with the label of float64 is none."""
    p, y = np.array([0.3, 0.0007, 0.11], np.float16), np.array([0.3, 0.7, 0.1])
    expected = -np.log(p * y + (np.float16(1) - p) * (1 - y))
    name = "-log(p*y + (1 - p)*(1 - y))"
    inputs = {"p": p.astype(np.float64), "y": y}
    mixed, plain = (
        next(one for one in candidates("probabilities", "value", options) if one.name == name)
        for options in (Options(beside=(("y", "step"),)), Options())
    )
    arithmetic = next(one for one in arithmetics("float16", "float64") if one.promotes)
    np.testing.assert_allclose(emulated(mixed.expression, inputs, arithmetic), expected, rtol=1e-15)
    assert np.all(np.abs(emulated(plain.expression, inputs, arithmetic) / expected - 1) > 1e-6)


def test_where_nothing_is_promoted_formulas_beside_wider_inputs_are_the_plain_ones() -> None:
    """All inputs are cast first: the same numbers."""
    inputs = {"z": np.linspace(-9, 9, 40), "y": np.linspace(0, 1, 40)}
    first = [one for one in arithmetics("float16", "float64") if not one.promotes and one.step == "float64"]
    assert len(first) == 4
    for arithmetic in first:
        for mixed, plain in zip(
            candidates("logits", "value", Options(beside=(("y", "step"),))),
            candidates("logits", "value", Options()),
            strict=True,
        ):
            found, expected = (emulated(one.expression, inputs, arithmetic) for one in (mixed, plain))
            if "float32" not in mixed.name and "dtype" not in mixed.name:
                np.testing.assert_array_equal(found, expected, err_msg=mixed.name)


def test_what_constant_folding_moves_together_is_one_number() -> None:
    """(1 + 1e-7) - q in float32, where 1 - q + 1e-7 keeps 1e-7: at q = 1 the logarithm is of 2^-23."""
    folded, written = (
        next(one for one in candidates("probabilities", "value", Options()) if one.name == name)
        for name in ("log(p + 1e-7) and log((1 + 1e-7) - p)", "log(p + 1e-7) and log(1 - p + 1e-7)")
    )
    end = {"p": np.array([1.0]), "y": np.array([0.0])}
    single = arithmetics("float32", "float32")[0]
    assert emulated(folded.expression, end, single)[0] == np.float32(23 * np.log(2))
    assert emulated(written.expression, end, single)[0] == np.float32(-np.log(np.float64(np.float32(1e-7))))
