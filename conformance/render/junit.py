"""A run as JUnit XML, in the dialect of Jenkins and pytest: one suite an implementation, one test case a check.

A failure is a check that fails the run.  What is recorded is skipped, as an expected failure is, with its link or
reason; by-contract passes, and the properties of each suite count the verdicts apart.  The record times a run and not
its checks, so that the case `complete` of the suite `run` has the time of all of them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from xml.etree import ElementTree as ET

from conformance.diagnosis.why import WORD, of_new
from conformance.ids import backend_of
from conformance.record.compare import KINDS
from conformance.record.record import BackendLine, CheckLine, FindingLine, RunRecord
from conformance.record.summary import example
from conformance.render.characters import clean
from conformance.render.comparison import Compared, failing
from conformance.render.text import example_text

#: Findings of one check that are spelled out; the others are counted.
SHOWN = 5


def render(record: RunRecord, compared: Compared | None = None) -> str:
    """The whole document; with a baseline its suite comes second."""
    root = ET.Element("testsuites", name="bce-conformance")
    root.append(_run_suite(record))
    if compared is not None:
        root.append(_baseline_suite(record, compared))
    checks: dict[str, list[CheckLine]] = {}
    for check in record.checks:
        checks.setdefault(check.implementation, []).append(check)
    backends = {line.name: line for line in record.header.backends}
    why = of_new(record)
    for implementation, found in checks.items():
        root.append(_suite(record, implementation, backends.get(backend_of(implementation)), found, why))
    for name in ("tests", "failures", "errors"):
        root.set(name, str(sum(int(suite.get(name, "0")) for suite in root)))
    ET.indent(root)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n"


def _run_suite(record: RunRecord) -> ET.Element:
    """What no check tells: whether the run reached its end, and which backends did not take part."""
    suite = _element("testsuite", name="run", timestamp=record.header.started)
    header = record.header
    named = {"suite": header.suite, "cases": header.cases, "planned": header.planned, "skipped": header.skipped}
    not_offered = {f"not-offered.{reason}": count for reason, count in header.not_offered.items()}
    filters = {f"filter.{name}": ", ".join(values) for name, values in header.filters.items()}
    machine = {f"machine.{name}": value for name, value in header.machine.items()}
    _properties(suite, {**named, **not_offered, **filters, **machine})
    complete = _case(suite, "run", "complete")
    if record.footer is not None:
        complete.set("time", f"{record.footer.seconds:.3f}")
        suite.set("time", f"{record.footer.seconds:.3f}")
    if record.footer is None:
        _outcome(complete, "error", "interrupted", "INTERRUPTED: this run has no end; what follows is what was seen")
    elif record.footer.not_run > record.footer.absent:
        missing = record.footer.not_run - record.footer.absent
        _outcome(complete, "error", "not-run", f"{missing} checks of backends that are present were not run")
    for line in header.backends:
        case = _case(suite, "run.backend", line.name)
        if line.failed is not None:
            _outcome(case, "error", "failed", f"could not be opened: {line.failed}")
        elif line.absent is not None:
            _outcome(case, "skipped", "absent", f"absent: {line.absent}")
    return _counted(suite)


def _baseline_suite(record: RunRecord, compared: Compared) -> ET.Element:
    """Whether the run is as its baseline: a failure for everything that differs and fails, or one case that passes."""
    suite = _element("testsuite", name="baseline", timestamp=record.header.started)
    counts = {name: sum(one.elements for one in compared.found.of(kind)) for kind, name in KINDS.items()}
    _properties(suite, {"compared": compared.found.compared, **counts})
    found = list(failing(*compared))
    for one in found:
        _outcome(_case(suite, "baseline", one.title), "failure", "baseline", one.title, "\n".join(one.lines))
    if not found:
        _case(suite, "baseline", "as the baseline")
    return _counted(suite)


def _suite(
    record: RunRecord,
    implementation: str,
    backend: BackendLine | None,
    checks: list[CheckLine],
    why: Mapping[str, str],
) -> ET.Element:
    suite = _element("testsuite", name=implementation, timestamp=record.header.started)
    verdicts = {f"verdict.{name}": count for name, count in sorted(Counter(one.verdict for one in checks).items())}
    versions = {f"version.{name}": version for name, version in (backend.versions if backend else {}).items()}
    switches = {f"environment.{name}": value for name, value in (backend.environment if backend else {}).items()}
    _properties(suite, {**verdicts, **versions, **switches, "pinned": bool(backend and backend.pinned)})
    for check in checks:
        case = _case(suite, f"{implementation}.{check.family}", check.id)
        if record.fails(check):
            lines = _failure_lines(record, check, why)
            _outcome(case, "failure", check.outcome, lines[0], "\n".join(lines))
        elif check.outcome != "as expected":
            _outcome(case, "skipped", check.outcome, _reason(record, check))
    return _counted(suite)


def _failure_lines(record: RunRecord, check: CheckLine, why: Mapping[str, str]) -> list[str]:
    """What fails a check, element by element; the first line says the most."""
    found = [finding for finding in check.findings if finding.outcome in ("new", "fixed")]
    found.sort(key=lambda finding: finding.outcome != "new")
    lines = [line for finding in found[:SHOWN] for line in _finding_lines(record, check, finding, why)]
    return [*lines, f"and {len(found) - SHOWN} more elements of this check"] if len(found) > SHOWN else lines


def _finding_lines(record: RunRecord, check: CheckLine, finding: FindingLine, why: Mapping[str, str]) -> Iterator[str]:
    if finding.outcome == "fixed":
        known = record.problem_of(finding)
        yield f"fixed: {finding.element} no longer deviates ({finding.what}){f': {known.title}' if known else ''}"
        yield f"cause: {finding.cause}"
        yield "next: bce-conformance known update RUN.jsonl --write"
        return
    spelled = example(record, check, finding)
    yield f"new: {example_text(spelled)}"
    yield f"cause: {finding.cause}"
    if finding.cause in why:
        yield f"{WORD}{why[finding.cause]}"
    yield f"next: {spelled.command}"


def _reason(record: RunRecord, check: CheckLine) -> str:
    """Why a check that is not plainly as expected does not fail the run: the titles and links of its problems."""
    texts = [" ".join((line.title, *line.urls)) for line in record.problems_in(check)]
    return f"{check.outcome}: " + "; ".join(texts or dict.fromkeys(finding.cause for finding in check.findings))


def _element(tag: str, /, **attributes: object) -> ET.Element:
    return ET.Element(tag, {key: clean(str(value)) for key, value in attributes.items()})


def _properties(suite: ET.Element, values: dict[str, object]) -> None:
    properties = ET.SubElement(suite, "properties")
    properties.extend(_element("property", name=name, value=value) for name, value in values.items())


def _case(suite: ET.Element, classname: str, name: str) -> ET.Element:
    case = _element("testcase", classname=classname, name=name)
    suite.append(case)
    return case


def _outcome(case: ET.Element, kind: str, type_: str, message: str, text: str = "") -> None:
    outcome = _element(kind, type=type_, message=message)
    outcome.text = clean(text) or None
    case.append(outcome)


def _counted(suite: ET.Element) -> ET.Element:
    """The suite with the counts of its cases."""
    suite.set("tests", str(len(suite.findall("testcase"))))
    for name, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        suite.set(name, str(len(suite.findall(f"testcase/{tag}"))))
    return suite
