"""How much a sweep costs beside the backend's own time over the same bit patterns.

Numerator: the shard function with every statistic on, in a process as `bce-conformance sweep` starts it.  Denominator:
the calls of the implementations alone, on the same predictions and labels in the same order, at the best of several
chunk sizes; once in a process with the allocator as it is by default, as anybody's, and once with that of the worker,
which keeps freed memory.  All processes have one thread and work in turn, shard by shard, so that whatever slows the
machine slows all; of some rounds the fastest counts.

Run from the root of the repository: `python -m benchmarks.sweep_speed`.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
import warnings
from types import SimpleNamespace
from typing import Any

import numpy as np

from conformance.adapters import Adapter, Implementation, Runtime, load_builtin
from conformance.numbers.formats import FORMATS, Tensor
from conformance.pool.process import KEEPING_MEMORY, SINGLE_THREADED
from conformance.sweep import spec
from conformance.worker.sweep import kernel, space
from conformance.worker.sweep.shard import Pairs, Shard, Single

LOGITS = "nn.functional.binary_cross_entropy_with_logits/eager/cpu"
MODULE = "nn.BCEWithLogitsLoss/eager/cpu"
PROBABILITIES = "nn.functional.binary_cross_entropy/eager/cpu"

#: What is measured: title, implementations, quantity, dtype, labels (None: all pairs).
Row = tuple[str, tuple[str, ...], str, str, tuple[float, ...] | None]
ROWS: tuple[Row, ...] = (
    ("float32 logits, 4 labels, one implementation", (LOGITS,), "value", "float32", (0, 1, 0.5, 0.3)),
    ("float32 logits, 4 labels, two implementations", (LOGITS, MODULE), "value", "float32", (0, 1, 0.5, 0.3)),
    ("float16 pairs", (LOGITS,), "value", "float16", None),
    ("bfloat16 pairs", (LOGITS,), "value", "bfloat16", None),
    ("float32 logits, gradient", (LOGITS,), "gradient-prediction", "float32", (0, 1, 0.5, 0.3)),
    ("float32 probabilities", (PROBABILITIES,), "value", "float32", (0, 1, 0.5, 0.3)),
)

#: Elements of a call that are tried for the denominator.
CHUNKS = tuple(1 << power for power in (14, 15, 16, 17, 18))


def shards(adapter: Adapter, row: Row, pieces: int) -> list[Shard]:
    """Some of the shards that the command makes, spread evenly."""
    _, keys, quantity, dtype, labels = row
    chosen: Any = [one for one in adapter.implementations if one.key in keys]
    backend: Any = SimpleNamespace(name=adapter.name, chunk=adapter.runtime.chunk)
    tried = spec.single([str(label) for label in labels], dtype) if labels else spec.pairs("unit", dtype)
    made = spec.make(backend, chosen, quantity=quantity, dtype=dtype, labels=tried).shards()
    return [made[len(made) * (2 * index + 1) // (2 * pieces)] for index in range(pieces)]


def alone(runtime: Runtime, implementations: list[Implementation], shard: Shard) -> float:
    """Seconds of the calls of a shard, and nothing else."""
    seconds = 0.0
    storage = FORMATS[shard.dtype].storage
    for start, stop, _ in space.pieces(shard.form, shard.dtype, shard.start, shard.stop):
        for first, last in space.chunks(start, stop, shard.chunk):
            bits = space.patterns(shard.dtype, first, last)
            ends = [(one, one + 1) for one in shard.labels.bits] if isinstance(shard.labels, Single) else []
            if isinstance(shard.labels, Pairs):
                many = max(shard.chunk // len(bits), 1)
                ends = list(space.chunks(shard.labels.start, shard.labels.stop, many))
            blocks = [np.arange(*each).astype(storage) for each in ends]
            for labels in blocks:
                prediction = runtime.tensor(Tensor(shard.dtype, np.tile(bits, len(labels))))
                label = runtime.tensor(Tensor(shard.dtype, np.repeat(labels, len(bits))))
                for one in implementations:
                    arguments = {"prediction": prediction, "label": label, "reduction": "none"}
                    begin = time.perf_counter()
                    runtime.wait(runtime.evaluate(one, shard.quantity, arguments))
                    seconds += time.perf_counter() - begin
    return seconds


def swept(runtime: Runtime, by_key: dict[str, Implementation], shard: Shard) -> float:
    """Seconds of the shard function."""
    begin = time.perf_counter()
    kernel.run(runtime, by_key, shard)
    return time.perf_counter() - begin


def serve() -> None:
    """A process that measures what it is asked for: a line of JSON with a shard, and whether it is to be swept."""
    warnings.simplefilter("ignore")
    (adapter,) = load_builtin("torch")
    adapter.runtime.open()
    by_key = {one.key: one for one in adapter.implementations}
    for line in sys.stdin:
        asked = json.loads(line)
        shard = Shard.from_wire(asked["shard"])
        chosen = [by_key[key] for key in shard.implementations]
        seconds = swept(adapter.runtime, by_key, shard) if asked["swept"] else alone(adapter.runtime, chosen, shard)
        print(json.dumps(seconds), flush=True)


class Server:
    """A process that runs `serve`."""

    def __init__(self, environment: dict[str, str]) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.sweep_speed", "--serve"],
            env={**os.environ, **SINGLE_THREADED, **environment},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def seconds(self, shard: Shard, swept: bool) -> float:
        """What it measures."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps({"shard": shard.to_wire(), "swept": swept}) + "\n")
        self.process.stdin.flush()
        return float(json.loads(self.process.stdout.readline()))


def main() -> None:
    """Print one line for each row."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--pieces", type=int, default=17, help="shards of each row")
    parser.add_argument("--rounds", type=int, default=3, help="rounds of each shard, of which the fastest counts")
    parser.add_argument("--row", default="", help="only rows whose title contains this")
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.serve:
        serve()
        return
    (adapter,) = load_builtin("torch")
    worker, plain, keeping = Server(KEEPING_MEMORY), Server({}), Server(KEEPING_MEMORY)
    for row in ROWS:
        if given.row not in row[0]:
            continue
        made = shards(adapter, row, given.pieces)
        numerator, count = 0.0, sum(shard.points for shard in made)
        denominators = {(name, chunk): 0.0 for name in ("default", "keeping") for chunk in CHUNKS}
        for shard in made:
            rounds = [_round(shard, worker, plain, keeping) for _ in range(given.rounds)]
            numerator += min(one for one, _ in rounds)
            for key in denominators:
                denominators[key] += min(each[key] for _, each in rounds)
        print(f"{row[0]:46} {numerator / count * 1e9:6.2f} ns a result", end="")
        for name, told in (("default", "backend alone"), ("keeping", "keeping memory")):
            seconds, chunk = min((denominators[name, chunk], chunk) for chunk in CHUNKS)
            print(f", {told} {seconds / count * 1e9:5.2f} (chunk {chunk}), ratio {numerator / seconds:4.2f}", end="")
        print(flush=True)


def _round(shard: Shard, worker: Server, plain: Server, keeping: Server) -> tuple[float, dict[tuple[str, int], float]]:
    """Seconds of the sweep, and of the calls alone by kind of process and chunk."""
    found = {}
    for chunk in CHUNKS:
        cut = shard._replace(chunk=chunk)
        found["default", chunk] = plain.seconds(cut, swept=False)
        found["keeping", chunk] = keeping.seconds(cut, swept=False)
    return worker.seconds(shard, swept=True), found


if __name__ == "__main__":
    main()
