"""`bce-conformance --help` and what else is answered before a command is imported."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.shell_completion import ShellComplete
from click.testing import CliRunner

from conformance.cli import main
from conformance.commands import COMMANDS, SECTIONS

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
