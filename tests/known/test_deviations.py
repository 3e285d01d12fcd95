"""The record of deviations: strict expected failures, for the versions they are about."""

from __future__ import annotations

import math
from itertools import pairwise
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.version import Version
from ruamel.yaml import YAML

from conformance.errors import Exit, InputError
from conformance.judge.verdicts import Judged
from conformance.known import deviations
from conformance.known.deviations import Deviation, Record, unmatched
from conformance.known.match import Matcher, Seen, outcome_of
from conformance.pool.observation import Observation
from tests.builders import CRASHED, case, deterministic, implementation, judged, plan, raised, request, returned

CAUSE = "stub/loss/value/saturated/inaccurate"

GOOD = """\
id: stub/loss/value/saturated/inaccurate
title: the loss of a certain wrong prediction is too small
kind: bug
checked: 2026-01-31
links: [https://example.org/issues/1]
versions: {stub: ">=1.0,<2.0"}
magnitude: {float32: 8}
selectors:
  - implementation: stub/*
    case: small/one
    dtype: float32
    quantities: [value]
    elements: {e0: inexact, e1: inexact|nan}
    sometimes: [e1]
"""


def load(tmp_path: Path, text: str) -> Deviation:
    """The deviation of one file."""
    file = tmp_path / "one.yaml"
    file.write_text(text)
    (one,) = deviations.load([file]).deviations
    return one


def record(*entries: tuple[str, dict[str, str]], **fields: Any) -> Record:
    """A record of causes with the elements of the case `small/one` in float32."""
    made = []
    for cause, elements in entries:
        given: dict[str, Any] = {
            "implementation": "stub/*",
            "case": "small/one",
            "dtype": "float32",
            "quantities": ("value",),
            "elements": elements,
        }
        selector = deviations.Selector(**(given | {k: v for k, v in fields.items() if k in given or k == "sometimes"}))
        rest = {"magnitude": {"float32": "30"}}
        rest |= {k: v for k, v in fields.items() if k in ("versions", "environment", "magnitude")}
        links = ("https://example.org/issues/1",)
        made.append(
            Deviation(
                id=cause,
                title="it deviates",
                kind="bug",
                checked="2026-01-31",
                selectors=(selector,),
                links=links,
                **rest,
            )
        )
    return Record(Path("deviations"), tuple(made))


def check(*seen: Observation, dtype: str = "float32") -> Judged:
    """The value of the case `small/one`: p = 1e-30, 1e-40 and 0.5 with y = 0, 0 and 1."""
    return judged(request(case(("1e-30", "0"), ("1e-40", "0"), ("0.5", "1")), dtype=dtype), *seen)


RIGHT = [1e-30, 1e-40, math.log(2)]


def outcomes(
    known: Record, one: Judged, versions: dict[str, str] | None = None
) -> tuple[str, dict[str, str], list[str]]:
    """Outcome of the check, outcomes of its elements, and notes."""
    matches = Matcher(known, {"stub": (versions or {}, {})}).match(Seen.of(one))
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
    """Every element that a selector names must deviate."""
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
    matches = Matcher(known, {}).match(Seen.of(check(returned([*RIGHT[:2], got]))))
    assert [(one.outcome, one.cause) for one in matches] == [("recorded", known.deviations[0].id)]


@pytest.mark.parametrize(
    ("exponent", "steps", "outcome"),
    [("1", 6, "recorded"), ("1", 9, "recorded"), ("1", 11, "new"), ("3", 900, "recorded"), ("3", 1100, "new")],
)
def test_the_order_of_magnitude_of_a_group_is_a_bound(exponent: str, steps: int, outcome: str) -> None:
    """An error up to the recorded power of ten is expected, a larger one is new."""
    got = math.log(2) + steps * 2.0**-24
    known = record(("stub/loss/value/ordinary/inaccurate", {"e2": "inexact"}), magnitude={"float32": exponent})
    found, elements, notes = outcomes(known, check(returned([*RIGHT[:2], got])))
    assert (found, elements) == (outcome, {"e2": outcome})
    assert all("ULP, recorded up to about" in note for note in notes)
    assert bool(notes) == (outcome == "new")


def test_without_an_order_of_magnitude_every_measured_error_is_new() -> None:
    """A record that does not say how large errors are excuses none."""
    known = record(("stub/loss/value/ordinary/inaccurate", {"e2": "inexact"}), magnitude={"float64": "30"})
    assert outcomes(known, check(returned([*RIGHT[:2], 7.0])))[0] == "new"


@pytest.mark.parametrize("got", [math.nan, math.inf])
def test_no_order_of_magnitude_excuses_what_is_no_number(got: float) -> None:
    """NaN and infinity are outside of any number of ULP."""
    known = record(("stub/loss/value/ordinary/inaccurate", {"e2": "inexact"}))
    assert outcomes(known, check(returned([*RIGHT[:2], got])))[0] == "new"


def test_what_is_as_small_as_the_rounding_of_one_is_the_same_mistake_whatever_it_is_in_ulp() -> None:
    """A sigmoid that saturates at 1 or one step below leaves 0 or 2^-24 of a loss of 1e-30: 0 ULP or 1e30."""
    known = record(("stub/loss/value/ordinary/inaccurate", {"e0": "inexact"}), magnitude={"float32": "1"})
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
    known = record(ZERO, sometimes=("e0",))
    assert outcomes(known, check(returned([0.0, *RIGHT[1:]])))[0] == "recorded"
    assert outcomes(known, check(returned(RIGHT)))[0] == "as expected"


def test_sometimes_does_not_excuse_another_failure() -> None:
    """What deviates sometimes must still deviate as recorded."""
    assert outcomes(record(ZERO, sometimes=("e0",)), check(returned([math.nan, *RIGHT[1:]])))[0] == "new"


def test_a_record_of_another_dtype_case_or_implementation_excuses_nothing() -> None:
    """Every part of a selector counts."""
    seen = returned([0.0, *RIGHT[1:]])
    for field, value in [("dtype", "float64"), ("case", "small/other"), ("implementation", "other/*")]:
        assert outcomes(record(ZERO, **{field: value}), check(seen))[0] == "new"
    assert outcomes(record(ZERO, quantities=("gradient-label",)), check(seen))[0] == "new"


@pytest.mark.parametrize(
    "name", ["stub/loss/eager/cpu", "stub/loss[from_logits]/eager/cpu", "stub/a.b_c/compile/cuda:0"], ids=str
)
def test_the_id_of_an_implementation_selects_it(name: str) -> None:
    """An id is a pattern for itself, also where it holds brackets, which globs read as a set of letters."""
    adapter, entry, mode, device = name.split("/")
    by = implementation(adapter=adapter, entry=entry, mode=mode, device=device)
    selector = deviations.Selector(
        implementation=name, case="small/one", dtype="float32", quantities=("value",), elements={"e0": "inexact"}
    )
    assert by.id == name
    assert selector.selects(request(case(("0.5", "1")), by))


# -- versions ----------------------------------------------------------------------------------------------------

NIGHTLIES = [
    "2.12.0", "2.13.0.dev20260101", "2.13.0a0+git1234", "2.13.0rc1", "2.13.0", "2.13.0+cpu", "2.13.1", "2.13.0.post1",
    "2.15.0.dev20260816+cpu", "2.15.0", "2.15.0+cu128", "2.15.1rc1", "3.0",
]  # fmt: skip


@pytest.mark.parametrize("version", NIGHTLIES)
@pytest.mark.parametrize("bound", ["2.13", "2.13.0", "2.15", "2.15.0"])
def test_every_version_lies_in_exactly_one_of_two_adjacent_ranges(version: str, bound: str) -> None:
    """`<X` and `>=X` split all versions, nightlies, candidates and local builds included."""
    below = record(ZERO, versions={"stub": f"<{bound}"}).deviations[0]
    above = record(ZERO, versions={"stub": f">={bound}"}).deviations[0]
    assert below.applies({"stub": version}, {}) != above.applies({"stub": version}, {})


#: Versions as frameworks make them: releases, candidates, nightlies and builds of one's own (PEP 440).
VERSIONS = st.builds(
    "{}{}{}{}{}".format,
    st.sampled_from(["", "1!"]),
    st.sampled_from(["2", "2.12", "2.13", "2.13.0", "2.13.1", "2.15.0", "3"]),
    st.sampled_from(["", "a0", "b2", "rc1", ".post1"]),
    st.sampled_from(["", ".dev0", ".dev20260816"]),
    st.sampled_from(["", "+cpu", "+git1234abc", "+cu128.cxx11.abi"]),
)


@deterministic
@given(VERSIONS, st.lists(VERSIONS, min_size=1, max_size=3))
def test_adjacent_ranges_of_a_deviation_hold_every_version_once(version: str, bounds: list[str]) -> None:
    """`<A`, `>=A,<B`, ..., `>=Z`, whatever the bounds are, nightlies included: none is skipped or doubled."""
    inner = sorted({Version(Version(one).public) for one in bounds})
    ends = [f"<{inner[0]}", *(f">={low},<{high}" for low, high in pairwise(inner)), f">={inner[-1]}"]
    ranges = [record(ZERO, versions={"stub": spec}).deviations[0] for spec in ends]
    assert sum(one.applies({"stub": version}, {}) for one in ranges) == 1


@pytest.mark.parametrize("spec", ["==2.13.0+cpu", "==2.13.*", "~=2.13", "===2.13", "2.13", ">=x"])
def test_a_range_that_would_hold_nothing_or_not_all_is_refused(tmp_path: Path, spec: str) -> None:
    """With a local part nothing would ever match, since that of a version does not count."""
    with pytest.raises(InputError, match="not a version range"):
        load(tmp_path, GOOD.replace(">=1.0,<2.0", spec))


@pytest.mark.parametrize("version", NIGHTLIES)
def test_every_version_lies_in_exactly_one_of_the_other_two_adjacent_ranges(version: str) -> None:
    """`<=X` and `>X` split all versions, too."""
    below = record(ZERO, versions={"stub": "<=2.13.0"}).deviations[0]
    above = record(ZERO, versions={"stub": ">2.13.0"}).deviations[0]
    assert below.applies({"stub": version}, {}) != above.applies({"stub": version}, {})


@pytest.mark.parametrize(
    ("spec", "version", "applies"),
    [
        (">=1.0,<2.0", "1.5", True),
        (">=1.0,<2.0", "2.0", False),
        (">=1.0,<2.0", "0.9", False),
        ("==2.13.0", "2.13.0+cpu", True),
        ("!=2.13.0", "2.13.0", False),
        (">=1.0", "unknown", False),
        (">=1.0", "absent", False),
    ],
)
def test_a_version_range_is_that_of_python_packaging(spec: str, version: str, applies: bool) -> None:
    """Ordinary versions are in the ranges where pip has them; what is no version is in none."""
    assert record(ZERO, versions={"stub": spec}).deviations[0].applies({"stub": version}, {}) is applies


def test_a_record_of_other_versions_neither_excuses_nor_is_fixed() -> None:
    """Outside its range a deviation is not looked for."""
    known = record(ZERO, versions={"stub": "<2.0"})
    flushed = check(returned([0.0, *RIGHT[1:]]))
    assert outcomes(known, flushed, {"stub": "1.9"})[0] == "recorded"
    assert outcomes(known, flushed, {"stub": "2.0"})[0] == "new"
    assert outcomes(known, check(returned(RIGHT)), {"stub": "2.0"})[0] == "as expected"


def test_a_record_of_another_environment_does_not_apply() -> None:
    """Every switch that a record names must be as recorded."""
    one = record(ZERO, environment={"onednn": "True"}).deviations[0]
    assert one.applies({}, {"onednn": True})
    assert not one.applies({}, {"onednn": False})
    assert not one.applies({}, {})


# -- selectors that match nothing --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"case": "small/renamed"}, ["small/renamed", "matches no request"]),
        ({"dtype": "bfloat16"}, ["bfloat16", "matches no request"]),
        ({"implementation": "stub/gone/*"}, ["stub/gone/*", "matches no request"]),
        ({"quantities": ("gradient-label",)}, ["gradient-label", "not planned"]),
        ({"elements": {"e7": "inexact"}}, ["small/one", "no element 'e7'"]),
    ],
)
def test_a_selector_that_matches_nothing_is_named(fields: dict[str, Any], words: list[str]) -> None:
    """A record that has lost its case, dtype, implementation, quantity or element is told with its cause."""
    elements = fields.pop("elements", {"e0": "inexact"})
    known = record((ZERO[0], elements), **fields)
    (line,) = unmatched(known, plan([request(case(("1e-30", "0")))]))
    assert line.startswith(ZERO[0])
    for word in words:
        assert word in line


def test_a_selector_that_matches_is_not_named() -> None:
    """A record that is about something is no mistake."""
    assert list(unmatched(record(ZERO), plan([request(case(("1e-30", "0")))]))) == []


# -- files -------------------------------------------------------------------------------------------------------


def test_a_good_file_is_read_as_written(tmp_path: Path) -> None:
    """Words stay the text of the file."""
    one = load(tmp_path, GOOD)
    assert (one.id, one.kind, one.checked) == (CAUSE, "bug", "2026-01-31")
    assert one.selectors[0].elements == {"e0": "inexact", "e1": "inexact|nan"}
    assert one.selectors[0].sometimes == ("e1",)


@pytest.mark.parametrize(
    ("old", "new", "line", "words"),
    [
        ("kind: bug", "kind: feature", 3, ["feature"]),
        ("kind: bug", "kind: bug\nowner: me", 4, ["unknown field", "owner"]),
        ("id: stub/loss/value/saturated/inaccurate", "id: stub/loss", 1, ["id", "stub/loss"]),
        ("title: the loss of a certain wrong prediction is too small\n", "", 1, ["title"]),
        ("checked: 2026-01-31", "checked: 2026-02-31", 4, ["2026-02-31"]),
        ("checked: 2026-01-31", "checked: yesterday", 4, ["yesterday"]),
        ("links: [https://example.org/issues/1]\n", "", 1, ["links", "unreported"]),
        ("links: [https://example.org/issues/1]", "unreported: true", 1, ["reason"]),
        ("[https://example.org/issues/1]", "[see the tracker]", 5, ["see the tracker"]),
        ('">=1.0,<2.0"', "newest", 6, ["stub", "newest"]),
        ("quantities: [value]", "quantities: [vlaue]", 9, ["vlaue"]),
        ("sometimes: [e1]", "sometimes: [e2]", 9, ["e2"]),
        ("e0: inexact", "e0: 1e8", 13, ["1e8", "inexact"]),
        ("e0: inexact", "e0: zero", 13, ["zero", "inexact"]),
        ("e0: inexact", "e0: inacurate", 13, ["inacurate"]),
        ("e1: inexact|nan", "e1: inexact|", 13, ["inexact|"]),
        ("float32: 8", "float32: 1e8", 7, ["1e8"]),
        ("float32: 8", "float23: 8", 7, ["float23"]),
        ("dtype: float32", "dtype: float23", 11, ["float23"]),
    ],
)
def test_a_mistake_in_a_file_is_named_with_file_and_line(
    tmp_path: Path, old: str, new: str, line: int, words: list[str]
) -> None:
    """One mistake in a good file gives an InputError at its line that quotes it."""
    assert old in GOOD
    with pytest.raises(InputError) as caught:
        load(tmp_path, GOOD.replace(old, new, 1))
    assert caught.value.code == Exit.BAD_INPUT
    place, _, message = str(caught.value).partition(": ")
    assert place.endswith(f"one.yaml:{line}"), str(caught.value)
    for word in words:
        assert word in message


def test_unreported_needs_a_reason_and_no_link(tmp_path: Path) -> None:
    """A deviation that nobody has reported says why."""
    text = GOOD.replace("links: [https://example.org/issues/1]", "unreported: true\nreason: it was found today")
    assert load(tmp_path, text).unreported


def test_a_cause_is_recorded_once(tmp_path: Path) -> None:
    """Two files of one cause are refused with the second one's name."""
    for name in ("a.yaml", "b.yaml"):
        (tmp_path / name).write_text(GOOD)
    with pytest.raises(
        InputError, match=r"b\.yaml:1: deviation stub/loss/value/saturated/inaccurate is recorded twice"
    ):
        deviations.load([tmp_path])


def test_a_folder_that_does_not_exist_is_bad_input(tmp_path: Path) -> None:
    """A wrong --deviations is named."""
    with pytest.raises(InputError, match="no such file or folder"):
        deviations.load([tmp_path / "nowhere"])


def test_two_records_of_one_element_are_refused_or_both_apply(tmp_path: Path) -> None:
    """An element that two causes claim is not decided by the order of their files."""
    first = ("stub/loss/value/ordinary/inaccurate", {"e0": "inexact"})
    second = ("stub/loss/value/ordinary/non-finite", {"e0": "nan"})
    seen = check(returned([0.0, *RIGHT[1:]]))
    assert outcomes(record(first, second), seen) == outcomes(record(second, first), seen)


def test_the_schema_accepts_the_good_file_and_refuses_bad_ones(tmp_path: Path) -> None:
    """The published JSON Schema agrees with the loader on structure."""
    schema = deviations.json_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    yaml = YAML(typ="safe", pure=True)
    good = yaml.load(GOOD) | {"checked": "2026-01-31"}
    validator.validate(good)
    for key, value in [("kind", "feature"), ("owner", "me"), ("id", "stub"), ("links", ["no link"])]:
        assert not validator.is_valid(good | {key: value})


def test_shipped_deviations_load() -> None:
    """The suite's own record is free of every mistake above."""
    shipped = Path(__file__).parents[2] / "deviations"
    assert all(one.links or one.reason for one in deviations.load([shipped]).deviations)
