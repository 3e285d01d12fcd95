"""What a block should give in one format, and where that is on the line of bit patterns.

Worker-side code: standard library and NumPy only, Python 3.7 on.
"""

from __future__ import annotations

import math
import struct
from typing import NamedTuple

import numpy as np

import reference
from conformance.numbers.arrays import Floats, Mask, Signed
from conformance.numbers.formats import Format
from conformance.worker.sweep.block import Block, Places
from conformance.worker.sweep.rounding import SIGN, base, magnitude_mask, rounded
from reference import Reference
from reference.operands import GRADIENT_PREDICTION, LOGITS
from reference.split import MOST_NARROW, NARROW_SUM, NARROW_TERMS, Split, Splits

#: An expected value this much smaller than the two products of its `Split` is computed in double-double.  In others
#: float64 loses 2^-50 of the products at most, which is 2^-40 of the value: 2^-16 ULP of float32.
ILL_CONDITIONED = 2.0**-10

#: In units of 2^-52: how near a power of two a value in float64 may be on the other side of it.  The ULP of the two
#: sides differs by a factor of 2.  `ILL_CONDITIONED` leaves 2^-40 of a value uncertain.
EDGE = 1 << 12

#: Where terms cancel, float32 serves for results that are not smaller than one part of the terms in so many.
WELL_CONDITIONED = 8.0


class Line(NamedTuple):
    """Expected values as positions on the line: the bits of float64, or for narrower formats bits of float32.

    `dropped` bits of a position are a fraction.  `margin` is how far the positions may be off in units of the last of
    these, and `edge` how far where that decides on which side of a power of two a value is.
    """

    positions: Signed
    dropped: int
    margin: int
    edge: int
    negative: bool

    @property
    def binade(self) -> int:
        """Positions of a binade."""
        return 1 << (52 if self.positions.itemsize == 8 else 23)

    def of(self, bits: Signed) -> Signed:
        """Where results are, as signed integers, if they are normal numbers with the sign of the values."""
        if bits.itemsize == 4:
            return bits.view(np.float32).astype(np.float64).view(np.int64)
        found = (bits ^ SIGN if self.negative else bits).astype(self.positions.dtype)
        found <<= self.dropped
        return found


class Expected:
    """What a block should give in one format: float64 values that broadcast with it, computed when they are needed.

    `regular` where the screen may be used: `low` and `high` are the least and the largest magnitude of the values as
    bit patterns of the format, or less and more.  Elsewhere values that float64 does not know well are the
    double-double ones.  Without `splits` all are: where a term is infinite.
    """

    def __init__(self, block: Block, splits: Splits | None, fmt: Format) -> None:
        self.block = block
        self.format = fmt
        self._splits = splits
        self._values: Floats | None = None
        self._nearest: Signed | None = None
        self._line: Line | None = None
        self.regular = splits is not None and self._is_regular(splits)
        if not self.regular:
            if splits is not None and block.cancels:
                self._repair(splits.whole)
            magnitude = self.nearest & magnitude_mask(fmt)
            self.low, self.high = int(magnitude.min()), int(magnitude.max())
        self.zero = self.low == self.high == 0

    def _is_regular(self, splits: Splits) -> bool:
        """Whether all values are normal numbers of one sign and well conditioned."""
        if self._between(splits, *splits.ends.bounds(self.block.label_ends)):
            return True
        return self._between(splits, float(self.values.min()), float(self.values.max()))

    def _between(self, splits: Splits, low: float, high: float) -> bool:
        """`_is_regular` for values between two numbers; if so, `negative` and all that depends on the two is set."""
        fmt = self.format
        self.negative = high < 0.0
        least, most = (-high, -low) if self.negative else (low, high)
        if not (least >= 2.0**fmt.emin and most < 2.0 ** (fmt.emax + 1)):
            return False
        self._ends = struct.unpack("2q", struct.pack("2d", least, most))
        dropped, first = 52 - fmt.fraction_bits, base(fmt)
        self.low, self.high = (self._ends[0] >> dropped) - first, (self._ends[1] >> dropped) - first
        spread = least
        if self.block.cancels or fmt.width == 16:
            spread = splits.ends.largest_spread(self.block.label_ends)
        ratio = spread / least if self.block.cancels else 1.0
        # Scaled coefficients stay exact in float32 where the label has the format of the result, or a wider range.
        self._narrow = self.block.predictions.tensor.dtype == fmt.name != "float32"
        self._narrow = self._narrow and spread < MOST_NARROW and ratio < WELL_CONDITIONED
        self._margin = NARROW_SUM + math.ceil(NARROW_TERMS * ratio)
        return ratio * ILL_CONDITIONED < 1.0

    @property
    def values(self) -> Floats:
        """The values of the whole block."""
        if self._values is None:
            if self._splits is None:
                self._values = self._exact(np.broadcast_to(True, self.block.shape)).hi.reshape(self.block.shape)
            else:
                self._values = self._splits.whole.at(self.block.label)
        return self._values

    def values_at(self, where: Places) -> Floats:
        """The values at flat indices."""
        if self._values is None and not isinstance(where, slice):
            assert self._splits is not None
            rows, columns = np.divmod(where, self.block.shape[1])
            return np.broadcast_to(self._splits.whole.taken(columns).at(self.block.label[rows, 0]), where.shape)
        return self.block.taken(self.values, where)

    @property
    def nearest(self) -> Signed:
        """The bit patterns that are nearest to the values, as signed integers."""
        if self._nearest is None:
            self._nearest = rounded(self.values, self.format)
        return self._nearest

    @property
    def line(self) -> Line:
        """The values on the line, where they are regular."""
        if self._line is None:
            self._line = self._on_a_line()
        return self._line

    def _on_a_line(self) -> Line:
        fmt = self.format
        if fmt.width == 32:
            return Line(self.values.view(np.int64), 52 - fmt.fraction_bits, 0, EDGE, self.negative)
        # The field of the exponent of emin is 1: scaled to the least normal number, the first bits are those of `fmt`.
        if self._narrow and self._splits is not None:
            found = self._splits.narrow(self.block.label, math.ldexp(-1.0 if self.negative else 1.0, -126 - fmt.emin))
            if found is not None:
                return Line(found.view(np.int32), 23 - fmt.fraction_bits, self._margin, self._margin, self.negative)
        positions = np.abs(self.values).view(np.int64) - np.int64(base(fmt) << 52 - fmt.fraction_bits)
        return Line(positions, 52 - fmt.fraction_bits, 0, EDGE, self.negative)

    @property
    def constant(self) -> int | None:
        """The magnitude of the bit pattern that is nearest to all values of a regular block, where it is one."""
        dropped = 52 - self.format.fraction_bits
        half = 1 << (dropped - 1)
        nearest = (self._ends[0] - EDGE + half) >> dropped
        return nearest - base(self.format) if nearest == (self._ends[1] + EDGE + half) >> dropped else None

    def farthest(self, low: int, high: int) -> float:
        """No result between two magnitudes of bit patterns is farther from its value than this, in ULP."""
        fraction, first = self.format.fraction_bits, base(self.format)
        dropped = 52 - fraction
        distance = max((high + first << dropped) - self._ends[0], self._ends[1] - (low + first << dropped)) + EDGE
        if distance >= 1 << 52:  # across more than one boundary of binades
            return math.inf
        least, most = (self._ends[0] - EDGE >> dropped) - first, (self._ends[1] + EDGE >> dropped) - first
        one_binade = low >> fraction == high >> fraction == least >> fraction == most >> fraction
        return float(distance if one_binade else 2 * distance) / (1 << dropped)

    def _repair(self, split: Split) -> None:
        """Replace what cancels by the double-double value."""
        values = np.array(np.broadcast_to(self.values, self.block.shape))
        spread = split.spread(self.block.label)
        bad = ~(np.abs(values) > ILL_CONDITIONED * spread) & (spread > 0.0)  # 0 where a tail is below every format
        if bad.any():
            values[bad] = self._exact(bad).hi
            self._values = values

    def _exact(self, where: Mask) -> Reference:
        p, y = (np.broadcast_to(each, self.block.shape)[where] for each in (self.block.prediction, self.block.label))
        return reference.FUNCTIONS[self.block.quantity](self.block.form, p, y)

    def scale(self, where: Places, values: Floats) -> Floats:
        """The size of the natural terms at flat indices, where the values are those.

        With the labels 0 and 1 there is one term, the value.  Elsewhere float64 knows the size to 2^-50; where it may
        be a power of two, as it is for gradients by the logit with the label 1/2, it is not less.
        """
        if self._splits is None:
            found = self._exact(np.broadcast_to(True, self.block.shape)).scale.reshape(-1)[where]
        elif isinstance(where, slice):
            found = self.block.taken(self._splits.whole.scale(self.block.label), where)
        else:
            rows, columns = np.divmod(where, self.block.shape[1])
            found = self._splits.whole.taken(columns).scale(self.block.label[rows, 0])
        label = self.block.taken(self.block.label, where)
        return np.where((label == 0.0) | (label == 1.0), np.abs(values), found * (1.0 + 2.0**-50))

    def at(self, where: Places) -> tuple[Floats, Floats | None]:
        """Expected values at flat indices, as hi and lo, which is None unless float64 leaves a binade uncertain."""
        values = self.values_at(where)
        fraction = values.view(np.int64) + np.int64(EDGE)
        fraction &= (1 << 52) - 1
        edge = np.flatnonzero((fraction < 2 * EDGE) & (values != 0.0))
        if not edge.size:
            return values, None
        values, lows = values.copy(), np.zeros_like(values)
        index = edge if isinstance(where, slice) else where[edge]
        p, y = self.block.taken(self.block.prediction, index), self.block.taken(self.block.label, index)
        exact = reference.FUNCTIONS[self.block.quantity](self.block.form, p, y)
        values[edge], lows[edge] = exact.hi, low_parts(self.block.form, self.block.quantity, p, exact)
        return values, lows

    def reference(self, where: Places) -> Reference:
        """The expected values at flat indices, as `measure` takes them."""
        values, lows = self.at(where)
        scale = self.scale(where, values)
        if lows is None:
            lows = np.zeros_like(values)
        return Reference(values, lows, np.zeros_like(values), np.where(np.isfinite(values), scale, np.abs(values)))


def low_parts(form: str, quantity: str, prediction: Floats, exact: Reference) -> Floats:
    """The low parts of expected values, which tell on which side of a power of two these are.

    A sigmoid that is 0 or 1 to more digits than a double-double has is more than that, or less.
    """
    if (form, quantity) != (LOGITS, GRADIENT_PREDICTION):
        return exact.lo
    saturated = (exact.lo == 0.0) & (np.abs(prediction) > 1.0)
    return np.where(saturated, np.copysign(2.0**-1074, -prediction), exact.lo)
