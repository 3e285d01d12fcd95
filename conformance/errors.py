"""Failures that a person can act on.  Exit codes: 0 as expected, 1 not as expected, 2 bad input, 3 harness failure."""

from __future__ import annotations

import difflib
from collections.abc import Collection
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


#: What others call the same: formats by their width, a form in the singular.
SPOKEN = {
    "fp64": "float64",
    "f64": "float64",
    "double": "float64",
    "fp32": "float32",
    "f32": "float32",
    "float": "float32",
    "fp16": "float16",
    "f16": "float16",
    "half": "float16",
    "bf16": "bfloat16",
    "logit": "logits",
    "probability": "probabilities",
    "prob": "probabilities",
    "probs": "probabilities",
}


def understood(word: str, known: Collection[str]) -> str:
    """What is meant by a word: itself, or what it is called here where only that is among the `known`."""
    return word if word in known else meant if (meant := SPOKEN.get(word.lower(), "")) in known else word


def did_you_mean(word: str, known: list[str], most: int = 6) -> str:
    """A hint that names up to three of `known` near `word`, or `most` of them.

    Near is also what has the word in a part of its name, as torch/nn.BCELoss has `bce`.
    """
    known = list(dict.fromkeys(known))
    lower = {name.lower(): name for name in known}
    wanted = understood(word, known).lower()
    near = [lower[name] for name in difflib.get_close_matches(wanted, lower, n=3, cutoff=0.5)]
    near = near or [name for name in known if _within(wanted, name.lower())][:3]
    if near:
        return f"did you mean {', '.join(near)}?"
    return f"known are {', '.join(known[:most])}{', …' if len(known) > most else ''}"


def _within(word: str, name: str) -> bool:
    """Whether every part of a word, between slashes, begins a part of a name or stands in it."""
    return all(any(part in other for other in name.split("/")) for part in word.split("/"))
