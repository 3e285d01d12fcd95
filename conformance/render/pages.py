"""HTML pages: templates in `templates/`, in which every value is escaped and every name must be known."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from conformance.render.characters import clean
from conformance.render.narrate import counted

if TYPE_CHECKING:
    from jinja2 import Environment


def page(template: str, **values: object) -> str:
    """The page that a template and its values make."""
    return _environment().get_template(template).render(**values)


@cache
def _environment() -> Environment:
    import jinja2  # here, so that all other commands start without it

    made = jinja2.Environment(
        loader=jinja2.PackageLoader("conformance.render"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        finalize=lambda value: clean(value) if type(value) is str else value,  # markup is the template's own
    )
    made.globals["counted"] = counted
    return made
