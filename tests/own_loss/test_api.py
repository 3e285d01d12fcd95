"""The Python API for a loss of one's own: what passes, what fails, the text of a failure, and what it leaves alone.

Losses on NumPy are judged in this process, those on a framework in a pytest session of their own, as a user's are.
"""

from __future__ import annotations

import ctypes
import functools
import inspect
import math
import os
import re
import runpy
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from conformance import Allowed, Report, assert_conforms, measure
from conformance.adapters import Implementation, Runtime
from conformance.adapters.numpy import NumPyRuntime, log_textbook, log_textbook_gradient, sigmoid_gradient
from conformance.cli import main
from conformance.contracts import Clip
from conformance.errors import HarnessError, InputError
from conformance.judge.judge import Judge
from conformance.known.recorded import UNEXPLAINED, Row
from conformance.known.recorded import text as text_of_rows
from conformance.numbers.soundness import flushes_to_zero
from conformance.own_loss import api
from conformance.plan import cases
from conformance.quantities import NUMERIC
from conformance.record import record
from tests.builders import SOURCE
from tests.projects import session

ROOT = Path(__file__).parents[2]

#: Cases of every kind that a loss on NumPy can be asked, in few seconds.
SOME = ("hard-labels", "soft-labels", "extreme-predictions", "special-values", "relations")


def wide(prediction: Any, label: Any) -> Any:
    """The loss of logits in float64, where every float16 result is right to less than an ULP, rounded to the dtype."""
    z, y = prediction.astype(np.float64), label.astype(np.float64)
    with np.errstate(all="ignore"):
        one = np.where(y == 0, 0.0, y * np.logaddexp(0, -z))
        zero = np.where(y == 1, 0.0, (1 - y) * np.logaddexp(0, z))
        return (one + zero).astype(prediction.dtype)


def wide_gradient(prediction: Any, label: Any) -> Any:
    """sigmoid(z) - y, without the cancellation where the logit agrees with a hard label."""
    z, y = prediction.astype(np.float64), label.astype(np.float64)
    with np.errstate(all="ignore"):
        up, down = 1 / (1 + np.exp(-z)), 1 / (1 + np.exp(z))
        return np.where(z > 0, (1 - y) * up - y * down, up * (1 - y) - y * down).astype(prediction.dtype)


def quiet_textbook(prediction: Any, label: Any) -> Any:
    """log(1 - p), with 0 times infinity."""
    with np.errstate(all="ignore"):
        return log_textbook(prediction, label)


def refuses(prediction: Any, label: Any) -> Any:
    """A loss that raises whatever it is given, in a message that would upset a terminal."""
    raise ValueError("\x1b[31m[bold]no\n:warning: never")


class Object:
    """A callable that is no function."""

    def __call__(self, prediction: Any, label: Any) -> Any:
        """No loss at all."""
        return prediction


def textbook(**arguments: Any) -> Report:
    """What is found of the textbook formula where it is worst."""
    return measure(
        quiet_textbook, form="probabilities", backend="numpy", dtypes=["float32"], cases=["extreme-*"], **arguments
    )


def failing(loss: Callable[..., Any], **arguments: Any) -> str:
    """The text with which `assert_conforms` fails."""
    with pytest.raises(AssertionError) as caught:
        assert_conforms(loss, **arguments)
    return str(caught.value)


# -- what passes -----------------------------------------------------------------------------------------------------


def test_what_a_loss_declares_are_arguments_of_an_implementation() -> None:
    """So an implementation is described in one vocabulary, whoever it is of."""
    assert set(api.Declared.__annotations__) < set(inspect.signature(Implementation).parameters)


@pytest.mark.parametrize("form", ["probabilities", "logits"])
def test_a_correctly_rounded_loss_conforms(form: Any) -> None:
    """Results that are exact to half an ULP, by rational and ball arithmetic, pass with all their derivatives."""
    elementwise = runpy.run_path(str(ROOT / "tests/data/adapters/correctly_rounded.py"))["elementwise"]
    derived = ("gradient-prediction", "gradient-label", "second-derivative")
    assert_conforms(
        elementwise(form, "value"),
        form=form,
        backend="numpy",
        name="exact",
        cases=SOME,
        dtypes=["float16", "float32"],
        derivatives={name: elementwise(form, name) for name in derived},
    )


def test_a_loss_in_float64_conforms_in_float16() -> None:
    """Value and gradient of an ordinary NumPy formula in a wider type are right in the narrow one."""
    assert_conforms(
        wide,
        form="logits",
        backend="numpy",
        cases=["hard-labels", "soft-labels", "out-of-range-labels"],
        dtypes=["float16"],
        derivatives={"gradient-prediction": wide_gradient},
    )


def test_a_documented_clip_is_by_contract() -> None:
    """What the loss documents is judged by that, and counted apart from what conforms."""

    def clipped(prediction: Any, label: Any) -> Any:
        low, high = np.asarray([1e-7, 1 - 1e-7], dtype=prediction.dtype)
        p = np.clip(prediction, low, high)
        return -(label * np.log(p) + (1 - label) * np.log1p(-p))

    asked: dict[str, Any] = {"form": "probabilities", "backend": "numpy", "dtypes": ["float32"]}
    asked |= {"cases": ["extreme-predictions/ends"], "quantities": ["value"]}
    contract = (Clip("1e-7", "0.9999999", SOURCE),)
    assert measure(clipped, **asked).verdicts == {"deviates": 1}
    assert measure(clipped, contract=contract, **asked).verdicts == {"by-contract": 1}
    assert_conforms(clipped, contract=contract, **asked)


# -- what fails ------------------------------------------------------------------------------------------------------


def test_the_textbook_formula_fails_with_the_case_and_the_numbers() -> None:
    """Case, why it exists, inputs in decimal and bits, result, ideal, error and budget stand in the text."""
    text = failing(quiet_textbook, form="probabilities", backend="numpy", cases=["extreme-*"], dtypes=["float32"])
    assert text.startswith("quiet_textbook does not conform: ")
    found = re.search(r"(\S+)#(\S+) float32 value: prediction=(\S+) \(0x(\w+)\) label=.*ULP of float32, budget 4", text)
    assert found is not None, text
    case = cases.load_suite(ROOT / "cases").find(found[1]).case
    assert f"case:  {case.why}\n" in text
    assert found[2] in {one.id for one in case.elements}
    assert int(np.array([found[3]], dtype=np.float32).view(np.uint32)[0]) == int(found[4], 16)


def test_the_text_says_why_the_result_is_wrong() -> None:
    """Of the very input that stands above: a label of 0 or 1 times the logarithm of 0."""
    text = failing(quiet_textbook, form="probabilities", backend="numpy", cases=["special-*"], dtypes=["float32"])
    told = re.findall(r"prediction=(\S+) \(0x\w+\) label=(\S+) .*\nwhy:   at p = (\S+), y = (\S+): (.*)\n", _flat(text))
    assert told
    for prediction, label, p, y, reason in told:
        assert (float(prediction), float(label)) == pytest.approx((float(p), float(y)), rel=5e-3, nan_ok=True)
        assert "log(" in reason or "the formula" in reason


def _flat(text: str) -> str:
    """A text without its indents."""
    return re.sub(r"^ +", "", text, flags=re.MULTILINE)


def test_the_call_in_the_text_gives_the_result_in_the_text() -> None:
    """What a reader copies from the text shows what the text says."""
    text = failing(quiet_textbook, form="probabilities", backend="numpy", cases=["extreme-*"], dtypes=["float32"])
    calls = re.findall(r"got \S+ \(0x(\w+)\).*\n(?: +(?:why|case):.*\n)+ +call:  (.*)\n", text)
    assert calls
    for bits, call in calls:
        (result,) = eval(call, {"np": np, "quiet_textbook": quiet_textbook})
        assert int(result.view(np.uint32)) == int(bits, 16), call


def test_the_measurement_in_the_text_finds_the_same_cause() -> None:
    """The other line to copy judges the same case again."""
    text = failing(quiet_textbook, form="probabilities", backend="numpy", dtypes=["float32"])
    again = re.findall(r"new (\S+): .*?again: (measure\(.*?\))\n", text, re.DOTALL)
    assert len(again) > 3
    for cause, call in again:
        report = eval(call, {"measure": measure, "quiet_textbook": quiet_textbook})
        assert cause in {one.cause for one in report.findings}, call


def test_the_measurement_in_the_text_declares_what_was_declared() -> None:
    """Words and numbers are written out; functions and contracts have the name of their argument, and no ellipsis."""
    declared: dict[str, Any] = {"derivatives": {"gradient-prediction": log_textbook_gradient}, "labels": "hard"}
    declared |= {"backend": NumPyRuntime(), "reductions": ("none",)}
    text = failing(log_textbook, form="probabilities", dtypes=["float32"], cases=["hard-labels"], **declared)
    again = re.findall(r"(measure\(log_textbook, form=.*\))\n", text)
    assert again
    for call in again:
        assert "labels='hard', reductions=('none',)" in call
        assert not eval(call, {"measure": measure, "log_textbook": log_textbook, **declared}).conforms, call


def test_a_gradient_of_the_wrong_sign_fails_alone() -> None:
    """The value conforms, and every finding is about the gradient."""
    report = measure(
        wide,
        form="logits",
        backend="numpy",
        cases=["hard-labels", "soft-labels"],
        dtypes=["float16"],
        derivatives={"gradient-prediction": lambda prediction, label: -sigmoid_gradient(prediction, label)},
    )
    assert not report.conforms
    assert {check.quantity for check in report.checks if check.findings} == {"gradient-prediction"}


def test_a_loss_that_raises_on_everything_fails() -> None:
    """An exception is never taken for a pass or a skip, on whatever checks."""
    report = measure(refuses, form="logits", backend="numpy", cases=SOME, dtypes=["float32"])
    assert not report.conforms
    assert set(report.verdicts) == {"unsupported"}
    assert all(check.outcome == "new" for check in report.checks)
    assert "ValueError" in failing(refuses, form="logits", backend="numpy", cases=["hard-labels"])


def test_a_message_of_a_loss_is_told_without_its_control_characters() -> None:
    """Neither the assertion nor the printed report passes on what a terminal or rich would act on."""
    asked: dict[str, Any] = {"form": "logits", "backend": "numpy", "cases": ["hard-labels"], "dtypes": ["float32"]}
    for text in (failing(refuses, **asked), str(measure(refuses, **asked))):
        assert r"ValueError: \x1b[31m[bold]no\n:warning: never" in text
        assert "\x1b" not in text


def test_every_cause_stands_in_the_text() -> None:
    """Causes beyond those that are spelled out have a line each."""
    asked: dict[str, Any] = {"form": "probabilities", "backend": "numpy"}
    asked["derivatives"] = {"gradient-prediction": log_textbook_gradient}
    report = measure(log_textbook, **asked)
    text = failing(log_textbook, **asked)
    assert len(report.findings) > 8
    for one in report.findings:
        assert text.count(f"new {one.cause}: ") == 1
        assert one.cause in str(report)


# -- what is measured ------------------------------------------------------------------------------------------------


def test_the_worst_errors_are_those_of_the_checks() -> None:
    """Per quantity and per dtype, in ULP: the largest that any check of it has."""
    report = measure(
        wide,
        form="logits",
        backend="numpy",
        cases=["soft-labels", "extreme-*"],
        derivatives={"gradient-prediction": wide_gradient},
    )
    for dtype, errors in report.worst_ulp_by_dtype.items():
        for quantity, error in errors.items():
            lines = [one for one in report.checks if (one.dtype, one.quantity) == (dtype, quantity)]
            assert error == max(ulp for one in lines for ulp in one.ulp if ulp is not None)
    assert set(report.worst_ulp) == {"value", "gradient-prediction"}
    assert report.worst_ulp["value"] == max(errors["value"] for errors in report.worst_ulp_by_dtype.values())


def test_measuring_raises_nothing_for_what_it_finds() -> None:
    """A report of deviations is a report; its verdicts add up to its checks."""
    report = textbook(quantities=["*"])
    assert not report.conforms
    assert report.findings
    assert sum(report.verdicts.values()) == len(report.checks)


def test_a_printed_report_counts_what_the_record_counts() -> None:
    """The closing lines and the heading are those of any run."""
    report = textbook()
    assert report.record.footer is not None
    printed = str(report)
    assert f"{len(report.checks)} checks of {report.record.header.planned} planned" in printed
    assert f"{report.record.footer.outcomes['new']} new, 0 fixed" in printed


def test_an_example_is_told_in_its_own_words() -> None:
    """A result of a wrong shape is told by its shape, not by the exception that another shape met."""

    def broadcasts(prediction: Any, label: Any) -> Any:
        return wide(prediction + 0 * label, label + 0 * prediction)

    asked: dict[str, Any] = {"form": "logits", "backend": "numpy", "cases": ["shapes/label-shape-logits"]}
    report = measure(broadcasts, dtypes=["float32"], **asked)
    (shape,) = [one.example for one in report.findings if one.cause.endswith("result-shape")]
    assert shape is not None
    assert re.fullmatch(r"returned shape \(.*\), expected \(.*\)", shape.detail)
    (check,) = [one for one in report.checks if one.quantity == "result-shape"]
    assert shape.detail == next(one.detail for one in check.findings if one.element == shape.element)


def test_the_record_of_a_report_is_one_that_the_command_shows(tmp_path: Path) -> None:
    """It is written and read as any other."""
    report = textbook()
    record.write(report.record, tmp_path / "own.jsonl")
    shown = CliRunner().invoke(main, ["show", str(tmp_path / "own.jsonl")])
    assert shown.exit_code == 0
    for one in report.findings:
        assert one.cause in shown.stdout


@pytest.mark.parametrize(
    "loss",
    [lambda prediction, label: prediction, functools.partial(quiet_textbook), Object()],
    ids=["lambda", "partial", "object"],
)
def test_what_has_no_name_to_call_it_by_is_called_loss(loss: Any) -> None:
    """The lines to copy are Python, whatever the callable is."""
    text = failing(loss, form="logits", backend="numpy", cases=["hard-labels"], dtypes=["float32"], name="mine")
    assert text.startswith("mine does not conform")
    calls = re.findall(r"(?:call|again): +(.*)\n", text)
    assert calls
    for call in calls:
        eval(call, {"np": np, "loss": loss, "measure": measure})


def test_nothing_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No record, no log: the folder of a user's tests stays as it was."""
    monkeypatch.chdir(tmp_path)
    textbook()
    assert list(tmp_path.iterdir()) == []


def test_options_reductions_and_parameters_reach_the_loss() -> None:
    """The loss gets by keyword what it declares, where a case sets it, and nothing else."""
    seen: set[str] = set()

    def loss(prediction: Any, label: Any, **rest: Any) -> Any:
        seen.update(rest)
        return prediction

    asked: dict[str, Any] = {"form": "logits", "backend": "numpy", "dtypes": ["float32"], "quantities": ["value"]}
    measure(loss, **asked)
    assert seen == set()
    measure(loss, **asked, options=["weight"], reductions=["none", "mean"], parameters=["label_smoothing"])
    assert seen == {"weight", "reduction", "label_smoothing"}


def test_a_runtime_of_ones_own_is_taken() -> None:
    """`backend` may be a Runtime, which names the backend `own`."""

    class Doubling(NumPyRuntime):
        def tensor(self, tensor: Any) -> Any:
            return super().tensor(tensor) * 2

    report = measure(wide, form="logits", backend=Doubling(), cases=["hard-labels"], dtypes=["float32"])
    assert {check.implementation for check in report.checks} == {"own/wide/eager/cpu"}
    assert not report.conforms


# -- what is allowed -------------------------------------------------------------------------------------------------

FEW: dict[str, Any] = {"form": "probabilities", "backend": "numpy", "dtypes": ["float32"], "cases": ["hard-labels"]}


def half_right(prediction: Any, label: Any) -> Any:
    """log(1 - p) where log1p(-p) is wanted, away from the ends."""
    return quiet_textbook(prediction, label)


def test_an_allowed_problem_passes() -> None:
    """As the report names it, by its cases or by its elements."""
    report = measure(half_right, **FEW)
    problems = [report.problem(one) for one in report.findings]
    assert_conforms(half_right, **FEW, allow=problems)
    (one,) = problems
    elements = [f"{check.case}#{finding.element}" for check in report.checks for finding in check.findings]
    assert_conforms(half_right, **FEW, allow=[replace(one, cases=elements)])


def test_what_is_allowed_but_does_not_show_fails() -> None:
    """An exception that is no longer needed must go, as everywhere in the suite."""
    one = Allowed(cause="numpy/wide/value/ordinary/inaccurate", cases=["hard-labels/logits"], harm="edge", reason="old")
    text = failing(wide, form="logits", backend="numpy", cases=["hard-labels"], dtypes=["float16"], allow=[one])
    assert "allowed, but it does not show: 'numpy/wide/value/ordinary/inaccurate'" in text
    assert "does not conform" not in text


def test_a_case_that_is_allowed_but_does_not_show_fails() -> None:
    """Of a problem that has become smaller only what is left may stay."""
    report = measure(half_right, **FEW)
    (one,) = [report.problem(cause) for cause in report.findings]
    text = failing(half_right, **FEW, allow=[replace(one, cases=[*one.cases, "soft-labels/logits"])])
    assert f"allowed, but it does not show: '{one.cause} in soft-labels/logits'" in text


def test_what_is_not_allowed_still_fails() -> None:
    """Only the findings that are named are excused."""
    report = textbook()
    first, *others = report.findings
    text = failing(
        quiet_textbook,
        form="probabilities",
        backend="numpy",
        dtypes=["float32"],
        cases=["extreme-*"],
        allow=[report.problem(first)],
    )
    assert others
    assert f"new {first.cause}" not in text
    assert all(f"new {one.cause}: " in text for one in others)


def test_what_looks_like_an_allowed_problem_is_another_one() -> None:
    """The same cause in another case, or with a worse harm in the same one, fails as if nothing were allowed."""
    report = measure(half_right, **FEW)
    (one,) = [report.problem(cause) for cause in report.findings]

    def worse(prediction: Any, label: Any) -> Any:
        return quiet_textbook(prediction, label) * np.where(label == 1, 1.5, 1.0).astype(prediction.dtype)

    assert f"new {one.cause}: " in failing(worse, name="half_right", **FEW, allow=[one])
    everywhere = FEW | {"cases": ["hard-labels", "extreme-predictions"]}
    assert f"new {one.cause}: " in failing(half_right, **everywhere, allow=[one])


def test_the_words_to_copy_allow_the_finding_that_comes_first() -> None:
    """They are Python, and no wider than what shows."""
    text = failing(half_right, **FEW)
    (words,) = re.findall(r"allow=(\[Allowed\(.*\)\])\.", text)
    assert_conforms(half_right, **FEW, allow=eval(words, {"Allowed": Allowed}))


def test_a_record_of_ones_own_is_as_expected_and_strict(tmp_path: Path) -> None:
    """In the suite's own form: what it records passes, what no longer shows fails."""
    (check,) = [one for one in measure(half_right, **FEW).checks if one.findings]
    row = Row(
        problem=UNEXPLAINED,
        cause="numpy/half_right/value/ordinary/inaccurate",
        modes=("eager",),
        device="cpu",
        case=check.case,
        dtype="float32",
        quantities=("value",),
        words=("inexact",),
        magnitude=9,
        elements=tuple(one.element for one in check.findings),
        sometimes=frozenset(),
    )
    (tmp_path / "recorded").mkdir()
    file = tmp_path / "recorded" / "numpy.tsv"
    file.write_text(text_of_rows([row]))
    assert_conforms(half_right, **FEW, known=[tmp_path])
    gone = next(one for one in check.elements if one not in row.elements)
    file.write_text(text_of_rows([replace(row, elements=(*row.elements, gone))]))
    assert "recorded, but not seen" in failing(half_right, **FEW, known=[tmp_path])


# -- bad input -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"form": "logit"}, "form must be one of probabilities, logits"),
        ({"backend": "torhc"}, "backend 'torhc' is not one of"),
        ({"cases": "hard-labels"}, "cases must be a list of words"),
        ({"cases": ["hard-labels", "sotf-labels"]}, "did you mean soft-labels"),
        ({"flags": ["satruated"]}, "did you mean saturated"),
        ({"without_flags": ["shapes"]}, "did you mean shape"),
        ({"dtypes": ["half"]}, "'half' is not one of"),
        ({"quantities": ["values"]}, "'values' is not one of"),
        ({"quantities": ["value", "gradient-prediction"]}, "was asked for, but no check of these cases has it"),
        ({"cases": ["contracts"]}, "the filters leave no check"),
        ({"without_flags": ["*"]}, "the filters leave no check"),
        ({"derivatives": {"slope": wide}}, "derivative 'slope'"),
        ({"labels": "soft"}, "labels of 'wide'"),
        ({"known": ["nowhere"]}, "nowhere: no such folder"),
    ],
)
def test_bad_arguments_are_told_before_anything_is_called(arguments: dict[str, Any], message: str) -> None:
    """A slip of the pen must not leave a test that passes because it judges nothing."""

    def untouched(prediction: Any, label: Any) -> Any:
        pytest.fail("it was called")

    with pytest.raises(InputError, match=re.escape(message)):
        measure(untouched, **({"form": "logits", "backend": "numpy", "name": "wide"} | arguments))


def test_derivatives_that_training_does_without_are_judged_where_they_are_asked_for_or_declared() -> None:
    """Without a word a loss of a framework is judged by its value and its gradient by the prediction."""

    class Deriving(NumPyRuntime):
        def quantities(self, implementation: Any) -> tuple[str, ...]:
            return NUMERIC

    def judged(backend: Any, **arguments: Any) -> set[str]:
        report = measure(wide, form="logits", backend=backend, dtypes=["float32"], cases=["hard-labels"], **arguments)
        return {check.quantity for check in report.checks} & set(NUMERIC)

    assert judged(Deriving()) == {"value", "gradient-prediction"}
    assert judged(Deriving(), quantities=["*"]) == set(NUMERIC) - {"gradient-weight", "gradient-pos_weight"}
    assert judged("numpy", derivatives={"gradient-label": wide}) == {"value", "gradient-label"}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ({"reason": ""}, "needs a reason"),
        ({"reason": "  "}, "needs a reason"),
        ({"reason": None}, "needs a reason"),
        ({"harm": "bad"}, "harm must be one of refuses"),
        ({"cases": []}, "cases must be a list"),
        ({"cases": "hard-labels"}, "cases must be a list"),
        ({"cases": ["hard-*"]}, "is a class, not a problem"),
        ({"cause": "value"}, "cause must be backend/entry/quantity/region/signature"),
    ],
)
def test_what_is_allowed_names_one_problem_and_its_reason(words: dict[str, Any], said: str) -> None:
    """A year later nobody knows why, and a class excuses what nobody has seen."""
    known = {"cause": "numpy/half_right/value/ordinary/inaccurate", "cases": ["hard-labels/probabilities"]}
    with pytest.raises(InputError, match=said):
        Allowed(**{**known, "harm": "drifts", "reason": "we know", **words})


@pytest.mark.parametrize("allow", [{"hard-labels": "we know"}, ["hard-labels"], "hard-labels"])
def test_what_is_allowed_is_no_pattern(allow: Any) -> None:
    """Patterns excuse what looks alike."""
    with pytest.raises(InputError, match="allow must be a list of Allowed"):
        assert_conforms(half_right, **FEW, allow=allow)


def test_a_framework_that_is_absent_is_bad_input() -> None:
    """It is no pass that nothing was called."""

    class Absent(Runtime):
        def open(self) -> None:
            raise ImportError("No module named 'nothing'")

    with pytest.raises(InputError, match="absent: own: ImportError: No module named 'nothing'"):
        measure(wide, form="logits", backend=Absent())


def test_a_framework_that_cannot_be_opened_is_no_verdict() -> None:
    """It says nothing about the loss."""

    class Broken(Runtime):
        def open(self) -> None:
            raise RuntimeError("loaded on something else")

    with pytest.raises(HarnessError, match="loaded on something else"):
        measure(wide, form="logits", backend=Broken())


# -- the process of the user -----------------------------------------------------------------------------------------


def test_ctrl_c_in_a_loss_ends_the_test() -> None:
    """An interruption is not taken for an exception of the loss."""

    def interrupted(prediction: Any, label: Any) -> Any:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        measure(interrupted, **FEW)


def test_environment_variables_are_given_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """What opening a framework sets, changes or takes away holds while it is judged and no longer."""
    monkeypatch.setenv("BCE_TEST_BEFORE", "before")
    monkeypatch.setenv("BCE_TEST_GONE", "there")
    seen: list[str | None] = []

    class Setting(NumPyRuntime):
        def open(self) -> None:
            os.environ.update(BCE_TEST_BEFORE="within", BCE_TEST_NEW="new")
            del os.environ["BCE_TEST_GONE"]

    def loss(prediction: Any, label: Any) -> Any:
        seen.append(os.environ.get("BCE_TEST_NEW"))
        return wide(prediction, label)

    before = dict(os.environ)
    measure(loss, form="logits", backend=Setting(), cases=["hard-labels"])
    assert set(seen) == {"new"}
    assert dict(os.environ) == before


def test_a_result_that_is_overwritten_by_the_next_call_is_the_result_of_its_own_call() -> None:
    """A loss may write into one buffer again and again."""
    buffers: dict[Any, Any] = {}

    def into_a_buffer(prediction: Any, label: Any) -> Any:
        out = buffers.setdefault((prediction.dtype, prediction.shape), np.zeros_like(prediction))
        out[...] = wide(prediction, label)
        return out

    asked: dict[str, Any] = {"form": "logits", "backend": "numpy", "cases": ["hard-labels", "soft-labels"]}
    bits = {check.id: check.bits for check in measure(wide, name="loss", **asked).checks}
    assert {check.id: check.bits for check in measure(into_a_buffer, name="loss", **asked).checks} == bits


FLUSH = 0x8040  # FTZ and DAZ of MXCSR: Intel SDM volume 1, figure 10-3


class FloatingPoint(ctypes.Structure):
    """fenv_t of glibc on x86-64 (bits/fenv.h): the x87 environment, then MXCSR."""

    _fields_ = (("x87", ctypes.c_uint32 * 7), ("mxcsr", ctypes.c_uint32))


def flush_to_zero() -> None:
    """Make this thread flush subnormal numbers, as torch.set_flush_denormal(True) does; skips where that cannot be."""
    if sys.platform != "linux" or os.uname().machine != "x86_64":
        pytest.skip("the layout of fenv_t is that of glibc on x86-64")
    state, libm = FloatingPoint(), ctypes.CDLL("libm.so.6")
    libm.fegetenv(ctypes.byref(state))
    state.mxcsr |= FLUSH
    libm.fesetenv(ctypes.byref(state))
    assert flushes_to_zero()


def apart(function: Callable[[], Any]) -> Any:
    """The result of a function in a thread of its own, whose floating-point state ends with it."""
    with ThreadPoolExecutor(max_workers=1) as thread:
        return thread.submit(function).result()


def test_a_process_that_flushes_is_refused() -> None:
    """The reference would be computed with flushed numbers, too."""

    def flushing() -> Any:
        flush_to_zero()
        return measure(wide, form="logits", backend="numpy", cases=["hard-labels"])

    with pytest.raises(HarnessError, match="flushes subnormal numbers to zero"):
        apart(flushing)


def test_a_loss_that_switches_to_flushing_does_not_reach_the_judge() -> None:
    """Subnormal results that are right are judged to be right, and the change of state is the only finding."""
    asked: dict[str, Any] = {"form": "logits", "backend": "numpy", "name": "loss", "dtypes": ["float32"]}
    asked |= {"cases": ["extreme-predictions/logits-tail-wide"], "quantities": ["value", "inputs-unchanged"]}
    results: dict[bytes, Any] = {}

    def clean(prediction: Any, label: Any) -> Any:
        return results.setdefault(prediction.tobytes() + label.tobytes(), wide(prediction, label))

    def switches(prediction: Any, label: Any) -> Any:
        flush_to_zero()
        return results[prediction.tobytes() + label.tobytes()].copy()

    before = {check.quantity: check for check in measure(clean, **asked).checks}
    assert any(0 < abs(number) < math.ldexp(1, -126) for one in results.values() for number in one.tolist())
    report = apart(lambda: measure(switches, **asked))
    after = {check.quantity: check for check in report.checks}
    assert after["value"] == before["value"]
    assert {one.cause for one in report.findings} == {"numpy/loss/inputs-unchanged/any/changed"}
    assert not flushes_to_zero()


def test_ideals_are_there_before_the_loss_is_called(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a loss does to state that a whole process shares, such as a library's working precision, comes too late."""
    made: list[int] = []

    class Noting(Judge):
        def __init__(self, *given: Any) -> None:
            super().__init__(*given)
            made.append(threading.get_ident())

    def loss(prediction: Any, label: Any) -> Any:
        assert made
        return wide(prediction, label)

    monkeypatch.setattr("conformance.run.run.Judge", Noting)
    report = measure(loss, form="logits", backend="numpy", quantities=["acceptance"], without_flags=["shape"])
    assert report.conforms
    assert made != [threading.get_ident()]


def test_the_package_is_imported_without_the_api() -> None:
    """A worker on an old interpreter imports the package, and has no package but NumPy."""
    code = "import conformance, sys; print({'msgspec', 'numpy', 'rich'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


def test_another_name_of_the_package_is_no_attribute() -> None:
    """The lazy names are those of `__all__`."""
    import conformance

    with pytest.raises(AttributeError, match="no attribute 'mesure'"):
        conformance.mesure  # type: ignore[attr-defined]  # noqa: B018


@pytest.mark.slow
def test_a_type_checker_sees_the_types(tmp_path: Path) -> None:
    """A wrong form and a wrong keyword are found without running anything, and the right ones are not."""
    (tmp_path / "right.py").write_text(
        "from conformance import Allowed, Report, assert_conforms, measure\n"
        "def loss(prediction: float, label: float) -> float: return 0.0\n"
        "found: Report = measure(loss, form='logits', backend='numpy', options=['weight'])\n"
        "worst: float = found.worst_ulp['value']\n"
        "known = Allowed(cause='a/b/c/d/e', cases=['f'], harm='edge', reason='g')\n"
        "assert_conforms(loss, form='logits', backend='numpy', allow=[known])\n"
    )
    (tmp_path / "wrong.py").write_text(
        "from conformance import assert_conforms, measure, mesure\n"
        "measure(abs, form='logit', backend='numpy')\n"
        "assert_conforms(abs, form='logits', backend='numpy', option=['weight'])\n"
    )

    def checked(name: str) -> str:
        words = [sys.executable, "-m", "mypy", "--strict", "--config-file=", "--cache-dir", str(tmp_path / "cache")]
        environment = os.environ | {"MYPYPATH": str(ROOT)}
        return subprocess.run(
            [*words, str(tmp_path / name)], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        ).stdout

    assert "Success" in checked("right.py")
    complaints = checked("wrong.py")
    assert 'has no attribute "mesure"' in complaints
    assert '"form"' in complaints
    assert '"option"' in complaints


# -- a user's project ------------------------------------------------------------------------------------------------

#: What a test file starts with: the framework, its softplus, a mode in which it prepares losses, a state to be left.
PRELUDES = {
    "numpy": """\
import numpy as np
MODE, QUANTITIES = "eager", ["value"]
def softplus(x): return np.logaddexp(np.zeros_like(x), x)
def state(): return np.geterr()
""",
    "torch": """\
import torch
MODE, QUANTITIES = "vmap", ["value", "gradient-prediction"]
def softplus(x): return torch.nn.functional.softplus(x, threshold=1000)
torch.set_num_threads(2)
def state(): return torch.get_num_threads()
""",
    "tensorflow": """\
import tensorflow as tf
MODE, QUANTITIES = "function", ["value", "gradient-prediction"]
softplus = tf.nn.softplus
def state(): return tf.config.threading.get_intra_op_parallelism_threads()
""",
    "jax": """\
import jax
import jax.numpy as jnp
MODE, QUANTITIES = "jit", ["value", "gradient-prediction"]
softplus = jax.nn.softplus
def state(): return jax.config.jax_enable_x64, str(jax.numpy.zeros(1).dtype)
""",
    "tf-keras": """\
import tensorflow as tf
import tf_keras
MODE, QUANTITIES = "function", ["value", "gradient-prediction"]
softplus = tf_keras.activations.softplus
tf_keras.backend.set_epsilon(1e-3)
def state(): return tf_keras.backend.epsilon()
""",
} | {
    f"keras-{name}": f"""\
import os
os.environ["KERAS_BACKEND"] = {name!r}
import keras
{imports}
MODE, QUANTITIES = {mode!r}, ["value", "gradient-prediction"]
softplus = keras.ops.softplus
keras.config.set_floatx("float64")
def state(): return keras.config.floatx(), os.environ["KERAS_BACKEND"]
"""
    for name, mode, imports in (
        ("torch", "vmap", "import torch"),
        ("tensorflow", "function", "import tensorflow as tf"),
        ("jax", "jit", "import jax, jax.numpy as jnp"),
    )
}

PROJECT = """
import re
import numpy as np
import pytest
from conformance import assert_conforms, measure

ASKED = {"form": "logits", "backend": BACKEND, "cases": ["hard-labels"], "dtypes": ["float32"]}

def right(prediction, label):
    return label * softplus(-prediction) + (1 - label) * softplus(prediction)

def mistaken(prediction, label):
    return (1 - label) * softplus(-prediction) + label * softplus(prediction)

def test_right():
    before = state()
    assert_conforms(right, quantities=QUANTITIES, **ASKED)
    assert state() == before

def test_mistaken():
    assert_conforms(mistaken, quantities=QUANTITIES, **ASKED)

def test_calls():
    with pytest.raises(AssertionError) as caught:
        assert_conforms(mistaken, quantities=QUANTITIES, **ASKED)
    calls = re.findall(r"got ([^ ]+) [(]0x.*\\n.*\\n +call:  (.*)\\n", str(caught.value))
    assert calls
    for got, call in calls:
        assert np.float32(float(eval(call)[0])) == np.float32(got)

def test_closures_of_one_name():
    def times(factor):
        def loss(prediction, label):
            return factor * right(prediction, label)
        return loss
    reports = [measure(times(factor), mode=MODE, quantities=["value"], **ASKED) for factor in (1, 2)]
    assert [report.conforms for report in reports] == [True, False]
"""


@pytest.mark.slow
@pytest.mark.parametrize("backend", PRELUDES)
def test_a_loss_of_a_framework_is_judged_in_the_tests_of_its_project(tmp_path: Path, backend: str) -> None:
    """A right loss passes with its gradient, a mistaken one fails, and the framework is left as it was.

    The calls in the text of the failure give what the text says.
    """
    modules = [
        *re.findall(r"^import (?!os)(\w+)", PRELUDES[backend], re.MULTILINE),
        *([backend[6:]] if backend.startswith("keras-") else []),
    ]
    outcomes, output = session(tmp_path, f"BACKEND = {backend!r}\n{PRELUDES[backend]}{PROJECT}", *modules)
    assert outcomes == {
        "test_right": "PASSED",
        "test_mistaken": "FAILED",
        "test_calls": "PASSED",
        "test_closures_of_one_name": "PASSED",
    }, output
    assert "mistaken does not conform: " in output
    assert f"measure(mistaken, form='logits', backend={backend!r}, cases=['hard-labels/" in output
    assert "api.py" not in output  # the frames of the suite are hidden


TORCH = """
import torch
from conformance import assert_conforms
from conformance.errors import HarnessError
import pytest

class Negated(torch.autograd.Function):
    @staticmethod
    def forward(ctx, value): return value.clone()
    @staticmethod
    def backward(ctx, gradient): return -gradient

def right(prediction, label):
    softplus = torch.nn.functional.softplus
    return label * softplus(-prediction, threshold=1000) + (1 - label) * softplus(prediction, threshold=1000)

def textbook(prediction, label):
    p = torch.sigmoid(prediction)
    return -(label * torch.log(p) + (1 - label) * torch.log(1 - p))

def detached(prediction, label):
    return right(prediction.detach(), label)

def negated(prediction, label):
    return Negated.apply(right(prediction, label))

@pytest.mark.parametrize("loss", [textbook, detached, negated], ids=lambda loss: loss.__name__)
def test_wrong(loss):
    assert_conforms(loss, form="logits", backend="torch", cases=["hard-labels", "extreme-predictions/logits-tail"])

def test_flushing():
    torch.set_flush_denormal(True)
    with pytest.raises(HarnessError, match="flushes subnormal"):
        assert_conforms(right, form="logits", backend="torch", cases=["soft-labels"])
    torch.set_flush_denormal(False)
"""


@pytest.mark.slow
def test_what_people_get_wrong_fails_with_its_cause(tmp_path: Path) -> None:
    """log(1 - p) by its value; a gradient that is cut off or of the wrong sign by the gradient, not by the value."""
    outcomes, output = session(tmp_path, TORCH, "torch")
    assert outcomes == {"test_wrong": "FAILED", "test_flushing": "PASSED"}, output
    assert "new torch/textbook/value/ordinary/inaccurate: " in output
    for name in ("detached", "negated"):
        causes = set(re.findall(rf"new torch/{name}/(\S+?)/", output))
        assert "gradient-prediction" in causes
        assert "value" not in causes
    assert "torch.func.grad(lambda prediction: negated(prediction, torch.tensor([" in output
