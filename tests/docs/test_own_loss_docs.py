"""docs/own-loss.md and docs/nightly.md do what they say."""

from __future__ import annotations

import ast
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from conformance.errors import Exit
from conformance.record import record
from tests.projects import session

ROOT = Path(__file__).parents[2]
OWN_LOSS = (ROOT / "docs" / "own-loss.md").read_text(encoding="utf-8")
#: The page up to the losses that `tests/own_loss/test_published.py` runs.
TUTORIAL = OWN_LOSS.partition("## Losses as people have them")[0]
EXAMPLE = (ROOT / "docs" / "examples" / "test_my_loss.py").read_text(encoding="utf-8")
WORKFLOW = (ROOT / "docs" / "examples" / "nightly.yml").read_text(encoding="utf-8")


def blocks(text: str, language: str) -> list[str]:
    """The fenced blocks of a Markdown text in a language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def functions(source: str) -> dict[str, str]:
    """The functions of a module by name, without their docstrings."""
    found = {}
    for node in ast.parse(source).body:
        if isinstance(node, ast.FunctionDef):
            documented = ast.get_docstring(node) is not None
            node.body = node.body[1:] if documented else node.body
            found[node.name] = ast.unparse(node)
    return found


@pytest.mark.slow
def test_the_tutorial_fails_and_passes_where_it_says_so(tmp_path: Path) -> None:
    """Its code is run as it stands, and its output is part of what is printed."""
    outcomes, output = session(tmp_path, "\n".join(blocks(TUTORIAL, "python")), "torch")
    assert outcomes == {
        "test_first_try": "FAILED",
        "test_my_loss": "PASSED",
        "test_first_try_where_it_is_used": "PASSED",
    }, output
    (shown,) = blocks(TUTORIAL, "text")
    for line in filter(None, map(str.strip, shown.splitlines())):
        assert line in output


def test_the_example_is_the_code_of_the_tutorial() -> None:
    """The file and the page do not drift apart."""
    told = functions("\n".join(blocks(TUTORIAL, "python")))
    assert functions(EXAMPLE) == {name: code for name, code in told.items() if name != "test_first_try"}


def test_every_argument_of_the_api_is_explained() -> None:
    """The tables name each of them."""
    from conformance.own_loss import api

    arguments = {*api.measure.__kwdefaults__, "form", "backend", "allow", *api.Declared.__annotations__}
    assert arguments == {name for name in arguments if f"`{name}`" in OWN_LOSS}


def steps() -> list[dict[str, Any]]:
    """The steps of the workflow's job."""
    (job,) = yaml.safe_load(WORKFLOW)["jobs"].values()
    found: list[dict[str, Any]] = job["steps"]
    return found


def test_the_workflow_has_at_most_15_lines_and_stands_in_the_page() -> None:
    """What is documented is short, and is the file."""
    assert len(WORKFLOW.splitlines()) <= 15
    assert WORKFLOW in blocks((ROOT / "docs" / "nightly.md").read_text(encoding="utf-8"), "yaml")


def test_the_workflow_installs_the_suite_before_the_nightly_build_and_no_other_framework() -> None:
    """A later installation of the suite could replace the build that is to be tested."""
    installed = [step["run"] for step in steps() if step.get("run", "").startswith("pip install")]
    assert installed[0] == "pip install ."
    assert [shlex.split(command)[2:4] for command in installed[1:]] == [["--pre", "torch"]]


@pytest.mark.slow
def test_the_workflow_runs_a_command_that_there_is(tmp_path: Path) -> None:
    """Its command, narrowed to one case, runs the one backend and writes the file that is uploaded."""
    (command,) = [step["run"] for step in steps() if "bce-conformance" in step.get("run", "")]
    _, *words = shlex.split(command)
    done = subprocess.run(
        [sys.executable, "-m", "conformance", *words, "--case", "hard-labels/logits", "--dtype", "float32"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    if "absent" in done.stderr:
        pytest.skip("needs torch")
    assert done.returncode == Exit.AS_EXPECTED, done.stdout + done.stderr
    (upload,) = [step["with"]["path"] for step in steps() if "upload" in step.get("uses", "")]
    assert [line.name for line in record.read(tmp_path / upload).header.backends] == ["torch"]
