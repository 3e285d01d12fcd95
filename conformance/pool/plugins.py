"""Adapters that other distributions bring: entry points of the group `bce_conformance.adapters`.

The value of an entry point is a module that defines `adapters`.  The parent only reads metadata; a worker imports it.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points

from conformance.worker.protocol import MODULE

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
    return tuple(sorted(map(_plugin, entry_points(group=GROUP)), key=lambda plugin: (plugin.name, plugin.distribution)))


def _plugin(point: EntryPoint) -> Plugin:
    """An entry point with its module; an attribute that it names is of no use: adapters are called `adapters`."""
    assert point.dist is not None, "of an installed distribution"
    module = point.value.partition(":")[0].strip()
    return Plugin(point.name, f"{point.dist.name} {point.dist.version}", MODULE + module)
