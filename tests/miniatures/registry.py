"""The catalogue: every miniature with its kind, and what is said of it."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from conformance.adapters import Implementation
from tests.miniatures.base import Loss


@dataclass(frozen=True)
class Miniature:
    """One entry of the catalogue.

    A `rare` one is wrong on less than 1 % of all inputs, or only in a gradient, in one dtype, in one shape or layout,
    or when it is compiled.  `report` is the upstream report that it miniaturises.
    """

    cls: type[Loss]
    wrong: bool
    rare: bool = False
    report: str = ""
    compiled: bool = False

    @property
    def kind(self) -> str:
        """The module that the miniature stands in, which is also its adapter's name."""
        return self.cls.__module__.rsplit(".", 1)[-1]

    @property
    def name(self) -> str:
        """The class's name in lower case, words joined by _; the entry of the implementation."""
        return "_".join(re.findall("[A-Z][a-z0-9]*", self.cls.__name__.replace("NaN", "Nan"))).lower()

    def implementations(self) -> list[Implementation]:
        """The miniature as an adapter declares it; beside a compiled one stands what is right when it is eager."""
        if self.compiled:
            return [
                self._implementation(self.cls.__mro__[1], "eager"),
                self._implementation(self.cls, "compiled"),
            ]
        return [self._implementation(self.cls, "eager")]

    def _implementation(self, cls: type[Loss], mode: str) -> Implementation:
        loss = cls()

        def quantity(name: str) -> Callable[..., Any]:
            return lambda prediction, label, **rest: loss.call(name, prediction, label, **rest)

        offered = [
            name
            for name in cls.quantities
            if name != "value"
            and (not name.startswith("gradient-") or name[9:] in ("prediction", "label", *cls.options))
        ]
        return Implementation(
            self.name,
            cls.form,
            quantity("value"),
            dtypes=cls.dtypes,
            options=cls.options,
            reductions=cls.reductions,
            contract=cls.contract,
            derivatives={name: quantity(name) for name in offered},
            mode=mode,
            parameters=cls.parameters,
        )


CATALOGUE: dict[str, Miniature] = {}


def _add(miniature: Miniature) -> None:
    if not miniature.cls.__doc__:
        raise TypeError(f"{miniature.name} does not say what it is")
    if miniature.name in CATALOGUE:
        raise ValueError(f"two miniatures are called {miniature.name}")
    CATALOGUE[miniature.name] = miniature


def right(cls: type[Loss]) -> type[Loss]:
    """A class in which no check may find anything."""
    _add(Miniature(cls, wrong=False))
    return cls


def wrong(rare: bool = False, report: str = "", compiled: bool = False) -> Callable[[type[Loss]], type[Loss]]:
    """A class in which a check must find something."""

    def register(cls: type[Loss]) -> type[Loss]:
        _add(Miniature(cls, wrong=True, rare=rare or compiled, report=report, compiled=compiled))
        return cls

    return register
