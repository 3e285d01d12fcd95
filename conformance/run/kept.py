"""The runs that are kept in the current folder: the last ten, under numbers that do not change.

A run is a file of its own, `runs/NUMBER.jsonl.gz`, and `last.jsonl` is another name of the one that ended last.  Files
appear whole or not at all, and nothing is removed before what comes instead is on the disk, so that runs at the same
time, an interruption or a full disk lose nothing that was there.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from conformance.errors import InputError
from conformance.record import ends, record
from conformance.record.ends import Ends
from conformance.record.files import writing
from conformance.record.record import RunRecord
from conformance.run.run import STATE

#: The record of the last run.
LAST = STATE / "last.jsonl"

#: Where the records of the runs are, and how their names end.
RUNS, SUFFIX = STATE / "runs", ".jsonl.gz"

#: How many runs are kept.
KEPT = 10


@dataclass(frozen=True)
class Kept:
    """A run that is kept, as far as the ends of its file tell; `damage` says why they do not."""

    file: Path
    size: int
    ends: Ends | None
    damage: str = ""

    @property
    def name(self) -> str:
        """Its number, or "last" where it has none."""
        return number(self.file) or self.file.stem

    @property
    def planned(self) -> int:
        """How many checks the run was about; 0 where it did not reach its end."""
        return self.ends.header.planned if self.ends is not None and self.ends.footer is not None else 0


def keep(run: RunRecord) -> Path:
    """Keep a run as the last one, and remove the oldest beyond KEPT; the file that it got.

    The largest run stays, however many smaller ones follow it.
    Raises HarnessError where the disk does not take it.
    """
    with writing(RUNS):
        RUNS.mkdir(parents=True, exist_ok=True)
        if LAST.is_file() and not _numbered():  # of another run that ends now the number is there before
            _call_also(_reserved(), LAST)
        file = _reserved()
        try:
            record.write(run, file)
        except BaseException:
            file.unlink()
            raise
        _call_also(LAST, file)
        _remove_oldest()
    return file


def files() -> list[Path]:
    """The records that are kept, the newest first; without any the last run, as older versions kept nothing else.

    A file that is empty is a number whose run is being written.
    """
    found = sorted(filter(_size, _numbered()), key=lambda file: int(number(file)), reverse=True)
    return found or [file for file in (LAST,) if file.is_file()]


def names() -> list[str]:
    """What the runs that are kept are called by `named`, the newest first."""
    runs = files()
    return [*filter(None, map(number, runs)), "last", "largest"] if runs else []


def look(file: Path) -> Kept:
    """What the ends of a kept run tell."""
    try:
        return Kept(file, _size(file), ends.read(file))
    except InputError as error:
        return Kept(file, _size(file), None, error.message)


def named(word: str) -> Path:
    """The file that a word means: the one of that name, or else the kept run that is called so.

    A kept run is called by its number, and one each `last` and `largest`.  Raises InputError where there is none.
    """
    if Path(word).exists() or not (word.isdecimal() or word in ("last", "largest")):
        return Path(word)
    runs = files()
    called = {number(file): file for file in runs} | ({"last": LAST, "largest": _largest(runs)} if runs else {})
    if word not in called:
        raise InputError(f"{word}: must be a file or a kept run", "`bce-conformance show --list` lists those")
    return called[word]


def _numbered() -> list[Path]:
    return [file for file in RUNS.glob(f"*{SUFFIX}") if number(file)]


def number(file: Path) -> str:
    """The number that a file is called; "" for another name."""
    name = file.name.removesuffix(SUFFIX)
    return name if name.isdecimal() else ""


def _size(file: Path) -> int:
    """The bytes of a file; 0 for one that another run has removed."""
    with contextlib.suppress(FileNotFoundError):
        return file.stat().st_size
    return 0


def _reserved() -> Path:
    """An empty file with the next number, which no other run gets."""
    largest = max((int(number(file)) for file in _numbered()), default=0)
    while True:
        largest += 1
        with contextlib.suppress(FileExistsError):
            file = RUNS / f"{largest}{SUFFIX}"
            file.touch(exist_ok=False)
            return file


def _call_also(name: Path, file: Path) -> None:
    """Make `name` another name of `file`; of a copy where the file system has no links."""
    with tempfile.TemporaryDirectory(prefix=".", dir=STATE) as scratch:
        other = Path(scratch) / name.name
        try:
            os.link(file, other)
        except OSError:
            shutil.copy(file, other)
        other.replace(name)


def _largest(runs: Iterable[Path]) -> Path:
    """The largest run that reached its end: of equal ones the first, which is the newest."""
    return max(map(look, runs), key=lambda one: one.planned).file


def _remove_oldest() -> None:
    """Remove what is more than KEPT."""
    found = files()
    if len(found) <= KEPT:
        return
    found.remove(_largest(found))
    for file in found[KEPT - 1 :]:
        file.unlink(missing_ok=True)
