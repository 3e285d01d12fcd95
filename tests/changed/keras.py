"""Changes of Keras, on several backends."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tests.changed.registry import Function, Place, change

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
