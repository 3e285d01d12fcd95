"""What `show` and `report` are given: a run record, certificates of sweeps, and folders of them."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
from msgspec import Struct

from conformance import regular
from conformance.errors import InputError
from conformance.record import record as records
from conformance.record.files import GZIP, LONGEST
from conformance.record.record import RunRecord
from conformance.sweep import named
from conformance.sweep.certificate import Certificate


@dataclass(frozen=True)
class Shown:
    """A run record, or none, and any number of certificates."""

    record: RunRecord | None
    certificates: tuple[Certificate, ...] = ()


def read(files: Sequence[Path]) -> Shown:
    """Read files, each recognized by its content, and the certificates of folders; a file named twice counts once.

    Raises InputError, which names the file, where one is neither or cannot be read, where a folder has no certificate,
    and where more than one is a run record.
    """
    found: list[Certificate] = []
    runs: list[Path] = []
    for file in {os.path.realpath(one): one for one in _files(files)}.values():
        if _is_certificate(file):
            found.extend(one.certificate for one in named.read(file))
        else:
            runs.append(file)
    if len(runs) > 1:
        raise InputError(
            f"{runs[1]}: only one run record can be shown at once (the first is {runs[0]})",
            "compare two runs by `bce-conformance diff`",
        )
    return Shown(records.read(runs[0]) if runs else None, tuple(found))


def _files(names: Sequence[Path]) -> Iterator[Path]:
    for name in names:
        if not name.is_dir():
            yield name
            continue
        inside = named.files_of(name)
        if not inside:
            raise InputError(
                f"{name}: has no certificate (*.json, *.jsonl)", "make one by `bce-conformance sweep --output FOLDER`"
            )
        yield from inside


class _Line(Struct):
    """The first line of a run record, of whatever schema."""

    type: str


_LINE = msgspec.json.Decoder(_Line)


def _is_certificate(file: Path) -> bool:
    """Whether a file is an object of JSON that does not begin as a run record does."""
    with regular.opened(file, "make one by `bce-conformance run` or `bce-conformance sweep`") as stream:
        start = stream.readline(LONGEST).strip()
    regular.must_be_utf8(file, start if not start.startswith(GZIP) else b"")
    try:
        regular.decoded(_LINE, start)
    except ValueError:
        return start.startswith(b"{")
    return False
