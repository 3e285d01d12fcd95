"""Whoever adds a verdict is told every place that has to know it."""

from __future__ import annotations

from conformance.choose.needs import RIGHT
from conformance.judge.harm import Harm
from conformance.judge.verdicts import EXPECTED, VERDICTS
from conformance.record.compare import _BADNESS
from conformance.render.badges import COLORS
from conformance.render.matrix import LETTERS


def test_every_verdict_has_a_letter_of_its_own_and_every_harm_a_color() -> None:
    """Without one its elements would be missing from a cell, or a badge could not be made."""
    assert set(LETTERS) == set(VERDICTS)
    assert len(set(LETTERS.values())) == len(VERDICTS)
    assert set(COLORS) == set(Harm)


def test_every_verdict_that_needs_a_record_is_told_as_worse_than_those_that_need_none() -> None:
    """A change to one of them is a regression."""
    assert set(_BADNESS) == set(VERDICTS) - EXPECTED
    assert min(_BADNESS.values()) > 0


def test_what_is_right_for_a_choice_needs_no_record() -> None:
    """A chooser is not told that a deviation is right."""
    assert set(RIGHT) <= EXPECTED
