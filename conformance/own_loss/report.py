"""What `measure` returns."""

from __future__ import annotations

from conformance.own_loss import text
from conformance.own_loss.found import Found


class Report(Found):
    """What was found of one loss; `print(report)` shows it."""

    def __str__(self) -> str:
        return text.whole(self)
