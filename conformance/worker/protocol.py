"""Messages between the parent and a worker: a JSON header and the raw bytes of its arrays.

Frame: 8 bytes header length, 8 bytes payload length (both big-endian), the header as UTF-8 JSON, the payload.
The header's key "arrays" lists dtype, bits dtype, shape of each array in the payload, in order.
Nothing is ever unpickled.  Worker-side code: standard library and NumPy only, Python 3.7 on.
"""

from __future__ import annotations

import json
import struct
from typing import Any, BinaryIO, Dict, Iterator, List, NamedTuple, Optional, Sequence, Tuple

import numpy as np

from conformance.numbers.formats import Tensor

_LENGTHS = struct.Struct(">QQ")

#: Largest header or payload that is read (2 GiB): a corrupt length must not exhaust the memory.
LIMIT = 1 << 31

#: What the source of an adapter starts with where it is an installed module: the module's name follows.
MODULE = "module:"

#: What a call has changed when the process flushes subnormal numbers after it and did not before, or the reverse.
STATE = "floating-point state"


#: What a message says beside its tensors, ready for JSON: requests and answers, as `session` takes and gives them.
Header = Dict[str, Any]


class Message(NamedTuple):
    """One message: its header, and its tensors."""

    header: Header
    arrays: List[Tensor]


class ProtocolError(Exception):
    """The stream does not hold a message: a foreign byte, an impossible length, a cut frame."""


def write(stream: BinaryIO, header: Header, arrays: Sequence[Tensor] = ()) -> None:
    """Write one message and flush."""
    header = dict(header)
    payload = []
    header["arrays"] = []
    for tensor in arrays:
        bits = np.ascontiguousarray(tensor.bits)
        if bits.dtype.hasobject:
            raise ProtocolError("object arrays are not transported")
        header["arrays"].append([tensor.dtype, bits.dtype.str, list(tensor.bits.shape)])
        payload.append(bits.tobytes())
    body = b"".join(payload)
    text = json.dumps(header, allow_nan=False).encode("utf-8")
    stream.write(_LENGTHS.pack(len(text), len(body)) + text + body)
    stream.flush()


def read(stream: BinaryIO) -> Optional[Message]:
    """The next message, or None at the end of the stream.  Raises ProtocolError on a frame that is not one."""
    prefix = _exactly(stream, _LENGTHS.size, at_start=True)
    if not prefix:
        return None
    text_length, body_length = _LENGTHS.unpack(prefix)
    if text_length > LIMIT or body_length > LIMIT:
        raise ProtocolError("impossible length %d + %d" % (text_length, body_length))
    text, body = _exactly(stream, text_length), _exactly(stream, body_length)
    try:
        header = json.loads(text.decode("utf-8"))
        return Message(header, list(_arrays(header.pop("arrays"), body)))
    except (AttributeError, KeyError, TypeError, ValueError, RecursionError) as error:
        raise ProtocolError("not a message: %s: %s" % (type(error).__name__, error)) from None


def _arrays(items: Sequence[Tuple[str, str, List[int]]], body: bytes) -> Iterator[Tensor]:
    """The tensors that a header lists, which must use up the payload."""
    offset = 0
    for dtype, storage, shape in items:
        kind = np.dtype(storage)
        if kind.hasobject:
            raise ProtocolError("object arrays are not transported")
        count = 1
        for length in shape:
            count *= length
        if count < 0 or offset + count * kind.itemsize > len(body):
            raise ProtocolError("impossible shape %s" % (shape,))
        bits = np.frombuffer(body, dtype=kind, count=count, offset=offset).reshape(shape)
        offset += count * kind.itemsize
        yield Tensor(dtype, bits)
    if offset != len(body):
        raise ProtocolError("%d bytes of the payload belong to no array" % (len(body) - offset))


def _exactly(stream: BinaryIO, count: int, at_start: bool = False) -> bytes:
    chunks = []
    missing = count
    while missing:
        chunk = stream.read(missing)
        if not chunk:
            if at_start and missing == count:
                return b""
            raise ProtocolError("the stream ended %d bytes early" % missing)
        chunks.append(chunk)
        missing -= len(chunk)
    return b"".join(chunks)
