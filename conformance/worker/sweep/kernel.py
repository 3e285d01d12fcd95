"""The shard function: what some implementations make of some predictions and labels, judged inside the worker.

A shard is a range of positions, a range of labels and implementations of one form; its result depends on these alone.
Loop order is chunk of predictions, labels, implementations: what depends on the prediction alone is computed once.

Worker-side code: standard library and NumPy only, Python 3.7 on.
"""

from __future__ import annotations

import hashlib
import sys
import warnings
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, Union

import numpy as np

from conformance.adapters import Implementation, Native, Runtime
from conformance.numbers.arrays import Bits, Floats
from conformance.numbers.formats import FORMATS, Tensor, decode
from conformance.numbers.soundness import flushes_to_zero
from conformance.worker.sweep import sampling, space
from conformance.worker.sweep.block import Block, Predictions, can_cancel
from conformance.worker.sweep.expected import Expected
from conformance.worker.sweep.judging import judge
from conformance.worker.sweep.readings import Reading, readings
from conformance.worker.sweep.rounding import SIGNED
from conformance.worker.sweep.shard import Pairs, Samples, Shard, Single
from conformance.worker.sweep.statistics import Statistics, from_wire
from reference.operands import GRADIENT_PREDICTION, VALUE
from reference.split import Splits

#: Raised when the same shard may give another result than before although no file of it changed.
VERSION = 6

#: Results that are judged at a time: few enough for a cache, many enough that the cost of a step does not show.
JUDGED = 1 << 17

#: What a call gives: results, or why there are none that can be judged.
Result = Union[Tensor, str]

#: The quantities that can be swept.
QUANTITIES = (VALUE, GRADIENT_PREDICTION)


class Voided(Exception):
    """The process does not compute as NumPy did when it started: nothing of the shard may be used."""


def run(runtime: Runtime, implementations: dict[str, Implementation], shard: Shard) -> dict[str, Any]:
    """Statistics, as JSON, by implementation and label (or "pairs").  Raises Voided."""
    must_be_sound()
    found = _Sweep(runtime, [implementations[key] for key in shard.implementations], shard).run()
    must_be_sound()
    return {key: {name: one.to_wire() for name, one in of.items()} for key, of in found.items()}


class Column(NamedTuple):
    """Labels of a block, in order: bit patterns, a column of values, and whether natural terms may cancel for them."""

    name: str
    bits: Bits
    values: Floats
    ends: tuple[float, float]
    cancel: bool


class Terms(NamedTuple):
    """What predictions of one binade alone decide: `documented` has the readings of each implementation's contract.

    Without `splits` a term is infinite.
    """

    start: int
    predictions: Predictions
    binade: str
    splits: Splits | None
    documented: list[list[Reading] | None]


class _Sweep:
    """One shard under way."""

    def __init__(self, runtime: Runtime, implementations: list[Implementation], shard: Shard) -> None:
        self.runtime = runtime
        self.implementations = implementations
        self.shard = shard
        storage = FORMATS[shard.dtype].storage
        single = shard.labels.bits if isinstance(shard.labels, Single) else ()
        self.single = [self.made("%x" % label, np.array([label], dtype=storage)) for label in single]
        self.keys = [one.key for one in implementations]
        names = shard.labels.names
        self.found = {key: {name: Statistics() for name in names} for key in self.keys}
        # By implementation and label another one whose results were the same so far, bit for bit: they are judged once.
        leaders = () if isinstance(shard.labels, Samples) else _leaders(implementations)
        self.leaders = {(one.key, name): leader for one, leader in leaders for name in names}
        self.tensors: dict[tuple[int, int], Native] = {}
        self.tensors_for = 0

    def run(self) -> dict[str, dict[str, Statistics]]:
        """All of the shard."""
        self.go()
        for key, name in list(self.leaders):
            self.part(key, name)
        return self.found

    def go(self) -> None:
        """Call, and judge."""
        shard = self.shard
        with warnings.catch_warnings(), np.errstate(over="ignore", under="ignore"):
            warnings.simplefilter("ignore")  # the checks tell of them
            if isinstance(shard.labels, Samples):
                for start, stop in space.chunks(shard.start, shard.stop, shard.chunk):
                    self.sample(shard.labels, start, stop)
                return
            for start, stop, single in space.pieces(shard.form, shard.dtype, shard.start, shard.stop):
                for first, last in space.chunks(start, stop, shard.chunk):
                    self.chunk(first, last, single)

    def chunk(self, start: int, stop: int, single: bool) -> None:
        """All labels and implementations on predictions of one binade.

        A long call is judged in parts that a cache holds, when all calls are done; others at once.
        """
        shard = self.shard
        bits = space.patterns(shard.dtype, start, stop)
        natives: dict[int, Native] = {}
        waiting = []
        at_once = isinstance(shard.labels, Pairs) or stop - start <= JUDGED
        whole = self.terms(start, bits, single) if at_once else None
        for labels in self.columns(stop - start):
            shape = (len(labels.bits), stop - start)
            if shape[0] not in natives:
                many = bits if shape[0] == 1 else np.tile(bits, shape[0])
                natives[shape[0]] = self.runtime.tensor(Tensor(shard.dtype, many))
            label = self.label_tensor(labels, shape[1])
            results = [self.call(one, shape, natives[shape[0]], label) for one in self.implementations]
            for at in self.leading(labels.name, results, _of_one_kind):
                place = start, int(labels.bits[0])
                tell(self.found[self.keys[at]][labels.name], place, shape[0] * shape[1], results[at])
            if whole is not None:
                self.judge(whole, labels, results)
            else:
                waiting.append((labels, results))
        for first, last in space.chunks(start, stop, JUDGED) if waiting else ():
            part = self.terms(first, bits[first - start : last - start], single)
            for labels, results in waiting:
                window = slice(first - start, last - start)
                cut = [one if isinstance(one, str) else Tensor(one.dtype, one.bits[:, window]) for one in results]
                self.judge(part, labels, cut)

    def leading(self, name: str, results: list[Result], same: Callable[[Result, Result], bool]) -> list[int]:
        """Indices of implementations that follow no other; one that has not the same as its leader ceases to."""
        found = []
        for at, key in enumerate(self.keys):
            leader = self.leaders.get((key, name)) if self.leaders else None
            if leader is None:
                found.append(at)
            elif not same(results[at], results[self.keys.index(leader)]):
                self.part(key, name)
                found.append(at)
        return found

    def part(self, key: str, name: str) -> None:
        """An implementation has from now on statistics of its own, which so far are those of its leader."""
        self.found[key][name] = from_wire(self.found[self.leaders.pop((key, name))][name].to_wire())

    def terms(self, start: int, bits: Bits, single: bool) -> Terms:
        """What predictions of one binade alone decide."""
        shard = self.shard
        predictions = Predictions(Tensor(shard.dtype, bits))
        splits = None if single else Splits(shard.form, shard.quantity, predictions.ends, predictions.values)
        documented = [
            readings(one.contract, shard.form, shard.quantity, shard.dtype, predictions, single)
            for one in self.implementations
        ]
        return Terms(start, predictions, space.binade(start, shard.dtype), splits, documented)

    def judge(self, terms: Terms, labels: Column, results: list[Result]) -> None:
        """The results of all implementations for some predictions and labels."""
        shard = self.shard
        shape = len(labels.bits), terms.predictions.tensor.bits.size
        block = Block(
            form=shard.form,
            quantity=shard.quantity,
            predictions=terms.predictions,
            label=labels.values,
            start=terms.start,
            label_bits=labels.bits,
            label_ends=labels.ends,
            binade=terms.binade,
            shape=shape,
            cancels=labels.cancel,
        )
        expected: dict[str, Expected] = {}
        for at in self.leading(labels.name, results, _equal):
            got, reading = results[at], terms.documented[at]
            if isinstance(got, str):
                continue
            fmt = FORMATS[got.dtype]
            if got.dtype not in expected:
                expected[got.dtype] = Expected(block, terms.splits, fmt)
            documented = None if reading is None else [each.expected(block, fmt) for each in reading]
            judge(self.found[self.keys[at]][labels.name], expected[got.dtype], got, documented)

    def sample(self, samples: Samples, start: int, stop: int) -> None:
        """All implementations on some samples, and on what a search around them finds."""
        shard = self.shard
        points = sampling.stratified(shard.form, shard.dtype, samples, start, stop)
        for one in self.implementations:
            statistics = self.found[one.key]["pairs"]

            def call(prediction: Tensor, label: Tensor) -> Tensor | None:
                natives = self.runtime.tensor(prediction), self.runtime.tensor(label)
                place = int(points.positions[0]), int(points.labels[0])
                got = self.call(one, prediction.shape, *natives)  # noqa: B023 - called at once
                tell(statistics, place, prediction.bits.size, got)  # noqa: B023
                return None if isinstance(got, str) else got

            sampling.sample(statistics, call, shard.form, shard.quantity, shard.dtype, points, samples.seed)

    def columns(self, predictions: int) -> Iterator[Column]:
        """The labels that go into one call with so many predictions."""
        yield from self.single
        if not isinstance(self.shard.labels, Pairs):
            return
        dtype = self.shard.dtype
        for one_sign in space.signs(dtype, self.shard.labels.start, self.shard.labels.stop):
            for start, stop in space.chunks(one_sign[0], one_sign[1], max(self.shard.chunk // predictions, 1)):
                yield self.made("pairs", space.patterns(dtype, start, stop))

    def made(self, name: str, bits: Bits) -> Column:
        """Labels from bit patterns."""
        values = decode(Tensor(self.shard.dtype, bits))[:, np.newaxis]
        ends = float(values[0, 0]), float(values[-1, 0])
        return Column(name, bits, values, ends, can_cancel(self.shard.quantity, values))

    def label_tensor(self, labels: Column, predictions: int) -> Native:
        """A native tensor with each label for so many predictions; those of one number of predictions are kept."""
        if self.tensors_for != predictions:
            self.tensors, self.tensors_for = {}, predictions
        key = int(labels.bits[0]), len(labels.bits)
        if key not in self.tensors:
            bits = np.repeat(labels.bits, predictions)
            self.tensors[key] = self.runtime.tensor(Tensor(self.shard.dtype, bits))
        return self.tensors[key]

    def call(self, one: Implementation, shape: tuple[int, ...], prediction: Native, label: Native) -> Result:
        """The results of one call, or why there are none that can be judged."""
        size = shape[0] if len(shape) == 1 else shape[0] * shape[1]
        arguments = {"prediction": prediction, "label": label}
        if one.reductions != ("none",):
            arguments["reduction"] = "none"
        try:
            got = self.runtime.bits(self.runtime.evaluate(one, self.shard.quantity, arguments))
        except Exception as error:
            return "%s: %s" % (type(error).__name__, str(error)[:300])
        sampled = isinstance(self.shard.labels, Samples)
        known = got.dtype in FORMATS and (sampled or FORMATS[got.dtype].width in SIGNED)
        if got.bits.size != size or not known:
            return "returned %s of shape %s" % (got.dtype, list(got.shape))
        return Tensor(got.dtype, got.bits.reshape(shape))


def tell(statistics: Statistics, place: tuple[int, int], size: int, got: Result) -> None:
    """Tell of a call of so many elements: the dtype of its results, or why there are none."""
    if not isinstance(got, str):
        statistics.dtypes[got.dtype] = statistics.dtypes.get(got.dtype, 0) + size
        return
    statistics.points += size
    statistics.add_class("raised", size)
    told = [*place, got]
    statistics.raised = told if statistics.raised is None else min(statistics.raised, told)


def _leaders(implementations: list[Implementation]) -> Iterator[tuple[Implementation, str]]:
    """Implementations and the first one with the same contract."""
    for at, one in enumerate(implementations):
        for other in implementations[:at]:
            if one.contract == other.contract:
                yield one, other.key
                break


def _of_one_kind(left: Result, right: Result) -> bool:
    """Whether two calls failed alike, or gave results of one dtype."""
    one, other = (got if isinstance(got, str) else got.dtype for got in (left, right))
    return one == other


def _equal(left: Result, right: Result) -> bool:
    """Whether two results are the same, bit for bit."""
    if isinstance(left, str) or isinstance(right, str):
        return left == right
    return left.dtype == right.dtype and bool(np.all(_words(left.bits) == _words(right.bits)))


def _words(bits: Bits) -> Bits:
    """Bit patterns of a few rows as words of 64 bits where they fill those: fewer numbers to compare."""
    return bits.view(np.uint64) if bits.shape[-1] * bits.itemsize % 8 == 0 else bits


def must_be_sound() -> None:
    """Raises Voided where this thread flushes subnormal numbers, or NumPy computes other bits than at the start."""
    if flushes_to_zero():
        raise Voided("the process flushes subnormal numbers to zero")
    if digest() != _DIGEST:
        raise Voided("NumPy no longer computes the bits that it did when the worker started")


def digest() -> str:
    """SHA-256 of what NumPy makes of known numbers, by the functions that the kernel uses."""
    x = np.linspace(2.0**-20, 40.0, 4099)
    with np.errstate(all="ignore"):
        return _digest(x)


def _digest(x: Floats) -> str:
    parts = [np.exp(-x), np.log1p(np.exp(-x)), np.expm1(-x), np.log(x), x * 0.1 + 0.3, 1.0 / x, np.rint(x)]
    narrow = [part.astype(kind) for part in parts for kind in (np.float32, np.float16)]
    columns = np.stack([x, 1.0 / x]).astype(np.float32) * np.float32(2.0**-70)  # whose products are subnormal
    narrow.append(columns[:, ::256].T @ columns[:, ::64])
    return hashlib.sha256(b"".join(part.tobytes() for part in parts + narrow)).hexdigest()


#: Taken when the worker starts, before a framework is imported.
_DIGEST = digest()


def code() -> dict[str, str]:
    """SHA-256 of every file of the suite, and of the adapter, that this worker has imported, by module."""
    found = {"kernel": str(VERSION)}
    for name, module in sorted(sys.modules.items()):
        file = getattr(module, "__file__", None)
        if file and name.split(".")[0] in ("__main__", "conformance", "reference", "bce_conformance_adapter"):
            with open(file, "rb") as stream:
                found[name] = hashlib.sha256(stream.read()).hexdigest()
    return found
