"""`list` and `explain`: they show what the filters leave, and plan no more than they show."""

from __future__ import annotations

import math
import re
import venv
from collections.abc import Sequence
from pathlib import Path

import numpy
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


@pytest.mark.parametrize(
    ("pattern", "modes"),
    [
        ("jax/optax.sigmoid_binary_cross_entropy/*", ["eager"]),
        ("jax/optax.sigmoid_binary_cross_entropy", ["eager"]),
        ("jax/optax.sigmoid_binary_cross_entropy/j*", ["jit", "jvp"]),
        ("jax/optax.sigmoid_binary_cross_entropy/jit/cpu", ["jit"]),
        ("*/optax.sigmoid_binary_cross_entropy/jit/*", ["jit", "jit"]),
    ],
)
def test_only_an_id_that_names_a_mode_turns_on_others_than_plain_calls(pattern: str, modes: list[str]) -> None:
    """All of an entry point are its plain call, as without a filter; with `--mode '*'` they are all modes of it."""
    listed = invoke("list", "implementations", "--implementation", pattern)
    assert [line.split("\t")[0].split("/")[-2] for line in listed.stdout.splitlines()] == modes
    every = invoke("list", "implementations", "--implementation", pattern, "--mode", "*").stdout.splitlines()
    assert len(every) >= len(modes)


def test_checks_are_planned_once(planned: list[Filters | None]) -> None:
    """How many the filters skip is told by a run alone."""
    assert invoke("list", "checks", "--case", LOGITS).exit_code == 0
    assert [one.case for one in planned if one is not None] == [(LOGITS,)]
    assert len(planned) == 1


def test_explaining_a_case_plans_that_case_alone(planned: list[Filters | None]) -> None:
    """On the one implementation that was asked for; what is right needs no reason."""
    done = invoke("explain", LOGITS, "numpy/stable_textbook", "--dtype", "float32", "--quantity", "repeatable")
    assert done.exit_code == 0, done.output
    assert [(one.case, one.backend) for one in planned if one is not None] == [((LOGITS,), ("numpy",))]
    assert len(planned) == 1


def test_explaining_wrong_numbers_asks_the_same_implementation_for_more(planned: list[Filters | None]) -> None:
    """Of one case alone many formulas give the results; the reason is about this case all the same."""
    done = invoke("explain", LOGITS, "numpy/sigmoid_textbook", "--dtype", "float32", "--quantity", "value")
    assert done.exit_code == 0, done.output
    asked = {name for one in planned if one is not None for name in one.implementation}
    assert asked == {"numpy/sigmoid_textbook/eager/cpu"}
    assert LOGITS in planned[-1].case  # type: ignore[union-attr]
    assert done.stdout.startswith("✗ numpy/sigmoid_textbook  ")
    told = re.search(r" why: at z = (\S+), y = (\S+): .*1 - sigmoid\(z\)", " ".join(done.stdout.split()))
    assert told is not None
    assert f"prediction={told[1]} " in done.stdout


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


def formulas(*words: str) -> list[list[str]]:
    """The columns of listed formulas."""
    listed = invoke("list", "formulas", *words)
    assert listed.exit_code == 0, listed.output
    return [line.split("\t") for line in listed.stdout.splitlines()]


def test_formulas_are_listed_by_form_each_once_and_with_a_source(monkeypatch: pytest.MonkeyPatch) -> None:
    """No backend is asked: they are what results are held against."""
    monkeypatch.delattr(runs, "open_pool")
    logits, probabilities = formulas("--form", "logits"), formulas("--form", "probabilities")
    assert sorted(logits + probabilities) == sorted(formulas())
    assert {form for _, form, _, _ in logits} == {"logits"}
    assert len({(name, form) for name, form, _, _ in formulas()}) == len(formulas()) > 40
    assert all(source.startswith("https://") for *_, source in formulas())


@pytest.mark.parametrize("y", [0.0, 1.0])
def test_a_listed_formula_is_the_loss_as_a_reader_computes_it(y: float) -> None:
    """What its names stand for stands behind it; at an ordinary input every formula gives the loss of float64."""
    p = 0.375
    exact = -math.log(p if y else 1 - p)
    inputs = {"p": p, "z": math.log(p / (1 - p)), "y": y}
    computed = [_evaluated(text, inputs) for _, _, text, _ in formulas()]
    known = [one for one in computed if one is not None]
    assert len(known) > 30
    assert known == pytest.approx([exact] * len(known), rel=1e-5)


def _evaluated(text: str, inputs: dict[str, float]) -> float | None:
    """A formula and its definitions as Python; None where a name in it is none."""
    formula, *definitions = re.sub(r"\|([^|]+)\|", r"abs(\1)", text).split("; ")
    names = dict.fromkeys(("float32", "inputs", "step", "stop_gradient"), lambda x: x) | {
        "exp": math.exp,
        "log": math.log,
        "log1p": math.log1p,
        "where": lambda condition, x, other: x if condition else other,
        "eps": 0.0,
        "inf": math.inf,
        **inputs,
    }
    for _ in definitions:  # a part may be made of a later function
        for definition in definitions:
            head, _, body = definition.partition(" = ")
            name, call, parameters = head.partition("(")
            try:
                names[name] = eval(f"lambda {parameters.rstrip(')')}: {body}" if call else body, names)
            except (NameError, TypeError, ValueError):
                continue
    try:
        return float(eval(formula, names))
    except (NameError, TypeError, ValueError):
        return None


def test_a_form_is_refused_where_it_would_choose_nothing() -> None:
    """It would be ignored in silence."""
    assert invoke("list", "cases", "--form", "logits").exit_code == int(Exit.BAD_INPUT)


def test_backends_are_listed_with_versions_or_with_what_to_install(tmp_path: Path) -> None:
    """An interpreter without NumPy and without the framework: the command that puts both there."""
    venv.create(tmp_path / "bare", with_pip=False)
    bare = tmp_path / "bare" / "bin" / "python"
    done = invoke("list", "backends", "--backend", "numpy", "--backend", "pytorch", "--python", f"torch={bare}")
    assert done.exit_code == 0, done.output
    numpy_line, torch_line = (line.split("\t") for line in done.stdout.splitlines())
    assert numpy_line == ["numpy", f"numpy {numpy.__version__}"]
    assert torch_line == ["torch", "absent: NumPy cannot be imported there", f"{bare} -m pip install torch numpy"]


def test_a_framework_that_is_missing_in_an_interpreter_is_bad_input_with_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not a failure of the suite: exit code 2, and the command to type."""
    monkeypatch.chdir(tmp_path)
    venv.create(tmp_path / "bare", with_pip=False)
    bare = tmp_path / "bare" / "bin" / "python"
    done = invoke("run", "--quick", "--case", "question/hard", "--backend", "torch", "--python", f"torch={bare}")
    assert done.exit_code == Exit.BAD_INPUT
    assert done.stdout == ""
    assert f"next: {bare} -m pip install torch numpy" in done.stderr


@pytest.mark.parametrize(("word", "meant"), [("fp16", "float16"), ("bf16", "bfloat16"), ("FP32", "float32")])
def test_what_others_call_a_dtype_is_understood(word: str, meant: str) -> None:
    """The same checks, to the letter."""
    words = ("list", "checks", "--backend", "torch", "--case", "question/hard", "--dtype")
    assert invoke(*words, word).stdout == invoke(*words, meant).stdout != ""


def test_what_others_call_a_form_is_understood() -> None:
    """One logit is a prediction of the form logits."""
    assert invoke("list", "formulas", "--form", "logit").stdout == invoke("list", "formulas", "--form", "logits").stdout
