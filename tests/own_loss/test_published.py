"""Losses that people publish, restated in NumPy: what is right passes as it is, and what is wrong is told first."""

from __future__ import annotations

import re
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from conformance import assert_conforms, diagnose, measure
from conformance.adapters.numpy import sigmoid_gradient
from conformance.cli import main
from conformance.contracts import Clip
from conformance.diagnosis.vocabulary import Mechanism
from conformance.errors import InputError
from conformance.own_loss.ideals import Exact, bce, log, maximum, sigmoid
from tests.builders import SOURCE
from tools.renew import ROOT


def of_logits(z: Any, y: Any) -> Any:
    """The loss of logits in float64, for any label."""
    with np.errstate(all="ignore"):
        one = np.where(y == 0, 0.0, y * np.logaddexp(0, -z))
        zero = np.where(y == 1, 0.0, (1 - y) * np.logaddexp(0, z))
        return one + zero


def of_probabilities(p: Any, y: Any) -> Any:
    """The loss of probabilities in float64, for any label."""
    with np.errstate(all="ignore"):
        one = np.where(y == 0, 0.0, -y * np.log(p))
        zero = np.where(y == 1, 0.0, -(1 - y) * np.log1p(-p))
        return one + zero


def wide(*arrays: Any) -> tuple[Any, ...]:
    """Arrays in float64, in which the results of float32 and float16 are right to less than an ULP."""
    return tuple(np.asarray(one).astype(np.float64) for one in arrays)


# -- masks -----------------------------------------------------------------------------------------------------------

MASKED: dict[str, Any] = {
    "form": "probabilities",
    "backend": "numpy",
    "dtypes": ["float16", "float32"],
    "cases": ["hard-labels", "reductions"],
    "options": ["weight"],
    "masks": True,
    "reductions": ["none", "mean", "sum"],
}


def masked(kept: bool) -> Callable[..., Any]:
    """A loss with a mask, whose mean is over the elements that are kept, or by mistake over all."""

    def loss(prediction: Any, label: Any, weight: Any = None, reduction: str = "none") -> Any:
        p, y, w = wide(prediction, label, np.ones_like(prediction) if weight is None else weight)
        losses = np.where(w == 0, 0.0, of_probabilities(p, y))
        if reduction == "none":
            return losses.astype(prediction.dtype)
        with np.errstate(all="ignore"):
            divisor = 1.0 if reduction == "sum" else w.sum() if kept else float(w.size)
            return np.asarray(losses.sum() / divisor).astype(prediction.dtype)

    return loss


def test_the_mean_over_what_a_mask_keeps_conforms_without_a_word_more() -> None:
    """A mask says what the mean divides by: who declares it has declared that."""
    assert_conforms(masked(kept=True), **MASKED)


def test_a_masked_mean_over_all_elements_is_wrong_in_every_case_that_masks_one() -> None:
    """One of them would be right by luck if cases divided by different numbers."""
    report = measure(masked(kept=False), **MASKED)
    assert {check.case for check in report.checks if check.findings and check.quantity == "value"} == {
        "reductions/mean-masked",
        "reductions/mean-weighted",
    }


# -- a wrong formula is told first -----------------------------------------------------------------------------------


def lossy(z: Any, y: Any) -> Any:
    """What many write down: log(1 + exp(-|z|)) in the dtype of the prediction, whose tail is lost."""
    with np.errstate(all="ignore"):
        return np.maximum(z, 0) - z * y + np.log(z.dtype.type(1) + np.exp(-np.abs(z)))


def half_smoothed(prediction: Any, label: Any, label_smoothing: float = 0.0) -> Any:
    """Smoothing that halves the label: (y + s) / 2 in place of y (1 - s) + s / 2."""
    y = (label + prediction.dtype.type(label_smoothing)) / 2 if label_smoothing else label
    return lossy(prediction, y).astype(prediction.dtype)


def weight_of_both(prediction: Any, label: Any, pos_weight: Any = 1.0) -> Any:
    """A pos_weight that multiplies both terms."""
    return (pos_weight * lossy(prediction, label)).astype(prediction.dtype)


@pytest.mark.parametrize("dtypes", [["float32", "float16"], ["float64"]])
@pytest.mark.parametrize(
    ("loss", "declared", "named", "factor"),
    [
        (half_smoothed, {"parameters": ["label_smoothing"]}, "label_smoothing", 6.3001234 / 4.5001234),
        (weight_of_both, {"options": ["pos_weight"]}, "pos_weight", None),
    ],
)
def test_a_wrong_formula_does_not_hide_behind_a_lost_tail(
    dtypes: list[str], loss: Any, declared: dict[str, Any], named: str, factor: float | None
) -> None:
    """What comes first is an example of the option that is wrong, by more than any tail has, with its number."""
    report = measure(loss, form="logits", backend="numpy", dtypes=dtypes, quantities=["value"], **declared)
    example = report.findings[0].example
    assert example is not None
    assert named in {**example.inputs, **example.parameters}
    got, ideal = float(example.got[0]), float(example.ideal)
    assert abs(got - ideal) > 0.01 * max(1.0, abs(ideal))
    if factor is not None:
        assert got / ideal == pytest.approx(factor, rel=1e-2)
    assert f"{named}=" in str(report).split("call: ")[0]


def test_each_option_and_parameter_that_a_cause_touches_has_an_example() -> None:
    """Two mistakes of one signature are one cause, and both are seen."""

    def both(prediction: Any, label: Any, pos_weight: Any = 1.0, label_smoothing: float = 0.0) -> Any:
        return (pos_weight * half_smoothed(prediction, label, label_smoothing)).astype(prediction.dtype)

    asked: dict[str, Any] = {"form": "logits", "backend": "numpy", "dtypes": ["float32"], "quantities": ["value"]}
    report = measure(both, options=["pos_weight"], parameters=["label_smoothing"], **asked)
    first = report.findings[0]
    assert {"pos_weight", "label_smoothing"} <= set(first.touching)
    for name, example in first.touching.items():
        assert name in {**example.inputs, **example.parameters}
    (other,) = first.others
    assert f"with {other}: " in str(report)


# -- means -----------------------------------------------------------------------------------------------------------

LOGITS: dict[str, Any] = {"form": "logits", "backend": "numpy"}


def mean(prediction: Any, label: Any) -> Any:
    """The loss as training code has it: one number for a batch."""
    z, y = wide(prediction, label)
    with np.errstate(all="ignore"):
        return np.asarray(of_logits(z, y).sum() / z.size).astype(prediction.dtype)


def test_a_loss_that_returns_its_mean_is_judged_element_by_element() -> None:
    """No keyword is handed to it, and every case of single elements is asked beside the means."""
    asked = {**LOGITS, "dtypes": ["float16"], "quantities": ["value"]}
    cases = ["hard-labels", "soft-labels", "extreme-predictions", "reductions"]
    assert_conforms(mean, reductions=["mean"], cases=cases, **asked)
    families = {one.family for one in measure(mean, reductions=["mean"], **asked).checks}
    assert {"hard-labels", "soft-labels", "extreme-predictions", "special-values", "reductions"} <= families


def test_a_mean_that_is_wrong_at_one_element_is_wrong_there() -> None:
    """An element in a call of its own is what is judged."""

    def lossy_mean(prediction: Any, label: Any) -> Any:
        return np.asarray(lossy(prediction, label).mean(), dtype=prediction.dtype)

    asked = {**LOGITS, "dtypes": ["float32"], "quantities": ["value"], "cases": ["extreme-predictions/logits-tail"]}
    (found,) = measure(lossy_mean, reductions=["mean"], **asked).findings
    assert found.example is not None
    assert float(found.example.got[0]) == 0.0


def test_a_mean_that_is_not_declared_is_told_how_to_declare_it() -> None:
    """The finding is a shape, and the word is `reductions`."""
    asked = {**LOGITS, "dtypes": ["float32"], "cases": ["hard-labels"]}
    with pytest.raises(AssertionError, match=r"hint: .*reductions=\['mean'\]"):
        assert_conforms(mean, **asked)


def test_a_mean_over_the_weights_is_told_how_to_declare_it() -> None:
    """A word on masks and on the contract stands beside the number."""
    asked = {key: value for key, value in MASKED.items() if key != "masks"}
    with pytest.raises(AssertionError, match=r"hint: .*masks=True"):
        assert_conforms(masked(kept=True), **{**asked, "cases": ["reductions/mean-weighted"]})


# -- another loss ----------------------------------------------------------------------------------------------------

ADAPTER = """
import numpy as np
from conformance.adapters import Adapter, Implementation

def bce(z, y):
    with np.errstate(all="ignore"):
        return np.maximum(z, 0) - z * y + np.log(1 + np.exp(-np.abs(z)))

def focal(prediction, label):
    with np.errstate(all="ignore"):
        p = 1 / (1 + np.exp(-prediction))
        return ((1 - p * label - (1 - p) * (1 - label)) ** 2 * bce(prediction, label)).astype(prediction.dtype)

def dice_and_bce(prediction, label):
    with np.errstate(all="ignore"):
        p = 1 / (1 + np.exp(-prediction))
        dice = 1 - (2 * p * label + 1) / (p + label + 1)
        return (bce(prediction, label) + dice).astype(prediction.dtype)

def inaccurate(prediction, label):
    return bce(prediction, label).astype(prediction.dtype)

adapters = [Adapter("mine", [Implementation("loss", "logits", {loss}, dtypes=("float32",))], backend="numpy")]
"""


@pytest.mark.parametrize(("loss", "accepted"), [("focal", False), ("dice_and_bce", False), ("inaccurate", True)])
def test_an_adapter_whose_loss_is_another_function_is_not_accepted(tmp_path: Path, loss: str, accepted: bool) -> None:
    """A focal loss with an exponent of its own, or a sum with another term; poor digits are another matter."""
    file = tmp_path / "mine.py"
    file.write_text(ADAPTER.format(loss=loss))
    done = CliRunner().invoke(main, ["adapters", "check", str(file)])
    assert ("at most inputs it is no binary cross-entropy" not in done.stdout) is accepted, done.output
    assert (done.exit_code == 0) is accepted, done.output


# -- an ideal of one's own -------------------------------------------------------------------------------------------

HALF: dict[str, Any] = {**LOGITS, "dtypes": ["float16"], "quantities": ["value"]}


def test_binary_cross_entropy_as_an_ideal_of_ones_own_gives_the_verdicts_of_the_suite() -> None:
    """Arb and a chain rule on one side, double-double and closed forms on the other: value and gradient alike."""

    def ideal(z: Exact, y: Fraction) -> Exact:
        return y * log(1 + 1 / (sigmoid(z) / (1 - sigmoid(z)))) + (1 - y) * -log(1 - sigmoid(z))

    asked: dict[str, Any] = {**LOGITS, "dtypes": ["float32"], "derivatives": {"gradient-prediction": sigmoid_gradient}}
    asked["without_flags"] = ["shape"]
    suites, own = (
        {
            (check.id, element): verdict
            for check in measure(lossy, **asked, **given).checks
            if check.quantity in ("value", "gradient-prediction")
            for element, verdict in zip(check.elements, check.verdicts or [check.verdict] * 99, strict=False)
        }
        for given in ({}, {"ideal": ideal})
    )
    assert set(own) < set(suites)
    assert {place: suites[place] for place in own} == own
    assert {"conforms", "deviates"} <= set(own.values())


def focal(gamma: float, alpha: float) -> Callable[..., Any]:
    """torchvision's sigmoid_focal_loss with an exponent of one's own, in float64."""

    def loss(prediction: Any, label: Any) -> Any:
        z, y = wide(prediction, label)
        p = 1 / (1 + np.exp(-z))
        miss = p * (1 - y) + y / (1 + np.exp(z))
        return ((alpha * y + (1 - alpha) * (1 - y)) * miss**gamma * of_logits(z, y)).astype(prediction.dtype)

    return loss


@pytest.mark.parametrize("gamma", [1.5, 0.75, 0.5])
def test_a_focal_exponent_that_is_no_integer_is_judged(gamma: float) -> None:
    """The right exponent passes and one beside it fails, at its first ordinary number."""

    def ideal(z: Exact, y: Fraction) -> Exact:
        p, rest = sigmoid(z), sigmoid(-z)
        return (y / 4 + 3 * (1 - y) / 4) * (y * rest + (1 - y) * p) ** gamma * -(y * log(p) + (1 - y) * log(rest))

    assert_conforms(focal(gamma, 0.25), ideal=ideal, without_flags=["shape"], **HALF)
    report = measure(focal(gamma + 0.25, 0.25), ideal=ideal, without_flags=["shape"], **HALF)
    assert report.findings[0].in_sight


def asymmetric(margin: float, positive: float, negative: float) -> Callable[..., Any]:
    """The asymmetric loss of Ben-Baruch et al. (2020), equation 7: two exponents, and a margin for negatives."""

    def loss(prediction: Any, label: Any) -> Any:
        p, y = wide(prediction, label)
        with np.errstate(all="ignore"):
            shifted = np.maximum(p - margin, 0)
            one = np.where(y == 0, 0.0, -y * (1 - p) ** positive * np.log(p))
            zero = np.where(y == 1, 0.0, -(1 - y) * shifted**negative * np.log1p(-shifted))
            return (one + zero).astype(prediction.dtype)

    return loss


def asymmetric_ideal(p: Exact, y: Fraction) -> Exact:
    """The same with margin 0.05 and the exponents 1 and 4."""
    shifted = maximum(p - 0.05, 0)
    return -(y * (1 - p) * log(p) + (1 - y) * shifted**4 * log(1 - shifted))


def test_exponents_by_class_and_a_margin_are_judged() -> None:
    """A margin that is half as wide is told by a number, not by an option that no case has."""
    asked = {**HALF, "form": "probabilities", "without_flags": ["shape"], "ideal": asymmetric_ideal}
    assert_conforms(asymmetric(0.05, 1, 4), **asked)
    assert not measure(asymmetric(0.025, 1, 4), **asked).conforms
    assert not measure(asymmetric(0.05, 1, 3), **asked).conforms


def test_another_definition_of_smoothing_is_judged() -> None:
    """y (1 - s) + s q with a prior q, in place of s / 2."""

    def smoothed(prediction: Any, label: Any, label_smoothing: float = 0.0) -> Any:
        z, y = wide(prediction, label)
        return of_logits(z, y * (1 - label_smoothing) + label_smoothing * 0.75).astype(prediction.dtype)

    def ideal(z: Exact, y: Fraction, label_smoothing: Fraction = Fraction(0)) -> Exact:
        return bce(sigmoid(z), y * (1 - label_smoothing) + label_smoothing * Fraction(3, 4))

    asked: dict[str, Any] = {**HALF, "cases": ["options/label-smoothing*"], "parameters": ["label_smoothing"]}
    assert_conforms(smoothed, ideal=ideal, **asked)
    assert not measure(smoothed, **asked).conforms


def test_a_sum_with_another_term_that_returns_its_mean_is_judged() -> None:
    """Binary cross-entropy and Dice over the batch: of one element that is a function of prediction and label."""

    def dice_and_bce(prediction: Any, label: Any) -> Any:
        p, y = wide(prediction, label)
        dice = 1 - (2 * (p * y).sum() + 1) / (p.sum() + y.sum() + 1)
        return np.asarray(of_probabilities(p, y).mean() + dice).astype(prediction.dtype)

    def ideal(p: Exact, y: Fraction) -> Exact:
        return bce(p, y) + 1 - (2 * p * y + 1) / (p + y + 1)

    asked = {**HALF, "form": "probabilities", "without_flags": ["shape", "reduction"], "reductions": ["mean"]}
    assert_conforms(dice_and_bce, ideal=ideal, **asked)
    assert not measure(dice_and_bce, **asked).conforms


PAGE = (ROOT / "docs/own-loss.md").read_text(encoding="utf-8").partition("## Losses as people have them")[2]
SECTIONS = re.findall(r"### (.+?)\n(.*?)(?=\n##)", PAGE.partition("\n## ")[0] + "\n##", re.DOTALL)


@pytest.mark.parametrize(("title", "text"), SECTIONS, ids=[title for title, _ in SECTIONS])
def test_what_the_page_shows_conforms_and_fits_into_twenty_lines(title: str, text: str) -> None:
    """Run as it stands; a loss that is scaled by a thousandth does not conform in its place."""
    (code,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    assert len(code.splitlines()) <= 20
    words = {"np": np, "Fraction": Fraction, "of_probabilities": of_probabilities, "assert_conforms": assert_conforms}
    words |= {"log": log, "maximum": maximum, "bce": bce, "FLOAT32": {"backend": "numpy", "dtypes": ["float32"]}}
    exec(code, dict(words))

    def scaled(loss: Any, **given: Any) -> None:
        other = lambda *of, **named: (loss(*of, **named) * 1.001).astype(of[0].dtype)  # noqa: E731
        assert not measure(other, **given).conforms

    exec(code, words | {"assert_conforms": scaled})


def test_the_page_shows_every_kind_of_loss() -> None:
    """Seven of them."""
    assert len(SECTIONS) == 7


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"ideal": 3}, "the ideal must be callable"),
        ({"ideal": lambda z, y: np.log(z)}, "ideal raised TypeError for prediction="),
        ({"ideal": lambda z, y: z, "contract": (Clip("1e-7", "0.9999999", SOURCE),)}, "exclude each other"),
    ],
)
def test_an_ideal_that_cannot_be_evaluated_is_told(arguments: dict[str, Any], said: str) -> None:
    """With the input at which it fails."""
    with pytest.raises(InputError, match=said):
        measure(lossy, **HALF, **arguments)


# -- why -------------------------------------------------------------------------------------------------------------


def sigmoid_textbook(prediction: Any, label: Any) -> Any:
    """What loses a prediction of 20."""
    with np.errstate(all="ignore"):
        s = 1 / (1 + np.exp(-prediction))
        return -(label * np.log(s) + (1 - label) * np.log(1 - s))


def without_a_model(prediction: Any, label: Any) -> Any:
    """No formula: noise of one part in a hundred, the same for the same inputs."""
    with np.errstate(all="ignore"):
        z, y = np.float64(prediction), np.float64(label)
        loss = np.maximum(z, 0) - z * y + np.log1p(np.exp(-np.abs(z)))
        return (loss * (1 + 0.01 * np.sin(1e6 * (z + 3 * y)))).astype(prediction.dtype)


@pytest.mark.slow
def test_the_formula_and_the_mechanism_of_a_loss_of_ones_own_are_told() -> None:
    """As text and as data."""
    found = diagnose(sigmoid_textbook, form="logits", backend="numpy", dtypes=["float32"], quantities=["value"])
    assert found
    assert "-(y*log(sigmoid(z)) + (1 - y)*log(1 - sigmoid(z)))" in str(found)
    assert Mechanism.SATURATED in found.found[0].mechanisms


@pytest.mark.slow
def test_a_loss_that_no_formula_gives_is_unidentified() -> None:
    """And no mechanism is claimed."""
    found = diagnose(without_a_model, form="logits", backend="numpy", dtypes=["float32"], quantities=["value"])
    assert found
    assert all(one.model is None and one.examples == () for one in found.found)
    assert "unidentified" in str(found)
