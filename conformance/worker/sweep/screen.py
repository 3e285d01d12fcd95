"""A screen by integers: most results of a block need nothing but a distance on the line of bit patterns.

Bit patterns of numbers of one sign are positions on a line, and so are the bits of a float64 value, with a fraction: on
that line a result and what is expected are as far apart as the error in ULP, where both lie in one binade; where one
boundary of binades lies between, the error is at most twice that.  The screen measures all distances of a block in
which every expected result is a normal number of one sign and well conditioned; only results that can exceed the
largest error of this binade so far are looked at again.

Worker-side code: standard library and NumPy only, Python 3.7 on.
"""

from __future__ import annotations

import math

import numpy as np

from conformance.numbers.arrays import Index, Mask, Signed
from conformance.numbers.formats import infinity_bits
from conformance.worker.sweep.adding import Adding
from conformance.worker.sweep.expected import Expected, Line
from conformance.worker.sweep.rounding import rounded

#: From so many results on that may be news it pays to look at the farthest one first.
MANY = 4096

#: Error in ULP that a result one bit pattern off does not exceed: 1.5, and twice that across a boundary of binades.
WIDE = 3.0


def screened(adding: Adding, bits: Signed) -> bool:
    """Judge by the screen; False, and nothing added, where some result is too far off for it."""
    expected, statistics = adding.expected, adding.statistics
    fmt = expected.format
    news = adding.news
    if _constant(adding, bits, news):
        return True
    exact = not statistics.worst_of("ideal", adding.block.binade)
    if fmt.name == "float32" and (exact or news >= WIDE) and _at_a_glance(adding, bits, news):
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
    statistics.add_ordinals([more - fewer for more, fewer in zip([distance.size, *counts], [*counts, 0])])
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


def _add_news(adding: Adding, bits: Signed, distance: Signed, one_binade: bool) -> None:
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


def _places(mask: Mask) -> Index:
    """np.flatnonzero, twice as fast where few are true: words of eight that are false are skipped at once."""
    flat = mask.reshape(-1)
    if flat.size % 8:
        return np.flatnonzero(flat)
    words = np.flatnonzero(flat.view(np.uint64) != 0)
    if words.size > flat.size // 256:
        return np.flatnonzero(flat)
    index: Index = (words[:, np.newaxis] * 8 + np.arange(8)).reshape(-1)
    return index[flat[index]]


def _may_be_news(adding: Adding, bits: Signed, distance: Signed, where: Index) -> Index:
    """Those of some flat indices whose error may be news, although `_least` has only half of it."""
    line = adding.expected.line
    error = distance[where]
    values = adding.block.taken(line.positions, where) - line.positions.dtype.type(line.edge)
    crossing = (line.of(bits[where]) ^ values) >= line.binade
    beyond = (error + line.edge) >> line.dropped << line.dropped
    error += np.where(crossing, beyond, 0)
    return where[error >= int(adding.news * (1 << line.dropped)) - line.edge]


def _constant(adding: Adding, bits: Signed, news: float) -> bool:
    """Judge results where all have one nearest bit pattern, and none is news; False, and nothing added, elsewhere.

    Expected values are not computed for it.
    """
    expected = adding.expected
    nearest, fmt = expected.constant, expected.format
    if nearest is None:
        return False
    sign = 1 << (fmt.width - 1) if expected.negative else 0
    low, high = int(np.minimum.reduce(bits, None)) + sign, int(np.maximum.reduce(bits, None)) + sign
    if low < 1 << fmt.fraction_bits or high >= infinity_bits(fmt) or expected.farthest(low, high) > news:
        return False
    if low == high:
        adding.statistics.ordinals[min(abs(low - nearest), 3)] += bits.size
    else:
        adding.distances(np.abs(bits - bits.dtype.type(nearest - sign)))
    return True


def _at_a_glance(adding: Adding, bits: Signed, news: float) -> bool:
    """Judge results that are at most one bit pattern off, where that is no news; False, and nothing added, elsewhere.

    Half the passes over the block, and to compute the nearest patterns is one that implementations share; for 16-bit
    types rounding takes longer than the screen.
    """
    expected = adding.expected
    if expected.high + 1 >= infinity_bits(expected.format):  # one pattern beyond infinity is not a number
        return False
    distance = bits - expected.nearest
    farthest = max(-int(np.minimum.reduce(distance, None)), int(np.maximum.reduce(distance, None)))
    if farthest > 1 or (farthest and news < WIDE):
        return False
    off = int(np.count_nonzero(distance)) if farthest else 0
    adding.statistics.add_ordinals([distance.size - off, off])
    return True


def _count_beyond(expected: Expected, distance: Signed, farthest: int, number: int, bits: Signed) -> int:
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
