"""Adding what is found about the results of a block to the statistics: the largest errors, and the first large ones.

Results come here that may be news, after the screen, or of which the screen cannot tell.

Worker-side code: standard library and NumPy only, Python 3.7 on.
"""

from __future__ import annotations

from typing import Callable, Sequence

import numpy as np

from conformance.numbers.arrays import Floats, Index, Mask, Signed
from conformance.numbers.formats import Format, Tensor, decode
from conformance.numbers.measurement import CODE, Limits, measure
from conformance.worker.sweep.block import Places
from conformance.worker.sweep.expected import Expected
from conformance.worker.sweep.rounding import ulp_of
from conformance.worker.sweep.statistics import FAR, RELATIVE, UNMEASURED, Statistics
from reference import FUNCTIONS, Reference


class Adding:
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

    def distances(self, distance: Signed) -> None:
        """Count how many bit patterns results are from the nearest one."""
        counts = [int(np.count_nonzero(distance == number)) for number in (0, 1, 2)]
        self.statistics.add_ordinals([*counts, distance.size - sum(counts)])

    def plainly(self, bits: Signed, where: Index) -> None:
        """Finite results at flat indices, whose signs are those of the expected values, which are finite."""
        if not where.size:
            return
        fmt, expected = self.expected.format, self.expected
        places: Places = slice(None) if where.size == bits.size else where
        bits = bits[places]
        got = decode(Tensor(fmt.name, bits.view(fmt.storage)))
        values, lows = expected.at(places)
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
            scale = expected.scale(places, values)
            scaled = distance / ulp_of(np.where(scale == np.abs(values), np.abs(magnitude), scale), fmt)
        flushed = ideal
        if not expected.regular or self.block.binade.endswith("s"):
            flushed = self._flushed(got, values, ideal, places)
        self._add(places, bits, got, values, ideal, flushed, scaled)

    def carefully(self, bits: Signed, where: Index) -> None:
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

    def _flushed(self, got: Floats, values: Floats, ideal: Floats, where: Places) -> Floats:
        """Errors where a subnormal result may be 0, and a subnormal prediction be read as 0."""
        fmt = self.expected.format
        flushed = np.where((got == 0) & (np.abs(values) < 2.0**fmt.emin), 0.0, ideal)
        if self.block.binade.endswith("s"):
            label = self.block.label
            at_zero = FUNCTIONS[self.block.quantity](self.block.form, np.zeros_like(label), label)
            taken = Reference(*(self.block.taken(each, where) for each in at_zero))
            flushed = np.fmin(flushed, measure(got, taken, _limits(fmt, got)).plain)
        return flushed

    def _add(
        self, where: Places, bits: Signed, got: Floats, values: Floats, ideal: Floats, flushed: Floats, scaled: Floats
    ) -> None:
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

    def worst(self, columns: Sequence[str], where: Places, bits: Signed, error: Floats) -> float:
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

    def _first(self, name: str, where: Places, condition: Callable[[], Mask]) -> None:
        """Add the first of the flat indices that meet a condition, unless an earlier one is known."""
        if self.settled(name):
            return
        index = np.flatnonzero(condition())
        if index.size:
            index = index if isinstance(where, slice) else where[index]
            first = int(index[np.argmin(self.block.order(index))])
            self.statistics.add_first(name, self.block.binade[0], self.block.place(first))


def _limits(fmt: Format, like: Floats) -> Limits:
    return Limits(*(np.full(like.shape, number) for number in (fmt.precision, fmt.emin, fmt.emax)))
