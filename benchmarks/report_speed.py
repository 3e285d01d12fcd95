"""How long it takes to make the page of a run of 50,000 checks, and how much memory.

    python benchmarks/report_speed.py RUN.jsonl

RUN.jsonl is the record of a complete run; of it the first 50,000 checks are kept, with everything else.
"""

from __future__ import annotations

import dataclasses
import resource
import sys
import time
from pathlib import Path

from conformance.record import record
from conformance.render import jsondoc, markdown, report

CHECKS = 50_000


def main() -> None:
    """Print seconds and megabytes."""
    before = time.perf_counter()
    whole = record.read(Path(sys.argv[1]))
    kept = dataclasses.replace(whole, checks=whole.checks[:CHECKS])
    print(f"reading {len(whole.checks)} checks: {time.perf_counter() - before:.2f} s")
    for name, render in (("html", report.render), ("markdown", markdown.render), ("json", jsondoc.render)):
        before = time.perf_counter()
        size = len(render(kept).encode())
        print(f"{name} of {len(kept.checks)} checks: {time.perf_counter() - before:.2f} s, {size / 1e6:.1f} MB")
    print(f"peak memory of all: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB")


if __name__ == "__main__":
    main()
