"""What an upgrade changes, in sentences: `diff` and `bce-conformance upgrade` on kept runs, and on releases of a demo.

The runs of Optax, scikit-learn and Keras are kept (`results/behaviour.jsonl.gz`); the numbers that the sentences must
hold were read off their records, and the exact ones follow from the formulas of the losses.
"""

from __future__ import annotations

import json
import math
import re
import sys
from collections import Counter
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from click.testing import CliRunner, Result
from msgspec.structs import replace

from conformance.cli import main
from conformance.errors import Exit
from conformance.judge.harm import Harm
from conformance.record import record
from conformance.record.compare import Side, compare
from conformance.record.kinds import Kind
from conformance.record.moves import Moves, Way, moves
from conformance.record.record import RunRecord
from conformance.render.moves import sentence
from tests.releases import World
from tests.render.test_diff import check, deviating, run
from tools.renew.versions import runs


def kept(package: str, version: str) -> RunRecord:
    """The run that is kept of a version."""
    return next(one.record for one in runs()[package] if one.version == version)


def moved(old: RunRecord, new: RunRecord) -> Moves:
    """What moved from one run to another."""
    sides = Side("old.jsonl", old), Side("new.jsonl", new)
    return moves(*sides, compare(*sides).both)


def invoke(*words: str) -> Result:
    """The command line with some words."""
    return CliRunner().invoke(main, list(words))


def diff(folder: Path, package: str, old: str, new: str, *words: str, command: str = "diff") -> Result:
    """A comparison of two kept versions."""
    for version in (old, new):
        record.write(kept(package, version), folder / f"{version}.jsonl")
    return invoke(command, str(folder / f"{old}.jsonl"), str(folder / f"{new}.jsonl"), *words)


# -- what moved ------------------------------------------------------------------------------------------------------


def test_a_run_beside_itself_is_bit_identical_in_all_inputs() -> None:
    """Whatever the verdicts are; then the change is not in the loss, and the sentence says so."""
    both = run(check(), deviating(check("family/other")))
    found = moved(both, both)
    assert (found.inputs, found.same, found.found) == (4, 4, ())
    assert sentence(found) == (
        "values of your entry point are bit-identical in 4 of 4 inputs: your change is not in the loss"
    )


def test_a_nan_is_a_nan_whatever_its_bits_are() -> None:
    """Sign and payload of a NaN depend on the processor and say nothing of a loss."""
    old = deviating(check(bits=("3f317218", "7fc00000"), ulp=(0.25, None)), "nan")
    new = replace(old, bits=("3f317218", "ffc00000"))
    assert moved(run(old), run(new)).found == ()


def test_a_wrong_result_in_place_of_a_right_one_is_worse_and_the_reverse_is_better() -> None:
    """The same two results, told from both sides."""
    right, wrong = check(), deviating(check(bits=("3f317218", "7fc00000"), ulp=(0.25, None)), "nan")
    (there,) = moved(run(right), run(wrong)).found
    (back,) = moved(run(wrong), run(right)).found
    assert (there.way, there.old.harm, there.new.harm) == (Way.WORSE, None, Harm.BREAKS)
    assert (back.way, back.old.harm, back.new.harm) == (Way.BETTER, Harm.BREAKS, None)


def test_right_results_with_other_bits_are_last_digits() -> None:
    """One ULP of float32 beside log 2 is a relative difference of 2^-24 / log 2."""
    (one,) = moved(run(check()), run(check(bits=("3f317217", "00000000")))).found
    assert (one.way, one.results) == (Way.DIGITS, 1)
    assert one.furthest == {"float32": pytest.approx(2**-24 / math.log(2), rel=1e-6)}


def test_a_refusal_in_place_of_a_wrong_number_is_neither_better_nor_worse() -> None:
    """Of a call that was not there before, nobody can have been misled."""
    refused = deviating(check(bits=("3f317218", ""), ulp=(0.25, None)), "unsupported", "TypeError: no", "unsupported")
    wrong = deviating(check(bits=("3f317218", "7fc00000"), ulp=(0.25, None)), "nan")
    assert [one.way for one in moved(run(refused), run(wrong)).found] == [Way.OTHERWISE]


def test_a_python_float_owes_the_digits_of_its_inputs_and_no_more() -> None:
    """A float64 that is 2^29 of its ULP from the exact value is one ULP of float32 from it; 2^33 are beyond 4."""
    plain = check(result_dtype="float64", bits=("3fe62e42fefa39ef", "0000000000000000"), ulp=(0.25, 0.0))
    off = deviating(replace(plain, bits=("3fe62e42fefa39ef", "3e00000000000000")), "inaccurate")
    near, far = (run(replace(off, ulp=(0.25, 2.0**power))) for power in (29, 33))
    assert not compare(Side("old", run(plain)), Side("new", near)).of("deviating")
    assert compare(Side("old", run(plain)), Side("new", far)).of("deviating")
    assert [one.new.harm for one in moved(run(plain), near).found] == [None]


# -- the questions of one who upgrades, answered -----------------------------------------------------------------------


def test_no_change_is_said_first_and_in_one_sentence(tmp_path: Path) -> None:
    """Keras 3.10 and 3.15 beside one JAX: the good news is the first line, and the exit code is 0."""
    done = diff(tmp_path, "keras", "3.10.0", "3.15.1")
    assert done.exit_code == Exit.AS_EXPECTED
    first, second = done.output.splitlines()[:2]
    assert first == (
        "values and gradients of your 9 entry points are bit-identical in 1718 of 1718 inputs: "
        "your change is not in the loss"
    )
    assert second.startswith("unchanged: everyday inputs, soft labels, confident predictions")


def test_what_became_worse_and_better_is_told_by_entry_point_and_kind_of_input(tmp_path: Path) -> None:
    """Optax 0.2.4 to 0.2.8: labels outside [0, 1] are NaN now, NaN at confident predictions is gone."""
    done = diff(tmp_path, "optax", "0.2.4", "0.2.8")
    assert done.exit_code == Exit.NOT_AS_EXPECTED
    for said in (
        "last digits alone: everyday inputs, soft labels · better: confident predictions · worse: labels or",
        "worse: jax/optax.losses.sigmoid_focal_loss, the loss at labels or probabilities outside [0, 1], 14 results in",
        "prediction 0.5, label 255 (float32, out-of-range-labels/logits#z0.5-y255): -126.525925 → nan, exactly -126.52",
        "better: jax/optax.losses.sigmoid_focal_loss, the gradient by the prediction at confident predictions, 27",
        "breaks training → right",
        "which release: bce-conformance bisect 'out-of-range-labels/logits#z0.5-y255' jax/optax.losses.sigmoid_focal",
        "--good 0.2.4 --bad 0.2.8",
        "whom to tell: Optax, https://github.com/google-deepmind/optax/issues",
    ):
        assert said in done.output, said


def test_digits_that_the_inputs_never_had_are_no_regression(tmp_path: Path) -> None:
    """scikit-learn computes float32 in float32 since 1.6: 3e-9 beside the exact log 2, with both numbers."""
    done = diff(tmp_path, "scikit-learn", "1.3.2", "1.9.1")
    assert done.exit_code == Exit.AS_EXPECTED
    assert (
        "conforms as float64 0.6931471805599453 (0x3fe62e42fefa39ef) -> right to the digits of its inputs"
        in done.output
    )
    assert "deviates" not in done.output.replace("newly deviating", "")
    found = moved(kept("scikit-learn", "1.3.2"), kept("scikit-learn", "1.9.1"))
    assert {one.way for one in found.found} == {Way.DIGITS}
    assert found.kinds[Kind.EVERYDAY] is Way.DIGITS
    assert "in float32, which rounds by 6.0e-08" in done.output


def test_filters_choose_what_is_compared(tmp_path: Path) -> None:
    """An entry point that did not change, alone; what is left out is counted and neither lost nor added."""
    words = ("--implementation", "jax/optax.losses.sigmoid_binary_cross_entropy")
    done = diff(tmp_path, "optax", "0.2.4", "0.2.8", *words)
    assert done.exit_code == Exit.AS_EXPECTED
    assert "0 lost, 0 added" in done.output
    assert re.search(r"\d+ checks of the old run are outside the filters", done.output)


def test_what_is_better_and_failed_on_is_a_change_and_no_regression(tmp_path: Path) -> None:
    """`--fail-on conforming` fails where nothing is worse, too; the word is another."""
    for name, one in (("old", deviating(check())), ("new", check())):
        record.write(run(one), tmp_path / f"{name}.jsonl")
    done = invoke("diff", str(tmp_path / "old.jsonl"), str(tmp_path / "new.jsonl"), "--fail-on", "conforming")
    assert done.exit_code == Exit.NOT_AS_EXPECTED
    assert done.output.splitlines()[-1].endswith("CHANGED: 1 elements newly conforming")


def test_a_program_gets_the_same(tmp_path: Path) -> None:
    """Sentence, counts and every move are in the JSON document."""
    found = json.loads(diff(tmp_path, "optax", "0.2.4", "0.2.8", "--format", "json").output)["numbers"]
    assert found["sentence"].startswith("values and gradients of your 3 entry points are bit-identical in 679 of 748")
    worse = [one for one in found["moves"] if one["way"] == "worse"]
    assert sum(one["results"] for one in worse) == 34
    assert worse[0]["new"] == {"result": "nan", "bits": "7fc00000", "error": None, "harm": "breaks"}


# -- as a command ----------------------------------------------------------------------------------------------------


def test_two_records_are_told_without_their_checks(tmp_path: Path) -> None:
    """`upgrade` says the same as `diff` first; the checks one by one are a command away."""
    done = diff(tmp_path, "optax", "0.2.4", "0.2.8", command="upgrade")
    assert done.exit_code == Exit.NOT_AS_EXPECTED
    assert "became worse, 39 results became better" in done.output.splitlines()[0]
    assert "newly deviating: " not in done.output
    assert done.output.splitlines()[-1].startswith("check by check: bce-conformance diff ")


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    """An index and an adapter of `demo`, whose loss is twice as large from 1.3 on."""
    made = World(tmp_path, monkeypatch)
    made.release("demo", "1.0", "1.2", "1.3", "1.4")
    return made


def upgrade(*words: str) -> Result:
    """`bce-conformance upgrade` on the small suite with the adapter of `demo`, which is a loss of one's own."""
    where = ("--cases", "suite", "--adapter", "demo.py", "--environments", "environments")
    return CliRunner().invoke(main, ["upgrade", *where, *words])


@pytest.mark.slow
@pytest.mark.usefixtures("world")
def test_two_versions_are_run_and_the_release_is_found() -> None:
    """A loss of one's own beside NumPy's, without --backend: log 2 becomes 2 log 2 with 1.3, which the search names."""
    done = upgrade("demo==1.0", "demo==1.4")
    assert done.exit_code == Exit.NOT_AS_EXPECTED, done.output
    assert "values of your 2 entry points are bit-identical in 2 of 4 inputs; 2 results became worse" in done.stdout
    assert "prediction 0.5, label 1 (float32, small/one#a): 0.6931472 → 1.3862944 (100 % off)" in done.stdout
    assert "since demo 1.3; 1.2 was the last before it" in done.stdout
    assert done.stderr.count(": tried") == done.stderr.count("demo 1.2: tried") + done.stderr.count("demo 1.3: tried")


@pytest.mark.slow
def test_results_that_changed_with_different_releases_each_have_their_own(world: World) -> None:
    """The value of one loss from 1.3 on, of another from 1.2 on; no version is run twice for that."""
    declared = 'adapters = [Adapter("demo", ['
    other = 'Implementation("other", "probabilities", other, dtypes=("float32",)), '
    code = "def other(p, y):\n    return loss(p, y) if int(os.environ['DEMO'].split('.')[1]) < 2 else 3 * p\n\n\n"
    file = world.folder / "demo.py"
    file.write_text(file.read_text().replace(declared, f"{code}{declared}{other}"))
    done = upgrade("demo==1.0", "demo==1.4", "--backend", "demo")
    assert done.exit_code == Exit.NOT_AS_EXPECTED, done.output
    told = done.stdout.split("\n\n")
    since = {(name, line) for part in told for name in re.findall(r"demo/(\w+)", part) for line in part.splitlines()}
    assert {one for one in since if "since" in one[1]} == {
        ("loss", "    since demo 1.3; 1.2 was the last before it"),
        ("other", "    since demo 1.2; 1.0 was the last before it"),
    }
    tried = re.findall("(.*): tried", done.stderr)
    assert sorted(tried) == sorted(set(tried))


@pytest.mark.slow
def test_two_interpreters_of_one_name_are_two_sides(world: World) -> None:
    """As `.venv` is called in every project: each has its record, and is called by its project."""
    for project, version in (("before", "1.0"), ("after", "1.4")):
        folder = world.folder / project / ".venv" / "bin"
        folder.mkdir(parents=True)
        (folder / "python").write_text(f'#!/bin/sh\nexec env DEMO={version} {sys.executable} "$@"\n')
        (folder / "python").chmod(0o755)
        (folder / "pins.json").write_text(json.dumps({"demo": version, "numpy": "1.0"}))
    done = upgrade(*(f"{project}/.venv/bin/python" for project in ("before", "after")), "--backend", "demo")
    assert done.exit_code == Exit.NOT_AS_EXPECTED, done.output
    assert "interpreter before/.venv: demo, as --backend demo says" in done.stderr
    assert "not looked for" not in done.stderr
    *_, old, new = done.stdout.splitlines()[-1].split()
    assert [len(record.read(Path(file)).checks) for file in (old, new)] == [6, 6]
    again = invoke("diff", old, new)
    assert "2 results became worse" in again.stdout.splitlines()[0]


@pytest.mark.usefixtures("world")
def test_a_version_that_cannot_be_installed_is_told_once_before_anything_is_made(world: World) -> None:
    """With what may have been meant, and without having made the other one."""
    done = upgrade("demo==1.0", "dema==1.4")
    assert done.exit_code == Exit.BAD_INPUT
    world.cannot_install("1.4")
    done = upgrade("demo==1.0", "demo==1.4")
    assert done.exit_code == Exit.BAD_INPUT
    assert done.stderr.count("no compiler") == 1
    assert not any(call.startswith("venv") for call in world.calls)


@pytest.mark.slow
@pytest.mark.usefixtures("world")
def test_a_version_that_cannot_run_is_bad_input_with_its_reason() -> None:
    """There is nothing to compare."""
    done = upgrade("demo==1.0", "demo==1.1")
    assert done.exit_code == Exit.BAD_INPUT
    assert "demo 1.1" in done.stderr


@pytest.mark.parametrize(
    ("words", "message"),
    [(("demo", "demo==1.0"), "must be versions of a package"), (("demo==1.0,1.2", "demo==1.3"), "must be one version")],
)
def test_a_side_that_is_no_version_is_refused_before_anything_runs(words: tuple[str, str], message: str) -> None:
    """With what it must be."""
    done = invoke("upgrade", *words)
    assert done.exit_code == Exit.BAD_INPUT
    assert message in done.stderr


# -- a baseline in continuous integration ----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def gates(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Result, Path]]:
    """One run beside a baseline that it is as, beside one that was better, and beside one that was worse."""
    folder = tmp_path_factory.mktemp("gates")
    words = ("run", "--backend", "numpy", "--case", "hard-labels", "--quantity", "value", "--no-sample")
    kept_here = folder / "same.jsonl"
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        assert invoke(*words, "--output", str(kept_here)).exit_code == Exit.AS_EXPECTED
        same = record.read(kept_here)
        right = [replace(one, verdict="conforms", verdicts=(), findings=()) for one in same.checks]
        wrong = [
            one if one.findings else replace(one, verdict="crashed", verdicts=("crashed",) * len(one.elements))
            for one in same.checks
        ]
        for name, checks in (("better", right), ("worse", wrong)):
            assert same.footer is not None
            footer = replace(same.footer, verdicts=Counter(one.verdict for one in checks))
            made = RunRecord(header=same.header, inputs=same.inputs, checks=tuple(checks), footer=footer)
            record.write(made, folder / f"{name}.jsonl")
        found = {}
        for name in ("same", "better", "worse"):
            (folder / name).mkdir()
            patch.setenv("GITHUB_STEP_SUMMARY", str(folder / name / "summary"))
            reports = [word for form in ("junit", "markdown", "json") for word in ("--report", f"{form}={name}/{form}")]
            given = ("--baseline", f"{name}.jsonl", "--fail-on", "conforming", "--format", "github", *reports)
            found[name] = invoke(*words, *given), folder / name
        return found


@pytest.mark.parametrize(
    ("name", "code", "word"),
    [("same", 0, "no regression"), ("better", 1, "REGRESSION"), ("worse", 1, "CHANGED")],
)
def test_every_form_of_a_run_agrees_with_its_exit_code(
    gates: dict[str, tuple[Result, Path]], name: str, code: int, word: str
) -> None:
    """Annotations, answer, summary, JUnit, Markdown and JSON: what fails the step is red in all of them."""
    done, folder = gates[name]
    assert done.exit_code == code
    headline = f"{'NOT as the baseline' if code else 'as the baseline'}: {word}"
    assert done.stdout.splitlines()[-1].startswith(f"bce-conformance: {headline}")
    errors = [line for line in done.stdout.splitlines() if line.startswith("::error ")]
    assert bool(errors) == bool(code)
    assert all("since the baseline" in line for line in errors)
    assert (folder / "summary").read_text().startswith(f"## bce-conformance: {headline}")
    suite = ET.parse(folder / "junit").getroot().find("testsuite[@name='baseline']")
    assert suite is not None
    assert bool(int(suite.get("failures", "0"))) == bool(code)
    assert (folder / "markdown").read_text().startswith(f"**{headline}")
    assert json.loads((folder / "json").read_text())["comparison"]["regression"] is bool(code)


def test_what_the_baseline_has_alike_is_not_new(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody recorded it, and it was so before: the run is as expected, and as its baseline."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "nothing").mkdir()
    words = ("run", "--backend", "numpy", "--case", "hard-labels", "--quantity", "value", "--no-sample")
    unknown = (*words, "--known", "nothing", "--only-known")
    failed = invoke(*unknown, "--output", "before.jsonl")
    assert failed.exit_code == Exit.NOT_AS_EXPECTED
    assert failed.stderr == "record: before.jsonl, which `bce-conformance show 1 --all` shows again\n"
    done = invoke(*unknown, "--baseline", "before.jsonl")
    assert done.exit_code == Exit.AS_EXPECTED, done.output
    assert done.output.splitlines()[0].startswith("as the baseline: no regression")
    assert " 0 new, 0 fixed" in done.output
    assert "record: " not in done.stderr
    # What is kept of the run is what the suite knows of it.
    assert {one.outcome for one in record.read(tmp_path / ".bce-conformance" / "last.jsonl").checks} >= {"new"}
