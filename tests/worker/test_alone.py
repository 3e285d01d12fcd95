"""Elements of a shared call that are also called alone: what a worker tells of them, and what is a finding."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from conformance.contracts import CastsTo, Contract
from conformance.judge.verdicts import Judged
from conformance.numbers.formats import Tensor, decode
from conformance.pool.batches import Batch, batches
from conformance.pool.observation import Observation, Observed, observed
from conformance.worker import session as worker
from tests.builders import SOURCE, case, implementation, judged_all, raised, request, returned, tensor

TOGETHER = Path(__file__).parents[1] / "data" / "adapters" / "together.py"

#: The losses of p = 0.5 and p = 0.25 with y = 1; the first is log 2 in float32.
LOSSES = [math.log(2), math.log(4)]
NOTHING = Tensor("nothing", np.zeros(0, dtype=np.uint8))


def checks(*seen: Observation) -> dict[str, Judged]:
    """The value of two elements, and whether it is repeatable."""
    asked = request(case(("0.5", "1"), ("0.25", "1")), quantities=("value", "repeatable"))
    return {one.quantity: one for one in judged_all([asked], [{"value": seen}])}


def repeatable(alone: Tensor, among: float = LOSSES[0]) -> Judged:
    """The check of a call in which e0 gave `alone` when it was called alone."""
    return checks(returned([among, LOSSES[1]], alone=((0, alone),)))["repeatable"]


def steps(count: int) -> Tensor:
    """float32 log 2, some patterns further."""
    first = tensor([LOSSES[0]])
    return Tensor("float32", first.bits + np.uint32(count))


def found(check: Judged) -> list[tuple[str, str, str]]:
    """Element, class and cause of each finding."""
    return [(one.element, one.what, one.cause) for one in check.findings]


DIFFERS = [("e0", "differs", "stub/loss/repeatable/any/differs")]


@pytest.mark.parametrize("count", [1, 8])
def test_other_bits_within_the_budgets_are_told_and_are_no_finding(count: int) -> None:
    """Vector code rounds differently from the code for what does not fill a vector: two budgets of 4 ULP."""
    check = repeatable(steps(count))
    (detail,) = check.details
    assert (check.verdict, check.findings) == ("conforms", ())
    alone, among = (float(decode(steps(place))[0]) for place in (count, 0))
    assert detail == f"value: e0 alone gave {alone!r}, among others {among!r}"


def test_other_bits_beyond_the_budgets_are_a_finding() -> None:
    """A result that is right among others and another one alone depends on what it is called with."""
    check = repeatable(steps(9))
    assert (check.verdict, found(check)) == ("deviates", DIFFERS)
    assert check.findings[0].detail in check.details


@pytest.mark.parametrize(("alone", "among"), [(math.nan, LOSSES[0]), (math.inf, LOSSES[0])])
def test_what_is_no_number_alone_is_a_finding_against_a_number(alone: float, among: float) -> None:
    """No budget holds NaN or an infinity."""
    assert found(repeatable(tensor([alone]), among)) == DIFFERS


def test_no_result_alone_is_a_finding_that_says_so() -> None:
    """The element raised when it was called alone, or returned something else than a number."""
    check = repeatable(NOTHING)
    assert found(check) == DIFFERS
    assert check.findings[0].detail.startswith("value: e0 alone gave no result, among others 0.69")


def test_another_dtype_alone_is_a_finding() -> None:
    """The same number in float64 is not the same result."""
    assert found(repeatable(tensor([LOSSES[0]], "float64"))) == DIFFERS


@pytest.mark.parametrize("among", [1.0, math.nan])
def test_an_element_that_is_wrong_among_others_is_no_second_finding(among: float) -> None:
    """The value is a finding already; that the right number came back alone is told."""
    check = repeatable(steps(0), among)
    assert (check.verdict, check.findings, len(check.details)) == ("conforms", (), 1)


@pytest.mark.parametrize(("contract", "apart"), [((CastsTo("float16", SOURCE),), []), ((), DIFFERS)])
def test_a_gradient_is_held_to_the_format_that_its_loss_is_cast_to(
    contract: Contract, apart: list[tuple[str, str, str]]
) -> None:
    """A gradient passes through the loss's float16 and comes back in float32: -2 and its neighbour are 2^-9 apart."""
    asked = request(case(("0.5", "1")), implementation(contract), quantities=("gradient-prediction", "repeatable"))
    gradient = returned([-2.0], alone=((0, tensor([-2.0 - 2**-9])),))
    checks = judged_all([asked], [{"value": (returned([math.log(2)], "float16"),), "gradient-prediction": (gradient,)}])
    assert [found(one) for one in checks if one.quantity == "repeatable"] == [apart]


def test_requests_of_which_no_element_differs_have_nothing_to_tell() -> None:
    """Most elements give the same bits."""
    check = checks(returned(LOSSES))["repeatable"]
    assert (check.verdict, check.findings, check.details) == ("conforms", (), ())


def test_a_difference_is_told_of_the_request_that_it_is_about() -> None:
    """Of two requests of one call only the one whose element differs is found."""
    asked = [request(case(("0.5", "1"), name=f"small/{name}"), quantities=("value", "repeatable")) for name in "ab"]
    outcomes: list[dict[str, Observed] | None] = [
        {"value": (returned(LOSSES[:1]),)},
        {"value": (returned(LOSSES[:1], alone=((0, tensor([7.0])),)),)},
    ]
    told = [one.request.case.id for one in judged_all(asked, outcomes) if one.findings]
    assert told == ["small/b"]


def test_an_element_that_raised_in_a_call_of_its_own_is_not_compared() -> None:
    """Elements that were called one by one are alone already."""
    check = checks(raised(), returned(LOSSES[1:]))["repeatable"]
    assert not any("alone" in one for one in check.details)


# -- the worker --------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def session() -> worker.Session:
    """A worker's session on the losses of the adapter, in this process."""
    made = worker.Session(worker.load(str(TOGETHER)))
    made.open("together")
    return made


def batch(entry: str, marked: bool = False) -> Batch:
    """One call for two requests: labels 1 and twice 0.5, predictions of which one may be marked."""
    cases = (
        case(("0.25", "1"), name="small/a"),
        case(("0.125" if marked else "0.375", "0.5"), ("0.625", "0.5"), name="small/b"),
    )
    by = implementation(adapter="together", entry=entry)
    (made,) = batches(enumerate(request(one, by) for one in cases))
    return made


def called(session: worker.Session, one: Batch, *alone: int) -> Observation:
    """What a worker answers to a shared call of which some elements are also called alone."""
    header, arrays = session.evaluate(one.message(0) | {"alone": alone}, one.tensors)
    ((seen,),) = observed(header, arrays).values()
    return seen


def loss(p: float) -> float:
    """The loss of a prediction for label 0.5."""
    return -(math.log(p) + math.log1p(-p)) / 2


def places(seen: Observation) -> list[int]:
    """The elements that are told to have differed alone."""
    return [index for index, _ in seen.alone]


@pytest.mark.parametrize(
    ("entry", "apart"), [("right", []), ("by_position", [1, 2]), ("by_neighbours", [1, 2]), ("not_alone", [0, 1, 2])]
)
def test_a_worker_tells_the_elements_that_differ_alone_and_no_others(
    session: worker.Session, entry: str, apart: list[int]
) -> None:
    """The first of a call is the first alone, too; and the largest label is its own largest label."""
    assert places(called(session, batch(entry), 0, 1, 2)) == apart


def test_a_worker_calls_only_those_alone_that_it_is_told_to(session: worker.Session) -> None:
    """One of many elements is enough, and a call costs time."""
    assert places(called(session, batch("by_position"), 2)) == [2]


def test_a_worker_sends_what_the_element_gave_alone(session: worker.Session) -> None:
    """Twice the loss of p = 0.625, which alone is the first of its call."""
    ((_, alone),) = called(session, batch("by_position"), 2).alone
    assert alone.dtype == "float32"
    assert decode(alone).tolist() == pytest.approx([2 * loss(0.625)], rel=1e-6)


def test_an_element_that_raises_alone_has_no_result(session: worker.Session) -> None:
    """It is told among those that differ, with no number."""
    ((_, alone),) = called(session, batch("not_alone"), 1).alone
    assert (alone.dtype, alone.bits.size) == (NOTHING.dtype, 0)


def test_a_shared_call_that_raises_tells_its_exception_alone(session: worker.Session) -> None:
    """No control and no element by itself: the requests are called for themselves then."""
    seen = called(session, batch("refuses", marked=True), 0)
    assert (seen.kind, seen.type, seen.alone, seen.control) == ("raised", "ValueError", (), False)


def test_a_framework_that_cannot_make_the_inputs_of_a_shared_call_raises_in_it(
    session: worker.Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The exception of its sigmoid is what is told, as of a call that raised."""

    def refused(*_: object) -> None:
        raise NotImplementedError("no sigmoid")

    monkeypatch.setattr(session.runtime, "produce", refused)
    one = batch("right")
    header, arrays = session.evaluate(one.message(0) | {"calls": ["sigmoid"]}, one.tensors)
    ((seen,),) = observed(header, arrays).values()
    assert (seen.kind, seen.type, seen.message) == ("raised", "NotImplementedError", "no sigmoid")


def test_the_results_of_all_elements_come_first(session: worker.Session) -> None:
    """What differed alone travels behind them, so that the call itself is read as any other."""
    seen = called(session, batch("by_neighbours"), 1, 2)
    assert seen.tensor is not None
    assert decode(seen.tensor).tolist() == pytest.approx([math.log(4), loss(0.375), loss(0.625)], rel=1e-6)
