"""Problems: their files, and which of what is recorded each explains."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jsonschema
import pytest
from click.testing import CliRunner
from msgspec import structs
from ruamel.yaml import YAML

from conformance.cli import main
from conformance.errors import Exit, InputError
from conformance.known import problem
from conformance.known.explained import Explainer, disputed, explained, idle
from conformance.known.problem import Explains, Problem
from conformance.known.record import Record, default_place, load, mistakes, place
from conformance.known.recorded import Row
from conformance.numbers.measurement import BUDGET
from conformance.record import record
from conformance.run.pinned import shipped_run
from tests.known.test_recorded import row

GOOD = """\
title: the loss of a certain wrong prediction is too small
kind: bug
advice: file
why: |
  The tail is lost where two numbers of about 1 are subtracted.
links:
- url: https://example.org/issues/1
  state: open
  seen: 2026-01-31
explains:
- entries: [stub/loss]
  dtypes: [float32]
"""


def load_file(tmp_path: Path, text: str) -> Problem:
    """The problem of one file."""
    file = tmp_path / "tail-is-lost.yaml"
    file.write_text(text)
    return problem.load_file(file)


def one(*explains: Explains, title: str = "it is wrong") -> Problem:
    """A problem that explains something."""
    return Problem(title=title, kind="bug", why="it is", advice="file", explains=explains)


ROWS: list[Row] = [
    *row("stub/loss/value/ordinary/zero", {"e0": "inexact"}),
    *row("stub/loss/value/ordinary/zero", {"e0": "inexact"}, dtype="float64"),
    *row("stub/loss[x]/gradient-label/infinite/non-finite", {"e0": "nan"}, modes=("eager", "jit")),
]


def names(rows: tuple[Row, ...]) -> list[str]:
    """The problem of each row."""
    return [one.problem for one in rows]


@pytest.mark.parametrize(
    ("explains", "taken"),
    [
        ({"entries": ("stub/*",)}, [0, 1, 2]),
        ({"entries": ("stub/loss",)}, [0, 1]),
        ({"entries": ("stub/loss[x]",)}, [2]),
        ({"entries": ("*",), "quantities": ("gradient-*",)}, [2]),
        ({"entries": ("*",), "regions": ("ordinary",)}, [0, 1]),
        ({"entries": ("*",), "signatures": ("zero", "sign")}, [0, 1]),
        ({"entries": ("*",), "dtypes": ("float64",)}, [1]),
        ({"entries": ("*",), "cases": ("small/*",)}, [0, 1, 2]),
        ({"entries": ("*",), "cases": ("large/*",)}, []),
        ({"entries": ("*",), "modes": ("eager",)}, [0, 1]),
        ({"entries": ("*",), "modes": ("eager", "jit")}, [0, 1, 2]),
    ],
)
def test_a_problem_explains_what_its_globs_take(explains: dict[str, Any], taken: list[int]) -> None:
    """Of every part of a cause, and of case, dtype and modes; brackets are letters."""
    rows = explained(ROWS, {"p": one(Explains(**explains))})
    assert [index for index, name in enumerate(names(rows)) if name == "p"] == taken


def test_the_narrowest_claim_has_a_row() -> None:
    """A problem that says less about fewer rows is the exception to a broad one, whatever their names are."""
    broad, narrow = one(Explains(entries=("stub/*",))), one(Explains(entries=("stub/*",), dtypes=("float64",)))
    assert names(explained(ROWS, {"a": broad, "b": narrow})) == ["a", "b", "a"]
    assert names(explained(ROWS, {"a": narrow, "b": broad})) == ["b", "a", "b"]


def test_what_no_problem_explains_is_said_so() -> None:
    """A row has a dash in place of the problem, and lint names its cause once."""
    known = {"p": one(Explains(entries=("stub/loss[x]",)))}
    rows = explained(ROWS, known)
    assert names(rows) == ["-", "-", "p"]
    (line,) = mistakes(Record(rows, known))
    assert line == "no problem explains stub/loss/value/ordinary/zero in float32, float64"


def test_claims_that_are_as_narrow_are_a_mistake() -> None:
    """No order of files decides between two problems."""
    known = {name: one(Explains(entries=("stub/loss",))) for name in ("a", "b")}
    (line,) = disputed(ROWS, known)
    assert line.startswith("a and b both claim stub/loss/value/ordinary/zero in float32")
    assert line in list(mistakes(Record(tuple(ROWS), known)))


def test_a_problem_that_explains_nothing_is_a_mistake() -> None:
    """So is one of its entries that takes nothing: a deviation that is fixed leaves its words behind."""
    gone = Explains(entries=("stub/gone",))
    known = {"a": one(Explains(entries=("*",)), gone), "b": one(gone)}
    assert list(idle(ROWS, known)) == [
        "a: explains[1] takes nothing that is recorded",
        "b explains nothing that is recorded",
        "b: explains[0] takes nothing that is recorded",
    ]


def test_a_row_that_names_another_problem_than_its_own_is_a_mistake() -> None:
    """After an edit of a problem the files of what is recorded are written anew."""
    known = {"p": one(Explains(entries=("*",)))}
    (line,) = [text for text in mistakes(Record(tuple(ROWS), known)) if "loss[x]" not in text]
    assert "is said to be it-deviates, and p explains it" in line
    assert list(mistakes(Record(explained(ROWS, known), known))) == []


def test_a_problem_is_shown_by_a_finding_that_it_explains() -> None:
    """What a name that nothing has would show is chosen without a word."""
    rows = ROWS[:1]
    for check, right in (
        ("small/one::stub/loss/eager/cpu::float32::value#e0", True),
        ("small/one::stub/loss/eager/cpu::float32::value#e1", False),
        ("small/one::stub/loss/eager/cpu::float64::value#e0", False),
        ("small/one::stub/loss/jit/cpu::float32::value#e0", False),
        ("small/one::stub/loss/eager/cpu::float32::gradient-label#e0", False),
        ("small/two::stub/loss/eager/cpu::float32::value#e0", False),
    ):
        known = {"p": structs.replace(one(Explains(entries=("*",))), shown_by=check)}
        told = list(mistakes(Record(explained(rows, known), known)))
        assert told == ([] if right else [f"p: shown_by names no recorded finding of this problem (got {check!r})"])


def test_a_problem_that_two_records_have_is_refused(tmp_path: Path) -> None:
    """Of two files with one name one would be lost, and its findings told as the other."""
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "tail-is-lost.yaml").write_text(GOOD)
    with pytest.raises(InputError, match=r"b/tail-is-lost\.yaml: another record has this problem, too"):
        load([place(tmp_path / "a"), place(tmp_path / "b")])


def test_a_mechanism_of_two_words_by_a_comma_is_told_with_its_line(tmp_path: Path) -> None:
    """YAML ends a word of a list at a comma, so that one mechanism becomes two that nobody knows."""
    file = tmp_path / "tail-is-lost.yaml"
    file.write_text(f"mechanism: [cancelled, derivative of a clip, abs or where]\n{GOOD}")
    done = CliRunner().invoke(main, ["lint", str(file)])
    assert done.exit_code == Exit.BAD_INPUT
    assert f"{file}:1: mechanism must be of" in done.output
    assert "(got 'derivative of a clip')" in done.output
    assert "must be quoted" in done.output


def test_a_good_file_is_read_as_written(tmp_path: Path) -> None:
    """Its id is its name."""
    found = load_file(tmp_path, GOOD)
    assert (found.id, found.kind, found.advice, found.urls) == (
        "tail-is-lost",
        "bug",
        "file",
        ("https://example.org/issues/1",),
    )
    assert found.explains == (Explains(entries=("stub/loss",), dtypes=("float32",)),)


@pytest.mark.parametrize(
    ("old", "new", "line", "words"),
    [
        ("kind: bug", "kind: feature", 2, ["feature"]),
        ("kind: bug", "kind: bug\nowner: me", 3, ["unknown field", "owner"]),
        ("kind: bug", "kind: bug\nid: me", 3, ["me", "name of the file"]),
        ("title: the loss of a certain wrong prediction is too small\n", "", 1, ["title"]),
        ("a certain", f"a certain {'very ' * 30}", 1, ["title", "120"]),
        ("seen: 2026-01-31", "seen: 2026-02-31", 7, ["2026-02-31"]),
        ("seen: 2026-01-31", "seen: yesterday", 9, ["yesterday"]),
        ("  state: open\n", "", 7, ["state"]),
        ("state: open", "state: lost", 8, ["lost"]),
        ("https://example.org/issues/1", "see the tracker", 7, ["see the tracker"]),
        ("advice: file", "advice: noise", 3, ["noise", "reason"]),
        ("[float32]", "[float23]", 12, ["float23"]),
        ("- entries: [stub/loss]\n  dtypes: [float32]", "[]", 10, ["explain"]),
        ("[stub/loss]", "[]", 11, ["entries", "length"]),
        ("title: the loss", "title: |\n  the loss\n ", 1, ["title", "the loss"]),
        ("title: the loss", 'title: "\\e[31mthe loss"\n#', 1, ["control characters", "x1b"]),
        ("kind: bug", "kind: bug\nopening:\n  says: it is so\n  code: print(a b)", 5, ["Python"]),
        ("kind: bug", f"kind: bug\nopening:\n  says: it is so\n  code: '{'1;' * 90}'", 5, ["140", "180"]),
        ("kind: bug", 'kind: bug\nopening:\n  says: it is so\n  code: "1\\n1\\n1\\n1\\n1\\n1"', 5, ["5 lines", "6"]),
        ("kind: bug", "kind: bug\nopening:\n  code: print(1)", 4, ["says"]),
        ("kind: bug", "kind: bug\nshown_by: small/one", 3, ["small/one", "CASE::BACKEND/ENTRY"]),
        ("advice: file", "first: all train so\nadvice: noise\nbecause: it is so", 3, ["to be filed", "noise"]),
        ("kind: bug", "kind: bug\nshown_by: small/one::stub/loss::float32::value#e0", 3, ["stub/loss::"]),
    ],
)
def test_a_mistake_in_a_file_is_named_with_file_and_line(
    tmp_path: Path, old: str, new: str, line: int, words: list[str]
) -> None:
    """One mistake in a good file gives an InputError at its line that quotes it."""
    assert old in GOOD
    with pytest.raises(InputError) as caught:
        load_file(tmp_path, GOOD.replace(old, new, 1).replace("explains:\n[]", "explains: []"))
    assert caught.value.code == Exit.BAD_INPUT
    place, _, message = str(caught.value).partition(": ")
    assert place.endswith(f"tail-is-lost.yaml:{line}"), str(caught.value)
    for word in words:
        assert word in message


def test_what_is_to_be_commented_on_has_a_link(tmp_path: Path) -> None:
    """A comment needs a report to stand below."""
    start = GOOD.index("links:")
    text = GOOD[:start] + GOOD[GOOD.index("explains:") :]
    assert load_file(tmp_path, text).links == ()
    with pytest.raises(InputError, match="owes the link"):
        load_file(tmp_path, text.replace("advice: file", "advice: comment"))


def test_the_name_of_a_file_is_words_and_dashes(tmp_path: Path) -> None:
    """It stands in records, folders of reports and commands."""
    (tmp_path / "Tail_lost.yaml").write_text(GOOD)
    with pytest.raises(InputError, match="Tail_lost"):
        problem.load(tmp_path)


def test_the_schema_accepts_the_good_file_and_refuses_bad_ones() -> None:
    """The published JSON Schema agrees with the loader on structure."""
    schema = problem.json_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    good = YAML(typ="safe", pure=True).load(GOOD.replace("2026-01-31", "'2026-01-31'"))
    validator.validate(good)
    for key, value in [("kind", "feature"), ("owner", "me"), ("id", "me"), ("links", ["no link"]), ("title", "")]:
        assert not validator.is_valid(good | {key: value})


def test_the_shipped_record_has_no_mistake() -> None:
    """Every recorded finding belongs to a problem, every problem has findings, and no two claim the same."""
    known = load((default_place(),))
    assert known.rows
    assert list(mistakes(known)) == []


def test_there_are_no_more_problems_than_a_person_reads() -> None:
    """What is really wrong is some 65 things; more of them say the same twice."""
    assert len(problem.load(default_place().problems)) <= 90


def test_what_only_loses_subnormal_numbers_is_by_design_everywhere() -> None:
    """XLA, TensorFlow and oneDNN say that they flush: it is no bug of one and design of another."""
    flushing = [one for one in problem.load(default_place().problems).values() if one.mechanism == ("flushed",)]
    assert len(flushing) > 1
    assert {one.kind for one in flushing} == {"by-design"}
    assert "file" not in {one.advice for one in flushing}


def test_a_documented_clip_that_is_rounded_once_is_no_bug() -> None:
    """OpenVINO's 16.125 at p = 0, y = 1 is the float16 next to -log(1e-7), which it documents: not to be filed."""
    known = load((default_place(),))
    explainer = Explainer(known.rows, known.problems)
    for entry in ("ops.binary_crossentropy", "losses.binary_crossentropy"):
        cause = f"keras-openvino/{entry}/value/saturated/finite"
        told = explainer.of(cause, "extreme-predictions/ends", "float16", "eager")
        assert told is not None
        assert (told.kind, told.advice) == ("by-design", "noise")


@pytest.mark.parametrize(
    "report",
    [
        *("pytorch/pytorch/issues/171282", "pytorch/pytorch/issues/77529", "pytorch/pytorch/issues/195530"),
        *("pytorch/pytorch/issues/195679", "pytorch/pytorch/pull/2195", "tensorflow/tensorflow/issues/126060"),
        *("tensorflow/tensorflow/pull/127010", "jax-ml/jax/issues/16200", "jax-ml/jax/pull/26668"),
    ],
)
def test_a_report_that_was_once_missed_is_linked(report: str) -> None:
    """Who files what is known there already wastes a maintainer's time."""
    known = problem.load(default_place().problems).values()
    links = {url for one in known for url in (*one.elsewhere, *(each for link in one.links for each in _urls(link)))}
    assert f"https://github.com/{report}" in links


def _urls(link: problem.Link) -> tuple[str, ...]:
    return (link.url, link.by) if link.by else (link.url,)


@pytest.mark.slow
def test_no_number_within_its_budget_is_a_finding_of_the_kept_run() -> None:
    """A report of 1.32 ULP under a budget of 4 contradicts itself; a probe tells of a field, not of a number."""
    kept = record.read(shipped_run())
    small = [
        f"{check.id} {finding.element}"
        for check in kept.checks
        for finding in check.findings
        if finding.what != "field" and finding.element in check.elements and _within(check, finding.element)
    ]
    assert small == []


def _within(check: record.CheckLine, element: str) -> bool:
    place = check.elements.index(element)
    error = check.ulp[place] if place < len(check.ulp) else None
    return error is not None and error <= BUDGET


def test_a_result_that_is_not_recorded_has_the_problem_of_the_narrowest_claim_to_it() -> None:
    """Numbers that a reader tried have a case of their own; a claim to other cases takes none of them."""
    broad, narrow = one(Explains(entries=("stub/*",))), one(Explains(entries=("stub/loss",), dtypes=("float32",)))
    elsewhere = one(Explains(entries=("stub/loss",), cases=("small/*",)))
    explainer = Explainer(ROWS, {"broad": broad, "elsewhere": elsewhere, "narrow": narrow})
    cause = "stub/loss/value/ordinary/zero"
    assert explainer.of(cause, "tried/numbers", "float32", "eager") is narrow
    assert explainer.of(cause, "tried/numbers", "float64", "eager") is broad
    assert explainer.of("other/loss/value/ordinary/zero", "tried/numbers", "float32", "eager") is None


def test_a_workaround_is_one_line(tmp_path: Path) -> None:
    """It stands behind the title, in one line with it."""
    assert load_file(tmp_path, GOOD + "workaround: loss of z.float()\n").workaround == "loss of z.float()"
    with pytest.raises(InputError, match=r"tail-is-lost.yaml:13: .*workaround"):
        load_file(tmp_path, GOOD + "workaround: |\n  one\n  two\n")
