"""The runs that are kept: ten, under numbers that stay, and none lost to what comes after it."""

from __future__ import annotations

import errno
import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from conformance.cli import main
from conformance.errors import Exit, HarnessError, InputError
from conformance.plan.filters import Filters
from conformance.record import record
from conformance.record.record import RunRecord
from conformance.render.kept import filters_text
from conformance.run import kept
from conformance.run.kept import KEPT, LAST, RUNS
from tests.records import interrupted, run, with_header

DATA = Path(__file__).parents[1] / "data"

#: How many checks a run of the tests has.
SHOWN = len(run().checks)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty folder to keep runs in."""
    monkeypatch.chdir(tmp_path)


def planned(checks: int) -> RunRecord:
    """A run of so many checks beside those that it shows, as its header says."""
    return run(planned=checks + SHOWN)


def names() -> list[str]:
    """The names of the kept runs, the newest first."""
    return [kept.look(file).name for file in kept.files()]


def content() -> dict[str, bytes]:
    """All files of the folder."""
    return {str(file): file.read_bytes() for file in Path().rglob("*") if file.is_file()}


def refuse(*_: object) -> None:
    """What a call of the system does where the disk is full."""
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def invoke(*words: str) -> Result:
    """`bce-conformance` with some words."""
    return CliRunner().invoke(main, words)


def test_a_run_is_kept_under_a_number_and_as_the_last_one() -> None:
    """Both are the run, whole, and take the disk once."""
    file = kept.keep(run())
    assert file == RUNS / "1.jsonl.gz"
    assert record.read(file) == record.read(LAST) == run()
    assert file.samefile(LAST)


def test_nothing_but_runs_is_left_in_the_folder() -> None:
    """No temporary file, no reserved number."""
    kept.keep(run())
    assert set(content()) == {str(LAST), str(RUNS / "1.jsonl.gz")}


def test_the_last_ten_runs_are_kept_under_their_numbers() -> None:
    """A number means the same run as long as that is kept."""
    for _ in range(KEPT + 3):
        kept.keep(run())
    assert names() == [str(number) for number in range(KEPT + 3, 3, -1)]


def test_the_last_run_is_the_one_that_was_kept_last() -> None:
    """However large the others are."""
    kept.keep(planned(1000))
    kept.keep(planned(5))
    assert record.read(LAST).header.planned == 5 + SHOWN


def test_a_large_run_stays_however_many_small_ones_follow() -> None:
    """It takes one of the ten places: nobody waits for it again because of small runs."""
    for checks in (5, 1000, *[5] * 2 * KEPT):
        kept.keep(planned(checks))
    assert len(names()) == KEPT
    assert names()[-1] == "2"


def test_of_two_runs_of_equal_size_the_newest_stays() -> None:
    """So that an old environment does not outlive the new one."""
    for checks in (1000, 1000, *[5] * KEPT):
        kept.keep(planned(checks))
    assert names()[-1] == "2"


def test_an_interrupted_run_is_kept_as_such() -> None:
    """It never passes for a whole one, and its size protects it from nothing."""
    kept.keep(interrupted(planned(1000)))
    assert record.read(LAST).interrupted
    for _ in range(KEPT):
        kept.keep(planned(5))
    assert "1" not in names()


def test_a_full_disk_loses_nothing_that_was_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """The failure is the harness's, and not even a number is left behind."""
    for _ in range(KEPT):
        kept.keep(run())
    before = content()
    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(HarnessError, match="No space left on device"):
        kept.keep(planned(7))
    assert content() == before


def test_a_folder_that_cannot_be_made_is_a_failure_of_the_harness() -> None:
    """The message names it."""
    Path(".bce-conformance").write_text("a file is in the way")
    with pytest.raises(HarnessError, match=r"\.bce-conformance/runs: cannot be written"):
        kept.keep(run())


def test_runs_that_end_at_the_same_time_are_all_kept() -> None:
    """Each has a number of its own, each is whole, and the last run is one of them."""
    with ThreadPoolExecutor(max_workers=KEPT) as threads:
        made = list(threads.map(kept.keep, [planned(checks) for checks in range(1, KEPT + 1)]))
    assert len(set(made)) == KEPT
    assert sorted(record.read(file).header.planned for file in made) == list(range(1 + SHOWN, KEPT + 1 + SHOWN))
    assert record.read(LAST).header.planned in range(1 + SHOWN, KEPT + 1 + SHOWN)


@pytest.mark.parametrize("version", [1, 2])
def test_a_last_run_of_an_older_version_is_kept_when_the_next_one_comes(version: int) -> None:
    """Versions that kept one run left it as `last.jsonl` alone, without compression."""
    LAST.parent.mkdir()
    old = shutil.copy(DATA / f"record-schema-{version}.jsonl", LAST).read_bytes()
    assert names() == ["last"]
    kept.keep(run())
    assert names() == ["2", "1"]
    assert (RUNS / "1.jsonl.gz").read_bytes() == old


def test_a_full_disk_loses_no_last_run_of_an_older_version(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is still the last run, under the name that it had."""
    LAST.parent.mkdir()
    shutil.copy(DATA / "record-schema-1.jsonl", LAST)
    before = LAST.read_bytes()
    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(HarnessError):
        kept.keep(run())
    assert LAST.read_bytes() == before


@pytest.mark.parametrize("version", [1, 2])
def test_a_record_of_every_schema_is_the_same_when_it_is_kept(version: int) -> None:
    """So that whatever is shown of it is the same."""
    old = record.read(DATA / f"record-schema-{version}.jsonl")
    assert record.read(kept.keep(old)) == old


def test_where_there_are_no_links_the_last_run_is_a_copy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Some file systems have none."""
    monkeypatch.setattr(os, "link", refuse)
    file = kept.keep(run())
    assert LAST.read_bytes() == file.read_bytes()
    assert not file.samefile(LAST)


def test_a_number_means_a_kept_run_unless_a_file_has_that_name() -> None:
    """What worked before there were numbers works as before."""
    kept.keep(run())
    assert kept.named("1") == RUNS / "1.jsonl.gz"
    assert kept.named("one.jsonl") == Path("one.jsonl")
    Path("1").touch()
    assert kept.named("1") == Path("1")


def test_the_last_and_the_largest_run_have_names() -> None:
    """For scripts, which do not know numbers; of equally large runs the newest is meant."""
    for checks in (1000, 1000, 5):
        kept.keep(planned(checks))
    assert kept.named("last") == LAST
    assert kept.named("largest") == RUNS / "2.jsonl.gz"


@pytest.mark.parametrize("word", ["1", "last", "largest"])
def test_where_nothing_is_kept_no_name_of_a_run_is_one(word: str) -> None:
    """It is not taken for a file that nobody has."""
    with pytest.raises(InputError, match="must be a file or a kept run"):
        kept.named(word)


def test_a_number_that_no_run_has_is_refused_with_the_next_step() -> None:
    """The message says how to learn which there are."""
    kept.keep(run())
    with pytest.raises(InputError, match="2: must be a file or a kept run") as caught:
        kept.named("2")
    assert "show --list" in caught.value.hint


def test_a_number_whose_run_is_being_written_is_no_run_yet() -> None:
    """Nobody reads a file that is not there as a whole."""
    kept.keep(run())
    (RUNS / "2.jsonl.gz").touch()
    assert names() == ["1"]
    assert kept.keep(run()) == RUNS / "3.jsonl.gz"


#: Commands that read a run, with "1" for it.
READERS = (
    ("show", "1"), ("report", "1"), ("diff", "1", "1"), ("choose", "1", "--need", "hard-labels"),
    ("badges", "1", "badges"), ("known", "update", "1", "--folder", "."), ("run", "--baseline", "1"),
    ("repro", "--all", "--with", "1"),
)  # fmt: skip


@pytest.mark.parametrize("words", READERS[:-2], ids=" ".join)
def test_commands_that_read_a_run_take_its_number(words: tuple[str, ...]) -> None:
    """What is printed is what they print of its file."""
    file = str(kept.keep(run()))
    found = invoke(*words)
    assert found.output == invoke(*(file if word == "1" else word for word in words)).output
    assert found.exit_code in (Exit.AS_EXPECTED, Exit.NOT_AS_EXPECTED)


@pytest.mark.parametrize("words", READERS, ids=" ".join)
def test_commands_that_read_a_run_refuse_a_number_that_none_has(words: tuple[str, ...]) -> None:
    """Before anything is run, with the command that lists the numbers."""
    done = invoke(*words)
    assert (done.exit_code, done.stdout) == (Exit.BAD_INPUT, "")
    assert "1: must be a file or a kept run" in done.stderr


def test_the_list_tells_when_what_how_many_and_with_which_outcome() -> None:
    """A row for each run, the newest first."""
    kept.keep(run(filters={"mode": ["eager"]}, started="2026-02-03T04:05:06+00:00"))
    kept.keep(run(filters={"mode": ["eager"], "backend": ["torch"]}, started="2026-02-04T04:05:06+00:00"))
    size = f"{LAST.stat().st_size / 1000:.0f} kB"
    _, *rows = [line.split("  ") for line in invoke("show", "--list").output.splitlines()]
    told = [[cell.strip() for cell in row if cell.strip()] for row in rows]
    outcome = "1 new, 3 as expected, 1 recorded, 1 fixed · NOT as expected"
    assert told == [
        ["2", "2026-02-04 04:05", "backend torch", "6", outcome, size],
        ["1", "2026-02-03 04:05", "none", "6", outcome, size],
    ]


def test_the_list_marks_a_run_that_was_interrupted() -> None:
    """It has no outcome, and its checks are those that it was about."""
    kept.keep(interrupted(planned(1000)))
    assert f"of {1000 + SHOWN}  INTERRUPTED" in invoke("show", "--list").output


def test_the_list_tells_of_a_damaged_file_and_shows_the_others() -> None:
    """One file that is no record hides no run."""
    kept.keep(run())
    (RUNS / "2.jsonl.gz").write_text("no record")
    found = invoke("show", "--list").output
    assert "2.jsonl.gz:1: a run record" in found
    assert "NOT as expected" in found


def test_a_list_of_nothing_is_bad_input() -> None:
    """With the command that makes a run."""
    done = invoke("show", "--list")
    assert done.exit_code == Exit.BAD_INPUT
    assert "bce-conformance run" in done.stderr


@pytest.mark.parametrize(
    ("filters", "told"),
    [
        ({"mode": ["eager"]}, "none"),
        ({"mode": ["*"]}, "mode *"),
        ({"mode": ["eager"], "backend": ["torch", "jax"]}, "backend torch, jax"),
        ({"implementation": ["torch/bce"]}, "implementation torch/bce"),
    ],
)
def test_filters_are_told_without_what_goes_without_saying(filters: dict[str, list[str]], told: str) -> None:
    """A run of everything is one of plain calls."""
    assert filters_text(run(filters=filters).header) == told


def test_a_quick_run_is_told_in_one_word_and_its_own_filters() -> None:
    """Not by the dozen filters that it is made of."""
    quick = {name: list(given) for name, given in asdict(Filters(backend=("torch",)).quick()).items() if given}
    assert filters_text(with_header(run(), filters=quick).header) == "quick; backend torch"
