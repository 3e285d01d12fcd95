"""`bce-conformance --help` and what else is answered before a command is imported."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from fnmatch import fnmatchcase
from pathlib import Path

import click
import pytest
from click.shell_completion import ShellComplete
from click.testing import CliRunner

from conformance.cli import main
from conformance.commands import COMMANDS, EXAMPLES, GROUPS, SECTIONS, examples
from conformance.versions import companions

ROOT = Path(__file__).parents[2]

#: What every command needs and the list of commands does not.
HEAVY = ("numpy", "msgspec", "yaml", "rich", "conformance.plan.plan")

REPORT = f"""
import atexit, sys
atexit.register(lambda: print("imported:", *(name for name in {HEAVY!r} if name in sys.modules)))
from conformance.cli import main
main(prog_name="bce-conformance")
"""


def answered(*words: str, **variables: str) -> str:
    """What the command prints, with a last line of the heavy modules that it has imported."""
    done = subprocess.run(
        [sys.executable, "-c", REPORT, *words],
        cwd=ROOT,
        env=os.environ | variables,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == ""
    return done.stdout


def completions(words: list[str], incomplete: str) -> list[str]:
    """What a shell offers after `words`."""
    completer = ShellComplete(main, {}, "bce-conformance", "_BCE_CONFORMANCE_COMPLETE")
    return [item.value for item in completer.get_completions(words, incomplete)]


@pytest.mark.parametrize("word", ["--help", "-h", "--version"])
def test_help_and_version_import_no_command(word: str) -> None:
    """Who asks what there is should not wait for NumPy."""
    assert answered(word).endswith("\nimported:\n")


def test_completing_a_name_imports_no_command() -> None:
    """Nor should who presses the tabulator."""
    variables = {"_BCE_CONFORMANCE_COMPLETE": "bash_complete", "COMP_WORDS": "bce-conformance ma", "COMP_CWORD": "1"}
    assert answered(**variables) == "plain,matrix\nimported:\n"


def test_a_command_that_is_called_is_seen_to_be_imported() -> None:
    """The two tests above would see it."""
    assert "imported: numpy" in answered("list", "--help")


@pytest.mark.parametrize("name", COMMANDS)
def test_the_summary_of_a_command_is_the_first_sentence_of_its_help(name: str) -> None:
    """The list of commands cannot say anything else than the command."""
    command = COMMANDS[name].load()
    assert command.name == name
    assert command.get_short_help_str(limit=1000) == COMMANDS[name].summary


def test_help_lists_every_command_once_under_its_section() -> None:
    """In the order of the sections, with names in one column."""
    lines = CliRunner().invoke(main, ["--help"]).output.splitlines()
    after = lines[lines.index("Start here:") :]
    shown = [line.split()[0] for line in after if line.startswith("  ") and line[2] != " "]
    assert shown == list(COMMANDS)
    assert [line.rstrip(":") for line in after if line.endswith(":")] == list(SECTIONS)


def test_names_and_options_are_completed() -> None:
    """Of the group, and of a command, which is then imported."""
    assert completions([], "s") == ["show", "sweep", "schema"]
    assert completions([], "--v") == ["--version"]
    assert completions(["list"], "impl") == ["implementations"]
    assert "--dtype" in completions(["run"], "--d")


def test_ids_of_cases_elements_and_implementations_are_completed() -> None:
    """Wherever one is asked for; of a case its elements follow a `#`, of an entry point its modes a slash."""
    assert completions(["run", "--case"], "question/") == completions(["explain"], "question/")
    assert "question/soft-extreme" in completions(["explain"], "question/s")
    assert completions(["bisect"], "question/soft-extreme#p0") == ["question/soft-extreme#p0-half"]
    assert completions(["explain", "question/hard"], "torch/nn.BCEL") == ["torch/nn.BCELoss"]
    assert "torch/nn.BCELoss/eager/cpu" in completions(["run", "--implementation"], "torch/nn.BCELoss/e")
    assert completions(["run", "--backend"], "tenso") == ["tensorflow"]


def test_kept_runs_are_completed_by_their_numbers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beside files; where nothing is kept there are files alone."""
    monkeypatch.chdir(tmp_path)
    assert completions(["diff"], "") == [""]
    done = CliRunner().invoke(main, ["run", "--backend", "numpy", "--case", "hard-labels", "--no-sample"])
    assert done.exit_code == 0, done.output
    assert completions(["diff"], "") == ["1", "last", "largest", ""]


def commands() -> list[list[str]]:
    """Every command that does something, by its name and those of the groups above it."""
    found = []
    for name, entry in COMMANDS.items():
        command = entry.load()
        found += [[name, below] for below in command.commands] if isinstance(command, click.Group) else [[name]]
    return found


@pytest.mark.parametrize("names", commands(), ids=" ".join)
def test_the_help_of_a_command_ends_with_an_example_of_it(names: list[str]) -> None:
    """In one line, which can be copied however wide the terminal is."""
    for width in (40, 120):
        done = CliRunner().invoke(main, [*names, "--help"], terminal_width=width)
        shown = done.output.split("\nExamples:\n")[1].splitlines()
        assert shown == [f"  {line}" for line in examples(names)] != []


@pytest.mark.parametrize("line", EXAMPLES.read_text(encoding="utf-8").splitlines())
def test_an_example_is_understood(line: str) -> None:
    """All its options are there, with values that they take, and the cases, backends and implementations exist."""
    program, name, *words = shlex.split(line)
    assert program == "bce-conformance"
    command = COMMANDS[name].load()
    if isinstance(command, click.Group):
        command, words = command.commands[words[0]], words[1:]
    # What a run that is kept is called is looked up while the words are parsed.
    context = command.make_context(name, ["run.jsonl" if word.isdecimal() else word for word in words])
    known = {
        "case_patterns": [*completions(["run", "--case"], ""), "hard-labels"],
        "implementation": completions(["run", "--implementation"], ""),
        "backend": [*companions.known().backends, "mine"],
    }
    for kind, names in known.items():
        given = context.params.get(kind) or ()
        for word in (given,) if isinstance(given, str) else given:
            assert any(fnmatchcase(one, word) or fnmatchcase(f"{one}/", word) for one in names), word


def test_many_options_are_told_by_what_they_are_about() -> None:
    """None twice, and none left out."""
    for name, entry in COMMANDS.items():
        command = entry.load()
        output = CliRunner().invoke(main, [name, "--help"]).output
        shown = re.findall(r"^  (?:-\w, )?(--[a-z-]+)", output, re.MULTILINE)
        options = [one for one in command.get_params(click.Context(command)) if isinstance(one, click.Option)]
        names = {max(one.opts, key=len) for one in options} | {"--help"}
        assert (set(shown), len(shown)) == (names, len(names))
    sections = re.findall(r"^(\w.*):$", CliRunner().invoke(main, ["run", "--help"]).output, re.MULTILINE)
    assert sections == [*GROUPS, "Options", "Examples"]
