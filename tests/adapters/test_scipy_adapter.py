"""The compositions of SciPy's functions and scikit-learn's metric, called as a worker calls them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import reference
from conformance.adapters import Adapter, Implementation, load_builtin
from conformance.plan import cases
from conformance.plan.plan import Plan, make_plan
from conformance.run import run as runs

pytest.importorskip("scipy")

ROOT = Path(__file__).resolve().parents[2]

SCIPY, SKLEARN = load_builtin("scipy")

COMPOSITIONS = pytest.mark.parametrize("one", SCIPY.implementations, ids=lambda one: one.entry)

PREDICTIONS = {"probabilities": [1e-300, 0.1, 0.5, 0.75, 1 - 2.0**-53], "logits": [-700.0, -3.0, 0.0, 0.5, 30.0]}


def named(entry: str) -> Implementation:
    """The composition called `entry`."""
    return next(one for one in SCIPY.implementations if one.entry == entry)


@pytest.fixture(scope="module")
def log_loss() -> Any:
    """The call of the metric."""
    pytest.importorskip("sklearn")
    return SKLEARN.implementations[0].call


@pytest.fixture(scope="module")
def plan() -> Plan:
    """The plan of both adapters."""
    with runs.open_pool(runs.Options()) as pool:
        backends = [backend for backend in pool.discover() if backend.name in ("scipy", "sklearn")]
    suite = cases.load_suite(ROOT / "cases")
    return make_plan(suite, [one for backend in backends for one in backend.implementations])


@COMPOSITIONS
@pytest.mark.parametrize("label", [0.0, 1.0, 0.25])
def test_every_composition_is_the_loss_up_to_its_own_cancellation(one: Implementation, label: float) -> None:
    """Against the reference, relative to the prediction where a product with the label is subtracted."""
    if one.labels == "hard" and label == 0.25:
        pytest.skip("hard labels only")
    x = np.array(PREDICTIONS[one.form])
    got = one.call(x, np.full(x.shape, label))
    size = np.maximum(np.abs(x), 1.0) if one.form == "logits" else 1.0
    assert np.all(np.abs(got - reference.loss(one.form, x, label).hi) <= 1e-15 * (size + np.abs(got)))


@pytest.mark.parametrize("one", [one for one in SCIPY.implementations if one.derivatives], ids=lambda one: one.entry)
def test_the_derivative_of_the_logit_forms_is_that_of_the_loss(one: Implementation) -> None:
    """expit(z) - y, up to the rounding of the difference."""
    z = np.array(PREDICTIONS["logits"])
    got = one.derivatives["gradient-prediction"](z, np.full(z.shape, 0.25))
    assert np.all(np.abs(got - reference.gradient_prediction("logits", z, 0.25).hi) <= 2.0**-53)


@pytest.mark.parametrize(
    ("entry", "kept"), [("special.log_expit", True), ("special.softplus", False), ("logaddexp", False)]
)
def test_only_log_expit_keeps_the_tail_of_a_right_prediction(entry: str, kept: bool) -> None:
    """At z = 20, y = 1 in float32 the loss is 2.06e-9; z less z is 0."""
    got = named(entry).call(np.array([20.0], dtype=np.float32), np.ones(1, dtype=np.float32))
    assert got.dtype == np.float32
    np.testing.assert_allclose(got, [2.0611537e-09 if kept else 0.0], rtol=1e-6)


def test_xlogy_knows_zero_times_a_logarithm_of_zero_and_entropies_do_not_cancel_it() -> None:
    """Certain right predictions have the loss 0, not NaN; certain wrong ones are infinite."""
    p, y = np.array([0.0, 1.0, 0.0, 1.0]), np.array([0.0, 1.0, 1.0, 0.0])
    for entry in ("special.xlogy", "special.rel_entr", "stats.bernoulli.logpmf"):
        np.testing.assert_array_equal(named(entry).call(p, y), [0.0, 0.0, np.inf, np.inf])


def test_a_bernoulli_variable_has_no_soft_label() -> None:
    """Its probability of 0.5 is zero: the entry is a binary cross-entropy for the labels 0 and 1 only."""
    one = named("stats.bernoulli.logpmf")
    assert one.labels == "hard"
    assert one.call(np.array([0.5]), np.array([0.5])) == np.inf


def test_log_loss_has_no_unreduced_form_and_is_planned_reduced_only(plan: Plan) -> None:
    """What it lacks is counted as not offered, also in bfloat16."""
    planned = [one for one in plan.requests if one.implementation.adapter == "sklearn"]
    assert planned
    assert {one.case.reduction for one in planned} == {"mean", "sum"}
    assert {one.dtype for one in planned} == {"float64", "float32", "float16"}
    assert plan.not_offered["reduction"] > 0


def test_hard_label_entries_get_hard_labels_only(plan: Plan) -> None:
    """The entries that declare it."""
    hard = [one for one in plan.requests if one.implementation.labels == "hard"]
    assert {one.implementation.entry for one in hard} == {"stats.bernoulli.logpmf", "metrics.log_loss"}
    assert {float(label) for one in hard for label in one.inputs.values["label"]} == {0.0, 1.0}


def test_log_loss_is_the_mean_or_the_sum_as_a_float64(log_loss: Any) -> None:
    """It returns a Python float, whose bits travel as float64; a batch may lack a class."""
    p, y = np.array([0.25, 0.5, 0.75]), np.ones(3)
    losses = reference.loss("probabilities", p, y)
    for reduction, exact in (("mean", reference.exact_mean(losses)), ("sum", reference.exact_sum(losses))):
        got = log_loss(p, y, reduction=reduction)
        assert SKLEARN.runtime.bits(got).dtype == "float64"
        np.testing.assert_allclose(got, exact.hi, rtol=1e-15)


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.float16])
def test_log_loss_clips_at_the_machine_precision_of_the_prediction(log_loss: Any, dtype: Any) -> None:
    """As documented: [eps, 1 - eps], which no single pair of bounds says for all dtypes."""
    eps = np.finfo(dtype).eps
    wrong = log_loss(np.zeros(1, dtype), np.ones(1, dtype), reduction="sum")
    assert wrong == log_loss(np.full(1, eps), np.ones(1, dtype), reduction="sum")
    np.testing.assert_allclose(wrong, -np.log(float(eps)), rtol=float(eps))


def test_log_loss_divides_a_weighted_mean_by_the_sum_of_the_weights(log_loss: Any) -> None:
    """Unlike the mean of weighted losses of the other frameworks."""
    p, y, weight = np.full(2, 0.5), np.array([1.0, 0.0]), np.array([1.0, 0.0])
    np.testing.assert_allclose(log_loss(p, y, reduction="mean", weight=weight), np.log(2.0))
    np.testing.assert_allclose(log_loss(p, y, reduction="sum", weight=weight), np.log(2.0))


def test_log_loss_refuses_what_the_adapter_does_not_offer(log_loss: Any) -> None:
    """Soft labels by ValueError, bfloat16 by TypeError."""
    with pytest.raises(ValueError, match="y_true contains values"):
        log_loss(np.array([0.5]), np.array([0.5]), reduction="mean")
    bfloat16 = pytest.importorskip("ml_dtypes").bfloat16
    with pytest.raises(TypeError, match="bfloat16"):
        log_loss(np.array([0.5], bfloat16), np.array([1.0], bfloat16), reduction="mean")


@pytest.mark.parametrize("adapter", [SCIPY, SKLEARN], ids=lambda adapter: adapter.name)
def test_no_contract_is_claimed(adapter: Adapter) -> None:
    """SciPy documents special functions, no loss; the clip of the metric differs from dtype to dtype."""
    assert all(one.contract == () for one in adapter.implementations)
