"""The parent process: no framework is imported there, so that none can disturb the judge."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

FRAMEWORKS = (
    "torch", "tensorflow", "keras", "tf_keras", "jax", "jaxlib", "optax", "ml_dtypes", "scipy", "sklearn", "openvino",
)  # fmt: skip

REPORT = f"""
import sys
print(*sorted(name for name in {FRAMEWORKS!r} if name in sys.modules))
"""

LOAD = """
from pathlib import Path
from conformance.plan import cases
from conformance.run import run
from conformance.commands import COMMANDS
for one in COMMANDS.values():
    one.load()
"""

PLAN = (
    LOAD
    + """
suite = cases.load_suite(Path("cases"))
options = run.Options()
with run.open_pool(options) as pool:
    plan = run.planned(run.discover(pool, options), suite, options)
assert plan.checks > 1000
backends = {one.adapter for one in plan.implementations}
assert {"numpy", "torch", "tensorflow", "jax"} <= backends, backends
"""
)

LOOK = """
import subprocess
from click.testing import CliRunner
from conformance.cli import main
def fail(*_, **__):
    raise AssertionError("a process is started")
subprocess.Popen = fail
done = CliRunner().invoke(main, {words!r})
assert done.exit_code == 0, done.output
"""

JUDGE = """
import numpy
from conformance.judge.judge import Judge
from conformance.judge.escalate import exact
from tests.builders import case, judged, request, returned
assert judged(request(case(("0.5", "1"))), returned([numpy.log(2)])).verdict == "conforms"
"""


def imported(code: str, folder: Path) -> str:
    """The frameworks that code has imported when it has run."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", f"import sys\nsys.path.insert(0, {str(ROOT)!r})\n" + code + REPORT],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_importing_every_command_imports_no_framework(tmp_path: Path) -> None:
    """Not even where all of them are installed."""
    assert imported(LOAD, tmp_path) == ""


@pytest.mark.slow
def test_planning_a_run_of_every_backend_imports_no_framework(tmp_path: Path) -> None:
    """Built-in adapters declare in this process, and import theirs when they are opened, which is in a worker."""
    code = PLAN.replace('Path("cases")', f"Path({str(ROOT / 'cases')!r})")
    assert imported(code, tmp_path) == ""


@pytest.mark.parametrize(
    "words",
    [["list", "implementations"], ["list", "checks", "--case", "question/*"], ["explain", "question/hard"]],
    ids=" ".join,
)
def test_looking_at_what_there_is_starts_no_process_and_imports_no_framework(tmp_path: Path, words: list[str]) -> None:
    """`list` and `explain` answer from declarations and case files alone."""
    assert imported(LOOK.format(words=words), tmp_path) == ""


def test_judging_imports_no_framework(tmp_path: Path) -> None:
    """Reference, Arb and judge are NumPy and python-flint."""
    assert imported(JUDGE, tmp_path) == ""


def test_the_test_sees_a_framework_that_is_imported(tmp_path: Path) -> None:
    """A module of that name in sys.modules is reported."""
    assert imported("import types\nsys.modules['torch'] = types.ModuleType('torch')", tmp_path) == "torch"


def test_this_process_has_no_framework() -> None:
    """The tests of the suite keep to the rule as well."""
    assert not {"torch", "tensorflow", "keras", "jax", "optax"} & set(sys.modules)
