"""Failures that a person can act on.  Exit codes: 0 as expected, 1 not as expected, 2 bad input, 3 harness failure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum


class Exit(IntEnum):
    """Exit codes of every command."""

    AS_EXPECTED = 0
    NOT_AS_EXPECTED = 1
    BAD_INPUT = 2
    HARNESS_FAILED = 3


@dataclass(frozen=True)
class ConformanceError(Exception):
    """Base of the failures below: what was required, and the next step."""

    message: str
    hint: str = ""
    code = Exit.BAD_INPUT

    def __str__(self) -> str:
        return f"{self.message}\n  next: {self.hint}" if self.hint else self.message


@dataclass(frozen=True)
class InputError(ConformanceError):
    """A file, an option or a value that the suite cannot take; nothing was run and nothing was written."""


@dataclass(frozen=True)
class HarnessError(ConformanceError):
    """The suite itself failed; it says nothing about any implementation."""

    code = Exit.HARNESS_FAILED


def at(file: object, line: int, message: str, hint: str = "") -> InputError:
    """An InputError about line `line` of `file`."""
    return InputError(f"{file}:{line}: {message}", hint)
