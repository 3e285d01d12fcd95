"""What happened when an implementation was called."""

from __future__ import annotations

import getpass
import math
import os
import re
import signal
import socket
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct

from conformance.numbers.formats import FORMATS, Tensor
from conformance.worker.protocol import Header

Kind = Literal["returned", "raised", "crashed", "timed-out"]


@dataclass(frozen=True, kw_only=True)
class Observation:
    """One call: what came back, or how it ended.

    `tensor`, `changed` (names of inputs that the call altered), `differs` (what gave another result when the call was
    made again) and `alone` (positions of elements that have other bits when they are called alone, with these) belong
    to "returned"; `type`, `message` and `control` (whether the paired control succeeded) to "raised"; `message` also
    tells how a process ended.  Of a presentation `tensor` holds the distinct patterns of each element, `positions`
    where each stands first in the result, `counts` how often, `whole` the shape of all of it.
    """

    kind: Kind
    tensor: Tensor | None = None
    changed: tuple[str, ...] = ()
    differs: str = ""
    alone: tuple[tuple[int, Tensor], ...] = ()
    whole: tuple[int, ...] | None = None
    positions: tuple[int, ...] = ()
    counts: tuple[int, ...] = ()
    warnings: tuple[str, ...] = ()
    type: str = ""
    message: str = ""
    control: bool = False

    @property
    def killed(self) -> bool:
        """Whether the process was ended by a signal that comes from outside of it as a rule."""
        return self.kind == "crashed" and self.message in _KILLED

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape that came back; () where nothing did."""
        return self.whole if self.whole is not None else self.tensor.shape if self.tensor is not None else ()


#: How a process ends that another one ends, or the system for want of memory.
_KILLED = {f"the process was ended by {name}" for name in ("SIGKILL", "SIGTERM")}

#: Observations of one numeric quantity of a request: one for the whole tensor, or one for each element.
Observed = tuple[Observation, ...]


#: A count or a place, of at most as many elements as a file of the system can have bytes.
_Natural = Annotated[int, Meta(ge=0, le=1 << 62)]


class _Returned(Struct, tag_field="kind", tag="returned", kw_only=True):
    """What a worker says of a call that returned: places in the arrays beside it, and what else was seen."""

    array: _Natural
    changed: tuple[str, ...]
    differs: str
    warnings: tuple[str, ...]
    alone: tuple[tuple[_Natural, _Natural], ...] = ()
    shape: tuple[_Natural, ...] | None = None
    positions: tuple[_Natural, ...] = ()
    counts: tuple[_Natural, ...] = ()


class _Raised(Struct, tag_field="kind", tag="raised"):
    """What a worker says of a call that raised."""

    type: str
    message: str
    control: bool = False


class _Answer(Struct):
    observations: dict[str, tuple[_Returned | _Raised, ...]]


def from_wire(item: _Returned | _Raised, arrays: list[Tensor]) -> Observation:
    """An observation as a worker sent it, without anything that tells whose machine it was.  Raises ValueError."""
    if isinstance(item, _Raised):
        return Observation(kind="raised", type=item.type, message=anonymous(item.message)[:400], control=item.control)
    places = [item.array, *(place for _, place in item.alone)]
    if max(places) >= len(arrays):
        raise ValueError(f"array {max(places)} of {len(arrays)}")
    tensor = arrays[item.array]
    for one in (arrays[place] for place in places):
        if one.dtype in FORMATS and one.bits.dtype != FORMATS[one.dtype].storage:
            raise ValueError(f"{one.dtype} in {one.bits.dtype}")
    if any(index >= tensor.bits.size for index, _ in item.alone):
        raise ValueError(f"an element alone that is none of {tensor.bits.size}")
    if item.shape is not None:
        size = math.prod(item.shape)
        if not len(item.positions) == len(item.counts) == tensor.bits.size or sum(item.counts) != size:
            raise ValueError(f"{len(item.positions)} positions and {len(item.counts)} counts of {size} elements")
        if any(position >= size for position in item.positions):
            raise ValueError(f"a position beyond {size}")
    return Observation(
        kind="returned",
        tensor=tensor,
        changed=item.changed,
        differs=item.differs,
        alone=tuple((index, arrays[place]) for index, place in item.alone),
        whole=item.shape,
        positions=item.positions,
        counts=item.counts,
        warnings=tuple(anonymous(text) for text in item.warnings),
    )


def observed(answer: Header, arrays: list[Tensor]) -> dict[str, Observed]:
    """The observations of every call of a request, as a worker answered it.  Raises ValueError for what is none."""
    said = msgspec.convert(answer, _Answer)
    return {call: tuple(from_wire(item, arrays) for item in items) for call, items in said.observations.items()}


def ended(returncode: int) -> Observation:
    """The observation of a worker that ended during the call."""
    if returncode < 0:
        try:
            name = signal.Signals(-returncode).name
        except ValueError:
            name = f"signal {-returncode}"
        return Observation(kind="crashed", message=f"the process was ended by {name}")
    return Observation(kind="crashed", message=f"the process exited with status {returncode}")


def anonymous(text: str) -> str:
    """`text` without home path, user name, host name, memory addresses; lone surrogates, which no file takes, as ?."""
    text = text.encode("utf-8", "replace").decode("utf-8")
    for pattern, replacement in _private():
        text = pattern.sub(replacement, text)
    return text


def portable(path: str) -> str:
    """A path as it was given; an absolute one from the current folder or from `~`, without user and host name."""
    for folder, name in ((os.getcwd(), "."), (os.path.expanduser("~"), "~")):
        if Path(path).is_relative_to(folder):
            path = f"{name}/{Path(path).relative_to(folder).as_posix()}"
            break
    for pattern, replacement in _names():
        path = pattern.sub(replacement, path)
    return path


#: Where a machine has its libraries, and other files of Python that a traceback names: the rest says which file it is.
_PLACES = (
    (re.compile(r"""(?<![\w.~/:])(?:/[^\s"'/:;,()<>]+)*/(?=(?:site|dist)-packages/)"""), ""),
    (re.compile(r"""(?<![\w.~…/:-])(?:/[^\s"'/:;,()<>]+)+/(?=[^\s"'/:;,()<>]+\.pyx?\b)"""), "…/"),
)


@cache
def _private() -> tuple[tuple[re.Pattern[str], str], ...]:
    patterns = [(re.compile(r"0x[0-9a-f]{8,16}\b"), "0x…"), *_PLACES]
    home = os.path.expanduser("~")
    patterns = [
        (re.compile(re.escape(path)), "~")
        for path in sorted((home, os.getcwd()), key=len, reverse=True)
        if len(path) > 4
    ] + patterns
    return (*patterns, *_names())


@cache
def _names() -> tuple[tuple[re.Pattern[str], str], ...]:
    """The names of host and user."""
    patterns = []
    host = socket.gethostname()
    if len(host) > 2 and host != "localhost":
        patterns.append((re.compile(rf"\b{re.escape(host)}\b"), "HOST"))
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        user = ""
    if len(user) > 2 and user != "root":
        patterns.append((re.compile(rf"\b{re.escape(user)}\b"), "USER"))
    return tuple(patterns)
