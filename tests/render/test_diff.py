"""Two runs compared: what deviates now, what no longer does, what behaves otherwise, what drifted, what is lost."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from markdown_it import MarkdownIt
from msgspec.structs import replace

from conformance.cli import main
from conformance.errors import InputError
from conformance.plan.filters import Filters
from conformance.record import record
from conformance.record.compare import Comparison, FailOn, Side, compare
from conformance.record.record import BackendLine, CheckLine, FindingLine, Footer, Header, ImplementationLine, RunRecord
from tests.diagnosis.test_changed import run as run_of
from tests.diagnosis.test_changed import softplus_of_size
from tests.diagnosis.test_why import from_logits

#: The one implementation of these records.
LOSS = "stub/loss/eager/cpu"


def check(name: str = "family/case", quantity: str = "value", **fields: Any) -> CheckLine:
    """A check of two elements, p0 and p1, both of which conform."""
    given: dict[str, Any] = {
        "verdict": "conforms",
        "outcome": "as expected",
        "elements": ("p0", "p1"),
        "bits": ("3f317218", "00000000"),
        "ulp": (0.25, 0.0),
        "result_dtype": "float32",
    } | fields
    return CheckLine(
        id=f"{name}::{LOSS}::float32::{quantity}",
        case=name,
        family="family",
        implementation=LOSS,
        dtype="float32",
        quantity=quantity,
        **given,
    )


def deviating(one: CheckLine, what: str = "zero", detail: str = "", verdict: str = "deviates") -> CheckLine:
    """The same check where p1 deviates."""
    finding = FindingLine(
        element="p1", outcome="new", verdict=verdict, what=what, cause=f"stub/loss/value/ordinary/{what}", detail=detail
    )
    return replace(one, verdict=verdict, outcome="new", verdicts=("conforms", verdict), findings=(finding,))


def run(*checks: CheckLine, version: str = "1.0", footer: bool = True, **header: Any) -> RunRecord:
    """A record of some checks."""
    given: dict[str, Any] = {
        "schema": record.SCHEMA,
        "suite": "0.1.0",
        "cases": "digest",
        "started": "2026-01-01T00:00:00+00:00",
        "machine": {"processor": "any"},
        "filters": {},
        "backends": (BackendLine(name="stub", versions={"stub": version}),),
        "implementations": (ImplementationLine(id=LOSS, family="stub/loss", form="probabilities"),),
        "planned": len(checks),
        "not_offered": {},
    } | header
    end = Footer(
        finished="2026-01-01T00:00:01+00:00",
        seconds=1.0,
        verdicts=Counter(one.verdict for one in checks),
        outcomes={},
        not_run=0,
        restarts=(),
        exit=0,
    )
    inputs = tuple(
        record.InputsLine(
            case=one.case,
            family=one.family,
            flags=(),
            form="probabilities",
            reduction="none",
            dtype=one.dtype,
            elements=one.elements,
            inputs={"prediction": ("3f000000", "00000000"), "label": ("00000000", "00000000")},
            ideal={},
        )
        for one in {one.case: one for one in checks}.values()
    )
    return RunRecord(header=Header(**given), inputs=inputs, checks=checks, footer=end if footer else None)


def compared(old: RunRecord, new: RunRecord, filters: Filters | None = None) -> Comparison:
    """The comparison of two records."""
    return compare(Side("old.jsonl", old), Side("new.jsonl", new), filters)


def fails(found: Comparison, *words: str, allow_missing: bool = False) -> bool:
    """Whether a comparison fails."""
    return bool(found.regressions(FailOn.parse(words, allow_missing)))


def test_a_run_compared_with_itself_shows_nothing() -> None:
    """Equal records give no change, no drift and no remainder, whatever the verdicts are."""
    both = run(check(), deviating(check("family/other"), "raised", "ValueError: no"))
    found = compared(both, both)
    assert (found.changes, found.drifts, found.lost, found.added, found.compared) == ((), (), (), (), 2)
    assert not fails(found, "behaviour", "conforming", "drift:0ulp")


def test_a_new_deviation_is_a_regression_with_both_results() -> None:
    """An element that deviates now is told with old and new bits and the cause of its finding."""
    after = replace(deviating(check()), bits=("3f317218", "80000000"))
    (change,) = compared(run(check()), run(after)).changes
    assert (change.kind, change.example) == ("deviating", f"family/case::{LOSS}::float32::value#p1")
    assert (change.old, change.new) == ("conforms", "deviates (zero)")
    assert (change.old_bits, change.new_bits) == ("00000000", "80000000")
    assert change.cause == "stub/loss/value/ordinary/zero"
    assert fails(compared(run(check()), run(after)))


def test_a_deviation_that_is_gone_is_no_regression() -> None:
    """What conforms now is told with the cause that went, and fails only where it is asked to."""
    found = compared(run(deviating(check())), run(check()))
    (change,) = found.changes
    assert (change.kind, change.cause) == ("conforming", "stub/loss/value/ordinary/zero")
    assert not fails(found)
    assert fails(found, "conforming")


@pytest.mark.parametrize("verdict", ["crashed", "timed-out"])
def test_a_crash_instead_of_a_wrong_number_is_a_regression(verdict: str) -> None:
    """An end of the process is worse than a deviation, and a deviation instead of one is none."""
    wrong, ended = run(deviating(check())), run(deviating(check(), verdict, verdict=verdict))
    assert fails(compared(wrong, ended))
    assert not fails(compared(ended, wrong))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (deviating(check(), "raised", "ValueError: no"), deviating(check(), "raised", "TypeError: no")),
        (deviating(check(), "raised", "ValueError: no"), deviating(check(), "raised", "ValueError: never")),
        (deviating(check(), "zero"), deviating(check(), "nan")),
        (check(), replace(check(), result_dtype="float64")),
        (check(), replace(check(), verdict="by-contract")),
        (replace(check(), verdict="rejects", details=("ValueError: no",)), check()),
        (replace(check(), verdict="by-contract"), replace(check(), verdict="by-contract", formula=("p0", "p1"))),
    ],
)
def test_another_exception_class_dtype_or_verdict_is_changed_behaviour(old: CheckLine, new: CheckLine) -> None:
    """Behaviour that changed without being better or worse fails only where it is asked to."""
    found = compared(run(old), run(new))
    assert {one.kind for one in found.changes} == {"behaviour"}
    assert not fails(found)
    assert fails(found, "behaviour")


def test_elements_that_changed_alike_are_told_together() -> None:
    """One line for all elements and dtypes of an implementation that changed in the same way, with their number."""
    old = [check(f"family/c{i}") for i in range(3)]
    (change,) = compared(run(*old), run(*map(deviating, old))).changes
    assert change.elements == 3


def test_a_drift_has_maximum_p99_and_the_largest_rise() -> None:
    """Errors are compared element by element within an implementation, dtype and quantity."""
    old = check(ulp=(0.5, 0.25))
    new = replace(old, ulp=(0.25, 1.0), bits=("3f317217", "00000001"))
    (drift,) = compared(run(old), run(new)).drifts
    assert (drift.elements, drift.changed, drift.old_max, drift.new_max) == (2, 2, 0.5, 1.0)
    assert (drift.old_p99, drift.new_p99, drift.rise) == (0.5, 1.0, 0.75)
    assert drift.where.endswith("::value#p1")


def test_other_bits_with_the_same_error_are_a_drift_without_a_rise() -> None:
    """A result that moved to the other side of the exact value is told, and is no regression."""
    found = compared(run(check()), run(replace(check(), bits=("3f317217", "00000000"))))
    (drift,) = found.drifts
    assert (drift.changed, drift.rise, drift.where) == (1, 0.0, "")
    assert not fails(found, "drift:0ulp")


def test_the_limit_of_drift_is_for_any_one_element() -> None:
    """A rise beyond the limit fails although the maximum of all elements fell."""
    found = compared(run(check(ulp=(3.0, 0.0))), run(check(ulp=(1.0, 0.75))))
    assert fails(found, "drift:0.5ulp")
    assert not fails(found, "drift:0.75ulp")
    assert not fails(found)


def test_lost_checks_are_a_regression_unless_allowed() -> None:
    """Both remainders are told by id; what was added is none."""
    one, other = check("family/one"), check("family/other")
    found = compared(run(one), run(other))
    assert (found.lost, found.added) == ((one.id,), (other.id,))
    assert fails(found)
    assert not fails(found, allow_missing=True)
    assert not fails(compared(run(one), run(one, other)))


def test_a_lost_element_of_a_check_is_lost() -> None:
    """A check that judges fewer elements does not pass as the same check."""
    less = replace(check(), elements=("p0",), bits=("3f317218",), ulp=(0.25,))
    assert compared(run(check()), run(less)).lost == (f"{check().id}#p1",)
    assert compared(run(less), run(check())).added == (f"{check().id}#p1",)


def test_an_interrupted_new_run_is_a_regression() -> None:
    """A run without its end is not taken for a whole one, and every form says so."""
    found = compared(run(check()), run(check(), footer=False))
    assert found.regressions(FailOn()) == ("the new run was interrupted",)
    assert not fails(found, allow_missing=True)


def test_a_baseline_counts_as_far_as_the_filters_of_the_run_go() -> None:
    """Checks of the baseline that the run was not asked for are counted, not lost."""
    old = run(check("family/one"), check("family/other"))
    new = run(check("family/one"))
    assert compared(old, new).lost
    found = compared(old, new, Filters(case=("family/one",)))
    assert (found.lost, found.left_out, found.compared) == ((), 1, 1)


@pytest.mark.parametrize(
    "word", ["", "drift", "drift:", "drift:1", "drift:-1ulp", "drift:nanulp", "anything", "drift:infulp"]
)
def test_what_cannot_be_failed_on_is_refused(word: str) -> None:
    """The message quotes what is allowed and what was given."""
    with pytest.raises(InputError, match="--fail-on") as caught:
        FailOn.parse((word,), False)
    assert repr(word) in str(caught.value)


# -- as commands ---------------------------------------------------------------------------------------------------


@pytest.fixture
def files(tmp_path: Path) -> tuple[str, str]:
    """A run, and the run of a newer version in which an exception with markup came, a check went and an error rose."""
    raising = deviating(check(), "raised", "ValueError: <script>alert(1)</script> | [bold]x[/] `y`")
    hostile = replace(raising, bits=("3f317218", ""), ulp=(0.25, None))
    new = [hostile, check("family/drifts", ulp=(0.75, 0.0), bits=("3f317217", "00000000"))]
    record.write(run(check(), check("family/gone"), check("family/drifts")), tmp_path / "old.jsonl")
    record.write(run(*new, version="2.0"), tmp_path / "new.jsonl")
    return str(tmp_path / "old.jsonl"), str(tmp_path / "new.jsonl")


def invoke(*words: str) -> Result:
    """The command line with some words."""
    return CliRunner().invoke(main, list(words))


def test_the_text_tells_versions_changes_drift_and_remainders(files: tuple[str, str]) -> None:
    """Everything that changed is in the text, as it stands, and the exit code is 1."""
    done = invoke("diff", *files)
    assert done.exit_code == 1
    for part in (
        "stub: stub 1.0 -> stub 2.0",
        "newly deviating: 1 elements in 1 groups",
        "conforms 0 (0x00000000) -> deviates (raised) ValueError: <script>alert(1)</script> | [bold]x[/] `y`",
        "numeric drift: 1 of 3 elements",
        "0.25 -> 0.75",
        f"family/gone::{LOSS}::float32::value",
        "REGRESSION: 1 elements newly deviating, 1 checks or elements lost",
        "values of your entry point are bit-identical in 2 of 4 inputs; 1 result became worse, 1 result changed in the",
    ):
        assert part in done.output


def test_identical_runs_exit_0(files: tuple[str, str]) -> None:
    """Nothing changed, nothing is told but the counts."""
    done = invoke("diff", files[0], files[0])
    assert (done.exit_code, done.output.splitlines()[-1]) == (
        0,
        "0 newly deviating, 0 newly conforming, 0 changed behaviour, 0 drifted, 0 lost, 0 added · no regression",
    )


def test_the_json_holds_the_whole_comparison(files: tuple[str, str]) -> None:
    """The document parses and has every change, drift and remainder."""
    done = invoke("diff", *files, "--format", "json")
    found = json.loads(done.output)
    assert found["regression"] is True
    assert [one["kind"] for one in found["changes"]] == ["deviating"]
    assert found["drifts"][0]["new_max"] == 0.75
    assert found["lost"] == [f"family/gone::{LOSS}::float32::value"]
    assert found["old"]["versions"] == {"stub": "stub 1.0"}


def test_the_markdown_is_tables_in_which_no_markup_of_a_framework_lives(files: tuple[str, str]) -> None:
    """Parsed back, each table has the cells of its heading, and the exception's markup is text."""
    done = invoke("diff", *files, "--format", "markdown")
    tokens = MarkdownIt("commonmark").enable("table").parse(done.output)
    widths, cells = [], 0
    for token in tokens:
        if token.type == "tr_open":
            cells = 0
        cells += token.type in ("th_open", "td_open")
        if token.type == "tr_close":
            widths.append(cells)
    assert widths == [6, 6, 8, 8, 1, 1]
    inline = [child for token in tokens for child in token.children or ()]
    assert not [child for child in inline if child.type in ("html_inline", "code_inline")]
    assert "<script>alert(1)</script> | [bold]x[/] `y`" in "".join(child.content for child in inline)


def test_interrupted_is_said_in_every_form(files: tuple[str, str], tmp_path: Path) -> None:
    """Text, Markdown and JSON all say that a run has no end."""
    cut = tmp_path / "cut.jsonl"
    record.write(run(check(), footer=False), cut)
    for form in ("text", "markdown"):
        assert "INTERRUPTED: the new run" in invoke("diff", files[0], str(cut), "--format", form).output
    assert json.loads(invoke("diff", str(cut), files[0], "--format", "json").output)["old"]["interrupted"] is True


def test_a_file_that_is_no_record_exits_2(files: tuple[str, str], tmp_path: Path) -> None:
    """The message names the file."""
    other = tmp_path / "other.txt"
    other.write_text("hello\n")
    done = invoke("diff", files[0], str(other))
    assert done.exit_code == 2
    assert f"{other}:1:" in done.output


def test_a_run_is_compared_with_its_baseline_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A baseline from which a verdict differs makes the run end with 1, and one without that with 0."""
    monkeypatch.chdir(tmp_path)
    words = ("run", "--backend", "numpy", "--case", "hard-labels", "--quantity", "value")
    assert invoke(*words, "--output", "old.jsonl").exit_code == 0
    done = invoke(*words, "--baseline", "old.jsonl")
    assert done.exit_code == 0
    assert done.output.endswith("no regression\n")
    old = record.read(Path("old.jsonl"))
    better = [replace(one, verdict="conforms", verdicts=(), findings=()) for one in old.checks]
    assert better != list(old.checks), "something deviates in every run"
    assert old.footer is not None
    footer = replace(old.footer, verdicts={"conforms": len(better)})
    record.write(
        RunRecord(header=old.header, inputs=old.inputs, checks=tuple(better), footer=footer), Path("old.jsonl")
    )
    done = invoke(*words, "--baseline", "old.jsonl", "--format", "json")
    assert done.exit_code == 1
    assert json.loads(done.stdout)["comparison"]["regression"] is True


def test_a_baseline_that_cannot_be_read_stops_before_anything_runs(tmp_path: Path) -> None:
    """Exit code 2, no record."""
    done = invoke("run", "--baseline", str(tmp_path / "none.jsonl"))
    assert done.exit_code == 2
    assert "cannot be read" in done.output
    assert invoke("run", "--fail-on", "behaviour").exit_code == 2


@pytest.fixture(scope="module")
def other_formula(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """Two runs of one name, whose formula is another."""
    folder = tmp_path_factory.mktemp("formulas")
    names = []
    for name, loss in (("old", from_logits), ("new", softplus_of_size)):
        record.write(run_of(loss, "float32"), folder / f"{name}.jsonl")
        names.append(str(folder / f"{name}.jsonl"))
    return names[0], names[1]


#: What the second of them computes otherwise.
FORMULAS = "the formula changed: (1 - y)*z - log_sigmoid(z) → max(z, 0) - z*y + log1p(exp(-|z|))"


def test_the_text_tells_which_formula_gives_the_results_now(other_formula: tuple[str, str]) -> None:
    """Below its heading, with the results that it is about."""
    lines = invoke("diff", *other_formula).output.splitlines()
    place = lines.index("another formula or arithmetic")
    assert lines[place + 1 : place + 3] == ["  numpy/loss/eager/cpu value in float32", f"    {FORMULAS}"]


def test_markdown_and_json_tell_which_formula_gives_the_results_now(other_formula: tuple[str, str]) -> None:
    """Parsed back, the formula is what it was: neither emphasis nor cells."""
    (told,) = json.loads(invoke("diff", *other_formula, "--format", "json").output)["models"]
    assert f"the {told['what']} changed: {told['old']} → {told['new']}" == FORMULAS
    tokens = (
        MarkdownIt("commonmark").enable("table").parse(invoke("diff", *other_formula, "--format", "markdown").output)
    )
    assert FORMULAS in ["".join(child.content for child in token.children or ()) for token in tokens]
