"""The plan: what is asked of whom, and what is counted as not offered."""

from __future__ import annotations

from conformance.plan.filters import Filters
from conformance.plan.plan import make_plan
from conformance.quantities import AGREEMENT
from tests.builders import case, implementation, suite

SUITE = suite(case(("0.3", "1")))
PLAIN = implementation()
COMPILED = implementation(mode="jit")


def test_a_mode_is_held_against_the_plain_call_that_is_planned_beside_it() -> None:
    """One check of agreement for each dtype, and none of the plain call with itself."""
    plan = make_plan(SUITE, [PLAIN, COMPILED])
    asked = [one.implementation.mode for one in plan.requests if AGREEMENT in one.quantities]
    assert set(asked) == {"jit"}
    assert len(asked) == len(PLAIN.dtypes)
    assert "plain call" not in plan.not_offered


def test_without_its_plain_call_a_mode_has_no_check_of_agreement_and_that_is_counted() -> None:
    """A check that cannot be judged is not planned, so that none is missing after a run."""
    plan = make_plan(SUITE, [PLAIN, COMPILED], Filters(mode=("jit",)))
    assert all(AGREEMENT not in one.quantities for one in plan.requests)
    assert plan.not_offered["plain call"] == len(COMPILED.dtypes)
