"""JAX itself, and the losses as functions of (prediction, label)."""

from __future__ import annotations

import importlib
from typing import Any


def framework() -> Any:
    """The framework, imported on first use: a process that only reads declarations must not load it."""
    return importlib.import_module("jax")


def two_classes(logits: Any) -> Any:
    """Logits of the classes 0 and 1 whose softmax is 1 - sigmoid(z) and sigmoid(z)."""
    jnp = framework().numpy
    return jnp.stack([jnp.zeros_like(logits), logits], axis=-1)


def _losses() -> Any:
    """optax.losses, which was part of optax itself before 0.1.8.  ImportError where Optax is not installed."""
    optax = importlib.import_module("optax")
    return getattr(optax, "losses", optax)


def sigmoid_binary_cross_entropy(prediction: Any, label: Any) -> Any:
    """optax.losses.sigmoid_binary_cross_entropy."""
    return _losses().sigmoid_binary_cross_entropy(prediction, label)


def sigmoid_focal_loss(prediction: Any, label: Any, gamma: float = 0.0, alpha: Any = None) -> Any:
    """optax.losses.sigmoid_focal_loss; without a gamma of the case it is 0, which makes it a binary cross-entropy."""
    return _losses().sigmoid_focal_loss(prediction, label, alpha=alpha, gamma=gamma)


def softmax_cross_entropy(prediction: Any, label: Any) -> Any:
    """optax.losses.softmax_cross_entropy of two classes: logits [0, z], labels [1 - y, y]."""
    labels = framework().numpy.stack([1 - label, label], axis=-1)
    return _losses().softmax_cross_entropy(two_classes(prediction), labels)


def bernoulli_logpmf(prediction: Any, label: Any) -> Any:
    """-jax.scipy.stats.bernoulli.logpmf(y, p), whose documentation gives other labels than 0 and 1 no probability."""
    return -importlib.import_module("jax.scipy.stats").bernoulli.logpmf(label, prediction)


def formula(prediction: Any, label: Any) -> Any:
    """-(y log p + (1 - y) log1p(-p)) in jax.numpy: JAX itself has no function for probabilities."""
    jnp = framework().numpy
    return -(label * jnp.log(prediction) + (1 - label) * jnp.log1p(-prediction))


def label_probabilities(prediction: Any, label: Any) -> Any:
    """-log(p y + (1 - p) (1 - y)), the training loss that JAX's documentation of automatic differentiation prints."""
    return -framework().numpy.log(prediction * label + (1 - prediction) * (1 - label))
