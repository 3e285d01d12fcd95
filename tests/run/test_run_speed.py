"""What `benchmarks/run_speed.py` counts, and what it says about it.  No test depends on how long anything takes."""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks import processes, run_speed
from benchmarks.run_speed import Figure

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")

ROOT = Path(__file__).parents[2]

#: A worker that has used 200 MB and given them back, and waits.
ONCE_LARGE = "import sys\nx = bytearray(b'.' * 200_000_000)\ndel x\nprint('ready', flush=True)\nsys.stdin.read()\n"


@pytest.fixture
def worker(tmp_path: Path) -> Iterator[int]:
    """The process id of a worker that was large once, below a shell."""
    script = tmp_path / "worker" / "start.py"
    script.parent.mkdir()
    script.write_text(ONCE_LARGE)
    command = [sys.executable, str(script), "3", "4", "torch"]
    with subprocess.Popen(["sh", "-c", '"$@"; :', "sh", *command], stdin=-1, stdout=-1, text=True) as shell:
        assert shell.stdin is not None
        assert shell.stdout is not None
        assert shell.stdout.readline() == "ready\n"
        (found,) = processes.descendants(shell.pid)
        yield found
        shell.stdin.close()


def measured(tmp_path: Path, *command: str) -> subprocess.CompletedProcess[str]:
    """`processes.measure` in a process of its own, since it ends everything that it finds below that."""
    code = "import sys\nfrom pathlib import Path\nfrom benchmarks.processes import measure\n"
    code += "print(measure(sys.argv[2:], Path(sys.argv[1]), Path()))"
    arguments = [sys.executable, "-c", code, str(tmp_path), *command]
    return subprocess.run(arguments, cwd=ROOT, capture_output=True, text=True)


def test_a_worker_counts_with_the_memory_that_it_had_at_its_peak(worker: int) -> None:
    """What was freed before anybody looked is in."""
    memory = processes.Memory()
    memory.look([worker])
    (peak,) = memory.by_kind().values()
    assert peak > 200_000_000


def test_a_worker_is_named_after_its_adapter_module(worker: int) -> None:
    """The last word of its command line says which."""
    assert processes.kind_of(worker) == "torch"


def test_a_process_that_is_no_worker_has_no_row() -> None:
    """The first process of the system, for example."""
    assert processes.kind_of(1) == ""


def test_cpu_seconds_of_a_process_whose_parent_has_ended_count(tmp_path: Path) -> None:
    """The shell between ends at once; what it started uses 0.3 s and says so through a pipe, for which is waited."""
    busy = f"{sys.executable} -c 'import time\nwhile time.process_time() < 0.3: pass'"
    told = measured(tmp_path, "sh", "-c", f"mkfifo done; (({busy}; echo) >done &); read x <done")
    others = float(told.stdout.partition("others=")[2].partition(",")[0])
    assert others >= 0.3


def test_a_command_that_does_not_do_its_work_is_no_measurement(tmp_path: Path) -> None:
    """Its exit code and its last words are told."""
    told = measured(tmp_path, "sh", "-c", "echo no such thing >&2; exit 3")
    assert "must end with 0 or 1 (got 3): no such thing" in told.stderr


@pytest.mark.parametrize(
    ("figure", "met"),
    [
        (Figure("time", 4.0, most=4), True),
        (Figure("time", 4.1, most=4), False),
        (Figure("ratio", 3.9, least=4), False),
        (Figure("ratio", 1e9), True),
    ],
)
def test_a_demand_is_met_up_to_its_limit(figure: Figure, met: bool) -> None:
    """A figure without a demand meets it."""
    assert figure.met is met


def run_of(monkeypatch: pytest.MonkeyPatch, *figures: Figure) -> int:
    """The exit code of the script where these are the figures."""
    monkeypatch.setattr(run_speed, "measured", lambda given: iter(figures))
    monkeypatch.setattr(run_speed, "_given", argparse.Namespace)
    monkeypatch.setattr(run_speed, "_two_cores", lambda: None)
    return run_speed.main()


def test_one_missed_demand_fails(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """The last line counts, and the row says which."""
    code = run_of(monkeypatch, Figure("one", 1.0, most=2), Figure("two", 3.0, most=2), Figure("three", 9.0))
    assert (code, capsys.readouterr().out.splitlines()[-1]) == (1, "1 of 2 demands met")


def test_demands_that_are_all_met_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    """Exit code 0."""
    assert run_of(monkeypatch, Figure("one", 1.0, most=2)) == 0


def test_a_commit_that_is_not_there_is_told_before_anything_runs() -> None:
    """Exit code 2, with git's words."""
    command = [sys.executable, "-m", "benchmarks.run_speed", "--against", "no-such-commit"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stdout, "no-such-commit" in done.stderr) == (2, "", True)
