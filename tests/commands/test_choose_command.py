"""`bce-conformance choose` as a user runs it, and each of its forms parsed back."""

from __future__ import annotations

import dataclasses
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from markdown_it import MarkdownIt

from conformance.choose import needs
from conformance.choose.choose import Source, choose
from conformance.choose.sources import sources
from conformance.cli import main
from conformance.errors import Exit
from conformance.record import record
from conformance.record.record import BackendLine, SpeedLine
from conformance.render import choice as choices
from conformance.render import choice_html, choice_markdown
from conformance.render.markdown import cell
from tests.choices import A, B, C, check, chosen, run

#: What no text of a run may become in HTML or Markdown.
NASTY = '<script>alert("1")</script> | `x` [red]*y*'


# -- the command -----------------------------------------------------------------------------------------------------


@pytest.fixture
def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty folder to run commands in."""
    monkeypatch.chdir(tmp_path)


def invoke(*words: str) -> Result:
    """`bce-conformance choose` with some words."""
    return CliRunner().invoke(main, ["choose", *words])


@pytest.mark.usefixtures("command")
def test_a_need_that_some_meet_exits_with_0_and_one_that_none_meets_with_1(tmp_path: Path) -> None:
    """The need that nobody meets is named, with how many do not meet it and how many were not measured."""
    record.write(run([check("hard-labels/x", A), check("hard-labels/x", B, "deviates", 9.0)]), tmp_path / "run.jsonl")
    good = invoke("run.jsonl", "--need", "hard-labels")
    assert (good.exit_code, good.output.splitlines()[-1]) == (Exit.AS_EXPECTED, "1 of 2 implementations meet all needs")
    bad = invoke("run.jsonl", "--need", "hard-labels,compile")
    assert bad.exit_code == Exit.NOT_AS_EXPECTED
    assert "compile is met by none (0 not met, 2 not measured)" in bad.output
    alone = run([check("hard-labels/x", B, "deviates", 9.0)])
    record.write(alone, tmp_path / "run.jsonl")
    assert (
        "hard-labels is met by none (1 not met, 0 not measured)" in invoke("run.jsonl", "--need", "hard-labels").output
    )


@pytest.mark.usefixtures("command")
@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--need", "speed"), "--need must name needs"),
        ((), "--need must name what is needed"),
        (("nowhere.jsonl", "--need", "float16"), "nowhere.jsonl: cannot be read"),
    ],
)
def test_bad_input_exits_with_2(words: tuple[str, ...], message: str) -> None:
    """An unknown need, none, and a file that is not there; nothing is printed but the message."""
    done = invoke(*words)
    assert done.exit_code == Exit.BAD_INPUT
    assert message in done.stderr
    assert done.stdout == ""


def test_list_needs_prints_every_need_with_its_meaning() -> None:
    """One line each, without a run."""
    lines = invoke("--list-needs").output.splitlines()
    assert [line.split("\t") for line in lines] == [[need.name, need.meaning] for need in needs.VOCABULARY]


def test_files_come_before_the_last_run_and_that_before_the_shipped_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is read is said, with its date."""
    monkeypatch.chdir(tmp_path)
    mine = run([check("hard-labels/x", A)])
    shipped = "the run of the pinned environment that ships with the suite"
    assert [source.name for source in sources(())] == [shipped]
    record.write(mine, tmp_path / ".bce-conformance" / "last.jsonl")
    (last,) = sources(())
    assert (last.record, last.name) == (mine, "the last run (.bce-conformance/last.jsonl)")
    record.write(mine, tmp_path / "a.jsonl")
    assert [source.name for source in sources((Path("a.jsonl"), Path("a.jsonl")))] == ["a.jsonl", "a.jsonl"]
    assert [source.name for source in sources((), shipped=True)] == [shipped]
    assert choices.source_text(last).startswith("the last run (.bce-conformance/last.jsonl), of 2001-02-03 ")


# -- forms of output -------------------------------------------------------------------------------------------------


class Tables(HTMLParser):
    """What a page of HTML says: its tables cell by cell, its text, its tags with attributes."""

    def __init__(self, document: str) -> None:
        super().__init__()
        self.tables: list[list[list[str]]] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.text: list[str] = []
        self.feed(document)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note a tag; start a table, a row or a cell."""
        self.tags.append((tag, dict(attrs)))
        if tag not in ("meta", "link", "img"):
            self.open.append(tag)
        if tag == "table":
            self.tables.append([])
        elif tag == "tr":
            self.tables[-1].append([])
        elif tag in ("th", "td"):
            self.tables[-1][-1].append("")

    def handle_endtag(self, tag: str) -> None:
        """Every tag closes the one that is open."""
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        """Text of a cell, or beside tables."""
        if self.open and self.open[-1] in ("th", "td"):
            self.tables[-1][-1][-1] += data
        else:
            self.text.append(data)


def _speed(direction: str, elements: int, seconds: float, memory: int | None) -> SpeedLine:
    return SpeedLine(
        implementation=A,
        dtype="float32",
        direction=direction,
        elements=elements,
        seconds=seconds,
        repeats=5,
        memory=memory,
    )


def a_page(complete: bool = True) -> choices.Page:
    """A page with every table, and with text that is dangerous in every form."""
    nasty = f"stub/{NASTY.replace('/', '')}/eager/cpu"
    made = run(
        [
            check("soft-labels/x", A), check("soft-labels/x", B, "deviates", 5.0), check("hard-labels/x", C),
            check("soft-labels/x", nasty, ulp=2.0), check("soft-labels/x", A, quantity="gradient-prediction"),
        ],
        speeds=[
            _speed("forward", 1000, 1e-5, 4096),
            _speed("backward", 1000, 1e-4, None),
            _speed("forward", 10_000_000, 0.1, 40_000_000),
        ],
        backends=(BackendLine(name="gone", absent=NASTY), BackendLine(name="broken", failed=NASTY)),
        complete=complete,
    )  # fmt: skip
    return choices.page(chosen("soft-labels", made))


def test_html_says_what_the_page_says_and_is_one_file() -> None:
    """Parsed back, the tables are those of the page; heads have a scope, and nothing is loaded from anywhere."""
    page = a_page()
    found = Tables(choice_html.render(page))
    assert found.open == []
    tables = [[list(grid.columns), *map(list, grid.rows)] for grid in page.grids]
    assert len(tables) == 6
    assert found.tables == tables
    heads = [attributes for tag, attributes in found.tags if tag == "th"]
    assert heads
    assert all(attributes["scope"] in ("col", "row") for attributes in heads)
    names = {tag for tag, _ in found.tags}
    assert not names & {"script", "link", "img", "iframe", "object"}
    assert not [attributes for _, attributes in found.tags if {"src", "href"} & set(attributes)]
    text = "".join(found.text)
    for words in (page.title, page.verdict, *page.sources, *page.limits, *(grid.legend for grid in page.grids)):
        assert words in text
    assert ("meta", {"name": "color-scheme", "content": "light dark"}) in found.tags
    assert "url(" not in choice_html.render(page)


def test_markdown_says_what_the_page_says() -> None:
    """Parsed back, the tables are those of the page, and no text of the run has become markup."""
    page = a_page()
    tokens = MarkdownIt("commonmark").enable("table").parse(choice_markdown.render(page))
    tables: list[list[list[str]]] = []
    for position, token in enumerate(tokens):
        if token.type == "table_open":
            tables.append([])
        elif token.type == "tr_open":
            tables[-1].append([])
        elif token.type in ("th_open", "td_open"):
            tables[-1][-1].append("".join(one.content for one in tokens[position + 1].children or ()))
    assert tables == [[list(grid.columns), *map(list, grid.rows)] for grid in page.grids]
    kinds = {one.type for token in tokens for one in (token, *(token.children or ()))}
    assert not {kind for kind in kinds if kind.startswith(("html", "link", "code", "em"))}
    headings = [tokens[index + 1].children for index, token in enumerate(tokens) if token.type == "heading_open"]
    said = ["".join(one.content for one in children or ()) for children in headings]
    assert said == [page.title, *(grid.caption for grid in page.grids), "What this cannot tell"]


@pytest.mark.usefixtures("command")
def test_text_says_what_the_page_says(tmp_path: Path) -> None:
    """Every caption, source, limit and rank is printed, and markup of the run is text."""
    made = run(
        [check("hard-labels/x", A), check("hard-labels/x", B, ulp=2.0)],
        backends=(BackendLine(name="gone", absent=NASTY),),
    )
    record.write(made, tmp_path / "run.jsonl")
    output = " ".join(invoke("run.jsonl", "--need", "hard-labels").output.split())
    page = choices.page(choose([Source("run.jsonl", made)], needs.parse(["hard-labels"])), brief=True)
    for words in (page.title, page.verdict, *page.sources, *page.limits, *(grid.caption for grid in page.grids)):
        assert " ".join(words.split()) in output
    assert re.search(r"\b1 stub/a met 1\+0/1 0\.50 0\.50 2 stub/b met 1\+0/1 2\.00 2\.00\b", output)


@pytest.mark.usefixtures("command")
def test_text_counts_the_rows_that_it_leaves_out(tmp_path: Path) -> None:
    """A long table is cut and says so; --all prints all of it."""
    names = [f"stub/n{index}/eager/cpu" for index in range(30)]
    record.write(run([check("hard-labels/x", name) for name in names]), tmp_path / "run.jsonl")
    short, whole = (invoke("run.jsonl", "--need", "hard-labels", *more).output for more in ((), ("--all",)))
    assert "… and 18 more: --all" in short
    assert "stub/n29 " not in short
    assert "more: --all" not in whole
    assert len(re.findall(r"^1 +stub/n\d+ ", whole, re.MULTILINE)) == 60, "once in the ranking, once in the profile"


@pytest.mark.usefixtures("command")
@pytest.mark.parametrize("form", ["text", "markdown", "html"])
def test_an_interrupted_run_is_marked_in_every_form(tmp_path: Path, form: str) -> None:
    """Nobody takes it for a whole run."""
    record.write(run([check("hard-labels/x", A)], complete=False), tmp_path / "cut.jsonl")
    record.write(run([check("hard-labels/x", A)]), tmp_path / "whole.jsonl")
    assert "INTERRUPTED: cut.jsonl has no end" in invoke("cut.jsonl", "--need", "hard-labels", "--format", form).output
    assert "INTERRUPTED" not in invoke("whole.jsonl", "--need", "hard-labels", "--format", form).output


@pytest.mark.usefixtures("command")
def test_a_page_is_written_to_a_file(tmp_path: Path) -> None:
    """--output writes what would be printed, and the exit code is the same."""
    record.write(run([check("hard-labels/x", A)]), tmp_path / "run.jsonl")
    printed = invoke("run.jsonl", "--need", "hard-labels", "--format", "html")
    written = invoke("run.jsonl", "--need", "hard-labels", "--format", "html", "--output", "made/choice.html")
    assert (written.exit_code, written.output) == (Exit.AS_EXPECTED, "")
    assert (tmp_path / "made" / "choice.html").read_text(encoding="utf-8") == printed.output


def test_speed_is_told_in_elements_per_second_with_memory() -> None:
    """1000 elements in 10 µs are 100 million a second; what was not measured says so."""
    (grid,) = [one for one in a_page().grids if one.caption.startswith("Speed")]
    assert grid.columns[-2:] == ("1,000 elements", "10,000,000 elements")
    assert [row[-3:] for row in grid.rows] == [
        ("forward", "100 M/s, 4.1 kB", "100 M/s, 40 MB"), ("backward", "10 M/s", "not measured"),
    ]  # fmt: skip


def test_what_a_run_has_not_measured_is_told() -> None:
    """CPU only, plain calls only, no speed, a quick run, filters, absent and failed backends, other versions."""
    made = run(
        [check("hard-labels/x", A)],
        backends=(
            BackendLine(name="gone", absent="no such module"),
            BackendLine(name="odd", versions={"odd": "1"}),
            BackendLine(name="ill", failed="x"),
        ),
        filters={"preset": ["quick"]},
        planned=1,
        skipped=9,
    )  # fmt: skip
    said = "\n".join(choices.page(chosen("hard-labels", made)).limits)
    for words in (
        "CPU only", "Modes that were run: eager", "Speed was not measured", "a quick run: 1 of 10 checks",
        "gone was absent: no such module", "ill could not be opened: x",
        "not the versions that the suite's record is about: odd",
    ):  # fmt: skip
        assert words in said
    other = dataclasses.replace(
        run([check("hard-labels/x", "stub/a/eager/cuda")], filters={"dtype": ["float32"]}, skipped=3)
    )
    said = "\n".join(choices.page(chosen("hard-labels", other)).limits)
    assert "CPU only" not in said
    assert "cuda only" in said
    assert "filters left out 3 checks (dtype float32)" in said


def test_worst_checks_are_named_by_id_and_counted() -> None:
    """Three at most are named, the worst first; all are counted."""
    errors = {f"hard-labels/n{index}": float(index) for index in range(1, 6)}
    made = run([check(case, A, "deviates", error) for case, error in errors.items()])
    (grid,) = [one for one in choices.page(chosen("hard-labels", made)).grids if "do not meet" in one.caption]
    ((_, counts, worst),) = grid.rows
    assert counts == "hard-labels: 5 of 5"
    assert worst.split("; ") == [f"hard-labels/n{n}::{A}::float32::value deviates ({n:.2f} ULP)" for n in (5, 4, 3)]


def test_a_right_verdict_that_is_not_what_is_needed_says_what_is() -> None:
    """Accepting a label outside [0, 1] conforms, and is not met where it must be rejected."""
    made = run([check("out-of-range-labels/x", A, "conforms", None, "acceptance")])
    (grid,) = [one for one in choices.page(chosen("out-of-range=reject", made)).grids if "do not meet" in one.caption]
    assert grid.rows[0][-1] == f"out-of-range-labels/x::{A}::float32::acceptance conforms, needed: rejects"


@pytest.mark.usefixtures("command")
def test_markup_in_the_name_of_a_file_is_text(tmp_path: Path) -> None:
    """The terminal shows it as it is."""
    record.write(run([check("hard-labels/x", A)]), tmp_path / "[red]run.jsonl")
    assert "read: [red]run.jsonl, of" in invoke("[red]run.jsonl", "--need", "hard-labels").output


def test_dangerous_text_stays_text() -> None:
    """The escapes of Markdown give the text back, and HTML holds no tag of it."""
    document = choice_html.render(a_page())
    assert "<script" not in document
    assert "&lt;script&gt;" in document
    (paragraph,) = [token for token in MarkdownIt().parse(cell(NASTY)) if token.type == "inline"]
    assert "".join(one.content for one in paragraph.children or ()) == NASTY
