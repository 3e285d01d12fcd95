"""Print the speed of the reference in nanoseconds per element, on bit-uniform samples.

    python benchmarks/reference_speed.py [--size N] [--repeat R] [--chunk C]...

Each figure is the best of R runs over N elements, for the best of the given chunk sizes; `ratio` is relative to
np.log1p(np.exp(x)) on the same sample. Every float64 of the admissible range is equally likely as a prediction; labels
are uniform in [0, 1]. The exit code is 1 if a demand is missed: LIMITS for long arrays, LARGEST_OVERHEAD for ten.
"""

from __future__ import annotations

import argparse
import pathlib
import sys
import time

import numpy as np

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))

import reference
from reference import bce

QUANTITIES = ("value", "gradient-prediction", "gradient-label", "second-derivative")

#: Demanded nanoseconds an element.
LIMITS = {
    ("logits", "value"): 400.0,
    ("logits", "gradient-prediction"): 400.0,
    ("probabilities", "value"): 700.0,
}

#: Demanded milliseconds for a call with ten elements.
LARGEST_OVERHEAD = 1.5


def bit_uniform(low, high, size, random):
    """Return positive float64 values whose bit patterns are uniform between those of low and high."""
    first, last = np.array([low, high]).view(np.int64)
    return random.randint(first, last, size=size, dtype=np.int64).view(np.float64)


def best_time(function, repeat):
    """Return the shortest of several run times in seconds."""
    times = []
    for _ in range(repeat):
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return min(times)


def sample(form, size, random):
    """Return predictions of a form."""
    if form == "probabilities":
        return bit_uniform(5e-324, 1.0, size, random)
    return bit_uniform(5e-324, np.finfo(np.float64).max, size, random) * random.choice([-1.0, 1.0], size)


def main():
    """Measure, print a table, and compare with the demands."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", type=int, default=1 << 17)
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--chunk", type=int, action="append", help="chunk sizes to try (default: 2048 4096 8192 16384)")
    options = parser.parse_args()
    random = np.random.RandomState(1)
    missed = []
    head = "form", "quantity", "ns", "chunk", "ratio", "ms of 10"
    print("{:14} {:20} {:>9} {:>7} {:>7} {:>9}".format(*head))
    for form in reference.FORMS:
        x, y = sample(form, options.size, random), random.random_sample(options.size)
        with np.errstate(all="ignore"):
            yardstick = best_time(lambda x=x: np.log1p(np.exp(x)), options.repeat) / options.size * 1e9
        for quantity in QUANTITIES:
            function = reference.FUNCTIONS[quantity]
            figures = []
            for chunk in options.chunk or (2048, 4096, 8192, 16384):
                bce.CHUNK = chunk
                seconds = best_time(lambda f=function, a=form, b=x, c=y: f(a, b, c), options.repeat)
                figures.append((seconds / options.size * 1e9, chunk))
            figure, chunk = min(figures)
            overhead = best_time(lambda f=function, a=form, b=x[:10], c=y[:10]: f(a, b, c), 50) * 1e3
            row = form, quantity, figure, chunk, figure / yardstick, overhead
            print("{:14} {:20} {:9.1f} {:7} {:7.1f} {:9.3f}".format(*row), flush=True)
            if figure > LIMITS.get((form, quantity), np.inf) or overhead > LARGEST_OVERHEAD:
                missed.append(f"{form} {quantity}")
    if missed:
        print("slower than demanded: {}".format(", ".join(missed)))
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
