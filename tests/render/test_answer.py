"""The first screen of a run: forty lines of 100 columns at most, none cut in any width; and the words that it says."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner

from conformance.cli import main
from conformance.judge.harm import Harm
from conformance.record import record as records
from conformance.record.grades import Grade, Graded, entries, grades
from conformance.record.harms import harms
from conformance.record.kinds import Kind
from conformance.record.record import RunRecord
from conformance.render import answer
from conformance.render.answer import COLUMNS
from tests.records import CHECKS, interrupted, run, with_header

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def whole() -> RunRecord:
    """The run that ships: a hundred thousand checks of 93 implementations, all shown since none is called main."""
    return records.read(ROOT / "results" / "pinned.jsonl.gz")


def printed(record: RunRecord, width: int) -> list[str]:
    """The lines of the screen."""
    return [line.plain for line in answer.lines(record, width)]


def is_command(line: str) -> bool:
    """Whether a line is to be typed: it stays whole, so that it can be copied."""
    return line.lstrip().startswith("bce-conformance ") and not line.startswith("bce-conformance ")


@pytest.mark.slow
@pytest.mark.parametrize("width", [80, 100, 120, 140])
def test_a_whole_run_is_one_screen_in_every_width(whole: RunRecord, width: int) -> None:
    """At most forty lines, more only below 100 columns, and none longer than the terminal."""
    lines = printed(whole, width)
    assert len(lines) <= 40 or width < 100
    assert [line for line in lines if len(line) > width and not is_command(line)] == []
    assert lines[-1].startswith(("outcomes:", "    "))


@pytest.mark.slow
def test_eighty_columns_hold_what_a_hundred_do(whole: RunRecord) -> None:
    """Rows, notes and counts, word for word: a narrower terminal breaks lines and leaves nothing out."""
    narrow, wide = (" ".join(" ".join(printed(whole, width)).split()) for width in (80, 100))
    assert narrow == wide


@pytest.mark.slow
@pytest.mark.parametrize("width", [80, 100, 140])
def test_every_row_that_has_most_to_be_said_of_it_has_a_note(whole: RunRecord, width: int) -> None:
    """A row without a mark has nothing worse than last digits, but by its documentation."""
    weighed = harms(whole)
    rows = answer.rows(grades(whole, entries(whole), weighed))
    lines = printed(whole, width)
    marked = sum(bool(re.search(r" [a-z] (ok|digits|drifts|misleads|BREAKS)", line)) for line in lines)
    left_out = int(next(found[1] for line in lines if (found := re.match(r"… and (\d+) more", line))))
    shown = rows[: len(rows) - left_out]
    assert marked == sum(bool(row.said.problem) for row in shown)
    noted = {line[2:40] for line in lines if re.match(r"[a-z] ", line)}
    assert {whole.problems_by_id[row.said.problem].title[:38] for row in shown if row.said.problem} == noted


@pytest.mark.slow
def test_every_word_of_a_cell_is_explained(whole: RunRecord) -> None:
    """The star, too, behind which the harm of what is documented stands."""
    said = " ".join(" ".join(printed(whole, 100)).split())
    rows = answer.rows(grades(whole, entries(whole), harms(whole)))
    words = {word for row in rows for word in row.words.values()} - {"-"}
    assert {"misleads*", "ok", "rejects"} <= words
    for word in {word.removesuffix("*") for word in words} | {"*"}:
        assert f" {word}: " in said or (word == "BREAKS" and " BREAKS training " in said)


@pytest.mark.slow
def test_what_is_known_and_was_not_seen_is_counted_with_its_reason(whole: RunRecord) -> None:
    """The run is of the plain mode; problems of the others are not in it."""
    known = whole.header.problems
    said = " ".join(" ".join(printed(whole, 140)).split())
    seen = int(re.search(r"(\d+) known problems, 0 new, 0 fixed: ", said)[1])  # type: ignore[index]  # it must be there
    assert f"; {known - seen} more are of modes, backends or inputs that were not run" in said
    by_harm = re.findall(r"(\d+) (?:break training|mislead|drift|are in last|are at the|refuse)", said)
    assert sum(map(int, by_harm)) == seen


def test_what_to_write_instead_stands_below_a_problem_where_there_is_room() -> None:
    """A small run leaves it."""
    record = run(CHECKS)
    line = msgspec.structs.replace(record.problems[0], workaround="a loss of float32")
    lines = printed(replace(record, problems=(line, *record.problems[1:])), 100)
    place = next(index for index, said in enumerate(lines) if said == "    instead: a loss of float32")
    assert line.title in lines[place - 1]


@pytest.mark.slow
@pytest.mark.parametrize("width", [80, 140])
def test_the_words_of_a_row_are_those_of_its_grades(whole: RunRecord, width: int) -> None:
    """Read back from the table, on a line with their name or below it."""
    lines = printed(whole, width)
    best = grades(whole, entries(whole), harms(whole))[0]
    words = [word for kind, word in zip(Kind, best.words, strict=True) if kind in COLUMNS]
    heading = [kind.word for kind in COLUMNS]
    place = next(index for index, line in enumerate(lines) if line.split()[-len(heading) :] == heading)
    assert lines[place].startswith("best first ")
    assert any(line.split()[-len(words) :] == words for line in lines[place + 1 : place + 4])


@pytest.mark.parametrize("width", [80, 100])
@pytest.mark.parametrize("record", [run(), run(CHECKS[1:2], 0), run((), 3)], ids=["every outcome", "right", "nothing"])
def test_small_runs_fit(record: RunRecord, width: int) -> None:
    """Also what a framework said, however long it is."""
    lines = printed(record, width)
    assert len(lines) <= 40
    assert [line for line in lines if len(line) > width and not is_command(line)] == []


def test_entry_points_of_one_name_in_two_modules_are_told_apart() -> None:
    """Keras has a binary_crossentropy among its operations and one among its losses, and they differ."""
    good = {kind: Grade() for kind in Kind}
    bad = good | {Kind.EVERYDAY: Grade(elements=1, found=Harm.BREAKS, problems=Counter(["is-nan"]))}
    names = [("k/ops.loss[x]/eager/cpu", good), ("k/losses.loss[x]/eager/cpu", bad), ("l/ops.loss[x]/eager/cpu", good)]
    found = answer.rows([Graded(name, grade) for name, grade in names])
    assert [row.name for row in found] == ["k ops.loss[x]", "k losses.loss[x]", "l loss[x]"]


def test_a_loss_of_another_package_than_its_framework_has_the_name_that_people_know() -> None:
    """It is optax's sigmoid_binary_cross_entropy, and JAX has none."""
    good = Graded("jax/optax.losses.loss/eager/cpu", {kind: Grade() for kind in Kind})
    assert [row.name for row in answer.rows([good], {"jax", "optax"})] == ["jax optax.losses.loss"]
    assert [row.name for row in answer.rows([good])] == ["jax loss"]


@pytest.mark.parametrize("width", [20, 40, 60])
def test_a_narrow_terminal_gets_each_word_beside_its_kind(width: int) -> None:
    """Columns that the terminal would break in two say nothing."""
    lines = printed(run(CHECKS), width)
    assert [line for line in lines if len(line) > width and not is_command(line)] == []
    assert "everyday" in " ".join(lines)


def test_what_is_new_comes_before_the_table() -> None:
    """Then what is fixed; the counts of both stand below."""
    lines = printed(run(), 100)
    new = next(index for index, line in enumerate(lines) if line.startswith("new "))
    fixed = next(index for index, line in enumerate(lines) if line.startswith("fixed "))
    table = next(index for index, line in enumerate(lines) if "everyday" in line.split() or "soft" in line.split())
    assert new < fixed < table
    assert "1 known problem, 1 new, 1 fixed: " in "\n".join(lines)


def test_a_command_of_a_finding_is_one_line() -> None:
    """Whoever copies it gets all of it."""
    assert any(
        re.fullmatch(r" +bce-conformance explain small/one .* --dtype float32", one) for one in printed(run(), 40)
    )


def test_an_interrupted_run_says_so_and_has_no_outcome() -> None:
    """However good it looks until then."""
    lines = printed(interrupted(run(CHECKS[1:2], 0)), 100)
    assert any("INTERRUPTED" in line for line in lines)
    assert lines[-1] == "interrupted: no outcome"


def test_what_was_not_run_is_named() -> None:
    """A run that fails for that says which."""
    record = run(CHECKS[1:2], 3)
    assert record.footer is not None
    lost = replace(record, footer=msgspec.structs.replace(record.footer, lost=("a::b: too large",), not_run=1))
    assert "not run: a::b: too large" in printed(lost, 100)


def test_a_quick_run_says_what_it_is_worth() -> None:
    """Nobody takes it for a whole one."""
    lines = printed(with_header(run(), filters={"preset": ["quick"]}), 100)
    assert any(line.startswith("quick run: ") for line in lines)


def test_show_honours_columns_where_it_is_piped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As wide as a reader says, and the counts where they are asked for."""
    records.write(run(), tmp_path / "run.jsonl")
    monkeypatch.setenv("COLUMNS", "80")
    shown = CliRunner().invoke(main, ["show", str(tmp_path / "run.jsonl")]).stdout
    assert all(len(line) <= 80 or is_command(line) for line in shown.splitlines())
    counts = CliRunner().invoke(main, ["show", str(tmp_path / "run.jsonl"), "--counts"]).stdout
    assert "Findings by cause" in counts
    assert "Findings by cause" not in shown


def test_the_counts_are_not_cut_in_any_width(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every cell that a wide terminal shows stands in a narrow one, whose lines it breaks."""
    records.write(run(), tmp_path / "run.jsonl")

    def cells(width: int) -> set[str]:
        monkeypatch.setenv("COLUMNS", str(width))
        shown = CliRunner().invoke(main, ["show", str(tmp_path / "run.jsonl"), "--counts"]).stdout
        return set(re.findall(r"\S+/[0-9]+", shown.partition("implementation ")[2].partition("Findings by cause")[0]))

    assert cells(60) == cells(200) != set()
