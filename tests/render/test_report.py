"""The page of a report: complete, self-contained, harmless, and usable in a real browser."""

from __future__ import annotations

import base64
import dataclasses
import gzip
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import html5lib
import pytest
from click.testing import CliRunner
from msgspec.structs import replace

from conformance.cli import main
from conformance.record import record
from conformance.record.record import RunRecord
from conformance.record.summary import causes
from conformance.render import report
from tests import browser

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


def test_the_answer_stands_first_and_has_every_implementation(page: str, ran: RunRecord) -> None:
    """The first table has a row for each entry point that was run."""
    tree = parsed(page)
    first = next(tree.iter("table"))
    names = [cell.text for cell in first.iter("th") if cell.get("scope") == "row"]
    entries = {check.implementation.split("/")[1] for check in ran.checks}
    assert len(names) == len(entries)
    rejecting = next(row for row in first.iter("tr") if row.findtext("th") == "binary_cross_entropy")
    assert [cell.get("class") for cell in rejecting.iter("td")][2] == "rejects"


def test_headlines_say_why(page: str) -> None:
    """Parsed back, each reason is about the numbers of the example above it."""
    told = [item for item in parsed(page).iterfind(".//section[@id='headlines']//li") if item.find("span[@class='why']")
            is not None]  # fmt: skip
    assert len(told) >= 3
    for item in told:
        example, why = ("".join(item.find(f"span[@class='{name}']").itertext()) for name in ("example", "why"))
        prediction = re.search(r"prediction=(\S+) ", example)
        at = re.match(r"why: at [zp] = (\S+), y = \S+: ", why)
        assert prediction is not None
        assert at is not None
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
    headlines = "".join(tree.find(".//section[@id='headlines']").itertext())
    assert HOSTILE in headlines
    assert all("onerror" not in element.attrib for element in tree.iter())
    assert len(list(tree.iter("script"))) == 4, "data, two libraries, the page's own"


def test_an_interrupted_run_says_so(ran: RunRecord) -> None:
    """A record without footer gives a page that begins with the word."""
    cut = RunRecord(header=ran.header, inputs=ran.inputs, checks=ran.checks[:10], problems=ran.problems)
    tree = parsed(report.render(cut))
    banner = tree.find(".//p[@role='alert']")
    assert "".join(banner.itertext()).startswith("INTERRUPTED.")
    assert "As expected" not in "".join(tree.find("body/header").itertext())


def test_a_record_without_findings_and_samples_gives_a_page() -> None:
    """An old, small record is no special case."""
    old = record.read(Path(__file__).parents[1] / "data" / "record-schema-1.jsonl")
    assert parsed(report.render(old)).find(".//section[@id='headlines']") is not None


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


def test_a_link_to_a_cause_opens_it_with_inputs_results_and_command(driver: Any, address: str, ran: RunRecord) -> None:
    """The entry has bits, ideal and a command that shows the finding again."""
    wanted = next(one for one in causes(ran) if "with_logits/value/ordinary/inaccurate" in one.cause)
    opened(driver, f"{address}#cause={quote(wanted.cause, safe='')}")
    entry = driver.find_element("css selector", f"details[data-cause='{wanted.cause}']")
    assert entry.get_attribute("open") is not None
    text = entry.text
    assert f"{wanted.elements} elements" in text
    assert "bce-conformance explain " in text
    assert "label=0 (0x00000000)" in text
    assert "prediction=-20 (0xc1a00000)" in text
    assert "2.06115362e-9" in text, "the ideal at -20"


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


@pytest.mark.parametrize("width", [360, 1400])
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
