"""Samples of a space that is too large to be swept: float64, and pairs of float32.

The positions of the predictions are cut into as many strata of equal size as there are samples, and each gives one at
random, so that every binade has its share and the low bits are random.  Labels are random bit patterns of [0, 1].
Around the worst results of a shard a search goes on: a largest error found so is a lower bound.

Worker-side code: standard library and NumPy only, Python 3.7 on.
"""

from __future__ import annotations

from typing import Callable, NamedTuple, Optional, Tuple

import numpy as np

from conformance.numbers.arrays import Floats, Words
from conformance.numbers.formats import FORMATS, Format, Tensor, decode, infinity_bits
from conformance.numbers.measurement import CODE, Limits, measure
from conformance.worker.sweep import space
from conformance.worker.sweep.expected import low_parts
from conformance.worker.sweep.shard import Samples
from conformance.worker.sweep.statistics import FAR, RELATIVE, UNMEASURED, Statistics
from reference import FUNCTIONS

#: Rounds of the search, results that each goes on from, and neighbours of each that are tried.
ROUNDS, KEPT, NEIGHBOURS = 6, 16, 64

#: How far, in bit patterns, neighbours are from a result: 2^k for random k below this, in both inputs.
REACH = 24


class Points(NamedTuple):
    """Inputs: positions of the predictions and bit patterns of the labels, as uint64."""

    positions: Words
    labels: Words


#: Calls an implementation: (prediction, label) -> results, or None where it raised.
Call = Callable[[Tensor, Tensor], Optional[Tensor]]


def stratified(form: str, dtype: str, samples: Samples, start: int, stop: int) -> Points:
    """Some of the samples, `start` to `stop`: the same whatever shard they are in is made of."""
    width = space.size(form, dtype) // samples.count
    random = np.random.Generator(np.random.Philox(key=[samples.seed, start]))
    count = stop - start
    positions = np.arange(start, stop, dtype=np.uint64) * np.uint64(width)
    positions += random.integers(0, width, size=count, dtype=np.uint64)
    labels = random.integers(0, space.labels_in_unit(dtype), size=count, dtype=np.uint64)
    return Points(positions, labels)


def prediction(points: Points, dtype: str) -> Tensor:
    """The predictions at positions."""
    fmt = FORMATS[dtype]
    half, sign = np.uint64(infinity_bits(fmt)), np.uint64(space.sign_bit(fmt))
    negative = points.positions >= half
    bits = np.where(negative, (points.positions - np.where(negative, half, np.uint64(0))) | sign, points.positions)
    return Tensor(dtype, bits.astype(fmt.storage))


def sample(statistics: Statistics, call: Call, form: str, quantity: str, dtype: str, points: Points, seed: int) -> None:
    """Judge an implementation at some points, and search around the worst of them."""
    random = np.random.Generator(np.random.Philox(key=[seed, 1 + int(points.positions[0])]))
    errors = _judged(statistics, call, form, quantity, dtype, points)
    for _ in range(ROUNDS):
        best = np.argsort(-errors, kind="stable")[:KEPT]
        near = _neighbours(Points(*(each[best] for each in points)), form, dtype, random)
        found = _judged(statistics, call, form, quantity, dtype, near)
        points = Points(*(np.concatenate([one[best], other]) for one, other in zip(points, near)))
        errors = np.concatenate([errors[best], found])


def _neighbours(points: Points, form: str, dtype: str, random: np.random.Generator) -> Points:
    """Points near others, in order of their positions; both inputs keep to what is swept."""
    count = len(points.positions) * NEIGHBOURS
    moved = []
    for values, size in ((points.positions, space.size(form, dtype)), (points.labels, space.labels_in_unit(dtype))):
        powers = random.integers(0, REACH, size=count, dtype=np.uint64)
        steps = random.integers(0, np.uint64(1) << powers, dtype=np.uint64, endpoint=True)
        spread = np.repeat(values, NEIGHBOURS)
        up = random.integers(0, 2, size=count) == 1
        most = np.uint64(size - 1)
        raised = np.where(spread > most - np.minimum(steps, most), most, spread + steps)
        lowered = np.where(spread < steps, np.uint64(0), spread - np.minimum(steps, spread))
        moved.append(np.where(up, raised, lowered))
    order = np.argsort(moved[0], kind="stable")
    return Points(moved[0][order], moved[1][order])


def _judged(statistics: Statistics, call: Call, form: str, quantity: str, dtype: str, points: Points) -> Floats:
    """Add the results at some points, whose positions are in order; the answer is their errors, -1 where none."""
    inputs = prediction(points, dtype), Tensor(dtype, points.labels.astype(FORMATS[dtype].storage))
    got = call(*inputs)
    none = np.full(len(points.positions), -1.0)
    if got is None:
        return none
    fmt = FORMATS[got.dtype]
    results = decode(got)
    predictions, labels = (decode(one) for one in inputs)
    exact = FUNCTIONS[quantity](form, predictions, labels)
    lows = low_parts(form, quantity, predictions, exact)
    at_boundary = np.abs(np.frexp(exact.hi)[0]) == 0.5  # of binades: the low part says in which one the value is
    bound = np.where(at_boundary, np.minimum(exact.bound, 0.5 * np.abs(lows)), exact.bound)
    exact = exact._replace(lo=lows, bound=bound)
    limits = Limits(*(np.full(results.shape, number) for number in (fmt.precision, fmt.emin, fmt.emax)))
    measured = measure(results, exact, limits)
    for name in (*UNMEASURED, "undecided"):
        statistics.add_class(name, int(np.count_nonzero(measured.code == CODE[name])))
    statistics.points += len(results)
    unmeasured = np.isin(measured.code, [CODE[name] for name in (*UNMEASURED, "undecided")])
    ideal = np.where(unmeasured | np.isnan(measured.plain), -1.0, measured.plain)
    _count(statistics, ideal)
    subnormal = np.abs(exact.hi) < 2.0**fmt.emin
    flushed = np.where((results == 0) & subnormal, 0.0, ideal)
    bits = got.bits.reshape(-1)
    for start, stop, binade in _binades(points.positions, dtype):
        part = slice(start, stop)
        for column, error in (("ideal", ideal), ("flushed", flushed), ("scaled", measured.scaled)):
            shown = np.where(ideal[part] < 0.0, -1.0, error[part])
            at = start + int(np.argmax(shown))
            if shown[at - start] > 0.5:
                place = int(points.positions[at]), int(points.labels[at])
                statistics.add_worst(column, binade, float(shown[at - start]), place, int(bits[at]))
        _firsts(statistics, binade[0], points, part, results[part], exact.hi[part], ideal[part])
    return ideal


def _count(statistics: Statistics, ideal: Floats) -> None:
    """Results up to 0.5 ULP off are the nearest; others are counted by their error in whole ULP."""
    bounds = (0.5, 1.5, 2.5)
    counts = [int(np.count_nonzero(ideal > bound)) for bound in bounds]
    known = int(np.count_nonzero(ideal >= 0.0))
    statistics.add_ordinals((known - counts[0], counts[0] - counts[1], counts[1] - counts[2], counts[2]))


def _firsts(
    statistics: Statistics, sign: str, points: Points, part: slice, got: Floats, exact: Floats, ideal: Floats
) -> None:
    far = ideal > FAR
    with np.errstate(all="ignore"):
        relative = np.abs(got - exact) / np.abs(exact)
    conditions = {"4 ulp": far, "zero": (got == 0) & (ideal > 0.5)}
    conditions.update({name: far & (relative > bound) for name, bound in RELATIVE.items()})
    for name, condition in conditions.items():
        index = np.flatnonzero(condition)
        if index.size:
            at = part.start + int(index[0])
            statistics.add_first(name, sign, (int(points.positions[at]), int(points.labels[at])))


def _binades(positions: Words, dtype: str) -> list[tuple[int, int, str]]:
    """(start, stop, binade) of runs of positions, which are in order."""
    fmt: Format = FORMATS[dtype]
    half = np.uint64(infinity_bits(fmt))
    field = (positions % half) >> np.uint64(fmt.fraction_bits)
    key = field * np.uint64(2) + (positions >= half).astype(np.uint64)
    cuts: Tuple[int, ...] = (0, *(np.flatnonzero(key[1:] != key[:-1]) + 1).tolist(), len(positions))
    return [(a, b, space.binade(int(positions[a]), dtype)) for a, b in zip(cuts[:-1], cuts[1:])]
