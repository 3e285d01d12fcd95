"""Judging a block of results: a screen by integers, and exact care for what it lets through.

A block has predictions of one binade.  Where all expected results are normal numbers of one sign and well conditioned,
the distance of two bit patterns bounds the error: d of them apart within a binade is between d - 0.5 and d + 0.5 ULP,
and twice that at most where a boundary of binades lies between.  So only results that can exceed the largest error of
this binade so far need their fractional error.  Other blocks are looked at result by result, by the definitions of
`conformance.measurement`, which runs use as well.

Worker-side code: standard library and NumPy only, Python 3.7 on.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

import reference
from conformance.formats import Format, Tensor, decode, infinity_bits
from conformance.measurement import CODE, Limits, measure
from conformance.sweep.statistics import FAR, RELATIVE, Statistics
from reference import Reference
from reference.special import GRADIENT_PREDICTION, LOSS
from reference.split import Split

#: An expected value this much smaller than its natural terms is computed in double-double: what float64 loses is then
#: 2^-50 of the terms and 2^-40 of the value, 2^-16 ULP of float32.
ILL_CONDITIONED = 2.0**-10

#: Classes of results that have no error in ULP.
UNMEASURED = ("nan", "number", "infinite", "finite", "sign")

#: A block with more than one wrong result in so many is looked at as a whole: picking them out would take longer.
MANY = 32

#: The double-double reference of a quantity.
EXACT = {LOSS: reference.loss, GRADIENT_PREDICTION: reference.gradient_prediction}


class Block(NamedTuple):
    """Inputs of one call: predictions of one binade as float64, and labels that broadcast with them.

    `positions` are those of the predictions and `label_bits` the bit patterns of the labels, of the same shapes.
    """

    form: str
    quantity: str
    prediction: Any
    label: Any
    positions: Any
    label_bits: Any
    binade: str
    shape: tuple[int, ...]

    def taken(self, values: Any, index: Any) -> Any:
        """What broadcasts with the block, at flat indices of it."""
        return np.broadcast_to(values, self.shape).reshape(-1)[index]

    def at(self, index: Any) -> tuple[Any, Any]:
        """Predictions and labels at flat indices of the block."""
        return self.taken(self.prediction, index), self.taken(self.label, index)

    def order(self, index: Any) -> Any:
        """Numbers that sort flat indices by prediction, then by label."""
        rows, columns = self.shape
        return index % columns * rows + index // columns

    def place(self, index: int) -> tuple[int, int]:
        """Position of the prediction and bit pattern of the label at a flat index."""
        where = np.unravel_index(index, self.shape)
        return (
            int(np.broadcast_to(self.positions, self.shape)[where]),
            int(np.broadcast_to(self.label_bits, self.shape)[where]),
        )


class Documented(NamedTuple):
    """Values of one reading of a contract on a block, and their nearest bit patterns.

    Where `hull` is True any value between 0 and the value is right: the subdifferential at a clip bound.
    """

    values: Any
    nearest: Any
    hull: Any


class Expected:
    """What a block should give in one format: float64 values that broadcast with it, and their nearest bit patterns.

    `regular` where the screen may be used; elsewhere values that float64 does not know well are the double-double
    ones.  Without a `split` all are: where a term is infinite.
    """

    def __init__(self, block: Block, split: Split | None, fmt: Format) -> None:
        self.block = block
        self.format = fmt
        self._split = split
        self._scale: Any = None
        if split is None:
            self.values = self._exact(np.broadcast_to(True, block.shape)).hi.reshape(block.shape)
        else:
            self.values = split.at(block.label)
        self._round()
        self.regular = split is not None and self._is_regular(split)
        if split is not None and not self.regular and can_cancel(block):
            self._repair()

    def _round(self) -> None:
        self.nearest = rounded(self.values, self.format)
        low, high = int(self.nearest.min()), int(self.nearest.max())
        mask = (1 << (self.format.width - 1)) - 1
        self.one_sign = (low < 0) == (high < 0)
        self.low, self.high = sorted((low & mask, high & mask))
        self.zero = self.low == self.high == 0

    def _is_regular(self, split: Split) -> bool:
        fmt = self.format
        if not self.one_sign or self.low < 1 << fmt.fraction_bits or self.high >= infinity_bits(fmt):
            return False
        smallest = 2.0 ** ((self.low >> fmt.fraction_bits) + fmt.emin - 1)
        return not can_cancel(self.block) or smallest > ILL_CONDITIONED * split.largest_scale(self.block.label)

    def _repair(self) -> None:
        """Replace what cancels by the double-double value."""
        values = np.array(np.broadcast_to(self.values, self.block.shape))
        bad = ~(np.abs(values) > ILL_CONDITIONED * self.scale)
        if bad.any():
            values[bad] = self._exact(bad).hi
            self.values = values
            self._round()

    def _exact(self, where: Any) -> Reference:
        p, y = (np.broadcast_to(each, self.block.shape)[where] for each in (self.block.prediction, self.block.label))
        return EXACT[self.block.quantity](self.block.form, p, y)

    @property
    def scale(self) -> Any:
        """The size of the natural terms, computed when it is first asked for."""
        if self._scale is None:
            if self._split is None:
                self._scale = self._exact(np.broadcast_to(True, self.block.shape)).scale.reshape(self.block.shape)
            else:
                self._scale = self._split.scale(self.block.label)
        return self._scale

    def reference(self, where: Any) -> Reference:
        """The expected values at flat indices, as `measure` takes them."""
        values, scale = self.block.taken(self.values, where), self.block.taken(self.scale, where)
        nothing = np.zeros_like(values)
        return Reference(values, nothing, nothing, np.where(np.isfinite(values), scale, np.abs(values)))


def rounded(values: Any, fmt: Format) -> Any:
    """float64 `values` rounded to nearest even in a format of at most 32 bits, as signed integers of its width."""
    with np.errstate(over="ignore", invalid="ignore", under="ignore"):
        if fmt.name == "float32":
            return values.astype(np.float32).view(np.int32)
        if fmt.name == "float16":
            return values.astype(np.float16).view(np.int16)
        quantum = ulp_of(values, fmt)
        near = np.rint(values / quantum)
        near *= quantum
        return (near.astype(np.float32).view(np.uint32) >> np.uint32(16)).astype(np.uint16).view(np.int16)


def ulp_of(values: Any, fmt: Format) -> Any:
    """formats.ulp for float64 values by their bits, without an upper end: four times as fast."""
    power = (values.view(np.int64) & np.int64(0x7FF << 52)).view(np.float64)
    np.maximum(power, 2.0**fmt.emin, out=power)
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
    flat = bits.reshape(-1)
    if expected.regular:
        odd = _is_odd(expected, bits).reshape(-1)
        adding.carefully(flat, np.flatnonzero(odd))
        adding.plainly(flat, np.flatnonzero(wrong & ~odd))
    else:
        adding.carefully(flat, np.flatnonzero(wrong))


def can_cancel(block: Block) -> bool:
    """Whether the natural terms may have different signs, so that a condition-scaled error says something else."""
    return block.quantity != LOSS or float(block.label.max()) > 1.0 or float(block.label.min()) < 0.0


def _magnitude_mask(fmt: Format) -> Any:
    return np.dtype("int%d" % fmt.width).type((1 << (fmt.width - 1)) - 1)


def _screened(adding: _Adding, bits: Any) -> bool:
    """Judge by the screen; False, and nothing added, where some result is too far off for it."""
    expected, statistics = adding.expected, adding.statistics
    fmt = expected.format
    distance = bits - expected.nearest
    farthest = max(-int(distance.min()), int(distance.max()))
    if farthest >= 1 << fmt.fraction_bits or expected.high + farthest >= infinity_bits(fmt):
        return False
    off = int(np.count_nonzero(distance)) if farthest else 0
    statistics.ordinals[0] += distance.size - off
    if not farthest:
        return True
    np.abs(distance, out=distance)
    ones = off if farthest == 1 else int(np.count_nonzero(distance == 1))
    twos = off - ones if farthest == 2 else int(np.count_nonzero(distance == 2)) if farthest > 2 else 0
    for index, count in enumerate((ones, twos, off - ones - twos), start=1):
        statistics.ordinals[index] += count
    known, one_binade, awaited = adding.known(farthest)
    least = 1 if awaited else max(int(known - 0.5 if one_binade else (known - 1.0) / 2.0), 0) + 1
    if farthest < least:
        return True
    if one_binade and not awaited and known < FAR and off * MANY > distance.size:
        where = _beyond(expected, bits, known)
    else:
        where = np.flatnonzero(distance >= least)
    adding.plainly(bits.reshape(-1), where)
    return True


def _beyond(expected: Expected, bits: Any, known: float) -> Any:
    """Flat indices of results more than `known` ULP off, where all of a block lie in one binade."""
    fmt = expected.format
    got = bits.view(np.float32) if fmt.name == "float32" else decode(Tensor(fmt.name, bits.view(fmt.storage)))
    distance = np.subtract(got, expected.values, dtype=np.float64)
    bound = known * 2.0 ** ((expected.low >> fmt.fraction_bits) + fmt.emin - 1 - fmt.fraction_bits)
    if distance.max() <= bound and -distance.min() <= bound:
        return np.zeros(0, dtype=np.int64)
    return np.flatnonzero(np.abs(distance) > bound)


def _count_ordinals(statistics: Statistics, expected: Expected, bits: Any) -> Any:
    """Count distances in bit patterns; the answer tells, flat, which results are not the nearest."""
    mask = _magnitude_mask(expected.format)

    def ordinal(pattern: Any) -> Any:
        magnitude = (pattern & mask).astype(np.int64)
        return np.where(pattern < 0, -magnitude, magnitude)

    distance = np.abs(ordinal(bits) - ordinal(expected.nearest))
    counts = [int(np.count_nonzero(distance == number)) for number in (0, 1, 2)]
    for index, count in enumerate([*counts, distance.size - sum(counts)]):
        statistics.ordinals[index] += count
    return (distance != 0).reshape(-1)


def _is_odd(expected: Expected, bits: Any) -> Any:
    """Results that are not finite, or have the wrong sign."""
    fmt = expected.format
    magnitude = bits & _magnitude_mask(fmt)
    return (magnitude >= infinity_bits(fmt)) | ((bits ^ expected.nearest < 0) & (magnitude != 0))


class _Adding:
    """Adds errors of one block to the statistics; `shared` where an error is one against the contract as well."""

    def __init__(self, statistics: Statistics, expected: Expected, shared: bool) -> None:
        self.statistics = statistics
        self.expected = expected
        self.block = expected.block
        self.shared = shared

    def known(self, farthest: int) -> tuple[float, bool, bool]:
        """What the screen goes by, where no result is more than `farthest` patterns off.

        The least error that would be news; whether results and expected values all lie in one binade; whether a result
        may be the first that is far off by its relative error.
        """
        fmt, block, statistics = self.expected.format, self.block, self.statistics
        columns = ("ideal", "scaled") if can_cancel(block) else ("ideal",)
        known = max(min(statistics.worst_of(column, block.binade) for column in columns), 0.5)
        low, high = self.expected.low - farthest, self.expected.high + farthest
        # 0.1 % is more than 2^-10 and may, in patterns, be half as much where a boundary lies between.
        awaited = farthest > 2.0 ** (fmt.fraction_bits - 11) and not all(
            block.binade[0] + name in statistics.firsts for name in RELATIVE
        )
        return known, low >> fmt.fraction_bits == high >> fmt.fraction_bits, awaited

    def plainly(self, bits: Any, where: Any) -> None:
        """Results at flat indices that are finite and of the right sign, for normal expected values."""
        if not where.size:
            return
        fmt = self.expected.format
        bits = bits[where]
        got = decode(Tensor(fmt.name, bits.view(fmt.storage)))
        values = self.block.taken(self.expected.values, where)
        distance = np.abs(got - values)
        ideal = distance / ulp_of(values, fmt)
        scaled = None
        if can_cancel(self.block):
            scaled = distance / ulp_of(self.block.taken(self.expected.scale, where), fmt)
        with np.errstate(under="ignore"):
            relative = distance / np.abs(values)
        self._add(where, bits, got, relative, ideal, ideal, scaled)

    def carefully(self, bits: Any, where: Any) -> None:
        """Results at flat indices, by `measurement.measure`."""
        if not where.size:
            return
        fmt = self.expected.format
        bits = bits[where]
        got = decode(Tensor(fmt.name, bits.view(fmt.storage)))
        exact = self.expected.reference(where)
        measured = measure(got, exact, Limits(*(np.full(got.shape, n) for n in (fmt.precision, fmt.emin, fmt.emax))))
        for name in UNMEASURED:
            self.statistics.add_class(name, int(np.count_nonzero(measured.code == CODE[name])))
        index = np.flatnonzero(~np.isin(measured.code, [CODE[name] for name in UNMEASURED]))
        if not index.size:
            return
        got, hi = got[index], exact.hi[index]
        ideal = measured.plain[index]
        flushed = self._flushed(got, hi, ideal, where[index])
        with np.errstate(all="ignore"):
            relative = np.where(ideal == 0.0, 0.0, np.abs(got - hi) / np.abs(hi))
        self._add(where[index], bits[index], got, relative, ideal, flushed, measured.scaled[index])

    def _flushed(self, got: Any, hi: Any, ideal: Any, where: Any) -> Any:
        """Errors where a subnormal result may be 0, and a subnormal prediction be read as 0."""
        fmt = self.expected.format
        flushed = np.where((got == 0) & (np.abs(hi) < 2.0**fmt.emin), 0.0, ideal)
        if self.block.binade.endswith("s"):
            _, y = self.block.at(where)
            at_zero = EXACT[self.block.quantity](self.block.form, np.zeros_like(y), y)
            limits = Limits(*(np.full(got.shape, n) for n in (fmt.precision, fmt.emin, fmt.emax)))
            flushed = np.fmin(flushed, measure(got, at_zero, limits).plain)
        return flushed

    def _add(self, where: Any, bits: Any, got: Any, relative: Any, ideal: Any, flushed: Any, scaled: Any) -> None:
        """Add errors of results at flat indices, in ULP, and the first inputs where they are large."""
        errors = {"ideal": ideal, "flushed": flushed, "scaled": ideal if scaled is None else scaled}
        if self.shared:
            errors["contract"] = ideal
        for column, error in errors.items():
            self.worst(column, where, bits, error)
        far = ideal > FAR
        if far.any():
            self._first("4 ulp", where[far])
            for name, bound in RELATIVE.items():
                self._first(name, where[far & (relative > bound)])
        self._first("zero", where[(got == 0) & (ideal > 0.5)])

    def worst(self, column: str, where: Any, bits: Any, error: Any) -> None:
        """Add the largest of some errors to a column."""
        most = float(error.max())
        if most > 0.5 and most >= self.statistics.worst_of(column, self.block.binade):
            equal = np.flatnonzero(error == most)
            at = int(equal[np.argmin(self.block.order(where[equal]))])
            place = self.block.place(int(where[at]))
            mask = (1 << self.expected.format.width) - 1
            self.statistics.add_worst(column, self.block.binade, most, place, int(bits[at]) & mask)

    def _first(self, name: str, where: Any) -> None:
        if where.size:
            first = int(where[np.argmin(self.block.order(where))])
            self.statistics.add_first(name, self.block.binade[0], self.block.place(first))


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
