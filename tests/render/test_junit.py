"""JUnit XML: valid under a schema, one test case for each check, failures exactly where the run fails."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from xml.etree import ElementTree as ET

import msgspec
import pytest
import xmlschema
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from conformance.cli import main
from conformance.diagnosis.why import sentences
from conformance.record import record as records
from conformance.record.record import BackendLine, RunRecord
from conformance.record.summary import causes
from conformance.render import junit
from conformance.render.characters import clean
from tests.builders import deterministic
from tests.diagnosis.test_why import FAMILIES, from_logits
from tests.diagnosis.test_why import run as run_of
from tests.records import CHECKS, HOSTILE, OTHER, STRANGE, check, finding, interrupted, run, with_header

SCHEMA = xmlschema.XMLSchema11(Path(__file__).parents[1] / "data" / "junit.xsd")

#: What Jenkins reads (junit-4.xsd of its dtkit, MIT licence in the file).
JENKINS = xmlschema.XMLSchema(Path(__file__).parents[1] / "data" / "junit-jenkins.xsd")

RECORD = Path(__file__).parents[1] / "data" / "record-schema-2.jsonl"

#: Every kind of record: all outcomes, cut, of checks that are plainly as expected, and one that a run has left.
KINDS = {
    "every outcome": run(),
    "interrupted": interrupted(run()),
    "as expected": run(CHECKS[1:2], 0),
    "no check": run((), 3),
    "kept": records.read(RECORD),
}


def parsed(record: RunRecord) -> ET.Element:
    """The document as a parser of XML reads it."""
    return ET.fromstring(junit.render(record).encode())


def case_of(root: ET.Element, name: str) -> ET.Element:
    """The one test case called `name`."""
    (found,) = [one for one in root.iter("testcase") if one.get("name") == name]
    return found


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_record_is_valid(kind: str) -> None:
    """Our schema and that of Jenkins take it, whatever the framework said."""
    for schema in (SCHEMA, JENKINS):
        schema.validate(ET.ElementTree(parsed(KINDS[kind])))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('errors="0"', ""),
        ("<testcase ", "<test "),
        ('timestamp="2026', 'timestamp="yesterday 2026'),
        ("<properties>", "<skipped/><properties>"),
        ('type="new"', ""),
    ],
)
def test_the_schema_refuses_other_documents(old: str, new: str) -> None:
    """The schema can fail."""
    text = junit.render(run())
    assert old in text
    changed = text.replace(old, new)
    if new == "<test ":
        changed = changed.replace("</testcase>", "</test>")
    assert not SCHEMA.is_valid(ET.ElementTree(ET.fromstring(changed.encode())))


@pytest.mark.parametrize("kind", KINDS)
def test_there_is_one_case_for_each_check_and_one_suite_for_each_implementation(kind: str) -> None:
    """Names are the ids of checks, in the suite of their implementation."""
    record = KINDS[kind]
    seen = {suite.get("name"): [case.get("name") for case in suite.iter("testcase")] for suite in parsed(record)}
    seen.pop("run")
    ids: dict[str, list[str]] = {one.implementation: [] for one in record.checks}
    for one in record.checks:
        ids[one.implementation].append(one.id)
    assert seen == ids


@pytest.mark.parametrize("kind", KINDS)
def test_the_counts_are_those_of_the_cases(kind: str) -> None:
    """Each suite and the whole count what they hold."""
    root = parsed(KINDS[kind])
    for suite in root:
        held = Counter(outcome.tag for case in suite.iter("testcase") for outcome in case)
        held["testcase"] = len(suite.findall("testcase"))
        names = {"tests": "testcase", "failures": "failure", "errors": "error", "skipped": "skipped"}
        assert {name: int(suite.get(name, -1)) for name in names} == {name: held[tag] for name, tag in names.items()}
    for name in ("tests", "failures", "errors"):
        assert int(root.get(name, -1)) == sum(int(suite.get(name, -1)) for suite in root)


def test_a_new_finding_is_a_failure_that_a_person_can_act_on() -> None:
    """The message has the inputs and what came back, the text the cause and the command that shows it."""
    (failure,) = case_of(parsed(run()), CHECKS[0].id)
    assert (failure.tag, failure.get("type")) == ("failure", "new")
    message = failure.get("message", "")
    assert "prediction=0.25 (0x3e800000) label=0.5 (0x3f000000)" in message
    assert "ideal 0.836988" in message
    assert "next: bce-conformance explain small/one 'torch/nn.loss[a|b]/eager/cpu' --dtype float32" in (
        failure.text or ""
    )


@pytest.mark.parametrize(
    ("pinned", "strict", "tag"),
    [(True, False, "failure"), (False, True, "failure"), (False, False, "skipped")],
)
def test_a_fixed_one_is_a_failure_where_it_fails_the_run(pinned: bool, strict: bool, tag: str) -> None:
    """With pinned versions or under --strict; elsewhere it is information."""
    record = with_header(
        run(), backends=(BackendLine(name="numpy", versions={"numpy": "1"}, pinned=pinned),), strict=strict
    )
    (outcome,) = case_of(parsed(record), f"small/one::{OTHER}::float32::value")
    assert (outcome.tag, outcome.get("type")) == (tag, "fixed")


def test_what_is_recorded_is_skipped_with_its_link() -> None:
    """As an expected failure is, and never a pass."""
    (outcome,) = case_of(parsed(run()), CHECKS[2].id)
    assert outcome.tag == "skipped"
    assert "infinite where it is finite https://example.org/1" in outcome.get("message", "")


def test_verdicts_are_counted_apart() -> None:
    """Both are passes in JUnit; the properties of a suite tell conforms and by-contract from each other."""
    suite = next(suite for suite in parsed(run()) if suite.get("name") == STRANGE)
    properties = {one.get("name"): one.get("value") for one in suite.iter("property")}
    assert properties["verdict.by-contract"] == "1"
    assert properties["version.torch"] == "2.13.0"
    assert properties["environment.threads"] == "1"


def test_an_absent_backend_is_skipped_with_its_reason_and_one_that_failed_is_an_error() -> None:
    """Neither looks like a pass."""
    record = with_header(
        run(), backends=(BackendLine(name="jax", absent="no such module"), BackendLine(name="x", failed="why"))
    )
    (absent,), (failed,) = case_of(parsed(record), "jax"), case_of(parsed(record), "x")
    assert (absent.tag, absent.get("message")) == ("skipped", "absent: no such module")
    assert (failed.tag, failed.get("message")) == ("error", "could not be opened: why")


def test_an_interrupted_run_is_an_error() -> None:
    """A run that has no end never looks complete, even if all that was seen passed."""
    (outcome,) = case_of(parsed(interrupted(run(CHECKS[1:2]))), "complete")
    assert outcome.tag == "error"
    assert "INTERRUPTED" in outcome.get("message", "")
    assert list(case_of(parsed(run()), "complete")) == []


def test_checks_that_were_not_run_are_an_error() -> None:
    """The suite failed; those of absent backends are not meant."""
    whole = run()
    assert whole.footer is not None
    for not_run, absent, tags in ((5, 2, ["error"]), (2, 2, [])):
        footer = msgspec.structs.replace(whole.footer, not_run=not_run, absent=absent)
        root = parsed(RunRecord(header=whole.header, inputs=whole.inputs, checks=whole.checks, footer=footer))
        assert [outcome.tag for outcome in case_of(root, "complete")] == tags


def test_only_some_elements_of_a_check_are_spelled_out() -> None:
    """A case of hundreds of elements has a message of bounded length, which says how many there are."""
    many = tuple(finding("new", f"torch/nn.loss/value/ordinary/{name}") for name in "abcdefg")
    (failure,) = case_of(parsed(run((check(STRANGE, "deviates", "new", findings=many),))), CHECKS[0].id)
    assert (failure.text or "").endswith("and 2 more elements of this check")


@deterministic
@given(st.text() | st.just(HOSTILE))
def test_any_text_survives_or_is_replaced(text: str) -> None:
    """What XML can hold comes back as it was; what it cannot is one replacement character each."""
    element = ET.Element("a")
    element.text = clean(text)
    again = ET.fromstring(ET.tostring(element, encoding="utf-8")).text or ""
    held = text.replace("\r\n", "\n").replace("\r", "\n")  # XML 1.0, 2.11
    assert len(again) == len(held)
    assert all(new in (old, "\ufffd") for new, old in zip(again, held, strict=True))
    assert clean("a\tb\n\U0001f600") == "a\tb\n\U0001f600"


def test_the_command_writes_it_beside_what_it_prints(tmp_path: Path) -> None:
    """`--report` takes several forms; the printed one stays what it was."""
    words = ["show", str(RECORD), "--report", f"junit={tmp_path}/a/b.xml", "--report", f"json={tmp_path}/c.json"]
    done = CliRunner().invoke(main, words)
    assert done.exit_code == 0
    assert done.output == CliRunner().invoke(main, ["show", str(RECORD)]).output
    SCHEMA.validate(str(tmp_path / "a" / "b.xml"))
    printed = CliRunner().invoke(main, ["show", str(RECORD), "--format", "junit"]).output
    assert (tmp_path / "a" / "b.xml").read_text(encoding="utf-8") == printed


@pytest.mark.parametrize("given_", ["junit", "junit=", "=x", "unheard=of.xml"])
def test_a_report_of_no_known_form_is_bad_input(tmp_path: Path, given_: str) -> None:
    """Nothing is written, and the forms are named."""
    done = CliRunner().invoke(main, ["show", str(RECORD), "--report", given_])
    assert done.exit_code == 2
    assert "FORM is one of github, html, json, junit, markdown, summary" in done.stderr


def test_a_failure_says_why_where_that_is_known() -> None:
    """Of the result that is the example of its cause, in a line of its own."""
    record = run_of(from_logits, *FAMILIES)
    said = set(sentences(record, causes(record)).values())
    lines = {line for failure in parsed(record).iter("failure") for line in (failure.text or "").splitlines()}
    assert said
    assert {line.removeprefix("why: ") for line in lines if line.startswith("why: ")} == said
