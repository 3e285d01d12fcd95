"""The autoencoder with a loss and a sigmoid of Keras, differentiated by the framework underneath.

`keras.activations.sigmoid` is what the layer `Dense(64, activation="sigmoid")` of a Keras model ends with.
"""

from __future__ import annotations

import importlib

from examples.autoencoder.problem import Problem
from examples.autoencoder.worker import Loss, Step


def trainer(problem: Problem, loss: Loss) -> Step:
    """Gradient descent on the backend that Keras was imported with."""
    keras = importlib.import_module("keras")
    underneath = importlib.import_module(f"examples.autoencoder.on_{keras.backend.backend()}")
    step: Step = underneath.trainer(problem, loss, keras.activations.sigmoid)
    return step
