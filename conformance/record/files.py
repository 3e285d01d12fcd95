"""Files of lines, compressed or not: written whole or not at all, and read as they come.

A file whose name ends in `.gz` is compressed; what is read is recognized by its content.
"""

from __future__ import annotations

import contextlib
import gzip
import os
import tempfile
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO, cast

from conformance.errors import HarnessError, InputError

#: How a gzip stream starts (RFC 1952, 2.3.1).
GZIP = b"\x1f\x8b"

#: How hard gzip tries.  Of 82 MB of a run of every backend 4.6 MB are left after 0.7 s of CPU; at 9, the most, 4.5 MB
#: after 1.8 s, and at 4, 5.4 MB after 0.4 s (one core of an AMD EPYC, zlib 1.2.13).
LEVEL = 6


def write_lines(lines: Iterable[bytes], file: Path, ends: Iterable[bytes] = ()) -> None:
    """Write lines to `file` by way of a temporary file in its folder, then those of `ends`.

    In a compressed file `ends` are a gzip member of their own, which can be read without the rest.
    """
    with writing(file), contextlib.ExitStack() as left:
        file.parent.mkdir(parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(prefix=f".{file.name}.", dir=file.parent)
        left.callback(Path(name).unlink, missing_ok=True)  # it is gone where it has become `file`
        with os.fdopen(descriptor, "wb") as stream:
            for part in (lines, ends):
                with _compressed(stream) if file.suffix == ".gz" else contextlib.nullcontext(stream) as into:
                    for line in part:
                        into.write(line + b"\n")
            stream.flush()
            os.fsync(stream.fileno())
        Path(name).chmod(0o644)
        Path(name).replace(file)


@contextlib.contextmanager
def writing(file: Path) -> Iterator[None]:
    """Around what writes `file`: raises HarnessError where the disk does not take it."""
    try:
        yield
    except OSError as error:
        raise HarnessError(
            f"{file}: cannot be written: {error.strerror}", "free some space or name another file"
        ) from None


def _compressed(stream: BinaryIO) -> BinaryIO:
    """A gzip stream into `stream`: no time and no name in it, so that equal records are equal files."""
    return cast(BinaryIO, gzip.GzipFile(filename="", mode="wb", compresslevel=LEVEL, fileobj=stream, mtime=0))


def lines_of(file: Path) -> Iterator[bytes]:
    """The lines of a file with their ends, of a compressed one those of what it holds; empty ones are left out.

    A compressed file that is cut gives what can be had of it, and then b"", which is a line without its end.
    """
    try:
        with _opened(file) as stream:
            yield from (line for line in stream if line != b"\n")
    except EOFError:
        yield b""
    except (zlib.error, gzip.BadGzipFile) as error:
        raise InputError(f"{file}: is damaged: {error}", "copy it again, or make another run") from None
    except OSError as error:
        raise InputError(f"{file}: cannot be read: {error.strerror}", "make one with `bce-conformance run`") from None


def _opened(file: Path) -> BinaryIO:
    """A file open for reading; gzip is recognized by how it starts."""
    with file.open("rb") as stream:
        packed = stream.read(len(GZIP)) == GZIP
    return cast(BinaryIO, gzip.open(file)) if packed else file.open("rb")
