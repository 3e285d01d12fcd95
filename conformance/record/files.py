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

from conformance import regular
from conformance.errors import HarnessError, InputError, at

#: How a gzip stream starts (RFC 1952, 2.3.1).
GZIP = b"\x1f\x8b"

#: Most bytes of a line, of which the longest in a run of every backend has 75 kB.
LONGEST = 1 << 24

#: Most empty lines, of which an editor may leave some and the suite writes none.
EMPTY = 1000

#: How many times as large as a compressed file what it holds may be, beyond LONGEST.  Records are 20 times as large;
#: gzip gets to 1032 (zlib's technical details), so that some kilobytes could fill the memory.
RATIO = 100

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
    Raises InputError for what is no file of lines, or too large.
    """
    with regular.opened(file, "make one with `bce-conformance run`") as raw:
        packed = raw.read(len(GZIP)) == GZIP
        raw.seek(0)
        left = min(os.fstat(raw.fileno()).st_size * RATIO + LONGEST, regular.MOST) if packed else regular.MOST
        stream = cast(BinaryIO, gzip.GzipFile(fileobj=raw)) if packed else raw
        number = empty = 0
        try:
            while line := stream.readline(LONGEST + 1):
                number += 1
                left -= len(line)
                if len(line) > LONGEST:
                    raise at(file, number, f"a line must have at most {LONGEST} bytes (got more)")
                if left < 0:
                    raise at(file, number, "holds more than any run record does", "was it made to fill the memory?")
                regular.must_be_utf8(file, line, number)
                if line != b"\n":
                    yield line
                elif (empty := empty + 1) > EMPTY:
                    raise at(file, number, f"must have at most {EMPTY} empty lines (got more)")
        except EOFError:
            yield b""
        except (zlib.error, gzip.BadGzipFile) as error:
            raise InputError(f"{file}: is damaged: {error}", "copy it again, or make another run") from None
        except OSError as error:
            raise InputError(f"{file}: cannot be read: {error.strerror}") from None
