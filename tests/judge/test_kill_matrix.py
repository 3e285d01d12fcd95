"""The suite catches what is wrong: a catalogue of implementations, each with one mistake, and what finds it.

`tests/miniatures/kills.yaml` holds which case files catch which of them; `python -m tests.miniatures.renew` writes it.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from conformance.plan import cases
from conformance.record.record import RunRecord
from tests.miniatures import adapter, kills
from tests.miniatures.registry import CATALOGUE

ROOT = Path(__file__).resolve().parents[2]

pytestmark = pytest.mark.slow

WRONG = {name for name, one in CATALOGUE.items() if one.wrong}
RIGHT = {name for name, one in CATALOGUE.items() if not one.wrong} | {
    one.entry for one in adapter.MODULES["right"].CORRECTLY_ROUNDED
}

#: A line of a case file that says why it stays although no miniature needs it.
NOT_NEEDED = re.compile(r"^# no miniature needs this file: \S.{20,}$", re.MULTILINE)


@pytest.fixture(scope="session")
def record() -> RunRecord:
    """One run of all miniatures."""
    return kills.run()


def test_the_catalogue_is_large_enough() -> None:
    """Sixty wrong ones, fifteen of them wrong rarely or only in a gradient, a dtype or a mode, and eight right ones."""
    assert len(WRONG) >= 60
    assert sum(one.rare for one in CATALOGUE.values()) >= 15
    assert len(RIGHT) >= 8


def test_the_run_is_complete(record: RunRecord) -> None:
    """Every miniature was asked, and every check that was planned has a verdict, whatever crashed."""
    assert {kills.miniature(line) for line in record.checks} == WRONG | RIGHT
    assert record.footer is not None
    assert record.footer.not_run == 0


def test_every_wrong_implementation_is_caught(record: RunRecord) -> None:
    """A mistake that nothing finds would be missing from the suite."""
    found = kills.outcomes(record)
    assert {name for name in WRONG if not found[name]} == set()


def test_nothing_is_found_about_right_implementations(record: RunRecord) -> None:
    """Exact results, and results that a contract explains, are as expected in every check."""
    found = kills.outcomes(record)
    assert {name: found[name] for name in RIGHT if found[name]} == {}


def test_the_eager_half_of_what_goes_wrong_when_compiled_is_right(record: RunRecord) -> None:
    """Only the compiled half deviates."""
    compiled = {name for name, one in CATALOGUE.items() if one.compiled}
    eager = [line for line in record.checks if kills.miniature(line) in compiled and "/eager/" in line.implementation]
    assert eager
    assert [line.id for line in eager if line.findings] == []


def test_no_two_wrong_implementations_look_alike(record: RunRecord) -> None:
    """Two mistakes that give the same findings are one miniature too many, or a check too few."""
    seen: dict[frozenset[tuple[str, ...]], list[str]] = {}
    for name, found in kills.outcomes(record).items():
        if found:
            seen.setdefault(found, []).append(name)
    assert [names for names in seen.values() if len(names) > 1] == []


def test_the_kill_matrix_is_the_recorded_one(record: RunRecord) -> None:
    """What catches a mistake today must catch it tomorrow; renew the file where that changed on purpose."""
    assert kills.written(kills.kills(record)).splitlines() == kills.MATRIX.read_text().splitlines()


def test_every_case_file_is_needed_or_says_why_it_stays(record: RunRecord) -> None:
    """A file without which nothing goes unnoticed is ballast, unless it is there for another reason, and only then."""
    alone = kills.sole(kills.kills(record))
    files = {located.family: located.file for located in cases.load_suite(ROOT / "cases").cases}
    says = {family for family, file in files.items() if NOT_NEEDED.search(file.read_text())}
    assert says == set(files) - set(alone)
