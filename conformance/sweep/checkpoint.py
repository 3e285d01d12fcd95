"""The checkpoint of a sweep: JSON Lines beside its certificate, one line for each shard that is done.

The header holds what the results depend on.  A last line that a kill has cut is ignored and cut off.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any, BinaryIO

import msgspec
from msgspec import Struct, structs

from conformance import regular
from conformance.errors import HarnessError, at
from conformance.sweep.basis import Basis
from conformance.sweep.spec import Spec


class Begun(Basis, frozen=True, kw_only=True, tag="sweep", tag_field="type"):
    """The header: all that the bits of a result depend on."""

    spec: dict[str, Any]


class Found(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What `Statistics.to_wire` gives."""

    points: int
    ordinals: tuple[int, int, int, int]
    classes: dict[str, int]
    worst: dict[str, dict[str, tuple[float, int, int, int]]]
    firsts: dict[str, tuple[int, int]]
    raised: tuple[int, int, str] | None
    dtypes: dict[str, int]


class Done(Struct, frozen=True, tag="shard", tag_field="type"):
    """A shard that is done: its index, statistics by implementation and label, and the digest of both."""

    index: int
    found: dict[str, dict[str, Found]]
    digest: str


class _Plain(Struct):
    """The statistics of a line as they are merged."""

    found: dict[str, dict[str, Any]]


_BEGUN = msgspec.json.Decoder(Begun)
_DONE = msgspec.json.Decoder(Done)
_PLAIN = msgspec.json.Decoder(_Plain)


class Checkpoint:
    """An open checkpoint; `done` has the results of finished shards by index."""

    def __init__(self, file: Path, stream: BinaryIO, done: dict[int, Any]) -> None:
        self.file = file
        self.done = done
        self._stream = stream

    def add(self, index: int, found: dict[str, dict[str, Any]]) -> None:
        """Keep a result; when this returns it is on the disk.  Raises HarnessError where that does not take it."""
        if index in self.done:
            return
        try:
            self._stream.write(_line(index, found))
            self._stream.flush()
            os.fsync(self._stream.fileno())
        except OSError as error:
            raise _unwritable(self.file, error) from None
        self.done[index] = found

    def close(self, remove: bool = False) -> None:
        """Close the file; `remove` it where its certificate is written."""
        self._stream.close()
        if remove:
            self.file.unlink(missing_ok=True)


def open_checkpoint(file: Path, spec: Spec, basis: Basis, resume: bool) -> Checkpoint:
    """A new checkpoint of a sweep, or with `resume` the one that is there.

    Raises InputError where the one that is there is of another sweep or has another basis, or is none.
    """
    header = msgspec.json.encode(Begun(spec=spec.to_wire(), **structs.asdict(basis))) + b"\n"
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        if resume and file.exists():
            done, length = _read(file, header, spec)
            stream: BinaryIO = file.open("r+b")
            stream.truncate(length)
            stream.seek(length)
            return Checkpoint(file, stream, done)
        stream = file.open("wb")
        stream.write(header)
        stream.flush()
        return Checkpoint(file, stream, {})
    except OSError as error:
        raise _unwritable(file, error) from None


def _unwritable(file: Path, error: OSError) -> HarnessError:
    return HarnessError(f"{file}: cannot be written: {error.strerror}", "free some space or name another folder")


def _line(index: int, found: dict[str, dict[str, Any]]) -> bytes:
    """A shard that is done as its line."""
    one = {"type": "shard", "index": index, "found": found, "digest": _digest(index, found)}
    return msgspec.json.encode(one) + b"\n"


def _digest(index: int, found: dict[str, dict[str, Any]]) -> str:
    """SHA-256 of a shard's index and statistics, so that a line that was changed is none."""
    return hashlib.sha256(msgspec.json.encode([index, found])).hexdigest()


def _read(file: Path, header: bytes, spec: Spec) -> tuple[dict[int, Any], int]:
    """Finished shards by index, and the length of the file without what a kill has cut."""
    data = regular.content(file)
    regular.must_be_utf8(file, data)
    lines = data.split(b"\n")
    lines.pop()  # what follows the last line end was cut, or is nothing
    if not lines:
        file.write_bytes(header)
        return {}, len(header)
    try:
        before = regular.decoded(_BEGUN, lines[0])
    except ValueError as error:
        raise at(file, 1, f"is not the checkpoint of a sweep: {error}", "remove it, or name another folder") from None
    here = _BEGUN.decode(header)
    for name in Begun.__struct_fields__:
        then, now = getattr(before, name), getattr(here, name)
        if then != now:
            raise at(
                file,
                1,
                f"was begun with another {name}: {_difference(then, now)}",
                "run it as before, or begin anew without --resume",
            )
    done: dict[int, Any] = {}
    count = len(spec.shards())
    for number, line in enumerate(lines[1:], start=2):
        try:
            one = regular.decoded(_DONE, line)
            found = _PLAIN.decode(line).found
            if one.index in done or not 0 <= one.index < count:
                raise ValueError(f"index must be one of {count} that stands in no earlier line (got {one.index})")
            if one.digest != _digest(one.index, found):
                raise ValueError("its digest is that of other statistics")
            _must_be_of(spec, one)
        except ValueError as error:  # of which msgspec's is one
            raise at(file, number, f"is not a finished shard: {error}", "begin anew without --resume") from None
        done[one.index] = found
    return done, sum(len(line) + 1 for line in lines)


def _must_be_of(spec: Spec, one: Done) -> None:
    """Raises ValueError where a shard has not exactly the implementations and labels of its sweep."""
    wanted = {(key, label) for key in spec.whole.implementations for label in spec.whole.labels.names}
    told = {(key, label) for key, of in one.found.items() for label in of}
    if told != wanted:
        raise ValueError(
            f"found must have the implementations and labels of the sweep (got {sorted(told ^ wanted)[0]})"
        )


def _difference(old: Any, new: Any) -> str:
    """The first keys in which two values differ, in words."""
    if not isinstance(old, dict) or not isinstance(new, dict):
        return f"{old!r} then, {new!r} now"
    keys = [key for key in sorted({*old, *new}) if old.get(key) != new.get(key)]
    return "; ".join(f"{key} {str(old.get(key))[:60]} then, {str(new.get(key))[:60]} now" for key in keys[:3])
