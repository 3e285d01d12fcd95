"""What a user asks to be installed: `PACKAGE==V1,V2`, a wheel or an interpreter, with companions, as columns.

    optax==0.1.9,0.2.8                       two columns
    optax==0.1.9+jax==0.4.30+numpy<2         companions of one's own
    tensorflow==2.12.1+python==3.10          on another Python
    ./dist/optax-0.2.9.dev0-py3-none-any.whl a local build
    /opt/venv/bin/python                     an interpreter that has everything

Everything here is untrusted.  A name or a version goes on only after `packaging` has parsed it and in the form that
it has there, so that none is an option of a command, a path or a URL.
"""

from __future__ import annotations

import hashlib
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename
from packaging.version import InvalidVersion, Version

from conformance.errors import InputError
from conformance.versions.companions import Known

#: Where a companion begins: a plus sign before a name with a comparison; in a local version (`+cpu`) none follows.
_COMPANION = re.compile(r"\+(?=\s*[A-Za-z0-9][A-Za-z0-9._-]*(?:\[[^\]]*\])?\s*(?:[=!~]=|[<>]))")

#: A name of a package (PEP 508).
_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?")

_EXACT = re.compile(r"\s*([A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?)\s*==\s*([^=\s].*)")

_PYTHON = re.compile(r"3\.[0-9]{1,2}")

#: The Python that runs this, where nothing says otherwise.
HERE = f"{sys.version_info.major}.{sys.version_info.minor}"

#: What environments are called in most projects.
USUAL = (".venv", "venv", "env", ".env")

HINT = "write PACKAGE==VERSION[,VERSION…][+COMPANION…], or the path of a wheel or of an interpreter"


@dataclass(frozen=True, kw_only=True)
class Column:
    """One environment: what is installed on which Python (major.minor), or an `interpreter` as it is.

    `package` and `version` are what the column is about; `why` is the reason of companions that a data file chose.
    """

    package: str
    version: str
    python: str = HERE
    requirements: tuple[str, ...] = ()
    wheel: Path | None = None
    interpreter: Path | None = None
    why: str = ""

    @property
    def label(self) -> str:
        """What a table calls the column; it holds no path of the machine."""
        return f"{self.package} {self.version}{' (wheel)' if self.wheel is not None else ''}"

    @property
    def released(self) -> bool:
        """Whether it is a version of a package, and neither a local build nor an interpreter."""
        return self.wheel is None and self.interpreter is None

    @property
    def key(self) -> str:
        """A digest of all that is installed, or of where an interpreter is, as a file name.

        Equal columns are one environment.
        """
        content = hashlib.sha256(self.wheel.read_bytes()).hexdigest() if self.wheel is not None else ""
        content = str(self.interpreter) if self.interpreter is not None else content
        asked = "\n".join((self.python, content, *sorted(self.requirements)))
        return f"{self.file_name}-{hashlib.sha256(asked.encode()).hexdigest()[:16]}"

    @property
    def file_name(self) -> str:
        """The label in letters that are safe in a file name everywhere; it never begins with a dot."""
        return re.sub(r"[^A-Za-z0-9._-]", "_", f"{self.package}-{self.version}").lstrip(".-")


class Beside(NamedTuple):
    """The Python that is asked for ("" for none), and companions."""

    python: str
    companions: tuple[Requirement, ...]


def columns(texts: Sequence[str], known: Known) -> tuple[Column, ...]:
    """The columns that the words of a command line mean, in their order.

    Raises InputError where one is neither versions of a package nor a wheel nor an interpreter.
    """
    found = [column for text in texts for column in _columns(text, known)]
    for column in found:
        if found.count(column) > 1:
            raise InputError(f"{column.label} is asked for twice")
    return tuple(found)


def beside(text: str) -> Beside:
    """What the words of a column ask for beside its package: the Python ("" for none) and companions."""
    python, extra = _companions(_COMPANION.split(text)[1:])
    return Beside(python, tuple(extra))


def _columns(text: str, known: Known) -> list[Column]:
    first, *companions = _COMPANION.split(text)
    first = first.strip()
    python, extra = _companions(companions)
    if first.endswith(".whl"):
        return [_wheel(first, python, extra, known)]
    exact = _EXACT.fullmatch(first)
    if exact is None and ("/" in first or Path(first).is_file()):
        return [_interpreter(first, companions)]
    if exact is None:
        raise InputError(f"must be versions of a package, a wheel or an interpreter (got {text!r})", HINT)
    return [column(exact[1], one, known, python, extra) for one in exact[2].split(",")]


def column(name: str, version: str, known: Known, python: str = "", extra: Sequence[Requirement] = ()) -> Column:
    """A version of a package with its companions; `python` and `extra` come before those of `known`."""
    package = canonicalize_name(name)
    number = _version(version)
    return _with_companions(package, number, f"{package}=={number}", None, python, extra, known)


def _wheel(text: str, python: str, extra: Sequence[Requirement], known: Known) -> Column:
    file = Path(text)
    if not file.is_file():
        raise InputError(f"{text}: no such file")
    try:
        package, version, _, _ = parse_wheel_filename(file.name)
    except InvalidWheelFilename as error:
        raise InputError(f"{text}: must be a wheel: {error}") from None
    file = file.resolve()
    return _with_companions(package, version, f"{package} @ {file.as_uri()}", file, python, extra, known)


def _interpreter(text: str, companions: Sequence[str]) -> Column:
    file = Path(text).absolute()  # not resolved: an environment's interpreter is a link to that of the system
    if not file.is_file():
        raise InputError(f"{text}: no such interpreter", HINT)
    if companions:
        raise InputError(f"nothing is installed for an interpreter (got +{companions[0]})")
    # An interpreter is in the folder bin of its environment, which has a name that the user knows; where many have that
    # name, the folder of the project tells them apart.
    place = file.parent.parent if file.parent.name == "bin" else file
    name = f"{place.parent.name}/{place.name}" if place.name in USUAL else place.name
    return Column(package="interpreter", version=name, python="", requirements=(), wheel=None, interpreter=file)


def _with_companions(
    package: str,
    version: Version,
    requirement: str,
    wheel: Path | None,
    python: str,
    extra: Sequence[Requirement],
    known: Known,
) -> Column:
    companions = known.companions(package, version)
    chosen = {canonicalize_name(one.name): one for one in extra}
    if package in chosen:
        raise InputError(f"{package} cannot be a companion of itself")
    suggested = companions.beside(version) if companions is not None else ()
    replaced = known.replaced(frozenset(chosen))
    kept = [one for one in suggested if canonicalize_name(one.name) not in replaced]
    others = (*chosen.values(), *kept)
    # The suite's worker needs NumPy, which not every framework brings.
    worker = () if any(canonicalize_name(one.name) == "numpy" for one in others) or package == "numpy" else ("numpy",)
    return Column(
        package=package,
        version=str(version),
        python=python or (companions.python if companions is not None else HERE),
        requirements=(requirement, *map(str, others), *worker),
        wheel=wheel,
        why=companions.why if companions is not None and (kept or not python) else "",
    )


def _companions(texts: Sequence[str]) -> tuple[str, list[Requirement]]:
    """The Python that is asked for ("" for none) and the other companions."""
    python, found = "", []
    for text in texts:
        one = requirement(text)
        if canonicalize_name(one.name) == "python":
            python = python_version(str(one.specifier).removeprefix("=="))
        else:
            found.append(one)
    return python, found


def package_name(text: str) -> str:
    """The canonical name of a package.  Raises InputError for what is no name: a path, a URL, an option."""
    if not _NAME.fullmatch(text):
        raise InputError(f"must be the name of a package (got {text!r})")
    return canonicalize_name(text)


def requirement(text: str) -> Requirement:
    """A companion.  Raises InputError for what is not a name with a range of versions: a URL, a marker, an option."""
    try:
        one = Requirement(text)
    except InvalidRequirement as error:
        raise InputError(f"companion {text!r}: {str(error).splitlines()[0]}", HINT) from None
    arbitrary = any(two.operator == "===" for two in one.specifier)  # compares text that is no version
    if one.url is not None or one.marker is not None or arbitrary:
        raise InputError(f"a companion must be a name with a range of versions (got {text!r})", HINT)
    return one


def python_version(text: str) -> str:
    """A Python version as major.minor.  Raises InputError for anything else."""
    if not _PYTHON.fullmatch(text):
        raise InputError(f"a Python version must be 3.N (got {text!r})")
    return text


def _version(text: str) -> Version:
    try:
        return Version(text)
    except InvalidVersion:
        raise InputError(f"{text.strip()!r} is no version", HINT) from None
