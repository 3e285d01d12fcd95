"""The autoencoder in TensorFlow."""

from __future__ import annotations

import importlib
from typing import Any

from examples.autoencoder.problem import Array, Problem
from examples.autoencoder.worker import Loss, Step


def trainer(problem: Problem, loss: Loss, sigmoid: Any = None) -> Step:
    """Gradient descent by tf.GradientTape, eagerly; `sigmoid` replaces tf.sigmoid."""
    tf = importlib.import_module("tensorflow")
    labels = tf.constant(problem.labels)
    weights = [tf.Variable(weight) for weight in problem.weights]

    def step() -> tuple[Any, Array]:
        w1, b1, w2, b2 = weights
        with tf.GradientTape() as tape:
            z = tf.tanh(labels @ w1 + b1) @ w2 + b2
            value = tf.reduce_mean(loss(z, labels, sigmoid or tf.sigmoid))
        for weight, gradient in zip(weights, tape.gradient(value, weights), strict=True):
            weight.assign_sub(problem.rate * gradient)
        return value.numpy(), z.numpy()

    return step
