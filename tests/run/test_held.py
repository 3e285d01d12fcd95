"""`known check`: a finished run held against the record gives what the run itself gave, and what is new since."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner, Result

from conformance.cli import main
from conformance.errors import Exit
from conformance.known import recorded
from conformance.known.match import Match, outcome_of
from conformance.known.record import Record, load, place
from conformance.known.recorded import Row
from conformance.record import record
from conformance.record.record import CheckLine, FindingLine, RunRecord
from conformance.run.held import held, renewed
from tests import records

ROOT = Path(__file__).resolve().parents[2]

#: The check that most tests change, and one of its recorded elements.
CHECK = "extreme-predictions/tiny::wrong/log_of_one_minus_p/eager/cpu::float32::value"
ELEMENT = "p1e-8-y0"
CAUSE = "wrong/log_of_one_minus_p/value/ordinary/inaccurate"


def command(*words: str) -> Result:
    """Invoke `bce-conformance` at the root of the repository, in this process."""
    with contextlib.chdir(ROOT):
        return CliRunner().invoke(main, words)


def run(output: Path, *words: str) -> RunRecord:
    """A run of a wrong implementation, without the shipped record."""
    given = (
        "run",
        "--adapter",
        "tests/data/adapters/wrong_log.py",
        "--backend",
        "wrong",
        "--case",
        "extreme-predictions/*",
    )
    command(*given, "--dtype", "float32", "--only-known", "--output", str(output), *words)
    return record.read(output)


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> RunRecord:
    """What it does, without a record."""
    return run(tmp_path_factory.mktemp("held") / "run.jsonl")


@pytest.fixture(scope="module")
def folder(seen: RunRecord, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The record of that."""
    where = tmp_path_factory.mktemp("record")
    record.write(seen, where / "run.jsonl")
    command("known", "update", str(where / "run.jsonl"), "--folder", str(where), "--write")
    return where


@pytest.fixture
def check(folder: Path, tmp_path: Path) -> Callable[[RunRecord], Result]:
    """`known check` of a run."""

    def checked(one: RunRecord) -> Result:
        record.write(one, tmp_path / "run.jsonl")
        return command("known", "check", str(tmp_path / "run.jsonl"), "--folder", str(folder))

    return checked


def changed(whole: RunRecord, **fields: Any) -> RunRecord:
    """The run with other fields of `CHECK`."""
    checks = [msgspec.structs.replace(one, **fields) if one.id == CHECK else one for one in whole.checks]
    return replace(whole, checks=tuple(checks))


def findings(whole: RunRecord) -> tuple[FindingLine, ...]:
    """Those of `CHECK`."""
    (found,) = (one.findings for one in whole.checks if one.id == CHECK)
    return found


def told(done: Result) -> list[str]:
    """Outcome, check and element of every line about one."""
    return [line.split(": ")[0].strip() for line in done.output.splitlines() if line.startswith("  ")]


def test_a_run_held_against_its_own_record_is_as_recorded(
    seen: RunRecord, check: Callable[[RunRecord], Result]
) -> None:
    """The findings were new when the run was made; they are recorded now."""
    assert findings(seen)
    done = check(seen)
    assert (done.exit_code, told(done)) == (Exit.AS_EXPECTED, [])
    assert done.output.endswith("run.jsonl: 0 new or fixed\n")


@pytest.mark.slow
def test_a_run_held_has_the_outcomes_that_it_had(folder: Path, tmp_path: Path) -> None:
    """Recorded, new and fixed, with cause, class and note, of every element and of every check."""
    edited = tmp_path / "known"
    shutil.copytree(folder, edited)
    file = edited / "recorded" / "wrong.tsv"
    rows = [
        replace(one, elements=tuple("p1e-8-y1" if name == ELEMENT else name for name in one.elements))
        if one.cause == CAUSE
        else one
        for one in recorded.read(file.parent)
    ]
    file.write_text(recorded.text(rows))
    made = run(tmp_path / "run.jsonl", "--known", str(edited))
    assert {one.outcome for one in findings(made)} == {"recorded", "new", "fixed"}
    for line, matches in held(made, load((place(edited),))):
        assert outcome_of(matches) == line.outcome
        assert [in_words(one) for one in matches] == [in_words(one) for one in line.findings]


def in_words(one: Match | FindingLine) -> tuple[str, ...]:
    """What is told of an element."""
    return one.element, one.outcome, one.cause, one.verdict, one.what, one.note


def test_one_more_error_is_new(seen: RunRecord, check: Callable[[RunRecord], Result]) -> None:
    """An element that was right and is not any more."""
    more = FindingLine(element="p1e-8-y1", outcome="new", verdict="deviates", what="inaccurate", cause=CAUSE)
    (ulp,) = (one.ulp for one in seen.checks if one.id == CHECK)
    done = check(changed(seen, findings=(*findings(seen), more), ulp=(*ulp[:2], 1e6, *ulp[3:])))
    assert (done.exit_code, told(done)) == (Exit.NOT_AS_EXPECTED, [f"new {CHECK}#p1e-8-y1"])


def test_another_class_is_new(seen: RunRecord, check: Callable[[RunRecord], Result]) -> None:
    """NaN where a wrong number is recorded is another mistake, and the line says what is recorded."""
    first, *rest = findings(seen)
    other = msgspec.structs.replace(first, what="nan", cause="wrong/log_of_one_minus_p/value/ordinary/non-finite")
    done = check(changed(seen, findings=(other, *rest)))
    assert (done.exit_code, told(done)) == (Exit.NOT_AS_EXPECTED, [f"new {CHECK}#{ELEMENT}"])
    assert f": nan [{other.cause}] recorded as {CAUSE}" in done.output


def test_an_error_that_is_gone_is_fixed(seen: RunRecord, check: Callable[[RunRecord], Result]) -> None:
    """What is recorded must be seen, also in a run of yesterday."""
    done = check(changed(seen, findings=findings(seen)[1:]))
    assert (done.exit_code, told(done)) == (Exit.NOT_AS_EXPECTED, [f"fixed {CHECK}#{ELEMENT}"])


def test_every_run_is_told_under_its_name(seen: RunRecord, folder: Path, tmp_path: Path) -> None:
    """One that is not as recorded gives exit code 1, whatever the others are."""
    good, bad = tmp_path / "good.jsonl", tmp_path / "bad.jsonl"
    record.write(seen, good)
    record.write(changed(seen, findings=()), bad)
    done = command("known", "check", str(bad), str(good), "--folder", str(folder))
    assert done.exit_code == Exit.NOT_AS_EXPECTED
    assert f"{bad}: 2 new or fixed\n" in done.output
    assert f"{good}: 0 new or fixed\n" in done.output


@pytest.mark.parametrize(
    ("text", "message"),
    [("{}\n", ":1: "), ("not a record\n", ":1: a run record must start with its header"), (None, "")],
)
def test_a_file_that_is_no_run_is_bad_input(tmp_path: Path, folder: Path, text: str | None, message: str) -> None:
    """The file and the line are named, and nothing is told of it."""
    file = tmp_path / "bad.jsonl"
    if text is not None:
        file.write_text(text)
    done = command("known", "check", str(file), "--folder", str(folder))
    assert done.exit_code == Exit.BAD_INPUT
    assert f"{file}{message}" in done.output
    assert "new or fixed" not in done.output


def test_a_folder_that_is_not_there_is_bad_input(tmp_path: Path) -> None:
    """An empty record would call everything new."""
    record.write(records.run(), tmp_path / "run.jsonl")
    done = command("known", "check", str(tmp_path / "run.jsonl"), "--folder", str(tmp_path / "gone"))
    assert (done.exit_code, "gone: no such folder" in done.output) == (Exit.BAD_INPUT, True)


# -- what another run could not see ------------------------------------------------------------------------------------

TEXTBOOK = "numpy/textbook/eager/cpu"


def of(quantity: str) -> Record:
    """A record of element b of `small/one`."""
    row = Row(
        problem="it-deviates",
        cause=f"numpy/textbook/{quantity}/ordinary/inaccurate",
        modes=("eager",),
        device="cpu",
        case="small/one",
        dtype="float32",
        quantities=(quantity,),
        words=("inexact",),
        magnitude=None,
        elements=("b",),
        sometimes=frozenset(),
    )
    return Record((row,))


def outcomes(line: CheckLine, known: Record, **header: Any) -> list[str]:
    """The outcomes of a run of one check."""
    return [one.outcome for _, matches in held(records.run((line,), **header), known) for one in matches]


@pytest.mark.parametrize(("quantity", "outcome"), [("acceptance", []), ("repeatable", []), ("value", ["fixed"])])
def test_a_check_of_behaviour_is_not_fixed_by_a_run_of_some_quantities(quantity: str, outcome: list[str]) -> None:
    """It is about every call of a request, and some were not made; a value is about one."""
    line = records.check(TEXTBOOK, "conforms", quantity=quantity)
    assert outcomes(line, of(quantity), filters={"quantity": ["value", quantity]}) == outcome


@pytest.mark.parametrize("quantity", ["acceptance", "repeatable", "value"])
def test_every_check_is_fixed_by_a_run_of_all_quantities(quantity: str) -> None:
    """Other filters leave a check all its calls."""
    line = records.check(TEXTBOOK, "conforms", quantity=quantity)
    assert outcomes(line, of(quantity), filters={"mode": ["eager"]}) == ["fixed"]


@pytest.mark.parametrize(("ulp", "outcome"), [(4.0, []), (4.25, ["new"]), (None, ["new"])])
def test_what_is_flushed_within_the_budget_is_no_finding(ulp: float | None, outcome: list[str]) -> None:
    """Older runs told of the least numbers what is within the budget of the formats they are in."""
    flushed = FindingLine(
        element="b", outcome="new", verdict="deviates", what="flushed", cause="numpy/textbook/value/ordinary/flushed"
    )
    line = records.check(TEXTBOOK, "deviates", "new", ulp=(0.25, ulp), budget=(4.0, 4.0), findings=(flushed,))
    assert outcomes(line, Record()) == outcome


@pytest.mark.parametrize(("plain", "outcome"), [(1.0, ["recorded"]), (1e9, ["new"])])
def test_an_error_is_held_to_the_order_of_magnitude_that_is_recorded(plain: float, outcome: list[str]) -> None:
    """By the errors and the exact value that the run wrote down: no more than an ULP of 1 is no worse."""
    worse = FindingLine(
        element="b",
        outcome="new",
        verdict="deviates",
        what="inaccurate",
        cause="numpy/textbook/value/ordinary/inaccurate",
    )
    line = records.check(TEXTBOOK, "deviates", "new", plain_ulp=(0.25, plain), findings=(worse,))
    assert outcomes(line, of("value")) == outcome


def test_a_run_is_renewed_by_what_is_recorded_now(seen: RunRecord, folder: Path) -> None:
    """What was new is recorded, with its problem; what a run measured stays, and its end says what is so now."""
    (folder / "rounds-first.yaml").write_text(
        "title: log(1 - p) rounds 1 - p first\nkind: bug\nadvice: file\nwhy: it is so\nexplains:\n- entries: ['*']\n"
    )
    command("known", "update", "--folder", str(folder), "--write")
    made = renewed(seen, load((place(folder),)))
    assert {one.outcome for one in findings(seen)} == {"new"}
    assert {(one.outcome, one.problem) for one in findings(made)} == {("recorded", "rounds-first")}
    assert [one.title for one in made.problems] == ["log(1 - p) rounds 1 - p first"]
    assert seen.footer is not None
    assert made.footer is not None
    assert (seen.footer.exit, made.footer.exit) == (Exit.NOT_AS_EXPECTED, Exit.AS_EXPECTED)
    assert "new" not in made.footer.outcomes
    assert [(one.id, one.bits, one.ulp) for one in made.checks] == [(one.id, one.bits, one.ulp) for one in seen.checks]
