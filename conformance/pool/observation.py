"""What happened when an implementation was called."""

from __future__ import annotations

import getpass
import os
import re
import signal
import socket
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

from conformance.numbers.formats import Tensor
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
    def shape(self) -> tuple[int, ...]:
        """The shape that came back; () where nothing did."""
        return self.whole if self.whole is not None else self.tensor.shape if self.tensor is not None else ()


#: Observations of one numeric quantity of a request: one for the whole tensor, or one for each element.
Observed = tuple[Observation, ...]


def from_wire(item: Header, arrays: list[Tensor]) -> Observation:
    """An observation as a worker sent it, without anything that tells whose machine it was."""
    if item["kind"] == "returned":
        tensor = arrays[item["array"]]
        return Observation(
            kind="returned",
            tensor=tensor,
            changed=tuple(item["changed"]),
            differs=item["differs"],
            alone=tuple((index, arrays[place]) for index, place in item.get("alone", ())),
            whole=tuple(item["shape"]) if "shape" in item else None,
            positions=tuple(item.get("positions", ())),
            counts=tuple(item.get("counts", ())),
            warnings=tuple(anonymous(text) for text in item["warnings"]),
        )
    return Observation(
        kind="raised", type=item["type"], message=anonymous(item["message"])[:400], control=bool(item.get("control"))
    )


def observed(answer: Header, arrays: list[Tensor]) -> dict[str, Observed]:
    """The observations of every call of a request, as a worker answered it."""
    return {call: tuple(from_wire(item, arrays) for item in items) for call, items in answer["observations"].items()}


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


@cache
def _private() -> tuple[tuple[re.Pattern[str], str], ...]:
    patterns = [(re.compile(r"0x[0-9a-f]{8,16}\b"), "0x…")]
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
