"""`list` and `explain`: they show what the filters leave, and plan no more than they show."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from conformance.adapters.declaration import Declaration
from conformance.cli import main
from conformance.errors import Exit
from conformance.plan.cases import Suite
from conformance.plan.filters import Filters
from conformance.plan.plan import Plan, make_plan
from conformance.run import run as runs

ROOT = Path(__file__).parents[2]

LOGITS = "extreme-predictions/logits-tail"


def invoke(*words: str) -> Result:
    """A command on the cases of this checkout."""
    return CliRunner().invoke(main, [*words, "--cases", str(ROOT / "cases")])


@pytest.fixture
def planned(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[Filters | None]:
    """The filters of every plan that a command makes."""
    found: list[Filters | None] = []

    def noted(suite: Suite, implementations: Sequence[Declaration], filters: Filters | None = None) -> Plan:
        found.append(filters)
        return make_plan(suite, implementations, filters)

    monkeypatch.setattr(runs, "make_plan", noted)
    monkeypatch.chdir(tmp_path)  # a run writes its log
    return found


def forms(listed: Result) -> set[str]:
    """The forms of listed implementations."""
    assert listed.exit_code == 0, listed.output
    return {line.split("\t")[1] for line in listed.stdout.splitlines()}


def test_implementations_are_listed_without_a_plan(planned: list[Filters | None]) -> None:
    """Which there are does not depend on their checks, of which there are a hundred thousand."""
    assert forms(invoke("list", "implementations")) == {"logits", "probabilities"}
    assert planned == []


def test_checks_are_planned_once(planned: list[Filters | None]) -> None:
    """How many the filters skip is told by a run alone."""
    assert invoke("list", "checks", "--case", LOGITS).exit_code == 0
    assert [one.case for one in planned if one is not None] == [(LOGITS,)]
    assert len(planned) == 1


def test_explaining_a_case_plans_that_case_alone(planned: list[Filters | None]) -> None:
    """On the one implementation that was asked for."""
    done = invoke("explain", LOGITS, "numpy/stable_textbook", "--dtype", "float32")
    assert done.exit_code == 0, done.output
    assert [(one.case, one.backend) for one in planned if one is not None] == [((LOGITS,), ("numpy",))]
    assert len(planned) == 1


def test_implementations_of_the_form_of_the_cases_that_the_filters_leave_are_listed() -> None:
    """Others have no call for those cases."""
    assert forms(invoke("list", "implementations", "--case", LOGITS)) == {"logits"}


def test_implementations_with_a_dtype_that_the_filters_leave_are_listed() -> None:
    """NumPy has no number of 8 bits."""
    listed = invoke("list", "implementations", "--dtype", "float8_e5m2")
    backends = {line.split("/")[0] for line in listed.stdout.splitlines()}
    assert backends
    assert "numpy" not in backends


@pytest.mark.parametrize("words", [("--case", "nothing"), ("--mode", "nothing"), ("--implementation", "nothing")])
def test_filters_that_leave_no_implementation_are_bad_input(words: tuple[str, str]) -> None:
    """With a next step, and nothing on standard output."""
    done = invoke("list", "implementations", *words)
    assert (done.exit_code, done.stdout) == (Exit.BAD_INPUT, "")
    assert "the filters leave no implementation\n  next: `bce-conformance list implementations" in done.stderr
