"""A run as one JSON document: header, scoreboard, causes, tolerances, speeds, footer."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import msgspec

from conformance.record import RunRecord
from conformance.summary import causes, scoreboard


def document(record: RunRecord) -> dict[str, Any]:
    """The document as plain data."""
    return {
        "interrupted": record.interrupted,
        "header": msgspec.to_builtins(record.header),
        "scoreboard": [asdict(row) for row in scoreboard(record)],
        "causes": [
            {
                key: list(value) if key in ("dtypes", "implementations") else value
                for key, value in asdict(one).items()
                if not key.startswith("_")
            }
            for one in causes(record)
        ],
        "tolerances": msgspec.to_builtins(record.tolerances),
        "speeds": msgspec.to_builtins(record.speeds),
        "footer": msgspec.to_builtins(record.footer),
    }


def render(record: RunRecord) -> str:
    """The document as text."""
    return msgspec.json.format(msgspec.json.encode(document(record)), indent=2).decode() + "\n"
