"""The checkpoint of a sweep: JSON Lines beside its certificate, one line for each shard that is done.

The header holds what the results depend on.  A last line that a kill has cut is ignored and cut off.
"""

from __future__ import annotations

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


class Done(Struct, frozen=True, tag="shard", tag_field="type"):
    """A shard that is done: its index, and statistics by implementation and label."""

    index: int
    found: dict[str, dict[str, Any]]


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
            self._stream.write(msgspec.json.encode(Done(index, found)) + b"\n")
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
            done, length = _read(file, header)
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


def _read(file: Path, header: bytes) -> tuple[dict[int, Any], int]:
    """Finished shards by index, and the length of the file without what a kill has cut."""
    lines = regular.content(file).split(b"\n")
    lines.pop()  # what follows the last line end was cut, or is nothing
    if not lines:
        file.write_bytes(header)
        return {}, len(header)
    try:
        before = msgspec.json.decode(lines[0], type=Begun)
    except msgspec.MsgspecError as error:
        raise at(file, 1, f"is not the checkpoint of a sweep: {error}", "remove it, or name another folder") from None
    here = msgspec.json.decode(header, type=Begun)
    for name in Begun.__struct_fields__:
        then, now = getattr(before, name), getattr(here, name)
        if then != now:
            raise at(
                file,
                1,
                f"was begun with another {name}: {_difference(then, now)}",
                "run it as before, or begin anew without --resume",
            )
    done = {}
    decoder = msgspec.json.Decoder(Done)
    for number, line in enumerate(lines[1:], start=2):
        try:
            one = decoder.decode(line)
        except msgspec.MsgspecError as error:
            raise at(file, number, f"is not a finished shard: {error}", "begin anew without --resume") from None
        done[one.index] = one.found
    return done, sum(len(line) + 1 for line in lines)


def _difference(old: Any, new: Any) -> str:
    """The first keys in which two values differ, in words."""
    if not isinstance(old, dict) or not isinstance(new, dict):
        return f"{old!r} then, {new!r} now"
    keys = [key for key in sorted({*old, *new}) if old.get(key) != new.get(key)]
    return "; ".join(f"{key} {str(old.get(key))[:60]} then, {str(new.get(key))[:60]} now" for key in keys[:3])
