"""A user's project with one test file, and a pytest session in it."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


def session(folder: Path, source: str, *needed: str) -> tuple[dict[str, str], str]:
    """Outcomes by test, and the output, of a pytest session in a project that holds one file."""
    for name in needed:
        if importlib.util.find_spec(name) is None:
            pytest.skip(f"needs {name}")
    (folder / "test_own.py").write_text(source)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-rA", "-p", "no:cacheprovider", "test_own.py"],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    outcomes = {
        name: word for word, name in re.findall(r"^(PASSED|FAILED|ERROR) \S+::(\w+)", done.stdout, re.MULTILINE)
    }
    return outcomes, done.stdout + done.stderr
