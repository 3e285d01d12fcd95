"""A run for GitHub Actions: annotations, which are workflow commands on standard output, and the summary of a step.

Source of escaping and limits: "Workflow commands for GitHub Actions",
https://docs.github.com/actions/reference/workflows-and-actions/workflow-commands
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from conformance.diagnosis.why import WORD, of_new
from conformance.errors import InputError
from conformance.ids import backend_of
from conformance.numbers.formats import FORMATS
from conformance.plan import cases
from conformance.plan.cases import Suite
from conformance.record.harms import harms
from conformance.record.problems import problems
from conformance.record.record import RunRecord
from conformance.record.summary import CauseSummary, causes
from conformance.render import comparison, markdown
from conformance.render.characters import clean
from conformance.render.comparison import Compared, failing
from conformance.render.narrate import counted
from conformance.render.text import example_text, not_judged_text, quick_text

#: Annotations of one kind that GitHub shows of a step.
SHOWN = 10

#: Bytes that GitHub takes for the summaries of a step; it shows nothing of a longer one.
LIMIT = 1 << 20

#: New or fixed causes, and known problems, that the summary spells out ahead of the whole report.
SPELLED = 20

#: Where a case is written: its file, as GitHub knows it, and the line.
Places = Mapping[str, tuple[str, int]]


@dataclass(frozen=True)
class Annotation:
    """One workflow command: `level` is error or warning, `case` the id of the case that it is about, if any."""

    level: str
    title: str
    message: str
    case: str = ""

    def command(self, places: Places) -> str:
        """The line that the runner reads; nothing in it can end it or begin another."""
        properties = {"title": self.title}
        if self.case in places:
            file, line = places[self.case]
            properties = {"file": file, "line": str(line), **properties}
        named = ",".join(f"{name}={_property(value)}" for name, value in properties.items())
        return f"::{self.level} {named}::{_data(self.message)}"


def places(record: RunRecord, repository: Path) -> Places:
    """File and line of the cases of a record that lie in the repository under test; of other cases nothing is known."""
    root = repository.resolve()
    suite = _suite(record)
    if suite is None or not suite.folder.resolve().is_relative_to(root):
        return {}
    return {
        one.case.id: (one.file.resolve().relative_to(root).as_posix(), one.line)
        for one in suite.cases
        if one.file.resolve().is_relative_to(root)
    }


def _suite(record: RunRecord) -> Suite | None:
    """The cases that the record is about, as long as their files are as they were."""
    try:
        suite = cases.load_suite(cases.default_folder())
    except InputError:
        return None
    return suite if suite.digest == record.header.cases else None


def workflow_commands(record: RunRecord, compared: Compared | None = None, places: Places | None = None) -> str:
    """The workflow commands, at most SHOWN of each level, and a last line with the answer."""
    found = [*_regressions(compared), *_annotations(record)]
    lines = []
    for level in ("error", "warning"):
        some = [one for one in found if one.level == level]
        if len(some) > SHOWN:
            more = f"and {len(some) - SHOWN + 1} more, see the summary of this step"
            some = [*some[: SHOWN - 1], Annotation(level, "bce-conformance", more)]
        lines += [one.command(places or {}) for one in some]
    return "\n".join([*lines, f"bce-conformance: {answer(record, compared)}"]) + "\n"


def answer(record: RunRecord, compared: Compared | None = None) -> str:
    """What came of the run, in one sentence; first whether it is as its baseline, if there is one."""
    return _outcome(record) if compared is None else f"{compared.headline}; by itself {_outcome(record)}"


def _outcome(record: RunRecord) -> str:
    if record.footer is None:
        return "INTERRUPTED: this run has no end, and so no outcome"
    counts = Counter(check.outcome for check in record.checks if record.fails(check))
    failing = ", ".join(counted(counts[name], f"{name} check") for name in ("new", "fixed") if counts[name])
    missing = record.footer.not_run - record.footer.absent
    words = {0: "as expected", 1: f"NOT as expected: {failing}"}
    return words.get(
        record.footer.exit, f"the suite failed: {counted(missing, 'check')} not run; {failing or 'none new'}"
    )


def _regressions(compared: Compared | None) -> Iterator[Annotation]:
    """An error for everything that differs from the baseline and fails."""
    for one in failing(*compared) if compared is not None else ():
        yield Annotation("error", one.title, "\n".join(one.lines), one.case)


def _annotations(record: RunRecord) -> Iterator[Annotation]:
    if record.footer is None or record.footer.exit not in (0, 1):
        yield Annotation("error", "bce-conformance", _outcome(record))
    for line in record.header.backends:
        if line.failed is not None:
            yield Annotation("error", f"{line.name} could not be opened", line.failed)
        elif line.absent is not None:
            yield Annotation("warning", f"{line.name} is absent", line.absent)
    why = of_new(record)
    for one in causes(record):
        if one.outcome == "new" and one.example is not None:
            reason = [f"{WORD}{why[one.cause]}"] if one.cause in why else []
            text = "\n".join([example_text(one.example), *reason, _extent(one), one.example.command])
            yield Annotation("error", f"new: {one.cause}", text, one.example.case)
        elif one.outcome == "fixed":
            level = "error" if backend_of(one.cause) in record.strict_backends else "warning"
            yield Annotation(level, f"fixed: {one.cause}", f"{_extent(one)}, no longer deviates as is recorded")


def _extent(one: CauseSummary) -> str:
    dtypes = " ".join(dtype for dtype in FORMATS if dtype in one.dtypes)
    return f"{counted(one.elements, 'element')} in {dtypes}, {counted(len(one.implementations), 'implementation')}"


def _data(text: str) -> str:
    """The message of a command: what would end its line is escaped."""
    return clean(text).replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    """A property of a command: what would end the property is escaped, too."""
    return _data(text).replace(":", "%3A").replace(",", "%2C")


def summary(record: RunRecord, compared: Compared | None = None, room: int = LIMIT) -> str:
    """Markdown of at most `room` bytes: the answer, counts by backend, what is not as expected, then the whole report.

    What changed from a baseline follows the answer.  Where the whole does not fit it is left out, and that is said.
    """
    changes = "" if compared is None else f"### Compared with the baseline\n\n{comparison.markdown(*compared)}\n"
    short = f"## bce-conformance: {answer(record, compared)}\n\n{changes}" + "\n".join(_summary_lines(record)) + "\n"
    whole = f"\n<details><summary>The whole report</summary>\n\n{markdown.render(record)}\n</details>\n"
    left_out = "\nThe whole report is too long for this page: `bce-conformance show RUN.jsonl` prints it.\n"
    return next((text for text in (short + whole, short + left_out) if len(text.encode()) <= room), _cut(short, room))


def _cut(text: str, room: int) -> str:
    """The lines of `text` that have room; none of them is cut in its middle."""
    return text.encode()[: max(room, 0)].decode(errors="ignore").rpartition("\n")[0]


def _summary_lines(record: RunRecord) -> Iterator[str]:
    if quick := quick_text(record):
        yield f"**Quick run**: {quick}"
        yield ""
    yield from _backends(record)
    for outcome in ("new", "fixed"):
        found = [one for one in causes(record) if one.outcome == outcome]
        if found:
            yield ""
            yield f"### {counted(len(found), f'{outcome} cause')}"
            yield ""
        for one in found[:SPELLED]:
            yield f"- {markdown.code(one.cause)}: {_extent(one)}"
            if one.example is not None:
                yield f"  - {markdown.cell(example_text(one.example))}"
                yield f"  - {markdown.code(one.example.command)}"
        if len(found) > SPELLED:
            yield f"- and {len(found) - SPELLED} more"
    yield from _known(record)
    if record.footer is not None:
        yield ""
        yield f"Not judged: {not_judged_text(record)}."


def _known(record: RunRecord) -> Iterator[str]:
    """The known problems of a run, the worst harm first; what no problem explains is in the whole report."""
    found = [one for one in problems(record, harms(record)) if one.explained]
    if not found:
        return
    yield ""
    yield f"### {counted(len(found), 'known problem')}"
    yield ""
    for one in found[:SPELLED]:
        links = "".join(f" {markdown.cell(link)}" for link in one.line.urls)
        yield f"- {one.worst.word}: {markdown.cell(one.line.title)} ({counted(len(one.entries), 'entry point')}){links}"
    if len(found) > SPELLED:
        yield f"- and {len(found) - SPELLED} more"


def _backends(record: RunRecord) -> Iterator[str]:
    """A row for each backend; verdicts and outcomes are counted apart and never added up."""
    verdicts = list(dict.fromkeys(["conforms", "by-contract", *sorted(one.verdict for one in record.checks)]))
    yield markdown.row(["backend", "versions", *verdicts, "recorded", "new", "fixed"])
    yield markdown.row(["---"] * (len(verdicts) + 5))
    for line in record.header.backends:
        checks = [one for one in record.checks if backend_of(one.implementation) == line.name]
        judged, outcomes = Counter(one.verdict for one in checks), Counter(one.outcome for one in checks)
        versions = ", ".join(f"{name} {version}" for name, version in line.versions.items())
        state = "absent" if line.absent is not None else "failed" if line.failed is not None else versions
        counts = [str(judged[name]) for name in verdicts]
        counts += [str(outcomes[name]) for name in ("recorded", "new", "fixed")]
        yield markdown.row([line.name, markdown.cell(state), *counts])
