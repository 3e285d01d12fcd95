"""The autoencoder in NumPy with a backward pass by hand: loss and gradient are the exact ones, rounded.

Meant for float64: the rest of the network (products of matrices, tanh, the update) is rounded there as everywhere.
"""

from __future__ import annotations

import numpy as np

import reference
from examples.autoencoder.problem import Array, Problem, sigmoid
from examples.autoencoder.worker import Step


def trainer(problem: Problem, form: str, epsilon: float | None = None) -> Step:
    """Gradient descent with the loss of `reference` on predictions of `form`; `epsilon` as in `reference.loss`."""
    weights = tuple(weight.copy() for weight in problem.weights)
    return lambda: descend(weights, problem, form, epsilon)


def descend(
    weights: tuple[Array, ...], problem: Problem, form: str, epsilon: float | None = None
) -> tuple[Array, Array]:
    """The loss and the logits at `weights`, which are then moved, in place."""
    w1, b1, w2, b2 = weights
    x, y = problem.labels, problem.labels
    hidden = np.tanh(x @ w1 + b1)
    z = hidden @ w2 + b2
    prediction = z if form == "logits" else sigmoid(z)
    loss = reference.exact_sum(reference.loss(form, prediction, y, epsilon=epsilon)).hi / y.size

    dz: Array = reference.gradient_prediction(form, prediction, y, epsilon=epsilon).hi / y.size
    if form == "probabilities":
        dz = dz * prediction * sigmoid(-z)
    dh = (dz @ w2.T) * (1 - hidden * hidden)
    gradients = (x.T @ dh, dh.sum(axis=0), hidden.T @ dz, dz.sum(axis=0))
    for weight, gradient in zip(weights, gradients, strict=True):
        weight -= problem.rate * gradient
    return loss, z
