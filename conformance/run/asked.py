"""What a run is asked for, out of the words of a command line or of pytest's: files, limits, names.

Each raises InputError, which names the option, where its words mean nothing.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from conformance.adapters.declaration import BASE_MODE, Declaration
from conformance.errors import InputError, did_you_mean
from conformance.pool import usage

#: A size of memory: a number and its unit.
SIZE = re.compile(r"(\d+(?:\.\d+)?) ?(MB|GB)", re.IGNORECASE)
UNITS = {"MB": usage.MEGABYTE, "GB": 1_000 * usage.MEGABYTE}

#: Longest limit of a request, a day.
LONGEST = 86_400


def adapter_files(files: Iterable[Path]) -> tuple[Path, ...]:
    """The files of `--adapter`; a path may begin with `~`, as a record tells one of the home folder."""
    found = tuple(file.expanduser() for file in files)
    for file in found:
        if not file.is_file() or file.suffix != ".py":
            raise InputError(f"--adapter must be a Python file (got {str(file)!r})")
    return found


def interpreters(texts: Iterable[str]) -> dict[str, str]:
    """The interpreters of `--python` by backend; their paths may begin with `~`, too."""
    found = {}
    for text in texts:
        backend, separator, path = text.partition("=")
        if not separator or not backend or not path:
            raise InputError(f"--python must be BACKEND=INTERPRETER (got {text!r})")
        found[backend] = os.path.expanduser(path)
    return found


def environment(device: str | None) -> dict[str, str]:
    """The variables of the workers that `--device` means."""
    return {} if device is None else {"BCE_DEVICE": device}


def timeout(seconds: float) -> float:
    """The limit of a request that `--timeout` means."""
    if not 0 < seconds < LONGEST:
        raise InputError(f"--timeout must lie between 0 and {LONGEST} s (got {seconds:g})")
    return seconds


def memory(text: str | None) -> int | None:
    """The bytes that `--memory` means, None without it."""
    if text is None:
        return None
    found = SIZE.fullmatch(text)
    size = int(float(found[1]) * UNITS[found[2].upper()]) if found else 0
    if not size:
        raise InputError(f"--memory must be a size above 0 in MB or GB (got {text!r})", "for example --memory 2GB")
    if not usage.KNOWN:
        raise InputError(f"--memory needs /proc, which this system does not have (got {text!r})", "leave it out")
    return size


def modes(named: tuple[str, ...], implementations: tuple[str, ...]) -> tuple[str, ...]:
    """The modes of `--mode`: plain calls, unless modes are named, there or in an id of `--implementation`."""
    return named or (() if any(map(_names_mode, implementations)) else (BASE_MODE,))


def _names_mode(pattern: str) -> bool:
    """Whether a glob says anything of what stands behind backend/entry; one without a backend may mean any part."""
    backend, *rest = pattern.split("/")
    return any(part.strip("*?") for part in rest[1:]) or (bool(rest) and not backend.strip("*?"))


def implementation(name: str, known: Sequence[Declaration]) -> Declaration:
    """The implementation of an id, or of backend/entry in its first mode."""
    for one in known:
        if name in (one.id, one.family):
            return one
    raise InputError(f"no implementation is called {name!r}", did_you_mean(name, [one.id for one in known]))
