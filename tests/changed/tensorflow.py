"""Changes of TensorFlow."""

from __future__ import annotations

from typing import Any

from tests.changed.registry import Function, Place, change

SIGMOID = Place(
    "tensorflow.python.ops.nn_impl",
    "sigmoid_cross_entropy_with_logits_v2",
    "tensorflow/nn.sigmoid_cross_entropy_with_logits",
)
WEIGHTED = Place(
    "tensorflow.python.ops.nn_impl",
    "weighted_cross_entropy_with_logits_v2",
    "tensorflow/nn.weighted_cross_entropy_with_logits",
)
SOFTMAX = Place(
    "tensorflow.python.ops.nn_ops",
    "softmax_cross_entropy_with_logits_v2",
    "tensorflow/nn.softmax_cross_entropy_with_logits",
)
LOG_LOSS = Place("tensorflow.python.ops.losses.losses_impl", "log_loss", "tensorflow/compat.v1.losses.log_loss")


def _tensorflow() -> Any:
    import tensorflow

    return tensorflow


@change(SIGMOID)
def first_formula_of_the_documentation(original: Function) -> Function:
    """x - x z + log(1 + exp(-x)), from which the documentation only starts: exp overflows for negative logits."""

    def function(labels: Any = None, logits: Any = None, name: Any = None) -> Any:
        tf = _tensorflow()
        return logits - logits * labels + tf.math.log(1 + tf.exp(-logits))

    return function


@change(SIGMOID, mode="function", case=("hard-labels", "soft-labels"), quantity=("value", "gradient-prediction"))
def gradients_inexact_in_float32(original: Function) -> Function:
    """Under tf.function gradients of float32 are too large by one part in 50,000; values are right."""

    def function(labels: Any = None, logits: Any = None, name: Any = None) -> Any:
        tf = _tensorflow()

        @tf.custom_gradient
        def scaled(loss: Any) -> Any:
            return loss, lambda gradient: gradient * (1 + 2e-5)

        loss = original(labels=labels, logits=logits)
        return scaled(loss) if loss.dtype == tf.float32 else loss

    return function


@change(WEIGHTED, quantity=("value",))
def one_more_nan(original: Function) -> Function:
    """The loss of the logit +inf with the label 1/2 is NaN, as that with the label 1 was before."""

    def function(labels: Any, logits: Any, pos_weight: Any, name: Any = None) -> Any:
        tf = _tensorflow()
        loss = original(labels, logits, pos_weight)
        return tf.where((logits == float("inf")) & (labels == 0.5), tf.cast(float("nan"), loss.dtype), loss)

    return function


@change(SOFTMAX, quantity=("value",))
def last_element_wrong(original: Function) -> Function:
    """From 17 elements on the last one is twice as large."""

    def function(labels: Any, logits: Any, axis: int = -1, name: Any = None) -> Any:
        tf = _tensorflow()
        loss = original(labels, logits, axis)
        size = tf.size(loss)
        wrong = tf.reshape((tf.range(size) == size - 1) & (size >= 17), tf.shape(loss))
        return tf.where(wrong, 2 * loss, loss)

    return function


@change(LOG_LOSS, quantity=("value",))
def weights_ignored(original: Function) -> Function:
    """`weights` is taken and not used."""

    def function(labels: Any, predictions: Any, weights: Any = 1.0, **options: Any) -> Any:
        return original(labels, predictions, **options)

    return function
