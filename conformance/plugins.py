"""Adapters that other distributions bring: entry points of the group `bce_conformance.adapters`.

The value of an entry point is a module that defines `adapters`.  The parent only reads metadata; a worker imports it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import EntryPoint, distributions

from conformance.protocol import MODULE

GROUP = "bce_conformance.adapters"


@dataclass(frozen=True)
class Plugin:
    """One entry point: its name, the distribution that brings it, and the source that a worker loads."""

    name: str
    distribution: str
    source: str


@dataclass(frozen=True)
class Refusal:
    """A plugin that cannot be used, and why; the other backends run without it."""

    plugin: Plugin
    reason: str

    def __str__(self) -> str:
        return f"plugin {self.plugin.name} of {self.plugin.distribution} refused: {self.reason}"


def installed() -> tuple[Plugin, ...]:
    """The plugins of all installed distributions, in the order of their names."""
    return tuple(sorted(_found(), key=lambda plugin: (plugin.name, plugin.distribution)))


def _found() -> Iterator[Plugin]:
    seen: set[str] = set()
    for distribution in distributions():
        name = distribution.name
        if name in seen:  # further down the path, thus shadowed
            continue
        seen.add(name)
        for point in distribution.entry_points:
            if point.group == GROUP:
                yield Plugin(point.name, f"{name} {distribution.version}", MODULE + _module(point))


def _module(point: EntryPoint) -> str:
    """The module of an entry point, whose attribute, if it names one, is of no use: adapters are called `adapters`."""
    return point.value.partition(":")[0].strip()
