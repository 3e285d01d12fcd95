"""Isolated environments, made by `uv`: resolved first, so that it is known what would be installed and how large it is.

An environment is a folder in a cache, named by a digest of what was asked for.  The file MARKER, written last, says
what is in it: a folder without one was left half-made and is made anew.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
from msgspec import Struct
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from conformance.errors import InputError
from conformance.pool.observation import anonymous
from conformance.record.files import write_lines
from conformance.versions.index import Index
from conformance.versions.requirements import HERE, Column

MARKER = "installed.json"

#: Seconds that one resolution or installation may take: TensorFlow downloads some 600 MB.
LIMIT = 3600

#: Bytes per second of a connection that is neither fast nor slow, for an estimate.
RATE = 10_000_000

#: Lines of `uv` that a reason keeps.
LINES = 6


class Installed(Struct, frozen=True):
    """What an environment holds: Python (major.minor), versions by canonical name, seconds that making it took."""

    python: str
    packages: dict[str, str]
    seconds: float


@dataclass(frozen=True)
class Environment:
    """An environment that is there."""

    interpreter: Path
    installed: Installed


@dataclass(frozen=True)
class Failure:
    """Why there is none."""

    reason: str


@dataclass(frozen=True)
class Resolved:
    """What would be installed: pins by canonical name as lines for `uv`; `size` in bytes, of those known."""

    pins: tuple[str, ...]
    size: int = 0
    unknown: int = 0
    there: bool = False

    @property
    def told(self) -> str:
        """Size and time in words."""
        if self.there:
            return "there already"
        text = f"{self.size / 1e6:.0f} MB" + (f" and {self.unknown} of unknown size" if self.unknown else "")
        return f"{text}, about {max(self.size / RATE, 1):.0f} s at {RATE / 1e6:.0f} MB/s"


def cache_folder() -> Path:
    """Where environments are kept unless a folder is named: the user's cache, outside every repository."""
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "bce-conformance" / "environments"


@dataclass
class Builder:
    """Resolves and makes environments in `folder`; `passing` ones leave nothing in the cache of `uv` either."""

    index: Index
    folder: Path = field(default_factory=cache_folder)
    passing: bool = False

    def resolve(self, column: Column) -> Resolved | Failure:
        """What a column would install; nothing is installed."""
        if column.interpreter is not None or self._there(column) is not None:
            return Resolved((), there=True)
        done = self._uv(
            ["pip", "compile", "-", "--no-header", "--no-annotate", "--quiet", "--python", python(column.python)],
            "\n".join(column.requirements),
        )
        if done.returncode != 0:
            return Failure(reason(done.stderr))
        pins = tuple(line.strip() for line in done.stdout.splitlines() if line.strip() and not line.startswith("#"))
        sizes = [self._size(pin, column.python) for pin in pins]
        return Resolved(pins, sum(one or 0 for one in sizes), sizes.count(None))

    def _size(self, pin: str, python: str) -> int | None:
        one = Requirement(pin)
        if one.url is not None:
            return 0  # a local wheel
        wanted = Version(str(one.specifier).removeprefix("=="))
        return next((two.size(python) for two in self.index.releases(one.name) if two.version == wanted), None)

    def build(self, column: Column, resolved: Resolved) -> Environment | Failure:
        """The environment of a column, from the cache or made now from what was resolved."""
        if column.interpreter is not None:
            return self._given(column.interpreter)
        self.folder.mkdir(parents=True, exist_ok=True)
        with _alone(self.folder / f"{column.key}.lock"):
            found = self._there(column)
            return found if found is not None else self._make(column, resolved)

    def discard(self, column: Column) -> None:
        """Remove the environment of a column; its marker first, so that what is left of it is never used."""
        if column.interpreter is None:
            (self._place(column) / MARKER).unlink(missing_ok=True)
            shutil.rmtree(self._place(column), ignore_errors=True)

    def _place(self, column: Column) -> Path:
        return self.folder / column.key

    def _there(self, column: Column) -> Environment | None:
        place = self._place(column)
        try:
            installed = msgspec.json.decode((place / MARKER).read_bytes(), type=Installed)
        except (OSError, msgspec.MsgspecError):
            return None
        interpreter = place / "bin" / "python"
        return Environment(interpreter, installed) if interpreter.exists() else None

    def _make(self, column: Column, resolved: Resolved) -> Environment | Failure:
        clock = time.monotonic()
        place = self._place(column)
        shutil.rmtree(place, ignore_errors=True)
        interpreter = place / "bin" / "python"
        steps = (
            (["venv", "--no-project", "--quiet", "--python", python(column.python), str(place)], ""),
            (
                ["pip", "install", "--quiet", "--no-deps", "--python", str(interpreter), "-r", "-"],
                "\n".join(resolved.pins),
            ),
        )
        for words, text in steps:
            done = self._uv(words, text)
            if done.returncode != 0:
                return Failure(reason(done.stderr))
        packages = self._packages(interpreter)
        if isinstance(packages, Failure):
            return packages
        installed = Installed(column.python, packages, round(time.monotonic() - clock, 1))
        write_lines([msgspec.json.encode(installed)], place / MARKER)
        return Environment(interpreter, installed)

    def _given(self, interpreter: Path) -> Environment | Failure:
        """An interpreter that the user names, as it is."""
        try:
            done = subprocess.run(
                [str(interpreter), "-c", "import sys; print('%d.%d' % sys.version_info[:2])"],
                capture_output=True, text=True, check=False, timeout=LIMIT,
            )  # fmt: skip
        except (OSError, subprocess.TimeoutExpired) as error:
            return Failure(f"cannot be started: {type(error).__name__}")
        packages = self._packages(interpreter)
        if isinstance(packages, Failure):
            return packages
        return Environment(interpreter, Installed(done.stdout.strip(), packages, 0.0))

    def _packages(self, interpreter: Path) -> dict[str, str] | Failure:
        done = self._uv(["pip", "list", "--format", "json", "--quiet", "--python", str(interpreter)])
        if done.returncode != 0:
            return Failure(reason(done.stderr))
        return {canonicalize_name(one["name"]): one["version"] for one in msgspec.json.decode(done.stdout)}

    def _uv(self, words: Sequence[str], text: str = "") -> subprocess.CompletedProcess[str]:
        # No project and no settings of the folder that this runs in: they would change what is installed.
        command = [uv(), "--no-config", *(["--no-cache"] if self.passing else []), *words]
        environment = {**os.environ, **self.index.settings.for_uv(os.environ)}
        try:
            return subprocess.run(
                command, input=text, env=environment, capture_output=True, text=True, check=False, timeout=LIMIT
            )
        except subprocess.TimeoutExpired:
            return subprocess.CompletedProcess(command, 1, "", f"took longer than {LIMIT} s")


def uv() -> str:
    """The program `uv`: beside this interpreter, or on the PATH.  Raises InputError where it is not installed."""
    beside = Path(sys.executable).with_name("uv")
    found = str(beside) if beside.is_file() else shutil.which("uv")
    if found is None:
        raise InputError("`uv`, which makes the environments, is not installed", "pip install uv")
    return found


def python(version: str) -> str:
    """An interpreter of a Python version (major.minor): this one, one of pyenv's, or else what `uv` finds or gets."""
    if version == HERE:
        return sys.executable
    root = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    found = sorted(root.glob(f"versions/{version}.*/bin/python"), key=lambda path: _patch(path.parent.parent.name))
    return str(found[-1]) if found else version


def _patch(name: str) -> int:
    last = name.rpartition(".")[2]
    return int(last) if last.isdigit() else -1


@contextlib.contextmanager
def _alone(file: Path) -> Iterator[None]:
    """Only one process at a time makes the environment that `file` is the lock of."""
    with file.open("w") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        yield


def reason(output: str) -> str:
    """What `uv` says of a failure: its last lines without addresses, names and folders of this machine."""
    text = re.sub(r"\x1b\[[0-9;]*m", "", output)
    text = re.sub(r"\b(https?|file)://\S+", "(an address)", anonymous(text))
    text = re.sub(r"(?<![\w.~])[~.]?(/[\w.+@-]+){2,}/?", "(a file)", text)
    lines = [" ".join(line.strip(" ×╰─▶├│·").split()) for line in text.splitlines()]
    kept = [line for line in lines if line and not line.lower().startswith(("warning", "hint"))]
    return " · ".join(kept[-LINES:])[:600] or "uv failed without a word"
