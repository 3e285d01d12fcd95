"""Compiled, exported, vectorized and other modes of every backend, on the families that the question is about."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

FAMILIES = ("hard-labels/*", "out-of-range-labels/*", "extreme-predictions/*", "special-values/*")


@pytest.mark.slow
def test_every_mode_does_what_is_recorded_of_it() -> None:
    """pytest itself judges plain calls; here the other modes are held against the record, in one dtype."""
    words = [word for family in FAMILIES for word in ("--case", family)]
    command = [sys.executable, "-m", "conformance", "run", "--mode", "*", "--dtype", "float32", *words]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=900, check=False)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr
    assert " 0 not run" in done.stdout
