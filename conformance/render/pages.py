"""HTML pages: templates in `templates/`, in which every value is escaped and every name must be known."""

from __future__ import annotations

from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from conformance.render.characters import clean

_ENVIRONMENT = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    finalize=lambda value: clean(value) if type(value) is str else value,  # markup is the template's own
)


def page(template: str, **values: object) -> str:
    """The page that a template and its values make."""
    return _ENVIRONMENT.get_template(template).render(**values)
