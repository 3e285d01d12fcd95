"""The verdict of an implementation first: what came back in place of what, in any width."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from conformance.cli import main

Command = Callable[..., Result]

MINIATURES = Path(__file__).parent.parent / "miniatures" / "adapter.py"

NUMPY = ("--backend", "numpy", "--quantity", "value")


@pytest.fixture
def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Command:
    """Runs a command in a terminal of 80 columns."""
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.chdir(tmp_path)

    def run(*words: str) -> Result:
        done = CliRunner().invoke(main, words)
        assert done.exit_code in (0, 1), done.output
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


@pytest.mark.slow
def test_the_table_says_what_is_documented_where_that_is_the_whole_point(command: Command) -> None:
    """log 0 is infinite, and BCELoss bounds it at -100: 100, by contract, although nothing was found."""
    if importlib.util.find_spec("torch") is None:
        pytest.skip("torch is not installed")
    words = ("--form", "probabilities", "--prediction", "0", "--label", "1", "--dtype", "float32", "--backend", "torch")
    done = command("try", *words, "--implementation", "torch/nn.BCELoss", "--quantity", "value", "--wide")
    rows = [line.split() for line in done.stdout.splitlines()]
    (heads,) = [row for row in rows if row[:1] == ["verdict"]]
    (cells,) = [row for row in rows if row[:1] == ["by-contract"] and row[3] == "value"]
    found = dict(zip(heads, cells, strict=False))
    assert (found["got"], found["ideal"], found["documented"]) == ("100", "inf", "100")


def test_a_case_is_explained_below_the_verdict(command: Command) -> None:
    """What the implementation returns is what was asked for."""
    words = ("explain", "extreme-predictions/ends", "numpy/log_textbook", "--dtype", "float32", "--quantity", "value")
    lines = command(*words).stdout.splitlines()
    assert lines[0] == "✗ numpy/log_textbook  at p0-y0: nan instead of 0 (float32)"
    assert max(map(len, lines)) <= 80
    assert any(line.startswith("extreme-predictions/ends (") for line in lines)


def test_only_who_takes_the_parameters_of_a_case_is_quoted_and_once(command: Command) -> None:
    """The textbooks of NumPy take no gamma; a mode that documents nothing else says nothing again."""
    quoted = command("explain", "options/focal-2").stdout.partition("documented:")[2]
    names = re.findall(r"^  ([\w.-]+/\S+?):", quoted, re.M)
    assert names
    assert [name for name in names if "focal" not in name.lower()] == []
    assert len(names) == len({"/".join(name.split("/")[:2]) for name in names})


@pytest.mark.parametrize(
    ("case", "element", "right"),
    [
        ("options/label-smoothing-0.1-logits", "m0.5-y1", "0.949076984"),
        ("options/label-smoothing-0.1-logits", "z9-half", "4.5001234"),
        ("options/focal-alpha-one", "p0.6-y0", "0"),
    ],
)
def test_a_case_is_explained_with_its_parameters(command: Command, case: str, element: str, right: str) -> None:
    """The number that is judged, from smoothed labels and the focal factor, with what each of them is."""
    lines = command("explain", case, "--dtype", "float32", *NUMPY).stdout.splitlines()
    at = next(index for index, line in enumerate(lines) if line.startswith(f"  {element}: "))
    told = " ".join(" ".join(lines[at : at + 6]).split())
    named = "label_smoothing=0.1" if "smoothing" in case else "gamma=0 alpha=1"
    assert f" {named}, expect value " in told
    assert f" = {right} " in told


def test_a_tensor_of_another_dtype_is_explained_in_its_own(command: Command) -> None:
    """A weight of float32 beside a prediction of bfloat16: 2, not what its bits are in bfloat16."""
    done = command("explain", "dtypes/weight-float32", "--dtype", "bfloat16", *NUMPY)
    said = " ".join(done.stdout.split())
    assert "w2-p0.3-half: prediction=0.3 (0x3e9a) label=0.5 (0x3f00) weight=2 (0x40000000)" in said


def test_a_mode_is_explained_beside_its_plain_call(command: Command) -> None:
    """The finding of agreement is told, whether it is asked for by name or not, and the plain call is not."""
    words = ("explain", "hard-labels/logits", "mini-modes/compiled_loses_tail/compiled/cpu", "--dtype", "float32")
    words = (*words[:1], "extreme-predictions/logits-tail", *words[2:], "--adapter", str(MINIATURES))
    for more in ((), ("--quantity", "agreement")):
        said = command(*words, *more).stdout
        assert "agreement at m20-y0: deviates: value: 0.0, plainly 2.06" in " ".join(said.split()), said
        assert "compiled_loses_tail/eager" not in said


def test_what_must_be_rejected_is_told_as_accepted(command: Command) -> None:
    """Not as NaN in place of NaN with an error of 0."""
    name = "mini-modes/compiled_without_documented_check/compiled/cpu"
    said = command(
        "explain", "special-values/prediction-outside", name, "--adapter", str(MINIATURES), *NUMPY[2:]
    ).stdout
    assert ", accepted, must be rejected (float" in " ".join(said.split()), said


def test_numbers_are_tried_with_parameters(command: Command, tmp_path: Path) -> None:
    """A smoothing of (y + s) / 2 is 6.3001234 where y (1 - s) + s / 2 gives 4.5001234, and the exit code says so."""
    file = tmp_path / "mine.py"
    file.write_text(HALVING)
    words = ("try", "--form", "logits", "--prediction", "9", "--label", "0.5", "--option", "label_smoothing=0.1")
    done = command(*words, "--adapter", str(file), "--backend", "mine", "--quantity", "value")
    assert done.exit_code == 1
    assert done.stdout.startswith("✗ mine/loss  6.3 instead of 4.5 (float32")
    for wrong in ("label_smoothing=2", "gamma=1.5", "alpha=0.5", "depth=1"):
        assert CliRunner().invoke(main, [*words, "--option", wrong]).exit_code == 2


HALVING = """
import numpy as np
from conformance.adapters import Adapter, Implementation

def halving(prediction, label, label_smoothing=0.0):
    y = (label + label_smoothing) / 2 if label_smoothing else label
    return (np.maximum(prediction, 0) - prediction * y + np.log1p(np.exp(-abs(prediction)))).astype(prediction.dtype)

adapters = [Adapter("mine", [Implementation("loss", "logits", halving, parameters=("label_smoothing",))], "numpy")]
"""
