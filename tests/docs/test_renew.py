"""`make renew`: generated pages and data are what the code and the kept records say."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Callable
from itertools import pairwise, product
from pathlib import Path
from typing import Any

import msgspec
import pytest
from markdown_it import MarkdownIt

from conformance.choose.needs import BY_NAME, autocasts, parse
from conformance.errors import InputError
from conformance.known.record import default_place, load
from conformance.record import record
from conformance.record.record import SCHEMA, BackendLine, RunRecord, SpeedLine
from conformance.run import pinned
from conformance.run.held import renewed
from tests.choices import A, check, run
from tools.renew import choosing, everything
from tools.renew import pinned as renew_pinned


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


# -- which loss --------------------------------------------------------------------------------------------------------

WHICH = (everything.ROOT / choosing.PAGE).read_text(encoding="utf-8")


def rows_of(heading: str) -> list[list[str]]:
    """The cells of the first table below a heading of the page."""
    below = WHICH.partition(f"{heading}\n")[2]
    table = re.search(r"^\|.*?(?=\n\n|\Z)", below, re.MULTILINE | re.DOTALL)
    assert table is not None, heading
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in table.group().splitlines()]


def test_there_is_a_sentence_for_each_situation_and_framework_with_its_check() -> None:
    """What is wrong somewhere links to the case that shows it; the need of each row is one that `choose` takes."""
    head, _, *rows = rows_of("## What to take")
    assert head == ["you have", "in", "take", "what it does", "need"]
    assert [tuple(row[:2]) for row in rows] == list(product(choosing.SITUATIONS, choosing.FRAMEWORKS))
    for _, _, taken, said, need in rows:
        parse(re.findall("`(.*?)`", need))
        checked = r"raises$|right on all \d+ inputs$|.+ \(\[check\]\(reference/cases\.md#"
        assert re.match("-$" if taken == "nothing" else checked, said)


def test_the_page_answers_what_everybody_asks_about_pytorch() -> None:
    """BCELoss or BCEWithLogitsLoss: what each does in each precision, by proof or by a case."""
    (_, _, *rows) = rows_of("## BCELoss or BCEWithLogitsLoss?")
    said = {row[0]: row[1:] for row in rows}
    assert "returns 0 below z = -14.6 at label 0" in said["float32"][1]
    assert "returns 0 below z = -4.16 at label 0, not 0.0155" in said["bfloat16"][1]
    assert "gradient nan, not 1 at p=0, y=0" in said["float16"][0]


def test_every_documentation_of_mixed_precision_is_on_the_page() -> None:
    """With its link and what a run gave."""
    (_, _, *rows) = rows_of("## Under automatic mixed precision")
    assert {(row[2], row[3]) for row in rows} == {
        (one.seen, f"[documentation]({one.url})") for one in autocasts().values()
    }


def test_the_data_beside_the_page_has_an_anchor_of_the_page_for_every_question() -> None:
    """So that an answer elsewhere can link to it; each span of versions has its ends, and they are not empty."""
    answers = json.loads((everything.ROOT / choosing.DATA).read_text(encoding="utf-8"))
    assert {one["question"] for one in answers} == set(choosing.QUESTIONS)
    headings = re.findall(r"^### (.+)$", WHICH, re.MULTILINE)
    for one in answers:
        assert one["question"] in headings
        assert one["anchor"] == re.sub(r"[^a-z0-9 -]", "", one["question"].lower()).replace(" ", "-")
        assert "" not in (one["since"], one["until"])
        assert one["since_released"] <= one["until_released"]
        assert choosing.QUESTIONS[one["question"]] in BY_NAME


def test_the_page_knows_since_when_optax_has_its_focal_loss_right() -> None:
    """0.2.6, as the search that is kept found (google-deepmind/optax); before it gamma 0 was NaN."""
    answers = json.loads((everything.ROOT / choosing.DATA).read_text(encoding="utf-8"))
    found = [one for one in answers if one["entry"] == "optax.losses.sigmoid_focal_loss" and one["dtype"] == "float32"]
    newest = next(one for one in found if one["newest"])
    assert (newest["word"], newest["since"]) == ("ok", "0.2.6")
    assert all(one["word"] != "ok" for one in found if not one["newest"])


# -- the run that ships: only a whole one of the pinned environment that is as expected --------------------------------


def whole(**fields: Any) -> RunRecord:
    """A record that may ship."""
    backends = (BackendLine(name="stub", versions={"stub": "1.0"}, pinned=True),)
    return run([check("hard-labels/x", A)], **({"backends": backends, "filters": {"mode": ["eager"]}} | fields))


def ended(**fields: Any) -> Callable[[], RunRecord]:
    """A record with another footer."""
    return lambda: dataclasses.replace(whole(), footer=msgspec.structs.replace(whole().footer, **fields))


def test_a_whole_run_ships_as_it_is() -> None:
    """Nothing is left out; a record of an older schema gets its tallies, and the new version."""
    old = whole(schema=1)
    made = renew_pinned.shipped(old)
    assert made.header.schema == SCHEMA
    assert [line.implementation for line in made.tallies] == [A]
    assert dataclasses.replace(made, header=old.header, tallies=()) == old


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (lambda: dataclasses.replace(whole(), footer=None), "interrupted"),
        (ended(exit=1), "exit 1, 0 not run"),
        (ended(not_run=3), "exit 0, 3 not run"),
        (lambda: whole(filters={"mode": ["eager"], "dtype": ["float32"]}), "no filter"),
        (lambda: whole(filters={}), "no filter"),
        (lambda: whole(backends=(BackendLine(name="odd", versions={"odd": "1"}),)), "not odd"),
        (lambda: whole(backends=(BackendLine(name="gone", absent="no such module"),)), "not gone"),
    ],
)
def test_other_runs_do_not_ship(other: Callable[[], RunRecord], message: str) -> None:
    """An interrupted, unexpected, filtered or unpinned run is refused with the reason."""
    with pytest.raises(InputError, match=message):
        renew_pinned.shipped(other())


SPEED = SpeedLine(
    implementation=A, dtype="float32", direction="forward", elements=10, seconds=1.0, repeats=3, memory=None
)


def test_a_run_without_speeds_keeps_those_that_were_shipped() -> None:
    """They take much longer than the checks, and an idle machine."""
    before = dataclasses.replace(whole(), speeds=(SPEED,))
    assert renew_pinned.with_speeds(whole(), before) == before


def test_speeds_of_other_versions_are_not_kept() -> None:
    """They would be those of another implementation."""
    before = dataclasses.replace(
        whole(backends=(BackendLine(name="stub", versions={"stub": "0.9"}, pinned=True),)), speeds=(SPEED,)
    )
    with pytest.raises(InputError, match=r"'stub': '0\.9'"):
        renew_pinned.with_speeds(whole(), before)


def test_the_script_writes_what_it_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 0 and a compressed record; 2 and a message for a file that is none."""
    monkeypatch.setattr(pinned, "shipped_run", lambda: tmp_path / "results" / "pinned.jsonl.gz")
    record.write(whole(), tmp_path / "run.jsonl")
    assert renew_pinned.main([str(tmp_path / "run.jsonl")]) == 0
    assert record.read(tmp_path / "results" / "pinned.jsonl.gz") == renew_pinned.shipped(
        renewed(whole(), load((default_place(),)))
    )
    assert renew_pinned.main([str(tmp_path / "nowhere.jsonl")]) == 2
    assert "cannot be read" in capsys.readouterr().err
