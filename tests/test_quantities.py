"""The table of quantities, and that every table by their names has all of them."""

from __future__ import annotations

from itertools import product

import pytest

import reference
from conformance import adapters
from conformance.judge import behaviour, escalate, judge
from conformance.quantities import (
    AGREEMENT,
    BEHAVIOUR,
    CALLS,
    LAST,
    MANNER,
    NUMERIC,
    QUANTITIES,
    REDUCTION,
)
from conformance.render import narrate
from conformance.repro import derivation
from reference import focal, terms

#: Tables whose keys are all numeric quantities, in any order.
TABLES = {
    "what differentiates by what": adapters.VARIABLE,
    "functions of the reference": reference.FUNCTIONS,
    "words": narrate.QUANTITIES,
}

#: Tables by form and numeric quantity.
BY_FORM = {"terms of the reference": terms.KERNELS, "formulas for people": derivation.FORMULAS}


@pytest.mark.parametrize("name", TABLES)
def test_a_table_of_numbers_has_every_numeric_quantity(name: str) -> None:
    """One that lacks one would fail where that is first asked for."""
    assert set(TABLES[name]) == set(NUMERIC)


@pytest.mark.parametrize("name", BY_FORM)
def test_a_table_by_form_has_every_numeric_quantity_of_both(name: str) -> None:
    """Likewise; the reference and the suite call them the same."""
    assert set(BY_FORM[name]) == set(product(reference.FORMS, NUMERIC))


def test_the_focal_reference_and_arb_know_no_quantity_that_is_none() -> None:
    """The focal loss has some of them; Arb takes the others for the loss with other coefficients."""
    assert set(focal.QUANTITIES) < set(NUMERIC)
    assert {quantity for _, quantity in escalate._FORMULA} | set(escalate._LIKE) == set(NUMERIC)


def test_every_kind_of_quantity_has_a_judge() -> None:
    """By points, by how the value came back, or by what two calls gave."""
    assert {one.kind for one in QUANTITIES.values()} == {*judge.BY_POINTS, MANNER, AGREEMENT, REDUCTION}
    assert tuple(behaviour.JUDGES) == BEHAVIOUR


def test_a_quantity_asks_for_calls_that_a_worker_makes_in_a_fixed_order() -> None:
    """A number is its own call; the call without a reduction comes last, when the value is there to be held against."""
    assert {call for one in QUANTITIES.values() for call in one.calls} == set(CALLS)
    assert (*NUMERIC, "unreduced") == CALLS
    assert all(QUANTITIES[name].calls == (name,) for name in NUMERIC)


def test_no_two_quantities_share_a_place_in_a_summary() -> None:
    """Those without a place of their own come last."""
    places = [one.order for one in QUANTITIES.values() if one.order != LAST]
    assert len(set(places)) == len(places)
    assert max(places) < LAST
