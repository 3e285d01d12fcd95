"""Characters that a terminal or a document does not take."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from pathlib import Path

import pytest

from conformance.render.characters import ASCII, SPELLED, clean, spell_out

RECORD = Path(__file__).parents[1] / "data" / "record-schema-3.jsonl"


def test_what_a_stream_cannot_write_is_spelled_out() -> None:
    """In the words of ASCII where there are some; the rest is a question mark, and nothing raises."""
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    spell_out((stream, object()))
    assert stream.errors == SPELLED
    stream.write("✗ a·b … 損")
    stream.flush()
    assert stream.buffer.getvalue() == b"x a*b ... ?"


def test_what_is_spelled_out_is_ascii() -> None:
    """A word that could not be written either would raise again."""
    assert all(word.isascii() for word in ASCII.values())


@pytest.mark.parametrize("text", ["\x1b[31m", "\x9b31m", "\x7f", "\x00"])
def test_what_a_terminal_would_obey_is_replaced(text: str) -> None:
    """Of both sets of controls of ISO 6429."""
    assert clean(text).startswith("\N{REPLACEMENT CHARACTER}")


def test_a_command_writes_to_a_terminal_without_utf_8() -> None:
    """As a log of a scheduler or an old console is."""
    done = subprocess.run(
        [sys.executable, "-m", "conformance", "show", str(RECORD)],
        env=os.environ | {"PYTHONIOENCODING": "ascii"},
        capture_output=True,
        check=False,
        timeout=100,
    )
    assert done.returncode == 0, done.stderr
    assert b" implementations * " in done.stdout
