"""Messages between the parent and a worker: a JSON header and the raw bytes of its arrays.

Frame: 8 bytes header length, 8 bytes payload length (both big-endian), the header as UTF-8 JSON, the payload.
The header's key "arrays" lists dtype, bits dtype, shape of each array in the payload, in order.
Nothing is ever unpickled.  Worker-side code: standard library and NumPy only, Python 3.7 on.
"""

from __future__ import annotations

import json
import struct
from typing import Any, BinaryIO, Dict, List, NamedTuple, Optional, Sequence

import numpy as np

from conformance.formats import Tensor

_LENGTHS = struct.Struct(">QQ")

#: Largest header or payload that is read (2 GiB): a corrupt length must not exhaust the memory.
LIMIT = 1 << 31


class Message(NamedTuple):
    """One message: `header` is JSON-ready, `arrays` are its tensors."""

    header: Dict[str, Any]
    arrays: List[Tensor]


class ProtocolError(Exception):
    """The stream does not hold a message: a foreign byte, an impossible length, a cut frame."""


def write(stream: BinaryIO, header: Dict[str, Any], arrays: Sequence[Tensor] = ()) -> None:
    """Write one message and flush."""
    header = dict(header)
    payload = []
    header["arrays"] = []
    for tensor in arrays:
        bits = np.ascontiguousarray(tensor.bits)
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
    header = json.loads(_exactly(stream, text_length).decode("utf-8"))
    body = _exactly(stream, body_length)
    arrays = []
    offset = 0
    for dtype, storage, shape in header.pop("arrays"):
        kind = np.dtype(storage)
        if kind.hasobject:
            raise ProtocolError("object arrays are not transported")
        count = int(np.prod(shape, dtype=np.int64))
        bits = np.frombuffer(body, dtype=kind, count=count, offset=offset).reshape(shape)
        offset += count * kind.itemsize
        arrays.append(Tensor(dtype, bits))
    return Message(header, arrays)


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
