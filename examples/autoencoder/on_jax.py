"""The autoencoder in JAX."""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np

from examples.autoencoder.problem import Array, Problem
from examples.autoencoder.worker import Loss, Step


def trainer(problem: Problem, loss: Loss, sigmoid: Any = None) -> Step:
    """Gradient descent by jax.value_and_grad, one compiled function for a step; `sigmoid` replaces jax.nn.sigmoid."""
    jax = importlib.import_module("jax")
    labels = jax.numpy.asarray(problem.labels)
    weights = [jax.numpy.asarray(weight) for weight in problem.weights]

    def objective(weights: list[Any]) -> tuple[Any, Any]:
        w1, b1, w2, b2 = weights
        z = jax.numpy.tanh(labels @ w1 + b1) @ w2 + b2
        return loss(z, labels, sigmoid or jax.nn.sigmoid).mean(), z

    @jax.jit  # type: ignore[untyped-decorator]  # JAX may not be installed where types are checked
    def descend(weights: list[Any]) -> tuple[Any, Any, list[Any]]:
        (value, z), gradients = jax.value_and_grad(objective, has_aux=True)(weights)
        moved = [weight - problem.rate * gradient for weight, gradient in zip(weights, gradients, strict=True)]
        return value, z, moved

    def step() -> tuple[Any, Array]:
        nonlocal weights
        value, z, weights = descend(weights)
        return np.asarray(value), np.asarray(z)

    return step
