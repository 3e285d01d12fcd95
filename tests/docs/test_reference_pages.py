"""The generated pages of docs/reference/: complete, and read back by a parser of Markdown."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from conformance.adapters.declaration import BASE_MODE, Declaration
from conformance.cli import main
from conformance.plan.cases import Case
from tools.renew import ROOT, reach
from tools.renew.reference import FOLDER
from tools.renew.reference.markdown import anchor, code, table, text

PARSER = MarkdownIt("commonmark").enable("table")


def words(token: Token) -> str:
    """What a reader sees of a piece of running text."""
    return "".join(child.content for child in token.children or ())


def tables(source: str) -> list[list[list[str]]]:
    """The tables of a page: rows of cells as a reader sees them."""
    found: list[list[list[str]]] = []
    tokens = PARSER.parse(source)
    for index, token in enumerate(tokens):
        if token.type == "table_open":
            found.append([])
        elif token.type == "tr_open":
            found[-1].append([])
        elif token.type in ("th_open", "td_open"):
            found[-1][-1].append(words(tokens[index + 1]))
    return found


def headings(source: str) -> list[str]:
    """The headings of a page."""
    tokens = PARSER.parse(source)
    return [words(tokens[index + 1]) for index, token in enumerate(tokens) if token.type == "heading_open"]


def test_every_element_of_every_case_file_is_on_the_page_with_its_numbers() -> None:
    """Against the YAML as another parser reads it, grids multiplied out here; each family begins with its cases."""
    expected, listed = [], []
    for file in sorted((ROOT / "cases").glob("*.yaml")):
        if file.name == "flags.yaml":
            continue
        cases = yaml.load(file.read_text(encoding="utf-8"), yaml.BaseLoader)["cases"]
        listed.append([case["id"] for case in cases])
        for case in cases:
            rows = [(one["id"], one["prediction"], one["label"]) for one in case.get("elements", ())]
            grid = case.get("grid", {"prediction": {}, "label": {}})
            rows += [(f"{p}-{y}", z, t) for p, z in grid["prediction"].items() for y, t in grid["label"].items()]
            expected.append(rows)
    page = tables((FOLDER / "cases.md").read_text(encoding="utf-8"))
    assert [[row[0] for row in rows[1:]] for rows in page if rows[0][0] == "case"] == listed
    assert [[tuple(row[:3]) for row in rows[1:]] for rows in page if rows[0][0] != "case"] == expected


def test_every_option_that_help_prints_is_on_the_page_of_its_command() -> None:
    """Against the printed help, which click writes."""
    source = (FOLDER / "commands.md").read_text(encoding="utf-8")
    for heading, rows in zip(headings(source)[1:], tables(source), strict=True):
        printed = CliRunner().invoke(main, [*heading.split()[1:], "--help"]).output
        promised = re.findall(r"^  (?:-\w, )?(--[a-z-]+)", printed, re.MULTILINE)
        shown = [row[0].split()[0] for row in rows[1:]]
        assert sorted([*(one for one in shown if one.startswith("--")), "--help"]) == sorted(promised)


@pytest.mark.parametrize("page", sorted(FOLDER.rglob("*.md")), ids=lambda page: page.name)
def test_no_two_headings_of_a_page_share_an_anchor(page: Path) -> None:
    """A link would lead to the first of them."""
    found = [anchor(heading) for heading in headings(page.read_text(encoding="utf-8"))]
    assert len(found) == len(set(found))


@given(st.text(st.characters(codec="ascii", categories=("L", "N", "P", "S"), exclude_characters="`"), min_size=1))
def test_text_reads_as_it_was_written(source: str) -> None:
    """No sign of it becomes emphasis, a link, an element or a further cell."""
    assert tables(table(("column",), [(f"a{text(source)}",)]))[0][1] == [f"a{source}"]


@given(st.text(st.characters(codec="ascii", categories=("L", "N", "P", "S"), exclude_characters="`\\"), min_size=1))
def test_code_reads_as_it_was_written(source: str) -> None:
    """A bar is no end of the cell."""
    assert tables(table(("column",), [(code(source),)]))[0][1] == [source]


# -- what is asked of whom ---------------------------------------------------------------------------------------------

#: What an entry point must lack for nothing to be asked of it, by the reason that the page gives.
LACKS: dict[str, Callable[[Declaration, list[Case]], bool]] = {
    "form": lambda one, cases: all(case.form != one.form for case in cases),
    "option": lambda one, cases: all(set(case.options) - set(one.options) for case in cases),
    "parameter": lambda one, cases: all(set(case.parameters) - set(one.parameters) for case in cases),
    "reduction": lambda one, cases: "none" not in one.reductions or not {"none", "mean", "sum"} <= set(one.reductions),
    "label": lambda one, cases: one.labels == "hard",
    "layout": lambda one, cases: not {case.split()[1] for each in cases for case in each.present} <= set(one.layouts),
    "relation": lambda one, cases: "gradient-prediction" not in one.quantities or not one.producers,
    "quantity": lambda one, cases: "gradient-prediction" not in one.quantities,
    "documents none": lambda one, cases: all(case.probe for case in cases),
}


def test_nothing_is_left_out_that_an_entry_point_takes() -> None:
    """A cell of the matrix without a check says why, and that is so: the entry point lacks what the row needs."""
    plain = {one.family: one for one in reach.declared() if one.mode == BASE_MODE}
    wrong = []
    for (family, kind), cell in reach.cells().items():
        if isinstance(cell, str):
            one = plain[family]
            own = [located.case for located in reach.suite().cases if reach.kind_of(located.case) == kind]
            fitting = [case for case in own if case.form == one.form] or own
            if cell not in LACKS or not LACKS[cell](one, fitting):
                wrong.append((family, kind, cell))
    assert wrong == []


def test_every_case_is_of_one_kind_and_every_kind_has_cases() -> None:
    """A kind that no case is of would be a row of reasons, and nothing behind it."""
    kinds = {reach.kind_of(located.case) for located in reach.suite().cases}
    assert kinds == set(reach.KINDS)


def test_every_entry_point_stands_on_the_page_of_what_is_asked() -> None:
    """Under its backend, in a column of its own."""
    page = (ROOT / reach.PAGE).read_text()
    for one in reach.declared():
        assert (
            f"`{one.entry.replace('[from_logits]', '')}`"
            in page.split(f"## {one.adapter}, {one.form}\n")[1].split("\n## ")[0]
        )


def test_own_layers_threads_and_upstream_gradients_are_asked_of_what_people_call() -> None:
    """The entry points that most call meet every way of passing that their framework has."""
    ways = ("own layer within the call", "second thread", "two threads at once", "result read later")
    for one in reach.declared():
        if one.main and one.mode == BASE_MODE and one.form == "probabilities" and "none" in one.reductions:
            for way in ways:
                assert not isinstance(reach.cells()[one.family, way], str), (one.family, way)
