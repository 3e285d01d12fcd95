"""Every form of a run: read back by a parser of its format, and honest about a run that was interrupted."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from click.testing import CliRunner
from markdown_it import MarkdownIt

from conformance.cli import main
from conformance.diagnosis.why import sentences
from conformance.record import record as records
from conformance.record.record import RunRecord
from conformance.record.summary import causes
from conformance.render import jsondoc, text
from conformance.render.forms import FORMS
from tests.diagnosis.test_why import FAMILIES, from_logits
from tests.diagnosis.test_why import run as run_of
from tests.records import CHECKS, interrupted, run

ROOT = Path(__file__).parents[2]
KEPT = records.read(ROOT / "tests" / "data" / "record-schema-2.jsonl")


def _refuse(word: str) -> float:
    raise AssertionError(f"bare {word}")


def _json(text: str) -> bool:
    document = json.loads(text, parse_constant=_refuse)
    assert document["interrupted"] == (document["footer"] is None)
    return bool(document["interrupted"])


def _junit(text: str) -> bool:
    return [one.get("type") for one in ET.fromstring(text.encode()).iter("error")] == ["interrupted"]


def _markdown(text: str) -> bool:
    shown = MarkdownIt("commonmark").enable("table").render(text)
    assert "<table>" in shown
    return bool(re.search(r"<(strong|h2)>[^<]*interrupted", shown, re.IGNORECASE))


def _github(text: str) -> bool:
    commands = [line for line in text.splitlines() if line.startswith("::")]
    assert all(re.fullmatch(r"::(error|warning) [a-z]+=[^:,]+(,[a-z]+=[^:,]+)*::.+", line) for line in commands)
    return any(line.startswith("::error") and "INTERRUPTED" in line for line in commands)


#: Reads a document of a form with a parser, and tells whether it says that the run was interrupted.
READERS: dict[str, Callable[[str], bool]] = {
    "github": _github,
    "json": _json,
    "junit": _junit,
    "markdown": _markdown,
    "summary": _markdown,
}


def test_every_form_has_a_reader() -> None:
    """A form that nothing reads back is not tested; `html` has a file of tests of its own."""
    assert set(FORMS) - {"html"} == set(READERS)


def test_every_form_is_documented() -> None:
    """By a row of the table in docs/continuous-integration.md."""
    text = (ROOT / "docs" / "continuous-integration.md").read_text(encoding="utf-8")
    assert [form for form in ("text", *FORMS) if f"| `{form}` | " not in text] == []


@pytest.mark.parametrize("form", READERS)
@pytest.mark.parametrize("record", [run(), run(CHECKS[1:2], 0), KEPT], ids=["every outcome", "as expected", "kept"])
def test_every_form_is_read_back_and_tells_an_interrupted_run_from_a_whole_one(form: str, record: RunRecord) -> None:
    """Whatever a framework said, and however good the run looks until its end."""
    assert not READERS[form](FORMS[form](record))
    assert READERS[form](FORMS[form](interrupted(record)))


@pytest.mark.parametrize("form", ["text", *READERS])
def test_show_prints_an_interrupted_record_of_every_form(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: str
) -> None:
    """As the command prints it, from a file that was cut."""
    monkeypatch.delenv("GITHUB_STEP_SUMMARY", raising=False)
    records.write(interrupted(KEPT), tmp_path / "cut.jsonl.gz")
    done = CliRunner().invoke(main, ["show", str(tmp_path / "cut.jsonl.gz"), "--format", form])
    assert done.exit_code == 0, done.output
    assert READERS[form](done.stdout) if form in READERS else "INTERRUPTED: this run has no end" in done.stdout


def test_a_recorded_deviation_that_does_not_show_asks_for_the_version_that_fixed_it() -> None:
    """The textbook of numpy 2.4.6 conforms where the record says otherwise."""
    told = "\n".join(text.findings(run(), 40))
    assert "not seen here: fixed upstream in numpy 2.4.6?" in told


def test_the_document_says_of_each_cause_why_where_that_is_known() -> None:
    """Read back as JSON; where there is no sentence the text is empty."""
    record = run_of(from_logits, *FAMILIES)
    said = sentences(record, causes(record))
    assert said
    read = {one["cause"]: one["why"] for one in json.loads(jsondoc.render(record))["causes"]}
    assert {cause: why for cause, why in read.items() if why} == said
    assert read.keys() == {one.cause for one in causes(record)}


def test_markdown_and_json_begin_with_the_answer_and_the_problems() -> None:
    """What a person asks stands before what was counted, and both forms say the same."""
    record = run()
    told = json.loads(jsondoc.render(record))
    assert list(told)[:3] == ["interrupted", "answer", "problems"]
    page = FORMS["markdown"](record)
    headings = re.findall(r"^## (.*)$", page, re.M)
    assert headings[0] == "Which entry point is good for what, the best first"
    assert headings[1].endswith("known problem, the worst first")
    assert headings[2] == "Where, and the counts"
    rows = [line for line in page.partition(headings[1])[0].splitlines() if line.startswith("| `")]
    assert len(rows) == len(told["answer"]) > 0
    assert all(
        all(f" {word} " in row for word in one["words"].values() if word.isalpha())
        for row, one in zip(rows, told["answer"], strict=True)
    )
    assert [one["title"] for one in told["problems"] if one["title"]] == [record.problems[0].title]
    assert record.problems[0].title.split("*")[0] in page.partition(headings[2])[0]
