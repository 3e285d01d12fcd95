"""`sweep` as a user runs it: certificates, interruption and resumption, refusals."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from conformance.errors import Exit
from conformance.sweep import certificate

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
ADAPTER = ROOT / "tests" / "data" / "adapters" / "sweepable.py"

WORDS = ("--adapter", str(ADAPTER), "--dtype", "float16", "--jobs", "2")

#: Many small shards, so that a kill meets a sweep that is under way.
MANY = ("--pairs", "unit", "--chunk", "1024", "--positions", "15000:15400")

Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def start(tmp_path: Path) -> Start:
    """Starts `bce-conformance sweep` on the losses of the tests in an empty folder."""

    def begin(
        *words: str, output: str = "out", shard: int = 1 << 16, stderr: int = subprocess.PIPE
    ) -> subprocess.Popen[str]:
        code = f"from conformance.sweep import spec; spec.SHARD = {shard}; from conformance.cli import main; main()"
        given = [] if "--implementation" in words else ["--implementation", "sweepable/no_tail"]
        return subprocess.Popen(
            [sys.executable, "-c", code, "sweep", *WORDS, *given, "--output", output, *words],
            cwd=tmp_path,
            env=os.environ | {"PYTHONPATH": str(ROOT), "TERM": "xterm", "COLUMNS": "120"},
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
        )

    return begin


def ended(process: subprocess.Popen[str], code: int = 0) -> str:
    """What a command says on standard error, after it has ended with `code`."""
    _, errors = process.communicate(timeout=300)
    assert process.returncode == code, errors
    return errors


def the_certificate(folder: Path) -> Path:
    """The one certificate of a folder, without a checkpoint beside it."""
    (file,) = folder.iterdir()
    assert file.suffix == ".json"
    return file


def killed_when_something_is_done(process: subprocess.Popen[str], folder: Path, victim: Callable[[], int]) -> int:
    """Kill a process as soon as the checkpoint has a finished shard; how many it has then."""
    while process.poll() is None:
        for file in folder.glob("*.partial.jsonl"):
            lines = file.read_bytes().count(b"\n")
            if lines > 1:
                os.kill(victim(), signal.SIGKILL)
                return lines - 1
    raise AssertionError(f"it ended before it could be killed: {process.communicate()}")


def a_worker_of(process: subprocess.Popen[str]) -> int:
    """A child of the command that is a worker."""
    children = Path(f"/proc/{process.pid}/task").glob("*/children")
    found = [int(word) for file in children for word in file.read_text().split()]
    return found[-1]


def test_a_whole_dtype_is_swept_and_certified(start: Start, tmp_path: Path) -> None:
    """The certificate is a proof, fits its schema, and tells versions, code and what was covered."""
    assert ended(start()) == ""
    file = the_certificate(tmp_path / "out")
    document = json.loads(file.read_text())
    jsonschema.validate(document, certificate.schema())
    one = certificate.read(file)
    assert one.kind == "proof"
    assert one.covered["predictions"] == one.covered["of"] == 2 * 0x7C00
    assert [result.label_value for result in one.results] == [0.0, 1.0, 0.5, 0.300048828125]
    assert all(result.points == sum(result.ordinals) == 2 * 0x7C00 for result in one.results)
    assert set(one.versions) == {"numpy"}
    assert "--dtype float16" in one.command


def test_part_of_the_predictions_is_no_proof(start: Start, tmp_path: Path) -> None:
    """It is a lower bound, and says which part."""
    ended(start("--positions", "0:100"))
    one = certificate.read(the_certificate(tmp_path / "out"))
    assert (one.kind, one.covered["predictions"], one.covered["last"]) == ("lower bound", 100, "0063")


def test_one_label_alone_is_swept(start: Start, tmp_path: Path) -> None:
    """And the command of its certificate names it."""
    assert ended(start("--label", "0")) == ""
    one = certificate.read(the_certificate(tmp_path / "out"))
    assert (one.kind, one.covered["labels"]) == ("proof", ["0000"])
    assert "--label 0" in one.command


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="finds the worker in /proc")
def test_a_killed_worker_loses_nothing_and_counts_nothing_twice(start: Start, tmp_path: Path) -> None:
    """The sweep goes on, and the certificate is that of a sweep without a kill, byte for byte."""
    process = start(*MANY)
    killed_when_something_is_done(process, tmp_path / "out", lambda: a_worker_of(process))
    ended(process)
    ended(start(*MANY, output="whole"))
    assert the_certificate(tmp_path / "out").read_bytes() == the_certificate(tmp_path / "whole").read_bytes()


def test_a_killed_sweep_is_resumed_where_it_was(start: Start, tmp_path: Path) -> None:
    """What was done stays done, a cut line is ignored, and the certificate is that of a sweep without a kill."""
    process = start(*MANY)
    killed_when_something_is_done(process, tmp_path / "out", lambda: process.pid)
    process.communicate()
    (checkpoint,) = (tmp_path / "out").iterdir()
    with checkpoint.open("ab") as stream:
        stream.write(b'{"type":"shard","index":3,"fou')
    ended(start(*MANY, "--resume"))
    ended(start(*MANY, output="whole"))
    assert the_certificate(tmp_path / "out").read_bytes() == the_certificate(tmp_path / "whole").read_bytes()


def test_a_sweep_is_not_resumed_with_something_else(start: Start, tmp_path: Path) -> None:
    """Other versions, switches, files or chunks may give other bits: exit code 2, and the checkpoint stays as it is."""
    process = start(*MANY)
    killed_when_something_is_done(process, tmp_path / "out", lambda: process.pid)
    process.communicate()
    (checkpoint,) = (tmp_path / "out").iterdir()
    header, *rest = checkpoint.read_text().splitlines(keepends=True)
    basis = json.loads(header)
    changes: dict[str, Any] = {
        "versions": {"numpy": "1.0"},
        "environment": basis["environment"] | {"NPY_DISABLE_CPU_FEATURES": "AVX2"},
        "machine": basis["machine"] | {"instruction-set": "none"},
        "suite": "0.0.1",
        "code": basis["code"] | {"reference.split": "0" * 64},
        "spec": basis["spec"] | {"chunk": 1},
    }
    assert changes.keys() | {"type"} == basis.keys()
    for what, value in changes.items():
        checkpoint.write_text("".join([json.dumps(basis | {what: value}) + "\n", *rest]))
        before = checkpoint.read_bytes()
        assert f"was begun with another {what}" in ended(start(*MANY, "--resume"), Exit.BAD_INPUT)
        assert checkpoint.read_bytes() == before


def test_a_void_shard_ends_the_sweep(start: Start, tmp_path: Path) -> None:
    """A call that replaces a function of NumPy: exit code 3 says why, and nothing of that shard is kept."""
    errors = ended(start("--implementation", "sweepable/patching"), Exit.HARNESS_FAILED)
    assert "a shard of sweepable is void: NumPy no longer computes the bits that it did" in errors
    assert "Traceback" not in errors
    (checkpoint,) = (tmp_path / "out").iterdir()
    assert checkpoint.name.endswith(".partial.jsonl")
    assert checkpoint.read_bytes().count(b"\n") == 1


def test_what_ends_its_worker_again_and_again_ends_the_sweep(start: Start, tmp_path: Path) -> None:
    """Exit code 3 after a few attempts, with the positions and the signal."""
    errors = ended(start("--implementation", "sweepable/ending"), Exit.HARNESS_FAILED)
    assert "positions 0 to 63488 ended the worker 3 times: the process was ended by SIGKILL" in errors
    assert "--resume goes on from here" in errors
    assert "Traceback" not in errors
    assert not list((tmp_path / "out").glob("*.json"))


@pytest.mark.skipif(not hasattr(os, "openpty"), reason="needs a terminal")
def test_a_terminal_shows_progress_with_rate_and_remaining_time(start: Start) -> None:
    """On standard error, and nothing of it is left when the sweep has ended."""
    ours, theirs = os.openpty()
    process = start(*MANY, stderr=theirs)
    os.close(theirs)
    shown = b""
    with contextlib.suppress(OSError):  # which is how a terminal tells that the other side has gone
        while data := os.read(ours, 1 << 16):
            shown += data
    os.close(ours)
    ended(process)
    text = re.sub(rb"\x1b\[[0-9;?]*[A-Za-z]", b"", shown).decode()
    assert re.search(r"sweepable logits float16 \S+ +\d+% \d+ million results/s \d:\d\d:\d\d", text), text[-2000:]
    assert shown.endswith(b"\x1b[2K")  # which erases the line


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--dtype", "bfloat16"), "no implementation is left"),
        (("--positions", "5:5"), "--positions must lie within"),
        (("--positions", "all"), "--positions must be START:STOP"),
        (("--pairs", "unit", "--label", "0"), "exclude each other"),
        (("--samples", "10"), "--dtype must be one of float64, float32"),
        (("--label", "half"), "a number must be a decimal"),
    ],
)
def test_what_cannot_be_swept_is_bad_input(start: Start, words: tuple[str, ...], message: str) -> None:
    """With a message that names the option, and no traceback."""
    errors = ended(start(*words), Exit.BAD_INPUT)
    assert message in errors
    assert "Traceback" not in errors
