"""What the shipped command takes as a sweep grows: wall time, memory, and what a second worker brings.

`bce-conformance sweep` is run on more and more positions around 1 (float32 logits, four labels, torch eager), with one
worker; on the largest once more with two.  The start of the command and of the framework is measured by the smallest
sweep and taken off.  Memory is the largest resident set of any process of the command, beside that of a process that
imports the framework and makes one call as long as those of the sweep.

Run from the root of the repository, on a machine that does nothing else: `python -m benchmarks.sweep_scaling`.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time

from conformance.pool.process import KEEPING_MEMORY, SINGLE_THREADED

IMPLEMENTATION = "torch/nn.functional.binary_cross_entropy_with_logits/eager/cpu"
LABELS = 4

#: The middle of the ranges: the position of 1.0, where transcendental functions are needed.
MIDDLE = 127 << 23

#: One call, as long as those of the sweep.
ALONE = """
import torch
z = torch.linspace(1.0, 1.1, 1 << 17)
torch.nn.functional.binary_cross_entropy_with_logits(z, torch.zeros_like(z), reduction="none")
"""


def measured(command: list[str], environment: dict[str, str]) -> tuple[float, float]:
    """Wall seconds and the largest resident set in MiB of a command, its own children included."""
    begin = time.perf_counter()
    with open(os.devnull, "wb") as nothing:
        process = os.posix_spawn(
            command[0],
            command,
            {**os.environ, **environment},
            file_actions=[(os.POSIX_SPAWN_DUP2, nothing.fileno(), 1), (os.POSIX_SPAWN_DUP2, nothing.fileno(), 2)],
        )
        _, status, used = os.wait4(process, 0)
    if status:
        raise RuntimeError(f"{' '.join(command)} ended with status {status}")
    return time.perf_counter() - begin, used.ru_maxrss / 1024


def sweep(power: int, jobs: int) -> tuple[float, float]:
    """A sweep of 2**power positions around MIDDLE, or of all below the middle of the line and as many above."""
    half = 1 << (power - 1)
    start = max(MIDDLE - half, 0)
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "conformance", "sweep", "--implementation", IMPLEMENTATION]
        command += ["--positions", f"{start}:{start + 2 * half}", "--jobs", str(jobs), "--output", folder]
        return measured(command, {})


def main() -> None:
    """Print one line for each size."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--powers", type=int, nargs="+", default=[20, 22, 24, 26, 28, 30], help="log2 of the positions")
    given = parser.parse_args()
    _, own = measured([sys.executable, "-c", ALONE], {**SINGLE_THREADED, **KEEPING_MEMORY})
    print(f"framework alone: {own:.0f} MiB", flush=True)
    start, _ = sweep(1, 1)
    print(f"start of the command: {start:.1f} s", flush=True)
    for power in given.powers:
        seconds, memory = sweep(power, 1)
        results = LABELS << power
        print(
            f"2^{power} positions: {seconds - start:8.2f} s, {(seconds - start) / results * 1e9:5.2f} ns a result, "
            f"{memory - own:+.0f} MiB",
            flush=True,
        )
    two, _ = sweep(given.powers[-1], 2)
    print(f"two workers: {two - start:.2f} s, {(seconds - start) / (two - start):.2f} times the throughput of one")


if __name__ == "__main__":
    main()
