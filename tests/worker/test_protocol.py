"""Messages between parent and worker: what goes in comes out, and a stream that holds no message is refused."""

from __future__ import annotations

import io
import json
import pickle
import struct

import numpy as np
import pytest

from conformance.numbers.formats import FORMATS, Tensor
from conformance.worker import protocol
from conformance.worker.protocol import Message, ProtocolError


class Trickle(io.BytesIO):
    """A stream that gives one byte at a time, as a slow pipe may."""

    def read(self, count: int | None = -1, /) -> bytes:
        """At most one byte."""
        return super().read(min(count or 0, 1))


def written(header: dict[str, object], arrays: list[Tensor]) -> bytes:
    """The bytes of one message."""
    stream = io.BytesIO()
    protocol.write(stream, header, arrays)
    return stream.getvalue()


def framed(header: object, body: bytes = b"") -> bytes:
    """A frame whose header is any JSON value."""
    text = json.dumps(header).encode()
    return struct.pack(">QQ", len(text), len(body)) + text + body


def same(left: Tensor, right: Tensor) -> bool:
    """Whether two tensors have the same dtypes, shape and bytes."""
    return (
        left.dtype == right.dtype
        and left.shape == right.shape
        and left.bits.dtype == right.bits.dtype
        and left.bits.tobytes() == right.bits.tobytes()
    )


@pytest.mark.parametrize("shape", [(), (0,), (1,), (5,), (2, 3), (2, 0, 3)], ids=str)
@pytest.mark.parametrize("fmt", FORMATS.values(), ids=list(FORMATS))
def test_tensors_arrive_as_they_were_sent(fmt: object, shape: tuple[int, ...]) -> None:
    """Every storage and shape, 0-d and empty ones included, comes back bit for bit."""
    random = np.random.default_rng(3)
    storage = fmt.storage  # type: ignore[attr-defined]
    bits = random.integers(0, np.iinfo(storage).max, shape, dtype=storage, endpoint=True)
    sent = Tensor(fmt.name, np.asarray(bits, dtype=storage))  # type: ignore[attr-defined]
    message = protocol.read(io.BytesIO(written({"op": "x"}, [sent])))
    assert message is not None
    (received,) = message.arrays
    assert same(received, sent)


@pytest.mark.parametrize("storage", ["bool", "int8", "int64", "uint64", ">f4", "complex64", "<U3", "M8[s]"])
def test_results_of_other_dtypes_arrive_too(storage: str) -> None:
    """What an implementation returns by mistake has to be reported, so it has to travel."""
    sent = Tensor(storage, np.zeros((2, 2), dtype=storage))
    message = protocol.read(io.BytesIO(written({}, [sent])))
    assert message is not None
    assert same(message.arrays[0], sent)


def test_strided_tensors_arrive_in_their_order() -> None:
    """Memory layout is not part of a message."""
    bits = np.arange(12, dtype=np.uint32).reshape(3, 4)
    for view in (bits.T, bits[:, ::-2], np.asfortranarray(bits)):
        message = protocol.read(io.BytesIO(written({}, [Tensor("float32", view)])))
        assert message is not None
        assert np.array_equal(message.arrays[0].bits, view)


def test_messages_follow_each_other_in_a_stream() -> None:
    """Several messages with several tensors are read in order, and then the stream ends."""
    tensors = [Tensor("float16", np.arange(n, dtype=np.uint16)) for n in range(4)]
    stream = io.BytesIO(b"".join(written({"number": n, "text": "ä\n"}, tensors[:n]) for n in range(4)))
    for n in range(4):
        message = protocol.read(stream)
        assert message is not None
        assert message.header == {"number": n, "text": "ä\n"}
        assert all(map(same, message.arrays, tensors[:n]))
        assert len(message.arrays) == n
    assert protocol.read(stream) is None


def test_a_message_is_read_from_a_pipe_that_gives_single_bytes() -> None:
    """How the bytes are cut into reads does not matter."""
    sent = Tensor("float64", np.arange(3, dtype=np.uint64))
    message = protocol.read(Trickle(written({"a": 1}, [sent])))
    assert isinstance(message, Message)
    assert same(message.arrays[0], sent)


def test_writing_leaves_the_header_alone() -> None:
    """The caller's dictionary does not get the list of arrays."""
    header: dict[str, object] = {"op": "x"}
    written(header, [])
    assert header == {"op": "x"}


def test_a_frame_that_is_cut_anywhere_is_refused() -> None:
    """Every proper prefix of a message but the empty one raises ProtocolError."""
    whole = written({"op": "x"}, [Tensor("float32", np.arange(5, dtype=np.uint32))])
    for length in range(1, len(whole)):
        with pytest.raises(ProtocolError, match=r"ended \d+ bytes early"):
            protocol.read(io.BytesIO(whole[:length]))


@pytest.mark.parametrize(
    "lengths",
    [(protocol.LIMIT + 1, 0), (2, protocol.LIMIT + 1), (2**64 - 1, 2**64 - 1), (2**63, 0)],
    ids=["header", "payload", "both", "sign"],
)
def test_an_impossible_length_is_refused_before_anything_is_read(lengths: tuple[int, int]) -> None:
    """A length beyond the limit raises at once: nothing of that size is awaited or allocated."""
    stream = io.BytesIO(struct.pack(">QQ", *lengths) + b"{}" * 50)
    with pytest.raises(ProtocolError, match="impossible length"):
        protocol.read(stream)
    assert stream.tell() == 16


@pytest.mark.parametrize(
    "data",
    [b"Hello from a framework, on the wrong file descriptor\n", b"\0" * 64, b"\xff" * 64],
    ids=["text", "zeros", "ones"],
)
def test_foreign_bytes_are_refused(data: bytes) -> None:
    """Text, zeros or noise in the pipe raises ProtocolError, no other exception."""
    with pytest.raises(ProtocolError):
        protocol.read(io.BytesIO(data))


@pytest.mark.parametrize(
    "frame",
    [
        framed([]),
        framed("text"),
        framed(5),
        framed(None),
        framed({}),
        framed({"arrays": 5}),
        framed({"arrays": [5]}),
        framed({"arrays": [["float32", "<u4"]]}),
        framed({"arrays": [["float32", "no such dtype", [1]]]}),
        framed({"arrays": [["float32", "<u4", [2]]]}, b"\0" * 4),
        framed({"arrays": [["float32", "<u4", [-1]]]}, b"\0" * 4),
        framed({"arrays": [["float32", "<u4", ["x"]]]}, b"\0" * 4),
        framed({"arrays": [["float32", "<u4", [1 << 40, 1 << 40]]]}, b"\0" * 4),
        struct.pack(">QQ", 2, 0) + b"{]",
        struct.pack(">QQ", 2, 0) + b"\xff\xfe",
    ],
)
def test_a_frame_whose_header_is_wrong_is_refused(frame: bytes) -> None:
    """Any header that does not describe its payload raises ProtocolError, no other exception."""
    with pytest.raises(ProtocolError):
        protocol.read(io.BytesIO(frame))


def test_a_payload_that_is_longer_than_its_arrays_is_refused() -> None:
    """Bytes that belong to no array mean that something wrote into the pipe."""
    frame = framed({"arrays": [["float32", "<u4", [1]]]}, b"\0" * 8)
    with pytest.raises(ProtocolError):
        protocol.read(io.BytesIO(frame))


class Trap:
    """An object that would tell if it was unpickled."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (pytest.fail, ("a message was unpickled",))


@pytest.mark.parametrize("storage", ["|O", "O8", "object"])
def test_object_arrays_are_refused_when_read(storage: str) -> None:
    """A header that announces Python objects raises; its payload is not unpickled."""
    payload = pickle.dumps(Trap())
    with pytest.raises(ProtocolError, match="object"):
        protocol.read(io.BytesIO(framed({"arrays": [["float32", storage, [1]]]}, payload)))


def test_object_arrays_are_refused_when_written() -> None:
    """An array of Python objects is not sent: its bytes would be addresses of this process."""
    stream = io.BytesIO()
    with pytest.raises(ProtocolError, match="object"):
        protocol.write(stream, {}, [Tensor("object", np.array([{}], dtype=object))])
    assert stream.getvalue() == b""


@pytest.mark.parametrize("number", [float("nan"), float("inf"), float("-inf")])
def test_bare_non_finite_numbers_are_not_sent_in_a_header(number: float) -> None:
    """Headers are strict JSON: NaN and infinities travel as arrays only."""
    stream = io.BytesIO()
    with pytest.raises(ValueError, match="JSON"):
        protocol.write(stream, {"number": number}, [])
    assert stream.getvalue() == b""
