"""Judging a block of results: a screen by integers, and exact care for what it lets through.

A block has predictions of one binade.  Bit patterns of numbers of one sign are positions on a line, and so are the bits
of a float64 value, with a fraction: on that line a result and what is expected are as far apart as the error in ULP,
where both lie in one binade; where one boundary of binades lies between, the error is at most twice that.  The screen
measures all distances of a block in which every expected result is a normal number of one sign and well conditioned;
only results that can exceed the largest error of this binade so far are looked at again.  Other blocks are looked at
result by result, by the definitions of `conformance.measurement`, which runs use as well.

Worker-side code: standard library and NumPy only, Python 3.7 on.
"""

from __future__ import annotations

from typing import Any, Callable, NamedTuple, Sequence, Tuple

import numpy as np

import reference
from conformance.formats import Format, Tensor, decode, infinity_bits
from conformance.measurement import CODE, Limits, measure
from conformance.sweep.statistics import FAR, RELATIVE, Statistics
from reference import Reference
from reference.doubledouble import two_sum
from reference.special import GRADIENT_PREDICTION, LOGITS, LOSS
from reference.split import Split

#: An expected value this much smaller than the two products of its `Split` is computed in double-double.  In others
#: float64 loses 2^-50 of the products at most, which is 2^-40 of the value: 2^-16 ULP of float32.
ILL_CONDITIONED = 2.0**-10

#: In units of 2^-52: how near a power of two a value in float64 may be on the other side of it.  The ULP of the two
#: sides differs by a factor of 2.  `ILL_CONDITIONED` leaves 2^-40 of a value uncertain.
EDGE = 1 << 12

#: Logits below this have a sigmoid of 1/2 + z/4 - z^3/48: the next term, z^5/480, is below 2^-128 of z.
SERIES = 2.0**-30

#: Classes of results that have no error in ULP.
UNMEASURED = ("nan", "number", "infinite", "finite", "sign")

#: Error in ULP that a result one bit pattern off does not exceed: 1.5, and twice that across a boundary of binades.
WIDE = 3.0

#: The double-double reference of a quantity.
EXACT = {LOSS: reference.loss, GRADIENT_PREDICTION: reference.gradient_prediction}


class Block(NamedTuple):
    """Inputs of one call: predictions of one binade as float64 in a row, and labels in a column.

    `start` is the position of the first prediction, `label_bits` has the bit patterns of the labels.  Where the natural
    terms may have different signs (`cancels`), a condition-scaled error says something of its own.
    """

    form: str
    quantity: str
    prediction: Any
    label: Any
    start: int
    label_bits: Any
    binade: str
    shape: tuple[int, int]
    cancels: bool

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


class Expected:
    """What a block should give in one format: float64 values that broadcast with it.

    `regular` where the screen may be used; elsewhere values that float64 does not know well are the double-double
    ones.  Without a `split` all are: where a term is infinite.
    `low` and `high` are the least and the largest magnitude of the values as bit patterns of the format.
    """

    def __init__(self, block: Block, split: Split | None, fmt: Format) -> None:
        self.block = block
        self.format = fmt
        self._split = split
        self._nearest: Any = None
        if split is None:
            self.values = self._exact(np.broadcast_to(True, block.shape)).hi.reshape(block.shape)
        else:
            self.values = split.at(block.label)
        self.regular = split is not None and self._is_regular(split)
        if not self.regular:
            if split is not None and block.cancels:
                self._repair(split)
            magnitude = self.nearest & _magnitude_mask(fmt)
            self.low, self.high = int(magnitude.min()), int(magnitude.max())
        self.zero = self.low == self.high == 0

    def _is_regular(self, split: Split) -> bool:
        """Whether all values are normal numbers of one sign and well conditioned; sets `low`, `high`, `negative`."""
        bounds = split.bounds(self.block.label)
        if bounds is not None and self._between(split, *bounds):
            return True
        return self._between(split, np.minimum.reduce(self.values, None), np.maximum.reduce(self.values, None))

    def _between(self, split: Split, low: float, high: float) -> bool:
        fmt = self.format
        self.negative = bool(high < 0.0)
        least, most = (-high, -low) if self.negative else (low, high)
        if not (least >= 2.0**fmt.emin and most < 2.0 ** (fmt.emax + 1)):
            return False
        base = (1022 + fmt.emin) << fmt.fraction_bits  # 1023: bias of float64; the field of emin is 1
        self.low, self.high = ((int(np.float64(one).view(np.int64)) >> self.dropped) - base for one in (least, most))
        return not self.block.cancels or bool(least > ILL_CONDITIONED * split.largest_spread(self.block.label))

    @property
    def dropped(self) -> int:
        """Bits of the fraction of a position: those that a float64 has beyond the format."""
        return 52 - self.format.fraction_bits

    @property
    def nearest(self) -> Any:
        """The bit patterns that are nearest to the values, as signed integers."""
        if self._nearest is None:
            self._nearest = rounded(self.values, self.format)
        return self._nearest

    @property
    def line(self) -> Any:
        """The values as positions on the line: the bits of float64."""
        return self.values.view(np.int64)

    def positions(self, bits: Any) -> Any:
        """Results, as signed integers, on the line, if they are normal numbers with the sign of the values."""
        if self.format.name == "float32":
            return bits.view(np.float32).astype(np.float64).view(np.int64)
        shift = (1022 + self.format.emin) << 52  # 1023: bias of float64; the field of emin is 1
        if self.negative:  # the sign moves as well
            shift += (1 << (self.format.width - 1 + self.dropped)) - (1 << 63)
        found = bits.astype(np.int64)
        found <<= self.dropped
        found += np.int64(shift)
        return found

    def _repair(self, split: Split) -> None:
        """Replace what cancels by the double-double value."""
        values = np.array(np.broadcast_to(self.values, self.block.shape))
        spread = split.spread(self.block.label)
        bad = ~(np.abs(values) > ILL_CONDITIONED * spread) & (spread > 0.0)  # 0 where a tail is below every format
        if bad.any():
            values[bad] = self._exact(bad).hi
            self.values = values

    def _exact(self, where: Any) -> Reference:
        p, y = (np.broadcast_to(each, self.block.shape)[where] for each in (self.block.prediction, self.block.label))
        return EXACT[self.block.quantity](self.block.form, p, y)

    def scale(self, where: Any, values: Any) -> Any:
        """The size of the natural terms at flat indices, where the values are those.

        With the labels 0 and 1 there is one term, the value.  Elsewhere float64 knows the size to 2^-50; where it may
        be a power of two, as it is for gradients by the logit with the label 1/2, it is not less.
        """
        if self._split is None:
            found = self._exact(np.broadcast_to(True, self.block.shape)).scale.reshape(-1)[where]
        elif isinstance(where, slice):
            found = self.block.taken(self._split.scale(self.block.label), where)
        else:
            rows, columns = np.divmod(where, self.block.shape[1])
            found = self._split.taken(columns).scale(self.block.label[rows, 0])
        label = self.block.taken(self.block.label, where)
        return np.where((label == 0.0) | (label == 1.0), np.abs(values), found * (1.0 + 2.0**-50))

    def at(self, where: Any) -> Tuple[Any, Any]:
        """Expected values at flat indices, as hi and lo, which is None unless float64 leaves a binade uncertain."""
        values = self.block.taken(self.values, where)
        fraction = values.view(np.int64) + np.int64(EDGE)
        fraction &= (1 << 52) - 1
        edge = np.flatnonzero((fraction < 2 * EDGE) & (values != 0.0))
        if not edge.size:
            return values, None
        values, lows = values.copy(), np.zeros_like(values)
        index = edge if isinstance(where, slice) else where[edge]
        p, y = self.block.taken(self.block.prediction, index), self.block.taken(self.block.label, index)
        exact = EXACT[self.block.quantity](self.block.form, p, y)
        values[edge], lows[edge] = exact.hi, exact.lo
        if self.block.quantity == GRADIENT_PREDICTION and self.block.form == LOGITS:
            lows[edge] = _side(p, y, exact)
        return values, lows

    def reference(self, where: Any) -> Reference:
        """The expected values at flat indices, as `measure` takes them."""
        values, lows = self.at(where)
        scale = self.scale(where, values)
        if lows is None:
            lows = np.zeros_like(values)
        return Reference(values, lows, np.zeros_like(values), np.where(np.isfinite(values), scale, np.abs(values)))


def _side(z: Any, y: Any, exact: Reference) -> Any:
    """The low parts of gradients by the logit, where these may be closer to a power of two than a double-double tells.

    Next to 0 sigmoid(z) - y is 1/2 - y + z/4 - z^3/48; far from it, less than 1 - y, or more than -y.
    """
    half, rest = two_sum(np.full(y.shape, 0.5), -y)
    total, more = two_sum(half, 0.25 * z)
    near = (total - exact.hi) + (rest + more - z * z * z / 48.0)
    far = np.where(exact.lo == 0.0, np.copysign(2.0**-1074, -z), exact.lo)
    return np.where(np.abs(z) < SERIES, near, far)


def rounded(values: Any, fmt: Format) -> Any:
    """float64 `values` rounded to nearest even in a format of at most 32 bits, as signed integers of its width."""
    if fmt.name == "float32":
        return values.astype(np.float32).view(np.int32)
    low, high = np.minimum.reduce(values, None), np.maximum.reduce(values, None)
    least, most = 2.0**fmt.emin, 2.0**fmt.emax
    if least <= low and high <= most:
        return _rounded_normal(values, fmt)
    if -most <= low and high <= -least:
        return _rounded_normal(-values, fmt) | np.int16(-(1 << 15))
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
    kept -= (1022 + fmt.emin) << fmt.fraction_bits  # 1023: bias of float64; the field of emin is 1
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
    bits = got.bits.view(np.dtype("int%d" % fmt.width))
    statistics.points += bits.size
    adding = _Adding(statistics, expected, shared=contract is not None and not contract)
    if contract:
        _against_contract(adding, contract, bits)
    if expected.regular and _screened(adding, bits):
        return
    if expected.zero and not (bits & _magnitude_mask(fmt)).any():
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
    return quantity != LOSS or float(label.max()) > 1.0 or float(label.min()) < 0.0


def _magnitude_mask(fmt: Format) -> Any:
    return np.dtype("int%d" % fmt.width).type((1 << (fmt.width - 1)) - 1)


def _screened(adding: _Adding, bits: Any) -> bool:
    """Judge by the screen; False, and nothing added, where some result is too far off for it."""
    expected, statistics = adding.expected, adding.statistics
    fmt, one = expected.format, 1 << expected.dropped
    news = adding.news
    exact = not statistics.worst_of("ideal", adding.block.binade)
    if fmt.name == "float32" and (exact or news >= WIDE) and _at_a_glance(expected, statistics, bits, news):
        return True
    distance = expected.positions(bits)
    distance -= expected.line
    np.abs(distance, out=distance)
    farthest = int(np.maximum.reduce(distance, None))
    patterns = (farthest >> expected.dropped) + 1
    nearest, beyond = expected.low - patterns, expected.high + patterns
    if farthest >= one << fmt.fraction_bits or nearest < 1 << fmt.fraction_bits or beyond >= infinity_bits(fmt):
        return False
    counts = [_count_beyond(distance, farthest, number, one, bits) for number in (0, 1, 2)]
    for index, (more, fewer) in enumerate(zip([distance.size, *counts], [*counts, 0])):
        statistics.ordinals[index] += more - fewer
    limit = int(news * one)
    one_binade = nearest >> fmt.fraction_bits == beyond >> fmt.fraction_bits
    least = limit if one_binade else limit // 2
    if farthest <= least or not counts[0]:
        return True
    where = np.flatnonzero(distance > max(least, one // 2))
    if not one_binade:
        where = _beyond(expected, bits, distance, where, limit)
    adding.plainly(bits.reshape(-1), where)
    return True


def _at_a_glance(expected: Expected, statistics: Statistics, bits: Any, news: float) -> bool:
    """Judge results that are at most one bit pattern off, where that is no news; False, and nothing added, elsewhere.

    Half the passes over the block, and to compute the nearest patterns is one that implementations share; for 16-bit
    types rounding takes longer than the screen.
    """
    distance = bits - expected.nearest
    farthest = max(-int(np.minimum.reduce(distance, None)), int(np.maximum.reduce(distance, None)))
    if farthest > 1 or (farthest and news < WIDE):
        return False
    off = int(np.count_nonzero(distance)) if farthest else 0
    statistics.ordinals[0] += distance.size - off
    statistics.ordinals[1] += off
    return True


def _count_beyond(distance: Any, farthest: int, number: int, one: int, bits: Any) -> int:
    """How many results are more than so many patterns from the nearest one, which at a tie is the even one."""
    bound = number * one + one // 2
    if farthest < bound:
        return 0
    beyond = int(np.count_nonzero(distance > bound))
    at_least = int(np.count_nonzero(distance >= bound))
    if at_least > beyond:
        beyond += int(np.count_nonzero((bits[distance == bound] + number) & 1))
    return beyond


def _beyond(expected: Expected, bits: Any, distance: Any, where: Any, limit: int) -> Any:
    """Those of some flat indices whose error may exceed a limit, in units of the line.

    Where a result lies beyond the next boundary of binades, what is beyond counts twice: steps are twice as large.
    Where the expected value is at a boundary, as far as float64 tells, all of the distance may be beyond it.
    """
    fraction = np.int64((1 << 52) - 1)
    results = expected.positions(bits.reshape(-1)[where])
    values = expected.block.taken(expected.line, where)
    beyond = np.where(results >> 52 > values >> 52, results & fraction, 0)
    error = distance.reshape(-1)[where]
    error += np.where(values & fraction < EDGE, error, beyond)
    return where[error > limit]


def _count_ordinals(statistics: Statistics, expected: Expected, bits: Any) -> Any:
    """Count distances in bit patterns; the answer tells which results are not the nearest."""
    if expected.regular:  # of one sign: the difference of two patterns can wrap around, but not to a small number
        distance = np.abs(bits - expected.nearest)
    else:
        mask = _magnitude_mask(expected.format)
        pair = [np.where(one < 0, -(one & mask).astype(np.int64), one) for one in (bits, expected.nearest)]
        distance = np.abs(pair[0] - pair[1])
    counts = [int(np.count_nonzero(distance == number)) for number in (0, 1, 2)]
    for index, count in enumerate([*counts, distance.size - sum(counts)]):
        statistics.ordinals[index] += count
    return distance != 0


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

    @property
    def news(self) -> float:
        """The least error in ULP that a block may have to tell: a larger one than any of its binade, or a first one."""
        columns = ("ideal", "scaled") if self.cancels else ("ideal",)
        least = max(min(self.statistics.worst_of(column, self.block.binade) for column in columns), 0.5)
        if not self.settled("4 ulp"):
            least = min(least, FAR)
        for name, bound in RELATIVE.items():  # a normal value has at least 2^fraction_bits ULP
            if not self.settled(name):
                least = min(least, max(FAR, bound * 2.0**self.expected.format.fraction_bits))
        return least

    def settled(self, name: str) -> bool:
        """Whether one of FIRSTS is known that no input of this block precedes; labels come in order."""
        known = self.statistics.firsts.get(self.block.binade[0] + name)
        return known is not None and known[0] <= self.block.start

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
        flushed = ideal if expected.regular else self._flushed(got, values, ideal, where)
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
            at_zero = EXACT[self.block.quantity](self.block.form, np.zeros_like(label), label)
            taken = Reference(*(self.block.taken(each, where) for each in at_zero))
            flushed = np.fmin(flushed, measure(got, taken, _limits(fmt, got)).plain)
        return flushed

    def _add(self, where: Any, bits: Any, got: Any, values: Any, ideal: Any, flushed: Any, scaled: Any) -> None:
        """Add errors of results at flat indices, in ULP, and the first inputs where they are large."""
        most = self.worst("ideal", where, bits, ideal)
        self.worst("flushed", where, bits, flushed, most if flushed is ideal else None)
        self.worst("scaled", where, bits, scaled, most if scaled is ideal else None)
        if self.shared:
            self.worst("contract", where, bits, ideal, most)
        if most > FAR:
            self._first("4 ulp", where, lambda: ideal > FAR)
        for name, bound in RELATIVE.items():
            if most > FAR:
                self._first(name, where, lambda: (ideal > FAR) & (np.abs(got - values) > bound * np.abs(values)))  # noqa: B023 - called at once
        if most > 0.5:
            self._first("zero", where, lambda: (got == 0) & (ideal > 0.5))

    def worst(self, column: str, where: Any, bits: Any, error: Any, most: float | None = None) -> float:
        """Add the largest of some errors, which may be known, to a column, and return it."""
        if most is None:
            most = float(error.max())
        if most > 0.5 and most >= self.statistics.worst_of(column, self.block.binade):
            equal = np.flatnonzero(error == most)
            index = equal if isinstance(where, slice) else where[equal]
            at = int(np.argmin(self.block.order(index)))
            mask = (1 << self.expected.format.width) - 1
            place = self.block.place(int(index[at]))
            self.statistics.add_worst(column, self.block.binade, most, place, int(bits[equal[at]]) & mask)
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
        adding.worst("contract", where, flat[where], nearest[where])
