"""Ids, taken apart and put together in one place.

Records, files and command lines hold them as text; no part of an id holds a slash, nor does anything but a check two
colons.  Raised is ValueError where a text has another number of parts.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple


class ImplementationId(NamedTuple):
    """backend/entry/mode/device."""

    backend: str
    entry: str
    mode: str
    device: str

    @classmethod
    def parse(cls, text: str) -> ImplementationId:
        """The id that `text` says; of a selector the mode may be a glob."""
        return _implementation(text)

    @property
    def family(self) -> str:
        """backend/entry: what modes and devices have in common, and what a cause is attributed to."""
        return f"{self.backend}/{self.entry}"

    @property
    def key(self) -> str:
        """entry/mode/device, as the adapter of the backend knows it."""
        return "/".join(self[1:])

    def __str__(self) -> str:
        return "/".join(self)


class CauseId(NamedTuple):
    """backend/entry/quantity/region/signature."""

    backend: str
    entry: str
    quantity: str
    region: str
    signature: str

    @classmethod
    def parse(cls, text: str) -> CauseId:
        """The id that `text` says."""
        return _cause(text)

    @property
    def family(self) -> str:
        """backend/entry."""
        return f"{self.backend}/{self.entry}"

    @property
    def stem(self) -> str:
        """The cause without its signature."""
        return "/".join(self[:-1])

    def __str__(self) -> str:
        return "/".join(self)


class CheckId(NamedTuple):
    """case::implementation::dtype::quantity."""

    case: str
    implementation: str
    dtype: str
    quantity: str

    @classmethod
    def parse(cls, text: str) -> CheckId:
        """The id that `text` says."""
        case, implementation, dtype, quantity = text.split("::")
        return cls(case, implementation, dtype, quantity)

    def __str__(self) -> str:
        return "::".join(self)


def backend_of(text: str) -> str:
    """The backend of a cause, an implementation or a family, or the backend that `text` is."""
    return text.partition("/")[0]


# A run has a hundred thousand lines of a few hundred implementations.
@cache
def _implementation(text: str) -> ImplementationId:
    backend, entry, mode, device = text.split("/")
    return ImplementationId(backend, entry, mode, device)


@cache
def _cause(text: str) -> CauseId:
    backend, entry, quantity, region, signature = text.split("/")
    return CauseId(backend, entry, quantity, region, signature)
