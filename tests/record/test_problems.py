"""Problems of a run, and grades of its entry points: from small records whose harm is known by hand."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from msgspec import structs

from conformance.judge.harm import Harm
from conformance.record.grades import entries, grades
from conformance.record.harms import harms
from conformance.record.kinds import Kind
from conformance.record.problems import ProblemSummary, problems
from conformance.record.record import CheckLine, FindingLine, InputsLine, ProblemLine, RunRecord
from tests.records import run

#: Exact losses of p = 1/2, y = 1 and of p = 1/4, y = 0 in float64: log 2 and log(4/3).
INPUTS = InputsLine(
    case="small/one",
    family="small",
    flags=(),
    form="probabilities",
    reduction="none",
    dtype="float32",
    elements=("a", "b"),
    inputs={"prediction": ("3f000000", "3e800000"), "label": ("3f800000", "00000000")},
    ideal={"value": ("0x1.62e42fefa39efp-1", "0x1.269621134db92p-2")},
)

#: 0.6931472, NaN, and 0.70 in float32.
RIGHT, NAN, ONE_PERCENT = "3f317218", "7fc00000", "3f333333"

WORSE = ProblemLine(problem="is-nan", title="the loss is NaN", kind="bug")
BETTER = ProblemLine(problem="is-off", title="the loss is off by 1 %", kind="bug")


def check(implementation: str, bits: str, problem: str = "", verdict: str = "deviates", **fields: Any) -> CheckLine:
    """A check of the values, of which element a has these bits and, if wrong, this problem."""
    found = FindingLine(
        element="a",
        outcome="recorded",
        verdict="deviates",
        what="inaccurate",
        cause="stub/loss/value/ordinary/inaccurate",
        problem=problem,
    )
    given: dict[str, Any] = {
        "quantity": "value",
        "elements": ("a", "b"),
        "verdicts": (verdict, "conforms"),
        "bits": (bits, "3e934b11"),
        "ulp": (1e5, 0.1),
        "budget": (4.0, 4.0),
        "result_dtype": "float32",
        "findings": (found,) if problem else (),
    } | fields
    return CheckLine(
        id=f"small/one::{implementation}::float32::{given['quantity']}",
        case="small/one",
        family="small",
        implementation=implementation,
        dtype="float32",
        verdict=verdict,
        outcome="recorded" if problem else "as expected",
        **given,
    )


def record(*checks: CheckLine) -> RunRecord:
    """A run of these checks."""
    return replace(run(checks), inputs=(INPUTS,), problems=(WORSE, BETTER))


def told(made: RunRecord) -> list[ProblemSummary]:
    """The problems of a run."""
    return problems(made, harms(made))


def test_problems_are_told_by_harm() -> None:
    """NaN breaks a training whose loss is 0.69, and 0.70 misleads by no more than 1 %."""
    found = told(
        record(
            check("x/l/eager/cpu", ONE_PERCENT, "is-off"),
            check("y/l/eager/cpu", ONE_PERCENT, "is-off"),
            check("z/l/eager/cpu", NAN, "is-nan"),
        )
    )
    assert [(one.line.problem, one.worst) for one in found] == [("is-nan", Harm.BREAKS), ("is-off", Harm.DRIFTS)]
    assert [(one.entries, one.elements, one.checks) for one in found] == [(("z/l",), 1, 1), (("x/l", "y/l"), 2, 2)]
    assert found[1].harms == {Harm.DRIFTS: 2}


def test_an_example_is_of_the_plain_call() -> None:
    """Whatever mode was run first."""
    (found,) = told(record(check("x/l/jit/cpu", NAN, "is-nan"), check("x/l/eager/cpu", NAN, "is-nan")))
    assert found.example.implementation == "x/l/eager/cpu"
    assert found.example.inputs["prediction"][0] == "0.5"


def test_an_example_is_what_a_person_meets_before_it_is_the_worst() -> None:
    """A title says float32; what a weight makes of the same mistake in float16 is true, and nobody's case."""
    weighted = structs.replace(
        INPUTS,
        case="small/weighted",
        dtype="float16",
        inputs={"prediction": ("3800", "3400"), "label": ("3c00", "0000"), "weight": ("70e2", "70e2")},
    )
    worse = check("x/l/eager/cpu", "7e00", "is-off", result_dtype="float16")
    worse = structs.replace(worse, id="small/weighted::x/l/eager/cpu::float16::value", case="small/weighted")
    worse = structs.replace(worse, dtype="float16")
    plain = check("x/l/eager/cpu", ONE_PERCENT, "is-off")
    both = replace(record(plain), inputs=(INPUTS, weighted), checks=(worse, plain))
    (one,) = told(both)
    assert one.worst == Harm.BREAKS
    assert (one.example.case, one.example.dtype) == ("small/one", "float32")
    (one,) = told(replace(both, checks=(worse,)))
    assert one.example.case == "small/weighted"


def test_what_is_lost_shows_more_than_what_is_inexact() -> None:
    """Of equal harm 0 in place of a number is seen at once, although the name of its element is longer."""
    lost = check("x/l/eager/cpu", "00000000", "is-off")
    (found,) = lost.findings
    lost = structs.replace(lost, findings=(structs.replace(found, what="zero"),))
    inexact = structs.replace(lost, id="small/one::y/l/eager/cpu::float32::value", implementation="y/l/eager/cpu")
    inexact = structs.replace(inexact, bits=("3e000000", "3e934b11"), findings=(found,))
    for checks in ((lost, inexact), (inexact, lost)):
        (one,) = told(record(*checks))
        assert one.example.what == "zero"


def test_what_no_problem_explains_is_told_by_its_cause() -> None:
    """As in records of before there were problems."""
    one = check("x/l/eager/cpu", NAN, "is-nan")
    without = structs.replace(one, findings=(structs.replace(one.findings[0], problem=""),))
    (found,) = told(record(without))
    assert (found.line.problem, found.explained) == ("stub/loss/value/ordinary/inaccurate", False)


def test_a_new_finding_is_no_known_problem() -> None:
    """It is told before them."""
    one = check("x/l/eager/cpu", NAN, "is-nan")
    new = structs.replace(one, findings=(structs.replace(one.findings[0], outcome="new"),))
    assert told(record(new)) == []


def words(*checks: CheckLine) -> dict[str, str]:
    """The word for everyday inputs, by implementation in the order of the grades."""
    made = record(*checks)
    return {one.implementation: one.grades[Kind.EVERYDAY].word for one in grades(made, entries(made), harms(made))}


def test_a_word_is_the_worst_of_its_kind_and_the_best_come_first() -> None:
    """What is documented stands between what is right and what is as wrong without a word about it."""
    found = words(
        check("x/nan/eager/cpu", NAN, "is-nan"),
        check("x/off/eager/cpu", ONE_PERCENT, "is-off"),
        check("x/said/eager/cpu", ONE_PERCENT, verdict="by-contract"),
        check("x/right/eager/cpu", RIGHT, verdict="conforms", ulp=(0.1, 0.1)),
        check("x/refused/eager/cpu", "", verdict="rejects", verdicts=("rejects", "rejects"), ulp=()),
    )
    assert list(found.items()) == [
        ("x/right/eager/cpu", "ok"),
        ("x/refused/eager/cpu", "rejects"),
        ("x/said/eager/cpu", "drifts*"),
        ("x/off/eager/cpu", "drifts"),
        ("x/nan/eager/cpu", "BREAKS"),
    ]


def test_what_is_only_observed_has_no_word() -> None:
    """No answer is the right one there."""
    assert words(check("x/l/eager/cpu", RIGHT, verdict="recorded", verdicts=())) == {"x/l/eager/cpu": "-"}


def test_what_most_is_to_be_said_is_what_does_most_harm_in_training() -> None:
    """One finding that breaks goes before many that drift, of whatever quantity."""
    made = record(
        check("x/l/eager/cpu", ONE_PERCENT, "is-off"),
        check("x/l/eager/cpu", NAN, "is-nan", quantity="gradient-prediction"),
    )
    (one,) = grades(made, entries(made), harms(made))
    assert one.said.problem == "is-nan"


def test_entry_points_are_those_that_adapters_call_main_and_all_of_a_backend_that_names_none() -> None:
    """In plain mode, or the first that was run."""
    names = ("x/main/eager/cpu", "x/main/jit/cpu", "x/other/eager/cpu", "y/one/eager/cpu", "y/two/jit/cpu")
    made = record(*(check(name, RIGHT, verdict="conforms") for name in names))
    lines = tuple(structs.replace(line, main=line.id.startswith("x/main")) for line in made.header.implementations)
    made = replace(made, header=structs.replace(made.header, implementations=lines))
    assert entries(made) == ["x/main/eager/cpu", "y/one/eager/cpu", "y/two/jit/cpu"]
