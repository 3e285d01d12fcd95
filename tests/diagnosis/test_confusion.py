"""What a diagnosis says of implementations whose mistake is known: the miniatures.

`python -m tests.miniatures.confusion` prints the matrix.
"""

from __future__ import annotations

import pytest

from tests.miniatures import adapter, confusion
from tests.miniatures.confusion import Said, claims, declared
from tests.miniatures.registry import CATALOGUE

pytestmark = pytest.mark.slow

#: Miniatures whose formula and arithmetic are identified, as measured; the others have none of the catalogue.
IDENTIFIED = 54

#: Modules with mistakes that the catalogue does not contain as such.
UNSEEN = ("constants", "forms", "neighbours", "approximations", "narrow", "slopes")

TRUE = {name for name, one in CATALOGUE.items() if one.wrong and one.cls.mechanism}


@pytest.fixture(scope="module")
def said() -> Said:
    """The diagnoses of one run of all miniatures."""
    return confusion.said(confusion.run())


def test_at_least_forty_mistakes_are_none_of_the_catalogue() -> None:
    """They ask what a diagnosis says where it can know nothing."""
    assert sum(CATALOGUE[name].kind in UNSEEN for name in TRUE) >= 40
    assert set(UNSEEN) < set(adapter.KINDS)


def test_no_miniature_is_told_a_mechanism_that_is_not_true_of_it(said: Said) -> None:
    """A wrong claim is worse than none, also of what is wrong for another reason than its formula."""
    wrong = [
        f"{name}: {example.sentence}, which is {example.mechanism.value}"
        for name, diagnoses in sorted(said.items())
        for one in diagnoses
        for example in one.examples
        if example.mechanism not in declared(name)
    ]
    assert not wrong, "\n".join([*wrong, confusion.text(said)])


def test_what_is_identified_shows_the_mistake_itself(said: Said) -> None:
    """Of what is true of a miniature the first is its own mistake, and one example at least is of that."""
    told = {name: claims(diagnoses) for name, diagnoses in said.items()}
    missed = [name for name, claimed in told.items() if claimed and not set(declared(name)[:1]) & set(claimed)]
    assert not missed, confusion.text(said)


def test_mistakes_that_the_catalogue_contains_are_identified(said: Said) -> None:
    """As many as are told here, at least."""
    identified = {name for name in TRUE if claims(said.get(name, []))}
    assert len(identified) >= IDENTIFIED, f"{len(identified)} of {len(TRUE)}\n{confusion.text(said)}"


def test_nothing_is_said_of_right_implementations(said: Said) -> None:
    """None of their results is wrong."""
    assert [name for name in said if name not in CATALOGUE or not CATALOGUE[name].wrong] == []
