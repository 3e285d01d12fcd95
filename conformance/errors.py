"""Failures that a person can act on.  Exit codes: 0 as expected, 1 not as expected, 2 bad input, 3 harness failure."""

from __future__ import annotations

import difflib
from enum import IntEnum


class Exit(IntEnum):
    """Exit codes of every command."""

    AS_EXPECTED = 0
    NOT_AS_EXPECTED = 1
    BAD_INPUT = 2
    HARNESS_FAILED = 3


class ConformanceError(Exception):
    """Base of the failures below: `message` says what was required, `hint` the next step."""

    code = Exit.BAD_INPUT

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message, hint)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}\n  next: {self.hint}" if self.hint else self.message


class InputError(ConformanceError):
    """A file, an option or a value that the suite cannot take; nothing was run and nothing was written."""


class HarnessError(ConformanceError):
    """The suite itself failed; it says nothing about any implementation."""

    code = Exit.HARNESS_FAILED


def at(file: object, line: int, message: str, hint: str = "") -> InputError:
    """An InputError about line `line` of `file`."""
    return InputError(f"{file}:{line}: {message}", hint)


def did_you_mean(word: str, known: list[str]) -> str:
    """A hint that names up to three of `known` near `word`, or some of them."""
    known = list(dict.fromkeys(known))
    near = difflib.get_close_matches(word, known, n=3, cutoff=0.5)
    return f"did you mean {', '.join(near)}?" if near else f"known are {', '.join(known[:6])}, …"
