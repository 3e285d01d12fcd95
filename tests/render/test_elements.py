"""The verdict of an implementation first: what came back in place of what, in any width."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from conformance.cli import main

Command = Callable[..., Result]

NUMPY = ("--backend", "numpy", "--quantity", "value")


@pytest.fixture
def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Command:
    """Runs a command in a terminal of 80 columns."""
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.chdir(tmp_path)

    def run(*words: str) -> Result:
        done = CliRunner().invoke(main, words)
        assert done.exit_code == 0, done.output
        return done

    return run


def numbers(form: str, prediction: str, label: str, dtype: str = "float32") -> tuple[str, ...]:
    """What `try` is given."""
    return ("try", "--form", form, f"--prediction={prediction}", f"--label={label}", "--dtype", dtype, *NUMPY)


def test_the_wrong_result_stands_beside_the_right_one_in_eighty_columns(command: Command) -> None:
    """A textbook that goes by the sigmoid is off where log(1 + exp(-20)) is 2.06e-9: 1 - sigmoid(20) is 0."""
    lines = command(*numbers("logits", "-20", "0")).stdout.splitlines()
    assert lines[0].startswith("✗ numpy/sigmoid_textbook  ")
    assert " instead of 2.06e-09 (float32" in lines[0]
    assert any(line.startswith("✓ numpy/stable_textbook  2.06115") for line in lines)
    assert max(map(len, lines)) <= 80


def test_what_is_known_of_a_result_and_what_to_write_instead_ends_its_block(command: Command) -> None:
    """With the id, by which the problem is found in `known/`; nothing of it where the result is right."""
    printed = command(*numbers("logits", "-20", "0")).stdout.partition("float32 e0: ")[0]
    wrong, right = (
        next(" ".join(block.split()) for block in re.split(r"^(?=[✗✓])", printed, flags=re.M) if name in block)
        for name in ("numpy/sigmoid_textbook", "numpy/stable_textbook")
    )
    assert wrong.endswith("(numpy-log-textbook) · instead: -(xlogy(y, p) + xlog1py(1 - y, -p)) of scipy.special")
    assert " known: The textbook loss " in wrong
    assert "known: " not in right


def test_the_loss_of_a_label_that_is_no_probability_may_be_below_0(command: Command) -> None:
    """Exactly: -2 log(1/0.3) + 3 log(1/0.7) is -1.338."""
    said = command(*numbers("probabilities", "0.3", "-2")).stdout
    assert "the loss is below 0: the label -2 is no probability" in said
    assert "below 0" not in command(*numbers("probabilities", "0.3", "0.5")).stdout


@pytest.mark.parametrize(("label", "nan"), [("0", True), ("1", False)])
def test_where_a_nan_comes_from_is_told_where_one_came(command: Command, label: str, nan: bool) -> None:
    """0 log 0 in the textbook at p = y = 0; at p = 0, y = 1 the loss is infinite and no NaN."""
    said = " ".join(command(*numbers("probabilities", "0", label)).stdout.split())
    assert ("0·log 0 = 0·(-inf)" in said) is nan
    assert ("nan instead of 0 (float32)" in said) is nan


def test_the_table_is_there_for_who_wants_it(command: Command) -> None:
    """Every element, the verdict in its first column."""
    words = numbers("probabilities", "0.5", "1")
    assert "conforms  numpy/log_textbook  float32  value" not in command(*words).stdout
    assert re.search(
        r"^conforms +numpy/log_textbook +float32 +value +e0 +0\.6931472 ", command(*words, "--wide").stdout, re.M
    )


def test_a_case_is_explained_below_the_verdict(command: Command) -> None:
    """What the implementation returns is what was asked for."""
    words = ("explain", "extreme-predictions/ends", "numpy/log_textbook", "--dtype", "float32", "--quantity", "value")
    lines = command(*words).stdout.splitlines()
    assert lines[0] == "✗ numpy/log_textbook  at p0-y0: nan instead of 0 (float32)"
    assert max(map(len, lines)) <= 80
    assert any(line.startswith("extreme-predictions/ends (") for line in lines)


@pytest.mark.parametrize(
    ("case", "shown", "loss"),
    [
        ("options/label-smoothing-0.1", "label_smoothing = 0.1", -0.95 * math.log(0.3) - 0.05 * math.log(0.7)),
        ("options/focal-balanced", "gamma = 2", -0.25 * 0.7**2 * math.log(0.3)),
        ("options/focal-balanced", "alpha = 0.25", -0.25 * 0.7**2 * math.log(0.3)),
        ("options/focal-2-logits", "gamma = 2", (1 + math.exp(-0.5)) ** -2 * math.log1p(math.exp(0.5))),
    ],
)
def test_a_case_is_explained_with_its_parameters(command: Command, case: str, shown: str, loss: float) -> None:
    """By name and number, and the loss that is derived is the one with them, of the first element."""
    said = " ".join(command("explain", case, "--dtype", "float64", "--backend", "numpy").stdout.split())
    assert shown in said
    first, _, _ = said.partition("expect value ")[2].partition("expect value ")
    assert f"= {loss:.9g}" in first


def test_only_who_takes_the_parameters_of_a_case_is_quoted_and_once(command: Command) -> None:
    """The textbooks of NumPy take no gamma; a mode that documents nothing else says nothing again."""
    quoted = command("explain", "options/focal-2").stdout.partition("documented:")[2]
    names = re.findall(r"^  ([\w.-]+/\S+?):", quoted, re.M)
    assert names
    assert [name for name in names if "focal" not in name.lower()] == []
    assert len(names) == len({"/".join(name.split("/")[:2]) for name in names})
