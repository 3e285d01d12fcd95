"""Remedies: the same mathematics as what is to blame, by an oracle of its own, and better in numbers."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import reference
from conformance.diagnosis.guilty import guilty
from conformance.diagnosis.regression import regression_test, worst_places
from conformance.diagnosis.remedy import BUDGET, Remedy, cures, domain, largest_error, remedies
from conformance.formulas.arithmetic import EACH, Arithmetic, arithmetics
from conformance.formulas.catalogue import Options, candidates
from conformance.formulas.evaluate import emulated
from conformance.formulas.exact import PartlyExact, Steps, exact
from conformance.formulas.expression import absolute, exp, log, log1p, maximum, minimum, var
from conformance.formulas.library import LOG_SIGMOID, SIGMOID, SOFTPLUS
from conformance.formulas.source import source
from conformance.sweep.remedied import REMEDY, TODAY, adapter_file, measured
from tests.projects import ROOT

z, p, y, w, c = map(var, "zpywc")

ORACLE: dict[str, Any] = {
    "value": reference.loss,
    "gradient-prediction": reference.gradient_prediction,
    "gradient-label": reference.gradient_label,
    "second-derivative": reference.second_derivative,
}
#: PyTorch's formula for logits, and what its own backward pass computes.
TORCH, TORCH_GRADIENT = (1 - y) * z - LOG_SIGMOID(z), SIGMOID(z) - y


def the(found: tuple[Remedy, ...]) -> Remedy:
    """The first remedy; there is one."""
    assert found
    return found[0]


def named(form: str, quantity: str, name: str, options: Options | None = None) -> Any:
    """A formula of the catalogue."""
    (found,) = (one for one in candidates(form, quantity, options or Options()) if one.name == name)
    return found.expression


@pytest.mark.parametrize("rules", ["plain", "torch", "tensorflow", "jax"])
@pytest.mark.parametrize("quantity", ["value", "gradient-prediction", "second-derivative", "gradient-label"])
@pytest.mark.parametrize("options", [Options(), Options(weight=True), Options(pos_weight=True)], ids=str)
def test_a_remedy_of_logits_and_its_derivatives_are_exact_mathematics(
    options: Options, quantity: str, rules: str
) -> None:
    """By the reference, at 0 too, where |z| and max(z, 0) have the derivatives that a framework likes."""
    blamed = log1p(exp(z)) - z * y if not options.pos_weight else (1 - y) * z + (1 + (c - 1) * y) * SOFTPLUS(-z)
    blamed = blamed * w if options.weight else blamed
    remedy = the(remedies(blamed, "logits", "value", options))
    remedy = Remedy(**{**vars(remedy), "quantity": quantity, "differentiated": quantity != "value"})
    x, labels = np.meshgrid([-100.0, -9.5, -1.0, -1e-3, 0.0, 1e-5, 0.5, 17.25, 80.0], [0.0, 0.25, 1.0])
    given = {"z": x.ravel(), "y": labels.ravel(), "w": np.full(27, 0.75), "c": np.full(27, 2.5)}
    asked = {name: given[key] for name, key in (("weight", "w"), ("pos_weight", "c")) if getattr(options, name)}
    expected = ORACLE[quantity]("logits", given["z"], given["y"], **asked).hi
    found = [float(one) for one in exact(remedy.derived(rules), {key: one.tolist() for key, one in given.items()})]
    np.testing.assert_allclose(found, expected, rtol=4e-16, atol=1e-300)


def test_what_subtracts_the_linear_term_is_remedied_by_a_sum() -> None:
    """torch's formula at z = -20 with the label 0: 9 million ULP."""
    remedy = the(remedies(TORCH, "logits", "value"))
    assert largest_error(TORCH, remedy, "float32") > 1e6
    assert largest_error(remedy.formula, remedy, "float32") < BUDGET


@pytest.mark.parametrize(
    ("form", "blamed"),
    [
        ("logits", log1p(exp(z)) - z * y),
        ("logits", -(y * log(SIGMOID(z)) + (1 - y) * log(1 - SIGMOID(z)))),
        ("probabilities", -(y * log(p) + (1 - y) * log(1 - p))),
        ("probabilities", named("probabilities", "value", "clip by 1e-7, log and log(1 - q)")),
        ("probabilities", named("probabilities", "value", "clip by 1e-7, log(q + 1e-7) and log(1 - q + 1e-7)")),
        ("probabilities", named("probabilities", "value", "log(p + 1e-7) and log(1 - p + 1e-7)")),
        ("logits", named("logits", "value", "sigmoid, clip, log and log(1 - q)")),
    ],
    ids=str,
)
def test_a_formula_that_loses_digits_has_a_remedy_within_the_budget_in_float32(form: str, blamed: Any) -> None:
    """Each has an error of more than a thousand ULP today."""
    remedy = the(remedies(blamed, form, "value"))
    assert largest_error(blamed, remedy, "float32") > 1000
    assert largest_error(remedy.formula, remedy, "float32") <= BUDGET


@pytest.mark.parametrize("quantity", ["value", "gradient-prediction"])
def test_a_formula_that_is_right_has_no_remedy(quantity: str) -> None:
    """Two terms of one sign: there is nothing to mend."""
    name = "-(y*log_sigmoid(z) + (1 - y)*log_sigmoid(-z))"
    name = name if quantity == "value" else f"dL/dx of {name}, by torch"
    assert remedies(named("logits", quantity, name), "logits", quantity) == ()


@pytest.mark.parametrize(
    "other",
    [
        (1 - y) * z + LOG_SIGMOID(z),
        (1 - 2 * y) * z - LOG_SIGMOID(z),
        maximum(z, 0) - z * y + log1p(exp(-absolute(z))) + 1e-12,
        minimum((1 - y) * z - LOG_SIGMOID(z), 50),
        log1p(exp((1 - 2 * y) * z)),
    ],
    ids=str,
)
def test_a_formula_of_another_mathematics_has_no_remedy(other: Any) -> None:
    """A wrong term, a constant too much, a limit: the formula would be changed, not mended."""
    assert remedies(other, "logits", "value") == ()


def test_a_gradient_kernel_has_the_loss_and_a_kernel_as_remedies() -> None:
    """A framework that differentiates takes the first, one that wrote its backward pass by hand the second."""
    found = remedies(TORCH_GRADIENT, "logits", "gradient-prediction")
    assert [one.differentiated for one in found] == [True, False]
    for one, rules in product(found, ("torch", "tensorflow", "jax")):
        assert largest_error(one.derived(rules), one, "float32") <= BUDGET


def test_a_clipped_probability_of_0_has_the_gradient_0() -> None:
    """In 16 bits too, where 1 - 1e-7 is 1: today's formula gives NaN there."""
    blamed = named("probabilities", "gradient-prediction", "dL/dx of clip by 1e-7, log and log(1 - q), by torch")
    remedy = the(remedies(blamed, "probabilities", "gradient-prediction"))
    ends = {"p": np.array([0.0, 1.0, 0.0, 1.0]), "y": np.array([0.0, 0.0, 1.0, 1.0])}
    for dtype, rules in product(("float32", "float16", "bfloat16"), ("torch", "tensorflow", "jax")):
        assert emulated(remedy.derived(rules), ends, arithmetics(dtype, dtype)[0]).tolist() == [0.0] * 4


def test_a_focal_factor_of_gamma_0_is_left_out() -> None:
    """Its derivative is 0 times infinity where 1 - p_t is 0."""
    options = Options(gamma="0.0")
    names = [one.name for one in candidates("logits", "gradient-prediction", options) if "max(z, 0)" in one.name]
    blamed = named("logits", "gradient-prediction", names[0], options)
    remedy = the(remedies(blamed, "logits", "gradient-prediction", options))
    sure = {"z": np.array([200.0, -200.0]), "y": np.array([1.0, 0.0])}
    assert np.all(emulated(remedy.derived("torch"), sure, arithmetics("float32", "float32")[0]) == 0)


# ----------------------------------------------------------------------------------------------------- frameworks


def needs(*names: str) -> None:
    """Skip where a framework is not installed."""
    for name in names:
        if importlib.util.find_spec(name) is None:
            pytest.skip(f"needs {name}")


def run_test(folder: Path, remedy: Remedy, style: str, name: str, framework: str) -> int:
    """Exit code of the regression test on the formula of today or on the remedy."""
    code = adapter_file(remedy, framework)
    (folder / "losses.py").write_text(code[: code.index("adapters = ")])
    test = regression_test(remedy, style, f"from losses import {name}", name)
    (folder / "test_loss.py").write_text(test)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_loss.py"]
    environment = {"PYTHONPATH": str(ROOT), "PATH": "", "KERAS_BACKEND": framework, "TF_CPP_MIN_LOG_LEVEL": "3"}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert "rror while" not in done.stdout, done.stdout
    return done.returncode


@pytest.mark.slow
@pytest.mark.parametrize("quantity", ["value", "gradient-prediction"])
@pytest.mark.parametrize(
    ("style", "framework"), [("torch", "torch"), ("tensorflow", "tensorflow"), ("jax", "jax"), ("keras", "torch")]
)
def test_the_regression_test_fails_before_and_passes_after(
    style: str, framework: str, quantity: str, tmp_path: Path
) -> None:
    """In the style of each project, with the loss and with its gradient by the framework's own differentiation."""
    needs(style, framework)
    if (style, quantity) == ("keras", "gradient-prediction"):
        pytest.skip("Keras has no differentiation of its own")
    remedy = the(remedies(TORCH if quantity == "value" else TORCH_GRADIENT, "logits", quantity))
    assert run_test(tmp_path, remedy, style, TODAY, framework) == 1
    assert run_test(tmp_path, remedy, style, REMEDY, framework) == 0


def test_the_places_of_a_regression_test_are_where_today_is_wrong() -> None:
    """And what is expected there is the loss, rounded: log1p(exp(z)) by the reference."""
    place = worst_places(the(remedies(TORCH, "logits", "value")))
    exactly = reference.loss("logits", np.array(place.prediction), np.array(place.label)).hi
    assert place.dtype == "float32"
    assert place.expected == tuple(exactly.astype(np.float32).astype(np.float64).tolist())


@pytest.mark.slow
def test_measured_says_what_a_remedy_is_worth() -> None:
    """bfloat16 predictions in (-32, -8], two binades, with all labels in [0, 1]."""
    needs("torch")
    remedy = the(remedies(TORCH, "logits", "value"))
    positions = (0x7F80 + 0x4100, 0x7F80 + 0x4200)
    found = measured(remedy, "torch", {"bfloat16": None}, positions=positions)
    (proved,) = found.proved
    assert proved.points == found.changed + found.kept == 256 * (0x3F80 + 1)
    assert proved.before["ideal"] > 100 > BUDGET > proved.after["ideal"]
    assert found.changed > 0 < found.kept
    assert min(found.today.forward, found.remedy.forward) > 0
    assert found.remedy.backward > found.remedy.forward


def test_an_adapter_file_has_both_formulas_side_by_side() -> None:
    """As source, so that `bce-conformance sweep --adapter` takes it."""
    remedy = the(remedies(TORCH_GRADIENT, "logits", "gradient-prediction"))
    code = adapter_file(remedy, "jax")
    assert "return jax.lax.stop_gradient(slope_of_today(z, y)) * z" in code
    assert source(remedy.formula, "jax", REMEDY) in code


def test_what_no_sweep_can_try_is_refused() -> None:
    """A sweep has a prediction and a label."""
    weighted = the(remedies(TORCH * w, "logits", "value", Options(weight=True)))
    with pytest.raises(ValueError, match="and no w"):
        adapter_file(weighted, "torch")


def test_a_remedy_cures_what_cancels_and_not_what_is_flushed() -> None:
    """The same formula under two arithmetics: where exp is flushed, another sum of it changes nothing."""
    plain = Arithmetic(name=EACH, inputs="float32", step="float32", inside="float32", result="float32")
    remedy = the(remedies(TORCH, "logits", "value"))
    for arithmetic, at, cured in ((plain, -20.0, True), (replace(plain, flush=True, daz=True), -89.0, False)):
        inputs = {"z": at, "y": 0.0}
        ideal = float(reference.loss("logits", at, 0.0).hi)
        blamed = guilty(PartlyExact(Steps(TORCH, arithmetic), inputs), ideal, BUDGET)
        assert cures(remedy, blamed) is cured


def test_a_remedy_of_torchs_loss_is_the_same_for_every_label_and_with_both_options() -> None:
    """Both are linear in the label, and the catalogue has PyTorch's formula with pos_weight."""
    remedy = the(remedies(TORCH, "logits", "value"))
    found = domain(remedy, ("(1 - y)*z - log_sigmoid(z)",))
    assert found.every_label
    assert found.weight is not None
    assert found.pos_weight is not None
    places = {"z": [-3.0, 2.5, 40.0], "y": [0.25, 1.5, 0.0], "c": [2.75, 0.5, 3.0]}
    for got, z_, y_, c_ in zip(exact(found.pos_weight, places), *places.values(), strict=True):
        right = float(reference.loss("logits", z_, y_, pos_weight=c_).hi)
        assert float(got) == pytest.approx(right, rel=1e-15)


def test_a_remedy_of_what_takes_the_size_of_a_label_is_the_same_in_the_unit_interval_only() -> None:
    """|y| is y there."""
    size = absolute(y)
    remedy = the(remedies((1 - size) * z - LOG_SIGMOID(z), "logits", "value"))
    assert not domain(remedy, ()).every_label


def test_a_formula_that_has_no_pos_weight_has_no_remedy_with_it() -> None:
    """The loss of probabilities."""
    textbook = named("probabilities", "value", "log and log(1 - p)")
    found = domain(the(remedies(textbook, "probabilities", "value")), ("log and log(1 - p)",))
    assert found.pos_weight is None
    assert found.weight is not None
