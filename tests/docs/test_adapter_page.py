"""docs/adapters.md: its tables name everything that an adapter may say, and its examples do what it says of them."""

from __future__ import annotations

import importlib.util
import inspect
import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from conformance import adapters
from conformance.cli import main

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "adapters.md").read_text(encoding="utf-8")
EXAMPLES = ROOT / "docs" / "examples"

#: An adapter on torch can only be tried where that is.
needs_torch = pytest.mark.skipif(not importlib.util.find_spec("torch"), reason="torch is not installed")


def described(heading: str) -> set[str]:
    """The names in the first column of the tables of a section."""
    section = PAGE.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    cells = re.findall(r"^\| (`[^|]+`) \|", section, re.MULTILINE)
    return {name for cell in cells for name in re.findall(r"`(\w+)", cell)}


def test_the_page_describes_every_argument_of_an_implementation() -> None:
    """An argument that is not described is not used."""
    assert described("What the file holds") == set(inspect.signature(adapters.Implementation).parameters)


def test_the_page_describes_everything_that_a_runtime_may_say() -> None:
    """Methods and attributes alike."""
    assert described("A runtime of your own") == {name for name in vars(adapters.Runtime) if not name.startswith("_")}


@pytest.mark.slow
@pytest.mark.parametrize("name", [pytest.param("my_loss.py", marks=needs_torch), "my_runtime.py"])
def test_an_example_is_accepted(name: str) -> None:
    """By the acceptance test that the page names."""
    done = CliRunner().invoke(main, ["adapters", "check", str(EXAMPLES / name)])
    assert done.exit_code == 0, done.output
    assert f"{name}: accepted" in done.output
    assert f"docs/examples/{name}" in PAGE


@pytest.mark.slow
def test_the_runtime_of_the_example_conforms(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Bits go in and out unchanged, and nothing is found."""
    monkeypatch.chdir(tmp_path)  # where the record of the run is kept
    done = CliRunner().invoke(main, ["run", "--adapter", str(EXAMPLES / "my_runtime.py"), "--backend", "floats"])
    assert done.exit_code == 0, done.output
    assert " 0 recorded, 0 new, 0 fixed" in done.output


def test_an_adapter_takes_a_page() -> None:
    """Whoever must write more than that to be judged will not."""
    assert len((EXAMPLES / "my_loss.py").read_text(encoding="utf-8").splitlines()) <= 60


@needs_torch
@pytest.mark.slow
def test_the_first_example_of_the_page_is_accepted(tmp_path: Path) -> None:
    """The block is a whole file."""
    block = re.search(r"```python\n(import torch\n.*?)```", PAGE, re.DOTALL)
    assert block is not None
    file = tmp_path / "my_loss.py"
    file.write_text(block[1], encoding="utf-8")
    done = CliRunner().invoke(main, ["adapters", "check", str(file)])
    assert done.exit_code == 0, done.output
