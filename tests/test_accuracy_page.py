"""docs/accuracy.md and the corpus of worst cases are what the certificates say."""

from __future__ import annotations

from pathlib import Path

import pytest
from markdown_it import MarkdownIt

from conformance.sweep import certificate, corpus
from docs import renew_accuracy

ROOT = Path(__file__).parent.parent

FOUND = renew_accuracy.certificates()


def test_the_page_is_generated_from_the_certificates() -> None:
    """`python -m docs.renew_accuracy` changes nothing."""
    assert (ROOT / "docs" / "accuracy.md").read_text(encoding="utf-8") == renew_accuracy.page(FOUND)


def test_the_page_has_a_row_for_every_result() -> None:
    """Read back by a parser of Markdown."""
    tokens = MarkdownIt("commonmark").enable("table").parse(renew_accuracy.page(FOUND))
    rows = [one for one in tokens if one.type == "tr_open"]
    heads = [one for one in tokens if one.type == "thead_open"]
    legend = 8
    assert len(rows) == legend + len(heads) + sum(len(one.results) for one in FOUND) - 1


def test_every_worst_case_of_a_certificate_is_in_the_corpus() -> None:
    """By an id of its own."""
    kept = {
        f"{file.stem}/{case.id}": case
        for file in sorted((ROOT / "cases" / "worst").glob("*.yaml"))
        for case in corpus.read(file).worst
    }
    found = {f"{one.backend}/{case.id}": case for one in FOUND for case in corpus.cases_of([one])}
    assert found
    assert {name: kept.get(name) for name in found} == found


def test_renewing_the_corpus_keeps_what_is_there(tmp_path: Path) -> None:
    """Ids are stable: an entry that no certificate has stays."""
    first, *rest = FOUND
    corpus.renew(tmp_path, [first])
    before = corpus.read(tmp_path / f"{first.backend}.yaml").worst
    corpus.renew(tmp_path, [one for one in rest if one.backend == first.backend])
    after = corpus.read(tmp_path / f"{first.backend}.yaml").worst
    assert set(before) <= set(after)


@pytest.mark.parametrize("one", FOUND, ids=lambda one: f"{one.backend}-{one.form}-{one.quantity}-{one.dtype}")
def test_a_certificate_counts_every_result_once(one: certificate.Certificate) -> None:
    """Results times labels times implementations, as the ranges say; every result has a distance or has raised."""
    assert sum(result.points for result in one.results) == one.covered["points"]
    for result in one.results:
        assert sum(result.ordinals) + result.classes.get("raised", 0) == result.points
