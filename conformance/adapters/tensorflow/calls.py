"""TensorFlow itself, and its losses as functions of (prediction, label)."""

from __future__ import annotations

import importlib
from typing import Any


def framework() -> Any:
    """The framework, imported on first use: a process that only reads declarations must not load it."""
    return importlib.import_module("tensorflow")


def two_classes(logits: Any) -> Any:
    """[0, z] for each logit z: softmax makes of it the probabilities of the classes 0 and 1."""
    tf = framework()
    return tf.stack([tf.zeros_like(logits), logits], axis=-1)


def sigmoid_cross_entropy_with_logits(prediction: Any, label: Any) -> Any:
    """tf.nn.sigmoid_cross_entropy_with_logits."""
    return framework().nn.sigmoid_cross_entropy_with_logits(labels=label, logits=prediction)


def weighted_cross_entropy_with_logits(prediction: Any, label: Any, pos_weight: Any = 1) -> Any:
    """tf.nn.weighted_cross_entropy_with_logits, with pos_weight 1 where the case has none: it is required there."""
    return framework().nn.weighted_cross_entropy_with_logits(labels=label, logits=prediction, pos_weight=pos_weight)


def softmax_cross_entropy_with_logits(prediction: Any, label: Any) -> Any:
    """tf.nn.softmax_cross_entropy_with_logits of two classes: the logits [0, z] and the labels [1 - y, y]."""
    tf = framework()
    labels = tf.stack([1 - label, label], axis=-1)
    return tf.nn.softmax_cross_entropy_with_logits(labels=labels, logits=two_classes(prediction))


def _reduction(name: str) -> Any:
    """The tf.compat.v1.losses.Reduction of a reduction.

    "mean" is SUM_OVER_BATCH_SIZE, "Scalar SUM divided by number of elements in losses": the default divides by the
    number of non-zero weights, MEAN by the sum of the weights.
    """
    names = {"none": "NONE", "mean": "SUM_OVER_BATCH_SIZE", "sum": "SUM"}
    return getattr(framework().compat.v1.losses.Reduction, names[name])


def log_loss(prediction: Any, label: Any, reduction: str = "none", weight: Any = 1.0) -> Any:
    """tf.compat.v1.losses.log_loss."""
    return framework().compat.v1.losses.log_loss(
        labels=label, predictions=prediction, weights=weight, reduction=_reduction(reduction)
    )


def sigmoid_cross_entropy(
    prediction: Any, label: Any, reduction: str = "none", weight: Any = 1.0, label_smoothing: float = 0
) -> Any:
    """tf.compat.v1.losses.sigmoid_cross_entropy."""
    return framework().compat.v1.losses.sigmoid_cross_entropy(
        multi_class_labels=label,
        logits=prediction,
        weights=weight,
        label_smoothing=label_smoothing,
        reduction=_reduction(reduction),
    )
