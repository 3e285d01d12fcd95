"""`make renew`: generated pages and data are what the code and the kept records say."""

from __future__ import annotations

from pathlib import Path

import pytest

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
