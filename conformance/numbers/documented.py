"""What a contract makes of the arguments of a loss: what predictions are confined to, and numbers in its formula."""

from __future__ import annotations

import math
from fractions import Fraction
from functools import lru_cache
from typing import Dict, List, NamedTuple

import numpy as np

from conformance import contracts
from conformance.contracts import Clip, Contract
from conformance.numbers.arrays import Floats, Mask
from conformance.numbers.formats import FORMATS, Format, round_to_bits
from conformance.numbers.literals import float_of, rational


class Interval(NamedTuple):
    """What a clip confines predictions to, by one reading of its bounds; where there is no bound, it is infinite."""

    low: float
    high: float

    def confined(self, prediction: Floats) -> Floats:
        """Predictions after the clip."""
        with np.errstate(invalid="ignore"):
            return np.clip(prediction, self.low, self.high)

    def outside(self, prediction: Floats) -> Mask:
        """Where the clip is a constant, so that nothing depends on the prediction."""
        return (prediction < self.low) | (prediction > self.high)

    def at_bound(self, prediction: Floats) -> Mask:
        """Where the clip has a kink: its derivative may be any number from 0 to 1."""
        kink: Mask = ((prediction == self.low) | (prediction == self.high)) & np.isfinite(prediction)
        return kink


class Documented(NamedTuple):
    """What is computed: in which format, of predictions in which interval (one for each reading), with which numbers.

    `constants` are keyword arguments of the reference.
    """

    fmt: Format
    intervals: List[Interval]
    constants: Dict[str, float]

    @classmethod
    def by(cls, contract: Contract, dtype: str) -> Documented:
        """What a contract says of inputs of a dtype."""
        clip, clamp, epsilon, cast = (
            contracts.find(contract, name) for name in ("clip", "log_clamp", "epsilon", "casts_to")
        )
        fmt = FORMATS[cast.dtype if cast is not None else dtype]
        constants = {}
        if clamp is not None:
            constants["log_clamp"] = clamp.bound
        if epsilon is not None:
            constants["epsilon"] = epsilon.value
        return cls(fmt, clip_intervals(clip, fmt), constants)


def documents_values(form: str, contract: Contract) -> bool:
    """Whether a contract asks for other values than the ideal."""
    fields = ("clip", "log_clamp", "epsilon")
    return form == "probabilities" and any(contracts.find(contract, name) is not None for name in fields)


def clip_intervals(clip: Clip | None, fmt: Format) -> List[Interval]:
    """What a prediction may be confined to, each bound rounded either way."""
    lows = (clip and clip_bounds(clip.low, fmt)) or (-math.inf,)
    highs = (clip and clip_bounds(clip.high, fmt)) or (math.inf,)
    return [Interval(low, high) for low in lows for high in highs]


@lru_cache(maxsize=None)
def clip_bounds(literal: str, fmt: Format) -> tuple[float, ...]:
    """The neighbours in `fmt` of the real bound `literal` that lie strictly inside (0, 1)."""
    exact = rational(literal)
    nearest = round_to_bits(exact, fmt)
    values = [float_of(bits, fmt) for bits in (nearest - 1, nearest, nearest + 1)]
    below = max((value for value in values if Fraction(value) <= exact), default=0.0)
    above = min((value for value in values if Fraction(value) >= exact), default=1.0)
    return tuple(sorted({value for value in (below, above) if 0.0 < value < 1.0}))
