"""Conformance suite for binary cross-entropy (BCE) across deep-learning frameworks.

For a loss of your own: `from conformance import assert_conforms, diagnose, measure` (`conformance.own_loss`).
For the loss of a batch: `from conformance import doctor, watch` (`conformance.checkup`).

This module is imported by workers too: it needs no package and runs on Python 3.7.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from conformance.version import __version__

__all__ = ["Allowed", "Report", "__version__", "assert_conforms", "diagnose", "doctor", "measure", "watch"]

if TYPE_CHECKING:
    from conformance.checkup import doctor, watch
    from conformance.own_loss.allowed import Allowed
    from conformance.own_loss.api import assert_conforms, measure
    from conformance.own_loss.text import Report
    from conformance.own_loss.why import diagnose
else:

    def __getattr__(name: str) -> Any:
        """The names for users, which need packages that a worker does not have, on first use."""
        if name not in __all__:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        if name in ("doctor", "watch"):
            from conformance import checkup

            return getattr(checkup, name)
        from conformance.own_loss import api, why

        return getattr(why if name == "diagnose" else api, name)
