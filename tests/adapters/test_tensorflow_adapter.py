"""TensorFlow and Keras 2: execution modes, and reported bugs that these must show.

The framework is used in processes of its own: a script there prints what it saw as JSON.
"""

from __future__ import annotations

import importlib.util
import json
import math
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import reference
from conformance.adapters import Implementation, load_builtin, whole
from conformance.adapters.tensorflow.modes import MODES

ROOT = Path(__file__).resolve().parents[2]

pytestmark = pytest.mark.slow

#: Points where every mode of every entry agrees with exact mathematics: away from clip bounds and tails, and from the
#: logit 0, whose gradient one entry gets wrong.
POINTS = {"probabilities": [0.25, 0.5, 0.8125], "logits": [-1.5, 0.5, 2.0]}
LABELS = [0.0, 0.25, 1.0]

QUANTITIES = ("value", "gradient-prediction", "gradient-label", "second-derivative")

COMMON = """
import json, sys
import numpy as np
from conformance.adapters import Implementation, load_builtin, whole
from conformance.numbers.formats import decode, encode

(adapter,) = load_builtin(MODULE)
runtime = adapter.runtime
runtime.open()
found = adapter.callable()

def tensor(values, dtype="float32"):
    return runtime.tensor(encode(np.asarray(values, dtype=float), dtype))

def numbers(native):
    return decode(runtime.bits(native)).tolist()

def evaluate(one, prediction, label, quantity="value", **rest):
    if len(one.reductions) > 1:
        rest.setdefault("reduction", "none")
    return runtime.evaluate(one, quantity, dict(rest, prediction=prediction, label=label))

def attempt(*arguments, **rest):
    try:
        return numbers(evaluate(*arguments, **rest))
    except Exception as error:
        return "%s: %s" % (type(error).__name__, error)

def everywhere():
    return {
        one.key: {
            quantity: numbers(evaluate(one, tensor(POINTS[one.form]), tensor(LABELS), quantity))
            for quantity in QUANTITIES
        }
        for one in adapter.implementations
    }

def spreads(name):
    one = found["nn.sigmoid_cross_entropy_with_logits/%s/cpu" % name]
    return attempt(one, tensor([[0.0], [1.0], [2.0], [3.0]]), tensor([1.0] * 4))

def traces(mode, parameters=({},)):
    calls = []
    def loss(prediction, label, label_smoothing=0.0):
        calls.append(prediction)
        return prediction * label + label_smoothing
    one = Implementation("counted", "logits", loss, mode=mode, parameters=("label_smoothing",))
    for rest in parameters:
        for value in (1.0, 2.0):
            evaluate(one, tensor([value]), tensor([value]), **rest)
    return len(calls)
"""

TENSORFLOW = (
    COMMON
    + """
mean = found["compat.v1.losses.log_loss/jvp/cpu"]
smoothed = found["compat.v1.losses.sigmoid_cross_entropy/eager/cpu"]
logits = tensor([-1.0, 0.0, 2.0])
report = {
    "everywhere": everywhere(),
    "spreads": {mode: spreads(mode) for mode in MODES},
    "traces": {mode: traces(mode) for mode in MODES},
    "traces-by-parameter": traces("function", ({}, {"label_smoothing": 0.5}, {"label_smoothing": 0.25})),
    "jvp-of-mean": numbers(
        evaluate(mean, tensor([0.25, 0.5, 0.8]), tensor([0, 1, 1]), "gradient-prediction", reduction="mean")
    ),
    "jvp-of-empty-mean": numbers(evaluate(mean, tensor([]), tensor([]), "gradient-prediction", reduction="mean")),
    "smoothed": numbers(evaluate(smoothed, logits, tensor([0, 1, 1]), label_smoothing=0.5)),
    "soft": numbers(evaluate(smoothed, logits, tensor([0.25, 0.75, 0.75]))),
    "float64": runtime.bits(evaluate(smoothed, tensor([7], "float64"), tensor([0], "float64"))).bits.item(),
    "produced": {name: numbers(runtime.produce(name, logits)) for name in runtime.producers},
    "environment": runtime.environment(),
}
"""
)

TF_KERAS = (
    COMMON
    + """
def soft_extreme(mode):
    one = found["losses.binary_crossentropy/%s/cpu" % mode]
    return str(evaluate(one, tensor([0.0, 1.0]), tensor([0.5, 0.5]), reduction="mean").numpy())

def produced(entry, producer, **rest):
    one = found[entry + "/eager/cpu"]
    probabilities = runtime.produce(producer, tensor([2.0]))
    label = tensor(np.ones(probabilities.shape) * [1.0, 0.0][-probabilities.shape[-1]:])
    return [
        numbers(evaluate(one, prediction, label, **rest))
        for prediction in (probabilities, runtime.tensor(runtime.bits(probabilities)))
    ]

def ends(dtype):
    one = found["backend.binary_crossentropy/eager/cpu"]
    return numbers(evaluate(one, tensor([0, 1, 1, 0], dtype), tensor([1, 0, 1, 0], dtype)))

def one_minus_q(mode):
    return numbers(evaluate(found["backend.binary_crossentropy/%s/cpu" % mode], tensor([1 - 2.0**-22]), tensor([0])))

import tensorflow
options = tensorflow.config.optimizer.get_experimental_options
before = options()
focal = found["losses.BinaryFocalCrossentropy/eager/cpu"]
prediction, label = tensor([0.25, 0.75]), tensor([0, 0])
weighted = found["losses.BinaryCrossentropy/eager/cpu"]
report = {
    "everywhere": everywhere(),
    "one-minus-q": {mode: one_minus_q(mode) for mode in ("function", "graph", "eager")},
    "options": [before, options()],
    "soft-extreme": {mode: soft_extreme(mode) for mode in ("eager", "function")},
    "softmax": produced("backend.binary_crossentropy", "softmax"),
    "softmax-object": produced("losses.BinaryCrossentropy", "softmax", reduction="mean"),
    "sigmoid": produced("backend.binary_crossentropy", "sigmoid"),
    "ends": {dtype: ends(dtype) for dtype in ("float32", "float16")},
    "plain": numbers(evaluate(focal, prediction, label)),
    "focal": numbers(evaluate(focal, prediction, label, gamma=2.0)),
    "balanced": numbers(evaluate(focal, prediction, label, alpha=0.25)),
    "focal-gradient": numbers(evaluate(focal, tensor([0.0, 0.25]), label, "gradient-prediction")),
    "weighted-mean": numbers(evaluate(weighted, prediction, label, weight=tensor([1.0, 0.0]), reduction="mean")),
    "smoothed": numbers(evaluate(weighted, prediction, label, label_smoothing=0.5)),
    "soft": numbers(evaluate(weighted, prediction, tensor([0.25, 0.25]))),
    "environment": runtime.environment(),
}
"""
)

ABSENT = """
import json, sys
from conformance.adapters import load_builtin

(adapter,) = load_builtin(MODULE)
try:
    adapter.runtime.open()
    report = "open"
except ImportError as error:
    report = [str(error), sorted({one.device for one in adapter.implementations})]
"""


def run(module: str, script: str, **environment: str) -> Any:
    """What `script` reports of the adapter in `module`; skips where its framework is absent."""
    if importlib.util.find_spec(module) is None:
        pytest.skip(f"absent: {module}")
    known = {"MODULE": module, "MODES": [*MODES], "POINTS": POINTS, "LABELS": LABELS, "QUANTITIES": [*QUANTITIES]}
    constants = "".join(f"{name} = {value!r}\n" for name, value in known.items())
    done = subprocess.run(
        [sys.executable, "-c", constants + script + "\njson.dump(report, sys.stdout)"],
        cwd=ROOT,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def tensorflow() -> Any:
    """What a process with TensorFlow saw; it was told to use two threads."""
    return run("tensorflow", TENSORFLOW, BCE_THREADS="2", BCE_DEVICE="cpu")


@pytest.fixture(scope="module")
def tf_keras() -> Any:
    """What a process with Keras 2 saw."""
    return run("tf_keras", TF_KERAS, BCE_DEVICE="cpu")


def declared(module: str) -> dict[str, Implementation]:
    """The implementations of a module by key."""
    return {one.key: one for adapter in load_builtin(module) for one in adapter.implementations}


@pytest.mark.parametrize(("module", "modes"), [("tensorflow", whole(MODES)), ("tf_keras", ("eager", "function"))])
def test_every_entry_runs_in_every_mode(module: str, modes: tuple[str, ...]) -> None:
    """An id names the mode, so that none can stand in for another."""
    found = list(declared(module).values())
    entries = dict.fromkeys(one.entry for one in found)
    assert [(one.entry, one.mode) for one in found] == [(entry, mode) for entry in entries for mode in modes]


@pytest.mark.parametrize("module", ["tensorflow", "tf_keras"])
def test_a_counterpart_takes_the_other_form_and_points_back(module: str) -> None:
    """In the same mode; without that no relation between the two could be checked."""
    found = declared(module)
    pairs = [(one, found[f"{one.counterpart}/{one.mode}/{one.device}"]) for one in found.values() if one.counterpart]
    assert pairs
    assert all(one.form != other.form and other.counterpart == one.entry for one, other in pairs)


def test_one_element_at_a_time_is_not_reduced() -> None:
    """vmap offers no reduction."""
    assert {one.reductions for one in declared("tensorflow").values() if one.mode == "vmap"} == {("none",)}


def assert_right(seen: dict[str, dict[str, list[float]]], found: dict[str, Implementation]) -> None:
    """Every quantity of every implementation is near exact mathematics: epsilons of 1e-7 and rounding aside."""
    assert seen.keys() == found.keys()
    for key, quantities in seen.items():
        form = found[key].form
        for quantity, got in quantities.items():
            exact = reference.FUNCTIONS[quantity](form, POINTS[form], LABELS).hi.tolist()
            assert got == pytest.approx(exact, rel=2e-6, abs=1e-6), (key, quantity)


def test_every_mode_of_tensorflow_computes_every_quantity(tensorflow: Any) -> None:
    """A mode that mixed up its arguments or differentiated by the wrong one would show."""
    assert_right(tensorflow["everywhere"], declared("tensorflow"))


def test_every_mode_of_keras_2_computes_every_quantity(tf_keras: Any) -> None:
    """The focal losses too: without a gamma of the case they are binary cross-entropy."""
    assert_right(tf_keras["everywhere"], declared("tf_keras"))


def test_tensorflow_1343_labels_of_unknown_shape_spread_over_the_logits(tensorflow: Any) -> None:
    """(4,) against (4, 1) raises where shapes are known and gives (4, 4) where they are not."""
    seen = tensorflow["spreads"]
    assert [len(row) for row in seen["function-unknown"]] == [4] * 4
    for mode in ("eager", "function", "xla", "jvp"):
        assert seen[mode].startswith("ValueError: `logits` and `labels` must have the same shape"), mode


def test_a_compiled_mode_traces_once_for_equal_shapes(tensorflow: Any) -> None:
    """New numbers are no reason to trace again; op by op the loss is called each time."""
    assert tensorflow["traces"] == {
        "eager": 2,
        "graph": 1,
        "function": 1,
        "function-unknown": 1,
        "xla": 1,
        "jvp": 2,
        "vmap": 1,
    }


def test_a_parameter_has_a_trace_of_its_own(tensorflow: Any) -> None:
    """It is part of the trace: another label smoothing must not reuse it."""
    assert tensorflow["traces-by-parameter"] == 3


def test_forward_mode_gives_the_gradient_of_a_mean_element_by_element(tensorflow: Any) -> None:
    """One direction alone would give the sum of the gradient."""
    assert tensorflow["jvp-of-mean"] == pytest.approx([1 / 0.75 / 3, -2 / 3, -1 / 0.8 / 3], rel=1e-5)
    assert tensorflow["jvp-of-empty-mean"] == []


def test_label_smoothing_reaches_the_loss(tensorflow: Any, tf_keras: Any) -> None:
    """Smoothing 1/2 makes of the labels 0 and 1 the labels 1/4 and 3/4."""
    assert tensorflow["smoothed"] == pytest.approx(tensorflow["soft"], rel=1e-6)
    assert tf_keras["smoothed"] == pytest.approx(tf_keras["soft"], rel=1e-6)


def test_softmax_gives_both_classes_and_the_second_is_the_sigmoid(tensorflow: Any) -> None:
    """The columns of `produce` are the classes 0 and 1."""
    softmax, sigmoid = tensorflow["produced"]["softmax"], tensorflow["produced"]["sigmoid"]
    assert sigmoid == pytest.approx([1 / (1 + math.exp(-z)) for z in (-1.0, 0.0, 2.0)], rel=1e-6)
    assert [row[1] for row in softmax] == pytest.approx(sigmoid, rel=1e-6)
    assert [sum(row) for row in softmax] == pytest.approx([1.0] * 3, rel=1e-6)


def test_the_environment_says_how_many_threads(tensorflow: Any, tf_keras: Any) -> None:
    """BCE_THREADS, or 1."""
    assert tensorflow["environment"]["threads"] == 2
    assert tf_keras["environment"]["threads"] == 1


def test_a_device_that_is_not_there_makes_the_backend_absent() -> None:
    """ImportError says so; ids name the device, so that its results are never taken for those of another."""
    assert run("tensorflow", ABSENT, BCE_DEVICE="tpu") == ["no TPU device", ["tpu"]]


def test_keras_2_applies_epsilon_twice(tf_keras: Any) -> None:
    """TensorFlow PR#41595: the question's soft-extreme case prints 7.6895466 where Keras 3 prints 8.01512.

    In a tf.function Grappler folds (1 - p) + epsilon into (1 + epsilon) - p, and it is yet another number.
    """
    assert tf_keras["soft-extreme"] == {"eager": "7.6895466", "function": "7.6685467"}


def test_tf_keras_404_a_softmax_output_is_taken_for_sigmoid_logits(tf_keras: Any) -> None:
    """Equal probabilities give another loss when they come out of Keras' softmax, which attaches its logits."""
    attached, copied = tf_keras["softmax"]
    assert copied == [pytest.approx([2.126928] * 2, rel=1e-5)]
    assert attached == [pytest.approx([math.log(2), 2.126928], rel=1e-5)]
    assert tf_keras["softmax-object"][0] != pytest.approx(tf_keras["softmax-object"][1], rel=0.1)


def test_a_sigmoid_output_is_replaced_by_its_logits(tf_keras: Any) -> None:
    """The same shortcut is right for a sigmoid: the two agree but for epsilon."""
    attached, copied = tf_keras["sigmoid"]
    assert attached != copied
    assert attached == pytest.approx(copied, rel=1e-4)


def test_the_second_epsilon_hides_that_the_clip_of_float16_does_nothing(tf_keras: Any) -> None:
    """1 - 1e-7 rounds to 1 there, so that only the epsilon inside the logarithm keeps the loss of p=1, y=0 finite."""
    assert tf_keras["ends"]["float16"][1] == pytest.approx(-math.log(2**-23), rel=1e-3)
    assert tf_keras["ends"]["float32"][0] == pytest.approx(-math.log(2e-7), rel=1e-6)


def test_a_focal_loss_has_the_parameters_of_the_case_alone(tf_keras: Any) -> None:
    """No gamma is gamma 0, and alpha balances only where it is set: keras' defaults are 2 and 0.25."""
    plain = [-math.log1p(-0.25), -math.log1p(-0.75)]
    assert tf_keras["plain"] == pytest.approx(plain, rel=1e-5)
    assert tf_keras["focal"] == pytest.approx([plain[0] / 16, plain[1] * 9 / 16], rel=1e-5)
    assert tf_keras["balanced"] == pytest.approx([0.75 * one for one in plain], rel=1e-5)


def test_the_gradient_of_a_focal_loss_without_focus_is_nan_for_a_perfect_prediction(tf_keras: Any) -> None:
    """The derivative of (1 - p)^0 is computed as 0 times (1 - p)^-1."""
    perfect, ordinary = tf_keras["focal-gradient"]
    assert math.isnan(perfect)
    assert ordinary == pytest.approx(1 / 0.75, rel=1e-5)


def test_without_grappler_a_graph_adds_in_the_order_of_the_source_with_it_constants_first(tf_keras: Any) -> None:
    """log(1 - q + 1e-7) for 1 - q = 2^-22, and log((1 + 1e-7) - q): in float32 1 + 1e-7 is 1 + 2^-23."""
    in_order, constants_first = (pytest.approx([-math.log(2**-22 + one)], rel=1e-6) for one in (1e-7, 2**-23))
    assert tf_keras["one-minus-q"] == {"function": constants_first, "graph": in_order, "eager": in_order}


def test_grappler_is_switched_on_again_after_a_call_without_it(tf_keras: Any) -> None:
    """Its options are those of the process."""
    before, after = tf_keras["options"]
    assert after == before


def test_a_weighted_mean_divides_by_the_number_of_elements(tf_keras: Any) -> None:
    """keras#15323: not by the sum of the weights."""
    assert tf_keras["weighted-mean"] == pytest.approx(-math.log1p(-0.25) / 2, rel=1e-5)


def test_the_weighted_loss_of_tensorflow_1_rounds_float64_to_float32(tensorflow: Any) -> None:
    """tf.compat.v1.losses multiplies by the weights in float32 and casts back: the low 29 bits are 0."""
    assert tensorflow["float64"] % 2**29 == 0
