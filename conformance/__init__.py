"""Conformance suite for binary cross-entropy (BCE) across deep-learning frameworks.

For a loss of your own: `from conformance import assert_conforms, measure` (`conformance.api`).

This module is imported by workers too: it needs no package and runs on Python 3.7.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

__all__ = ["Report", "assert_conforms", "measure"]

if TYPE_CHECKING:
    from conformance.api import assert_conforms, measure
    from conformance.report import Report
else:

    def __getattr__(name: str) -> Any:
        """The names for users, which need packages that a worker does not have, on first use."""
        if name not in __all__:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from conformance import api

        return getattr(api, name)
