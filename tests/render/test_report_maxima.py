"""Certificates in a report: the table of maxima, the data of the plots, and the page in a real browser."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from click.testing import CliRunner
from markdown_it import MarkdownIt
from msgspec.structs import replace

from conformance.cli import main
from conformance.record import record as records
from conformance.render import report
from conformance.sweep import named
from conformance.sweep.certificate import Certificate, Result
from tests import browser
from tests.records import HOSTILE, run
from tests.render.test_report import choose, data_of, opened, parsed

FOLDER = Path(__file__).parents[2] / "results" / "certificates"

#: The certificates of the repository as plain JSON, and the first as a sweep writes it.
PLAIN = [
    json.loads(line)["certificate"]
    for file in sorted(FOLDER.glob("*.jsonl"))
    for line in file.read_text(encoding="utf-8").splitlines()
]
WRITTEN = json.dumps(PLAIN[0], indent=1).encode()

FOUND = [one.certificate for one in named.of_folder(FOLDER)]

#: Bits of a fraction and of an exponent, for an oracle that shares nothing with `conformance.numbers.formats`.
BITS = {"float64": (52, 11), "float32": (23, 8), "float16": (10, 5), "bfloat16": (7, 8)}


def value_of(bits: str, dtype: str) -> float:
    """The number that a bit pattern is, by NumPy; bfloat16 is the upper half of float32."""
    if dtype == "float16":
        return float(np.array(int(bits, 16), np.uint16).view(np.float16))
    if dtype == "float64":
        return float(np.array(int(bits, 16), np.uint64).view(np.float64))
    pattern = int(bits, 16) << (16 if dtype == "bfloat16" else 0)
    return float(np.array(pattern, np.uint32).view(np.float32))


def results(found: Sequence[Certificate] = FOUND) -> list[tuple[Certificate, Result]]:
    """All results with their certificates."""
    return [(one, result) for one in found for result in one.results]


def table_of(page: str) -> list[dict[str, str]]:
    """The rows of the table of maxima by the titles of its columns."""
    table = parsed(page).find(".//table[@id='maxima-table']")
    titles = ["".join(cell.itertext()) for cell in table.find("thead").iter("th")]
    return [dict(zip(titles, ("".join(cell.itertext()) for cell in row), strict=True)) for row in table.find("tbody")]


@pytest.fixture(scope="module")
def page() -> str:
    """The page of all certificates without a run."""
    return report.render(None, FOUND)


def test_the_page_is_valid_html_with_a_run_and_without(page: str) -> None:
    """A strict parser takes both; without a run no part of the page is about one."""
    without, both = parsed(page), parsed(report.render(run(), FOUND))
    assert [one.get("id") for one in without.iter("section")] == ["explore", "maxima"]
    assert {"answer", "findings", "maxima"} <= {one.get("id") for one in both.iter("section")}
    links = [one.get("href") for one in without.find(".//nav").iter("a")]
    assert links == ["#explore", "#maxima"]


def test_a_run_alone_has_no_maxima() -> None:
    """The page of a run is what it was."""
    assert parsed(report.render(run())).find(".//section[@id='maxima']") is None


def test_the_table_has_every_result_without_javascript(page: str) -> None:
    """Implementation, label, largest errors, and input, result and exact value there, as the certificate says."""
    rows = {(row["implementation"], row["quantity"], row["dtype"], row["label"]): row for row in table_of(page)}
    assert len(rows) == len(table_of(page)) == len(results())
    for one, result in results():
        label = "all in [0, 1]" if result.label_value is None else f"{result.label_value:g}"
        row = rows[result.implementation, one.quantity, one.dtype, label]
        assert (row["kind"], row["results"]) == (one.kind, f"{result.points:,}")
        worst = result.worst.get("ideal")
        if worst is None:
            assert (row["max ULP"], row["at prediction"], row["got"]) == ("≤0.5", "", "")
            continue
        assert float(row["max ULP"]) == pytest.approx(worst.ulp, rel=0.05, abs=0.005)
        assert float(row["exact value"]) == pytest.approx(float.fromhex(worst.exact), rel=1e-8)
        shown = re.match(r"(\S+) \(0x(\w+)\)", row["at prediction"])
        assert shown is not None
        assert shown[2] == worst.prediction
        near = value_of(worst.prediction, one.dtype)
        step = abs(value_of(f"{int(worst.prediction, 16) ^ 1:0{len(worst.prediction)}x}", one.dtype) - near)
        assert abs(float(shown[1]) - near) <= step / 2, "the decimal means these bits"
        assert f"(0x{worst.got})" in row["got"]


def test_the_order_does_not_depend_on_that_of_the_files(page: str) -> None:
    """Rows and sweeps stand by backend and entry, whatever was read first."""
    shuffled = [FOUND[index] for index in np.random.default_rng(0).permutation(len(FOUND))]
    again = report.render(None, shuffled)
    assert table_of(again) == table_of(page)
    names = [group["name"] for group in data_of(parsed(again))["sweeps"]["groups"]]
    assert names == [group["name"] for group in data_of(parsed(page))["sweeps"]["groups"]]
    assert len(set(names)) == len(names)
    keys = [tuple(row["implementation"].split("/")[:2]) for row in table_of(page)]
    assert keys == sorted(keys)


def test_every_binade_is_where_its_predictions_are(page: str) -> None:
    """Read back: place n of a list is the nth binade, from the most negative to the most positive one."""
    groups = {group["name"]: group for group in data_of(parsed(page))["sweeps"]["groups"]}
    for one in FOUND:
        (name,) = [n for n, group in groups.items() if group["command"] == one.command]
        _, exponent = BITS[one.dtype]
        bias, signed = 2 ** (exponent - 1) - 1, one.form == "logits"
        for sent, result in zip(groups[name]["results"], one.results, strict=True):
            assert set(sent["binades"]) == {"ideal", *result.binades}
            for column, listed in sent["binades"].items():
                assert len(listed) == (2 * (2**exponent - 1) if signed else bias + 1)
                nonzero = {place: error for place, error in enumerate(listed) if error}
                expected = {}
                for binade, error in result.binades.get(column, {}).items():
                    field = 0 if binade[1:] == "s" else int(binade[1:]) + bias
                    zero = 2**exponent - 1 if signed else 0
                    expected[zero + field if binade[0] == "+" else zero - 1 - field] = error
                assert nonzero == expected


def test_counts_and_first_inputs_are_sent_as_they_are(page: str) -> None:
    """Distances, classes, first inputs and the command of every result."""
    sent = {
        (group["command"], result["label"]): result
        for group in data_of(parsed(page))["sweeps"]["groups"]
        for result in group["results"]
    }
    for one, result in results():
        label = "all in [0, 1]" if result.label_value is None else f"{result.label_value:g}"
        found = sent[one.command, label]
        assert found["ordinals"] == list(result.ordinals)
        assert found["classes"] == result.classes
        assert found["firsts"] == {name: [at["prediction"], at["label"]] for name, at in result.firsts.items()}


def test_only_a_proof_says_that_no_larger_error_exists() -> None:
    """A part of the predictions is a lower bound: it says so, and sends nothing of binades that were not tried."""
    proof = next(one for one in FOUND if one.dtype == "float16" and one.form == "logits" and not one.covered["pairs"])
    covered = proof.covered | {"predictions": 1024, "first": "3c00", "last": "3fff"}
    part = replace(proof, kind="lower bound", covered=covered)
    text = report.render(None, [proof, part])
    proved, found = sorted(data_of(parsed(text))["sweeps"]["groups"], key=lambda group: group["kind"], reverse=True)
    assert (proved["kind"], found["kind"]) == ("proof", "lower bound")
    assert "no larger error exists" in proved["covered"]
    assert "a larger error may exist" in found["covered"]
    tried = [place for place, error in enumerate(found["results"][0]["binades"]["ideal"]) if error is not None]
    assert tried == [31 + 15], "the binade of 1, after 31 negative ones"
    assert [row["kind"] for row in table_of(text)].count("lower bound") == len(part.results)


def test_certificates_add_few_bytes(page: str) -> None:
    """Those of the repository add less than 300 kB to the page of a run."""
    assert len(report.render(run(), FOUND).encode()) - len(report.render(run()).encode()) < 300_000


def test_text_of_a_certificate_is_escaped() -> None:
    """The message of an exception and a name with markup stay text."""
    one = replace(FOUND[0], results=tuple(replace(r, raised=HOSTILE, implementation=HOSTILE) for r in FOUND[0].results))
    tree = parsed(report.render(None, [one]))
    assert len(list(tree.iter("script"))) == 4, "data, two libraries, the page's own"
    assert all("onerror" not in element.attrib for element in tree.iter())


# -- the commands ----------------------------------------------------------------------------------------------------


def invoke(*words: object) -> Any:
    """The command line."""
    return CliRunner().invoke(main, [str(word) for word in words])


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    """A run record, under a name that says nothing."""
    records.write(run(), tmp_path / "kept.gz")
    return (tmp_path / "kept.gz").rename(tmp_path / "kept.json")


@pytest.fixture
def single(tmp_path: Path) -> Path:
    """A certificate as a sweep writes it."""
    file = tmp_path / "single" / "one.json"
    file.parent.mkdir()
    file.write_bytes(WRITTEN)
    return file


@pytest.mark.parametrize("order", [1, -1])
def test_files_are_recognized_by_their_content(kept: Path, single: Path, tmp_path: Path, order: int) -> None:
    """A run, one certificate and files of many, in any order; a file that a folder has again is shown once."""
    target = tmp_path / "page.html"
    done = invoke("report", *[kept, single, FOLDER / "torch.jsonl", FOLDER][::order], "--html", target)
    assert done.exit_code == 0, done.output
    tree = target.read_text(encoding="utf-8")
    assert len(table_of(tree)) == len(results()) + len(FOUND[0].results)
    assert parsed(tree).find(".//section[@id='answer']") is not None


BAD = {
    "rubbish": (b"no\n", "must start with its header"),
    "another document": (b'{\n "schema": 1\n}\n', "is not a certificate"),
    "cut": (WRITTEN[:4000], "is not a certificate"),
    "newer": (WRITTEN.replace(b'"schema": 1', b'"schema": 99', 1), "newer than this suite reads"),
    "dtype": (WRITTEN.replace(b'"bfloat16"', b'"bfloat17"'), "dtype must be one of"),
    "covered": (WRITTEN.replace(b'"seed"', b'"sow"').replace(b'"of"', b'"off"'), "covered must have of"),
}


@pytest.mark.parametrize("command", ["report", "show"])
@pytest.mark.parametrize(("content", "reason"), BAD.values(), ids=BAD)
def test_a_bad_file_is_named_and_nothing_is_written(
    command: str, content: bytes, reason: str, single: Path, tmp_path: Path
) -> None:
    """Exit code 2, even beside good ones and in a folder."""
    (tmp_path / "bad.json").write_bytes(content)
    target = tmp_path / "page.html"
    words = ["--html", target] if command == "report" else ["--report", f"html={target}"]
    done = invoke(command, single, tmp_path, *words)
    assert done.exit_code == 2
    assert f"{tmp_path / 'bad.json'}:" in done.output
    assert reason in done.output
    assert not target.exists()


def test_two_runs_and_an_empty_folder_are_refused(kept: Path, tmp_path: Path) -> None:
    """A page is about one run; a folder without certificates is a mistake."""
    records.write(run(), tmp_path / "other.jsonl")
    two = invoke("report", kept, tmp_path / "other.jsonl", "--html", tmp_path / "page.html")
    assert (two.exit_code, "only one run record" in two.output) == (2, True)
    (tmp_path / "empty").mkdir()
    none = invoke("report", tmp_path / "empty", "--html", tmp_path / "page.html")
    assert (none.exit_code, "has no certificate" in none.output) == (2, True)


def test_show_gives_certificates_in_every_form_that_has_a_place_for_them(
    kept: Path, single: Path, tmp_path: Path
) -> None:
    """JSON and Markdown are read back; with a run they follow it, without one they stand alone."""
    alone = json.loads(invoke("show", FOLDER, "--format", "json").stdout)
    assert list(alone) == ["certificates"]
    assert alone["certificates"] == PLAIN
    both = json.loads(invoke("show", kept, single, "--format", "json").stdout)
    assert both["certificates"] == PLAIN[:1]
    assert both["interrupted"] is False
    markdown = invoke("show", FOLDER, "--format", "markdown").stdout
    tokens = MarkdownIt("commonmark").enable("table").parse(markdown)
    assert sum(one.type == "tr_open" for one in tokens) == len(results()) + sum(
        one.type == "thead_open" for one in tokens
    )
    text = invoke("show", FOLDER).stdout
    assert all(one.worst["ideal"].prediction in text for _, one in results() if one.worst)
    assert "Proved maxima" in invoke("show", kept, FOLDER, "--format", "markdown").stdout
    page = tmp_path / "page.html"
    assert invoke("show", FOLDER, "--report", f"html={page}").exit_code == 0
    assert len(table_of(page.read_text(encoding="utf-8"))) == len(results())


def test_a_form_that_is_about_a_run_alone_refuses_certificates(kept: Path, single: Path, tmp_path: Path) -> None:
    """Exit code 2 before anything is written, with a run as without."""
    for files in ([kept, single], [single]):
        written = tmp_path / "page.html"
        done = invoke("show", *files, "--report", f"html={written}", "--report", f"junit={tmp_path / 'x.xml'}")
        assert (done.exit_code, "has no place for certificates" in done.output) == (2, True)
        assert not written.exists()


# -- in a browser ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A headless Chromium."""
    yield from browser.start(tmp_path_factory.mktemp("profile"))


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The page of a run and all certificates on the disk."""
    file = tmp_path_factory.mktemp("page") / "report.html"
    file.write_text(report.render(run(), FOUND), encoding="utf-8")
    return file.as_uri()


def shown_rows(driver: Any) -> list[list[str]]:
    """Texts of the rows of the table that are not hidden."""
    script = """return [...document.querySelectorAll("#maxima-table tbody tr")].filter((row) => !row.hidden)
        .map((row) => [...row.cells].map((cell) => cell.textContent))"""
    found: list[list[str]] = driver.execute_script(script)
    return found


def test_a_page_without_a_run_draws_itself(driver: Any, page: str, tmp_path: Path) -> None:
    """Without error or request: a plot for each label of the sweeps that are shown at first, and a button for more."""
    (tmp_path / "page.html").write_text(page, encoding="utf-8")
    opened(driver, (tmp_path / "page.html").as_uri())
    sweeps = driver.find_elements("css selector", "#sweep-list article")
    assert 0 < len(sweeps) < len(FOUND)
    assert all(one.find_elements("css selector", "svg path") for one in sweeps)
    while (more := driver.find_element("id", "more-sweeps")).is_displayed():
        driver.execute_script("arguments[0].click()", more)
    figures = "return document.querySelectorAll('#sweep-list figure svg[aria-label]').length"
    assert driver.execute_script(figures) == len(results())
    assert driver.get_log("browser") == []


def test_the_filters_of_the_page_narrow_maxima_and_the_address_keeps_them(driver: Any, address: str) -> None:
    """Backend, mode, dtype, form and quantity together leave what the certificates have, also on a page passed on."""
    opened(driver, address)
    assert len(shown_rows(driver)) == len(results())
    chosen = {"backend": "torch", "dtype": "bfloat16", "form": "logits", "quantity": "gradient-prediction"}
    for name, value in (chosen | {"mode": "eager"}).items():
        choose(driver, "filters", name, value)
    choose(driver, "sweep-controls", "sweep-label", "0.5")
    left = [
        (one, result)
        for one, result in results()
        if (one.backend, one.dtype, one.form, one.quantity) == tuple(chosen.values())
        and "/eager/" in result.implementation
        and result.label_value == 0.5
    ]
    assert len(left) == len(shown_rows(driver)) == 1
    assert f"{len(left)} of {len(results())} maxima" in driver.find_element("id", "left").text
    assert len(driver.find_elements("css selector", "#sweep-list figure")) == len(left)
    passed_on = driver.current_url
    opened(driver, passed_on)
    assert len(shown_rows(driver)) == len(left)
    assert driver.find_element("css selector", "[name=sweep-label]").get_attribute("value") == "0.5"


def test_a_label_is_one_choice_in_every_dtype(driver: Any, address: str) -> None:
    """0.3 is 0.300049 in float16 and 0.300781 in bfloat16."""
    opened(driver, address)
    choose(driver, "sweep-controls", "sweep-label", "0.3")
    assert {row[3] for row in shown_rows(driver)} == {"0.3", "0.300049", "0.300781"}


def test_the_form_filter_counts_checks_of_the_run(driver: Any, address: str) -> None:
    """It is a filter of checks as well."""
    opened(driver, address)
    forms = {one.id: one.form for one in run().header.implementations}
    for form in sorted(set(forms.values())):
        choose(driver, "filters", "form", form)
        expected = sum(forms[check.implementation] == form for check in run().checks)
        assert driver.find_element("id", "left").text.startswith(f"{expected} of "), form


def test_a_column_sorts_the_table_by_the_numbers_of_the_certificates(driver: Any, address: str) -> None:
    """Largest first, then smallest first, by all digits; results that are all correctly rounded count as 0.5."""
    opened(driver, address)
    head = driver.find_elements("css selector", "#maxima-table thead th")[4]
    driver.execute_script("arguments[0].querySelector('button').click()", head)
    assert head.get_attribute("aria-sort") == "descending"
    errors = {}
    for one, result in results():
        label = "all in [0, 1]" if result.label_value is None else f"{result.label_value:g}"
        ideal = result.worst.get("ideal")
        errors[result.implementation, one.quantity, one.dtype, label] = ideal.ulp if ideal else 0.5
    found = [errors[row[0], row[1], row[2], row[3]] for row in shown_rows(driver)]
    assert found == sorted(found, reverse=True)
    driver.execute_script("arguments[0].querySelector('button').click()", head)
    assert head.get_attribute("aria-sort") == "ascending"
    assert [errors[row[0], row[1], row[2], row[3]] for row in shown_rows(driver)] == sorted(found)


@pytest.mark.parametrize("part", ["", "all"])
def test_negative_predictions_are_left_of_zero_and_positive_ones_right(driver: Any, address: str, part: str) -> None:
    """The mark of the largest error is on its side of the axis, as far from the middle as its mirror image is."""
    filters = "backend=torch&mode=eager&dtype=float32&form=logits&quantity=value&sweep-kind=proof"
    opened(driver, f"{address}#{filters}&sweep-range={part}")
    script = """return [...document.querySelectorAll("#sweep-list figure svg")].map((svg) => [
        Number([...svg.querySelectorAll("circle")].find((one) => one.getAttribute("r") === "3.2")
            .getAttribute("transform")?.match(/translate\\(([-.\\d]+)/)?.[1]
            ?? [...svg.querySelectorAll("circle")].find((one) => one.getAttribute("r") === "3.2").getAttribute("cx")),
        [...svg.querySelectorAll("[aria-label='x-axis tick label'] text")].map((text) => [text.textContent,
            Number(text.getAttribute("transform").match(/translate\\(([-.\\d]+)/)[1])])])"""
    plots = driver.execute_script(script)
    (sweep,) = [
        one
        for one in FOUND
        if (one.backend, one.dtype, one.form, one.quantity) == ("torch", "float32", "logits", "value")
        and "/eager/" in one.results[0].implementation
        and one.kind == "proof"
    ]
    assert len(plots) == len(sweep.results)
    for (mark, ticks), result in zip(plots, sweep.results, strict=True):
        at = dict(ticks)
        prediction = value_of(result.worst["ideal"].prediction, "float32")
        assert (mark < at["0"]) == (prediction < 0)
        one = at["-1"] if "-1" in at and prediction < 0 else at.get("1")
        if one is not None:
            assert (abs(mark - at["0"]) > abs(one - at["0"])) == (abs(prediction) > 1)
        assert [float(text) for text, _ in sorted(ticks, key=lambda tick: tick[1])] == sorted(
            float(t) for t, _ in ticks
        )


def test_a_link_opens_its_sweep_with_counts_and_command(driver: Any, address: str) -> None:
    """The last of all, which is not among those that are shown at first."""
    opened(driver, address)
    last = [*data_of(parsed(report.render(None, FOUND)))["sweeps"]["groups"]][-1]
    link = [*driver.find_elements("css selector", "#maxima-table tbody a")][-1]
    opened(driver, link.get_attribute("href"))
    focused = driver.switch_to.active_element
    assert focused.get_attribute("data-sweep") == last["name"]
    text = focused.get_attribute("textContent")
    assert last["command"] in text
    assert last["where"] in text
    assert f"{last['results'][0]['ordinals'][0]:,}" in text


def test_what_a_certificate_says_is_not_run(driver: Any, tmp_path: Path) -> None:
    """Markup in the message of an exception stays text where the script shows it."""
    one = replace(FOUND[0], results=tuple(replace(result, raised=HOSTILE) for result in FOUND[0].results))
    (tmp_path / "page.html").write_text(report.render(None, [one]), encoding="utf-8")
    opened(driver, (tmp_path / "page.html").as_uri())
    assert "<script>alert(1)</script>" in driver.find_element("id", "sweep-list").get_attribute("textContent")
    assert not driver.find_elements("css selector", "#sweep-list script")


@pytest.mark.parametrize("width", [360, 1400])
def test_nothing_is_wider_than_the_window_and_all_is_labelled(driver: Any, address: str, width: int) -> None:
    """On a phone, too, with counts open; controls have labels, heading cells a scope."""
    size = {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": False}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    opened(driver, address)
    driver.execute_script("document.querySelectorAll('#maxima details').forEach((one) => { one.open = true; })")
    inner, wide = driver.execute_script("return [window.innerWidth, document.documentElement.scrollWidth]")
    beyond = """return [...document.querySelectorAll("#maxima *")].filter(
        (one) => one.getBoundingClientRect().right > innerWidth + 1 && !one.parentElement.closest(".scroll, .plot, pre")
    ).map((one) => one.outerHTML.slice(0, 80))"""
    found = driver.execute_script(beyond)
    driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    assert (found, wide <= inner) == ([], True)
    unlabelled = "return [...document.querySelectorAll('select, input')].filter(e => !e.labels.length).length"
    assert driver.execute_script(unlabelled) == 0
    assert driver.execute_script("return [...document.querySelectorAll('th')].filter(e => !e.scope).length") == 0


def test_json_of_a_certificate_is_unchanged_by_reading_it() -> None:
    """What `show` prints as JSON is what the file says."""
    assert [json.loads(msgspec.json.encode(one)) for one in FOUND] == PLAIN
