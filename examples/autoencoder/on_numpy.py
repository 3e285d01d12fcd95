"""The autoencoder in NumPy with a backward pass by hand: loss and gradient are the exact ones, rounded.

Meant for float64: the rest of the network (products of matrices, tanh, the update) is rounded there as everywhere.
"""

from __future__ import annotations

import numpy as np

import reference
from examples.autoencoder.problem import Array, Problem
from examples.autoencoder.worker import Step


def sigmoid(z: Array) -> Array:
    """1 / (1 + exp(-z)) without overflow."""
    t = np.exp(-np.abs(z))
    result: Array = np.where(z >= 0, 1.0, t) / (1.0 + t)
    return result


def trainer(problem: Problem, form: str, epsilon: float | None = None) -> Step:
    """Gradient descent with the loss of `reference` on predictions of `form`; `epsilon` as in `reference.loss`."""
    x, y = problem.labels, problem.labels
    w1, b1, w2, b2 = (weight.copy() for weight in problem.weights)

    def gradient_of_logits(z: Array, prediction: Array) -> Array:
        gradient: Array = reference.gradient_prediction(form, prediction, y, epsilon=epsilon).hi
        return gradient if form == "logits" else gradient * prediction * sigmoid(-z)

    def step() -> tuple[Array, Array]:
        hidden = np.tanh(x @ w1 + b1)
        z = hidden @ w2 + b2
        prediction = z if form == "logits" else sigmoid(z)
        loss = reference.exact_sum(reference.loss(form, prediction, y, epsilon=epsilon)).hi / y.size

        dz = gradient_of_logits(z, prediction) / y.size
        dh = (dz @ w2.T) * (1 - hidden * hidden)
        for weight, gradient in ((w1, x.T @ dh), (b1, dh.sum(axis=0)), (w2, hidden.T @ dz), (b2, dz.sum(axis=0))):
            weight -= problem.rate * gradient
        return loss, z

    return step
