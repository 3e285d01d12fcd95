"""Whoever adds a verdict is told every place that has to know it."""

from __future__ import annotations

import re
from pathlib import Path

import conformance.render
from conformance.choose.needs import RIGHT
from conformance.judge.verdicts import EXPECTED, VERDICTS
from conformance.record.compare import _BADNESS
from conformance.render.badges import COLORS
from conformance.render.matrix import LETTERS

TEMPLATES = Path(conformance.render.__file__).parent / "templates"


def test_every_verdict_has_a_letter_of_its_own_and_a_color() -> None:
    """Without one its elements would be missing from a cell, or a badge could not be made."""
    assert set(LETTERS) == set(VERDICTS)
    assert len(set(LETTERS.values())) == len(VERDICTS)
    assert set(COLORS) == set(VERDICTS)


def test_every_verdict_that_needs_a_record_is_told_as_worse_than_those_that_need_none() -> None:
    """A change to one of them is a regression."""
    assert set(_BADNESS) == set(VERDICTS) - EXPECTED
    assert min(_BADNESS.values()) > 0


def test_what_is_right_for_a_choice_needs_no_record() -> None:
    """A chooser is not told that a deviation is right."""
    assert set(RIGHT) <= EXPECTED


def test_the_page_expects_what_the_judge_expects() -> None:
    """The script of the HTML page has a list of its own, since it runs without Python."""
    script = (TEMPLATES / "report.js").read_text("utf-8")
    (listed,) = re.findall(r"const EXPECTED = new Set\((\[.*?\])\)", script)
    assert set(re.findall(r'"([^"]+)"', listed)) == EXPECTED
