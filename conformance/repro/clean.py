"""Running a reproducer as a stranger would: an interpreter of its own, no suite, no settings of the user."""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from conformance.pool.observation import anonymous

#: Variables of this process that a framework may need to be found and loaded; no other one reaches the script.
KEPT = ("PATH", "LD_LIBRARY_PATH", "SYSTEMROOT", "TMPDIR")

#: A framework looks for no GPU and says less of its own start.
QUIET = {"CUDA_VISIBLE_DEVICES": "", "TF_CPP_MIN_LOG_LEVEL": "3"}

#: Exit codes of a script, as `git bisect run` wants them.
MISMATCH, MATCH, CANNOT_TELL = 1, 0, 125


@dataclass(frozen=True)
class Ran:
    """How a script ended: its exit code (125 after the time limit), and what it printed on standard output."""

    code: int
    output: str

    @property
    def shows(self) -> bool:
        """Whether the mismatch was seen: the exit code and the last line say so."""
        return self.code == MISMATCH and self.output.rstrip().rpartition("\n")[2].startswith("MISMATCH")


def environment(home: Path) -> dict[str, str]:
    """The variables that a script gets."""
    return {name: os.environ[name] for name in KEPT if name in os.environ} | QUIET | {"HOME": str(home)}


def run(text: str, interpreter: str, limit: float) -> Ran:
    """Run a script in an isolated interpreter, in an empty folder that is its home, for at most `limit` seconds."""
    done = _done(text, interpreter, limit)
    if done is None:
        return Ran(CANNOT_TELL, f"cannot tell: no end within {limit:g} s")
    return Ran(done.returncode, done.stdout)


def said(text: str, interpreter: str, limit: float) -> str:
    """What a text of Python prints when it is run so, or the last line of its exception, or how its process ended."""
    done = _done(text, interpreter, limit)
    if done is None:
        return f"no end within {limit:g} s"
    if done.returncode < 0:
        return f"the process ends by {signal.Signals(-done.returncode).name}"
    return done.stdout.strip() if not done.returncode else (done.stderr.strip().splitlines() or [""])[-1]


def _done(text: str, interpreter: str, limit: float) -> subprocess.CompletedProcess[str] | None:
    """How a script ended, and what it wrote, without names of this machine; None after the time limit."""
    with tempfile.TemporaryDirectory() as home:
        file = Path(home) / "repro.py"
        file.write_text(text, encoding="utf-8")
        try:
            done = subprocess.run(
                [interpreter, "-I", "-X", "utf8", str(file)],
                cwd=home,
                env=environment(Path(home)),
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=limit,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return None
    out, err = (anonymous(one.decode("utf-8", "replace")).replace(home, ".") for one in (done.stdout, done.stderr))
    return subprocess.CompletedProcess(done.args, done.returncode, out, err)
