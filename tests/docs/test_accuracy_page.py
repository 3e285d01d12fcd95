"""docs/accuracy.md and the corpus of worst cases are what the certificates say."""

from __future__ import annotations

from pathlib import Path

import pytest
from markdown_it import MarkdownIt

from conformance.render import maxima
from conformance.sweep import certificate, corpus
from tools.renew import accuracy

ROOT = Path(__file__).parents[2]

FOUND = accuracy.certificates()


def tables(text: str) -> list[list[str]]:
    """The rows of all tables of a page, as a parser of Markdown reads them, heads left out."""
    tokens = MarkdownIt("commonmark").enable("table").parse(text)
    rows: list[list[str]] = []
    body = False
    for one in tokens:
        body = {"tbody_open": True, "tbody_close": False}.get(one.type, body)
        if body and one.type == "tr_open":
            rows.append([])
        elif body and one.type == "inline":
            rows[-1].append(one.content)
    return rows


def test_the_details_have_a_row_for_every_result() -> None:
    """Behind the legend."""
    legend = 7
    assert len(tables(accuracy.details(FOUND))) == legend + sum(len(one.results) for one in FOUND)


@pytest.mark.parametrize("backend", ["torch", "tensorflow", "jax"])
def test_every_cell_of_the_overview_is_proved(backend: str) -> None:
    """For PyTorch, TensorFlow and optax: every label in float32, all pairs of 16-bit types, values and gradients."""
    sampled = 1 + len(maxima.SAMPLED)
    cells = tables(accuracy.page(FOUND))
    rows = [one for one in cells if one[0].startswith(f"{backend}/") and len(one) != sampled]
    assert len(rows) >= 2
    assert [text for one in rows for text in one[1:7] if not text.startswith("proved ")] == []


@pytest.mark.parametrize("backend", ["torch", "tensorflow", "jax"])
def test_what_cannot_be_swept_is_sampled_and_says_that_it_is_a_lower_bound(backend: str) -> None:
    """float64 and pairs of float32, losses and gradients."""
    sampled = 1 + len(maxima.SAMPLED)
    cells = tables(accuracy.page(FOUND))
    rows = [one for one in cells if one[0].startswith(f"{backend}/") and len(one) == sampled]
    assert rows
    assert [text for one in rows for text in one[1:] if not text.startswith("at least ")] == []


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
    file = tmp_path / f"{first.backend}.yaml"
    file.write_text(corpus.renewed(tmp_path, [first])[file])
    before = corpus.read(file).worst
    file.write_text(corpus.renewed(tmp_path, [one for one in rest if one.backend == first.backend])[file])
    after = corpus.read(file).worst
    assert set(before) <= set(after)


@pytest.mark.parametrize("one", FOUND, ids=lambda one: f"{one.backend}-{one.form}-{one.quantity}-{one.dtype}")
def test_a_certificate_counts_every_result_once(one: certificate.Certificate) -> None:
    """Results times labels times implementations, as the ranges say, and those of the search around samples.

    Every result has a distance, or a class, or has raised.
    """
    found = sum(result.points for result in one.results)
    if one.covered["samples"]:
        assert found > one.covered["points"]
    else:
        assert found == one.covered["points"]
    for result in one.results:
        counted = sum(result.classes.values()) if one.covered["samples"] else result.classes.get("raised", 0)
        assert sum(result.ordinals) + counted == result.points
