"""Certificates by name: each in a file of its own, as a sweep writes it, or many in one file, one a line.

A line is an object with `name` and `certificate`.  The name is that of the file which the sweep wrote, without its
ending.  Files are told apart by how they begin, and a folder may hold both.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import msgspec
from msgspec import Struct

from conformance import regular
from conformance.errors import InputError
from conformance.record.files import write_lines
from conformance.sweep import certificate
from conformance.sweep.certificate import Certificate

#: How a file of named certificates begins; run records and checkpoints, which have lines as well, begin otherwise.
LINE = re.compile(rb'\s*\{\s*"name"\s*:')

#: What a name is made of (`spec.name_of`).
NAME = re.compile(r"[A-Za-z0-9._-]+")


class Named(Struct, frozen=True):
    """A certificate and its name."""

    name: str
    certificate: Certificate

    @property
    def file(self) -> str:
        """The name of the file that the sweep wrote, by which certificates are sorted."""
        return f"{self.name}.json"


class _Line(Struct):
    name: str
    certificate: msgspec.Raw


_LINE = msgspec.json.Decoder(_Line)


def read(file: Path) -> list[Named]:
    """The certificates of a file.  Raises InputError, with the line if there are many, as `certificate.read` does."""
    data = certificate.bytes_of(file)
    if LINE.match(data) is None:
        return [Named(file.stem, certificate.decoded(data, str(file)))]
    return [_of_line(line, f"{file}:{number}") for number, line in enumerate(data.splitlines(), start=1)]


def _of_line(line: bytes, where: str) -> Named:
    try:
        one = regular.decoded(_LINE, line)
    except ValueError as error:
        raise InputError(f"{where}: is not a certificate with a name: {error}") from None
    _check(one.name, where)
    return Named(one.name, certificate.decoded(one.certificate, where))


def _check(name: str, where: str) -> None:
    if NAME.fullmatch(name) is None:
        raise InputError(f"{where}: name must have letters, digits, '.', '_' and '-' alone (got {name!r})")


def files_of(folder: Path) -> list[Path]:
    """The files of a folder that hold certificates, in the order of their names.  Raises InputError."""
    lines = (file for file in folder.glob("*.jsonl") if LINE.match(certificate.bytes_of(file)))
    return sorted([*folder.glob("*.json"), *lines])


def of_folder(folder: Path) -> Iterator[Named]:
    """The certificates of a folder, file by file.  Raises InputError for a file that holds none."""
    for file in files_of(folder):
        yield from read(file)


def by_name(paths: Sequence[Path]) -> dict[str, Certificate]:
    """The certificates of files and folders.  Raises InputError where there is none, and for two of one name."""
    files = [file for path in paths for file in (files_of(path) if path.is_dir() else [path])]
    if not files:
        raise InputError(
            f"no certificate (*.json, *.jsonl) is in {', '.join(map(str, paths))}", "`bce-conformance sweep` makes one"
        )
    found: dict[str, Certificate] = {}
    for file in files:
        for one in read(file):
            if one.name in found:
                raise InputError(
                    f"{file}: {one.name}: another certificate has this name", "take one folder after the other"
                )
            found[one.name] = one.certificate
    return found


def write(certificates: Iterable[Named], file: Path) -> None:
    """Write certificates one a line, in the order of the files that sweeps wrote.  Raises InputError for a bad name."""
    found = sorted(certificates, key=lambda one: one.file)
    for one in found:
        _check(one.name, str(file))
    write_lines(map(msgspec.json.encode, found), file)
