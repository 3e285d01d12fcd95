"""The pinned environment: the versions of `constraints.txt` on any x86-64 processor, and a run of it."""

from __future__ import annotations

import platform
import re
from functools import cache
from pathlib import Path

from conformance.shipped import shipped


def constraints_file() -> Path:
    """`constraints.txt` of the checkout, or the copy that the package holds."""
    return shipped("constraints.txt")


def shipped_run() -> Path:
    """The record of a whole run in the pinned environment, of the checkout or the copy that the package holds."""
    return shipped("results/pinned.jsonl.gz")


#: Modules whose distribution has another name.
_DISTRIBUTIONS = {"sklearn": "scikit_learn"}


@cache
def versions() -> dict[str, str]:
    """Pinned version of each module, by its import name."""
    file = constraints_file()
    found: dict[str, str] = {}
    for line in file.read_text(encoding="utf-8").splitlines() if file.is_file() else ():
        name, separator, version = line.partition("#")[0].strip().partition("==")
        if separator:
            found[name.strip().lower().replace("-", "_")] = version.strip()
    return found


def is_pinned(reported: dict[str, str]) -> bool:
    """Whether a backend's versions are the pinned ones; a build (`2.13.0+cpu`, `2026.4.1-22982`) does not count."""
    wanted = versions()
    return (
        platform.machine() in ("x86_64", "AMD64")
        and bool(reported)
        and all(
            wanted.get(_DISTRIBUTIONS.get(name, name)) == re.split("[+-]", version, maxsplit=1)[0]
            for name, version in reported.items()
        )
    )
