"""The page of a report: complete, self-contained, harmless, and usable in a real browser."""

from __future__ import annotations

import base64
import dataclasses
import gzip
import json
import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import html5lib
import pytest
from click.testing import CliRunner
from msgspec.structs import replace

from conformance.cli import main
from conformance.record import record
from conformance.record.record import RunRecord
from conformance.render import report
from tests import browser

#: The namespace of inline pictures.
SVG = "{http://www.w3.org/2000/svg}"

#: What a framework might say: it must stay text.
HOSTILE = 'ValueError: <script>document.title = "owned"</script><img src=x onerror="document.title=1"> "quoted" & more'


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> RunRecord:
    """A run of NumPy's and PyTorch's values and gradients with a sample, one of whose exceptions holds markup."""
    folder = tmp_path_factory.mktemp("run")
    words = ["run", "--backend", "numpy", "--backend", "torch", "--dtype", "float32", "--dtype", "float16"]
    words += ["--quantity", "value", "--quantity", "gradient-prediction", "--output", str(folder / "run.jsonl")]
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        done = CliRunner().invoke(main, words)
    assert done.exit_code == 0, done.output
    made = record.read(folder / "run.jsonl")
    place = next(index for index, check in enumerate(made.checks) if check.findings and not any(check.bits))
    checks = list(made.checks)
    findings = tuple(replace(one, detail=HOSTILE, outcome="new") for one in checks[place].findings)
    checks[place] = replace(checks[place], findings=findings, details=(HOSTILE,), outcome="new")
    return dataclasses.replace(made, checks=tuple(checks))


@pytest.fixture(scope="module")
def page(ran: RunRecord) -> str:
    """The page of that run."""
    return report.render(ran)


def parsed(page: str) -> Any:
    """The page as a tree; an error of its markup raises."""
    return html5lib.HTMLParser(strict=True, namespaceHTMLElements=False).parse(page)


def data_of(tree: Any) -> dict[str, Any]:
    """The data that the page's script draws."""
    packed = tree.find(".//script[@id='data']").text
    found: dict[str, Any] = json.loads(gzip.decompress(base64.b64decode(packed, validate=False)))
    return found


def test_the_page_is_valid_html_and_at_most_3_mb(page: str) -> None:
    """A strict parser takes it."""
    assert parsed(page).find("body") is not None
    assert len(page.encode()) <= 3_000_000


def test_the_page_refers_to_nothing_outside(page: str) -> None:
    """No script, style, image or frame has an address, and the policy forbids every request."""
    tree = parsed(page)
    for tag in ("script", "img", "iframe", "link", "source", "object", "embed"):
        for element in tree.iter(tag):
            address = element.get("src") or element.get("href") or "data:"
            assert address.startswith("data:"), (tag, address)
    policy = tree.find(".//meta[@http-equiv='Content-Security-Policy']").get("content")
    assert policy.startswith("default-src 'none'")


def words_of(row: Any, place: int) -> tuple[str, str]:
    """The class and the word of a cell."""
    cell = list(row.iter("td"))[place]
    return cell.get("class"), cell.text.strip()


def name_of(row: Any) -> str:
    """The entry point that a row is about."""
    return str(row.find("th/small").tail.strip())


def section(tree: Any, name: str) -> Any:
    """A part of the page."""
    return tree.find(f".//section[@id='{name}']")


def test_the_answer_stands_first_and_every_entry_point_is_told_once(page: str, ran: RunRecord) -> None:
    """The first table has a row for each entry point that most people use; the others follow by backend."""
    tree = parsed(page)
    rows = [row for table in tree.iter("table") if table.get("class") == "answers" for row in table.iter("tr")]
    names = [name_of(row) for row in rows if row.find("td") is not None]
    entries = {check.implementation.split("/")[1] for check in ran.checks}
    assert sorted(names) == sorted(one.replace("nn.functional.", "") for one in entries)
    first = section(tree, "answer").find(".//table")
    assert [heading.text for heading in first.iter("th") if heading.get("scope") == "col"][:2] == [
        "entry point",
        "everyday",
    ]


def test_a_cell_says_what_its_colour_means(page: str) -> None:
    """PyTorch's BCELoss rejects labels outside [0, 1], and the logit form loses confident right logits."""
    first = section(parsed(page), "answer").find(".//table")
    kinds = [heading.text for heading in first.iter("th") if heading.get("scope") == "col"][1:]
    by_name = {name_of(row): row for row in first.find("tbody")}
    assert words_of(by_name["nn.BCELoss"], kinds.index("outside")) == ("rejects", "rejects")
    assert words_of(by_name["nn.BCEWithLogitsLoss"], kinds.index("sure")) == ("drifts", "drifts")
    for row in by_name.values():
        for place in range(len(kinds)):
            key, word = words_of(row, place)
            harm, comma, excused = word.partition(", ")
            assert key.split() == ["untested" if word == "–" else harm.replace(" ", "-"), *([excused] if comma else [])]


def test_what_is_documented_has_the_colour_of_its_harm_and_is_marked(page: str) -> None:
    """PyTorch says that the logarithms of BCELoss end at -100, which misleads where the loss is larger."""
    first = section(parsed(page), "answer").find(".//table")
    kinds = [heading.text for heading in first.iter("th") if heading.get("scope") == "col"][1:]
    (row,) = (row for row in first.find("tbody") if name_of(row) == "nn.BCELoss")
    cell = list(row.iter("td"))[kinds.index("sure")]
    assert words_of(row, kinds.index("sure")) == ("misleads documented", "misleads, documented")
    number, every = map(int, cell.find("small").text.split(" of "))
    assert 0 < number < every


def test_what_is_not_supported_is_not_told_as_wrong(ran: RunRecord) -> None:
    """An entry point that only refuses stands beside the word for that, which has no colour."""
    mine = "torch/nn.BCEWithLogitsLoss/"
    checks = tuple(
        replace(
            check,
            verdict="unsupported",
            verdicts=(),
            findings=tuple(replace(one, verdict="unsupported", what="unsupported") for one in check.findings),
        )
        if check.implementation.startswith(mine) and check.findings
        else replace(check, findings=(), outcome="as expected")
        for check in ran.checks
    )
    first = section(parsed(report.render(dataclasses.replace(ran, checks=checks))), "answer").find(".//table")
    (row,) = (row for row in first.find("tbody") if name_of(row) == "nn.BCEWithLogitsLoss")
    found = {words_of(row, place) for place in range(len(row) - 1)}
    assert ("refuses", "refuses") in found
    assert {key.split()[-1] for key, _ in found} <= {"refuses", "documented", "ok", "rejects", "untested"}


def findings_of(ran: RunRecord) -> list[Any]:
    """All findings of a run."""
    return [one for check in ran.checks for one in check.findings]


def test_problems_stand_by_harm_with_title_example_and_command(page: str, ran: RunRecord) -> None:
    """The worst come first, and each of the record is there once."""
    entries = section(parsed(page), "problems").findall("details")
    order = ["breaks", "misleads", "drifts", "last digits", "edge", "refuses"]
    harms = [entry.find("summary/span").text for entry in entries]
    assert harms == sorted(harms, key=order.index)
    titles = sorted(entry.find("summary/span").tail.strip() for entry in entries)
    recorded = {one.problem for one in findings_of(ran) if one.outcome == "recorded"}
    assert titles == sorted(line.title for line in ran.problems if line.problem in recorded)
    for entry in entries:
        assert "bce-conformance explain " in "".join(entry.itertext())
        assert entry.find("p[@class='example']").text.endswith(".")


def test_links_of_a_problem_have_their_state(page: str, ran: RunRecord) -> None:
    """Parsed back, every link is there with what was seen of it."""
    entries = {entry.get("id"): entry for entry in section(parsed(page), "problems").findall("details")}
    for line in ran.problems:
        if (entry := entries.get(f"problem-{line.problem}")) is not None:
            links = [(one.get("href"), one.tail) for one in entry.iter("a") if one.get("rel") == "noreferrer"]
            assert [url for url, _ in links] == list(line.urls)
            for (_, tail), link in zip(links, line.links, strict=True):
                assert tail.startswith(f" {link.state}, seen {link.seen}")


def test_the_picture_of_a_problem_shows_where_it_begins(page: str) -> None:
    """BCEWithLogitsLoss at label 0 is 0 below z = -14.56 in float32, and right for wrong logits: z = 0 is at 200."""
    figure = section(parsed(page), "problems").find(
        ".//details[@id='problem-bcewithlogits-loss-lost-at-label-0']/figure"
    )
    dots = {
        path.get("class").removeprefix("dots "): re.findall(r"M(\d+) (\d+)h0", path.get("d"))
        for path in figure.find(f"{SVG}svg").iter(f"{SVG}path")
        if path.get("class").startswith("dots")
    }
    assert set(dots) >= {"ok", "drifts"}
    whole = 30  # an error of 100 %
    lost = [int(x) for kind, places in dots.items() for x, y in places if int(y) == whole and kind != "ok"]
    assert lost
    for x in lost:
        assert 56 <= x <= 200 - 144 * math.asinh(14.5) / math.asinh(128) + 1
    assert all(kind in ("ok", "last-digits") for kind, places in dots.items() for x, _ in places if int(x) > 200)


def test_the_picture_of_a_problem_marks_the_step_that_is_to_blame(page: str) -> None:
    """min(z, 0) - log1p(exp(-|z|)) rounds at the size of z, and what is left of it is exp(z): a line from 0 to lost.

    Its height where the loss begins to be lost is the error there, to the width of a dot.
    """
    entry = section(parsed(page), "problems").find(".//details[@id='problem-bcewithlogits-loss-lost-at-label-0']")
    said = "".join(entry.find("p[@class='step']").itertext())
    assert said.startswith("Guilty step. absorbed: at z = -")
    assert "log_sigmoid(z) = min(z, 0) - log1p(exp(-|z|)) absorbs" in said
    (line,) = (path for path in entry.iter(f"{SVG}path") if path.get("class") == "step")
    height = {int(x): int(y) for x, y in re.findall(r"[ML](\d+) (\d+)", line.get("d"))}
    right = [y for x, y in height.items() if x > 200]
    lost = [y for x, y in height.items() if x < 200 - 144 * math.asinh(20) / math.asinh(128)]
    assert max(lost) <= 30  # an error of 100 % and more
    assert min(right) > 100
    assert height[min(height)] <= height[200] < height[max(height)] + 1


def test_a_problem_of_another_mechanism_than_what_is_to_blame_has_no_such_line(ran: RunRecord) -> None:
    """A line that tells of something else would say that the problem is that."""
    told = [replace(line, mechanism=("flushed",)) for line in ran.problems]
    tree = parsed(report.render(dataclasses.replace(ran, problems=tuple(told))))
    entry = section(tree, "problems").find(".//details[@id='problem-bcewithlogits-loss-lost-at-label-0']")
    assert entry.find("figure") is not None
    assert entry.find("p[@class='step']") is None


def test_a_problem_without_a_sample_has_no_picture(ran: RunRecord) -> None:
    """Nothing is drawn of a run that measured no sample."""
    tree = parsed(report.render(dataclasses.replace(ran, samples=())))
    assert section(tree, "problems").findall("details")
    assert section(tree, "problems").find(f".//{SVG}svg") is None


def test_what_is_new_stands_before_the_answer_and_says_why(ran: RunRecord) -> None:
    """Parsed back, each reason is about the numbers of the example above it."""
    checks = tuple(
        replace(check, outcome="new", findings=tuple(replace(one, outcome="new", problem="") for one in check.findings))
        if check.findings and check.quantity == "value"
        else check
        for check in ran.checks
    )
    tree = parsed(report.render(dataclasses.replace(ran, checks=checks)))
    assert [one.get("id") for one in tree.iter("section")][:3] == ["headlines", "answer", "problems"]
    told = [item for item in section(tree, "headlines").iter("li") if item.find("span[@class='why']") is not None]
    assert told
    for item in told:
        example, why = ("".join(item.find(f"span[@class='{name}']").itertext()) for name in ("example", "why"))
        prediction = re.search(r"prediction=(\S+) ", example)
        at = re.match(r"why: at [zp] = (\S+), y = [^:]+: ", why)
        assert prediction is not None
        assert at is not None, (example, why)
        assert float(at[1]) == pytest.approx(float(prediction[1]), rel=5e-3, nan_ok=True)


def test_the_data_of_the_page_are_those_of_the_record(page: str, ran: RunRecord) -> None:
    """Every check and every finding is there, with verdict, bits and cause."""
    data = data_of(parsed(page))
    names = data["names"]
    told = list(zip(data["checks"]["i"], data["checks"]["c"], data["checks"]["v"], strict=True))
    assert [(names["implementation"][i], names["case"][c], names["verdict"][v]) for i, c, v in told] == [
        (one.implementation, one.case, one.verdict) for one in ran.checks
    ]
    findings = [(number, one) for number, check in enumerate(ran.checks) for one in check.findings]
    assert data["findings"]["check"] == [number for number, _ in findings]
    assert [names["cause"][one] for one in data["findings"]["cause"]] == [one.cause for _, one in findings]
    problems = [names["problem"][one] for one in data["findings"]["problem"]]
    assert problems == [one.problem or one.cause for _, one in findings]


def test_the_sample_of_the_page_is_that_of_the_record(page: str, ran: RunRecord) -> None:
    """The error of each point is sent to a twelfth of an octave, and a result of 0 for a loss that is none is sent."""
    data = data_of(parsed(page))
    assert len(data["samples"]) == len(ran.samples) > 0
    for sent, line in zip(data["samples"], ran.samples, strict=True):
        for step, error in zip(sent["steps"], line.ulp, strict=True):
            assert (step is None) == (error is None)
            if error:
                assert abs(2.0 ** (step / 12) / max(error, 2**-6) - 1) < 0.03
    flushed = next(
        one
        for one in data["samples"]
        if data["names"]["implementation"][one["i"]] == "torch/nn.functional.binary_cross_entropy_with_logits/eager/cpu"
        and one["in"] == "sample/logits/float32"
    )
    assert 0.0 in flushed["got"].values()


def test_text_of_a_framework_is_escaped(page: str) -> None:
    """The markup of an exception is nowhere in the page as markup."""
    tree = parsed(page)
    assert HOSTILE in "".join(section(tree, "headlines").itertext())
    assert all("onerror" not in element.attrib for element in tree.iter())
    assert len(list(tree.iter("script"))) == 4, "data, two libraries, the page's own"


def test_an_interrupted_run_says_so(ran: RunRecord) -> None:
    """A record without footer gives a page that begins with the word."""
    cut = RunRecord(header=ran.header, inputs=ran.inputs, checks=ran.checks[:10], problems=ran.problems)
    tree = parsed(report.render(cut))
    banner = tree.find(".//p[@role='alert']")
    assert "".join(banner.itertext()).startswith("INTERRUPTED.")
    assert "As recorded" not in "".join(tree.find("body/header").itertext())


def test_a_record_without_findings_and_samples_gives_a_page() -> None:
    """An old, small record is no special case."""
    old = record.read(Path(__file__).parents[1] / "data" / "record-schema-1.jsonl")
    assert section(parsed(report.render(old)), "problems") is not None


def test_the_command_writes_the_page(ran: RunRecord, tmp_path: Path) -> None:
    """`report FILE --html TARGET` writes a whole file; a file that is no record exits 2 and writes nothing."""
    record.write(ran, tmp_path / "run.jsonl")
    target = tmp_path / "report.html"
    done = CliRunner().invoke(main, ["report", str(tmp_path / "run.jsonl"), "--html", str(target)])
    assert done.exit_code == 0, done.output
    assert parsed(target.read_text(encoding="utf-8")) is not None
    (tmp_path / "bad.jsonl").write_text("no\n")
    done = CliRunner().invoke(main, ["report", str(tmp_path / "bad.jsonl"), "--html", str(tmp_path / "other.html")])
    assert (done.exit_code, (tmp_path / "other.html").exists()) == (2, False)


# -- in a browser ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A headless Chromium."""
    yield from browser.start(tmp_path_factory.mktemp("profile"))


@pytest.fixture(scope="module")
def address(page: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The page on the disk."""
    file = tmp_path_factory.mktemp("page") / "report.html"
    file.write_text(page, encoding="utf-8")
    return file.as_uri()


def opened(driver: Any, address: str) -> Any:
    """The driver when the page has drawn itself, and has logged nothing and asked for nothing but itself."""
    from selenium.webdriver.support.ui import WebDriverWait

    driver.get("about:blank")
    browser.requests(driver)
    driver.get(address)
    WebDriverWait(driver, 60).until(
        lambda one: one.execute_script("return document.documentElement.dataset.ready") == "yes"
    )
    assert driver.get_log("browser") == []
    assert [one for one in browser.requests(driver) if not one.startswith(("file:", "data:", "blob:"))] == []
    return driver


def choose(driver: Any, form: str, name: str, value: str) -> None:
    """Choose an option as a person does."""
    from selenium.webdriver.support.ui import Select

    Select(driver.find_element("css selector", f"#{form} [name={name}]")).select_by_value(value)


def test_the_page_draws_itself_without_error_or_request(driver: Any, address: str, ran: RunRecord) -> None:
    """Filters, heat table, both plots, the histogram and the list of causes are there."""
    opened(driver, address)
    assert f"of {len(ran.checks)} checks" in driver.find_element("id", "left").text
    assert driver.find_elements("css selector", "#heat-table tbody tr")
    assert driver.find_elements("css selector", "#error-plot svg circle")
    assert driver.find_elements("css selector", "#curve-plot svg path")
    assert driver.find_elements("css selector", "#histogram tbody tr")
    assert driver.title == "Binary cross-entropy: conformance report"


def test_a_filter_leaves_its_checks_and_can_be_passed_on(driver: Any, address: str, ran: RunRecord) -> None:
    """Choosing dtype and backend narrows checks, table and plots, and the address then shows the same view."""
    opened(driver, address)
    choose(driver, "filters", "backend", "torch")
    choose(driver, "filters", "dtype", "float16")
    expected = sum(one.implementation.startswith("torch/") and one.dtype == "float16" for one in ran.checks)
    assert driver.find_element("id", "left").text.startswith(f"{expected} of ")
    rows = driver.find_elements("css selector", "#heat-table tbody th")
    assert rows
    assert all(row.text.startswith("torch/") for row in rows)
    passed_on = driver.current_url
    opened(driver, passed_on)
    assert driver.find_element("id", "left").text.startswith(f"{expected} of ")


def test_every_filter_counts_what_the_record_counts(driver: Any, address: str, ran: RunRecord) -> None:
    """Verdict, outcome, quantity, family and flag leave as many checks as the record has."""
    opened(driver, address)
    flags = {(line.case, line.dtype): line.flags for line in ran.inputs}
    for name, value, count in (
        ("verdict", "deviates", sum(one.verdict == "deviates" for one in ran.checks)),
        ("outcome", "recorded", sum(one.outcome == "recorded" for one in ran.checks)),
        ("quantity", "value", sum(one.quantity == "value" for one in ran.checks)),
        ("family", "soft-labels", sum(one.family == "soft-labels" for one in ran.checks)),
        ("flag", "saturated", sum("saturated" in flags[one.case, one.dtype] for one in ran.checks)),
    ):
        assert 0 < count < len(ran.checks)
        choose(driver, "filters", name, value)
        assert driver.find_element("id", "left").text.startswith(f"{count} of "), name
        choose(driver, "filters", name, "")


def test_a_link_to_a_problem_leads_to_its_findings(driver: Any, address: str, ran: RunRecord) -> None:
    """The entry has inputs with their bits, the exact value, the harm, and a command that shows the finding again."""
    wanted = "bcewithlogits-loss-lost-at-label-0"
    opened(driver, f"{address}#problem={wanted}")
    (entry,) = driver.find_elements("css selector", "#finding-list > details")
    assert entry.get_attribute("open") is not None
    text = entry.text
    assert f"{sum(one.problem == wanted for one in findings_of(ran))} elements" in text
    assert "bce-conformance explain " in text
    assert "label=0 (0x00000000)" in text
    assert "prediction=-20 (0xc1a00000)" in text
    assert "2.06115362e-9" in text, "the ideal at -20"
    assert "drifts" in text


def test_a_link_to_what_is_said_of_a_problem_opens_it(driver: Any, address: str) -> None:
    """Whatever is closed above, the title is on the screen."""
    wanted = "problem-bcewithlogits-loss-lost-at-label-0"
    opened(driver, f"{address}#{wanted}")
    entry = driver.find_element("id", wanted)
    assert entry.get_attribute("open") is not None
    assert 0 <= driver.execute_script("return arguments[0].getBoundingClientRect().top", entry) < 300


def test_the_harm_of_findings_is_a_filter(driver: Any, address: str, ran: RunRecord) -> None:
    """It leaves the checks that have a finding of that harm, and of these findings alone."""
    opened(driver, address)
    choose(driver, "filters", "harm", "refuses")
    expected = sum(any(one.what == "unsupported" for one in check.findings) for check in ran.checks)
    assert driver.find_element("id", "left").text.startswith(f"{expected} of ")


def test_an_exception_with_a_script_stays_text(driver: Any, address: str, ran: RunRecord) -> None:
    """What a framework said is shown as it is, and is not run."""
    opened(driver, address)
    choose(driver, "filters", "outcome", "new")
    entry = driver.find_element("css selector", "#finding-list details summary")
    entry.click()
    driver.execute_script("return new Promise((done) => setTimeout(done, 0))")
    assert HOSTILE in driver.find_element("css selector", "#finding-list details table").text
    assert driver.title == "Binary cross-entropy: conformance report"
    assert not driver.find_elements("css selector", "img")


def test_the_plots_follow_their_controls(driver: Any, address: str) -> None:
    """In float32 torch's logit form returns 0 below -14.56: no plot of flushed results hides it, as they are normal."""
    opened(driver, f"{address}#backend=torch")
    choose(driver, "plot-controls", "in", "sample/logits/float32")
    choose(driver, "plot-controls", "flush", "flush")
    rows = driver.find_elements("css selector", "#histogram tbody tr")
    by_name = {row.find_element("tag name", "th").text: row.text.split() for row in rows}
    worst = float(by_name["torch/nn.functional.binary_cross_entropy_with_logits/eager/cpu"][-1])
    assert worst > 1e6
    choose(driver, "plot-controls", "quantity", "1")
    assert "gradient-prediction" in driver.find_element("css selector", "#curve-plot").get_attribute("innerHTML")


@pytest.mark.parametrize("width", [360, 800, 1400])
def test_nothing_of_the_page_is_wider_than_the_window(driver: Any, address: str, width: int) -> None:
    """Wide tables scroll in a frame of their own, on a phone, too."""
    size = {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": False}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    opened(driver, address)
    summary = driver.find_element("css selector", "#finding-list details summary")
    driver.execute_script("arguments[0].click()", summary)
    beyond = """return [...document.querySelectorAll("body *")].filter(
        (one) => one.getBoundingClientRect().right > innerWidth + 1 && !one.parentElement.closest(".scroll, .plot")
    ).map((one) => one.outerHTML.slice(0, 80))"""
    found = driver.execute_script(beyond)
    inner, wide = driver.execute_script("return [window.innerWidth, document.documentElement.scrollWidth]")
    driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    assert found == []
    assert wide <= inner


#: Light on dark, and dark on light, of every text that is seen: the lowest by WCAG 2.2, 1.4.3, and where it is.
CONTRAST = """
const part = (x) => (x /= 255) <= 0.04045 ? x / 12.92 : ((x + 0.055) / 1.055) ** 2.4;
const light = ([r, g, b]) => 0.2126 * part(r) + 0.7152 * part(g) + 0.0722 * part(b);
const colour = (text) => text.match(/[\\d.]+/g).map(Number);
const below = (one) => { for (; one; one = one.parentElement) { const c = colour(getComputedStyle(one).backgroundColor);
  if (c.length < 4 || c[3] > 0) return c; } return [255, 255, 255]; };
const found = [...document.querySelectorAll("body *:not(script):not(option):not(svg *)")].filter(
  (one) => [...one.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim()) && one.offsetParent)
  .map((one) => { const [a, b] = [light(colour(getComputedStyle(one).color)), light(below(one))];
    return [(Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05), `${one.className} ${one.textContent.slice(0, 40)}`]; });
return found.reduce((least, one) => (one[0] < least[0] ? one : least), [21, ""]);
"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_can_be_read_on_its_colour(driver: Any, address: str, scheme: str) -> None:
    """A contrast of 4.5 and more, on the colour of every harm, too."""
    driver.execute_cdp_cmd(
        "Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
    )
    opened(driver, address)
    driver.execute_script("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
    least, where = driver.execute_script(CONTRAST)
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})
    assert least >= 4.5, where


def test_on_a_phone_the_answer_has_its_kinds_and_counts_beside_its_words(driver: Any, address: str) -> None:
    """No heading, no tooltip and no scrolling is needed: each cell names its kind and lies in the window."""
    size = {"width": 390, "height": 800, "deviceScaleFactor": 1, "mobile": False}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    opened(driver, address)
    cells = driver.find_elements("css selector", "#answer .answers td")
    told = [
        driver.execute_script("return getComputedStyle(arguments[0], '::before').content", one) for one in cells[:8]
    ]
    right = driver.execute_script(
        "return Math.max(...arguments[0].map((one) => one.getBoundingClientRect().right))", cells
    )
    driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    assert told[0] == '"everyday: "'
    assert right <= 390


def test_every_control_is_labelled_and_reached_by_the_keyboard(driver: Any, address: str) -> None:
    """Each select and input has a label, tables have heading cells with scope, and Tab reaches the filters."""
    opened(driver, address)
    unlabelled = "return [...document.querySelectorAll('select, input')].filter(e => !e.labels.length).length"
    assert driver.execute_script(unlabelled) == 0
    assert driver.execute_script("return [...document.querySelectorAll('th')].filter(e => !e.scope).length") == 0
    from selenium.webdriver.common.keys import Keys

    reached = set()
    for _ in range(60):
        driver.switch_to.active_element.send_keys(Keys.TAB)
        reached.add(driver.execute_script("return document.activeElement.name || ''"))
    assert {"backend", "dtype", "verdict"} <= reached
