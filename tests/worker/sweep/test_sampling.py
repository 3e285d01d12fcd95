"""Samples of a space that is too large to be swept."""

from __future__ import annotations

import numpy as np

from conformance.numbers.formats import encode
from conformance.worker.sweep import sampling, space
from conformance.worker.sweep.statistics import Statistics
from reference.operands import GRADIENT_PREDICTION


def test_a_sample_at_a_power_of_two_is_in_the_binade_that_its_low_part_says() -> None:
    """1/2 - y + z/4 is less than 2^-25 by 2^-128, beyond a double-double; a result of 0 is 2^24 off."""
    z, y = np.array([-(2.0**-126)]), np.array([0.5 - 2.0**-25])
    bits = [encode(one, "float32").bits.astype(np.uint64) for one in (z, y)]
    positions = np.array([space.position_of(int(bits[0][0]), "float32")], dtype=np.uint64)
    made = Statistics()
    points = sampling.Points(positions, bits[1])
    sampling._judged(made, lambda *_: encode(np.zeros(1), "float32"), "logits", GRADIENT_PREDICTION, "float32", points)
    assert [item[0] for item in made.worst["ideal"].values()] == [2.0**24]
