"""Where the bounds of a documented clip lie in a dtype."""

from __future__ import annotations

import math
from fractions import Fraction
from functools import lru_cache

from conformance.contracts import Clip
from conformance.numbers.formats import Format, round_to_bits
from conformance.numbers.literals import float_of, rational


def clip_intervals(clip: Clip | None, fmt: Format) -> list[tuple[float, float]]:
    """What a prediction may be confined to, each bound rounded either way; where there is no bound, it is infinite."""
    lows = (clip and clip_bounds(clip.low, fmt)) or (-math.inf,)
    highs = (clip and clip_bounds(clip.high, fmt)) or (math.inf,)
    return [(low, high) for low in lows for high in highs]


@lru_cache(maxsize=None)
def clip_bounds(literal: str, fmt: Format) -> tuple[float, ...]:
    """The neighbours in `fmt` of the real bound `literal` that lie strictly inside (0, 1)."""
    exact = rational(literal)
    nearest = round_to_bits(exact, fmt)
    values = [float_of(bits, fmt) for bits in (nearest - 1, nearest, nearest + 1)]
    below = max((value for value in values if Fraction(value) <= exact), default=0.0)
    above = min((value for value in values if Fraction(value) >= exact), default=1.0)
    return tuple(sorted({value for value in (below, above) if 0.0 < value < 1.0}))
