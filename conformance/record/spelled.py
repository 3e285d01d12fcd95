"""Every command that the suite tells a reader to type, quoted for a shell, with the options that it needs to work.

What was asked of a run stands in the header of its record, so that a record spells the same commands wherever it is
shown.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from typing import Any

from msgspec import Struct


class Asked(Struct, frozen=True, omit_defaults=True):
    """What was asked for that other commands must be asked for, too, so as to find and see the same.

    `adapters` are files, `python` is BACKEND=INTERPRETER.  `cases` is a folder that is not the default one, `timeout`
    a limit in CPU seconds of one request that is not.  Relative paths are as they were given; absolute ones start at
    the current folder (`.`) or the home folder (`~`) where they lie in it, so that they name no user.
    """

    adapters: tuple[str, ...] = ()
    python: tuple[str, ...] = ()
    device: str | None = None
    cases: str | None = None
    timeout: float | None = None

    @property
    def options(self) -> dict[str, Any]:
        """The options of a command that takes cases from a folder."""
        return {**self.where, "cases": self.cases, "timeout": self.timeout}

    @property
    def where(self) -> dict[str, Any]:
        """The options that lead to the same implementations."""
        return {"adapter": self.adapters, "python": self.python, "device": self.device}


def command(name: str, *words: str, **options: Any) -> str:
    """A command line: words, then options in this order; those that are None or empty are left out, tuples repeated."""
    given = (word for option, value in options.items() for word in _option(option, value))
    return shlex.join(["bce-conformance", name, *words, *given])


def _option(name: str, value: Any) -> Iterator[str]:
    values = value if isinstance(value, tuple) else () if value is None else (value,)
    for one in values:
        text = f"{one:g}" if isinstance(one, float) else str(one)
        yield from (f"--{name}={text}",) if text.startswith("-") else (f"--{name}", text)


def explain(case: str, implementation: str, dtype: str, asked: Asked) -> str:
    """The command that shows a finding again."""
    return command("explain", case, implementation, dtype=dtype, **asked.options)


def bisect(subject: str, implementation: str, quantity: str, dtype: str, good: str, bad: str, asked: Asked) -> str:
    """The command that finds the release between two in which an element changed."""
    ends = {"quantity": quantity, "dtype": dtype, "good": good, "bad": bad}
    where = {"adapter": asked.adapters, "cases": asked.cases, "timeout": asked.timeout}
    return command("bisect", subject, implementation, **ends, **where)


def try_numbers(
    implementations: tuple[str, ...], form: str, prediction: str, label: str, dtype: str, asked: Asked
) -> str:
    """The command that judges one element on some implementations."""
    numbers = {"form": form, "prediction": prediction, "label": label, "dtype": dtype}
    return command("try", **numbers, implementation=implementations, **asked.where)


def sweep(
    *,
    implementations: tuple[str, ...],
    modes: tuple[str, ...],
    quantity: str,
    dtype: str,
    labels: tuple[str, ...],
    pairs: str | None,
    positions: str | None,
    samples: int | None,
    seed: int,
    chunk: int | None,
    asked: Asked,
) -> str:
    """The command that repeats a sweep; how many workers it has, and where, is left to the reader."""
    return command(
        "sweep",
        implementation=implementations,
        mode=modes,
        quantity=quantity if quantity != "value" else None,
        dtype=dtype if dtype != "float32" else None,
        label=labels,
        pairs=pairs,
        positions=positions,
        samples=samples,
        seed=seed if samples else None,
        chunk=chunk,
        **asked.where,
    )
