"""Files that somebody names: regular ones only, and no larger than anything that the suite writes.

A pipe would wait for a writer who never comes, a device has no end, and a few kilobytes can unpack to gigabytes.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import BinaryIO, TypeVar

import msgspec

from conformance.errors import InputError, at

T = TypeVar("T")

#: Most bytes of a file, packed or not: the record of a run of every backend has 82 MB.
MOST = 1 << 30

#: What is no regular file, as `stat` tells it.
_KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


def opened(file: Path, hint: str = "") -> BinaryIO:
    """A regular file, open for reading.  Raises InputError for anything else, and `hint` is the next step."""
    try:
        descriptor = os.open(file, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)  # to open a pipe would wait otherwise
    except (OSError, ValueError) as error:  # ValueError: a name that holds a zero byte
        raise InputError(f"{file}: cannot be read: {getattr(error, 'strerror', error)}", hint) from None
    found = os.fstat(descriptor)
    kind = stat.S_IFMT(found.st_mode)
    if kind == stat.S_IFREG and found.st_size <= MOST:
        return os.fdopen(descriptor, "rb")
    os.close(descriptor)
    if kind != stat.S_IFREG:
        what = _KINDS.get(kind, "something else")
        raise InputError(f"{file}: cannot be read: must be a regular file (got {what})", hint)
    raise InputError(f"{file}: must have at most {MOST} bytes (got {found.st_size})", hint)


def content(file: Path, hint: str = "", most: int = MOST) -> bytes:
    """The bytes of a regular file.  Raises InputError where they are more than `most`, and as `opened` does."""
    with opened(file, hint) as stream:
        try:
            data = stream.read(most + 1)
        except OSError as error:
            raise InputError(f"{file}: cannot be read: {error.strerror}", hint) from None
    if len(data) > most:
        raise at(file, 1, f"a file must hold at most {most} bytes (got more)", hint)
    return data


def decoded(decoder: msgspec.json.Decoder[T], data: bytes | msgspec.Raw) -> T:
    """JSON as what a decoder makes of it.  Raises ValueError in words, of which msgspec's are some."""
    try:
        return decoder.decode(data)
    except RecursionError:
        raise ValueError("JSON is nested too deeply") from None


def must_be_utf8(file: Path, data: bytes, line: int = 1) -> None:
    """Raises InputError for bytes, which begin in `line`, that are no UTF-8, with the line of the first wrong one."""
    try:
        data.decode("utf-8")
    except UnicodeDecodeError as error:
        line += data[: error.start].count(b"\n")
        raise at(file, line, f"must be UTF-8 (got byte 0x{data[error.start]:02x})", "save the file as UTF-8") from None
