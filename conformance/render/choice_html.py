"""A choice as one HTML page that asks no network for anything, in light and dark."""

from __future__ import annotations

from conformance.render.choice import Page


def render(page: Page) -> str:
    """The document; every text in it is escaped."""
    import jinja2  # here, so that all other commands start without it

    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("conformance.render"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    return environment.get_template("choice.html.j2").render(page=page)
