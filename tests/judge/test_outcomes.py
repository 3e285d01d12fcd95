"""What fails where: the pinned environment is strict about the record, another one only about what is new."""

from __future__ import annotations

from pathlib import Path

import pytest

from conformance.known.record import Record, default_place, load
from conformance.known.recorded import Row
from conformance.plan import cases
from conformance.plan.filters import Filters
from conformance.run import pinned
from conformance.run import run as runs
from conformance.run.run import Run

ROOT = Path(__file__).resolve().parents[2]

FILTERS = Filters(backend=("numpy",), case=("hard-labels/*",), dtype=("float32",), quantity=("value",))


@pytest.fixture(scope="module")
def shipped() -> Record:
    """The record that ships."""
    return load((default_place(),))


def execute(known: Record, strict: bool = False) -> Run:
    """A small run of the NumPy backend."""
    options = runs.Options(filters=FILTERS, strict=strict)
    suite = cases.load_suite(ROOT / "cases")
    with runs.open_pool(options) as pool:
        backends = runs.discover(pool, options)
        plan = runs.planned(backends, suite, options)
        return runs.execute(pool, backends, plan, known, options)


def with_a_fixed_one(shipped: Record) -> Record:
    """The shipped record and one element that conforms."""
    extra = Row(
        problem="recorded-but-not-seen",
        cause="numpy/log_textbook/value/ordinary/sign",
        modes=("eager",),
        device="cpu",
        case="hard-labels/probabilities",
        dtype="float32",
        quantities=("value",),
        words=("inexact",),
        magnitude=3,
        elements=(_conforming(shipped),),
        sometimes=frozenset(),
    )
    return Record((*shipped.rows, extra), shipped.problems)


def _conforming(shipped: Record) -> str:
    """An element of hard-labels/probabilities that nothing is recorded of."""
    recorded = {
        element
        for one in shipped.rows
        if one.case == "hard-labels/probabilities" and one.id.entry == "log_textbook"
        for element in one.elements
    }
    suite = cases.load_suite(ROOT / "cases")
    return next(one.id for one in suite.find("hard-labels/probabilities").case.elements if one.id not in recorded)


def pin(monkeypatch: pytest.MonkeyPatch, pinned_here: bool) -> None:
    """Make this environment the pinned one, or another."""
    monkeypatch.setattr(pinned, "is_pinned", lambda versions: pinned_here)


@pytest.mark.parametrize("pinned_here", [True, False])
def test_what_is_recorded_is_as_expected_everywhere(
    shipped: Record, monkeypatch: pytest.MonkeyPatch, pinned_here: bool
) -> None:
    """The shipped record is the baseline, in the pinned environment and with another version."""
    pin(monkeypatch, pinned_here)
    done = execute(shipped)
    assert done.exit == 0
    assert "recorded" in done.outcomes.values()


@pytest.mark.parametrize("pinned_here", [True, False])
def test_a_new_deviation_fails_everywhere(monkeypatch: pytest.MonkeyPatch, pinned_here: bool) -> None:
    """With a nightly, too: that is what it is run for."""
    pin(monkeypatch, pinned_here)
    done = execute(Record())
    assert done.exit == 1
    assert "new" in done.outcomes.values()


@pytest.mark.parametrize(("pinned_here", "strict", "code"), [(True, False, 1), (False, False, 0), (False, True, 1)])
def test_a_fixed_deviation_fails_where_the_record_must_be_true(
    shipped: Record, monkeypatch: pytest.MonkeyPatch, pinned_here: bool, strict: bool, code: int
) -> None:
    """In the pinned environment and under --strict; elsewhere it is reported."""
    pin(monkeypatch, pinned_here)
    done = execute(with_a_fixed_one(shipped), strict)
    assert "fixed" in done.outcomes.values()
    assert done.exit == code


def test_no_check_passes_for_want_of_having_run() -> None:
    """Every planned check of a present backend has an outcome, and the footer counts none as not run."""
    done = execute(load((default_place(),)))
    assert len(done.outcomes) == done.plan.checks
    assert done.record.footer is not None
    assert done.record.footer.not_run == 0
