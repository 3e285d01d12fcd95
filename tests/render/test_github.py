"""GitHub: workflow commands that nothing a framework says can break out of, and a summary that fits its page."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from conformance.cli import main
from conformance.diagnosis.why import sentences
from conformance.record import record as records
from conformance.record.record import BackendLine, RunRecord
from conformance.record.summary import causes
from conformance.render import github
from tests.builders import deterministic
from tests.diagnosis.test_why import FAMILIES, from_logits
from tests.diagnosis.test_why import run as run_of
from tests.records import CAUSE, CHECKS, GONE_CAUSE, HOSTILE, STRANGE, check, finding, interrupted, run, with_header

ROOT = Path(__file__).parents[2]
RECORD = ROOT / "tests" / "data" / "record-schema-2.jsonl"


@dataclass(frozen=True)
class Read:
    """A workflow command as the runner reads it."""

    level: str
    properties: dict[str, str]
    message: str


def unescaped(text: str) -> str:
    """What GitHub's runner makes of an escaped text: %25 last."""
    for code, character in (("%0D", "\r"), ("%0A", "\n"), ("%3A", ":"), ("%2C", ","), ("%25", "%")):
        text = text.replace(code, character)
    return text


def commands(output: str) -> list[Read]:
    """The commands in standard output, as the runner reads them: a line that starts with `::`, up to the next `::`."""
    found = []
    for line in re.split(r"\r\n|\r|\n", output):
        if line.lstrip().startswith("::"):
            head, _, message = line.lstrip()[2:].partition("::")
            level, _, rest = head.partition(" ")
            pairs = [pair.partition("=") for pair in rest.split(",") if pair]
            found.append(Read(level, {name: unescaped(value) for name, _, value in pairs}, unescaped(message)))
    return found


def html(text: str) -> str:
    """Markdown as a renderer of CommonMark with tables shows it, raw HTML taken as text."""
    return MarkdownIt("commonmark", {"html": False}).enable("table").render(text)


def tables(text: str) -> list[list[list[str]]]:
    """The tables of a Markdown document: rows of cells, as text."""
    found: list[list[list[str]]] = []
    for token in MarkdownIt("commonmark").enable("table").parse(text):
        if token.type == "table_open":
            found.append([])
        elif token.type == "tr_open":
            found[-1].append([])
        elif token.type == "inline" and found and token.level == 4:
            found[-1][-1].append(token.content)
    return found


def many(count: int) -> RunRecord:
    """A record with `count` causes that are new."""
    names = [f"torch/loss{index}/value/ordinary/inaccurate" for index in range(count)]
    return run(tuple(check(STRANGE, "deviates", "new", findings=(finding("new", name),)) for name in names))


def test_each_new_or_fixed_cause_and_each_backend_that_is_missing_is_one_annotation() -> None:
    """Errors for what fails the run, a warning for what is absent; what is recorded is none."""
    read = commands(github.workflow_commands(run()))
    assert [(one.level, one.properties["title"]) for one in read] == [
        ("error", f"new: {CAUSE}"),
        ("error", f"fixed: {GONE_CAUSE}"),
        ("warning", "jax is absent"),
    ]


def test_an_annotation_has_the_inputs_and_the_command_that_shows_it_again() -> None:
    """A person can act on it without opening anything else."""
    (new, *_) = commands(github.workflow_commands(run()))
    assert "prediction=0.25 (0x3e800000) label=0.5 (0x3f000000)" in new.message
    assert new.message.endswith("bce-conformance explain small/one 'torch/nn.loss[a|b]/eager/cpu' --dtype float32")


def test_what_a_framework_says_is_part_of_one_command() -> None:
    """Its ends of lines and its `::error` are text of the message, whole but for characters that none can read."""
    read = commands(github.workflow_commands(run()))
    said = HOSTILE.replace("\x00", "\ufffd").replace("\x1b", "\ufffd").replace("\ufffe", "\ufffd")
    assert said in read[0].message
    assert said in read[2].message
    assert len(read) == 3


@deterministic
@given(st.text(alphabet=st.characters(codec="utf-8", categories=["L", "N", "P", "S", "Z"], include_characters="\r\n%")))
def test_any_title_and_message_come_back(text: str) -> None:
    """Escaping loses nothing, also where the text holds what looks escaped."""
    line = github.Annotation("error", text, text, "a/case").command({"a/case": ("a,b:c.yaml", 7)})
    (read,) = commands(line)
    assert read.message == text
    assert read.properties == {"title": text, "file": "a,b:c.yaml", "line": "7"}


@pytest.mark.parametrize(("count", "shown"), [(10, 10), (11, 10), (500, 10)])
def test_no_more_annotations_than_github_shows(count: int, shown: int) -> None:
    """The last one says how many more there are, so that none is lost without a word."""
    read = commands(github.workflow_commands(with_header(many(count), backends=())))
    assert len(read) == shown
    assert read[-1].message.startswith(f"and {count - 9} more") == (count > shown)


def test_a_fixed_cause_is_a_warning_where_it_does_not_fail_the_run() -> None:
    """With other versions than the pinned ones it is information."""
    record = with_header(run(CHECKS[4:], 0), backends=(BackendLine(name="numpy", versions={"numpy": "1"}),))
    (read,) = commands(github.workflow_commands(record))
    assert (read.level, read.properties["title"]) == ("warning", f"fixed: {GONE_CAUSE}")


@pytest.mark.parametrize(
    ("record", "words"),
    [
        (run(CHECKS[1:2], 0), "as expected"),
        (run(), "NOT as expected: 1 new check, 1 fixed check"),
        (interrupted(run()), "INTERRUPTED: this run has no end, and so no outcome"),
        (run(CHECKS[1:2], 3), "the suite failed: 0 checks not run; none new"),
    ],
    ids=["as expected", "not", "interrupted", "failed"],
)
def test_the_answer_ends_the_output_and_heads_the_summary(record: RunRecord, words: str) -> None:
    """Who reads one line reads the right one."""
    assert github.workflow_commands(record).splitlines()[-1] == f"bce-conformance: {words}"
    assert html(github.summary(record)).startswith(f"<h2>bce-conformance: {words}</h2>")


def test_an_interrupted_or_failed_run_is_an_error() -> None:
    """Also if nothing that was seen is an error."""
    for record in (interrupted(run(CHECKS[1:2])), run(CHECKS[1:2], 3)):
        assert commands(github.workflow_commands(record))[0].level == "error"
    assert [one.level for one in commands(github.workflow_commands(run(CHECKS[1:2], 0)))] == ["warning"]


def test_a_backend_that_failed_is_an_error() -> None:
    """What it said is the message."""
    record = with_header(run(CHECKS[1:2], 3), backends=(BackendLine(name="torch", failed="cannot be opened\nat all"),))
    assert commands(github.workflow_commands(record))[1] == Read(
        "error", {"title": "torch could not be opened"}, "cannot be opened\nat all"
    )


def test_the_summary_counts_verdicts_of_each_backend_apart() -> None:
    """A row for each backend; conforms and by-contract have columns of their own."""
    heading, *rows = tables(github.summary(run()))[0]
    counts = {row[0]: dict(zip(heading, row, strict=True)) for row in rows}
    assert (counts["torch"]["conforms"], counts["torch"]["by-contract"], counts["torch"]["deviates"]) == ("0", "1", "2")
    assert (counts["numpy"]["conforms"], counts["numpy"]["fixed"]) == ("2", "1")
    assert counts["jax"]["versions"] == "absent"


def test_no_text_ends_a_cell_of_a_table() -> None:
    """Names of implementations and what a framework said are whole, each in its cell."""
    found = tables(github.summary(run()))
    assert len(found) == 7, "backends, answer, problems, scoreboard, new, fixed and recorded causes"
    for heading, *rows in found:
        assert rows
        assert all(len(row) == len(heading) for row in rows)
        assert all(row[0] for row in rows)
    assert found[3][1][0] == f"`{STRANGE}`"
    assert found[4][1][0] == f"`{CAUSE}`"
    assert "{{ 7" in found[4][1][2], "all that was said is in one cell"


def test_the_summary_holds_no_markup_of_a_framework() -> None:
    """The only tags are the suite's own."""
    text = github.summary(run())
    own = text.replace("<details><summary>", "").replace("</details>", "").replace("</summary>", "")
    assert "alert(1)" in own
    assert not re.search(r"(?<!\\)<", own)


@pytest.mark.parametrize("room", [github.LIMIT, 5_000, 2_000, 100, 0, -5])
def test_a_summary_fits_the_room_that_is_left(room: int) -> None:
    """GitHub shows nothing of one that is too long; whole lines are left out, and the answer is never."""
    text = github.summary(many(300), None, room)
    assert len(text.encode()) <= max(room, 0)
    if room >= 100:
        assert text.startswith("## bce-conformance: NOT as expected: 300 new checks\n")


def test_a_summary_says_what_it_leaves_out() -> None:
    """The whole report is either there or said to be missing."""
    assert "<details>" in github.summary(run())
    assert "The whole report is too long" in github.summary(many(300), None, 20_000)
    assert "and 280 more" in github.summary(many(300))


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with a small suite in `cases`, and the record of a run in `run.jsonl` beside it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GITHUB_WORKSPACE", str(tmp_path))
    monkeypatch.delenv("GITHUB_STEP_SUMMARY", raising=False)
    (tmp_path / "cases").mkdir()
    (tmp_path / "cases" / "flags.yaml").write_text("flags:\n  plain:\n    meaning: nothing special\n")
    (tmp_path / "cases" / "small.yaml").write_text(
        "family: small\ntitle: a family for tests\ncases:\n  - why: it exists for this test\n    id: small/one\n"
        "    form: logits\n    flags: [plain]\n    elements:\n      - {id: a, prediction: 0.5, label: 1}\n"
    )
    from conformance.plan.cases import load_suite

    records.write(run(cases=load_suite(tmp_path / "cases").digest), tmp_path / "run.jsonl")
    return tmp_path


def shown(*words: str) -> list[Read]:
    """The commands that `show run.jsonl --format github` prints."""
    done = CliRunner().invoke(main, ["show", "run.jsonl", "--format", "github", *words])
    assert done.exit_code == 0, done.output
    return commands(done.stdout)


def test_an_annotation_points_at_the_case_in_the_repository(checkout: Path) -> None:
    """File relative to the repository, line of the case's id."""
    assert shown()[0].properties | {"title": ""} == {"title": "", "file": "cases/small.yaml", "line": "5"}


def test_an_annotation_points_nowhere_where_the_cases_are_others(checkout: Path) -> None:
    """A file that changed since the run, or that lies outside the repository, has no line to point at."""
    file = checkout / "cases" / "small.yaml"
    file.write_text("# changed\n" + file.read_text())
    assert set(shown()[0].properties) == {"title"}


def test_a_repository_elsewhere_has_no_file_of_ours(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """GitHub knows paths of the repository under test only."""
    (checkout / "inner").mkdir()
    monkeypatch.setenv("GITHUB_WORKSPACE", str(checkout / "inner"))
    assert set(shown()[0].properties) == {"title"}


def test_the_summary_is_appended_to_the_file_that_github_names(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What an earlier command of the step wrote stays."""
    file = checkout / "summary.md"
    file.write_text("before\n")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(file))
    shown()
    assert file.read_text(encoding="utf-8") == "before\n" + github.summary(records.read(checkout / "run.jsonl"))


def test_a_summary_that_cannot_be_written_is_a_failure_of_the_suite(
    checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exit code 3, with the reason."""
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(checkout))
    done = CliRunner().invoke(main, ["show", "run.jsonl", "--format", "github"])
    assert done.exit_code == 3
    assert "cannot be written" in done.stderr


def test_a_kept_record_is_shown() -> None:
    """A record of an older schema, too, as one step's output and summary."""
    for version in (1, 2):
        record = records.read(RECORD.with_name(f"record-schema-{version}.jsonl"))
        assert len(commands(github.workflow_commands(record))) == sum(one.outcome == "new" for one in causes(record))
        assert tables(github.summary(record))
    whole = msgspec.structs.replace(record.header, filters={"preset": ["quick"]})
    assert "quick run" in github.summary(RunRecord(header=whole, inputs=record.inputs, checks=record.checks)).lower()


def test_an_annotation_says_why_where_that_is_known() -> None:
    """After the example that the sentence is about."""
    record = run_of(from_logits, *FAMILIES)
    said = sentences(record, causes(record))
    read = {one.properties["title"]: one.message.splitlines() for one in commands(github.workflow_commands(record))}
    assert said
    for cause, sentence in said.items():
        assert read[f"new: {cause}"][1] == f"why: {sentence}"
