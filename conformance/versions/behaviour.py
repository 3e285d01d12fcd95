"""What a version does, so that two versions can be compared: states of checks, or the verdict of a script."""

from __future__ import annotations

import subprocess
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from conformance.pool.observation import anonymous
from conformance.record.compare import states
from conformance.record.record import RunRecord
from conformance.versions.ladder import Untestable

#: Exit codes of a script: the bug does not show, it shows, the script cannot tell (as for `git bisect run`).
GOOD, BAD, CANNOT_TELL = 0, 1, 125

#: Characters of its output that are kept, from the end.
KEPT = 4000


@dataclass(frozen=True)
class Checks:
    """States of a run's elements by check id and element; two are equal where the states are.

    A state is the verdict with what happened, or with `bits` the result itself, too.
    """

    seen: tuple[tuple[str, str], ...]
    record: RunRecord = field(compare=False, repr=False)


def of_record(record: RunRecord, element: str = "", bits: bool = False) -> Checks | Untestable:
    """The behaviour that a run shows, of one element or of all."""
    seen = []
    for check in record.checks:
        for name, state in states(check).items():
            if name in (element, "all") or not element:
                kind = state.told.partition(":")[0]  # of an exception its type: the words change with every release
                seen.append((f"{check.id}#{name}", f"{kind} {state.bits}" if bits else kind))
    if record.interrupted or not seen:
        return Untestable("interrupted" if record.interrupted else "the case was not run")
    return Checks(tuple(seen), record)


@dataclass(frozen=True)
class Script:
    """How a script ended: whether the bug shows; what it printed is no part of the behaviour."""

    bad: bool
    output: str = field(compare=False)


def of_script(interpreter: Path, script: Path, timeout: float) -> Script | Untestable:
    """Run a script in an environment, in an empty folder, without anything on standard input."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            done = subprocess.run(
                [str(interpreter), str(script.resolve())],
                cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                check=False, timeout=timeout,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            return Untestable(f"the script gave no answer within {timeout:g} s")
    output = anonymous(done.stdout.decode("utf-8", "replace"))[-KEPT:].strip()
    if done.returncode in (GOOD, BAD):
        return Script(done.returncode == BAD, output)
    last = output.splitlines()[-1][:200] if output else "it printed nothing"
    if done.returncode == CANNOT_TELL:
        return Untestable(f"the script cannot tell: {last}")
    return Untestable(f"the script ended with {done.returncode}, which is none of 0, 1 and 125: {last}")
