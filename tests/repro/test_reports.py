"""reports/: each script and each snippet is run again and shows what its report says, and the index ranks them all."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import pytest
from markdown_it import MarkdownIt

from conformance.known import problem
from conformance.known.problem import LINES, WIDTH, Problem
from conformance.repro import clean

ROOT = Path(__file__).resolve().parents[2]
REPORTS = ROOT / "reports"
PAGES = sorted(REPORTS.glob("*/issue.md"))

#: What scripts may import beside frameworks.
STANDARD = {"sys", "os", "math", "subprocess"}

#: So many reports are read by somebody, and so many of them by the people of one project.
MOST, MOST_OF_A_PROJECT = 60, 12

#: What of a report is run.
KINDS = "script", "snippet"

#: Runs scripts one after the other and prints for each its exit code and its last line, also that of an exception.
DRIVER = """\
import contextlib, io, os, runpy, sys, traceback
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
        out.write(traceback.format_exception_only(error)[-1])
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
    """Reports whose scripts can share an interpreter."""
    found: dict[tuple[str, ...], list[Path]] = {}
    for file in PAGES:
        found.setdefault(surroundings(script_of(file)), []).append(file)
    return list(found.values())


def script_of(page: Path) -> str:
    """The script of a report: the block that exits with what it found."""
    (found,) = (text for language, text in fences(page) if language == "python" and "sys.exit(125)" in text)
    return found


def fences(file: Path) -> list[tuple[str, str]]:
    """Language and content of each block of code of a page."""
    tokens = MarkdownIt().parse(file.read_text())
    return [(token.info, token.content) for token in tokens if token.type == "fence"]


def snippet_of(folder: Path) -> tuple[str, str] | None:
    """The snippet of a report and what it prints, as the report says; None where it has none."""
    found, script = fences(folder / "issue.md"), script_of(folder / "issue.md")
    for (language, text), (after, said) in pairwise(found):
        if language == "python" and text != script:
            assert after == "text", folder.name
            return text, said.strip()
    return None


def problem_of(folder: Path) -> Problem:
    """The problem that a report is about: its folder is named by it, and perhaps by the project."""
    known = problem.load(ROOT / "known")
    return known[max((name for name in known if f"{folder.name}-".startswith(f"{name}-")), key=len)]


def test_there_are_reports_and_no_more_than_are_read() -> None:
    """A folder that is not there would pass every other test of this file."""
    assert 20 < len(PAGES) <= MOST


def test_no_project_is_to_get_more_new_reports_than_it_can_answer() -> None:
    """The rows of the index under the heading File, by project."""
    table = (REPORTS / "README.md").read_text().partition("## File")[2].partition("\n## ")[0]
    projects = re.findall(r"^\| \d+ \| \[.*?/issue\.md\) \| ([^|]+) \|", table, re.MULTILINE)
    assert projects
    assert max(map(projects.count, projects)) <= MOST_OF_A_PROJECT


class Said(NamedTuple):
    """What was printed for a group of reports: by folder the line of its script and of its snippet, and the errors."""

    scripts: dict[str, str]
    snippets: dict[str, str]
    errors: str


@pytest.fixture(scope="module", params=groups(), ids=lambda files: f"{files[0].parent.name}+{len(files) - 1}")
def said(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Said:
    """What scripts, and then snippets, of one framework print in one interpreter, since to import it takes seconds."""
    home, folders = tmp_path_factory.mktemp("reports"), [file.parent for file in request.param]
    texts = {("script", folder.name): script_of(folder / "issue.md") for folder in folders}
    for folder in folders:
        short = snippet_of(folder)
        if short is not None and not short[1].startswith("the process ends"):
            texts["snippet", folder.name] = short[0]
    files = [home / f"{kind}-{name}.py" for kind, name in texts]
    for file, text in zip(files, texts.values(), strict=True):
        file.write_text(text)
    command = [sys.executable, "-I", "-X", "utf8", "-c", DRIVER, *map(str, files)]
    done = subprocess.run(
        command, capture_output=True, text=True, cwd=home, env=clean.environment(home), timeout=600, check=False
    )
    lines = [line for line in done.stdout.splitlines() if line.startswith("script ")]
    found = dict.fromkeys(texts, "") | dict(zip(texts, lines, strict=False))
    scripts, snippets = ({name: line for (of, name), line in found.items() if of == kind} for kind in KINDS)
    return Said(scripts, snippets, done.stderr[-2000:])


@pytest.mark.slow
def test_every_script_still_shows_its_mismatch(said: Said) -> None:
    """Each exits with 1, and its last line is the one in its report."""
    assert {name: line[:18] for name, line in said.scripts.items()} == dict.fromkeys(
        said.scripts, f"script {clean.MISMATCH} MISMATCH:"
    ), said.errors
    for name, line in said.scripts.items():
        assert line.removeprefix(f"script {clean.MISMATCH} ") in (REPORTS / name / "issue.md").read_text()


@pytest.mark.slow
def test_a_snippet_prints_what_its_report_says(said: Said) -> None:
    """The last line of it; at most five lines have to be read for that."""
    for name, line in said.snippets.items():
        short = snippet_of(REPORTS / name)
        assert short is not None
        assert len(short[0].splitlines()) <= LINES
        assert max(map(len, short[0].splitlines())) <= WIDTH
        assert line.split(" ", 2)[2:] == [short[1].splitlines()[-1]], said.errors


@pytest.mark.slow
def test_a_script_shows_it_in_a_clean_interpreter() -> None:
    """One script of each framework's own: as `repro` itself runs them before it writes them."""
    tried = {}
    for file in PAGES:
        only = imported(script_of(file)) - STANDARD
        if len(only) == 1:
            tried.setdefault(only.pop(), file)
    assert tried
    for file in tried.values():
        ran = clean.run(script_of(file), sys.executable, 300)
        assert ran.shows, (file, ran)


@pytest.mark.parametrize("file", PAGES, ids=lambda file: file.parent.name)
def test_a_script_is_short_and_knows_nothing_of_the_suite(file: Path) -> None:
    """At most 40 lines, and neither the suite nor its reference is imported; NumPy only where it is the framework."""
    text = script_of(file)
    found = imported(text) - STANDARD
    assert len(text.splitlines()) <= 40
    assert not found & {"conformance", "reference"}
    assert "numpy" not in found or found & {"keras", "scipy", "sklearn"} or found <= {"numpy", "ml_dtypes"}


@pytest.mark.parametrize("file", PAGES, ids=lambda file: file.parent.name)
def test_a_report_says_what_its_script_printed(file: Path) -> None:
    """Another block is its output, which says that it does not match; forms differ in what comes first."""
    script = script_of(file)
    assert any("MISMATCH: " in content for _, content in fences(file) if content != script)


@pytest.mark.parametrize("file", PAGES, ids=lambda file: file.parent.name)
def test_a_report_is_about_its_problem(file: Path) -> None:
    """Its title is that of the problem, and what diagnosis found happens is what the problem says that happens."""
    known, text = problem_of(file.parent), file.read_text()
    words = re.sub(r"\\(.)", r"\1", text.splitlines()[0])
    assert words.removeprefix("# ").removeprefix("BUG: ") == re.sub(r"\\(.)", r"\1", known.title)
    found = re.search(r"^Found by evaluating .* \(([^()]+)\)\. So rounded it gives", text, re.MULTILINE)
    assert found is not None or "was not checked by running" in text
    assert found is None or not known.mechanism or found[1] in known.mechanism


@pytest.mark.parametrize("file", PAGES, ids=lambda file: file.parent.name)
def test_a_report_leaves_a_place_for_a_person_and_says_what_is_known(file: Path) -> None:
    """Nobody is to post it unread; every link of the problem stands there with its state and the day it was seen."""
    text = file.read_text()
    assert "**In my own words:** TODO" in text
    assert "not to be posted in bulk" in text
    for link in problem_of(file.parent).links:
        assert re.search(rf"- <{re.escape(link.url)}> \({link.state}.*, seen {link.seen}\)", text)


@pytest.mark.parametrize(
    ("expected", "done"),
    [
        ("An exception: a result for these inputs has no meaning.", "pass in silence"),
        ("A result or an exception, and a process that goes on.", "the process ends"),
    ],
)
def test_what_is_no_wrong_number_is_told_for_what_it_does(expected: str, done: str) -> None:
    """Training does not stop where a label of 2 is accepted, and no digit is lost where a process ends."""
    pages = [text for text in map(Path.read_text, PAGES) if f"\n{expected}" in text]
    assert pages
    for text in pages:
        assert done in text.partition("\nWhat that does: ")[2].partition("\n")[0]


def test_the_index_names_every_report_and_no_other() -> None:
    """Each folder once."""
    named = re.findall(r"\]\(([^/)]+)/issue\.md\)", (REPORTS / "README.md").read_text())
    assert sorted(named) == [file.parent.name for file in PAGES]


def test_what_is_told_first_heads_the_index_with_its_reason() -> None:
    """A silent wrong sign at the logits of a new layer is not to be found in the fifth row."""
    page = re.sub(r"\\(.)", r"\1", (REPORTS / "README.md").read_text())
    urgent = {name: one.first for name, one in problem.load(ROOT / "known").items() if one.first is not None}
    assert urgent
    order = re.findall(r"\]\(([^/)]+)/issue\.md\)", page)[: len(urgent)]
    assert sorted(order) == sorted(urgent)
    for number, name in enumerate(order, 1):
        assert f"\n{number}. {' '.join(str(urgent[name]).split())}\n" in page


def test_every_problem_is_in_the_index() -> None:
    """With a folder, a reason why it has no script, or a reason to leave it; nothing else has a folder."""
    page = (REPORTS / "README.md").read_text()
    plain = re.sub(r"\\(.)", r"\1", page)
    left = re.findall(r"\]\(\.\./known/(.+?)\.yaml\)", page)
    known = problem.load(ROOT / "known")
    assert sorted(left) == sorted(name for name, one in known.items() if one.advice == "noise")
    reported = {problem_of(file.parent).id for file in PAGES}
    without = plain.partition("## Without a script")[2].partition("\n## ")[0]
    for name, one in known.items():
        if one.advice != "noise" and name not in reported:
            assert one.title in without, name
    assert not reported & set(left)
