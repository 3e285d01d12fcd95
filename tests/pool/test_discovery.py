"""What adapters declare: the built-in ones in this process, files in one of their own, for the device of the run."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

import pytest

from conformance.adapters import BUILTIN
from conformance.errors import Exit
from conformance.pool.backend import Backend
from conformance.pool.pool import Pool

ROOT = Path(__file__).parents[2]

TELLS_ITS_PROCESS = """
import os
from conformance.adapters import Adapter, Implementation
adapters = [Adapter("outside", [Implementation("in-%d" % os.getpid(), "logits", max)], backend="numpy")]
"""


def discovered(files: Sequence[Path] = (), **environment: str) -> tuple[Backend, ...]:
    """The backends of a pool whose workers get these variables."""
    with tempfile.TemporaryFile() as log:
        return Pool(log=log, environment=environment).discover(files)


def test_built_in_adapters_declare_without_a_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who lists something waits for no process."""

    def fail(*_: object) -> NoReturn:
        raise AssertionError("a worker is started")

    monkeypatch.setattr("conformance.pool.workers.Worker", fail)
    assert {backend.source for backend in discovered()} == set(BUILTIN)


@pytest.mark.slow
def test_built_in_adapters_declare_here_what_they_declare_in_a_worker() -> None:
    """Where the device is the same."""
    assert discovered() == discovered(BCE_DEVICE="cpu")


@pytest.mark.slow
def test_built_in_adapters_declare_for_the_device_of_the_run() -> None:
    """What this process has declared before, for its own device, does not matter."""
    discovered()
    (torch,) = (backend for backend in discovered(BCE_DEVICE="mps") if backend.name == "torch")
    assert {one.device for one in torch.implementations} == {"mps"}
    assert not [one.id for one in torch.implementations if "float64" in one.dtypes]


def test_an_adapter_file_declares_in_a_process_of_its_own(tmp_path: Path) -> None:
    """It may import anything; of this process it must not become a part."""
    file = tmp_path / "outside.py"
    file.write_text(TELLS_ITS_PROCESS)
    (outside,) = (backend for backend in discovered([file]) if backend.name == "outside")
    assert f"in-{os.getpid()}" not in {one.entry for one in outside.implementations}


def test_a_device_that_there_is_not_in_bce_device_is_bad_input() -> None:
    """By the variable, as by the option."""
    done = subprocess.run(
        [sys.executable, "-m", "conformance", "list", "implementations"],
        cwd=ROOT,
        env=os.environ | {"BCE_DEVICE": "abacus"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (Exit.BAD_INPUT, "")
    assert "BCE_DEVICE must be one of cpu, cuda, mps, tpu (got 'abacus')" in done.stderr
