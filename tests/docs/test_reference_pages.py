"""The generated pages of docs/reference/: complete, and read back by a parser of Markdown."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from conformance.cli import main
from tools.renew import ROOT
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
