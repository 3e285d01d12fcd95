"""The scripts of reports/: each is run again where its framework is installed, and shows what its report says."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest
from markdown_it import MarkdownIt

from conformance.known import deviations
from conformance.record import record
from conformance.repro import clean, finding
from conformance.run import pinned

ROOT = Path(__file__).resolve().parents[2]
REPORTS = ROOT / "reports"
SCRIPTS = sorted(REPORTS.glob("*/repro.py"))

#: What scripts may import beside frameworks.
STANDARD = {"sys", "os", "math", "subprocess"}

#: Runs scripts one after the other and prints for each its exit code and its last line.
DRIVER = """\
import contextlib, io, os, runpy, sys
files = sys.argv[1:]
for file in files:
    out, code, sys.argv = io.StringIO(), "none", [file]
    try:
        with contextlib.redirect_stdout(out):
            runpy.run_path(file, run_name="__main__")
        code = 0
    except SystemExit as end:
        code = end.code
    except BaseException as error:
        out.write(f"{type(error).__name__}: {error}")
    print("script", code, (out.getvalue().strip().splitlines() or [""])[-1])
"""


def imported(text: str) -> set[str]:
    """The top modules that a script imports anywhere."""
    return {
        alias.name.split(".")[0]
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Import)
        for alias in node.names
    }


def surroundings(text: str) -> tuple[str, ...]:
    """What scripts that can share an interpreter have in common: the switches, and the framework that comes first.

    What else they import adds to it and changes nothing of it.
    """
    modules = re.findall(r"^import (\S+)", text, re.MULTILINE)
    switches = re.findall(r"^(?:os\.environ|jax\.config).*", text, re.MULTILINE)
    return next(name for name in modules if name not in STANDARD), *switches


def groups() -> list[list[Path]]:
    """Scripts that can share an interpreter."""
    found: dict[tuple[str, ...], list[Path]] = {}
    for file in SCRIPTS:
        found.setdefault(surroundings(file.read_text()), []).append(file)
    return list(found.values())


def test_there_are_reports() -> None:
    """A folder that is not there would pass every other test of this file."""
    assert len(SCRIPTS) > 50


@pytest.mark.slow
@pytest.mark.parametrize("files", groups(), ids=lambda files: f"{files[0].parent.name}+{len(files) - 1}")
def test_every_script_still_shows_its_mismatch(files: list[Path], tmp_path: Path) -> None:
    """Each exits with 1, and its last line is the one in its report.

    Those of one framework share an interpreter, since to import one takes seconds.
    """
    command = [sys.executable, "-I", "-X", "utf8", "-c", DRIVER, *map(str, files)]
    done = subprocess.run(
        command, capture_output=True, text=True, cwd=tmp_path, env=clean.environment(tmp_path), timeout=600, check=False
    )
    lines = [line for line in done.stdout.splitlines() if line.startswith("script ")]
    said = {file.parent.name: line for file, line in zip(files, lines, strict=False)}
    assert {name: line[:18] for name, line in said.items()} == {
        file.parent.name: f"script {clean.MISMATCH} MISMATCH:" for file in files
    }, done.stderr[-2000:]
    for file in files:
        assert (
            said[file.parent.name].removeprefix(f"script {clean.MISMATCH} ") in (file.parent / "issue.md").read_text()
        )


@pytest.mark.slow
def test_a_script_shows_it_in_a_clean_interpreter() -> None:
    """One script of each framework's own: as `repro` itself runs them before it writes them."""
    tried = {}
    for file in SCRIPTS:
        only = imported(file.read_text()) - STANDARD
        if len(only) == 1:
            tried.setdefault(only.pop(), file)
    assert tried
    for file in tried.values():
        ran = clean.run(file.read_text(), sys.executable, 300)
        assert ran.shows, (file, ran)


@pytest.mark.parametrize("file", SCRIPTS, ids=lambda file: file.parent.name)
def test_a_script_is_short_and_knows_nothing_of_the_suite(file: Path) -> None:
    """At most 40 lines, and neither the suite nor its reference is imported; NumPy only where it is the framework."""
    text = file.read_text()
    found = imported(text) - STANDARD
    assert len(text.splitlines()) <= 40
    assert not found & {"conformance", "reference"}
    assert "numpy" not in found or found & {"keras", "scipy", "sklearn"} or found <= {"numpy", "ml_dtypes"}


@pytest.mark.parametrize("file", SCRIPTS, ids=lambda file: file.parent.name)
def test_a_report_holds_its_script(file: Path) -> None:
    """As a block of code, whole."""
    tokens = MarkdownIt().parse((file.parent / "issue.md").read_text())
    assert file.read_text() in [token.content for token in tokens if token.type == "fence"]


def test_the_index_names_every_report_and_no_other() -> None:
    """Each folder once, with the script and the report in it."""
    named = re.findall(r"\]\(([^/)]+)/repro\.py\)", (REPORTS / "README.md").read_text())
    assert sorted(named) == [file.parent.name for file in SCRIPTS]


def test_every_recorded_bug_is_in_the_index_with_a_script_or_a_reason() -> None:
    """Of the bugs that the shipped run shows none is forgotten; what has no script is in the list of those without."""
    page = (REPORTS / "README.md").read_text()
    listed = {match[1]: match[2] for match in re.finditer(r"^### (.+)\n\n((?:- `.+`\n)+)", page, re.MULTILINE)}
    causes = {cause for group in listed.values() for cause in re.findall(r"^- `(.+)`$", group, re.MULTILINE)}
    without = re.findall(r"^\| `(.+?)` \|.*\| [^|]+ \|$", page.partition("## Without a script")[2], re.MULTILINE)
    scripts = {file.parent.name for file in SCRIPTS}
    bugs = {one.id for one in deviations.load([ROOT / "deviations"]).deviations if one.kind == "bug"}
    shown = {one.cause for one in finding.seen(record.read(pinned.shipped_run()))}
    assert causes <= bugs
    assert bugs & shown <= causes
    assert {name for name, group in listed.items() if name not in scripts} == {
        name for name, group in listed.items() if any(f"`{cause}`" in group for cause in without)
    }
