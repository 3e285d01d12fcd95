"""All changes.  No framework is imported here: what a change does happens in a worker."""

from __future__ import annotations

from tests.changed import jax, keras, tensorflow, torch
from tests.changed.registry import CATALOGUE

__all__ = ["CATALOGUE", "FRAMEWORKS"]

FRAMEWORKS = tuple(module.__name__.rsplit(".", 1)[-1] for module in (torch, tensorflow, keras, jax))
