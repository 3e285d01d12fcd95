"""A choice as Markdown, which ends with a paragraph for the team."""

from __future__ import annotations

from collections.abc import Iterator

from conformance.render.choice import Page
from conformance.render.markdown import cell, row


def render(page: Page) -> str:
    """The whole document."""
    return "\n".join(_lines(page)) + "\n"


def _lines(page: Page) -> Iterator[str]:
    yield f"# {cell(page.title)}"
    yield ""
    yield f"**{cell(page.take)}**"
    yield ""
    for name in page.interrupted:
        yield f"**INTERRUPTED: {cell(name)} has no end.**"
        yield ""
    for source in page.sources:
        yield f"- read: {cell(source)}"
    for place, grid in enumerate(page.grids):
        yield ""
        yield f"## {cell(grid.caption)}"
        yield ""
        yield row(list(map(cell, grid.columns)))
        yield row(["---" if index < grid.texts else "--:" for index in range(len(grid.columns))])
        for cells in grid.rows:
            yield row(list(map(cell, cells)))
        if grid.legend:
            yield ""
            yield cell(grid.legend)
        if place == 0:
            yield ""
            yield from (f"- {cell(name)}: {cell(said)}" for name, said in page.sentences)
    yield ""
    yield "## What this cannot tell"
    yield ""
    for line in page.limits:
        yield f"- {cell(line)}"
    yield ""
    yield "## For the team"
    yield ""
    yield "`".join(cell(part) if index % 2 == 0 else part for index, part in enumerate(page.team.split("`")))
