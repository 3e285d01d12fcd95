"""The JAX adapter: what its execution modes compute, its switches, and known reports."""

from __future__ import annotations

import importlib.util
import json
import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from conformance.adapters import load_builtin
from tests.evaluations import Results, array, call, evaluate, numbers, tensor

ROOT = Path(__file__).resolve().parents[2]

LOGITS = tensor(-3.0, -0.5, 0.0, 0.25, 7.0)
PROBABILITIES = tensor(0.1, 0.3, 0.5, 0.7, 0.9)
LABELS = tensor(0.0, 1.0, 0.0, 1.0, 1.0)

BCE = "optax.sigmoid_binary_cross_entropy"
FOCAL = "optax.losses.sigmoid_focal_loss"

QUANTITIES = ("value", "gradient-prediction", "second-derivative")

ADAPTERS = {adapter.name: adapter for adapter in load_builtin("jax")}


def calls_in_every_mode() -> dict[str, Any]:
    """Every implementation of the adapter "jax" on hard labels, for each quantity."""
    calls = {}
    for one in ADAPTERS["jax"].implementations:
        prediction = LOGITS if one.form == "logits" else PROBABILITIES
        for quantity in QUANTITIES:
            calls[f"{one.key} {quantity}"] = call(one.key, quantity, prediction=prediction, label=LABELS)
    return calls


def special_calls() -> dict[str, Any]:
    """Calls that single tests are about."""
    tails = {"prediction": tensor(20.0), "label": tensor(1.0)}
    focal = {"prediction": LOGITS, "label": LABELS, "gamma": 2.0}
    return {
        "tail": call("optax.losses.softmax_cross_entropy[two-class]/eager/cpu", **tails),
        "infinite": call(f"{BCE}/eager/cpu", prediction=tensor(math.inf), label=tensor(1.0)),
        "soft": call("scipy.stats.bernoulli.logpmf/eager/cpu", prediction=tensor(0.3), label=tensor(0.5)),
        "focal": call(f"{FOCAL}/jit/cpu", **focal),
        "focal-3": call(f"{FOCAL}/jit/cpu", **dict(focal, gamma=3.0)),
        "balanced": call(f"{FOCAL}/jit/cpu", **focal, alpha=0.25),
        "focal-outside": call(f"{FOCAL}/eager/cpu", prediction=tensor(-3.0), label=tensor(-2.0)),
        "broadcast": call(f"{BCE}/eager/cpu", prediction=tensor([[1.0], [2.0], [3.0]]), label=tensor(1.0, 0.0, 1.0)),
        "broadcast-jvp": call(
            f"{BCE}/jvp/cpu", "gradient-label", prediction=tensor([[1.0], [2.0]]), label=tensor(1.0, 0.0)
        ),
        "broadcast-vjp": call(
            f"{BCE}/eager/cpu", "gradient-label", prediction=tensor([[1.0], [2.0]]), label=tensor(1.0, 0.0)
        ),
        "double": call(f"{BCE}/eager/cpu", prediction=tensor(0.1, dtype="float64"), label=tensor(1.0, dtype="float64")),
        "sigmoid": call("formula/eager/cpu", prediction=tensor(0.0, 3.0, producer="sigmoid"), label=tensor(1.0, 0.0)),
        "softmax": call(
            "formula/eager/cpu",
            prediction=tensor(0.0, 3.0, producer="softmax"),
            label=tensor([[0.0, 1.0], [1.0, 0.0]]),
        ),
    }


@pytest.fixture(scope="module")
def run() -> Results:
    """All calls, in one process."""
    answered = evaluate("jax", "jax", calls_in_every_mode() | special_calls())
    if "absent" in answered:
        pytest.skip(answered["absent"])
    return answered


@pytest.mark.parametrize("mode", ["jit", "vmap", "jvp"])
def test_every_mode_computes_what_eager_computes(run: Results, mode: str) -> None:
    """Within a few roundings, for the value and both derivatives of every entry."""
    names = [name for name in run["answers"] if f"/{mode}/cpu " in name]
    assert len(names) == len(QUANTITIES) * 6
    for name in names:
        eager = array(run["answers"][name.replace(f"/{mode}/", "/eager/")])
        np.testing.assert_allclose(array(run["answers"][name]), eager, rtol=1e-5, atol=1e-7, err_msg=name)


def test_every_mode_has_every_entry() -> None:
    """A mode that lost an entry would be counted as not offered, and nobody would notice."""
    entries = {one.entry for one in ADAPTERS["jax"].implementations}
    for mode in ("eager", "jit", "vmap", "jvp"):
        assert {one.entry for one in ADAPTERS["jax"].implementations if one.mode == mode} == entries


#: What the stages of jit make of a product that a number of the dtype is taken from.
STAGES = """
import json
import numpy as np
from conformance.adapters import Implementation, load_builtin
from conformance.numbers.formats import decode, encode

runtime = load_builtin("jax")[0].runtime
runtime.open()

def rest(mode, dtype, factor, product):
    one = Implementation("rest", "logits", lambda prediction, label: prediction * prediction - label, mode=mode)
    values = {"prediction": factor, "label": product}
    arguments = {name: runtime.tensor(encode(np.array([value]), dtype)) for name, value in values.items()}
    return decode(runtime.bits(runtime.evaluate(one, "value", arguments))).item()

print("ANSWER " + json.dumps({
    mode: [rest(mode, "float32", 1 + 2.0**-12, 1 + 2.0**-11), rest(mode, "bfloat16", 1 + 2.0**-4, 1 + 2.0**-3)]
    for mode in ("rounded", "unfused", "jit")
}))
"""


@pytest.mark.skipif(importlib.util.find_spec("jax") is None, reason="jax is not installed")
def test_the_first_stage_of_jit_rounds_every_operation_and_fusion_is_the_last() -> None:
    """The square of 1 + e is 1 + 2e, rounded; what was rounded off, e^2, is left where nothing was rounded.

    A product and a sum are one instruction where the processor has such a one, and 16 bits are computed in float32
    where it has none of its own: the later stages may leave it, and the first must not.
    """
    done = subprocess.run([sys.executable, "-c", STAGES], cwd=ROOT, capture_output=True, text=True, check=True)
    (line,) = (one for one in done.stdout.splitlines() if one.startswith("ANSWER "))
    seen = json.loads(line.removeprefix("ANSWER "))
    assert seen["rounded"] == [0, 0]
    assert seen["unfused"][0] == 0
    assert seen["unfused"][1] in (0, 2**-8)
    assert seen["jit"][0] in (0, 2**-24)
    assert seen["jit"][1] in (0, 2**-8)


def test_every_counterpart_is_an_entry_of_the_other_form() -> None:
    """It is looked up in the same adapter and mode."""
    for adapter in ADAPTERS.values():
        known = {one.key: one.form for one in adapter.implementations}
        for one in adapter.implementations:
            if one.counterpart:
                assert known[f"{one.counterpart}/{one.mode}/{one.device}"] != one.form


def test_gamma_is_zero_unless_a_case_sets_it(run: Results) -> None:
    """Optax's own default is 2; with 0 the focal loss is a binary cross-entropy."""
    plain = array(run["answers"][f"{FOCAL}/eager/cpu value"])
    np.testing.assert_allclose(plain, array(run["answers"][f"{BCE}/eager/cpu value"]), rtol=1e-6)


def test_parameters_reach_a_compiled_loss_that_was_compiled_with_others(run: Results) -> None:
    """gamma 2, gamma 3 and gamma 2 with alpha are three programs: a shared one would repeat the first one's result."""
    p = 1 / (1 + np.exp(-np.array(LOGITS["values"])))
    y = np.array(LABELS["values"])
    right = np.where(y == 1, p, 1 - p)
    for name, expected in (
        ("focal", -((1 - right) ** 2) * np.log(right)),
        ("focal-3", -((1 - right) ** 3) * np.log(right)),
        ("balanced", -np.where(y == 1, 0.25, 0.75) * (1 - right) ** 2 * np.log(right)),
    ):
        np.testing.assert_allclose(array(run["answers"][name]), expected, rtol=2e-5, err_msg=name)


def test_forward_mode_sums_over_a_broadcast_as_reverse_mode_does(run: Results) -> None:
    """Where result and variable have different shapes one direction does not give all derivatives."""
    np.testing.assert_allclose(
        array(run["answers"]["broadcast-jvp"]), array(run["answers"]["broadcast-vjp"]), rtol=1e-6
    )


def test_float64_is_float64(run: Results) -> None:
    """Without the switch JAX would round it to float32."""
    assert run["answers"]["double"]["dtype"] == "float64"
    assert math.isclose(numbers(run["answers"]["double"])[0], math.log1p(math.exp(-0.1)), rel_tol=1e-15)
    assert run["environment"]["x64"] == "True"


def test_produced_probabilities_are_those_of_the_logits(run: Results) -> None:
    """softmax of [0, z] is [1 - sigmoid(z), sigmoid(z)]."""
    np.testing.assert_allclose(array(run["answers"]["sigmoid"]), [math.log(2), math.log1p(math.exp(3))], rtol=1e-6)
    expected = [math.log(2), math.log(2), math.log1p(math.exp(3)), math.log1p(math.exp(3))]
    np.testing.assert_allclose(array(run["answers"]["softmax"]), expected, rtol=1e-6)


def test_optax_broadcasts_columns_against_rows(run: Results) -> None:
    """https://github.com/google-deepmind/optax/issues/1408: (3, 1) against (3,) gives (3, 3)."""
    assert run["answers"]["broadcast"]["shape"] == [3, 3]


def test_optax_gives_nan_at_an_infinite_logit(run: Results) -> None:
    """https://github.com/google-deepmind/optax/pull/431: 0 · inf, where the limit is 0."""
    assert math.isnan(numbers(run["answers"]["infinite"])[0])


def test_the_softmax_loss_of_two_classes_loses_its_tail(run: Results) -> None:
    """At z = 20, y = 1 the loss is 2.06e-9; log_softmax rounds it away, unlike the sigmoid loss of the same library."""
    assert numbers(run["answers"]["tail"]) == [0.0]


def test_the_focal_loss_needs_labels_in_the_unit_interval_even_for_gamma_zero(run: Results) -> None:
    """Its weight exp(0 · log(1 - p_t)) is NaN where the logarithm is that of a negative number."""
    assert math.isnan(numbers(run["answers"]["focal-outside"])[0])


def test_the_bernoulli_logarithm_interpolates_for_soft_labels(run: Results) -> None:
    """Its documentation gives labels other than 0 and 1 the probability 0, which would be an infinite loss."""
    expected = -(0.5 * math.log(0.3) + 0.5 * math.log(0.7))
    assert math.isclose(numbers(run["answers"]["soft"])[0], expected, rel_tol=1e-6)
    hard = {one.entry for one in ADAPTERS["jax"].implementations if one.labels == "hard"}
    assert hard == {"scipy.stats.bernoulli.logpmf", "formula[label_probs]"}


def test_without_64_bit_types_float64_becomes_float32() -> None:
    """That adapter has a process of its own, and float64 is not among its dtypes."""
    double = {"prediction": tensor(0.1, dtype="float64"), "label": tensor(1.0, dtype="float64")}
    answered = evaluate("jax", "jax-x32", {"double": call(f"{BCE}/jit/cpu", **double)}, JAX_ENABLE_X64="1")
    if "absent" in answered:
        pytest.skip(answered["absent"])
    assert answered["answers"]["double"]["dtype"] == "float32"
    assert answered["environment"]["x64"] == "False"
    assert ADAPTERS["jax-x32"].runtime.dtypes() == ("float32", "float16", "bfloat16")


def test_a_device_that_is_not_there_makes_the_backend_absent() -> None:
    """As a framework that is not installed would: its checks are not run, and nothing runs on another device."""
    answered = evaluate("jax", "jax", {}, BCE_DEVICE="tpu", JAX_PLATFORMS="cpu", TPU_SKIP_MDS_QUERY="1")
    assert "no tpu device" in answered.get("absent", "")
