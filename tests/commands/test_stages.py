"""Stages of modes: asked for by name, held against no record, and told of a mode that differs from the plain call."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from conformance.cli import main
from conformance.errors import Exit

ROOT = Path(__file__).parents[2]
STAGED = str(ROOT / "tests" / "data" / "adapters" / "staged.py")
CASE = "extreme-predictions/logits-tail"

#: What is told of the mode that is nearer to exact: -7 - log1p(exp(-7)) is -7 in float16, so that the loss is 0.
NO_FAULT = (
    "stage: first changed by the widening: made is nearer to exact than the plain call (0.484 ULP against 1.91e+03 ULP "
    "at extreme-predictions/logits-tail#m7-y0), which is no fault of the mode; the arithmetic changed: each step → "
    "float32 inside\n    staged/loss/made/cpu float16 value, 4 elements\n"
)


def invoke(command: str, *words: str) -> Result:
    """A command on the cases of this checkout, with the adapter that has stages."""
    return CliRunner().invoke(main, [*command.split(), *words, "--adapter", STAGED, "--cases", str(ROOT / "cases")])


@pytest.fixture(autouse=True)
def _elsewhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A run writes its log."""
    monkeypatch.chdir(tmp_path)


def listed(*modes: str) -> list[str]:
    """Modes of the implementations that are listed."""
    words = [word for mode in modes for word in ("--mode", mode)]
    done = invoke("list implementations", "--backend", "staged", *words)
    assert done.exit_code == 0, done.output
    return [line.split("/")[2] for line in done.stdout.splitlines()]


@pytest.mark.parametrize(
    ("modes", "seen"),
    [
        (("*",), ["eager", "made", "worse"]),
        (("captured",), ["captured"]),
        (("*", "widened"), ["eager", "made", "worse", "widened"]),
    ],
)
def test_a_stage_is_an_implementation_where_its_name_is_given(modes: tuple[str, ...], seen: list[str]) -> None:
    """And no pattern gives it: a run of all modes is what it was.  One that two modes have is there once."""
    assert listed(*modes) == seen


def test_a_pattern_that_only_a_stage_matches_leaves_nothing() -> None:
    """It is bad input, as that of a mode that there is not."""
    done = invoke("run", "--backend", "staged", "--mode", "widene*")
    assert done.exit_code == Exit.BAD_INPUT
    assert "--mode 'widene*' matches nothing" in done.stderr


def test_a_run_with_a_stage_tells_all_that_it_finds_whatever_is_recorded(tmp_path: Path) -> None:
    """The record that makes a run of the plain call as expected is not asked."""
    words = ("--backend", "staged", "--case", CASE, "--quantity", "value", "--only-known", "--known", "known")
    wanted = "--mode", "eager"
    assert "4 new" in _outcomes(invoke("run", *words[:-3], *wanted, "--only-known", "--output", "run.jsonl"))
    (tmp_path / "known").mkdir()
    done = CliRunner().invoke(main, ["known", "update", "run.jsonl", "--folder", "known", "--write"])
    assert done.exit_code == 0, done.output
    assert "0 new" in _outcomes(invoke("run", *words, *wanted))
    assert "8 new" in _outcomes(invoke("run", *words, *wanted, "--mode", "captured"))


def _outcomes(done: Result) -> str:
    """How many findings are new, as the first screen says it."""
    (line,) = (line for line in done.stdout.splitlines() if re.search(r" known problems?, \d+ new, ", line))
    return line


def test_explain_tells_the_stage_at_which_a_mode_changes_and_that_it_is_no_fault_of_it() -> None:
    """The first stage does what the plain call does, the second what the mode does."""
    done = invoke("explain", CASE, "staged/loss/made/cpu", "--dtype", "float16")
    assert done.exit_code == 0, done.output
    assert " ".join(NO_FAULT.split()) in " ".join(done.stdout.split())


#: A mode of each framework that differs from the plain call: case, implementation, dtype, quantity; the stage, which of
#: the two is nearer to exact, and what became of formula or arithmetic.
FRAMEWORKS = {
    "torch": (
        (CASE, "torch/nn.functional.binary_cross_entropy_with_logits/compile/cpu", "bfloat16", "value"),
        "inductor's code: compile is nearer to exact than the plain call",
        "is no fault of the mode; the arithmetic changed: float32 in each kernel → float32 inside",
    ),
    "tf_keras": (
        (
            "extreme-predictions/clip-bounds",
            "tf-keras/backend.binary_crossentropy/function/cpu",
            "float32",
            "gradient-label",
        ),
        "grappler's optimizers: the plain call is nearer to exact than function",
        "the formula changed: dL/dy of clip by 1e-7, log(q + 1e-7) and log(1 - q + 1e-7), by tensorflow → "
        "dL/dy of clip by 1e-7, log(q + 1e-7) and log((1 + 1e-7) - q), by tensorflow",
    ),
    "jax": (
        (
            "hard-labels/logits",
            "jax/optax.losses.softmax_cross_entropy[two-class]/jit/cpu",
            "bfloat16",
            "gradient-prediction",
        ),
        "XLA's excess precision: jit is nearer to exact than the plain call",
        "is no fault of the mode; the arithmetic changed: each step, flushed → float32 inside, flushed",
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_explain_tells_what_a_stage_of_a_framework_changes(framework: str) -> None:
    """inductor rounds to 16 bits once, grappler adds constants first, XLA leaves roundings to 16 bits out."""
    if importlib.util.find_spec(framework) is None:
        pytest.skip(f"absent: {framework}")
    (name, implementation, dtype, quantity), nearer, became = FRAMEWORKS[framework]
    done = invoke("explain", name, implementation, "--dtype", dtype, "--quantity", quantity)
    assert done.exit_code == 0, done.output
    told = " ".join(done.stdout.split())  # it is wrapped in the width that there is
    _, _, said = told.partition(f"stage: first changed by {nearer}")
    assert became in said.partition(" stage: ")[0]


def test_of_a_plain_call_no_stage_is_told() -> None:
    """Nothing is held against itself."""
    done = invoke("explain", CASE, "staged/loss/eager/cpu", "--dtype", "float16")
    assert done.exit_code == 0, done.output
    assert "stage: " not in done.stdout


def test_diagnose_of_a_case_tells_the_stage_of_a_mode_that_is_worse_than_the_plain_call() -> None:
    """Below what it tells of the numbers."""
    done = invoke("diagnose", CASE, "staged/loss/worse/cpu", "--dtype", "float16")
    assert done.exit_code == 0, done.output
    assert "stage: first changed by a mistake: the plain call is nearer to exact than worse" in done.stdout


def test_diagnose_of_a_finding_of_agreement_calls_the_stages_now() -> None:
    """A run has results of the mode and of the plain call alone."""
    invoke("run", "--backend", "staged", "--mode", "eager", "--mode", "made", "--case", CASE, "--output", "run.jsonl")
    done = invoke("diagnose", "run.jsonl", f"{CASE}::staged/loss/made/cpu::float16::agreement")
    assert (done.exit_code, done.stdout) == (0, NO_FAULT)
