"""The commands as a user runs them: exit codes, messages without tracebacks, and the record that a run leaves."""

from __future__ import annotations

import gzip
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from conformance.cli import main
from conformance.errors import Exit, HarnessError, InputError
from conformance.record import record
from tests.builders import CASES, FLAGS

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
ADAPTERS = ROOT / "tests" / "data" / "adapters"

Command = Callable[..., Result]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder that has a small suite in `suite` and nothing else."""
    (tmp_path / "suite").mkdir()
    (tmp_path / "suite" / "flags.yaml").write_text(FLAGS)
    (tmp_path / "suite" / "small.yaml").write_text(CASES)
    return tmp_path


@pytest.fixture
def command(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Command:
    """Invokes `bce-conformance` in that folder, in this process: to start one takes longer than most commands."""
    monkeypatch.chdir(folder)
    return lambda *words: CliRunner().invoke(main, words)


def started(folder: Path, *words: str, **variables: str) -> subprocess.Popen[str]:
    """`bce-conformance` as a process of its own in a folder."""
    return subprocess.Popen(
        [sys.executable, "-u", "-m", "conformance", *words],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT)} | variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # A job in the background of a shell ignores SIGINT, and so would what it starts.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )


def adapter(name: str, entries: str = "*") -> tuple[str, ...]:
    """The words that run one adapter of the tests on the small suite."""
    file = str(ADAPTERS / f"{name}.py")
    return ("run", "--cases", "suite", "--adapter", file, "--implementation", f"{name}/{entries}", "--timeout", "1")


def test_a_run_that_is_as_expected_exits_with_0(folder: Path) -> None:
    """A right implementation passes, in a process as a user starts it, and the record is complete."""
    process = started(folder, *adapter("orderly"))
    _, problems = process.communicate(timeout=60)
    assert (process.returncode, problems) == (Exit.AS_EXPECTED, "")
    kept = record.read(folder / ".bce-conformance" / "last.jsonl")
    assert not kept.interrupted
    assert {check.verdict for check in kept.checks} == {"conforms"}


def test_what_is_about_a_dtype_that_is_not_installed_is_absent(command: Command, folder: Path) -> None:
    """It is told with the reason and counted, and is no failure: `pip install` of the suite alone has no bfloat16."""
    (folder / "suite" / "small.yaml").write_text(CASES.replace("[float32]", "[float32, bfloat16]"))
    done = command(*adapter("lacking"), "--backend", "lacking")
    asked = command(*adapter("lacking"), "--backend", "lacking", "--dtype", "bfloat16")
    found = record.read(folder / ".bce-conformance" / "last.jsonl")
    assert "absent lacking in bfloat16: a package that nobody has is not installed" in done.stdout
    assert {check.dtype for check in found.checks} == {"float32"}
    assert found.footer is not None
    assert found.footer.not_run == found.footer.absent == len(found.checks)
    assert done.exit_code == found.footer.exit == Exit.NOT_AS_EXPECTED  # the loss is wrong, and nothing else is
    assert asked.exit_code == Exit.BAD_INPUT
    assert "asked for by name, but it has none here: a package that nobody has" in asked.stderr


@pytest.mark.parametrize(
    "entry", ["hangs", "aborts", "exits", "none", "one_short", "surrogates", "babbles_in_the_pipe"]
)
def test_a_run_with_a_misbehaving_implementation_exits_with_1(command: Command, tmp_path: Path, entry: str) -> None:
    """A crash, a time-out or nonsense is not as expected, the record is complete, and no traceback is shown."""
    done = command(*adapter("wayward", f"{entry}/*"))
    assert done.exit_code == Exit.NOT_AS_EXPECTED, done.stderr
    assert "Traceback" not in done.stderr
    kept = record.read(tmp_path / ".bce-conformance" / "last.jsonl")
    assert not kept.interrupted
    assert kept.footer is not None
    assert (kept.footer.exit, kept.footer.not_run) == (Exit.NOT_AS_EXPECTED, 0)


@pytest.mark.slow
def test_a_call_that_needs_more_memory_than_it_may_ends_with_3_and_has_no_verdict(
    command: Command, tmp_path: Path
) -> None:
    """The suite's own limit is no finding: the checks were not run, and one line says which, and the limit."""
    done = command(*adapter("costly", "holds_memory/*"), "--memory", "200MB")
    assert done.exit_code == Exit.HARNESS_FAILED, done.output
    kept = record.read(tmp_path / ".bce-conformance" / "last.jsonl")
    assert kept.footer is not None
    assert (kept.checks, kept.footer.not_run) == ((), kept.header.planned)
    for line in kept.footer.lost:
        assert "::costly/holds_memory/eager/cpu::float32::value: " in line
        assert "it held more than the 200 MB of --memory" in line
    assert "not run: " in done.stdout


@pytest.mark.slow
def test_a_framework_that_needs_more_memory_than_it_may_ends_with_3(command: Command) -> None:
    """No worker can be had within the limit, and the run says so instead of replacing one after another."""
    done = command(*adapter("orderly"), "--memory", "1MB")
    assert done.exit_code == Exit.HARNESS_FAILED, done.output
    assert "it held more than the 1 MB of --memory" in done.stdout


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("rum",), "did you mean run?"),
        (("run", "--dtype", "float8"), "float8"),
        (("run", "--timeout", "0"), "--timeout must lie between"),
        (("run", "--timeout", "nan"), "--timeout must lie between"),
        (("run", "--memory", "much"), "--memory must be a size above 0 in MB or GB (got 'much')"),
        (("run", "--memory", "2000"), "--memory must be a size above 0 in MB or GB (got '2000')"),
        (("run", "--memory", "-1GB"), "--memory must be a size above 0 in MB or GB (got '-1GB')"),
        (("run", "--memory", "0GB"), "--memory must be a size above 0 in MB or GB (got '0GB')"),
        (("run", "--jobs", "0"), "jobs"),
        (("run", "--python", "numpy"), "--python must be BACKEND=INTERPRETER"),
        (("run", "--cases", "nowhere"), "nowhere: must hold flags.yaml and case files"),
        (("run", "--adapter", "nowhere.py"), "--adapter must be a Python file"),
        (("run", "--cases", "suite", "--backend", "nobody"), "no backend matches 'nobody'"),
        (("run", "--cases", "suite", "--backend", "pytroch"), "did you mean torch?"),
        (("run", "--cases", "suite", "--case", "small/oen"), "did you mean small/one, small?"),
        (("run", "--cases", "suite", "--case", "nothing"), "--case 'nothing' matches nothing"),
        (("run", "--cases", "suite", "--implementation", "torch/bce"), "did you mean torch/nn.BCELoss"),
        (("run", "--cases", "suite", "--case", "small/one", "--dtype", "fp64"), "the filters leave no check"),
        (("run", "--dtype", "flaot32"), "did you mean float32"),
        (("try", "--form", "logist", "--prediction", "1", "--label", "0"), "did you mean logits"),
        (
            ("run", "--cases", "suite", "--backend", "numpy", "--python", "numpy=/no/such/python"),
            "'/no/such/python' cannot be started",
        ),
        (adapter("raises"), "RuntimeError: this file cannot be imported"),
        (adapter("empty"), "must define `adapters`"),
        (adapter("leaves"), "status 7"),
        (adapter("twice"), "twice"),
        (adapter("taken"), "two adapters are called 'numpy'"),
        ((*adapter("absent"), "--backend", "absent"), "asked for by name but is absent"),
        ((*adapter("orderly"), "--known", "nowhere"), "no such folder"),
        (("show", "suite/small.yaml"), "must start with its header"),
        (("show", "nowhere.jsonl"), "cannot be read"),
    ],
)
def test_bad_input_exits_with_2_and_one_message(
    command: Command, tmp_path: Path, words: tuple[str, ...], message: str
) -> None:
    """The message says what is wrong, there is no traceback, and nothing is written."""
    done = command(*words)
    assert done.exit_code == Exit.BAD_INPUT, done.stderr
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
    assert not (tmp_path / ".bce-conformance" / "last.jsonl").exists()


def test_a_record_that_cannot_be_written_exits_with_3(command: Command) -> None:
    """The harness failed, not an implementation."""
    done = command(*adapter("orderly"), "--output", "suite/flags.yaml/run.jsonl")
    assert done.exit_code == Exit.HARNESS_FAILED
    assert "cannot be written" in done.stderr


def cut(folder: Path) -> None:
    """Writes the last run without its footer, as `cut.jsonl`."""
    lines = gzip.decompress((folder / ".bce-conformance" / "last.jsonl").read_bytes()).splitlines(keepends=True)
    (folder / "cut.jsonl").write_bytes(b"".join(lines[:-1]))


def test_an_interrupted_record_is_shown_as_such(command: Command, tmp_path: Path) -> None:
    """A record without its footer is never presented as a complete run."""
    command(*adapter("orderly"))
    cut(tmp_path)
    assert "interrupted" in command("show", "cut.jsonl").stdout.lower()
    assert "interrupted" not in command("show").stdout.lower()


@pytest.mark.parametrize("form", ["json", "markdown"])
def test_an_interrupted_record_is_marked_in_every_form(command: Command, tmp_path: Path, form: str) -> None:
    """JSON and Markdown readers learn it, too."""
    command(*adapter("orderly"))
    cut(tmp_path)
    assert "interrupted" in command("show", "cut.jsonl", "--format", form).stdout.lower()


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (InputError("a wrong file"), Exit.BAD_INPUT),
        (HarnessError("no space"), Exit.HARNESS_FAILED),
        (RuntimeError("a mistake in the suite"), Exit.HARNESS_FAILED),
        (MemoryError(), Exit.HARNESS_FAILED),
        (AssertionError("an assumption"), Exit.HARNESS_FAILED),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_failure_of_the_suite_itself_exits_with_3(
    monkeypatch: pytest.MonkeyPatch, error: Exception, code: Exit
) -> None:
    """A mistake in the suite is never reported as 1, which would say that an implementation deviates."""

    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr("conformance.commands.options.Asked.suite", fail)
    assert CliRunner().invoke(main, ["run"]).exit_code == code


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP], ids=lambda one: one.name)
def test_who_asks_a_run_to_end_ends_its_workers(folder: Path, ending: signal.Signals) -> None:
    """During a request that hangs: exit code 130, an interrupted record, and no process left."""
    if signal.getsignal(ending) is signal.SIG_IGN:
        pytest.skip("under nohup a signal that is ignored is to be ignored")
    words = [*adapter("wayward", "hangs/*")[:-1], "600"]
    token = f"BCE_TEST_INTERRUPT={os.getpid()}"
    name, _, value = token.partition("=")
    ready = folder / "ready"
    os.mkfifo(ready)
    process = started(folder, *words, **{name: value, "BCE_READY": str(ready)})
    with ready.open("rb") as stream:  # opens when the implementation has been called
        stream.read(1)
    process.send_signal(ending)
    _, problems = process.communicate(timeout=60)
    assert process.returncode == 130, problems
    kept = record.read(folder / ".bce-conformance" / "last.jsonl")
    assert kept.interrupted
    assert not [
        one.name
        for one in Path("/proc").glob("[0-9]*")
        if one.name != str(process.pid) and token.encode() in _environment(one)
    ]


#: An adapter whose worker ends at one of its moments, once, as if somebody had killed it, or sends what is no answer.
DISTURBED = """
import os, signal
from pathlib import Path
import numpy as np
from conformance.adapters import Adapter, Implementation
from conformance.adapters.numpy import NumPyRuntime
from conformance.worker.session import Session

HERE = Path(__file__).parent

def at(moment):
    if (HERE / moment).exists():
        (HERE / moment).unlink()
        os.kill(os.getpid(), signal.SIGKILL)

class Runtime(NumPyRuntime):
    def open(self):
        at("open")
        super().open()

def loss(prediction, label):
    at("call")
    p, y = prediction.astype(np.float64), label.astype(np.float64)
    return (-(y * np.log(p) + (1 - y) * np.log1p(-p))).astype(prediction.dtype)

if (HERE / "lie").exists():
    def evaluate(self, request, arrays):
        (call,) = request["calls"]
        one = {"kind": "returned", "array": 7, "changed": [], "differs": "", "warnings": []}
        return {"observations": {call: [one]}}, []
    Session.evaluate = evaluate

at("told")
adapters = [Adapter("disturbed", [Implementation("loss", "probabilities", loss, dtypes=("float32",))], Runtime())]
"""


def disturbed(folder: Path, moment: str = "") -> tuple[Result, record.RunRecord]:
    """A run of that adapter and of the orderly one, which is disturbed at a moment."""
    (folder / "disturbed.py").write_text(DISTURBED)
    if moment:
        (folder / moment).touch()
    words = ["run", "--cases", "suite", "--adapter", str(ADAPTERS / "orderly.py"), "--adapter", "disturbed.py"]
    words += ["--implementation", "orderly/*", "--implementation", "disturbed/*", "--output", "run.jsonl"]
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        return CliRunner().invoke(main, words), record.read(folder / "run.jsonl")


@pytest.mark.parametrize("moment", ["told", "open", "call"])
def test_a_worker_that_is_killed_from_outside_changes_no_result(folder: Path, moment: str) -> None:
    """While it tells its adapters, imports its framework, or is asked: the checks are those of a run in peace."""
    _, peaceful = disturbed(folder)
    done, kept = disturbed(folder, moment)
    assert not (folder / moment).exists(), "the worker was not killed"
    assert done.exit_code == Exit.AS_EXPECTED, done.output
    assert kept.checks == peaceful.checks


def test_a_worker_that_sends_no_answer_fails_its_backend_by_name(folder: Path) -> None:
    """Exit code 3 and no finding about its implementation; the record of the others is kept."""
    _, peaceful = disturbed(folder)
    done, kept = disturbed(folder, "lie")
    assert (done.exit_code, "Traceback" in done.output) == (Exit.HARNESS_FAILED, False), done.output
    failed = {line.name: line.failed for line in kept.header.backends}
    assert "its worker sent no answer" in failed["disturbed"]
    assert failed["orderly"] is None
    of_orderly = [check for check in peaceful.checks if check.implementation.startswith("orderly/")]
    assert [check for check in kept.checks if check.implementation.startswith("orderly/")] == of_orderly
    assert not [check for check in kept.checks if check.implementation.startswith("disturbed/") and check.findings]


def _environment(folder: Path) -> bytes:
    try:
        return (folder / "environ").read_bytes()
    except OSError:
        return b""
