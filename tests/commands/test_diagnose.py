"""`diagnose`: of a run that is kept, of what is installed, of an adapter file; and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from conformance.cli import main
from conformance.errors import Exit

ROOT = Path(__file__).parents[2]
RUN = str(ROOT / "results" / "pinned.jsonl.gz")

#: Of a loss that PyTorch computes as (1 - y)*z - log_sigmoid(z).
CHECK = (
    "extreme-predictions/logits-tail::torch/nn.functional.binary_cross_entropy_with_logits/eager/cpu::float32::value"
)

TEXTBOOK = '''"""A sigmoid, and the logarithms of it and of the rest."""

import numpy as np

from conformance.adapters import Adapter, Implementation
from conformance.adapters.numpy import NumPyRuntime


def loss(prediction, label):
    """-(y*log(s) + (1 - y)*log(1 - s))."""
    with np.errstate(all="ignore"):
        s = 1 / (1 + np.exp(-prediction))
        return -(label * np.log(s) + (1 - label) * np.log(1 - s))


adapters = [
    Adapter("mine", [Implementation("textbook", "logits", loss, dtypes=("float32",))], backend=NumPyRuntime())
]
'''


def invoke(*words: str) -> Result:
    """A command on the cases of this checkout."""
    return CliRunner().invoke(main, ["diagnose", *words, "--cases", str(ROOT / "cases")])


@pytest.fixture(autouse=True)
def _elsewhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A run writes its log."""
    monkeypatch.chdir(tmp_path)


@pytest.mark.slow
def test_a_finding_of_a_run_is_told_with_the_element_that_was_named() -> None:
    """Its dtype and quantity alone."""
    done = invoke(RUN, f"{CHECK}#m9-y0")
    assert done.exit_code == 0, done.output
    assert "(1 - y)*z - log_sigmoid(z)" in done.stdout
    assert "extreme-predictions/logits-tail#m9-y0: z = -9, y = 0" in done.stdout
    assert "the gradient" not in done.stdout
    assert "float64" not in done.stdout.splitlines()[0]
    assert "inf" not in done.stdout  # of no other case


@pytest.mark.slow
def test_a_case_of_a_run_is_told_of_one_implementation() -> None:
    """In the dtypes and quantities in which it is wrong."""
    case = CHECK.partition("::")[0]
    done = invoke(RUN, case, "torch/nn.BCEWithLogitsLoss", "--quantity", "value")
    assert done.exit_code == 0, done.output
    titles = " ".join(done.stdout.split()).split("torch/nn.BCEWithLogitsLoss/eager/cpu: ")[1:]
    assert len(titles) == 1
    assert titles[0].startswith(f"the loss, float32, float64, bfloat16, float16, {case} ")
    assert f"{case}#m20-y0: z = -20, y = 0" in titles[0]
    assert "y = inf" not in titles[0]


@pytest.mark.slow
def test_a_case_of_which_nothing_is_wrong_is_named() -> None:
    """It is not the implementation of which nothing is."""
    done = invoke(RUN, "hard-labels/logits", "tensorflow/nn.sigmoid_cross_entropy_with_logits", "--quantity", "value")
    assert done.exit_code == 0, done.output
    assert done.stdout == (
        "tensorflow/nn.sigmoid_cross_entropy_with_logits/eager/cpu: no number of hard-labels/logits is wrong\n"
    )


@pytest.mark.slow
def test_an_adapter_file_is_run_and_its_formula_found() -> None:
    """Nothing of it is known but what it returns."""
    Path("mine.py").write_text(TEXTBOOK)
    done = invoke("--adapter", "mine.py")
    assert done.exit_code == 0, done.output
    assert "-(y*log(sigmoid(z)) + (1 - y)*log(1 - sigmoid(z)))" in done.stdout
    assert "saturated (float32): at z = 20, y = 0: sigmoid(z) = 1/(1 + exp(-z)) is 1, not 1" in " ".join(
        done.stdout.split()
    )


@pytest.mark.slow
def test_an_implementation_whose_numbers_are_right_has_no_diagnosis() -> None:
    """Of a quantity in which nothing is wrong."""
    done = invoke(RUN, "keras-tensorflow/ops.binary_crossentropy", "--quantity", "gradient-label", "--dtype", "float32")
    assert done.exit_code == 0, done.output
    assert done.stdout == "keras-tensorflow/ops.binary_crossentropy/eager/cpu: no number is wrong\n"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "diagnose what?"),
        (("torch/nn.BCEloss",), "no implementation is called 'torch/nn.BCEloss'"),
        (("extreme-predictions/nothing", "torch/nn.BCELoss"), "no case is called 'extreme-predictions/nothing'"),
        (("nowhere.jsonl", "hard-labels/logits", "torch/nn.BCELoss"), "there is no run 'nowhere.jsonl'"),
    ],
)
def test_what_is_not_there_is_refused(words: tuple[str, ...], said: str) -> None:
    """With a next step, and nothing run."""
    done = invoke(*words)
    assert done.exit_code == Exit.BAD_INPUT, done.output
    assert said in done.stderr


@pytest.mark.slow
@pytest.mark.parametrize(
    ("which", "said"),
    [
        ("", "name a finding of it, or an implementation"),
        ("torch/nowhere", "torch/nowhere"),
        ("hard-labels/logit torch/nn.BCELoss", "the run has no case 'hard-labels/logit'"),
        ("hard-labels/logits torch/nn.BCEloss", "the run has no implementation 'torch/nn.BCEloss'"),
        ("dtypes/label-int32-logits::torch/nn.BCEWithLogitsLoss/eager/cpu::float32::acceptance", "no number"),
    ],
)
def test_what_a_run_does_not_have_is_refused(which: str, said: str) -> None:
    """As bad input."""
    done = invoke(RUN, *which.split())
    assert done.exit_code == Exit.BAD_INPUT, done.output
    assert said in done.stderr
