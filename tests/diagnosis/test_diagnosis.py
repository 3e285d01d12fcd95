"""What is diagnosed of the runs that ship: known facts about frameworks, each found from results alone."""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import pytest

from conformance.diagnosis.diagnosis import Diagnosis, Only, diagnose, same_formula
from conformance.diagnosis.vocabulary import Mechanism
from conformance.formulas.text import written
from tools.renew import kept_run
from tools.renew.diagnoses import suite

pytestmark = pytest.mark.slow


@cache
def found(name: str, implementation: str, quantity: str) -> dict[str, Diagnosis]:
    """The diagnoses of an implementation whose results have the dtype of its inputs, by that."""
    return {
        one.group.dtype: one
        for one in diagnose(kept_run(name), suite(), implementation, (quantity,))
        if one.group.dtype == one.group.result_dtype
    }


class Fact(NamedTuple):
    """What is known: the formula that is read in the source, the arithmetic, and a mechanism that shows."""

    run: str
    implementation: str
    quantity: str
    dtype: str
    formula: str
    arithmetic: str
    mechanism: Mechanism


LOGITS = "torch/nn.functional.binary_cross_entropy_with_logits"
TORCH = "(1 - y)*z - log_sigmoid(z)"
KERAS = "-(y*log(q) + (1 - y)*log(1 - q))"
EACH, KERNELS, INSIDE = "each step", "float32 in each kernel", "float32 inside"
M = Mechanism

FACTS = tuple(
    map(
        Fact._make,
        (
            ("pinned", f"{LOGITS}/eager/cpu", "value", "float32", TORCH, EACH, M.ABSORBED),
            ("pinned", f"{LOGITS}/eager/cpu", "value", "float64", TORCH, EACH, M.ABSORBED),
            ("pinned", f"{LOGITS}/eager/cpu", "gradient-prediction", "float32", "sigmoid(z) - y", EACH, M.SATURATED),
            (
                "pinned",
                f"{LOGITS}/eager/cpu",
                "gradient-prediction",
                "bfloat16",
                "sigmoid(z) - y",
                KERNELS,
                M.SATURATED,
            ),
            ("modes", f"{LOGITS}/compile/cpu", "value", "float16", TORCH, INSIDE, M.ABSORBED),
            ("modes", f"{LOGITS}/compile/cpu", "value", "bfloat16", TORCH, INSIDE, M.ABSORBED),
            (
                "pinned",
                "torch/nn.BCELoss/eager/cpu",
                "gradient-prediction",
                "float32",
                "1e-12",
                EACH,
                M.UNDOCUMENTED_CLAMP,
            ),
            (
                "pinned",
                "torch/nn.BCELoss/eager/cpu",
                "gradient-prediction",
                "float16",
                "1e-12",
                EACH,
                M.CLIP_WITHOUT_EFFECT,
            ),
            (
                "pinned",
                "keras-tensorflow/ops.binary_crossentropy/eager/cpu",
                "value",
                "float32",
                KERAS,
                EACH,
                M.ABSORBED,
            ),
            (
                "pinned",
                "keras-tensorflow/ops.binary_crossentropy/eager/cpu",
                "value",
                "bfloat16",
                KERAS,
                EACH,
                M.CLIP_WITHOUT_EFFECT,
            ),
            (
                "pinned",
                "tf-keras/backend.binary_crossentropy/eager/cpu",
                "value",
                "float32",
                "-(y*log(q + 1e-7) + (1 - y)*log(1 - q + 1e-7))",
                EACH,
                M.ABSORBED,
            ),
            (
                "pinned",
                "keras-jax/losses.binary_crossentropy/eager/cpu",
                "value",
                "float64",
                "clip",
                "float32",
                M.NARROWER_INTERMEDIATE,
            ),
            (
                "pinned",
                "jax/optax.losses.sigmoid_focal_loss/eager/cpu",
                "value",
                "float32",
                "exp",
                EACH,
                M.ZERO_TIMES_INFINITY,
            ),
            (
                "pinned",
                "tensorflow/nn.sigmoid_cross_entropy_with_logits/eager/cpu",
                "value",
                "float32",
                "log1p(exp(",
                EACH,
                M.FLUSHED,
            ),
        ),
    )
)


@pytest.mark.parametrize("fact", FACTS, ids=lambda fact: f"{fact.implementation} {fact.quantity} {fact.dtype}")
def test_a_known_fact_is_found_from_the_results_alone(fact: Fact) -> None:
    """The formula and its arithmetic, and among the mechanisms the one that is known."""
    one = found(fact.run, fact.implementation, fact.quantity)[fact.dtype]
    assert one.model is not None, one.identified.nearest
    formula = f"{one.model.name} {written(one.model.candidates[0].expression)}"
    assert fact.formula in formula
    assert fact.arithmetic in one.model.arithmetic.name
    assert fact.mechanism in {each.mechanism for example in one.examples for each in example.found}


def test_every_example_is_a_wrong_result_of_the_run_that_the_formula_gives_as_well() -> None:
    """Its error is beyond the budget with every step rounded, and within it with the guilty steps exact."""
    for one in found("pinned", f"{LOGITS}/eager/cpu", "value").values():
        assert one.examples
        for example in one.examples:
            guilt = example.guilt
            assert guilt.error > guilt.budget
            if guilt.sets and not guilt.by_formula:
                exact = guilt.evaluation.result([step.place for step in guilt.sets[0]])
                assert abs(float(exact) - float(guilt.ideal)) < abs(float(guilt.got) - float(guilt.ideal))


def test_an_alias_has_the_same_formula_and_another_loss_has_not() -> None:
    """BCEWithLogitsLoss is the function as a module; TensorFlow's loss is written otherwise."""
    one = found("pinned", f"{LOGITS}/eager/cpu", "value")["float32"]
    others = same_formula(one, kept_run("pinned"), suite())
    assert "torch/nn.BCEWithLogitsLoss/eager/cpu" in others
    assert "tensorflow/nn.sigmoid_cross_entropy_with_logits/eager/cpu" not in others
    assert f"{LOGITS}/eager/cpu" not in others


def test_only_the_case_that_is_asked_for_is_told() -> None:
    """In the dtypes in which it is wrong, with no other example; every result still tells the formula."""
    only = Only("extreme-predictions/logits-tail", "m9-y0")
    asked = diagnose(kept_run("pinned"), suite(), f"{LOGITS}/eager/cpu", ("value",), (), only)
    assert {one.group.dtype for one in asked} == {"float32", "float64", "float16", "bfloat16"}
    for one in asked:
        assert {(each.case, each.element) for each in one.examples} == {only}
        assert one.model is not None
        assert one.model.total > 200


def test_a_case_of_which_nothing_is_wrong_has_no_diagnosis() -> None:
    """Whatever else is."""
    only = Only("extreme-predictions/logits-tail", "m9-y1")
    assert diagnose(kept_run("pinned"), suite(), f"{LOGITS}/eager/cpu", ("value",), (), only) == []
