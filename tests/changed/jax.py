"""Changes of JAX and Optax.

JAX compiles every primitive for each shape and dtype at its first use: each change names the cases that are about it.
"""

from __future__ import annotations

from typing import Any

from tests.changed.registry import Function, Place, change

SIGMOID = Place(
    "optax.losses._classification", "sigmoid_binary_cross_entropy", "jax/optax.sigmoid_binary_cross_entropy"
)
FOCAL = Place("optax.losses._classification", "sigmoid_focal_loss", "jax/optax.losses.sigmoid_focal_loss")
LOG_SIGMOID = Place("jax._src.nn.functions", "log_sigmoid", SIGMOID.implementation)

#: Ordinary predictions, tails and special values.
VALUES = ("hard-labels", "soft-labels", "extreme-predictions", "special-values")


@change(SIGMOID, case=VALUES, quantity=("value",))
def inexact_in_float32(original: Function) -> Function:
    """Losses of float32 are too large by 3 parts in a million."""

    def function(logits: Any, labels: Any) -> Any:
        loss = original(logits, labels)
        return loss * (1 + 3e-6) if loss.dtype == "float32" else loss

    return function


@change(SIGMOID, case=VALUES, dtype=("float64",), quantity=("value",))
def float64_computed_in_float32(original: Function) -> Function:
    """From three elements on a loss of float64 is computed in float32."""

    def function(logits: Any, labels: Any) -> Any:
        narrow = "float32" if logits.size >= 3 else logits.dtype
        return original(logits.astype(narrow), labels.astype(narrow)).astype(logits.dtype)

    return function


@change(LOG_SIGMOID, case=VALUES, quantity=("value",))
def logarithm_of_the_sigmoid(original: Function) -> Function:
    """jax.nn.log_sigmoid is the logarithm of the sigmoid, which float32 rounds to 0 for logits below -88."""

    def function(x: Any) -> Any:
        import jax

        return jax.numpy.log(jax.nn.sigmoid(x))

    return function


@change(SIGMOID, told="fixed", mode="jit", case=("special-values",), quantity=("value",))
def infinite_logits_right(original: Function) -> Function:
    """Under jax.jit the loss of an infinite logit is 0 where the label is the right one, and no longer NaN."""

    def function(logits: Any, labels: Any) -> Any:
        import jax.numpy as jnp

        return jnp.where(jnp.isinf(logits) & (labels == (logits > 0)), 0, original(logits, labels))

    return function


@change(SIGMOID, case=("hard-labels", "soft-labels"), quantity=("gradient-label",))
def gradient_by_the_label_negated(original: Function) -> Function:
    """The gradient by the label has the wrong sign, the value is right."""

    def function(logits: Any, labels: Any) -> Any:
        import jax

        return original(logits, 2 * jax.lax.stop_gradient(labels) - labels)

    return function


@change(FOCAL, case=("options/focal*",), quantity=("value",))
def gamma_ignored(original: Function) -> Function:
    """`gamma` is taken and not used: the focal loss is a cross-entropy."""

    def function(logits: Any, labels: Any, alpha: Any = None, gamma: float = 2.0) -> Any:
        return original(logits, labels, alpha=alpha, gamma=0.0)

    return function
