"""Judging a block of results: a screen by integers, and exact care for what it lets through.

A block has predictions of one binade.  Bit patterns of numbers of one sign are positions on a line, and so are the bits
of a float64 value, with a fraction: on that line a result and what is expected are as far apart as the error in ULP,
where both lie in one binade; where one boundary of binades lies between, the error is at most twice that.  The screen
measures all distances of a block in which every expected result is a normal number of one sign and well conditioned;
only results that can exceed the largest error of this binade so far are looked at again.  Other blocks are looked at
result by result, by the definitions of `conformance.numbers.measurement`, which runs use as well.

Worker-side code: standard library and NumPy only, Python 3.7 on.
"""

from __future__ import annotations

import math
import struct
from typing import Any, Callable, NamedTuple, Sequence, Tuple

import numpy as np

import reference
from conformance.numbers.formats import Format, Tensor, decode, infinity_bits
from conformance.numbers.measurement import CODE, Limits, measure
from conformance.worker.sweep.statistics import FAR, RELATIVE, Statistics
from reference import Reference
from reference.operands import GRADIENT_PREDICTION, LOGITS, VALUE
from reference.split import MOST_NARROW, NARROW_SUM, NARROW_TERMS, Split, Splits

#: An expected value this much smaller than the two products of its `Split` is computed in double-double.  In others
#: float64 loses 2^-50 of the products at most, which is 2^-40 of the value: 2^-16 ULP of float32.
ILL_CONDITIONED = 2.0**-10

#: In units of 2^-52: how near a power of two a value in float64 may be on the other side of it.  The ULP of the two
#: sides differs by a factor of 2.  `ILL_CONDITIONED` leaves 2^-40 of a value uncertain.
EDGE = 1 << 12

#: Where terms cancel, float32 serves for results that are not smaller than one part of the terms in so many.
WELL_CONDITIONED = 8.0

#: From so many results on that may be news it pays to look at the farthest one first.
MANY = 4096

#: Classes of results that have no error in ULP.
UNMEASURED = ("nan", "number", "infinite", "finite", "sign")

#: Error in ULP that a result one bit pattern off does not exceed: 1.5, and twice that across a boundary of binades.
WIDE = 3.0

#: Signed integers of a width, and the sign of the narrower ones.
SIGNED: dict[int, np.dtype[Any]] = {16: np.dtype(np.int16), 32: np.dtype(np.int32)}
SIGN = np.int16(-(1 << 15))


class Predictions:
    """Predictions of one binade, in order; as float64 when they are asked for."""

    def __init__(self, tensor: Tensor) -> None:
        self.tensor = tensor
        self._values: Any = None

    @property
    def ends(self) -> Any:
        """The first and the last."""
        return decode(Tensor(self.tensor.dtype, self.tensor.bits[[0, -1]]))

    def values(self) -> Any:
        """All of them."""
        if self._values is None:
            self._values = decode(self.tensor)
        return self._values


class Block(NamedTuple):
    """Inputs of one call: predictions of one binade in a row, and labels as float64 in a column, both in order.

    `start` is the position of the first prediction, `label_bits` has the bit patterns of the labels, `label_ends` the
    values of the first and of the last.  Where the natural terms may have different signs (`cancels`), a
    condition-scaled error says something of its own.
    """

    form: str
    quantity: str
    predictions: Predictions
    label: Any
    start: int
    label_bits: Any
    label_ends: Tuple[float, float]
    binade: str
    shape: tuple[int, int]
    cancels: bool

    @property
    def prediction(self) -> Any:
        """The predictions as float64 in a row."""
        return self.predictions.values()[np.newaxis, :]

    def taken(self, values: Any, index: Any) -> Any:
        """What broadcasts with the block, at flat indices of it."""
        if values.shape == self.shape:
            return values.reshape(-1)[index]
        if isinstance(index, slice):
            return np.broadcast_to(values, self.shape).reshape(-1)[index]
        values = np.atleast_2d(values)
        rows, columns = np.divmod(index, self.shape[1])
        return values[rows * (values.shape[0] > 1), columns * (values.shape[1] > 1)]

    def order(self, index: Any) -> Any:
        """Numbers that sort flat indices by prediction, then by label."""
        rows, columns = self.shape
        return index % columns * rows + index // columns

    def place(self, index: int) -> tuple[int, int]:
        """Position of the prediction and bit pattern of the label at a flat index."""
        row, column = divmod(index, self.shape[1])
        return self.start + column, int(self.label_bits[row])


class Documented(NamedTuple):
    """Values of one reading of a contract on a block, and their nearest bit patterns.

    Where `hull` is True any value between 0 and the value is right: the subdifferential at a clip bound.
    """

    values: Any
    nearest: Any
    hull: Any


class Line(NamedTuple):
    """Expected values as positions on the line: the bits of float64, or for narrower formats bits of float32.

    `dropped` bits of a position are a fraction.  `margin` is how far the positions may be off in units of the last of
    these, and `edge` how far where that decides on which side of a power of two a value is.
    """

    positions: Any
    dropped: int
    margin: int
    edge: int
    negative: bool

    @property
    def binade(self) -> int:
        """Positions of a binade."""
        return 1 << (52 if self.positions.itemsize == 8 else 23)

    def of(self, bits: Any) -> Any:
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
        self._values: Any = None
        self._nearest: Any = None
        self._line: Line | None = None
        self.regular = splits is not None and self._is_regular(splits)
        if not self.regular:
            if splits is not None and block.cancels:
                self._repair(splits.whole)
            magnitude = self.nearest & _magnitude_mask(fmt)
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
        dropped, base = 52 - fmt.fraction_bits, _base(fmt)
        self.low, self.high = (self._ends[0] >> dropped) - base, (self._ends[1] >> dropped) - base
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
    def values(self) -> Any:
        """The values of the whole block."""
        if self._values is None:
            if self._splits is None:
                self._values = self._exact(np.broadcast_to(True, self.block.shape)).hi.reshape(self.block.shape)
            else:
                self._values = self._splits.whole.at(self.block.label)
        return self._values

    def values_at(self, where: Any) -> Any:
        """The values at flat indices."""
        if self._values is None and not isinstance(where, slice):
            assert self._splits is not None
            rows, columns = np.divmod(where, self.block.shape[1])
            return np.broadcast_to(self._splits.whole.taken(columns).at(self.block.label[rows, 0]), where.shape)
        return self.block.taken(self.values, where)

    @property
    def nearest(self) -> Any:
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
        positions = np.abs(self.values).view(np.int64) - np.int64(_base(fmt) << 52 - fmt.fraction_bits)
        return Line(positions, 52 - fmt.fraction_bits, 0, EDGE, self.negative)

    @property
    def constant(self) -> int | None:
        """The magnitude of the bit pattern that is nearest to all values of a regular block, where it is one."""
        dropped = 52 - self.format.fraction_bits
        half = 1 << (dropped - 1)
        nearest = (self._ends[0] - EDGE + half) >> dropped
        return nearest - _base(self.format) if nearest == (self._ends[1] + EDGE + half) >> dropped else None

    def farthest(self, low: int, high: int) -> float:
        """No result between two magnitudes of bit patterns is farther from its value than this, in ULP."""
        fraction, base = self.format.fraction_bits, _base(self.format)
        dropped = 52 - fraction
        distance = max((high + base << dropped) - self._ends[0], self._ends[1] - (low + base << dropped)) + EDGE
        if distance >= 1 << 52:  # across more than one boundary of binades
            return math.inf
        least, most = (self._ends[0] - EDGE >> dropped) - base, (self._ends[1] + EDGE >> dropped) - base
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

    def _exact(self, where: Any) -> Reference:
        p, y = (np.broadcast_to(each, self.block.shape)[where] for each in (self.block.prediction, self.block.label))
        return reference.FUNCTIONS[self.block.quantity](self.block.form, p, y)

    def scale(self, where: Any, values: Any) -> Any:
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

    def at(self, where: Any) -> Tuple[Any, Any]:
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

    def reference(self, where: Any) -> Reference:
        """The expected values at flat indices, as `measure` takes them."""
        values, lows = self.at(where)
        scale = self.scale(where, values)
        if lows is None:
            lows = np.zeros_like(values)
        return Reference(values, lows, np.zeros_like(values), np.where(np.isfinite(values), scale, np.abs(values)))


def low_parts(form: str, quantity: str, prediction: Any, exact: Reference) -> Any:
    """The low parts of expected values, which tell on which side of a power of two these are.

    A sigmoid that is 0 or 1 to more digits than a double-double has is more than that, or less.
    """
    if (form, quantity) != (LOGITS, GRADIENT_PREDICTION):
        return exact.lo
    saturated = (exact.lo == 0.0) & (np.abs(prediction) > 1.0)
    return np.where(saturated, np.copysign(2.0**-1074, -prediction), exact.lo)


def rounded(values: Any, fmt: Format) -> Any:
    """float64 `values` rounded to nearest even in a format of at most 32 bits, as signed integers of its width."""
    if fmt.name == "float32":
        return values.astype(np.float32).view(np.int32)
    low, high = np.minimum.reduce(values, None), np.maximum.reduce(values, None)
    least, most = 2.0**fmt.emin, 2.0**fmt.emax
    if least <= low and high <= most:
        return _rounded_normal(values, fmt)
    if -most <= low and high <= -least:
        return _rounded_normal(-values, fmt) | SIGN
    if fmt.name == "float16":
        return values.astype(np.float16).view(np.int16)
    quantum = ulp_of(values, fmt)
    near = np.rint(values / quantum)
    near *= quantum
    near = np.where(np.isfinite(values), near, values)
    return (near.astype(np.float32).view(np.uint32) >> np.uint32(16)).astype(np.uint16).view(np.int16)


def _rounded_normal(values: Any, fmt: Format) -> Any:
    """`rounded` for positive numbers that are normal in a 16-bit format, by their bits: twice as fast as a cast."""
    bits = np.ascontiguousarray(values).view(np.int64)
    dropped = 52 - fmt.fraction_bits  # 52: fraction bits of float64
    kept = bits >> dropped
    kept &= 1
    kept += bits
    kept += (1 << (dropped - 1)) - 1
    kept >>= dropped
    kept -= _base(fmt)
    return kept.astype(np.int16)


def ulp_of(values: Any, fmt: Format) -> Any:
    """formats.ulp for finite float64 values by their bits: four times as fast."""
    power = (values.view(np.int64) & np.int64(0x7FF << 52)).view(np.float64)
    np.maximum(power, 2.0**fmt.emin, out=power)
    np.minimum(power, 2.0**fmt.emax, out=power)
    power *= 2.0**-fmt.fraction_bits
    return power


def judge(
    statistics: Statistics, block: Block, expected: Expected, got: Tensor, contract: Sequence[Documented] | None
) -> None:
    """Add the results of one block; `got` has the block's shape and the dtype of `expected`.

    `contract` holds the readings of a contract on this block, nothing where that asks for the ideal here, and is None
    where there is no contract.
    """
    fmt = expected.format
    bits = got.bits.view(SIGNED[fmt.width])
    statistics.points += bits.size
    adding = _Adding(statistics, expected, shared=contract is not None and not contract)
    if contract:
        _against_contract(adding, contract, bits)
    if expected.regular and _screened(adding, bits):
        return
    if expected.zero and not np.minimum.reduce(bits, None) and not np.maximum.reduce(bits, None):
        statistics.ordinals[0] += bits.size
        return
    wrong = _count_ordinals(statistics, expected, bits)
    odd = _is_odd(expected, bits)
    flat = bits.reshape(-1)
    if odd.any():
        adding.carefully(flat, np.flatnonzero(odd))
        wrong &= ~odd
    adding.plainly(flat, np.flatnonzero(wrong))


def can_cancel(quantity: str, label: Any) -> bool:
    """Whether the natural terms of a quantity may have different signs for some of the labels."""
    return quantity != VALUE or float(label.max()) > 1.0 or float(label.min()) < 0.0


def _base(fmt: Format) -> int:
    """What a bit pattern of a normal number lacks to be the first bits of a float64, whose bias is 1023."""
    return (1022 + fmt.emin) << fmt.fraction_bits  # the field of emin is 1


def _magnitude_mask(fmt: Format) -> Any:
    return np.dtype("int%d" % fmt.width).type((1 << (fmt.width - 1)) - 1)


def _screened(adding: _Adding, bits: Any) -> bool:
    """Judge by the screen; False, and nothing added, where some result is too far off for it."""
    expected, statistics = adding.expected, adding.statistics
    fmt = expected.format
    news = adding.news
    if _constant(expected, statistics, bits, news):
        return True
    exact = not statistics.worst_of("ideal", adding.block.binade)
    if fmt.name == "float32" and (exact or news >= WIDE) and _at_a_glance(expected, statistics, bits, news):
        return True
    line = expected.line
    distance = line.of(bits)
    distance -= line.positions
    np.abs(distance, out=distance)
    farthest = int(np.maximum.reduce(distance.view("u%d" % distance.itemsize), None)) + line.margin
    patterns = (farthest >> line.dropped) + 1
    nearest, beyond = expected.low - patterns, expected.high + patterns
    if farthest >= line.binade or nearest < 1 << fmt.fraction_bits or beyond >= infinity_bits(fmt):
        return False
    one_binade = nearest >> fmt.fraction_bits == beyond >> fmt.fraction_bits
    counts = [_count_beyond(expected, distance, farthest, number, bits) for number in (0, 1, 2)]
    for index, (more, fewer) in enumerate(zip([distance.size, *counts], [*counts, 0])):
        statistics.ordinals[index] += more - fewer
    equal = not one_binade or adding.may_precede  # a distance of `_least` may be news as well
    if farthest - line.margin + equal > _least(news, line, one_binade) and counts[0]:
        _add_news(adding, bits, distance, one_binade)
    return True


def _least(news: float, line: Line, one_binade: bool) -> int:
    """A distance that no result exceeds if it is not news.

    A result j patterns beyond a boundary of binades, whose distance is j at least, has an error of j more: the steps
    there are twice as large.
    """
    if not one_binade and news >= 1.0:
        least = math.floor((news - 1.0) / 2.0) + 1
        news = max(least, news - least)
    return int(news * (1 << line.dropped)) - (line.margin if one_binade else line.edge)


def _add_news(adding: _Adding, bits: Any, distance: Any, one_binade: bool) -> None:
    """Look again at what may be news."""
    flat, distance = bits.reshape(-1), distance.reshape(-1)
    line = adding.expected.line
    where = _places(distance >= _least(adding.news, line, one_binade))
    if where.size > MANY:  # the farthest one first, after which few are left
        adding.plainly(flat, np.array([distance.argmax()]))
        where = where[distance[where] >= _least(adding.news, line, one_binade)]
    if not one_binade:
        where = _may_be_news(adding, flat, distance, where)
    adding.plainly(flat, where)


def _places(mask: Any) -> Any:
    """np.flatnonzero, twice as fast where few are true: words of eight that are false are skipped at once."""
    flat = mask.reshape(-1)
    if flat.size % 8:
        return np.flatnonzero(flat)
    words = np.flatnonzero(flat.view(np.uint64) != 0)
    if words.size > flat.size // 256:
        return np.flatnonzero(flat)
    index = (words[:, np.newaxis] * 8 + np.arange(8)).reshape(-1)
    return index[flat[index]]


def _may_be_news(adding: _Adding, bits: Any, distance: Any, where: Any) -> Any:
    """Those of some flat indices whose error may be news, although `_least` has only half of it."""
    line = adding.expected.line
    error = distance[where]
    values = adding.block.taken(line.positions, where) - line.positions.dtype.type(line.edge)
    crossing = (line.of(bits[where]) ^ values) >= line.binade
    beyond = (error + line.edge) >> line.dropped << line.dropped
    error += np.where(crossing, beyond, 0)
    return where[error >= int(adding.news * (1 << line.dropped)) - line.edge]


def _constant(expected: Expected, statistics: Statistics, bits: Any, news: float) -> bool:
    """Judge results where all have one nearest bit pattern, and none is news; False, and nothing added, elsewhere.

    Expected values are not computed for it.
    """
    nearest, fmt = expected.constant, expected.format
    if nearest is None:
        return False
    sign = 1 << (fmt.width - 1) if expected.negative else 0
    low, high = int(np.minimum.reduce(bits, None)) + sign, int(np.maximum.reduce(bits, None)) + sign
    if low < 1 << fmt.fraction_bits or high >= infinity_bits(fmt) or expected.farthest(low, high) > news:
        return False
    if low == high:
        statistics.ordinals[min(abs(low - nearest), 3)] += bits.size
    else:
        _add_counts(statistics, np.abs(bits - bits.dtype.type(nearest - sign)))
    return True


def _at_a_glance(expected: Expected, statistics: Statistics, bits: Any, news: float) -> bool:
    """Judge results that are at most one bit pattern off, where that is no news; False, and nothing added, elsewhere.

    Half the passes over the block, and to compute the nearest patterns is one that implementations share; for 16-bit
    types rounding takes longer than the screen.
    """
    if expected.high + 1 >= infinity_bits(expected.format):  # one pattern beyond infinity is not a number
        return False
    distance = bits - expected.nearest
    farthest = max(-int(np.minimum.reduce(distance, None)), int(np.maximum.reduce(distance, None)))
    if farthest > 1 or (farthest and news < WIDE):
        return False
    off = int(np.count_nonzero(distance)) if farthest else 0
    statistics.ordinals[0] += distance.size - off
    statistics.ordinals[1] += off
    return True


def _count_beyond(expected: Expected, distance: Any, farthest: int, number: int, bits: Any) -> int:
    """How many results are more than so many patterns from the nearest one, which at a tie is the even one."""
    line = expected.line
    bound = (number << line.dropped) + (1 << (line.dropped - 1))
    if farthest < bound:
        return 0
    near, beyond = distance >= bound - line.margin, distance > bound + line.margin
    count = int(np.count_nonzero(beyond))
    if count < np.count_nonzero(near):
        where = _places(near ^ beyond)
        off = bits.reshape(-1)[where].astype(np.int64) - rounded(expected.values_at(where), expected.format)
        count += int(np.count_nonzero(np.abs(off) > number))
    return count


def _count_ordinals(statistics: Statistics, expected: Expected, bits: Any) -> Any:
    """Count distances in bit patterns; the answer tells which results are not the nearest."""
    if expected.regular:  # of one sign: the difference of two patterns can wrap around, but not to a small number
        distance = np.abs(bits - expected.nearest)
    else:
        mask = _magnitude_mask(expected.format)
        pair = [np.where(one < 0, -(one & mask).astype(np.int64), one) for one in (bits, expected.nearest)]
        distance = np.abs(pair[0] - pair[1])
    _add_counts(statistics, distance)
    return distance != 0


def _add_counts(statistics: Statistics, distance: Any) -> None:
    """Count distances in bit patterns."""
    counts = [int(np.count_nonzero(distance == number)) for number in (0, 1, 2)]
    for index, count in enumerate([*counts, distance.size - sum(counts)]):
        statistics.ordinals[index] += count


def _is_odd(expected: Expected, bits: Any) -> Any:
    """Where a result or what is expected is not finite, or the sign is wrong."""
    fmt = expected.format
    mask = _magnitude_mask(fmt)
    magnitude = bits & mask
    odd = magnitude >= infinity_bits(fmt)
    odd |= (bits ^ expected.nearest < 0) & (magnitude != 0)
    if expected.high >= infinity_bits(fmt):
        odd |= (expected.nearest & mask) >= infinity_bits(fmt)
    return odd


class _Adding:
    """Adds errors of one block to the statistics; `shared` where an error is one against the contract as well."""

    def __init__(self, statistics: Statistics, expected: Expected, shared: bool) -> None:
        self.statistics = statistics
        self.expected = expected
        self.block = expected.block
        self.shared = shared
        self.cancels = expected.block.cancels
        # In a regular block an error counts in all of these, each of which may have less so far than `ideal` has.
        self.columns = ["ideal", "flushed", *(["scaled"] if self.cancels else []), *(["contract"] if shared else [])]

    @property
    def news(self) -> float:
        """The least error in ULP that a regular block may have to tell: more than its binade has, or a first one."""
        binade, worst = self.block.binade, self.statistics.worst
        least = min(worst[column][binade][0] if binade in worst[column] else 0.0 for column in self.columns)
        least = max(least, 0.5)
        if not self.settled("4 ulp"):
            return min(least, FAR)
        for name, bound in RELATIVE.items():  # a normal value has at least 2^fraction_bits ULP
            if not self.settled(name):
                least = min(least, max(FAR, bound * 2.0**self.expected.format.fraction_bits))
        return least

    @property
    def may_precede(self) -> bool:
        """Whether an input of this block may come before that of a largest error so far: labels go by in blocks."""
        binade, worst = self.block.binade, self.statistics.worst
        return any(binade in worst[one] and worst[one][binade][1] > self.block.start for one in self.columns)

    def settled(self, name: str) -> bool:
        """Whether one of FIRSTS is known that no input of this block precedes; labels come in order."""
        known = self.statistics.firsts.get(self.block.binade[0] + name)
        return known is not None and tuple(known) <= (self.block.start, int(self.block.label_bits[0]))

    def plainly(self, bits: Any, where: Any) -> None:
        """Finite results at flat indices, whose signs are those of the expected values, which are finite."""
        if not where.size:
            return
        fmt, expected = self.expected.format, self.expected
        if where.size == bits.size:
            where = slice(None)
        bits = bits[where]
        got = decode(Tensor(fmt.name, bits.view(fmt.storage)))
        values, lows = expected.at(where)
        distance = got - values
        magnitude = values
        if lows is not None:
            distance -= lows
            below = (lows != 0.0) & (np.signbit(lows) != np.signbit(values))
            magnitude = np.where(below, np.nextafter(values, 0.0), values)
        np.abs(distance, out=distance)
        ideal = distance / ulp_of(magnitude, fmt)
        scaled = ideal
        if self.cancels:
            scale = expected.scale(where, values)
            scaled = distance / ulp_of(np.where(scale == np.abs(values), np.abs(magnitude), scale), fmt)
        flushed = ideal
        if not expected.regular or self.block.binade.endswith("s"):
            flushed = self._flushed(got, values, ideal, where)
        self._add(where, bits, got, values, ideal, flushed, scaled)

    def carefully(self, bits: Any, where: Any) -> None:
        """Results at flat indices, by `measurement.measure`."""
        fmt = self.expected.format
        bits = bits[where]
        got = decode(Tensor(fmt.name, bits.view(fmt.storage)))
        exact = self.expected.reference(where)
        measured = measure(got, exact, _limits(fmt, got))
        for name in UNMEASURED:
            self.statistics.add_class(name, int(np.count_nonzero(measured.code == CODE[name])))
        index = np.flatnonzero(~np.isin(measured.code, [CODE[name] for name in UNMEASURED]) & (measured.plain > 0.0))
        if index.size:
            hi, ideal = exact.hi[index], measured.plain[index]
            flushed = self._flushed(got[index], hi, ideal, where[index])
            self._add(where[index], bits[index], got[index], hi, ideal, flushed, measured.scaled[index])

    def _flushed(self, got: Any, values: Any, ideal: Any, where: Any) -> Any:
        """Errors where a subnormal result may be 0, and a subnormal prediction be read as 0."""
        fmt = self.expected.format
        flushed = np.where((got == 0) & (np.abs(values) < 2.0**fmt.emin), 0.0, ideal)
        if self.block.binade.endswith("s"):
            label = self.block.label
            at_zero = reference.FUNCTIONS[self.block.quantity](self.block.form, np.zeros_like(label), label)
            taken = Reference(*(self.block.taken(each, where) for each in at_zero))
            flushed = np.fmin(flushed, measure(got, taken, _limits(fmt, got)).plain)
        return flushed

    def _add(self, where: Any, bits: Any, got: Any, values: Any, ideal: Any, flushed: Any, scaled: Any) -> None:
        """Add errors of results at flat indices, in ULP, and the first inputs where they are large."""
        others = {"flushed": flushed, "scaled": scaled, **({"contract": ideal} if self.shared else {})}
        most = self.worst(["ideal", *(name for name, error in others.items() if error is ideal)], where, bits, ideal)
        for name, error in others.items():
            if error is not ideal:
                self.worst([name], where, bits, error)
        if most > FAR:
            self._first("4 ulp", where, lambda: ideal > FAR)
        for name, bound in RELATIVE.items():
            if most > FAR:
                self._first(name, where, lambda: (ideal > FAR) & (np.abs(got - values) > bound * np.abs(values)))  # noqa: B023 - called at once
        if most > 0.5:
            self._first("zero", where, lambda: (got == 0) & (ideal > 0.5))

    def worst(self, columns: Sequence[str], where: Any, bits: Any, error: Any) -> float:
        """Add the largest of some errors to columns, and return it."""
        most = float(error.max())
        if most > 0.5 and any(most >= self.statistics.worst_of(column, self.block.binade) for column in columns):
            equal = np.flatnonzero(error == most)
            index = equal if isinstance(where, slice) else where[equal]
            at = int(np.argmin(self.block.order(index))) if equal.size > 1 else 0
            mask = (1 << self.expected.format.width) - 1
            place, got = self.block.place(int(index[at])), int(bits[equal[at]]) & mask
            for column in columns:
                self.statistics.add_worst(column, self.block.binade, most, place, got)
        return most

    def _first(self, name: str, where: Any, condition: Callable[[], Any]) -> None:
        """Add the first of the flat indices that meet a condition, unless an earlier one is known."""
        if self.settled(name):
            return
        index = np.flatnonzero(condition())
        if index.size:
            index = index if isinstance(where, slice) else where[index]
            first = int(index[np.argmin(self.block.order(index))])
            self.statistics.add_first(name, self.block.binade[0], self.block.place(first))


def _limits(fmt: Format, like: Any) -> Limits:
    return Limits(*(np.full(like.shape, number) for number in (fmt.precision, fmt.emin, fmt.emax)))


def _against_contract(adding: _Adding, contract: Sequence[Documented], bits: Any) -> None:
    """Errors of finite results against the nearest of several readings of a contract, in ULP of that reading."""
    fmt, taken = adding.expected.format, adding.block.taken
    flat = bits.reshape(-1)
    got = decode(Tensor(fmt.name, flat.view(fmt.storage)))
    nearest = np.full(flat.shape, np.inf)
    for reading in contract:
        values = taken(reading.values, slice(None))
        with np.errstate(all="ignore"):
            error = np.abs(got - values) / ulp_of(values, fmt)
        right = (got == values) | (flat == taken(reading.nearest, slice(None)))
        if reading.hull is not None:
            between = np.minimum(values, 0.0) <= got
            between &= got <= np.maximum(values, 0.0)
            right |= between & taken(reading.hull, slice(None))
        error[right] = 0.0
        np.fmin(nearest, error, out=nearest)
    where = np.flatnonzero(np.isfinite(nearest) & (nearest > 0.5))
    if where.size:
        adding.worst(["contract"], where, flat[where], nearest[where])
