"""A mode held against the plain call of the same entry point."""

from __future__ import annotations

from dataclasses import replace

import pytest

from conformance.adapters.declaration import Declaration
from conformance.contracts import CastsTo, Source
from conformance.judge.verdicts import Judged
from conformance.plan.cases import Case
from conformance.plan.requests import Request
from conformance.pool.observation import Observation
from conformance.quantities import AGREEMENT
from tests.builders import case, implementation, judged_all, raised, request, returned

JIT = implementation(mode="jit")
ONE = case(("0.5", "1"))
SHAPES = case(("0.5", "1"), present=("3", "2", "1"))
RIGHT = 0.6931471805599453


def agreement(mode: Request, plain: Request, of_mode: list[Observation], of_plain: list[Observation]) -> Judged:
    """The check of a mode's request."""
    checks = judged_all([plain, mode], [{"value": tuple(of_plain)}, {"value": tuple(of_mode)}])
    (found,) = (one for one in checks if one.quantity == AGREEMENT)
    return found


def by_mode(one: Case = ONE, by: Declaration = JIT) -> Request:
    """A request of a case by the mode."""
    return replace(request(one, by), quantities=("value", AGREEMENT))


@pytest.mark.parametrize(
    ("of_mode", "of_plain", "what"),
    [
        (returned([RIGHT]), returned([RIGHT]), None),
        (returned([0.5]), returned([RIGHT]), "inaccurate"),
        (returned([float("nan")]), returned([RIGHT]), "nan"),
        (returned([RIGHT], "float64"), returned([RIGHT]), "result-dtype"),
        (returned([[RIGHT]]), returned([RIGHT]), "result-shape"),
        (returned([RIGHT]), raised(), "accepted"),
        (raised(), returned([RIGHT]), "raised"),
        (raised(), raised(), None),
    ],
)
def test_what_differs_is_named(of_mode: Observation, of_plain: Observation, what: str | None) -> None:
    """Value, class, dtype, shape, and what is rejected; nothing where both do the same."""
    check = agreement(by_mode(), request(ONE), [of_mode], [of_plain])
    assert [one.what for one in check.findings] == ([] if what is None else [what])
    assert check.verdict == ("conforms" if what is None else "deviates")


def test_a_dtype_that_the_mode_documents_is_no_disagreement() -> None:
    """Autocast says that it computes a loss of 16 bits in float32."""
    cast = (CastsTo("float64", Source("it says so", "https://example.org")),)
    made = by_mode(by=implementation(cast, mode="jit"))
    assert agreement(made, request(ONE), [returned([RIGHT], "float64")], [returned([RIGHT])]).verdict == "conforms"


def test_presentations_are_paired_by_name() -> None:
    """A mode that compiles for every shape is given fewer of them than the plain call."""
    plain = replace(request(SHAPES), presentations=SHAPES.presentations)
    mode = replace(by_mode(SHAPES), presentations=SHAPES.presentations[1:])
    two, one = (replace(returned([RIGHT]), whole=(size,), positions=(0,), counts=(size,)) for size in (2, 1))
    of_plain = [raised(), two, one]
    assert agreement(mode, plain, [two, one], of_plain).verdict == "conforms"
    wrong = agreement(mode, plain, [two, raised()], of_plain)
    assert [(found.element, found.what) for found in wrong.findings] == [("n1", "raised")]
