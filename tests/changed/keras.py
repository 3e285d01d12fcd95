"""Changes of Keras, on several backends."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from tests.changed.registry import Function, Make, Place, change

OPERATION = Place("keras.src.backend.numpy.nn", "binary_crossentropy", "keras-numpy/ops.binary_crossentropy")
LOGITS = Place(OPERATION.module, OPERATION.attribute, f"{OPERATION.implementation}[from_logits]")
LOSS = Place("keras.src.losses.losses", "binary_crossentropy", "keras-numpy/losses.binary_crossentropy")
REDUCED = Place("keras.src.losses.loss", "reduce_values", "keras-numpy/losses.BinaryCrossentropy")
FOCAL = Place(
    "keras.src.losses.losses", "binary_focal_crossentropy", "keras-tensorflow/losses.binary_focal_crossentropy"
)

#: keras.config.epsilon().
EPSILON = 1e-7


@change(OPERATION)
def larger_epsilon(original: Function) -> Function:
    """Predictions are clipped at 1e-6 and 1 - 1e-6 in place of 1e-7."""

    def function(target: Any, output: Any, from_logits: bool = False) -> Any:
        return original(target, output.clip(10 * EPSILON, 1 - 10 * EPSILON), from_logits)

    return function


@change(OPERATION, case=("hard-labels", "extreme-predictions"), quantity=("value",))
def clipped_afterwards(original: Function) -> Function:
    """The loss is clipped at -log(1e-7), in place of the prediction."""

    def function(target: Any, output: Any, from_logits: bool = False) -> Any:
        with np.errstate(all="ignore"):
            loss = -target * np.log(output) - (1 - target) * np.log(1 - output)
        return np.clip(loss, 0, -math.log(EPSILON))

    return function


@change(LOGITS, told="fixed", case=("extreme-predictions",), quantity=("value",))
def logits_not_clipped(original: Function) -> Function:
    """The loss of logits is computed from them, by logaddexp, and no longer from a clipped sigmoid."""

    def function(target: Any, output: Any, from_logits: bool = False) -> Any:
        return target * np.logaddexp(0, -output) + (1 - target) * np.logaddexp(0, output)

    return function


@change(LOSS)
def smoothed_twice(original: Function) -> Function:
    """Labels are smoothed, and once more."""

    def function(y_true: Any, y_pred: Any, label_smoothing: float = 0.0, **options: Any) -> Any:
        return original(y_true, y_pred, label_smoothing=1 - (1 - label_smoothing) ** 2, **options)

    return function


@change(LOSS)
def last_axis_kept(original: Function) -> Function:
    """The mean over the last axis keeps that axis: losses of n examples have the shape (n, 1)."""

    def function(y_true: Any, y_pred: Any, **options: Any) -> Any:
        return original(y_true, y_pred, **options)[..., None]

    return function


@change(REDUCED)
def sum_in_place_of_mean(original: Function) -> Function:
    """A loss object that is asked for a mean gives the sum."""

    def function(values: Any, sample_weight: Any = None, reduction: Any = "sum_over_batch_size") -> Any:
        return original(values, sample_weight, "sum" if reduction == "sum_over_batch_size" else reduction)

    return function


@change(FOCAL)
def gamma_ignored(original: Function) -> Function:
    """`gamma` is taken and not used: the focal loss is a cross-entropy."""

    def function(y_true: Any, y_pred: Any, gamma: float = 2.0, **options: Any) -> Any:
        return original(y_true, y_pred, gamma=0.0, **options)

    return function


# -- what stands between a call and the loss: the adapter ------------------------------------------------------------

OBJECT = Place("conformance.adapters.keras.calls", "object_loss", "keras-tensorflow/losses.BinaryCrossentropy")

#: What the layer's output is called with.
OF_A_LAYER = ("relations/softmax-mean",)


def _handed_on(handed: Callable[[Any], Any]) -> Make:
    """The change of `object_loss` by which the loss gets `handed(prediction)` in place of the prediction."""

    def make(original: Function) -> Function:
        def changed(name: str, from_logits: bool, chosen: str = "") -> Function:
            call = original(name, from_logits, chosen)
            return lambda prediction, label, **rest: call(handed(prediction), label, **rest)

        return changed

    return make


@change(OBJECT, told="fixed", case=OF_A_LAYER)
def adapter_passes_a_copy(original: Function) -> Function:
    """The adapter hands on a copy of the prediction, which no longer knows the layer that made it."""
    return _handed_on(lambda prediction: prediction + 0)(original)


@change(OBJECT, told="fixed", case=OF_A_LAYER)
def adapter_passes_another_axis(original: Function) -> Function:
    """The adapter appends an axis to the prediction and to the label, over which the mean is then taken."""

    def changed(name: str, from_logits: bool, chosen: str = "") -> Function:
        call = original(name, from_logits, chosen)
        return lambda prediction, label, **rest: call(prediction[..., None], label[..., None], **rest)

    return changed


@change(OBJECT, told="fixed", case=OF_A_LAYER)
def adapter_passes_a_cast(original: Function) -> Function:
    """The adapter casts the prediction to float64 and back, which changes no number."""

    def cast(prediction: Any) -> Any:
        import tensorflow as tf

        return tf.cast(tf.cast(prediction, tf.float64), prediction.dtype)

    return _handed_on(cast)(original)
