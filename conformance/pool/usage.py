"""What a worker uses, as Linux tells it in /proc (proc(5)), and how long its answer is waited for.

Limits must not depend on what else the machine does: a slow compilation on a busy one is no finding.  So what counts is
the CPU time of the worker and of all that it started; a machine that gives it no core does not use it up.  What uses
none may sleep for ever, and is asked by the state of its threads whether it wants any.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

PROC = Path("/proc")

#: Whether this system tells what processes use; where it does not, wall time stands for CPU time.
KNOWN = (PROC / "self" / "stat").is_file()

#: What sizes are told in; as disks and most tools count, not in powers of two.
MEGABYTE = 10**6

#: Seconds between two looks at a silent worker.  A look reads a small file of each process of the machine, a few
#: milliseconds for a hundred of them; between two looks a process can touch about half a gigabyte.
LOOK_EVERY = 0.25

#: States of a thread that has something to do: it runs or waits for a core (R), or for a disk (D).
AWAKE = frozenset("RD")

#: So many times the limit may be slept in all, on and off: ten times leaves room for what waits for a device, for files
#: or for another process, each of which a call may do for longer than it computes; a deadlock still ends.
SLEEP = 10


class _Process(NamedTuple):
    """A process: its parent, its session, and the CPU seconds of its threads and of children that have ended."""

    parent: int
    session: int
    seconds: float


def family(pid: int) -> dict[int, float]:
    """A process, its descendants and all in the session that it leads, with the CPU seconds of each until now.

    Those of a child that ended are then of the process that waited for it.
    """
    every = dict(_processes())
    found = {pid} & every.keys()
    while more := {one for one, it in every.items() if it.parent in found or it.session == pid} - found:
        found |= more
    return {one: every[one].seconds for one in found}


def is_awake(pid: int) -> bool:
    """Whether a thread of a process runs, or would if it had a core or its page."""
    threads = PROC / str(pid) / "task"
    return any(AWAKE.intersection(_fields(threads / name / "stat")[:1]) for name in _numbers(threads))


def resident(pid: int) -> int:
    """Bytes of physical memory that a process holds, without its children; 0 where it has ended."""
    try:
        return int((PROC / str(pid) / "statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0


def beyond(memory: int | None) -> str:
    """How a report says that a worker holds more than it may."""
    return f"it held more than the {(memory or 0) / MEGABYTE:g} MB of --memory"


def _processes() -> Iterator[tuple[int, _Process]]:
    tick = os.sysconf("SC_CLK_TCK")
    for name in _numbers(PROC):
        if fields := _fields(PROC / name / "stat"):
            yield int(name), _Process(int(fields[1]), int(fields[3]), sum(map(int, fields[11:15])) / tick)


def _numbers(folder: Path) -> list[str]:
    """The processes or threads of a folder by their numbers; [] where it is gone."""
    try:
        return [name for name in os.listdir(folder) if name.isdigit()]
    except OSError:
        return []


def _fields(file: Path) -> list[str]:
    """The fields of a stat file from the state on, after the name, which may hold anything; [] where it is gone."""
    try:
        return file.read_text(errors="replace").rpartition(")")[2].split()
    except OSError:
        return []


class Patience:
    """How long an answer is waited for: `limit` seconds of CPU time, as many asleep on end, SLEEP times as many in all.

    Time is counted from the first look on: most answers are there before it, and cost none.
    """

    def __init__(self, limit: float) -> None:
        self.limit = limit
        self.used = 0.0
        self.asleep = 0.0
        self.on_end = 0.0
        self._before: tuple[float, float] | None = None

    def look(self, pid: int) -> str:
        """Take in what a worker did since the last look; why it is no longer waited for, or ""."""
        now = time.monotonic()
        processes = family(pid) if KNOWN else {pid: now}
        seconds = sum(processes.values())
        if self._before is not None:
            # Less than before where a child ended that nobody waited for, or just while its parent was looked at.
            used = max(seconds - self._before[1], 0.0)
            seconds = max(seconds, self._before[1])
            # A look that comes late says nothing of the time between: this process may have had no core.
            passed = min(now - self._before[0], 2 * LOOK_EVERY)
            self.add(used, used > 0 or any(map(is_awake, processes)), passed)
        self._before = now, seconds
        return self.exhausted

    def add(self, used: float, awake: bool, passed: float) -> None:
        """Count CPU seconds that were used, and seconds that passed where nothing was `awake`."""
        self.used += used
        self.asleep += 0.0 if awake else passed
        self.on_end = 0.0 if awake else self.on_end + passed

    @property
    def exhausted(self) -> str:
        """Which limit was reached, in words; "" where none was."""
        if self.used >= self.limit:
            return f"no answer within {self.limit:g} s" + (" of its own CPU time" if KNOWN else "")
        if self.on_end >= self.limit:
            return f"no answer, asleep for {self.limit:g} s"
        return f"no answer, asleep for {SLEEP * self.limit:g} s in all" if self.asleep >= SLEEP * self.limit else ""
