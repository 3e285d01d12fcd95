"""`known update`: what is recorded is made from runs, and every line of it names its problem."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from msgspec import structs

from conformance.errors import HarnessError, InputError
from conformance.known import recorded
from conformance.known.record import load, place
from conformance.known.recorded import Row
from conformance.record import record
from conformance.record.record import RunRecord
from conformance.run import propose

ROOT = Path(__file__).resolve().parents[2]
CAUSE = "wrong/log_of_one_minus_p/value/ordinary/inaccurate"


def run(output: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """A run of a wrong implementation."""
    command = [sys.executable, "-m", "conformance", "run", "--adapter", str(ROOT / "tests/data/adapters/wrong_log.py")]
    command += ["--backend", "wrong", "--case", "hard-labels/*", "--output", str(output), *words]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> RunRecord:
    """What it does, without a record."""
    output = tmp_path_factory.mktemp("propose") / "run.jsonl"
    run(output)
    return record.read(output)


@pytest.fixture
def folder(seen: RunRecord, tmp_path: Path) -> Path:
    """A record of one's own, with the proposed files."""
    known = tmp_path / "known"
    known.mkdir()
    for edit in propose.edits([seen], place(known)):
        edit.apply()
    return known


def rows(folder: Path) -> list[Row]:
    """What is recorded of the cause."""
    return [one for one in recorded.read(folder / "recorded") if one.cause == CAUSE]


def rewrite(folder: Path, changed: list[Row]) -> None:
    """Put other rows of the cause in the place of those that a record has."""
    others = [one for one in recorded.read(folder / "recorded") if one.cause != CAUSE]
    (folder / "recorded" / "wrong.tsv").write_text(recorded.text([*others, *changed]))


PROBLEM = f"""\
title: log(1 - p) rounds 1 - p first
kind: bug
advice: file
why: it is so
explains:
- entries: [{"/".join(CAUSE.split("/")[:2])}]
"""


def test_a_run_with_a_stage_of_a_mode_is_refused(seen: RunRecord, tmp_path: Path) -> None:
    """A stage is no mode that anybody uses, so that nothing of it is recorded."""
    (one, *_) = seen.header.implementations
    header = structs.replace(seen.header, implementations=(structs.replace(one, stage_of="jit"),))
    with pytest.raises(InputError, match=f"no record is of a stage of a mode .got '{one.id}'."):
        list(propose.edits([replace(seen, header=header)], place(tmp_path)))


def test_a_record_that_is_not_there_is_refused(seen: RunRecord, tmp_path: Path) -> None:
    """A folder whose name is misspelled would get a record of its own."""
    with pytest.raises(InputError, match="knwon: no such folder"):
        list(propose.edits([seen], place(tmp_path / "knwon")))


def test_with_what_is_proposed_the_run_is_as_expected(folder: Path, tmp_path: Path) -> None:
    """The record makes the same run green, and a second update has nothing to say."""
    again = tmp_path / "again.jsonl"
    done = run(again, "--known", str(folder))
    assert done.returncode == 0, done.stdout
    assert list(propose.edits([record.read(again)], place(folder))) == []


def test_what_no_problem_explains_is_named(seen: RunRecord, tmp_path: Path) -> None:
    """Once for each dtype; a problem is written by a person."""
    named = propose.unexplained(list(propose.edits([seen], place(tmp_path))), place(tmp_path))
    assert [one for one in named if "value/ordinary/inaccurate" in one and "float32" in one] == [f"{CAUSE} in float32"]
    (tmp_path / "rounds-first.yaml").write_text(PROBLEM)
    assert propose.unexplained(list(propose.edits([seen], place(tmp_path))), place(tmp_path)) == [
        one for one in named if not one.startswith("wrong/log_of_one_minus_p/")
    ]


def test_what_no_problem_explains_is_named_as_long_as_it_is_so(folder: Path) -> None:
    """After a problem was written that takes something else no file changes, and its author must be told."""
    (folder / "rounds-first.yaml").write_text(PROBLEM.replace("log_of", "log_off"))
    edits = list(propose.edits([], place(folder)))
    assert edits == []
    assert f"{CAUSE} in float32" in propose.unexplained(edits, place(folder))


def test_without_a_run_only_the_problems_are_looked_up(folder: Path) -> None:
    """After an edit of a problem its id is written to what it explains."""
    assert {one.problem for one in rows(folder)} == {"-"}
    before = rows(folder)
    (folder / "rounds-first.yaml").write_text(PROBLEM)
    (edit,) = propose.edits([], place(folder))
    edit.apply()
    assert [replace(one, problem="-") for one in rows(folder)] == before
    assert {one.problem for one in rows(folder)} == {"rounds-first"}


def test_a_run_knows_the_problem_of_what_it_finds(folder: Path, tmp_path: Path) -> None:
    """Its record says what the problem's file says, and every finding has its id."""
    (folder / "rounds-first.yaml").write_text(PROBLEM)
    for edit in propose.edits([], place(folder)):
        edit.apply()
    run(tmp_path / "again.jsonl", "--known", str(folder), "--only-known")
    made = record.read(tmp_path / "again.jsonl")
    assert [(one.problem, one.title, one.why) for one in made.problems] == [
        ("rounds-first", "log(1 - p) rounds 1 - p first", "it is so")
    ]
    found = [one for check in made.checks for one in check.findings if one.cause == CAUSE]
    assert found
    assert {one.problem for one in found} == {"rounds-first"}


def test_an_element_that_was_run_and_not_seen_is_taken_out(folder: Path, seen: RunRecord) -> None:
    """What no longer deviates is no longer recorded."""
    before = rows(folder)
    rewrite(folder, [replace(one, elements=(*one.elements, "gone")) for one in before])
    (edit,) = propose.edits([seen], place(folder))
    edit.apply()
    assert rows(folder) == before


def test_a_cause_that_was_run_and_not_seen_is_removed(folder: Path, seen: RunRecord) -> None:
    """One of the run's checks goes; one about other cases stays."""
    first = rows(folder)[0]
    gone = replace(first, cause=CAUSE.replace("inaccurate", "non-finite"))
    other = replace(gone, case="soft-labels/probabilities", words=("nan",), magnitude=None)
    file = folder / "recorded" / "wrong.tsv"
    before = file.read_text()
    file.write_text(recorded.text([*recorded.read(folder / "recorded"), gone, other]))
    (edit,) = propose.edits([seen], place(folder))
    assert set(edit.after.splitlines()) - set(before.splitlines()) == {recorded.text([other]).splitlines()[1]}


def test_an_element_that_one_of_two_runs_did_not_see_deviates_sometimes(seen: RunRecord, tmp_path: Path) -> None:
    """Runs under several instruction sets are merged: what all saw is strict, the rest may show."""
    checks = list(seen.checks)
    index = next(i for i, line in enumerate(checks) if any(one.cause == CAUSE for one in line.findings))
    line = checks[index]
    dropped = line.findings[0].element
    fields = {name: getattr(line, name) for name in line.__struct_fields__} | {"findings": line.findings[1:]}
    checks[index] = type(line)(**fields)
    other = RunRecord(
        header=seen.header,
        inputs=seen.inputs,
        checks=tuple(checks),
        problems=seen.problems,
        tolerances=seen.tolerances,
        footer=seen.footer,
    )
    for edit in propose.edits([seen, other], place(tmp_path)):
        edit.apply()
    found = [one for one in rows(tmp_path) if (one.dtype, one.case) == (line.dtype, line.case)]
    assert {name for one in found for name in one.sometimes} == {dropped}


def test_a_filtered_run_leaves_the_other_rows_alone(folder: Path, tmp_path: Path) -> None:
    """What a run did not plan it says nothing about: only its own dtype's rows may change."""
    part = tmp_path / "part.jsonl"
    run(part, "--dtype", "float32")
    assert list(propose.edits([record.read(part)], place(folder))) == []


def test_modes_that_a_run_did_not_plan_keep_what_is_recorded_of_them(folder: Path, seen: RunRecord) -> None:
    """A row is shared by modes that deviate alike: a run of one of them leaves the others their own."""
    before = rows(folder)
    rewrite(folder, [replace(one, modes=(*one.modes, "jit"), elements=(*one.elements, "gone")) for one in before])
    (edit,) = propose.edits([seen], place(folder))
    edit.apply()
    after = rows(folder)
    assert {(one.modes, "gone" in one.elements) for one in after} == {(("eager",), False), (("jit",), True)}
    assert [one for one in after if one.modes == ("eager",)] == before


def test_an_interrupted_run_proposes_nothing(seen: RunRecord, tmp_path: Path) -> None:
    """Its silence about a check means nothing."""
    part = RunRecord(header=seen.header, inputs=seen.inputs, checks=seen.checks)
    with pytest.raises(InputError, match="interrupted"):
        list(propose.edits([part], place(tmp_path)))


def test_without_write_nothing_is_written(seen: RunRecord, tmp_path: Path) -> None:
    """The command shows its edits first."""
    file = tmp_path / "run.jsonl"
    record.write(seen, file)
    folder = tmp_path / "known"
    folder.mkdir()
    command = [sys.executable, "-m", "conformance", "known", "update", str(file), "--folder", str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=100, check=False)
    assert f"create {folder / 'recorded' / 'wrong.tsv'}" in done.stdout
    assert "no problem explains wrong/log_of_one_minus_p/value/ordinary/inaccurate in float32" in done.stdout
    assert list(folder.iterdir()) == []


def test_a_failed_write_leaves_the_old_file_whole(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The new text goes to a temporary file first."""
    file = folder / "recorded" / "wrong.tsv"
    before = file.read_text()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(HarnessError, match="No space left"):
        propose.Edit(file, before, "new\n").apply()
    assert file.read_text() == before
    assert sorted(one.name for one in file.parent.iterdir()) == [recorded.INSTRUCTION_SETS, file.name]


@pytest.mark.parametrize(
    ("seen", "word"),
    [
        ([("inaccurate", None)], "inexact"),
        ([("zero", 1e7), ("sign", 2e7), ("flushed", 3.0)], "inexact"),
        ([("nan", None)], "nan"),
        ([("nan", None), ("zero", 5.0)], "inexact|nan"),
    ],
)
def test_finite_numbers_are_one_kind_of_mistake_and_others_stay_apart(
    seen: list[tuple[str, float | None]], word: str
) -> None:
    """What is recorded of an element does not depend on what was left of a cancelled result."""
    assert "|".join(propose._words(seen)) == word


@pytest.mark.parametrize(
    ("error", "exponent"), [(4.5, 1), (5.1, 2), (4.9e7, 8), (5.1e7, 9), (1e300, 300), (0.6, 1), (0.4, 0)]
)
def test_the_order_of_magnitude_leaves_room_for_twice_the_largest_error(error: float, exponent: int) -> None:
    """A power of ten that is at least twice and less than twenty times what runs saw."""
    key = propose.Key("stub/loss/eager/cpu", "small/one", "float32", "value")
    seen: propose.Seen = {CAUSE: {key: {"e0": ("zero", error), "e1": ("nan", None), "e2": ("inaccurate", 0.3)}}}
    assert propose._magnitudes([seen]) == {(CAUSE, "float32"): exponent}


def test_an_element_that_is_nearly_right_deviates_sometimes() -> None:
    """Within a few budgets another processor's kernel may be right."""
    key = propose.Key("stub/loss/eager/cpu", "small/one", "float32", "value")
    seen: dict[propose.Key, dict[str, tuple[str, float | None]]] = {
        key: {"near": ("inaccurate", 15.0), "far": ("inaccurate", 17.0), "none": ("nan", None)}
    }
    assert propose._expected(key, [seen], [{key: {"near", "far", "none"}}]) == {
        "near": (("inexact",), True),
        "far": (("inexact",), False),
        "none": (("nan",), False),
    }


def test_the_record_names_the_instruction_sets_of_its_runs(seen: RunRecord, tmp_path: Path) -> None:
    """A run elsewhere can then say that nobody has looked at such a processor yet."""
    for edit in propose.edits([seen], place(tmp_path)):
        edit.apply()
    (mine,) = recorded.instruction_sets(tmp_path / "recorded")
    known = load((place(tmp_path),))
    assert mine == seen.header.machine["instruction-set"]
    assert known.knows(mine)
    assert not known.knows("another one")


def test_a_run_on_a_processor_that_the_record_does_not_know_says_so(folder: Path, tmp_path: Path) -> None:
    """In one line, and it says no more than that last digits may differ."""
    (folder / "recorded" / recorded.INSTRUCTION_SETS).write_text("an older one\n")
    done = run(tmp_path / "again.jsonl", "--known", str(folder), "--only-known")
    assert done.stdout.count("another processor: the record was made on none with ") == 1
    assert record.read(tmp_path / "again.jsonl").header.familiar is False


def test_a_run_of_another_processor_adds_to_what_is_recorded(folder: Path, seen: RunRecord) -> None:
    """What it sees more and what it does not see may both be right, the larger size holds, and nothing is lost."""
    before = rows(folder)
    row = before[0]
    other = replace(row, elements=("not-seen-here",), sometimes=frozenset(), magnitude=1)
    rewrite(folder, [other, *before[1:]])
    for edit in propose.edits([seen], place(folder), keep=True):
        edit.apply()
    (after,) = [one for one in rows(folder) if (one.case, one.dtype) == (row.case, row.dtype)]
    assert set(after.elements) == {*row.elements, "not-seen-here"}
    assert after.sometimes == set(after.elements)
    assert after.magnitude == row.magnitude


def test_the_signature_of_another_processor_is_the_recorded_mistake(folder: Path, seen: RunRecord) -> None:
    """Where a kernel leaves 0 and another a wrong number, one line has both."""
    before = rows(folder)
    other = CAUSE.replace("inaccurate", "flushed")
    text = recorded.text([replace(one, cause=other) for one in before])
    (folder / "recorded" / "wrong.tsv").write_text(text)
    for edit in propose.edits([seen], place(folder), keep=True):
        edit.apply()
    assert rows(folder) == []
    assert recorded.text([one for one in recorded.read(folder / "recorded") if one.cause == other]) == text
