"""Calls that requests share: who shares one, what comes back for each, and that nobody can tell the difference."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conformance.judge.judge import Judge
from conformance.judge.verdicts import Judged
from conformance.plan.cases import Case, Element
from conformance.plan.plan import make_plan
from conformance.plan.requests import Request
from conformance.pool import batches as sharing
from conformance.pool.batches import DRAWN, LARGEST, LONG, Batch, batches
from conformance.pool.observation import Observation, Observed, observed
from conformance.pool.pool import Pool
from conformance.worker import session as worker
from tests.builders import case, deterministic, implementation, raised, request, returned, suite, tensor

TOGETHER = Path(__file__).parents[1] / "data" / "adapters" / "together.py"

#: 1 to 9 numbers for each of some cases, all of them exact in float32.
LENGTHS = st.lists(st.integers(1, 9), min_size=1, max_size=6)


def plain(count: int = 1, name: str = "small/one", start: int = 1, **fields: Any) -> Case:
    """A case of `count` elements with predictions start/4096, (start + 1)/4096, ..."""
    return case(*((str((start + index) / 4096), "1") for index in range(count)), name=name, **fields)


def of_lengths(lengths: Sequence[int]) -> list[Request]:
    """Requests with so many elements each, no two of which are the same."""
    starts = [1 + sum(lengths[:index]) for index in range(len(lengths))]
    return [
        request(plain(count, f"small/n{index}", start))
        for index, (count, start) in enumerate(zip(lengths, starts, strict=True))
    ]


def presented(one: Case) -> Request:
    """A request with all presentations of its case."""
    return replace(request(one), presentations=one.presentations)


def members(found: Sequence[Batch]) -> list[list[int]]:
    """The indices of the requests of each call, twins included."""
    return [sorted([*(index for index, _ in one.members), *one.twins]) for one in found]


# -- who shares a call -------------------------------------------------------------------------------------------------


def test_requests_of_one_kind_share_a_call() -> None:
    """Two cases on one implementation in one dtype are one call of all their elements."""
    (batch,) = batches(enumerate([request(plain(2)), request(plain(3, "small/two"))]))
    assert batch.combined
    assert [one.bits.size for one in batch.tensors] == [5, 5]


WEIGHTED = case(name="small/two", elements=(Element(id="e0", prediction="0.5", label="1", weight="2"),))


@pytest.mark.parametrize(
    "other",
    [
        request(plain(), dtype="float64"),
        request(plain(), implementation(entry="other")),
        request(plain(), implementation(mode="jit")),
        request(WEIGHTED),
        request(plain(dtypes_of={"label": "float64"})),
        request(plain(parameters={"label_smoothing": "0.1"})),
    ],
    ids=["dtype", "implementation", "mode", "option", "dtype-of-label", "parameter"],
)
def test_requests_of_two_kinds_do_not_share_a_call(other: Request) -> None:
    """What is the same for all elements of a call must be the same for all its requests."""
    assert members(batches(enumerate([request(plain()), other]))) in ([[0], [1]], [[1], [0]])


@pytest.mark.parametrize(
    "one",
    [
        presented(plain(present=("17",))),
        request(plain(2, reduction="mean")),
        request(plain(2, reduction="sum")),
    ],
    ids=["presentation", "mean", "sum"],
)
def test_what_is_about_shapes_or_sums_keeps_a_call_of_its_own(one: Request) -> None:
    """Beside a request that would share a call there are two calls."""
    assert sorted(members(batches(enumerate([request(plain()), one])))) == [[0], [1]]


def test_the_reversed_call_of_a_relation_is_never_shared() -> None:
    """Where an element stands in its own case is what that call is about; the plain one is shared."""
    both = [request(plain(2, f"small/{name}", start, relation="order")) for name, start in (("one", 1), ("two", 3))]
    found = batches(enumerate(both))
    assert sorted((one.call, members([one])[0]) for one in found) == [
        ("reversed", [0]),
        ("reversed", [1]),
        ("value", [0, 1]),
    ]


@deterministic
@given(LENGTHS)
def test_a_shared_call_has_at_most_so_many_elements(lengths: list[int]) -> None:
    """More elements than the limit travel alone where one request has them; nobody is lost and nobody comes twice."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sharing, "LARGEST", 8)
        found = batches(enumerate(of_lengths(lengths)))
    assert all(one.tensors[0].bits.size <= 8 for one in found if one.combined)
    assert sorted(index for one in members(found) for index in one) == list(range(len(lengths)))


def test_the_same_call_without_its_reduction_is_made_once() -> None:
    """The unreduced losses of a mean and of a sum are those of one call, and both get them."""
    mean, total = (
        request(plain(2, f"small/{name}", reduction=name), quantities=("reduction",)) for name in ("mean", "sum")
    )
    (batch,) = (one for one in batches(enumerate([mean, total])) if one.call == "unreduced")
    seen = (returned([1.0, 2.0]),)
    assert batch.parted(seen) == {0: seen, 1: seen}


# -- what comes back ---------------------------------------------------------------------------------------------------


@deterministic
@given(LENGTHS)
def test_joining_and_parting_is_the_identity(lengths: list[int]) -> None:
    """A loss that returns its prediction gives every request the predictions of its own elements, in their order."""
    asked = of_lengths(lengths)
    (batch,) = batches(enumerate(asked))
    parts = batch.parted((returned(batch.tensors[0]),))
    assert parts is not None
    assert {index: bits(seen) for index, seen in parts.items()} == {
        index: (one.inputs.tensors["prediction"].bits.tobytes(),) for index, one in enumerate(asked)
    }


def bits(seen: Observed) -> tuple[bytes, ...]:
    """What came back, bit for bit."""
    return tuple(b"" if one.tensor is None else one.tensor.bits.tobytes() for one in seen)


def test_an_element_that_differed_alone_is_told_at_its_place_in_its_request() -> None:
    """The fourth of five elements is the second of a case that follows one of two."""
    (batch,) = batches(enumerate(of_lengths([2, 3])))
    parts = batch.parted((returned([1.0, 2, 3, 4, 5], alone=((3, tensor([9.0])),)),))
    assert parts is not None
    assert [[place for place, _ in seen.alone] for (seen,) in parts.values()] == [[], [1]]


TOLD = [
    raised(),
    returned([1.0, 2, 3, 4, 5], warnings=("RuntimeWarning: overflow",)),
    returned([1.0, 2, 3, 4, 5], changed=("prediction",)),
    returned([1.0, 2, 3, 4, 5], differs="the same call again"),
    returned([1.0, 2, 3, 4]),
    returned(1.0),
]


@pytest.mark.parametrize("seen", TOLD, ids=["raised", "warned", "changed", "differs", "one-short", "no-rows"])
def test_a_shared_call_with_anything_to_tell_is_divided(seen: Observation) -> None:
    """Whom it is about is not known before the requests were called for themselves."""
    (batch,) = batches(enumerate(of_lengths([2, 3])))
    assert batch.parted((seen,)) is None


@pytest.mark.parametrize("seen", TOLD, ids=["raised", "warned", "changed", "differs", "one-short", "no-rows"])
def test_one_request_is_not_divided_whatever_there_is_to_tell(seen: Observation) -> None:
    """What a call of its own says is about the request."""
    (batch,) = batches([(4, request(plain(5)))])
    assert batch.parted((seen,)) == {4: (seen,)}


@deterministic
@given(LENGTHS)
def test_division_ends_at_each_request_alone(lengths: list[int]) -> None:
    """Halves of halves hold every request once."""

    def ends(batch: Batch) -> Iterator[Batch]:
        for part in batch.divided() if batch.combined else ():
            yield from ends(part)
        if not batch.combined:
            yield batch

    (batch,) = batches(enumerate(of_lengths(lengths)))
    assert sorted(members(list(ends(batch)))) == [[index] for index in range(len(lengths))]


# -- a long presentation -----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def session() -> worker.Session:
    """A worker's session on the losses of the adapter, in this process."""
    made = worker.Session(worker.load(str(TOGETHER)))
    made.open("together")
    return made


def long(entry: str, size: int = 3 * LONG + 1) -> Batch:
    """The unreduced call of a mean over `size` numbers, which repeat three elements."""
    one = plain(3, reduction="mean", present=(str(size),))
    by = implementation(adapter="together", entry=entry)
    asked = replace(request(one, by, quantities=("value", "reduction")), presentations=one.presentations)
    (batch,) = (found for found in batches([(0, asked)]) if found.call == "unreduced")
    return batch


def called(session: worker.Session, batch: Batch) -> Observed:
    """What a worker answers to a call."""
    header, arrays = session.evaluate(batch.message(0), batch.tensors)
    (seen,) = observed(header, arrays).values()
    return seen


def content(seen: Observed) -> list[Any]:
    """Everything that can be told of observations of presentations."""
    return [(one.kind, one.whole, one.positions, one.counts, one.differs, one.warnings, bits((one,))) for one in seen]


@pytest.mark.parametrize("size", [2 * LONG + 1, 3 * LONG, 3 * LONG + 1, 3 * LONG + 2])
def test_a_shorter_presentation_tells_what_the_long_one_does(session: worker.Session, size: int) -> None:
    """Shape, first places and how often each element stands there, whichever element is the last."""
    shorter = long("right", size)
    assert max(shorter.message(0)["presentations"][0]["shapes"][0]) <= LONG + 3
    (whole,) = shorter.divided()
    parts = shorter.parted(called(session, shorter))
    assert parts is not None
    assert content(parts[0]) == content(called(session, whole))


def test_a_presentation_is_asked_whole_where_an_element_gave_several_results(session: worker.Session) -> None:
    """Which of them it would give how often in the long one cannot be known from a short one."""
    batch = long("by_position")
    assert batch.parted(called(session, batch)) is None
    (whole,) = batch.divided()
    assert whole.message(0)["presentations"][0]["shapes"][0] == [3 * LONG + 1]


@pytest.mark.parametrize("size", [3 * LONG, 3 * LONG + 1, 3 * LONG + 2])
def test_a_shorter_presentation_ends_with_the_same_element(size: int) -> None:
    """What does not fill a vector is at the end, and some code is for that alone."""
    ((shape,), _) = long("right", size).message(0)["presentations"][0]["shapes"]
    assert shape % 3 == size % 3


def test_what_is_no_longer_than_the_shorter_one_and_half_of_it_is_asked_whole() -> None:
    """It would save too little to ask twice."""
    assert long("right", 3 * LONG // 2).whole


# -- elements that are called alone as well ----------------------------------------------------------------------------


def drawn(count: int, seed: int = 0, name: str = "small", start: int = 1) -> list[int]:
    """The positions that are drawn of a shared call of `count` elements."""
    pair = [request(plain(1, f"{name}/one", start)), request(plain(count - 1, f"{name}/two", start))]
    (batch,) = batches(enumerate(pair))
    places: list[int] = batch.message(seed)["alone"]
    return places


@pytest.mark.parametrize("count", [2, DRAWN, DRAWN + 1, LARGEST])
def test_one_of_so_many_elements_is_also_called_alone_and_one_at_least(count: int) -> None:
    """Distinct positions, all of them of the call."""
    places = drawn(count)
    assert len(set(places)) == len(places) == max(1, -(-count // DRAWN))
    assert set(places) <= set(range(count))


def test_another_seed_draws_other_elements() -> None:
    """Over the seeds every element is tried."""
    assert len({tuple(drawn(1000, seed)) for seed in range(8)}) == 8


def test_what_is_drawn_does_not_depend_on_the_numbers_or_on_what_cases_are_called() -> None:
    """The same seed draws the same elements in every run."""
    assert drawn(1000) == drawn(1000, name="renamed", start=7)


def test_nothing_is_drawn_of_a_call_of_one_request() -> None:
    """It is not among others."""
    (batch,) = batches([(0, request(plain(LARGEST)))])
    assert batch.message(0)["alone"] == []


# -- a run -------------------------------------------------------------------------------------------------------------

#: What sees nothing but an element, or fails at one.
ELEMENTWISE = ("right", "refuses", "warns", "dies")

#: Most labels are not 1, so that of two elements one is drawn that is not.
CASES = (
    *(
        case(*((str(index / 64), "0.5") for index in range(9, 9 + count)), ("0.75", "1"), name=f"run/n{count}")
        for count in (1, 2, 6, 24)
    ),
    case(("0.375", "0"), ("0.125", "1"), ("0.25", "1"), name="run/marked"),
    case(("0.375", "0"), ("0.625", "1"), name="run/mean", reduction="mean"),
    case(("0.375", "0"), ("0.625", "1"), name="run/presented", present=("17", "2x3")),
)


class Ran:
    """All requests of the adapter by a run, and each of them alone."""

    def __init__(self) -> None:
        with tempfile.TemporaryFile() as log:
            pool = Pool(log=log)
            try:
                (backend,) = (one for one in pool.discover([TOGETHER]) if one.name == "together")
                self.requests = make_plan(suite(*CASES), backend.implementations).requests
                self.shared: list[dict[str, Observed] | None] = [None] * len(self.requests)
                pool.run([backend], self.requests, lambda *_: None, self.shared.__setitem__)
                with pool.session(backend) as observe:
                    self.apart = [
                        observe(one) if one.implementation.entry in ELEMENTWISE else None for one in self.requests
                    ]
            finally:
                pool.stop()

    def of(self, entry: str) -> list[tuple[Request, dict[str, Observed] | None, dict[str, Observed] | None]]:
        """Request, what the run saw and what was seen of it alone."""
        rows = zip(self.requests, self.shared, self.apart, strict=True)
        return [row for row in rows if row[0].implementation.entry == entry]

    def judged(self, entry: str) -> list[Judged]:
        """The checks of an implementation, by what the run saw."""
        rows = self.of(entry)
        return Judge([one for one, *_ in rows]).judge([seen for _, seen, _ in rows])


@pytest.fixture(scope="module")
def ran() -> Ran:
    """One run for all tests."""
    return Ran()


def seen_in(outcome: dict[str, Observed]) -> dict[str, list[Any]]:
    """Everything that was seen of a request, so that it can be compared."""
    return {call: [(replace(one, tensor=None), bits((one,))) for one in seen] for call, seen in outcome.items()}


@pytest.mark.slow
@pytest.mark.parametrize("entry", ELEMENTWISE)
def test_a_run_sees_of_every_request_what_is_seen_of_it_alone(ran: Ran, entry: str) -> None:
    """The same kinds, bits, warnings and messages, also where one case of many fails."""
    assert len(ran.of(entry)) >= len(CASES) - 1  # a reduction is not offered by all
    for _, shared, apart in ran.of(entry):
        assert shared is not None
        assert apart is not None
        assert seen_in(shared) == seen_in(apart)


@pytest.mark.slow
@pytest.mark.parametrize("entry", ELEMENTWISE)
def test_every_check_has_the_verdict_that_it_has_alone(ran: Ran, entry: str) -> None:
    """Ids, verdicts of all elements, findings with their words, and details."""
    rows = ran.of(entry)
    alone = Judge([one for one, *_ in rows]).judge([seen for _, _, seen in rows])
    assert [told(one) for one in ran.judged(entry)] == [told(one) for one in alone]


def told(check: Judged) -> tuple[Any, ...]:
    """What a run tells of a check."""
    return check.id, check.verdicts, check.bits, check.findings, check.details, check.warnings


@pytest.mark.slow
def test_an_element_that_raises_is_alone(ran: Ran) -> None:
    """The other elements of its case returned, and so did all other requests of the call."""
    kinds = {one.case.id: [part.kind for part in seen["value"]] for one, seen, _ in ran.of("refuses") if seen}
    assert kinds.pop("run/marked") == ["returned", "raised", "returned"]
    assert {kind for some in kinds.values() for kind in some} == {"returned"}


@pytest.mark.slow
def test_a_crash_for_one_case_loses_that_case_alone(ran: Ran) -> None:
    """Nobody who shared a call with it is held to be the culprit."""
    kinds = {one.case.id: {part.kind for part in seen["value"]} for one, seen, _ in ran.of("dies") if seen}
    assert kinds.pop("run/marked") == {"crashed"}
    assert set(kinds) == {one.id for one in CASES} - {"run/marked", "run/mean"}
    assert set().union(*kinds.values()) == {"returned"}


@pytest.mark.slow
@pytest.mark.parametrize("entry", ["by_neighbours", "by_position", "not_alone"])
def test_a_result_that_depends_on_the_rest_of_the_call_is_found(ran: Ran, entry: str) -> None:
    """Among others nearly all elements are right; one that was drawn is not when it is called alone."""
    found = [one for check in ran.judged(entry) if check.quantity == "repeatable" for one in check.findings]
    assert {(one.what, one.cause) for one in found} == {("differs", f"together/{entry}/repeatable/any/differs")}
    assert any("alone gave" in one.detail for one in found)
