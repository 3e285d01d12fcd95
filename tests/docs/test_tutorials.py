"""The tutorials, word for word: their commands run in order in a clone, and print what the page shows.

A block of ```console holds commands after `$ ` (`> ` goes on with one) and below each what it prints.  `...` stands for
anything on a line, and for any number of lines where it is a line of its own.  A command succeeds unless `$ echo $?`
follows.  A block below a comment `not run by the tests: REASON` is shown only.
"""

from __future__ import annotations

import importlib.metadata
import os
import re
import shlex
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from conformance.run import pinned

ROOT = Path(__file__).resolve().parents[2]

TUTORIALS = sorted((ROOT / "docs").glob("tutorial-*.md"))

BLOCK = re.compile(r"(?:<!-- not run by the tests: (.+?) -->\n\n)?^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)

ENDED = "-- ended with"


@dataclass(frozen=True)
class Step:
    """A command, and what the page says that it prints."""

    command: str
    shown: tuple[str, ...]

    def matches(self, printed: str) -> bool:
        """Whether the printed lines are the shown ones, blanks at their ends aside."""
        lines = "".join(f"{line.rstrip()}\n" for line in printed.splitlines())
        pattern = "".join(r"(?:.*\n)*?" if line == "..." else f"{_line(line)}\n" for line in self.shown)
        return re.fullmatch(pattern, lines) is not None


def _line(shown: str) -> str:
    return ".*".join(re.escape(part) for part in shown.rstrip().split("..."))


def steps(page: str) -> list[Step]:
    """The commands of a page that the tests run."""
    found: list[Step] = []
    for reason, block in BLOCK.findall(page):
        for line in () if reason else block.splitlines():
            if line.startswith("$ "):
                found.append(Step(line[2:], ()))
            elif line == ">" or line.startswith("> "):
                found[-1] = replace(found[-1], command=f"{found[-1].command}\n{line[2:]}")
            else:
                found[-1] = replace(found[-1], shown=(*found[-1].shown, line))
    return found


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A folder like a clone in which `make install` has been made before: its .venv is the tests' own interpreter.

    Nothing is copied: the commands of the tutorials write beside what a clone holds, and not into it.
    """
    for item in ROOT.iterdir():
        if not item.name.startswith(".") and item.name != "build":
            (tmp_path / item.name).symlink_to(item)
    folder = tmp_path / ".venv" / "bin"
    folder.mkdir(parents=True)
    python = f'exec {shlex.quote(sys.executable)} "$@"\n'
    entry = "from conformance.cli import main; main(prog_name='bce-conformance')"
    scripts = {"python": python, "bce-conformance": python.replace('"$@"', f'-c {shlex.quote(entry)} "$@"')}
    for name, text in scripts.items():
        (folder / name).write_text(f"#!/bin/sh\n{text}")
        (folder / name).chmod(0o755)
    (folder / "activate").write_text(f"PATH={shlex.quote(str(folder))}:$PATH\n")
    (tmp_path / ".venv" / "installed").touch()
    return tmp_path


def run(commands: list[str], folder: Path) -> list[tuple[str, int]]:
    """Output and exit code of each command, all run by one shell."""
    lines = [f"{one}\n_code=$?; printf '%s %d\\n' '{ENDED}' $_code; (exit $_code)" for one in commands]
    (folder / "commands.sh").write_text("\n".join(lines) + "\n")
    surroundings = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "MAKEFLAGS")}
    done = subprocess.run(
        ["bash", "--norc", "commands.sh"],
        cwd=folder,
        env=surroundings | {"PYTHONPATH": str(ROOT)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=600,
        check=False,
    )
    found = re.findall(rf"(.*?){ENDED} (\d+)\n", done.stdout, re.DOTALL)
    return [(printed, int(code)) for printed, code in found]


def pinned_torch() -> bool:
    """Whether the installed torch is the one whose results the tutorials show."""
    try:
        return pinned.is_pinned({"torch": importlib.metadata.version("torch")})
    except importlib.metadata.PackageNotFoundError:
        return False


def test_there_is_a_tutorial_for_each_kind_of_reader() -> None:
    """One who upgrades, one who chooses, one who reports."""
    assert [page.stem for page in TUTORIALS] == ["tutorial-choose", "tutorial-report", "tutorial-upgrade"]


@pytest.mark.parametrize("page", TUTORIALS, ids=lambda page: page.stem)
def test_most_of_a_tutorial_is_run(page: Path) -> None:
    """What the tests leave out says why, and is the smaller part."""
    reasons = [reason for reason, _ in BLOCK.findall(page.read_text(encoding="utf-8")) if reason]
    assert len(reasons) <= 2
    assert len(steps(page.read_text(encoding="utf-8"))) >= 6


@pytest.mark.slow
@pytest.mark.skipif(not pinned_torch(), reason="the tutorials show the pinned version of torch")
@pytest.mark.parametrize("page", TUTORIALS, ids=lambda page: page.stem)
def test_a_tutorial_does_what_it_says(page: Path, clone: Path) -> None:
    """Every command ends with the exit code that the page implies, and prints what the page shows."""
    todo = steps(page.read_text(encoding="utf-8"))
    results = run([step.command for step in todo], clone)
    assert len(results) == len(todo), f"the shell ended at: {todo[len(results)].command}"
    for index, (step, (printed, code)) in enumerate(zip(todo, results, strict=True)):
        told = index + 1 < len(todo) and todo[index + 1].command == "echo $?"
        assert told or code == 0, f"$ {step.command}\n{printed}ended with {code}"
        assert step.matches(printed), f"$ {step.command}\nshown:\n" + "\n".join(step.shown) + f"\nprinted:\n{printed}"


def test_a_block_is_taken_apart_into_commands_and_what_they_print() -> None:
    """Commands of several lines, output of several lines, and blocks that are shown only."""
    page = "```console\n$ one\n> two\n>\n> three\na\n\nb\n$ four\n```\n"
    assert steps(page) == [Step("one\ntwo\n\nthree", ("a", "", "b")), Step("four", ())]
    assert steps(f"<!-- not run by the tests: no network -->\n\n{page}") == []
    assert steps(page.replace("console", "python")) == []


@pytest.mark.parametrize(
    ("shown", "printed", "matches"),
    [
        (("a",), "a\n", True),
        (("a",), "b\n", False),
        (("a",), "a\nb\n", False),
        ((), "a\n", False),
        (("a", "...", "z"), "a\nb\nc\nz\n", True),
        (("a", "...", "z"), "a\nz\n", True),
        (("a", "...", "z"), "a\nb\n", False),
        (("a ... c",), "a bb c   \n", True),
        (("a ... c",), "a b\nc\n", False),
        (("a.c",), "abc\n", False),
    ],
)
def test_shown_output_is_compared_line_by_line(shown: tuple[str, ...], printed: str, matches: bool) -> None:
    """Nothing but `...` stands for anything else."""
    assert Step("command", shown).matches(printed) is matches
