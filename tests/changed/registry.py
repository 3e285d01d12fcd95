"""The catalogue of changes: what each one replaces, with what, and which part of the suite must tell it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

#: A function of a framework.
Function = Callable[..., Any]

#: What stands in a framework -> what a changed one has in its place.
Make = Callable[[Any], Any]


@dataclass(frozen=True)
class Place:
    """An attribute of a module, dots in it allowed, and the implementation that goes through it, as `backend/entry`."""

    module: str
    attribute: str
    implementation: str

    @property
    def backend(self) -> str:
        """The adapter of the implementation."""
        return self.implementation.split("/")[0]


@dataclass(frozen=True)
class Change:
    """One change: `make` gives of what stands at `place` what the changed framework has there.

    The implementation is run in `mode` on the cases, dtypes and quantities named; an empty tuple means all of them.
    A check of it must then have the outcome `told`: "new" for a mistake, "fixed" for what a record no longer fits.
    """

    make: Make
    place: Place
    told: str = "new"
    mode: str = "eager"
    case: tuple[str, ...] = ()
    dtype: tuple[str, ...] = ("float32",)
    quantity: tuple[str, ...] = ()

    @property
    def framework(self) -> str:
        """The module that the change stands in."""
        return self.make.__module__.rsplit(".", 1)[-1]

    @property
    def name(self) -> str:
        """Framework and function, which is unique."""
        return f"{self.framework}.{self.make.__name__}"


CATALOGUE: dict[str, Change] = {}


def change(place: Place, **fields: Any) -> Callable[[Make], Make]:
    """Put a change at `place` into the catalogue, with other fields of `Change`.

    Raises TypeError for one that does not say what it changes, ValueError where another has its name.
    """

    def register(make: Make) -> Make:
        one = Change(make, place, **fields)
        if not make.__doc__:
            raise TypeError(f"{one.name} does not say what it changes")
        if one.name in CATALOGUE:
            raise ValueError(f"two changes are called {one.name}")
        CATALOGUE[one.name] = one
        return make

    return register
