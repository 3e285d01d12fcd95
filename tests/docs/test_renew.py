"""`make renew`: generated pages and data are what the code and the kept records say."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
from markdown_it import MarkdownIt

from conformance.known.record import default_place, load
from tools.renew import everything


@pytest.mark.slow
def test_nothing_is_left_to_renew() -> None:
    """`make renew` after every change of cases, adapters, contracts, commands, file formats or certificates."""
    assert list(everything.changes()) == []


def test_what_is_not_generated_any_more_is_removed_and_the_rest_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A second time there is nothing to do."""
    monkeypatch.setattr(everything, "ROOT", tmp_path)
    monkeypatch.setattr(everything, "files", lambda: {"docs/reference/cases/new.md": "new", "docs/page.md": "page"})
    (tmp_path / "docs" / "reference").mkdir(parents=True)
    (tmp_path / "docs" / "reference" / "gone.md").write_text("gone")
    (tmp_path / "docs" / "page.md").write_text("page")
    todo = {"docs/reference/gone.md": None, "docs/reference/cases/new.md": "new"}
    assert everything.changes() == todo
    assert list(everything.write(todo)) == list(todo)
    assert everything.changes() == {}


def test_every_problem_has_a_block_of_its_own_that_eighty_columns_hold() -> None:
    """Its title is the heading, and below stand its id and what to write instead; no table is wider than a page."""
    tokens = MarkdownIt("commonmark").enable("table").parse((everything.ROOT / "docs/problems.md").read_text("utf-8"))
    assert [token.type for token in tokens if token.type == "table_open"] == []
    blocks: dict[str, list[str]] = {}
    for before, token in pairwise(tokens):
        text = "".join(one.content for one in token.children or ())
        if before.type == "heading_open" and before.tag == "h3":
            blocks[text] = []
        elif token.type == "inline" and blocks and before.type == "paragraph_open":
            list(blocks.values())[-1].append(text)
    known = load((default_place(),)).problems.values()
    assert sorted(blocks) == sorted(one.title for one in known)
    for one in known:
        assert blocks[one.title][0].startswith(f"{one.id}, {one.kind}, ")
        assert f"instead: {one.workaround}" in blocks[one.title] or one.workaround is None
