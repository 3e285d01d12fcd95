"""What a documented clip confines a prediction to."""

from __future__ import annotations

import math

from conformance.contracts import Clip, Source
from conformance.numbers.documented import clip_intervals
from conformance.numbers.formats import FORMATS

FLOAT32 = FORMATS["float32"]
SOURCE = Source("clipped to [epsilon, 1 - epsilon]", "https://example.org", "1.0")


def test_each_bound_may_be_rounded_either_way() -> None:
    """Neither 1e-7 nor 0.9999999 is a float32: four implementations clip as documented."""
    found = clip_intervals(Clip("1e-7", "0.9999999", SOURCE), FLOAT32)
    assert len(found) == 4
    assert {high for _, high in found} == {1 - 2**-23, 1 - 2**-24}
    assert all(abs(low - 1e-7) < 2**-47 for low, _ in found)


def test_without_a_bound_nothing_is_clipped() -> None:
    """Without a clip, and beside a bound that is an end of [0, 1] itself."""
    assert clip_intervals(None, FLOAT32) == [(-math.inf, math.inf)]
    assert clip_intervals(Clip("0.25", "1", SOURCE), FLOAT32) == [(0.25, math.inf)]
