"""The Keras adapter on each backend: entries, options, provenance, and known reports."""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np
import pytest

from conformance.adapters import load_builtin
from conformance.contracts import find
from tests.evaluations import Results, array, call, evaluate, numbers, tensor

ADAPTERS = {adapter.name: adapter for adapter in load_builtin("keras")}

backends = pytest.mark.parametrize("backend", sorted(ADAPTERS))
differentiated = pytest.mark.parametrize("backend", ["keras-jax", "keras-tensorflow", "keras-torch"])

OPS = "ops.binary_crossentropy"
FUNCTION = "losses.binary_crossentropy"
OBJECT = "losses.BinaryCrossentropy"
WEIGHTED_MEAN = "losses.BinaryCrossentropy[mean_with_sample_weight]"
FOCAL = "losses.binary_focal_crossentropy"

#: Every result that is read from OpenVINO is a program that it compiles: it has two entry points.
most = pytest.mark.parametrize("backend", sorted(set(ADAPTERS) - {"keras-openvino"}))

P = [0.1, 0.3, 0.9]
Y = [0.0, 1.0, 1.0]
W = [1.0, 3.0, 0.0]
LOSS = [-math.log(0.9), -math.log(0.3), -math.log(0.9)]

#: One clip bound of Keras in float32, and a prediction below it.
EPSILON, BELOW = 1e-7, 1e-8


def calls() -> dict[str, Any]:
    """What the tests need of one backend."""
    given = {"prediction": tensor(P), "label": tensor(Y)}
    square = {"prediction": tensor([P, P]), "label": tensor([Y, Y])}
    column = {"prediction": tensor(P), "label": tensor([[y] for y in Y])}
    half = {"prediction": tensor(0.0, 1.0, 1.0, dtype="float16"), "label": tensor(1.0, 0.0, 1.0, dtype="float16")}
    softmax = {"values": [1.0, 3.0], "dtype": "float32", "producer": "softmax"}
    classes = tensor([[1.0, 0.0], [1.0, 0.0]])
    single = {"prediction": tensor(EPSILON, BELOW, 0.0), "label": tensor(1.0, 1.0, 1.0)}
    eager = {
        "plain": call(f"{OBJECT}/eager/cpu", **given, reduction="none"),
        "square": call(f"{OBJECT}/eager/cpu", **square, reduction="none"),
        "square function": call(f"{FUNCTION}/eager/cpu", **square, reduction="none"),
        "square sum": call(f"{OBJECT}/eager/cpu", **square, reduction="sum"),
        "square mean": call(f"{OBJECT}/eager/cpu", **square, reduction="mean"),
        "column": call(f"{OBJECT}/eager/cpu", **column, reduction="none"),
        "plain ops": call(f"{OPS}/eager/cpu", **given),
        "column ops": call(f"{OPS}/eager/cpu", **column),
        "double label": call(
            f"{FUNCTION}/eager/cpu", prediction=tensor(P), label=tensor(Y, dtype="float64"), reduction="none"
        ),
        "weighted": call(f"{OBJECT}/eager/cpu", **given, weight=tensor(W), reduction="mean"),
        "by weights": call(f"{WEIGHTED_MEAN}/eager/cpu", **given, weight=tensor(W)),
        "smoothed": call(f"{FUNCTION}/eager/cpu", **given, reduction="none", label_smoothing=0.2),
        "smoothed object": call(f"{OBJECT}/eager/cpu", **given, reduction="none", label_smoothing=0.2),
        "focal 0": call(f"{FOCAL}/eager/cpu", **given, reduction="none"),
        "focal 2": call(f"{FOCAL}/eager/cpu", **given, reduction="none", gamma=2.0),
        "focal alpha": call(f"{FOCAL}/eager/cpu", **given, reduction="none", gamma=2.0, alpha=0.25),
        "focal -100": call(
            f"{FOCAL}[from_logits]/eager/cpu", prediction=tensor(-100.0), label=tensor(1.0), reduction="none"
        ),
        "logit 200": call(f"{OPS}[from_logits]/eager/cpu", prediction=tensor(200.0), label=tensor(0.0)),
        "nan": call(f"{OPS}/eager/cpu", prediction=tensor(0.3, math.nan), label=tensor(1.0, 1.0)),
        "half": call(f"{OPS}/eager/cpu", **half),
        "half object": call(f"{OBJECT}/eager/cpu", **half, reduction="none"),
        "clipped gradient": call(f"{OPS}/eager/cpu", "gradient-prediction", **single),
    }
    for entry in (OPS, FUNCTION, OBJECT):
        reduction = {} if entry == OPS else {"reduction": "mean"}
        for name, prediction in (("softmax", softmax), ("copied", dict(softmax, copied=True))):
            key = f"{entry}/eager/cpu"
            eager[f"{name} {entry}"] = call(key, prediction=prediction, label=classes, **reduction)
    return eager


@functools.cache
def answers(backend: str) -> Results:
    """All calls on one backend, in one process."""
    known = {one.key for one in ADAPTERS[backend].implementations}
    answered = evaluate("keras", backend, {name: one for name, one in calls().items() if one["key"] in known})
    if "absent" in answered:
        pytest.skip(answered["absent"])
    found: Results = answered["answers"]
    return found


def close(backend: str, name: str, expected: Any) -> None:
    """Within a few roundings of float32."""
    np.testing.assert_allclose(array(answers(backend)[name]), np.ravel(expected), rtol=2e-6)


@most
def test_losses_are_per_element_whatever_the_rank(backend: str) -> None:
    """Keras takes the mean over the last axis; an appended one leaves each element its loss."""
    close(backend, "plain", LOSS)
    close(backend, "square", [LOSS, LOSS])
    close(backend, "square function", [LOSS, LOSS])
    assert answers(backend)["square"]["shape"] == [2, 3]


@most
def test_reductions_are_over_all_elements_whatever_the_rank(backend: str) -> None:
    """The object's "sum" would otherwise be a sum of means."""
    close(backend, "square sum", 2 * sum(LOSS))
    close(backend, "square mean", sum(LOSS) / 3)


@most
def test_a_row_against_a_column_is_handed_on_as_it_is(backend: str) -> None:
    """The loss object aligns the ranks, https://github.com/tensorflow/tensorflow/issues/1343; the operation refuses."""
    close(backend, "column", LOSS)
    assert answers(backend)["column ops"]["raised"] == "ValueError"


@backends
def test_an_operation_and_a_function_compute_the_loss(backend: str) -> None:
    """On every backend; what OpenVINO makes of infinities is another matter."""
    close(backend, "square function", [LOSS, LOSS])
    close(backend, "plain ops", LOSS)


@backends
def test_labels_of_another_dtype_are_cast_to_that_of_the_predictions(backend: str) -> None:
    """keras.losses.binary_crossentropy does so before anything else."""
    close(backend, "double label", LOSS)
    assert answers(backend)["double label"]["dtype"] == "float32"


@most
def test_weights_multiply_and_only_the_named_reduction_divides_by_them(backend: str) -> None:
    """https://github.com/keras-team/keras/issues/15323: the default divides by the number of elements."""
    weighted = sum(w * loss for w, loss in zip(W, LOSS, strict=True))
    close(backend, "weighted", weighted / 3)
    close(backend, "by weights", weighted / sum(W))


@most
def test_label_smoothing_squeezes_labels_towards_one_half(backend: str) -> None:
    """y (1 - s) + s / 2, in the function and in the object."""
    p, y = np.array(P), np.array(Y) * 0.8 + 0.1
    expected = -(y * np.log(p) + (1 - y) * np.log(1 - p))
    close(backend, "smoothed", expected)
    close(backend, "smoothed object", expected)


@most
def test_the_focal_loss_is_a_cross_entropy_unless_a_case_sets_gamma(backend: str) -> None:
    """Keras' own default is 2; alpha takes part only where a case sets it."""
    right = np.array([0.9, 0.3, 0.9])
    close(backend, "focal 0", LOSS)
    np.testing.assert_allclose(array(answers(backend)["focal 2"]), (1 - right) ** 2 * LOSS, rtol=1e-5)
    balance = np.array([0.75, 0.25, 0.25])
    np.testing.assert_allclose(array(answers(backend)["focal alpha"]), balance * (1 - right) ** 2 * LOSS, rtol=1e-5)


@most
def test_only_on_tensorflow_does_a_focal_loss_of_logits_escape_the_clip(backend: str) -> None:
    """It takes the sigmoid, which on TensorFlow remembers its logits; the others stop at -log 1e-7 = 16.118.

    https://github.com/tensorflow/tensorflow/issues/61519 tells of its alpha.
    """
    expected = 100.0 if backend == "keras-tensorflow" else -math.log(1e-7)
    close(backend, "focal -100", expected)


@backends
def test_only_on_numpy_are_logits_clipped(backend: str) -> None:
    """https://github.com/keras-team/keras-core/issues/196 was fixed on the other backends."""
    expected = -math.log(2.0**-23) if backend == "keras-numpy" else 200.0
    close(backend, "logit 200", expected)


@most
@pytest.mark.parametrize("entry", [OPS, FUNCTION, OBJECT])
def test_only_on_tensorflow_does_a_softmax_pass_for_a_sigmoid(backend: str, entry: str) -> None:
    """https://github.com/keras-team/keras/issues/17125: the logits of the softmax are taken as those of a sigmoid."""
    produced, copied = array(answers(backend)[f"softmax {entry}"]), array(answers(backend)[f"copied {entry}"])
    if backend == "keras-tensorflow" and entry != OBJECT:
        assert np.max(np.abs(produced - copied)) > 0.3
    elif backend != "keras-tensorflow":
        np.testing.assert_array_equal(produced, copied)


@backends
def test_a_nan_among_predictions_is_seen(backend: str) -> None:
    """https://github.com/keras-team/keras/issues/23661: NaN, or an exception on torch; never a number."""
    answer = answers(backend)["nan"]
    if backend == "keras-torch":
        assert answer["raised"] == "RuntimeError"
    else:
        assert math.isnan(numbers(answer)[1])


@most
def test_float16_has_no_clip_at_one_but_the_loss_object_computes_in_float32(backend: str) -> None:
    """https://github.com/tensorflow/tensorflow/issues/38457: 1 - 1e-7 rounds to 1; torch clamps the logarithm."""
    got = array(answers(backend)["half"])
    if backend in ("keras-tensorflow", "keras-jax", "keras-numpy"):
        assert got[1] == math.inf
        assert math.isnan(got[2])
    else:
        assert np.isfinite(got).all()
    assert answers(backend)["half object"]["dtype"] == "float32"
    assert np.isfinite(array(answers(backend)["half object"])).all()


@differentiated
def test_at_the_clip_bound_jax_halves_the_gradient(backend: str) -> None:
    """https://github.com/keras-team/keras/issues/9664: nothing below the bound; jnp.clip shares a tie."""
    at_bound, below, zero = numbers(answers(backend)["clipped gradient"])
    assert math.isclose(at_bound, -5e6 if backend == "keras-jax" else -1e7, rel_tol=1e-5)
    assert (below, zero) == (0.0, 0.0)


@pytest.mark.parametrize("backend", ["keras-numpy", "keras-openvino"])
def test_backends_without_gradients_offer_values_alone(backend: str) -> None:
    """A derivative is not offered there rather than refused."""
    assert answers(backend)["clipped gradient"] == {"not offered": True}


@backends
def test_counterparts_are_each_other(backend: str) -> None:
    """Probabilities and logits of one entry point, in the same mode."""
    known = {(one.entry, one.mode): one for one in ADAPTERS[backend].implementations}
    for one in known.values():
        other = known[one.counterpart, one.mode]
        assert (other.counterpart, {one.form, other.form}) == (one.entry, {"probabilities", "logits"})


@backends
def test_the_divisor_of_a_mean_is_part_of_the_contract(backend: str) -> None:
    """The sum of the weights for the reduction that says so, the number of elements otherwise."""
    for one in ADAPTERS[backend].implementations:
        reduction = find(one.contract, "reduction")
        if reduction is not None:
            assert reduction.divisor == ("weights" if "mean_with_sample_weight" in one.entry else "elements")


def test_modes_are_those_of_the_framework_underneath() -> None:
    """Compiled code is an implementation of its own."""
    modes = {name: {one.mode for one in adapter.implementations} for name, adapter in ADAPTERS.items()}
    assert modes == {
        "keras-tensorflow": {"eager", "function", "xla"},
        "keras-torch": {"eager", "compile"},
        "keras-jax": {"eager", "jit"},
        "keras-numpy": {"eager"},
        "keras-openvino": {"eager"},
    }
