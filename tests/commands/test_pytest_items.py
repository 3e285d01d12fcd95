"""pytest at the root: every check is an item, with the same outcomes however it is selected."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from conformance.known.record import default_place, load
from conformance.record import record
from conformance.record.record import RunRecord

ROOT = Path(__file__).resolve().parents[2]
WRONG = ROOT / "tests" / "data" / "adapters" / "wrong_log.py"

#: A small part of the plan: 12 requests of the NumPy backend, with recorded deviations among them.
PART = ("cases/hard-labels.yaml", "--backend", "numpy")


def items(*words: str, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    """Run pytest in a process of its own, without a plugin that no check needs and that takes a second to import."""
    command = [sys.executable, "-m", "pytest", "-p", "no:hypothesispytest", "-p", "no:cacheprovider", "-q", *words]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=300, check=False)


def outcomes(done: subprocess.CompletedProcess[str]) -> dict[str, str]:
    """Outcome by item of a run with -rA."""
    found = re.findall(r"^(PASSED|FAILED|XFAIL|SKIPPED) (cases/\S+)", done.stdout, re.MULTILINE)
    return {name: outcome for outcome, name in found}


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of what `done` writes: its JUnit file and, in a folder that it makes, its run record."""
    return tmp_path_factory.mktemp("items")


@pytest.fixture(scope="module")
def done(written: Path) -> subprocess.CompletedProcess[str]:
    """A run of the part, with the shipped record of deviations."""
    files = ("--junitxml", str(written / "junit.xml"), "--output", str(written / "made" / "run.jsonl.gz"))
    return items(*PART, "-rA", *files)


@pytest.fixture(scope="module")
def whole(done: subprocess.CompletedProcess[str]) -> dict[str, str]:
    """Its outcomes."""
    return outcomes(done)


def test_an_item_has_a_readable_id(whole: dict[str, str]) -> None:
    """File, case, implementation, dtype, quantity."""
    assert "cases/hard-labels.yaml::hard-labels/logits::numpy/sigmoid_textbook/eager/cpu/float32/value" in whole


def test_a_recorded_deviation_is_an_expected_failure_and_the_rest_passes(whole: dict[str, str]) -> None:
    """Green with the shipped record: no failure, and both other outcomes are there."""
    assert set(whole.values()) == {"PASSED", "XFAIL"}


def test_an_expected_failure_tells_the_title_of_its_problem(done: subprocess.CompletedProcess[str]) -> None:
    """Every reason is what a person called the problem."""
    titles = [one.title for one in load((default_place(),)).problems.values()]
    reasons = [line.partition(" - ")[2] for line in done.stdout.splitlines() if line.startswith("XFAIL")]
    assert reasons
    assert [reason for reason in reasons if not reason.startswith(tuple(titles))] == []


@pytest.mark.parametrize("selection", [("-k", "stable_textbook"), ("--dtype", "float16"), ("--quantity", "value")])
def test_a_selection_gives_the_same_outcomes(whole: dict[str, str], selection: tuple[str, ...]) -> None:
    """-k and the filters of the command line choose items and change none."""
    part = outcomes(items(*PART, "-rA", *selection))
    assert 0 < len(part) < len(whole)
    assert part == {name: whole[name] for name in part}


def test_without_the_record_the_same_items_fail(whole: dict[str, str], tmp_path: Path) -> None:
    """A new deviation fails, with inputs' bits, error, cause and a command in its text."""
    adapter = tmp_path / "mine.py"
    adapter.write_text(
        "from conformance.adapters import Adapter, Implementation\n"
        "from conformance.adapters.numpy import sigmoid_textbook\n"
        "adapters = [Adapter('mine', [Implementation('loss', 'logits', sigmoid_textbook)], backend='numpy')]\n"
    )
    done = items("cases/hard-labels.yaml", "--adapter", str(adapter), "--backend", "mine", "-rA")
    failed = {
        name.replace("mine/loss", "numpy/sigmoid_textbook") for name, one in outcomes(done).items() if one == "FAILED"
    }
    expected = {name for name, one in whole.items() if one == "XFAIL" and "sigmoid" in name and "gradient" not in name}
    assert failed == expected
    assert done.returncode == 1
    assert "ULP  [mine/loss/value/ordinary/inaccurate]" in done.stdout
    command = f"bce-conformance explain hard-labels/logits mine/loss/eager/cpu --dtype float32 --adapter {adapter}"
    assert command in done.stdout


def test_x_stops_at_the_first_failure(tmp_path: Path) -> None:
    """-x reports one failure, whatever else was run."""
    done = items(
        "cases/hard-labels.yaml",
        "--adapter",
        str(WRONG),
        "--backend",
        "wrong",
        "-x",
    )
    assert "1 failed" in done.stdout
    assert done.returncode == 1


def test_last_failed_runs_the_failed_ones_again(tmp_path: Path) -> None:
    """--lf selects exactly the items that failed, and they fail again."""
    words = [
        "cases/hard-labels.yaml",
        "--adapter",
        str(WRONG),
        "--backend",
        "wrong",
    ]
    cache = ["-o", f"cache_dir={tmp_path / 'cache'}"]
    command = [sys.executable, "-m", "pytest", "-q", *cache, *words]
    first = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
    again = subprocess.run([*command, "--lf"], cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
    failed = re.search(r"(\d+) failed", first.stdout)
    assert failed is not None
    assert f"{failed[1]} failed" in again.stdout
    assert "deselected" in again.stdout.splitlines()[-1]
    assert "passed" not in again.stdout.splitlines()[-1]


def test_pytest_says_what_it_does_before_the_first_outcome(done: subprocess.CompletedProcess[str]) -> None:
    """Planning, opening, asking and judging take minutes in a whole run, in which nothing else is printed."""
    before = done.stdout.partition("%]")[0].splitlines()[:-1]
    assert [line.partition(" of ")[0] for line in before] == [
        "bce-conformance: planning the checks",
        "bce-conformance: 12 requests to numpy",
        "bce-conformance: numpy is open",
        "bce-conformance: numpy has answered, 12",
        "bce-conformance: judging what came back",
    ]


def test_ids_are_listed_without_a_run_and_without_other_lines() -> None:
    """What --collect-only -q prints is handed to other programs."""
    lines = items(*PART, "--collect-only").stdout.splitlines()
    assert all(line.startswith("cases/hard-labels.yaml::") for line in lines[: lines.index("")])


def test_an_id_selects_its_check_alone() -> None:
    """An id that was released goes on to select what it did."""
    name = "cases/hard-labels.yaml::hard-labels/logits::numpy/sigmoid_textbook/eager/cpu/float32/value"
    assert list(outcomes(items(name, "-rA"))) == [name]


def test_a_junit_file_of_pytest_holds_every_check(whole: dict[str, str], written: Path) -> None:
    """Each once, with its outcome, though a check is reported in one phase."""
    found = list(ElementTree.parse(written / "junit.xml").iter("testcase"))
    assert len(found) == len(whole)
    assert sum(one.find("skipped") is not None for one in found) == list(whole.values()).count("XFAIL")


def test_the_run_record_is_written_where_it_is_wanted(whole: dict[str, str], written: Path) -> None:
    """It holds the checks that were run."""
    assert len(record.read(written / "made" / "run.jsonl.gz").checks) == len(whole)


def needing_a_whole_run(file: Path) -> str:
    """What pytest prints of a test that needs a whole run, and is skipped without one, when it is handed `file`."""
    return items("tests/test_shipped.py", "-k", "finding_of_the_readme", "--whole-run", str(file)).stdout


def test_a_test_that_needs_a_whole_run_goes_by_one_that_was_made_before(
    whole_run: RunRecord | None, tmp_path: Path
) -> None:
    """`make test` runs the checks and the tests in two processes."""
    if whole_run is None:
        pytest.skip("needs a whole run: make test")
    record.write(whole_run, tmp_path / "run.jsonl.gz")
    last = needing_a_whole_run(tmp_path / "run.jsonl.gz").splitlines()[-1]
    assert "passed" in last
    assert "skipped" not in last


@pytest.mark.usefixtures("done")
def test_a_part_of_a_run_is_not_taken_for_a_whole_one(written: Path) -> None:
    """Nor is a file that is not there, since the run may have failed."""
    assert "1 skipped" in needing_a_whole_run(written / "made" / "run.jsonl.gz")
    assert "1 skipped" in needing_a_whole_run(written / "none.jsonl.gz")


@pytest.mark.parametrize("words", [PART, (), ("tests", "cases/hard-labels.yaml::hard-labels/logits")])
def test_n_is_refused_for_checks_with_a_reason(words: tuple[str, ...]) -> None:
    """xdist would import every framework in every process."""
    pytest.importorskip("xdist")
    done = items(*words, "-n", "2")
    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    assert "-n is refused" in done.stderr


def test_n_is_taken_for_tests() -> None:
    """They are run by more processes than one where no check is among them."""
    pytest.importorskip("xdist")
    done = items("tests/run/test_told.py", "-n", "1", "-k", "first_line")
    assert "1 passed" in done.stdout


def test_a_bad_case_file_runs_nothing(tmp_path: Path) -> None:
    """A mistake in a case file is told with its line before any check runs."""
    copy = tmp_path / "copy"
    for name in ("conftest.py", "pyproject.toml", "constraints.txt"):
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        (copy / name).write_text((ROOT / name).read_text())
    for folder in ("conformance", "reference", "known", "results"):
        (copy / folder).symlink_to(ROOT / folder)
    (copy / "cases").mkdir()
    (copy / "cases" / "flags.yaml").write_text((ROOT / "cases" / "flags.yaml").read_text())
    (copy / "cases" / "bad.yaml").write_text("family: bad\ntitle: a bad file\ncases:\n  - id: Not a slug\n")
    done = items("cases", cwd=copy)
    assert done.returncode != 0
    assert "bad.yaml:4" in done.stdout + done.stderr
    assert "passed" not in done.stdout
