"""The ends of a run record: its header, its tallies and its footer, read without the checks between them.

What is read is the first line and the last part of a file, compressed or not, so that hundreds of records cost no more
than their ends.  A record that has no tallies, of schema 1, is read whole.
"""

from __future__ import annotations

import contextlib
import os
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import msgspec

from conformance import regular
from conformance.errors import InputError
from conformance.record import record as records
from conformance.record.consistency import Consistency
from conformance.record.files import GZIP, LONGEST
from conformance.record.record import Footer, Header, TallyLine
from conformance.record.tally import tallies

#: Bytes that are read from the end of a file at first: more than the tallies of a run of every backend need.
TAIL = 1 << 18

#: How a gzip member of `record.write` starts: deflated, no flags, no time (RFC 1952, 2.3).
_MEMBER = GZIP + b"\x08" + b"\0" * 5

#: How the line of a tally starts.
_TALLY = b'{"type":"tally"'

_DECODER: msgspec.json.Decoder[TallyLine | Footer] = msgspec.json.Decoder(TallyLine | Footer)


@dataclass(frozen=True)
class Ends:
    """A record without its checks; `footer` is None where the run was interrupted, and then it has no tallies."""

    file: Path
    header: Header
    tallies: tuple[TallyLine, ...]
    footer: Footer | None


def read(file: Path) -> Ends:
    """The ends of a record.

    Raises InputError as `record.read` does for what is no record; damage between the ends goes unnoticed.
    """
    try:
        with regular.opened(file) as stream:
            packed = stream.read(len(GZIP)) == GZIP
            stream.seek(0)
            first = _first_packed_line(stream) if packed else stream.readline(LONGEST).rstrip(b"\n")
            known = Consistency(file)
            header = known.fitting(1, records.header_of(file, first))
            lines = _last_packed_lines(stream) if packed else _last_lines(stream)
    except OSError as error:
        raise InputError(f"{file}: cannot be read: {error.strerror}") from None
    found = _decoded(lines)
    footer = next((line for line in found if isinstance(line, Footer)), None)
    summed = tuple(line for line in found if isinstance(line, TallyLine))
    if footer is not None and summed and all(map(known.fits, summed)):
        return Ends(file, header, summed, footer)
    if footer is None and (found or not packed):
        return Ends(file, header, (), None)
    # Of schema 1, without a check, compressed as one gzip member, or with tallies of what it does not declare.
    whole = records.read(file)
    return Ends(file, header, (whole.tallies or tallies(whole)) if whole.footer else (), whole.footer)


def _decoded(lines: bytes) -> list[TallyLine | Footer]:
    """The lines as what they are; none where one is something else."""
    try:
        return _DECODER.decode_lines(lines)
    except (ValueError, RecursionError):
        return []


def _last_lines(stream: BinaryIO) -> bytes:
    """The tallies and the footer at the end of a file; nothing where it does not end with a whole line."""
    size = stream.seek(0, os.SEEK_END)
    length = TAIL
    while True:
        start = max(size - length, 0)
        stream.seek(start)
        data = stream.read()
        whole = data if start == 0 else data.partition(b"\n")[2]
        lines = _summing_up(whole)
        if start == 0 or len(lines) < len(whole):
            return lines
        length *= 4


def _summing_up(data: bytes) -> bytes:
    """The line that ends `data` and the tallies right before it."""
    if not data.endswith(b"\n"):
        return b""
    start = data.rfind(b"\n", 0, len(data) - 1) + 1
    while start > 0 and data.startswith(_TALLY, above := data.rfind(b"\n", 0, start - 1) + 1):
        start = above
    return data[start:]


def _first_packed_line(stream: BinaryIO) -> bytes:
    """The first line of a compressed file, and hardly more."""
    engine, line, data = zlib.decompressobj(wbits=31), b"", stream.read(TAIL)
    with contextlib.suppress(zlib.error):  # what is damaged is no header
        while b"\n" not in line and data and len(line) < LONGEST:
            line += engine.decompress(data, 1 << 14)
            data = engine.unconsumed_tail or stream.read(TAIL)
    return line.partition(b"\n")[0]


def _last_packed_lines(stream: BinaryIO) -> bytes:
    """The last member of a compressed file; nothing where it is cut or begins further away."""
    stream.seek(max(stream.seek(0, os.SEEK_END) - TAIL, 0))
    data = stream.read()
    start = len(data)
    while (start := data.rfind(_MEMBER, 0, start)) >= 0:
        engine = zlib.decompressobj(wbits=31)
        try:
            found = engine.decompress(data[start:], LONGEST)
        except zlib.error:
            continue  # the same bytes within a member
        return _summing_up(found) if engine.eof else b""
    return b""
