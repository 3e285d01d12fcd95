"""A choice as one HTML page that asks no network for anything, in light and dark."""

from __future__ import annotations

from conformance.render.choice import Page
from conformance.render.pages import page as filled


def render(page: Page) -> str:
    """The document; every text in it is escaped."""
    return filled("choice.html.j2", page=page)
