"""`deviations update`: the record is made from runs, and people's words in it stay."""

from __future__ import annotations

import dataclasses
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from msgspec.structs import replace

from conformance.errors import HarnessError, InputError
from conformance.known import deviations
from conformance.record import record
from conformance.record.record import RunRecord
from conformance.run import propose

ROOT = Path(__file__).resolve().parents[2]
TODAY = "2026-01-31"
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
    """A folder with the proposed files."""
    for edit in propose.edits([seen], tmp_path / "deviations", TODAY):
        edit.apply()
    return tmp_path / "deviations"


def test_what_is_proposed_loads(folder: Path) -> None:
    """A proposed file is a valid record that says it is unreported and why."""
    (one, *_) = (found for found in deviations.load((folder,)).deviations if found.id == CAUSE)
    assert one.unreported
    assert one.reason == "not looked for upstream yet"
    assert one.checked == TODAY


def test_a_run_with_a_stage_of_a_mode_is_refused(seen: RunRecord, tmp_path: Path) -> None:
    """A stage is no mode that anybody uses, so that nothing of it is recorded."""
    (one, *_) = seen.header.implementations
    header = replace(seen.header, implementations=(replace(one, stage_of="jit"),))
    with pytest.raises(InputError, match=f"no record is of a stage of a mode .got '{one.id}'."):
        list(propose.edits([dataclasses.replace(seen, header=header)], tmp_path, TODAY))


def test_with_what_is_proposed_the_run_is_as_expected(folder: Path, tmp_path: Path) -> None:
    """The record makes the same run green, and a second update has nothing to say."""
    again = tmp_path / "again.jsonl"
    done = run(again, "--deviations", str(folder))
    assert done.returncode == 0, done.stdout
    assert list(propose.edits([record.read(again)], folder, "2026-02-01")) == []


def test_comments_reasons_and_order_stay(folder: Path, seen: RunRecord) -> None:
    """Only selectors and the date change where a person has edited the file."""
    file = folder / f"{CAUSE}.yaml"
    words = "# a person's comment\nreason: a person's reason\n"
    text = file.read_text().replace("reason: not looked for upstream yet\n", words)
    file.write_text(text.replace("elements: {", "elements: {gone: inexact, ", 1))
    (edit,) = propose.edits([seen], folder, "2026-02-01")
    edit.apply()
    after = file.read_text()
    assert words in after
    assert "gone" not in after
    assert "2026-02-01" in after
    assert [line.split(":")[0] for line in after.splitlines() if line[0] not in " -#"] == [
        line.split(":")[0] for line in text.splitlines() if line[0] not in " -#"
    ]


def test_a_cause_that_was_run_and_not_seen_is_removed(folder: Path, seen: RunRecord) -> None:
    """A file whose every selector was in the run goes; one about other cases stays."""
    file = folder / f"{CAUSE}.yaml"
    gone = folder / "wrong/log_of_one_minus_p/value/ordinary/flushed.yaml"
    text = file.read_text().replace(CAUSE, "wrong/log_of_one_minus_p/value/ordinary/flushed")
    gone.write_text(text)
    other = folder / "wrong/log_of_one_minus_p/value/ordinary/sign.yaml"
    moved = text.replace("ordinary/flushed", "ordinary/sign")
    other.write_text(moved.replace("hard-labels/probabilities", "soft-labels/probabilities"))
    assert [(edit.action, edit.file) for edit in propose.edits([seen], folder, TODAY)] == [("remove", gone)]


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
        causes=seen.causes,
        tolerances=seen.tolerances,
        footer=seen.footer,
    )
    for edit in propose.edits([seen, other], tmp_path, TODAY):
        edit.apply()
    (one,) = (found for found in deviations.load((tmp_path,)).deviations if found.id == CAUSE)
    selector = next(s for s in one.selectors if s.dtype == line.dtype and s.case == line.case)
    assert selector.sometimes == (dropped,)


def test_a_filtered_run_leaves_the_other_selectors_alone(folder: Path, tmp_path: Path) -> None:
    """What a run did not plan it says nothing about: only its own dtype's selectors may change."""
    part = tmp_path / "part.jsonl"
    run(part, "--dtype", "float32")
    assert list(propose.edits([record.read(part)], folder, TODAY)) == []


def test_modes_that_a_run_did_not_plan_keep_what_is_recorded_of_them(folder: Path, seen: RunRecord) -> None:
    """A selector is shared by modes that deviate alike: a run of one of them leaves the others their own."""
    file = folder / f"{CAUSE}.yaml"
    (old,) = (one for one in deviations.load((folder,)).deviations if one.id == CAUSE)
    eager = old.selectors[0].implementation
    shared = eager.replace("/eager/", "/*/") + "\n  modes: [eager, jit]"
    file.write_text(file.read_text().replace("elements: {", "elements: {gone: inexact, ").replace(eager, shared))
    (edit,) = propose.edits([seen], folder, TODAY)
    edit.apply()
    (new,) = (one for one in deviations.load((folder,)).deviations if one.id == CAUSE)
    plain = [one for one in new.selectors if one.implementation == eager]
    others = [one for one in new.selectors if one.implementation == eager.replace("/eager/", "/jit/")]
    assert plain == list(old.selectors)
    assert [one.elements for one in others] == [{"gone": "inexact", **one.elements} for one in old.selectors]


def test_an_interrupted_run_proposes_nothing(seen: RunRecord, tmp_path: Path) -> None:
    """Its silence about a check means nothing."""
    part = RunRecord(header=seen.header, inputs=seen.inputs, checks=seen.checks)
    with pytest.raises(InputError, match="interrupted"):
        list(propose.edits([part], tmp_path, TODAY))


def test_without_write_nothing_is_written(seen: RunRecord, tmp_path: Path) -> None:
    """The command shows its edits first."""
    file = tmp_path / "run.jsonl"
    record.write(seen, file)
    folder = tmp_path / "deviations"
    command = [sys.executable, "-m", "conformance", "deviations", "update", str(file), "--folder", str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=100, check=False)
    assert f"create {folder / CAUSE}.yaml" in done.stdout
    assert not folder.exists()


def test_a_failed_write_leaves_the_old_file_whole(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The new text goes to a temporary file first."""
    file = folder / f"{CAUSE}.yaml"
    before = file.read_text()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(HarnessError, match="No space left"):
        propose.Edit(file, before, "id: new\n").apply()
    assert file.read_text() == before
    assert [one.name for one in file.parent.iterdir()] == [file.name]


def test_the_shipped_record_needs_no_folder_but_its_own(tmp_path: Path) -> None:
    """A copy of the shipped record loads like the original."""
    copy = tmp_path / "deviations"
    shutil.copytree(ROOT / "deviations", copy)
    assert len(deviations.load((copy,)).deviations) == len(deviations.load((ROOT / "deviations",)).deviations)


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
    assert propose._merged(seen) == word


@pytest.mark.parametrize(
    ("error", "exponent"), [(4.5, 1), (5.1, 2), (4.9e7, 8), (5.1e7, 9), (1e300, 300), (0.6, 1), (0.4, 0)]
)
def test_the_order_of_magnitude_leaves_room_for_twice_the_largest_error(error: float, exponent: int) -> None:
    """A power of ten that is at least twice and less than twenty times what runs saw."""
    key = ("stub/loss/eager/cpu", "small/one", "float32", "value")
    seen: propose.Seen = {key: {"e0": ("zero", error), "e1": ("nan", None), "e2": ("inaccurate", 0.3)}}
    assert propose._magnitudes([seen]) == {"float32": exponent}


def test_an_element_that_is_nearly_right_deviates_sometimes() -> None:
    """Within a few budgets another processor's kernel may be right."""
    key = ("stub/loss/eager/cpu", "small/one", "float32", "value")
    seen: propose.Seen = {key: {"near": ("inaccurate", 15.0), "far": ("inaccurate", 17.0), "none": ("nan", None)}}
    expected, sometimes = propose._expectation(key, [seen], [{key: {"near", "far", "none"}}])
    assert expected == {"near": "inexact", "far": "inexact", "none": "nan"}
    assert sometimes == ["near"]


def test_the_record_names_the_instruction_sets_of_its_runs(seen: RunRecord, tmp_path: Path) -> None:
    """A run elsewhere can then say that nobody has looked at such a processor yet."""
    for edit in propose.edits([seen], tmp_path, TODAY):
        edit.apply()
    (mine,) = deviations.instruction_sets(tmp_path)
    known = deviations.load((tmp_path,))
    assert mine == seen.header.machine["instruction-set"]
    assert known.knows(mine)
    assert not known.knows("another one")


def test_a_run_on_a_processor_that_the_record_does_not_know_says_so(folder: Path, tmp_path: Path) -> None:
    """In one line, and it says no more than that last digits may differ."""
    (folder / deviations.INSTRUCTION_SETS).write_text("an older one\n")
    done = run(tmp_path / "again.jsonl", "--deviations", str(folder), "--only-deviations")
    assert done.stdout.count("another processor: the record was made on none with ") == 1
    assert record.read(tmp_path / "again.jsonl").header.familiar is False
