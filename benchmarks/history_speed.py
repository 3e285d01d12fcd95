"""How long the history of 200 runs of 20,000 checks takes: `python benchmarks/history_speed.py [RUN.jsonl]`.

Demand: the whole command, from the records alone to the written page, under 5 s, for plain and for compressed records.
The records are made from one of a real run (the last one without an argument), so that their lines are as long as those
of a real run: checks taken evenly or repeated until there are 20,000, other dates, versions and counts each time.
Needs about 3 GB of space for temporary files.
"""

from __future__ import annotations

import datetime
import gzip
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import msgspec

from conformance.record import record as records
from conformance.record.record import Footer, Header, Line, RunRecord
from conformance.record.tally import tallies

RUNS, CHECKS, LIMIT = 200, 20_000, 5.0

encode = msgspec.json.Encoder().encode


def lines(some: Sequence[Line]) -> bytes:
    """The lines as a record holds them."""
    return b"".join(encode(one) + b"\n" for one in some)


def ends(real: RunRecord, checks: tuple[records.CheckLine, ...]) -> Iterator[tuple[bytes, bytes]]:
    """First line and last lines of each run: a day apart, a release every two weeks, counts that wander."""
    rng = random.Random(1)
    start = datetime.datetime(2025, 1, 1, tzinfo=datetime.UTC)
    footer = Footer(finished="", seconds=60.0, verdicts={}, outcomes={}, not_run=0, restarts=(), exit=0)
    summed = tallies(replace(real, checks=checks))
    for index in range(RUNS):
        backends = tuple(
            msgspec.structs.replace(
                line, versions={name: f"{version}.{index // 14}" for name, version in line.versions.items()}
            )
            for line in real.header.backends
        )
        started = (start + datetime.timedelta(days=index)).isoformat()
        header: Header = msgspec.structs.replace(
            real.header, schema=records.SCHEMA, started=started, backends=backends, planned=len(checks)
        )
        wandered = [
            msgspec.structs.replace(
                line,
                verdicts={name: count + rng.randrange(3) for name, count in line.verdicts.items()},
                worst={name: error * rng.uniform(0.5, 2.0) for name, error in line.worst.items()},
            )
            for line in summed
        ]
        yield lines([header]), lines([*wandered, footer])


def make(real: RunRecord, plain: Path, packed: Path) -> None:
    """Write all records, each plain and compressed as `record.write` does."""
    step = max(len(real.checks) // CHECKS, 1)
    checks = (real.checks[::step] * (CHECKS // len(real.checks[::step]) + 1))[:CHECKS]
    body = lines([*real.inputs, *real.causes, *checks, *real.tolerances])
    squeezed = gzip.compress(body, 6, mtime=0)
    for index, (first, last) in enumerate(ends(real, checks)):
        (plain / f"{index:03}.jsonl").write_bytes(first + body + last)
        # Three members for two, so that the checks are compressed once; what is read is the first line and the last.
        (packed / f"{index:03}.jsonl.gz").write_bytes(
            gzip.compress(first, 6, mtime=0) + squeezed + gzip.compress(last, 6, mtime=0)
        )


def _cpu() -> float:
    """CPU seconds of child processes that have ended: what a busy machine does not change."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def main(file: Path) -> int:
    """Print the seconds; exit code 1 where a demand is not met."""
    real = records.read(file)
    slowest = 0.0
    with tempfile.TemporaryDirectory() as name:
        folders = [Path(name) / kind for kind in ("plain", "compressed")]
        for folder in folders:
            folder.mkdir()
        make(real, *folders)
        for folder in folders:
            size = sum(one.stat().st_size for one in folder.iterdir()) / 1e6
            page = Path(name) / "page.html"
            clock, cpu = time.perf_counter(), _cpu()
            command = [sys.executable, "-m", "conformance", "history", str(folder), "--html", str(page)]
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
            seconds = time.perf_counter() - clock
            slowest = max(slowest, seconds)
            print(
                f"{RUNS} {folder.name} records of {CHECKS} checks, {len(real.header.implementations)} implementations, "
                f"{size:.0f} MB: {seconds:.2f} s (limit {LIMIT:g}), CPU time {_cpu() - cpu:.2f} s, "
                f"page of {page.stat().st_size / 1e6:.1f} MB"
            )
    return 0 if slowest < LIMIT else 1


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1] if len(sys.argv) > 1 else ".bce-conformance/last.jsonl")))
