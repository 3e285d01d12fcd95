"""The autoencoder in PyTorch."""

from __future__ import annotations

import importlib
from typing import Any

from examples.autoencoder.problem import Array, Problem
from examples.autoencoder.worker import Loss, Step


def trainer(problem: Problem, loss: Loss, sigmoid: Any = None) -> Step:
    """Gradient descent by torch.autograd.grad; `sigmoid` replaces torch.sigmoid."""
    torch = importlib.import_module("torch")
    labels = torch.from_numpy(problem.labels)
    weights = [torch.from_numpy(weight.copy()).requires_grad_(True) for weight in problem.weights]

    def step() -> tuple[Any, Array]:
        w1, b1, w2, b2 = weights
        z = torch.tanh(labels @ w1 + b1) @ w2 + b2
        value = loss(z, labels, sigmoid or torch.sigmoid).mean()
        gradients = torch.autograd.grad(value, weights)
        with torch.no_grad():
            for weight, gradient in zip(weights, gradients, strict=True):
                weight -= problem.rate * gradient
        return value.detach().numpy(), z.detach().numpy()

    return step
