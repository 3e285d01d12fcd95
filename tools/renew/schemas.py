"""The published schemas, docs/schema."""

from __future__ import annotations

from conformance.commands.lint import SCHEMAS, schema_text


def files() -> dict[str, str]:
    """Each schema by its path in the repository."""
    return {f"docs/schema/{what}.json": schema_text(what) for what in SCHEMAS}
