"""Search for the worst input: hill climbing on ordinals of the prediction and of the label.

A batch of inputs is judged at once, by the same workers and the same judge as a run.  The best inputs so far have
children: neighbours at every distance, from one bit pattern to a quarter of the domain, and pairs of one's prediction
with another's label; a part of each batch is new.  The same seed and the same number of inputs give the same answer.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from conformance.numbers.formats import FORMATS, Format, Tensor, decode
from conformance.numbers.literals import bits_of

#: Inputs of one batch: large enough that a call costs more than its overhead, small enough for a hundred of them.
BATCH = 2048

#: Inputs that have children, at most one for each binade of the prediction, so that one peak does not take all places.
PARENTS = 48

#: Share of a batch that is drawn anew, evenly over the bit patterns.
FRESH = 0.25

#: Of what was found, a simpler input must still show so much.
KEPT = 0.5


@dataclass(frozen=True)
class Space:
    """The inputs that are searched: ordinals from `first` to `last` of the prediction, and of the label.

    A label that is given stands for one ordinal.  Ordinals are the integers of the bit patterns, negative below -0.
    """

    dtype: str
    prediction: tuple[int, int]
    label: tuple[int, int]

    @property
    def format(self) -> Format:
        """The format of both."""
        return FORMATS[self.dtype]


@dataclass(frozen=True)
class Score:
    """How bad a batch of inputs is: error in ULP (NaN where it is no number), and the class of those."""

    ulp: Any
    what: tuple[str, ...]


@dataclass(frozen=True)
class Found:
    """The worst input of a hunt, or one that shows a class of its own (`what`), with the inputs tried until then."""

    prediction: float
    label: float
    ulp: float
    what: str
    tried: int


@dataclass(frozen=True)
class Hunted:
    """What a hunt found: the largest error, an example of each class that is no number, and why it ended."""

    worst: Found | None
    classes: tuple[Found, ...]
    tried: int
    out_of_time: bool


Judge = Callable[[Any, Any], Score]


def space(form: str, dtype: str, labels: tuple[str, str]) -> Space:
    """All finite logits, or [0, 1], and the labels from the first to the second of two literals."""
    fmt = FORMATS[dtype]
    top = bits_of("max", fmt)
    low, high = (ordinal(bits_of(text, fmt), fmt) for text in labels)
    return Space(dtype, (-top, top) if form == "logits" else (0, bits_of("1", fmt)), (min(low, high), max(low, high)))


def ordinal(bits: int, fmt: Format) -> int:
    """The ordinal of a bit pattern: monotone in the value, 0 for both zeros."""
    sign = 1 << (fmt.width - 1)
    return sign - bits if bits & sign else bits


def values(ordinals: Sequence[int], fmt: Format) -> Any:
    """The numbers at some ordinals, as float64."""
    bits = np.array([abs(one) for one in ordinals], dtype=fmt.storage)
    signs = np.where(np.array([one < 0 for one in ordinals]), -1.0, 1.0)
    return decode(Tensor(fmt.name, bits)) * signs


def hunt(judge: Judge, where: Space, seed: int, inputs: int, seconds: float) -> Hunted:
    """The worst of about `inputs` inputs, or of those that `seconds` suffice for.

    `judge` takes predictions and labels as float64, exactly representable in the dtype.
    """
    random = np.random.default_rng(seed)
    deadline = time.monotonic() + seconds
    best: dict[tuple[int, int], tuple[float, int, int]] = {}
    classes: dict[str, Found] = {}
    worst: Found | None = None
    tried = 0
    late = False
    while tried < inputs and not late:
        batch = _batch(random, where, [(p, y) for _, p, y in _parents(best)], min(BATCH, inputs - tried))
        columns = [values([pair[axis] for pair in batch], where.format) for axis in (0, 1)]
        score = judge(*columns)
        tried += len(batch)
        for index, (p, y) in enumerate(batch):
            error, what = float(score.ulp[index]), score.what[index]
            numbers = (float(columns[0][index]), float(columns[1][index]))
            if what and what not in classes:
                classes[what] = Found(*numbers, error, what, tried)
            if error == error:
                _keep(best, where, error, p, y)
                if worst is None or error > worst.ulp:
                    worst = Found(*numbers, error, "", tried)
        late = time.monotonic() > deadline
    return Hunted(worst, tuple(classes.values()), tried, late and tried < inputs)


def _keep(best: dict[tuple[int, int], tuple[float, int, int]], where: Space, error: float, p: int, y: int) -> None:
    """Remember the worst input of each binade of prediction and label."""
    shift = where.format.fraction_bits
    key = (p >> shift, y >> shift)
    if key not in best or error > best[key][0]:
        best[key] = (error, p, y)


def _parents(best: dict[tuple[int, int], tuple[float, int, int]]) -> list[tuple[float, int, int]]:
    return sorted(best.values(), reverse=True)[:PARENTS]


def _batch(random: Any, where: Space, parents: Sequence[tuple[int, int]], size: int) -> list[tuple[int, int]]:
    fresh = size if not parents else max(int(FRESH * size), 1)
    drawn = [(_draw(random, where.prediction), _draw(random, where.label)) for _ in range(fresh)]
    for _ in range(size - fresh):
        p, y = parents[int(random.integers(len(parents)))]
        if random.random() < 0.2:
            y = parents[int(random.integers(len(parents)))][1]
        kind = random.random()
        if kind < 0.75:
            p = _step(random, p, where.prediction)
        if kind > 0.5:
            y = _step(random, y, where.label)
        drawn.append((p, y))
    return drawn


def _draw(random: Any, ends: tuple[int, int]) -> int:
    """An ordinal, evenly: all bits of it random."""
    return int(random.integers(ends[0], ends[1], endpoint=True))


def _step(random: Any, ordinal_: int, ends: tuple[int, int]) -> int:
    """A neighbour: at a distance whose logarithm is even, in either direction, inside the domain."""
    reach = max((ends[1] - ends[0]) // 4, 1)
    distance = max(round(2.0 ** (random.random() * np.log2(reach + 1))), 1)
    moved: int = ordinal_ + (distance if random.random() < 0.5 else -distance)
    return min(max(moved, ends[0]), ends[1])


def shrink(judge: Judge, where: Space, found: Found) -> Found:
    """The input of shortest decimals near `found` that shows its class, or KEPT of its error.

    First the label, then the prediction: each is replaced by the shortest decimal that serves.
    """
    now = found
    for axis in ("label", "prediction"):
        options = _shorter(getattr(now, axis), where, axis)
        if not options:
            continue
        fixed = getattr(now, "label" if axis == "prediction" else "prediction")
        others = np.full(len(options), fixed)
        mine = np.array(options)
        score = judge(*((others, mine) if axis == "label" else (mine, others)))
        for index, value in enumerate(options):
            error, what = float(score.ulp[index]), score.what[index]
            serves = what == found.what if found.what else error >= max(KEPT * found.ulp, 0.0)
            if serves:
                pair = (value, now.label) if axis == "prediction" else (now.prediction, value)
                now = replace(now, prediction=pair[0], label=pair[1], ulp=error)
                break
    return now


def _shorter(value: float, where: Space, axis: str) -> list[float]:
    """Numbers of the dtype with short decimals near `value`, the shortest first; inside the domain."""
    fmt = where.format
    ends = getattr(where, axis)
    found: dict[float, None] = {}
    for digits in range(1, 10):
        for text in (f"{value:.{digits}g}", f"{value:.{digits - 1}e}"):
            bits = bits_of(text, fmt)
            near = ordinal(bits, fmt)
            if ends[0] <= near <= ends[1]:
                found[float(values([near], fmt)[0])] = None
    return list(found)
