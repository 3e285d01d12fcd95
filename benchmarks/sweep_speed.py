"""How much a sweep costs beside the backend's own time over the same bit patterns.

Denominator: the calls of the implementations alone, on the same chunks in the same order, one thread.  Numerator: the
shard function with every statistic on.  Both run in this process, shard by shard in turn, so that whatever slows the
machine slows both; of some rounds the fastest counts.

Run from the root of the repository: `OMP_NUM_THREADS=1 python -m benchmarks.sweep_speed`.
"""

from __future__ import annotations

import argparse
import statistics
import time
import warnings
from typing import Any

import numpy as np

from conformance.adapters import Implementation, Runtime, load_builtin
from conformance.formats import FORMATS, Tensor, encode
from conformance.sweep import kernel, space

LOGITS = "nn.functional.binary_cross_entropy_with_logits/eager/cpu"
MODULE = "nn.BCEWithLogitsLoss/eager/cpu"
PROBABILITIES = "nn.functional.binary_cross_entropy/eager/cpu"

#: What is measured: title, implementations, quantity, dtype, labels (None: all pairs).
ROWS: tuple[tuple[str, tuple[str, ...], str, str, tuple[float, ...] | None], ...] = (
    ("float32 logits, 4 labels, one implementation", (LOGITS,), "value", "float32", (0, 1, 0.5, 0.3)),
    ("float32 logits, 4 labels, two implementations", (LOGITS, MODULE), "value", "float32", (0, 1, 0.5, 0.3)),
    ("float16 pairs", (LOGITS,), "value", "float16", None),
    ("bfloat16 pairs", (LOGITS,), "value", "bfloat16", None),
    ("float32 logits, gradient", (LOGITS,), "gradient-prediction", "float32", (0, 1, 0.5, 0.3)),
    ("float32 probabilities", (PROBABILITIES,), "value", "float32", (0, 1, 0.5, 0.3)),
)


def shards(row: Any, form: str, chunk: int, pieces: int) -> list[kernel.Shard]:
    """Shards spread evenly over the predictions, one binade each (of a narrow format several)."""
    _, keys, quantity, dtype, labels = row
    total = space.size(form, dtype)
    wide = 1 << 20 if labels is not None else total // pieces
    bits = tuple(int(one) for one in encode(np.array(labels), dtype).bits) if labels is not None else (0, 512)
    found = []
    for index in range(pieces):
        start = (total * index // pieces) // chunk * chunk if labels is not None else total * index // pieces
        stop = min(start + wide, total)
        found.append(kernel.Shard(keys, form, quantity, dtype, start, stop, bits, labels is None, chunk))
    return found


def alone(runtime: Runtime, implementations: list[Implementation], shard: kernel.Shard) -> float:
    """Seconds of the calls of a shard, and nothing else."""
    seconds = 0.0
    storage = FORMATS[shard.dtype].storage
    for start, stop, _ in space.pieces(shard.form, shard.dtype, shard.start, shard.stop):
        for first, last in space.chunks(start, stop, shard.chunk):
            bits = space.patterns(shard.dtype, first, last)
            blocks = [np.array([one], dtype=storage) for one in shard.labels]
            if shard.paired:
                many = max(shard.chunk // len(bits), 1)
                blocks = [np.arange(a, b).astype(storage) for a, b in space.chunks(*shard.labels, many)]
            for labels in blocks:
                prediction = runtime.tensor(Tensor(shard.dtype, np.tile(bits, len(labels))))
                label = runtime.tensor(Tensor(shard.dtype, np.repeat(labels, len(bits))))
                for one in implementations:
                    arguments = {"prediction": prediction, "label": label, "reduction": "none"}
                    begin = time.perf_counter()
                    runtime.wait(runtime.evaluate(one, shard.quantity, arguments))
                    seconds += time.perf_counter() - begin
    return seconds


def main() -> None:
    """Print one line for each row."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--pieces", type=int, default=32, help="shards of each row")
    parser.add_argument("--rounds", type=int, default=5, help="rounds of each shard, of which the fastest counts")
    parser.add_argument("--chunk", type=int, default=0, help="elements of one call")
    parser.add_argument("--row", default="", help="only rows whose title contains this")
    given = parser.parse_args()
    (adapter,) = load_builtin("torch")
    runtime = adapter.runtime
    runtime.open()
    by_key = {one.key: one for one in adapter.implementations}
    for row in ROWS:
        if given.row not in row[0]:
            continue
        implementations = [by_key[key] for key in row[1]]
        form, chunk = implementations[0].form, given.chunk or runtime.chunk
        rounds, points = [], 0
        made = shards(row, form, chunk, given.pieces)
        kernel.run(runtime, by_key, made[0])
        for shard in made:
            pairs = []
            for _ in range(given.rounds):
                begin = time.perf_counter()
                kernel.run(runtime, by_key, shard)
                pairs.append((time.perf_counter() - begin, alone(runtime, implementations, shard)))
            rounds.append((min(one for one, _ in pairs), min(one for _, one in pairs)))
            labels = shard.labels[1] - shard.labels[0] if shard.paired else len(shard.labels)
            points += (shard.stop - shard.start) * labels * len(implementations)
        numerator, denominator = (sum(each) for each in zip(*rounds, strict=True))
        print(
            f"{row[0]:48} {numerator / points * 1e9:7.2f} ns a result, backend {denominator / points * 1e9:6.2f} ns, "
            f"ratio {numerator / denominator:5.2f} (median {statistics.median(a / b for a, b in rounds):.2f})",
            flush=True,
        )


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    main()
