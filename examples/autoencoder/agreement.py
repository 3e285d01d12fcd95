"""How far two trajectories may part by rounding, and whether one did what cross-entropy promises."""

from __future__ import annotations

from typing import Any

import numpy as np

from examples.autoencoder.problem import HIDDEN, PIXELS, Array
from examples.autoencoder.training import Trajectory

#: Unit roundoff.
UNIT = {"float64": 2.0**-53, "float32": 2.0**-24}

#: Roundings of one element on the way through activations, loss and update: four functions at 4 ULP each.
ELEMENTWISE = 16

#: Factor of the probabilistic bound of Higham and Mary, "A new approach to probabilistic rounding error analysis",
#: SIAM J. Sci. Comput. 41 (2019), https://doi.org/10.1137/18M1226312: an inner product of length n is within
#: CONFIDENCE * sqrt(n) * u, with a probability of at least 1 - 2 * exp(-CONFIDENCE**2 / 2) for each rounding.
#: Roundings are modelled as independent there; in practice the bound is cautious.
CONFIDENCE = 4.0

#: How much of a relative change of all weights arrives in the loss, at any later step: 0.078 is the most that was seen
#: (2026, 200 images, 3000 steps, 4 random changes of 2**-20; 0.062 for 1797 images).  Descent forgets.
GROWTH = 0.125

#: Backends whose float64 losses are averaged in float32, a recorded deviation:
#: deviations/keras-torch/losses.binary_crossentropy/value/ordinary/inaccurate.yaml and its like for keras-jax.
AVERAGED_IN_FLOAT32 = ("keras-torch", "keras-jax")


def precision(trajectory: Trajectory) -> str:
    """The dtype that a trajectory can be held to: that of the returned loss, or a narrower one that is on record."""
    return "float32" if trajectory.run.backend in AVERAGED_IN_FLOAT32 else trajectory.dtype


def bound(dtype: str, images: int, steps: int) -> Array:
    """How far the losses of two trajectories, one computed in `dtype`, one in float64, may lie apart, relatively.

    A loss at step t sums over all pixels of all images; the weights behind it were moved t times, each time by inner
    products over pixels, hidden units and images.  Roundings are taken as independent, so their number counts by its
    square root.
    """
    network = 2 * PIXELS + HIDDEN + ELEMENTWISE
    of_loss = np.sqrt(network + images * PIXELS)
    of_weights = np.sqrt((network + images) * np.arange(steps + 1))
    result: Array = CONFIDENCE * (UNIT[dtype] + UNIT["float64"]) * (of_loss + GROWTH * of_weights)
    return result


def distance(losses: Array, expected: Array) -> Array:
    """The relative distance of two trajectories at every step."""
    result: Array = np.abs(losses - expected) / np.abs(expected)
    return result


def complaints(trajectory: Trajectory, expected: Trajectory, floor: float, images: int) -> list[str]:
    """What a trajectory on labels in [0, 1] did that cross-entropy forbids, in words; nothing if all is well."""
    if trajectory.raised:
        return [f"raised {trajectory.raised}: {trajectory.message}"]
    losses = trajectory.losses
    allowed = bound(precision(trajectory), images, len(losses) - 1)
    found = []

    def complain(wrong: Any, text: str) -> None:
        if np.any(wrong):
            found.append(f"{text} at step {int(np.argmax(wrong))}")

    # "not <=" rather than ">": NaN is a complaint, too.
    complain(~(distance(losses, expected.losses) <= allowed), "leaves the reference")
    complain(~(losses >= floor * (1 - allowed)), "falls below the entropy of the labels")
    complain(~(losses[1:] <= losses[:-1] * (1 + allowed[1:] + allowed[:-1])), "rises")
    return found
