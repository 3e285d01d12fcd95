"""What every framework is given: images, labels, initial weights, a step size and a number of steps."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

import reference

Array = NDArray[np.floating[Any]]

#: Units of the hidden layer; the images have 8 × 8 pixels.
HIDDEN = 32
PIXELS = 64

#: The digits of scikit-learn have 17 grey levels, 0 to 16.
WHITE = 16

#: How the labels are made of images in [0, 1].  As in any autoencoder they are the inputs, too.
LABELS: dict[str, Callable[[Array], Array]] = {
    "grey": lambda images: images,
    "hard": lambda images: (images >= 0.5).astype(images.dtype),
    "doubled": lambda images: 2 * images,  # pixels divided by 8, not by 16
}


@dataclass(frozen=True)
class Problem:
    """A training run, the same for every framework; the arrays have the dtype of the run."""

    images: Array
    labels: Array
    #: W1, b1, W2, b2 of `sigmoid(tanh(x @ W1 + b1) @ W2 + b2)`.
    weights: tuple[Array, ...]
    #: What a gradient is multiplied by. A power of two is exact in every dtype.
    rate: float
    #: How often the weights are moved; the loss is taken once more.
    steps: int

    def with_labels(self, kind: str) -> Problem:
        """The same problem with other labels, a key of LABELS."""
        return Problem(self.images, LABELS[kind](self.images), self.weights, self.rate, self.steps)

    def astype(self, dtype: str) -> Problem:
        """The same problem in another dtype; exact, since every number is one of float32."""
        weights = tuple(weight.astype(dtype) for weight in self.weights)
        return Problem(self.images.astype(dtype), self.labels.astype(dtype), weights, self.rate, self.steps)


def digits(count: int, steps: int, rate: float = 4.0, seed: int = 0) -> Problem:
    """The first `count` digits of scikit-learn, grey labels, weights drawn with `seed`; everything in float64.

    Raises MissingExtra without scikit-learn, ValueError where there are not so many digits.
    """
    data = extra("sklearn.datasets").load_digits().data
    if not 0 < count <= len(data):
        raise ValueError(f"'count' must be between 1 and {len(data)} (got {count})")
    images = data[:count] / WHITE
    return Problem(images, images, initial_weights(seed), rate, steps)


def initial_weights(seed: int) -> tuple[Array, ...]:
    """Uniform weights after Glorot and Bengio (2010), biases 0: float64 arrays of numbers that float32 has, too."""
    random = np.random.default_rng(seed)
    weights: list[Array] = []
    for before, after in ((PIXELS, HIDDEN), (HIDDEN, PIXELS)):
        limit = np.sqrt(6 / (before + after))
        drawn = random.uniform(-limit, limit, (before, after))
        weights += [drawn.astype(np.float32).astype(np.float64), np.zeros(after)]
    return tuple(weights)


def floor(labels: Array) -> float:
    """The mean entropy H(y) of labels in [0, 1]: the least that their mean cross-entropy can be, correctly rounded."""
    return float(reference.exact_mean(reference.loss("probabilities", labels, labels)).hi)


def sigmoid(logits: Array) -> Array:
    """1 / (1 + exp(-z)) in float64, without overflow: the reconstruction, whatever a loss makes of the logits."""
    z = logits.astype(np.float64)
    t = np.exp(-np.abs(z))
    result: Array = np.where(z >= 0, 1.0, t) / (1.0 + t)
    return result


def squared_error(reconstruction: Array, images: Array) -> float:
    """The mean squared error of a reconstruction."""
    return float(np.mean(np.square(reconstruction.astype(np.float64) - images)))


def baseline(images: Array) -> float:
    """The mean squared error of the mean image, the best that a model without inputs can do."""
    return squared_error(np.broadcast_to(images.mean(axis=0), images.shape), images)


class MissingExtra(ImportError):
    """A package of the extra `examples` is not installed."""

    def __init__(self, package: str) -> None:
        super().__init__(f"{package} is not installed; pip install 'bce-conformance[examples]' brings it")


#: Import name -> name of the distribution.
_DISTRIBUTIONS = {"sklearn": "scikit-learn"}


def extra(module: str) -> Any:
    """Import a module of the extra `examples`.  Raises MissingExtra."""
    package = module.split(".", maxsplit=1)[0]
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.split(".", maxsplit=1)[0] != package:
            raise
        raise MissingExtra(_DISTRIBUTIONS.get(package, package)) from error
