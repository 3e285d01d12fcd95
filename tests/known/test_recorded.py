"""What is recorded: strict expected failures, element by element."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from conformance.errors import Exit, InputError
from conformance.judge.verdicts import Judged
from conformance.known import recorded
from conformance.known.match import Matcher, Seen, outcome_of
from conformance.known.record import Record, load, place, unmatched
from conformance.known.recorded import Row
from conformance.pool.observation import Observation
from tests.builders import CRASHED, case, implementation, judged, plan, raised, request, returned

CAUSE = "stub/loss/value/saturated/inaccurate"

#: One row as a file has it, by column.
GOOD = {
    "problem": "tail-is-lost",
    "entry": "loss",
    "modes": "eager,jit",
    "device": "cpu",
    "cause": "value/saturated/inaccurate",
    "case": "small/one",
    "dtype": "float32",
    "quantities": "value,contract",
    "as": "inexact|nan<1e8",
    "elements": "e0 e1?",
}


def file_of(folder: Path, *rows: dict[str, str]) -> Path:
    """A file of the backend `stub`."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = ["\t".join(recorded.COLUMNS), *("\t".join(row[name] for name in recorded.COLUMNS) for row in rows)]
    (folder / "stub.tsv").write_text("\n".join(lines) + "\n")
    return folder


def row(cause: str, elements: dict[str, str], **fields: Any) -> list[Row]:
    """Rows of a cause with the elements of the case `small/one` in float32, one for each."""
    return [
        replace(
            Row(
                problem="it-deviates",
                cause=cause,
                modes=("eager",),
                device="cpu",
                case="small/one",
                dtype="float32",
                quantities=("value",),
                words=tuple(words.split("|")),
                magnitude=30 if "inexact" in words else None,
                elements=(name,),
                sometimes=frozenset(),
            ),
            **fields,
        )
        for name, words in elements.items()
    ]


def record(*entries: tuple[str, dict[str, str]], **fields: Any) -> Record:
    """A record of causes."""
    return Record(tuple(one for entry in entries for one in row(*entry, **fields)))


def check(*seen: Observation, dtype: str = "float32") -> Judged:
    """The value of the case `small/one`: p = 1e-30, 1e-40 and 0.5 with y = 0, 0 and 1."""
    return judged(request(case(("1e-30", "0"), ("1e-40", "0"), ("0.5", "1")), dtype=dtype), *seen)


RIGHT = [1e-30, 1e-40, math.log(2)]


def outcomes(known: Record, one: Judged) -> tuple[str, dict[str, str], list[str]]:
    """Outcome of the check, outcomes of its elements, and notes."""
    matches = Matcher(known).match(Seen.of(one))
    notes = [match.note for match in matches if match.note]
    return outcome_of(matches), {match.element: match.outcome for match in matches}, notes


ZERO = ("stub/loss/value/ordinary/inaccurate", {"e0": "inexact"})


def test_what_is_neither_found_nor_recorded_is_as_expected() -> None:
    """A conforming check has nothing to say."""
    assert outcomes(record(), check(returned(RIGHT))) == ("as expected", {}, [])


def test_a_finding_without_a_record_is_new() -> None:
    """An unrecorded finding fails."""
    assert outcomes(record(), check(returned([0.0, *RIGHT[1:]]))) == ("new", {"e0": "new"}, [])


def test_a_finding_with_its_record_is_recorded() -> None:
    """A finding of the class that is recorded for its element is expected."""
    assert outcomes(record(ZERO), check(returned([0.0, *RIGHT[1:]]))) == ("recorded", {"e0": "recorded"}, [])


def test_a_record_without_its_finding_is_fixed() -> None:
    """A recorded element that conforms is reported."""
    assert outcomes(record(ZERO), check(returned(RIGHT))) == ("fixed", {"e0": "fixed"}, [])


def test_a_neighbour_of_a_recorded_element_is_new() -> None:
    """A record excuses the elements that it names and no others."""
    found = outcomes(record(ZERO), check(returned([0.0, 1e-40, 7.0])))
    assert found == ("new", {"e0": "recorded", "e2": "new"}, [])


def test_one_fixed_element_of_two_is_fixed() -> None:
    """Every element that a row names must deviate."""
    both = ("stub/loss/value/ordinary/inaccurate", {"e0": "zero", "e2": "inexact"})
    assert outcomes(record(both), check(returned([0.0, *RIGHT[1:]])))[:2] == (
        "fixed",
        {"e0": "recorded", "e2": "fixed"},
    )


@pytest.mark.parametrize(
    ("seen", "note"),
    [
        (returned([math.nan, *RIGHT[1:]]), "recorded as stub/loss/value/ordinary/inaccurate"),
        (CRASHED, "recorded as stub/loss/value/ordinary/inaccurate"),
    ],
)
def test_an_element_that_fails_differently_is_new(seen: Observation, note: str) -> None:
    """An expected failure that fails in another way is a failure, and the note says what was expected."""
    outcome, elements, notes = outcomes(record(ZERO), check(seen))
    assert (outcome, elements["e0"]) == ("new", "new")
    assert note in notes


def test_an_exception_in_place_of_a_recorded_value_is_new() -> None:
    """A recorded inaccuracy does not excuse a rejection."""
    good = [returned([one]) for one in RIGHT]
    outcome, elements, notes = outcomes(record(ZERO), check(raised(), *good[1:]))
    assert (outcome, elements) == ("new", {"e0": "new"})
    assert notes == ["recorded as stub/loss/value/ordinary/inaccurate"]


@pytest.mark.parametrize("got", [0.0, 0.5, 0.69, -0.5])
def test_a_finite_number_in_place_of_another_is_the_same_mistake(got: float) -> None:
    """Whether a cancelled result is inaccurate, 0 or of the other sign depends on a kernel's last digits."""
    known = record(("stub/loss/value/ordinary/inaccurate", {"e2": "inexact"}))
    matches = Matcher(known).match(Seen.of(check(returned([*RIGHT[:2], got]))))
    assert [(one.outcome, one.cause) for one in matches] == [("recorded", known.rows[0].cause)]


@pytest.mark.parametrize(
    ("exponent", "steps", "outcome"),
    [(1, 6, "recorded"), (1, 9, "recorded"), (1, 11, "new"), (3, 900, "recorded"), (3, 1100, "new")],
)
def test_the_order_of_magnitude_of_a_group_is_a_bound(exponent: int, steps: int, outcome: str) -> None:
    """An error up to the recorded power of ten is expected, a larger one is new."""
    got = math.log(2) + steps * 2.0**-24
    known = record(("stub/loss/value/ordinary/inaccurate", {"e2": "inexact"}), magnitude=exponent)
    found, elements, notes = outcomes(known, check(returned([*RIGHT[:2], got])))
    assert (found, elements) == (outcome, {"e2": outcome})
    assert all("ULP, recorded up to about" in note for note in notes)
    assert bool(notes) == (outcome == "new")


def test_without_an_order_of_magnitude_every_measured_error_is_new() -> None:
    """A record that does not say how large errors are excuses none."""
    known = record(("stub/loss/value/ordinary/inaccurate", {"e2": "inexact"}), magnitude=None)
    assert outcomes(known, check(returned([*RIGHT[:2], 7.0])))[0] == "new"


@pytest.mark.parametrize("got", [math.nan, math.inf])
def test_no_order_of_magnitude_excuses_what_is_no_number(got: float) -> None:
    """NaN and infinity are outside of any number of ULP."""
    known = record(("stub/loss/value/ordinary/inaccurate", {"e2": "inexact"}))
    assert outcomes(known, check(returned([*RIGHT[:2], got])))[0] == "new"


def test_what_is_as_small_as_the_rounding_of_one_is_the_same_mistake_whatever_it_is_in_ulp() -> None:
    """A sigmoid that saturates at 1 or one step below leaves 0 or 2^-24 of a loss of 1e-30: 0 ULP or 1e30."""
    known = record(("stub/loss/value/ordinary/inaccurate", {"e0": "inexact"}), magnitude=1)
    assert outcomes(known, check(returned([2.0**-24, *RIGHT[1:]])))[0] == "recorded"
    assert outcomes(known, check(returned([2.0**-21, *RIGHT[1:]])))[0] == "new"


#: In float32 the loss of a logit of 200 with label 1 is 1e-87, for which 0 is right.
SATURATED = case(("200", "1"), ("20", "1"), ("0", "1"), form="logits")


@pytest.mark.parametrize(
    ("got", "outcome"),
    [
        ([2.0**-24, 2.0611536e-9, 0.7], "recorded"),  # 1 - s where s is not quite 1
        ([2.0**-22, 2.0611536e-9, 0.7], "new"),
        ([0.0, 0.0, 0.7], "new"),  # a tail that is lost is another mistake than one that is kept
        ([0.0, 2.0**-24, 0.7], "new"),
    ],
)
def test_where_zero_is_right_the_rounding_of_one_is_the_recorded_mistake(got: list[float], outcome: str) -> None:
    """One kernel saturates at 1 and is right by luck, another one step below it: both make the mistake of e2."""
    known = record(("stub/loss/value/ordinary/inaccurate", {"e2": "inexact"}))
    seen = judged(request(SATURATED, dtype="float32"), returned(got))
    assert outcomes(known, seen)[0] == outcome


def test_an_unrecorded_element_at_the_edge_of_the_budget_is_excused_beside_recorded_ones() -> None:
    """From 3.9 to 4.1 ULP it is a kernel's last digit; beyond twice the budget it is new."""
    known = record(("stub/loss/value/ordinary/inaccurate", {"e0": "inexact"}))
    near, far = (math.log(2) + steps * 2.0**-24 for steps in (7, 9))
    assert outcomes(known, check(returned([0.0, RIGHT[1], near])))[0] == "recorded"
    assert outcomes(known, check(returned([0.0, RIGHT[1], far])))[0] == "new"
    assert outcomes(record(), check(returned([*RIGHT[:2], near])))[0] == "new"


def test_an_unrecorded_element_is_new_where_no_mistake_of_its_kind_is_recorded() -> None:
    """The rounding of 1 is no budget of its own."""
    other = ("stub/loss/gradient-label/ordinary/inaccurate", {"e2": "inexact"})
    seen = judged(request(SATURATED, dtype="float32"), returned([2.0**-24, 2.0611536e-9, math.log(2)]))
    assert outcomes(record(other), seen)[0] == "new"


def test_sometimes_may_or_may_not_deviate() -> None:
    """An element that deviates under some instruction sets only is expected both ways."""
    known = record(ZERO, sometimes=frozenset({"e0"}))
    assert outcomes(known, check(returned([0.0, *RIGHT[1:]])))[0] == "recorded"
    assert outcomes(known, check(returned(RIGHT)))[0] == "as expected"


def test_sometimes_does_not_excuse_another_failure() -> None:
    """What deviates sometimes must still deviate as recorded."""
    assert outcomes(record(ZERO, sometimes=frozenset({"e0"})), check(returned([math.nan, *RIGHT[1:]])))[0] == "new"


def test_a_record_of_another_dtype_case_or_mode_excuses_nothing() -> None:
    """Every part of a row counts."""
    seen = returned([0.0, *RIGHT[1:]])
    fields: list[tuple[str, Any]] = [("dtype", "float64"), ("case", "small/other"), ("modes", ("jit",))]
    for field, value in fields:
        assert outcomes(record(ZERO, **{field: value}), check(seen))[0] == "new"
    assert outcomes(record(ZERO, quantities=("gradient-label",)), check(seen))[0] == "new"


@pytest.mark.parametrize(
    "name", ["stub/loss/eager/cpu", "stub/loss[from_logits]/eager/cpu", "stub/a.b_c/compile/cuda:0"], ids=str
)
def test_a_row_takes_the_implementations_that_it_names(name: str) -> None:
    """Also where an id holds brackets, which globs would read as a set of letters."""
    adapter, entry, mode, device = name.split("/")
    by = implementation(adapter=adapter, entry=entry, mode=mode, device=device)
    (one,) = row(f"{adapter}/{entry}/value/ordinary/zero", {"e0": "inexact"}, modes=("other", mode), device=device)
    assert by.id == name
    assert one.takes(by.id)
    assert list(one.implementations)[1] == name
    assert not one.takes(name.replace(entry, f"{entry}x"))


# -- rows that match nothing -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"case": "small/renamed"}, ["small/renamed", "matches no request"]),
        ({"dtype": "bfloat16"}, ["bfloat16", "matches no request"]),
        ({"modes": ("eager", "gone")}, ["not planned in mode 'gone'"]),
        ({"quantities": ("gradient-label",)}, ["gradient-label", "not planned"]),
        ({"elements": {"e7": "inexact"}}, ["small/one", "no element 'e7'"]),
    ],
)
def test_a_row_that_matches_nothing_is_named(fields: dict[str, Any], words: list[str]) -> None:
    """A record that has lost its case, dtype, mode, quantity or element is told with its cause."""
    known = record((ZERO[0], fields.pop("elements", ZERO[1])), **fields)
    (line,) = unmatched(known, plan([request(case(("1e-30", "0")))]))
    assert line.startswith(ZERO[0])
    for word in words:
        assert word in line


def test_a_row_that_matches_is_not_named() -> None:
    """A record that is about something is no mistake."""
    assert list(unmatched(record(ZERO), plan([request(case(("1e-30", "0")))]))) == []


# -- files -------------------------------------------------------------------------------------------------------


def test_a_good_file_is_read_as_written(tmp_path: Path) -> None:
    """Every cell has its meaning."""
    (one,) = recorded.read(file_of(tmp_path, GOOD))
    assert (one.problem, one.cause, one.modes, one.device) == ("tail-is-lost", CAUSE, ("eager", "jit"), "cpu")
    assert (one.case, one.dtype, one.quantities) == ("small/one", "float32", ("value", "contract"))
    assert (one.words, one.magnitude) == (("inexact", "nan"), 8)
    assert (one.elements, one.sometimes) == (("e0", "e1"), frozenset({"e1"}))


def test_what_was_read_is_written_as_it_was(tmp_path: Path) -> None:
    """Sorted lines, so that a difference of two files is one of what they say."""
    rows = [GOOD, GOOD | {"dtype": "bfloat16", "as": "nan"}, GOOD | {"problem": "-", "as": "inexact"}]
    folder = file_of(tmp_path, *sorted(rows, key=lambda one: [one[name] for name in recorded.COLUMNS]))
    text = (folder / "stub.tsv").read_text()
    assert recorded.text(recorded.read(folder)[::-1]) == text


def test_only_the_files_of_the_backends_that_are_asked_for_are_read(tmp_path: Path) -> None:
    """A backend without a file has nothing recorded."""
    folder = file_of(tmp_path, GOOD)
    assert recorded.read(folder, ["other"]) == ()
    assert len(recorded.read(folder, ["other", "stub"])) == 1


@pytest.mark.parametrize(
    ("column", "value", "words"),
    [
        ("quantities", "vlaue", ["vlaue", "gradient-label"]),
        ("as", "1e8", ["1e8", "inexact"]),
        ("as", "zero", ["zero", "inexact"]),
        ("as", "inexact|", ["''"]),
        ("as", "nan<1e8", ["nan<1e8", "only inexact"]),
        ("as", "inexact<1e8000", ["inexact<1e8000"]),
        ("dtype", "float23", ["float23", "bfloat16"]),
        ("cause", "value/ordinary", ["value/ordinary", "quantity/region/signature"]),
        ("cause", "value/everywhere/zero", ["value/everywhere/zero", "saturated"]),
        ("entry", "losses/loss", ["losses/loss", "no slash"]),
        ("elements", "", ["10 cells", "empty"]),
        ("elements", "e0\te1", ["10 cells", "got 11"]),
    ],
)
def test_a_mistake_in_a_file_is_named_with_file_and_line(
    tmp_path: Path, column: str, value: str, words: list[str]
) -> None:
    """One mistake in a good file gives an InputError at its line that quotes it."""
    with pytest.raises(InputError) as caught:
        recorded.read(file_of(tmp_path, GOOD, GOOD | {column: value}))
    assert caught.value.code == Exit.BAD_INPUT
    where, _, message = str(caught.value).partition(": ")
    assert where.endswith("stub.tsv:3"), str(caught.value)
    for word in words:
        assert word in message


def test_a_file_without_its_columns_is_refused(tmp_path: Path) -> None:
    """The first line says what the others hold."""
    (tmp_path / "stub.tsv").write_text("problem\tentry\n")
    with pytest.raises(InputError, match=r"stub\.tsv:1: the first line must name the columns problem entry modes"):
        recorded.read(tmp_path)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        (b"e0 e1?", b"e\xff e1?", r"stub\.tsv:2: must be UTF-8 .got byte 0xff."),
        (b" e1?\n", b"", r"stub\.tsv:2: the file ends within a line .got '.*e0'."),
        (b"problem\t", b"", r"stub\.tsv:1: the first line must name the columns"),
    ],
)
def test_a_file_that_is_damaged_is_refused(tmp_path: Path, old: bytes, new: bytes, words: str) -> None:
    """The name of an element that is cut may be that of another one, whose deviation would then be excused."""
    file = file_of(tmp_path, GOOD) / "stub.tsv"
    file.write_bytes(file.read_bytes().replace(old, new))
    with pytest.raises(InputError, match=words):
        recorded.read(tmp_path)


def test_a_file_saved_by_an_editor_of_windows_says_the_same(tmp_path: Path) -> None:
    """A mark at its start and other ends of lines are no part of a cell."""
    file = file_of(tmp_path, GOOD) / "stub.tsv"
    rows = recorded.read(tmp_path)
    file.write_bytes(b"\xef\xbb\xbf" + file.read_bytes().replace(b"\n", b"\r\n"))
    assert recorded.read(tmp_path) == rows


def test_a_file_that_cannot_be_read_is_not_taken_for_an_empty_one(tmp_path: Path) -> None:
    """A link that leads nowhere would make everything new."""
    (tmp_path / "stub.tsv").symlink_to(tmp_path / "gone.tsv")
    with pytest.raises(InputError, match=r"stub\.tsv: cannot be read"):
        recorded.read(tmp_path, ["stub"])


def test_instruction_sets_that_are_no_text_are_bad_input(tmp_path: Path) -> None:
    """The file is named."""
    (tmp_path / recorded.INSTRUCTION_SETS).write_bytes(b"\xff\n")
    with pytest.raises(InputError, match=r"instruction-sets\.txt:1: must be UTF-8"):
        recorded.instruction_sets(tmp_path)


def test_a_folder_that_does_not_exist_is_bad_input(tmp_path: Path) -> None:
    """A wrong --known is named, and so is a file in place of a folder."""
    with pytest.raises(InputError, match="nowhere: no such folder"):
        load([place(tmp_path / "nowhere")])
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="file: is no folder"):
        load([place(tmp_path / "file")])


def test_two_records_of_one_element_are_refused_or_both_apply() -> None:
    """An element that two causes claim is not decided by the order of their rows."""
    first = ("stub/loss/value/ordinary/inaccurate", {"e0": "inexact"})
    second = ("stub/loss/value/ordinary/non-finite", {"e0": "nan"})
    seen = check(returned([0.0, *RIGHT[1:]]))
    assert outcomes(record(first, second), seen) == outcomes(record(second, first), seen)
