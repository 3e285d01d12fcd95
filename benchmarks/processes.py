"""What a command costs with every process that it starts: CPU seconds, wall seconds and memory.  Linux only.

The command is a black box.  CPU seconds are those that the kernel hands over when a process is waited for, so that none
are lost between two looks; memory is looked at a few times a second.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import re
import resource
import select
import signal
import subprocess
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

#: Seconds between two looks at the memory of all processes.
LOOK_EVERY = 0.25

#: Option of prctl(2): processes below this one whose parent has ended become its children, so that it waits for them.
PR_SET_CHILD_SUBREAPER = 36

#: How the script of a worker ends, and how it ended in commits that a run is measured against.
SCRIPTS = ("/worker/start.py", "/worker.py")

#: Libraries that tell workers of one adapter module apart, by a part of the path that is mapped into the process.
LIBRARIES = {"libtorch_cpu": "torch", "libtensorflow": "tensorflow", "/jaxlib/": "jax", "/openvino/": "openvino"}

TICKS = os.sysconf("SC_CLK_TCK")


class Failed(Exception):
    """A command did not do its work, or nothing could be measured of it."""


@dataclass(frozen=True)
class Cost:
    """Seconds and bytes of a command.

    `own` are CPU seconds of the command's process and `others` those of all that it started; `workers` holds the
    largest resident memory of a worker of each kind; `together` is the largest sum of all processes at one time, where
    pages that several of them share count once.
    """

    wall: float
    own: float
    others: float
    workers: dict[str, int]
    together: int

    @property
    def cpu(self) -> float:
        """CPU seconds of all processes."""
        return self.own + self.others


def measure(command: Sequence[str], folder: Path, tree: Path) -> Cost:
    """Run a command in `folder` with the Python code of `tree`; what it prints is kept in the file `output` there.

    Raises Failed where its exit code is neither 0 nor 1.
    """
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    environment = {**os.environ, "PYTHONPATH": str(tree)}
    before, begin = _reaped(), time.monotonic()
    with (folder / "output").open("wb") as output, (folder / "errors").open("wb") as errors:
        process = subprocess.Popen(command, cwd=folder, env=environment, stdout=output, stderr=errors)
    memory = _watched(process.pid)
    wall, own = time.monotonic() - begin, own_cpu(process.pid)
    code = process.wait()
    _end_orphans()
    if code not in (0, 1):
        said = (folder / "errors").read_text(errors="replace")[-2000:]
        raise Failed(f"{' '.join(command)} must end with 0 or 1 (got {code}): {said}")
    return Cost(wall, own, _reaped() - before - own, memory.by_kind(), memory.together)


class Memory:
    """The largest memory of processes that were looked at."""

    def __init__(self) -> None:
        self.workers: dict[int, tuple[str, int]] = {}
        self.together = 0

    def look(self, pids: Sequence[int]) -> None:
        """Take the memory of processes in as it is now; of one that has ended meanwhile, nothing."""
        statuses = {pid: _read(pid, "status") for pid in pids}
        for pid, status in statuses.items():
            kind, peak = kind_of(pid), _bytes(status, "VmHWM")
            if kind and peak:
                self.workers[pid] = (kind, peak)
        # Who shares what is slow to find out, and the sum can only be smaller than that of resident memory.
        if sum(_bytes(status, "VmRSS") for status in statuses.values()) > self.together:
            self.together = max(self.together, sum(_bytes(_read(pid, "smaps_rollup"), "Pss") for pid in pids))

    def by_kind(self) -> dict[str, int]:
        """The largest peak of the workers of each kind, of which there are several where workers were replaced."""
        return {kind: max(peak for other, peak in self.workers.values() if other == kind) for kind in self.kinds()}

    def kinds(self) -> list[str]:
        """The kinds of workers that were seen."""
        return sorted({kind for kind, _ in self.workers.values()})


def descendants(root: int) -> list[int]:
    """The processes below `root` that are there now."""
    children = defaultdict(list)
    for pid in (int(entry) for entry in os.listdir("/proc") if entry.isdigit()):
        if fields := _stat(pid):
            children[int(fields[1])].append(pid)
    found = list(children[root])
    for pid in found:  # grows while it is walked
        found += children[pid]
    return found


def kind_of(pid: int) -> str:
    """What a worker is one of: its adapter module, and what libraries of others it has loaded.  "" for no worker."""
    words = _read(pid, "cmdline").rstrip("\0").split("\0")
    if not any(word.endswith(SCRIPTS) for word in words):
        return ""
    maps = _read(pid, "maps")
    loaded = [name for part, name in LIBRARIES.items() if part in maps and name != words[-1]]
    return f"{words[-1]} with {', '.join(loaded)}" if loaded else words[-1]


def own_cpu(pid: int) -> float:
    """CPU seconds of a process without those of its children; it may have ended, but not been waited for."""
    user, system = _stat(pid)[11:13]
    return (int(user) + int(system)) / TICKS


def _watched(pid: int) -> Memory:
    """The memory of all processes below this one until process `pid` has ended, which is left to be waited for."""
    memory = Memory()
    ended = os.pidfd_open(pid)
    try:
        while not select.select([ended], [], [], LOOK_EVERY)[0]:
            memory.look(descendants(os.getpid()))
    finally:
        os.close(ended)
    return memory


def _end_orphans() -> None:
    """End what a command left behind, and wait for it."""
    for pid in descendants(os.getpid()):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    with contextlib.suppress(ChildProcessError):
        while True:
            os.wait()


def _reaped() -> float:
    """CPU seconds of all processes that this one waited for, and of those that they waited for."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def _stat(pid: int) -> list[str]:
    """The fields of /proc/PID/stat from the third on (proc_pid_stat(5)); the name before them may hold anything."""
    return _read(pid, "stat").rpartition(")")[2].split()


def _read(pid: int, name: str) -> str:
    """A file of /proc/PID; "" where the process has ended."""
    try:
        return Path(f"/proc/{pid}/{name}").read_text(errors="replace")
    except OSError:
        return ""


def _bytes(text: str, name: str) -> int:
    """The value of a line such as "VmHWM:  1234 kB"; 0 where there is none."""
    found = re.search(rf"^{name}:\s+(\d+) kB", text, re.MULTILINE)
    return int(found[1]) * 1024 if found else 0
