"""The pictures of the mechanisms: each shows what it is called, and is read back as a drawing."""

from __future__ import annotations

import re
from xml.etree import ElementTree as ET

import numpy as np
import pytest

from conformance.diagnosis.vocabulary import Mechanism
from conformance.numbers.measurement import BUDGET
from tools.renew.pictures import FILE, HEIGHT, LEFT, NAME, PICTURES, RIGHT, WIDTH, Picture, drawn, files

SVG = "{http://www.w3.org/2000/svg}"

each = pytest.mark.parametrize("picture", PICTURES, ids=lambda one: one.mechanism.name)


def test_every_mechanism_that_a_formula_of_the_catalogue_can_have_has_one() -> None:
    """The catalogue adds no elements, and what is unidentified looks like nothing."""
    without = {Mechanism.REDUCTION_ORDER, Mechanism.UNIDENTIFIED}
    assert [one.mechanism for one in PICTURES] == [one for one in Mechanism if one not in without]


@each
def test_the_mechanism_happens_where_it_is_marked(picture: Picture) -> None:
    """By the same conditions as in a diagnosis."""
    assert picture.found[0].mechanism is picture.mechanism
    assert picture.at in picture.points.x


#: A narrower step and an epsilon are wrong wherever they are.
EVERYWHERE = {Mechanism.NARROWER_INTERMEDIATE, Mechanism.WRONG_TERM}


@each
def test_a_picture_shows_right_results_beside_wrong_ones(picture: Picture) -> None:
    """Otherwise it would not show where something begins."""
    assert picture.points.wrong.any()
    assert picture.points.wrong.all() == (picture.mechanism in EVERYWHERE)


@each
def test_a_drawing_is_xml_within_its_frame(picture: Picture) -> None:
    """Every point of a line lies between the axes."""
    root = ET.fromstring("\n".join(["<g>", *drawn(picture), "</g>"]))
    assert next(one.text for one in root.iter("text")) == picture.mechanism.value
    for path in root.iter("path"):
        for x, y in re.findall(r"[ML](\d+\.\d) (\d+\.\d)", path.get("d", "")):
            assert LEFT - 0.06 <= float(x) <= RIGHT + 0.06
            assert 0 <= float(y) <= HEIGHT


def test_the_pictures_of_the_file_cover_each_other_nowhere() -> None:
    """Each stands in a place of its own within the whole, as large as it is with its name."""
    root = ET.fromstring(files()[FILE])
    assert root.tag == f"{SVG}svg"
    *_, width, height = (int(word) for word in root.get("viewBox", "").split())
    found = [re.fullmatch(r"translate\((\d+) (\d+)\)", one.get("transform", "")) for one in root.findall(f"{SVG}g")]
    places = [(int(one[1]), int(one[2])) for one in found if one is not None]
    assert len(places) == len(PICTURES)
    for index, (x, y) in enumerate(places):
        assert x + WIDTH <= width
        assert y + NAME + HEIGHT <= height
        for other_x, other_y in places[:index]:
            assert abs(x - other_x) >= WIDTH or abs(y - other_y) >= NAME + HEIGHT


def test_where_a_step_is_magnified_the_result_is_wrong() -> None:
    """-20 + 2e-9 is rounded by 10^-6 at most, and 10^10 times that is the error of the loss."""
    (picture,) = (one for one in PICTURES if one.mechanism is Mechanism.ABSORBED)
    assert picture.condition is not None
    far = picture.points.x < -10
    assert np.all(picture.condition[far] > 1e4)
    assert np.all(picture.points.error[far] > BUDGET)


def test_all_pictures_are_smaller_than_150_kb() -> None:
    """They stand in the repository."""
    assert sum(len(text.encode()) for text in files().values()) < 150_000
