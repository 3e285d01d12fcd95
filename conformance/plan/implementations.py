"""Implementations under test, as their adapters declared them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from conformance import contracts

#: The mode in which an entry point is called plainly.
BASE_MODE = "eager"


@dataclass(frozen=True, kw_only=True)
class Implementation:
    """An implementation under test as its adapter declared it."""

    adapter: str
    key: str
    entry: str
    mode: str
    device: str
    form: str
    dtypes: tuple[str, ...]
    options: tuple[str, ...]
    reductions: tuple[str, ...]
    quantities: tuple[str, ...]
    contract: contracts.Contract
    link: str = ""
    parameters: tuple[str, ...] = ()
    labels: str = "any"
    counterpart: str = ""
    masks: bool = False
    without: tuple[str, ...] = ()
    layouts: tuple[str, ...] = ("contiguous",)
    producers: tuple[str, ...] = ()
    few_shapes: bool = False
    varied: bool = False

    @property
    def id(self) -> str:
        """backend/entry/mode/device."""
        return f"{self.adapter}/{self.key}"

    @property
    def family(self) -> str:
        """backend/entry: what modes and devices have in common, and what a cause is attributed to."""
        return f"{self.adapter}/{self.entry}"


def implementation_from_wire(adapter: str, item: dict[str, Any]) -> Implementation:
    """The parent's view of a declaration.  Raises ValueError where its contract is not of the vocabulary."""
    item = dict(item)
    contract = contracts.from_wire(item.pop("contract"))
    rest: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in item.items()}
    return Implementation(adapter=adapter, contract=contract, **rest)
