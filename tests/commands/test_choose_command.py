"""`bce-conformance choose` as a user runs it, and each of its forms parsed back."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from markdown_it import MarkdownIt

from conformance.choose import needs
from conformance.choose.choose import Source, choose
from conformance.choose.sources import SHIPPED, sources
from conformance.cli import main
from conformance.errors import Exit
from conformance.record import record
from conformance.record.record import BackendLine, SpeedLine
from conformance.render import choice as choices
from conformance.render import choice_forms, pages
from conformance.render.answer import STYLES
from conformance.render.markdown import cell
from tests import browser
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
    assert (good.exit_code, good.output.splitlines()[0]) == (
        Exit.AS_EXPECTED,
        "hard-labels: 1 of 2 entry points meet all needs",
    )
    bad = invoke("run.jsonl", "--need", "hard-labels,compile")
    assert bad.exit_code == Exit.NOT_AS_EXPECTED
    assert "compile is met by none (0 not met, 2 not measured)" in " ".join(bad.output.split())
    alone = run([check("hard-labels/x", B, "deviates", 9.0)])
    record.write(alone, tmp_path / "run.jsonl")
    said = " ".join(invoke("run.jsonl", "--need", "hard-labels").output.split())
    assert "hard-labels is met by none (1 not met, 0 not measured)" in said


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
    mine, asked = run([check("hard-labels/x", A)]), needs.parse(["hard-labels"])
    assert [source.name for source in sources((), asked).sources] == [SHIPPED]
    record.write(mine, tmp_path / ".bce-conformance" / "last.jsonl")
    (last,) = sources((), asked).sources
    assert (last.record, last.name) == (mine, "the last run (.bce-conformance/last.jsonl)")
    record.write(mine, tmp_path / "a.jsonl")
    assert [one.name for one in sources((Path("a.jsonl"), Path("a.jsonl")), asked).sources] == ["a.jsonl", "a.jsonl"]
    assert [one.name for one in sources((), asked, shipped=True).sources] == [SHIPPED]
    assert choices.source_text(last).startswith("the last run (.bce-conformance/last.jsonl), of 2001-02-03, ")


@pytest.mark.parametrize(
    ("header", "complete", "words", "why"),
    [
        ({"filters": {"case": ["hard-labels"]}}, True, "hard-labels", "it was narrowed by case"),
        ({}, True, "hard-labels,bfloat16", "it has nothing about hard-labels, it has nothing about bfloat16"),
        ({}, False, "hard-labels", "it has no end"),
    ],
)
def test_a_last_run_without_what_is_asked_does_not_hide_the_shipped_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, header: dict[str, object], complete: bool, words: str, why: str
) -> None:
    """A small filtered run, one of another dtype, and one without an end: the page says why it reads the other."""
    monkeypatch.chdir(tmp_path)
    made = run([check("hard-labels/x", A)], complete=complete, **header)
    record.write(made, tmp_path / ".bce-conformance" / "last.jsonl")
    read = sources((), needs.parse([words]))
    assert [source.name for source in read.sources] == [SHIPPED]
    assert read.notes == (f"the last run, which was not read: {why} (`choose .bce-conformance/last.jsonl …` reads it)",)


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


def html(page: choices.Page) -> str:
    """The page as HTML."""
    return pages.page("choice.html.j2", page=page, word=choices.word_of, colours=STYLES)


def test_html_says_what_the_page_says_and_is_one_file() -> None:
    """Parsed back, the tables are those of the page; heads have a scope, and nothing is loaded from anywhere."""
    page = a_page()
    found = Tables(html(page))
    assert found.open == []
    tables = [[list(grid.columns), *map(list, grid.rows)] for grid in page.grids]
    assert len(tables) == 3
    assert found.tables == tables
    heads = [attributes for tag, attributes in found.tags if tag == "th"]
    assert heads
    assert all(attributes["scope"] in ("col", "row") for attributes in heads)
    names = {tag for tag, _ in found.tags}
    assert not names & {"script", "link", "img", "iframe", "object"}
    assert not [attributes for _, attributes in found.tags if {"src", "href"} & set(attributes)]
    text = "".join(found.text)
    said = [part for pair in page.sentences for part in pair]
    for words in (page.title, page.take, page.team, *said, *page.sources, *page.limits):
        assert words in text
    assert ("meta", {"name": "color-scheme", "content": "light dark"}) in found.tags
    assert "url(" not in html(page)


def test_a_word_of_harm_has_its_colour_in_html_whether_it_is_documented_or_not() -> None:
    """The class of a cell is the word without its star; a text that is no such word has none."""
    page = a_page()
    (grid, *rest) = page.grids
    rows = tuple((*row[:2], word, *row[3:]) for row, word in zip(grid.rows, ("ok", "BREAKS*", "-"), strict=False))
    found = Tables(html(dataclasses.replace(page, grids=(dataclasses.replace(grid, rows=rows), *rest))))
    classes = [attributes.get("class") for tag, attributes in found.tags if tag == "td"]
    assert [str(one).strip() for one in classes if one and one.strip() != "text"][:2] == ["text ok", "text BREAKS"]


@pytest.fixture(scope="module")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A headless Chromium."""
    yield from browser.start(tmp_path_factory.mktemp("profile"))


@pytest.mark.slow
@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_never_scrolls_sideways(tmp_path: Path, driver: Any, width: int, scheme: str) -> None:
    """On a phone and on a desk, light and dark: a table that is too wide scrolls by itself."""
    invoke("--shipped", "--need", "amp,soft-labels,bfloat16,gradients", "--format", "html", "--output", f"{tmp_path}/c")
    (tmp_path / "c").rename(tmp_path / "choice.html")
    metrics = {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": width < 500}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
    driver.get((tmp_path / "choice.html").as_uri())
    assert driver.execute_script("return document.documentElement.scrollWidth <= window.innerWidth")
    ground = driver.execute_script("return getComputedStyle(document.body).backgroundColor")
    assert ground == ("rgb(255, 255, 255)" if scheme == "light" else "rgb(22, 22, 22)")


def test_markdown_says_what_the_page_says() -> None:
    """Parsed back, the tables are those of the page, and no text of the run has become markup."""
    page = a_page()
    tokens = MarkdownIt("commonmark").enable("table").parse(choice_forms.as_markdown(page))
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
    assert not {kind for kind in kinds if kind.startswith(("html", "link", "code_block", "fence", "em"))}
    headings = [tokens[index + 1].children for index, token in enumerate(tokens) if token.type == "heading_open"]
    said = ["".join(one.content for one in children or ()) for children in headings]
    captions = [grid.caption for grid in page.grids]
    assert said == [page.title, *captions, "What this cannot tell", "For the team"]


@pytest.mark.usefixtures("command")
@pytest.mark.parametrize("columns", ["40", "80", "100", "200"])
def test_text_says_what_the_page_says_in_any_width(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, columns: str
) -> None:
    """Every source, limit and row is printed, no line is longer than it may be, and markup of the run is text."""
    monkeypatch.setenv("COLUMNS", columns)
    made = run(
        [check("hard-labels/x", A), check("hard-labels/x", B, ulp=2.0)],
        backends=(BackendLine(name="gone", absent=NASTY),),
    )
    record.write(made, tmp_path / "run.jsonl")
    printed = invoke("run.jsonl", "--need", "hard-labels").output
    assert max(map(len, printed.splitlines())) <= int(columns)
    output = " ".join(printed.split())
    page = choices.page(choose([Source("run.jsonl", made)], needs.parse(["hard-labels"])))
    for words in (page.take, *page.sources, *page.limits):
        assert " ".join(words.split()) in output
    row = r"\b1 stub a ok 0\.50 2 stub b ok 2\.00\b"
    assert re.search(row if columns != "40" else r"\b1 stub a hard-labels ok, max ULP 0\.50 2 stub b", output)


@pytest.mark.usefixtures("command")
def test_text_counts_the_rows_that_it_leaves_out(tmp_path: Path) -> None:
    """A long table is cut and says so; --all prints all of it."""
    names = [f"stub/n{index}/eager/cpu" for index in range(30)]
    record.write(run([check("hard-labels/x", name) for name in names]), tmp_path / "run.jsonl")
    short, whole = (invoke("run.jsonl", "--need", "hard-labels", *more).output for more in ((), ("--all",)))
    assert "20 rows more: --all" in short
    assert "stub n29 " not in short
    assert "rows more" not in whole
    assert len(re.findall(r"^1 +stub n\d+ ", whole, re.MULTILINE)) == 30


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
        "other devices than CPU", "compiled modes", "speed in float32", "a quick run: 1 of 10 checks",
        "gone, which was absent: no such module", "ill, which could not be opened: x", "other versions",
        "the versions that the suite's record is about, of odd",
    ):  # fmt: skip
        assert words in said
    other = dataclasses.replace(
        run([check("hard-labels/x", "stub/a/eager/cuda")], filters={"dtype": ["float32"]}, skipped=3)
    )
    said = "\n".join(choices.page(chosen("hard-labels", other)).limits)
    assert "than CPU" not in said
    assert "other devices than cuda" in said
    assert "3 checks that filters left out (dtype float32)" in said


def test_a_right_verdict_that_is_not_what_is_needed_says_what_is() -> None:
    """Accepting a label outside [0, 1] conforms, and is not met where it must be rejected: nothing breaks by it."""
    made = run([check("out-of-range-labels/x", A, "conforms", None, "acceptance")])
    page = choices.page(chosen("out-of-range=reject", made))
    assert page.grids[0].rows[0][2] == "accepts"
    assert "call does not raise at p=0.5, y=2" in page.take


@pytest.mark.usefixtures("command")
def test_markup_in_the_name_of_a_file_is_text(tmp_path: Path) -> None:
    """The terminal shows it as it is."""
    record.write(run([check("hard-labels/x", A)]), tmp_path / "[red]run.jsonl")
    assert "read: [red]run.jsonl, of" in invoke("[red]run.jsonl", "--need", "hard-labels").output


def test_dangerous_text_stays_text() -> None:
    """The escapes of Markdown give the text back, and HTML holds no tag of it."""
    document = html(a_page())
    assert "<script" not in document
    assert "&lt;script&gt;" in document
    (paragraph,) = [token for token in MarkdownIt().parse(cell(NASTY)) if token.type == "inline"]
    assert "".join(one.content for one in paragraph.children or ()) == NASTY


# -- the questions of those who choose -------------------------------------------------------------------------------


@cache
def printed(words: str, columns: str = "100") -> str:
    """What is printed of the run that ships."""
    done = CliRunner(env={"COLUMNS": columns}).invoke(main, ["choose", "--shipped", "--need", words])
    return str(done.output)


def answer(words: str) -> str:
    """The same on one line."""
    return " ".join(printed(words).split())


#: The five that everybody asks about, as the table has them, in float32.
FIVE = (
    "torch BCELoss", "torch BCEWithLogitsLoss", "sigmoid_binary_cross_entropy", "BinaryCrossentropy[from_logits]",
    "tensorflow sigmoid_cross_entropy_with_logits",
)  # fmt: skip


@pytest.mark.parametrize("words", ["soft-labels,bfloat16,gradients", "logits", "focal", "pos_weight,float16", "amp"])
def test_the_five_that_everybody_asks_about_always_have_a_line(words: str) -> None:
    """Whatever is needed and whatever their rank is."""
    said = answer(words)
    assert not [name for name in FIVE if name not in said]


def test_what_trains_in_bfloat16_is_told_with_what_bcewithlogitsloss_does_there() -> None:
    """The first is no clipped loss with a dead gradient, and Optax is not thrown out for a subnormal."""
    said = answer("soft-labels,bfloat16,gradients")
    first = said.partition("rank implementation")[0]
    assert "In bfloat16 take " in first
    assert "optax.sigmoid_binary_cross_entropy" in first
    assert "losses.BinaryCrossentropy[from_logits]" in first
    assert re.search(
        r"torch BCEWithLogitsLoss .* returns 0 below z = -4\.16 at label 0, not 0\.0155; gradient right but where "
        r"small \(0 above z = 6\.25 at label 1\)",
        said,
    )
    assert re.search(r"keras-\w+, -\w+, -\w+ BinaryCrossentropy .* gradient 0, not -3e\+07 there, as documented", said)


def test_a_question_about_logits_is_not_answered_by_a_loss_of_classes() -> None:
    """`multilabel_soft_margin_loss` computes it, and is no answer: Optax and Keras are."""
    said = answer("logits,soft-labels,bfloat16,gradients")
    assert "margin" not in said
    assert "optax.sigmoid_binary_cross_entropy" in said.partition("rank implementation")[0]


def test_mixed_precision_is_told_by_documentation() -> None:
    """BCELoss raises on CUDA under autocast, BCEWithLogitsLoss is computed in float32; the page quotes that."""
    said = answer("amp,gradients")
    assert "raises on CUDA" in said
    assert re.search(r"torch BCEWithLogitsLoss .* autocast: in float32; returns 0 below z = -14\.6", said)
    page = invoke("--shipped", "--need", "amp", "--format", "markdown").output
    assert "binary\\_cross\\_entropy and BCELoss raise an error in autocast-enabled regions" in page


@pytest.mark.parametrize(
    "words", ["soft-labels,float16,gradients", "gradients", "soft-labels,out-of-range=reject", "soft-labels", "amp"]
)
def test_an_answer_has_thirty_lines(words: str) -> None:
    """In 120 columns; narrower terminals are told the same in more lines."""
    assert len(printed(words, "120").splitlines()) <= 30
