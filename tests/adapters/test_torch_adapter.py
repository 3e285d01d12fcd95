"""The PyTorch adapter: its modes, entry points, layouts and devices.  torch runs in processes of their own."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from conformance.adapters import Implementation, load_builtin, whole
from conformance.adapters.torch.modes import DECLARED
from conformance.adapters.torch.runtime import TorchRuntime
from conformance.judge.judge import Judge
from conformance.judge.verdicts import Judged
from conformance.plan.filters import Filters
from conformance.plan.plan import Plan, make_plan
from conformance.pool.backend import Backend
from conformance.pool.observation import Observed
from conformance.pool.pool import Pool
from conformance.quantities import NUMERIC
from tests.builders import case, suite

ROOT = Path(__file__).parents[2]

PROBABILITIES = "nn.functional.binary_cross_entropy"
LOGITS = "nn.functional.binary_cross_entropy_with_logits"

#: The modes of which a run of all modes is.
MODES = whole(DECLARED)

#: Opens the runtime and gives names to what the snippets below need.
PRELUDE = """
import json
import numpy as np
from conformance.adapters import load_builtin
from conformance.numbers.formats import Tensor, encode
(adapter,) = load_builtin("torch")
runtime = adapter.runtime
runtime.open()
import torch
by_key = {one.key.rsplit("/", 1)[0]: one for one in adapter.implementations}
def told(*what): print(json.dumps(what))
"""

#: A third party's loss in every mode; annotated, so that torch.jit.script takes it as well.
THIRD_PARTY = """
import torch
from conformance.adapters import Adapter, Implementation
from conformance.adapters import whole
from conformance.adapters.torch.modes import DECLARED

def two_softplus(prediction: torch.Tensor, label: torch.Tensor) -> torch.Tensor:
    softplus = torch.nn.functional.softplus
    return label * softplus(-prediction) + (1 - label) * softplus(prediction)

def of_frozen_label(prediction: torch.Tensor, label: torch.Tensor) -> torch.Tensor:
    return torch.nn.functional.soft_margin_loss(prediction, 2 * label - 1, reduction="none")

adapters = [
    Adapter(
        "third",
        [
            *(Implementation("two_softplus", "logits", two_softplus, mode=mode) for mode in whole(DECLARED)),
            Implementation("of_frozen_label", "logits", of_frozen_label, mode="compile"),
        ],
        backend="torch",
    )
]
"""


def process(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Code after the prelude, in a process of its own."""
    return subprocess.run(
        [sys.executable, "-c", PRELUDE + code],
        cwd=ROOT,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def told(code: str, **environment: str) -> list[Any]:
    """What code told by its last `told`."""
    done = process(code, **environment)
    if "No module named 'torch'" in done.stderr:
        pytest.skip("torch is not installed")
    assert done.returncode == 0, done.stderr
    return list(json.loads(done.stdout.splitlines()[-1]))


def dedented(code: str) -> str:
    """A snippet that is written inside a function."""
    return "\n".join(line[4:] for line in code.splitlines())


def declared(**fields: Any) -> Implementation:
    """An implementation that nobody calls."""
    return Implementation("loss", "logits", lambda prediction, label: prediction, **fields)


def built_in() -> list[Implementation]:
    """What the adapter declares."""
    return load_builtin("torch")[0].implementations


def run(plan: Plan, backends: Sequence[Backend], pool: Pool) -> dict[int, dict[str, Observed]]:
    """The observations of a plan; skips where torch is absent."""
    seen: dict[int, dict[str, Observed]] = {}
    absent: list[str] = []

    def opened(_: Backend, answer: Any) -> None:
        absent.extend(reason for reason in (answer.absent, answer.failed) if reason)

    pool.run(backends, plan.requests, opened, seen.__setitem__)
    if absent:
        pytest.skip(absent[0])
    return seen


#: Ordinary inputs, which no formula has trouble with.
ORDINARY = (("0.5", "0.25"), ("0.25", "0.75"), ("0.75", "1"))


def results(filters: Filters, reduction: str = "none", files: Sequence[Path] = ()) -> list[Judged]:
    """All checks of ordinary inputs in both forms on the implementations that `filters` let pass."""
    cases = [
        case(*ORDINARY, name=f"small/{form}", form=form, reduction=reduction) for form in ("probabilities", "logits")
    ]
    with tempfile.TemporaryFile() as log:
        pool = Pool(log=log, timeout=120, jobs=1)
        backends = [backend.with_stages(filters.mode) for backend in pool.discover(files)]
        plan = make_plan(suite(*cases), [one for backend in backends for one in backend.implementations], filters)
        assert plan.requests
        seen = run(plan, backends, pool)
        pool.stop()
    return Judge(plan.requests).judge([seen[index] for index in range(len(plan.requests))])


def unlike(checks: Sequence[Judged]) -> dict[str, tuple[str, ...]]:
    """Checks that do not conform, with the classes of their findings."""
    return {one.id: tuple(f.what for f in one.findings) for one in checks if one.verdict != "conforms"}


# -- what is declared ------------------------------------------------------------------------------------------------


def test_both_functions_are_declared_in_every_mode_and_in_no_stage_of_one() -> None:
    """Each mode is an implementation of its own; a stage is one where it is asked for."""
    modes = {entry: [one.mode for one in built_in() if one.entry == entry] for entry in (PROBABILITIES, LOGITS)}
    assert modes == {PROBABILITIES: list(MODES), LOGITS: list(MODES)}
    assert not {*MODES} & {"dynamo", "aot_eager", "aot_eager_decomp_partition"}


def test_a_counterpart_takes_the_other_form_and_names_its_counterpart() -> None:
    """In the same mode, as the relation between the two needs it."""
    by_name = {(one.entry, one.mode): one for one in built_in()}
    pairs = [(one, by_name[one.counterpart, one.mode]) for one in built_in() if one.counterpart]
    assert len(pairs) == 2 * (len(MODES) + 2)
    assert all(one.form != other.form and other.counterpart == one.entry for one, other in pairs)


def test_a_compiled_loss_has_no_second_derivative() -> None:
    """torch.compile has no double backward."""
    assert "second-derivative" not in TorchRuntime().quantities(declared(mode="compile"))
    assert "second-derivative" in TorchRuntime().quantities(declared())


def test_gradients_are_those_by_arguments_that_the_loss_has() -> None:
    """An option that a loss does not take is nothing to differentiate by."""
    assert TorchRuntime().quantities(declared(options=("weight", "pos_weight"))) == NUMERIC
    assert "gradient-weight" not in TorchRuntime().quantities(declared(options=("pos_weight",)))


def test_a_loss_of_hard_labels_has_no_gradient_by_them() -> None:
    """Between 0 and 1 it is no cross-entropy, so that its slope there means nothing."""
    assert "gradient-label" not in TorchRuntime().quantities(declared(labels="hard"))


# -- modes -------------------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("reduction", ["none", "mean"])
def test_every_mode_is_right_for_ordinary_inputs(reduction: str) -> None:
    """Value, gradients and second derivative of both functions, reduced or not.

    Not in float64, where the 1e-12 in the second derivative of the one for probabilities shows at any probability; and
    autocast gives float32 for 16-bit inputs, by contract.
    """
    names = tuple(
        f"torch/{entry}/{mode}/cpu" for entry in (PROBABILITIES, LOGITS) for mode in MODES if mode != "compile"
    )
    checks = results(Filters(implementation=names, dtype=("float32", "float16", "bfloat16")), reduction)
    assert {one.request.implementation.mode for one in checks} >= {
        "eager",
        "script",
        "trace",
        "export",
        "jvp",
        "autocast",
    }
    by_contract = {one.id for one in checks if one.verdict == "by-contract"}
    assert all("/autocast/" in name for name in by_contract)
    assert {name: whats for name, whats in unlike(checks).items() if name not in by_contract} == {}


@pytest.mark.slow
def test_a_compiled_function_is_right_for_ordinary_inputs() -> None:
    """In one dtype: every one is a compilation."""
    names = (f"torch/{PROBABILITIES}/compile/cpu", f"torch/{LOGITS}/compile/cpu")
    assert unlike(results(Filters(implementation=names, dtype=("float16",)))) == {}


@pytest.mark.slow
def test_every_stage_of_a_compiled_function_is_right_for_ordinary_inputs() -> None:
    """In float32; so are graphs that break, as those of Keras do."""
    stages = tuple(name for name, one in DECLARED.items() if one.stage_of)
    names = (PROBABILITIES, LOGITS, "ops.binary_crossentropy")
    checks = results(
        Filters(
            backend=("torch", "keras-torch"),
            implementation=tuple(f"*/{name}" for name in names),
            mode=stages,
            dtype=("float32",),
        )
    )
    assert {one.request.implementation.mode for one in checks} == {*stages}
    assert unlike(checks) == {}


@pytest.mark.slow
def test_a_compiled_function_rounds_to_16_bits_once_and_its_stages_before_inductor_each_operation() -> None:
    """dynamo and AOTAutograd leave every operation as it is, and log_sigmoid(-8) rounds to -8; inductor rounds once.

    The loss (1 - y)*z - log_sigmoid(z) is log(1 + exp(-8)).
    """
    code = """
    callable = adapter.callable()
    seen = []
    for mode in ("eager", "dynamo", "aot_eager", "compile"):
        inputs = [runtime.tensor(encode(np.array([value]), "bfloat16")) for value in (-8.0, 0.0)]
        one = callable["%s/" + mode + "/cpu"]
        seen.append(float(runtime.evaluate(one, "value", dict(zip(("prediction", "label"), inputs), reduction="none"))))
    told(*seen)
    """
    eager, dynamo, aot, compiled = told(dedented(code % LOGITS))
    assert (eager, dynamo, aot) == (0.0, 0.0, 0.0)
    assert compiled == pytest.approx(math.log1p(math.exp(-8)), rel=2**-7)


@pytest.mark.slow
def test_a_third_partys_loss_runs_in_every_mode(tmp_path: Path) -> None:
    """Modes know nothing of the two functions; a compiled loss that has no gradient by the label has a value."""
    file = tmp_path / "third.py"
    file.write_text(THIRD_PARTY)
    checks = results(Filters(backend=("third",), dtype=("float32",)), files=(file,))
    frozen = [one for one in checks if one.request.implementation.entry == "of_frozen_label"]
    others = [one for one in checks if one.request.implementation.entry == "two_softplus"]
    assert {one.request.implementation.mode for one in others} == set(MODES)
    ours = ("value", "gradient-prediction", "gradient-label", "second-derivative", "inputs-unchanged")
    assert unlike([one for one in others if one.quantity in ours]) == {}
    assert {one.quantity: one.verdict for one in frozen if one.quantity in ("acceptance", "gradient-label")} == {
        "acceptance": "conforms",
        "gradient-label": "unsupported",
    }


@pytest.mark.slow
def test_value_and_gradients_share_a_graph_for_all_sizes_and_each_dtype_has_its_own() -> None:
    """So that a run compiles a few times and not for each case; and nothing falls back to eager."""
    code = """
    from torch._dynamo.utils import counters
    one = by_key["%s/compile"]
    seen = []
    for dtype in ("float32", "float64"):
        for size in (3, 5):
            for quantity in ("value", "gradient-prediction", "gradient-label"):
                inputs = [runtime.tensor(encode(np.full(size, 0.5), dtype)) for _ in range(2)]
                runtime.evaluate(one, quantity, dict(zip(("prediction", "label"), inputs), reduction="none"))
        seen.append(counters["stats"]["unique_graphs"])
    config = torch._dynamo.config
    told(seen, sum(counters["graph_break"].values()), config.fail_on_recompile_limit_hit, config.suppress_errors)
    """
    assert told(dedented(code % LOGITS)) == [[1, 2], 0, True, False]


@pytest.mark.slow
def test_what_a_compilation_switches_off_is_on_again_for_the_next_call() -> None:
    """torch.compile ends the checks of torch.distributions in its process; no result may depend on what ran before."""
    code = """
    tensors = {name: runtime.tensor(encode(np.array([1.5]), "float32")) for name in ("prediction", "label")}
    torch.compile(torch.sigmoid)(tensors["label"])
    switched_off = not torch.distributions.Distribution._validate_args
    try:
        runtime.evaluate(by_key["distributions.Bernoulli/eager"], "value", tensors)
    except ValueError as error:
        told(switched_off, type(error).__name__)
    """
    assert told(dedented(code)) == [True, "ValueError"]


@pytest.mark.slow
def test_the_deprecation_of_torch_jit_is_not_told_and_other_warnings_are() -> None:
    """Whoever asks for the mode knows; what else it warns of belongs to the observation."""
    code = """
    import warnings
    seen = {}
    for mode in ("script", "trace"):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            one = runtime.tensor(encode(np.full(2, 0.5), "float32"))
            runtime.evaluate(by_key["%s/" + mode], "value", {"prediction": one, "label": one, "reduction": "none"})
        seen[mode] = [one.category.__name__ for one in caught]
    told(seen)
    """
    assert told(dedented(code % LOGITS)) == [{"script": [], "trace": ["TracerWarning"]}]


# -- bugs that are known upstream, in the pinned version ---------------------------------------------------------------


#: `seen` evaluates one quantity and gives the dtype and the values, or the exception's type.
EVALUATE = """
def seen(name, quantity="value", **inputs):
    arguments = {key: runtime.tensor(encode(np.array(values), dtype)) for key, (values, dtype) in inputs.items()}
    if len(by_key[name].reductions) > 1:
        arguments["reduction"] = "none"
    try:
        result = runtime.evaluate(by_key[name], quantity, arguments)
    except Exception as error:
        return type(error).__name__
    return [str(result.dtype), result.detach().double().tolist()]
if not torch.__version__.startswith("2.13."):
    told("another version")
    raise SystemExit
"""

BUGS = f"""
probabilities, logits = "{PROBABILITIES}/", "{LOGITS}/"
outside = dict(prediction=([0.5, 0.5], "float32"), label=([1.5, 0.5], "float32"))
mixed = dict({{name: ([0.5, 0.5], "bfloat16") for name in ("prediction", "label")}}, weight=([1.0, 1.0], "float32"))
tails = dict(prediction=([20.0, -20.0], "float32"), label=([1.0, 0.0], "float32"))
weighted = {{name: ([0.5], "float32") for name in ("prediction", "label", "weight")}}
told({{
    "outside": {{mode: seen(probabilities + mode, **outside) for mode in ("eager", "compile", "export")}},
    "mixed": {{mode: seen(probabilities + mode, **mixed)[0] for mode in ("eager", "compile")}},
    "tails": {{mode: seen(logits + mode, **tails)[1] for mode in ("eager", "compile", "vmap", "jvp")}},
    "slopes": {{mode: seen(logits + mode, "gradient-prediction", **tails)[1] for mode in ("eager", "vmap", "jvp")}},
    "weight": {{mode: seen(probabilities + mode, "gradient-weight", **weighted) for mode in ("eager", "jvp")}},
}})
"""


def pinned(code: str) -> list[Any]:
    """What code told with the pinned version of torch; skips for another one."""
    found = told(EVALUATE + code)
    if found == ["another version"]:
        pytest.skip("the bugs are those of torch 2.13")
    return found


@pytest.fixture(scope="module")
def bugs() -> Any:
    """What the pinned version gives for the inputs of each report, by mode."""
    return pinned(BUGS)[0]


@pytest.mark.slow
def test_a_compiled_loss_accepts_targets_that_the_eager_one_rejects(bugs: Any) -> None:
    """https://github.com/pytorch/pytorch/issues/193757; an exported one does, too."""
    assert bugs["outside"]["eager"] == "RuntimeError"
    assert bugs["outside"]["compile"][0] == bugs["outside"]["export"][0] == "torch.float32"


@pytest.mark.slow
def test_a_weight_of_another_dtype_changes_the_result_of_a_compiled_loss(bugs: Any) -> None:
    """https://github.com/pytorch/pytorch/issues/197098."""
    assert bugs["mixed"] == {"eager": "torch.bfloat16", "compile": "torch.float32"}


@pytest.mark.slow
def test_the_tail_of_the_logit_form_is_lost_on_one_side_and_under_a_function_transform_on_both(bugs: Any) -> None:
    """https://github.com/pytorch/pytorch/issues/195529."""
    kept = pytest.approx(2.06115362e-9)
    assert bugs["tails"] == {"eager": [kept, 0], "compile": [kept, 0], "vmap": [0, 0], "jvp": [0, 0]}


@pytest.mark.slow
def test_forward_mode_keeps_both_tails_of_the_gradient(bugs: Any) -> None:
    """Reverse mode loses one, and that of torch.func the other one."""
    kept = pytest.approx(2.06115362e-9)
    other = pytest.approx(-2.06115362e-9)
    assert bugs["slopes"] == {"eager": [0, kept], "vmap": [other, 0], "jvp": [other, kept]}


@pytest.mark.slow
def test_forward_mode_gives_zero_for_the_gradient_that_reverse_mode_refuses(bugs: Any) -> None:
    """binary_cross_entropy "is not differentiable with respect to argument 'weight'"; torch.func.jvp says 0."""
    assert bugs["weight"] == {"eager": "RuntimeError", "jvp": ["torch.float32", [0.0]]}


# -- other entry points ------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_bernoulli_refuses_soft_labels_and_the_other_entries_agree_on_hard_ones() -> None:
    """That is why its labels are declared hard."""
    code = """
    hard = {"prediction": ([0.5, 0.25], "float64"), "label": ([1.0, 0.0], "float64")}
    soft = {"prediction": ([0.5], "float64"), "label": ([0.5], "float64")}
    told(seen("distributions.Bernoulli/eager", **soft), seen("distributions.Bernoulli[logits]/eager", **soft),
         {one.entry: [one.form, seen(one.entry + "/eager", **hard)] for one in adapter.implementations})
    """
    probs, logits, entries = pinned(dedented(code))
    assert probs == logits == "ValueError"
    expected = {"probabilities": [0.6931471805599453, 0.2876820724517809], "logits": [0.47407698418, 0.82593942]}
    for form, (dtype, values) in entries.values():
        assert dtype == "torch.float64"
        assert values == pytest.approx(expected[form])


# -- layouts, producers, devices ---------------------------------------------------------------------------------------


@pytest.mark.slow
def test_every_layout_holds_the_same_bits_and_lies_as_it_says() -> None:
    """NaN payloads included; beside the elements of a tensor lies NaN."""
    code = """
    bits = np.array([[0x7FC00001, 1, 2], [0x80000000, 4, 5]], dtype=np.uint32)
    seen = {}
    for layout in runtime.layouts:
        chosen = np.full_like(bits, 7) if layout == "broadcast" else bits
        native = runtime.arrange(Tensor("float32", chosen), layout)
        same = runtime.bits(native).bits.tolist() == chosen.tolist()
        seen[layout] = [same, list(native.stride()), native.storage_offset()]
    told(seen)
    """
    assert told(dedented(code)) == [
        {
            "contiguous": [True, [3, 1], 0],
            "strided": [True, [6, 2], 0],
            "transposed": [True, [1, 2], 0],
            "offset": [True, [3, 1], 1],
            "broadcast": [True, [0, 0], 0],
        }
    ]


@pytest.mark.slow
def test_a_layout_that_a_tensor_cannot_have_is_refused() -> None:
    """Otherwise a check would look as if it had been run."""
    code = """
    def refused(values, layout):
        try:
            runtime.arrange(encode(np.array(values), "float32"), layout)
        except ValueError as error:
            return str(error)
    told(refused([1.0, 2.0], "transposed"), refused([1.0, 2.0], "broadcast"))
    """
    assert told(dedented(code)) == [
        "a transposed tensor has at least two axes (got shape (2,))",
        "all elements of a broadcast tensor are one",
    ]


@pytest.mark.slow
def test_producers_give_the_probability_of_the_class_1() -> None:
    """Softmax in its second column."""
    code = """
    logits = runtime.tensor(encode(np.array([0.0, 1.0, -2.0]), "float64"))
    told(*[runtime.produce(producer, logits).tolist() for producer in runtime.producers])
    """
    sigmoid, softmax = told(dedented(code))
    assert [pair[1] for pair in softmax] == pytest.approx(sigmoid)
    assert [sum(pair) for pair in softmax] == pytest.approx([1.0, 1.0, 1.0])


@pytest.mark.slow
def test_threads_and_onednn_follow_the_environment() -> None:
    """And are told, because they change bits."""
    code = "e = runtime.environment(); told(e['device'], e['threads'], e['onednn-enabled'])"
    assert told(code) == ["cpu", 1, True]
    assert told(code, BCE_THREADS="2", BCE_ONEDNN="0") == ["cpu", 2, False]


@pytest.mark.slow
def test_a_device_that_is_absent_makes_the_backend_absent() -> None:
    """Workers run on Linux, where there is no GPU of Apple."""
    assert "ImportError: no mps device" in process("", BCE_DEVICE="mps").stderr


def test_a_device_is_part_of_the_id() -> None:
    """Results of another device are those of another implementation."""
    code = "from conformance.adapters import load_builtin; print(load_builtin('torch')[0].implementations[0].key)"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env=os.environ | {"BCE_DEVICE": "cuda"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.strip() == f"{PROBABILITIES}/eager/cuda"


def test_an_unknown_device_is_refused_with_the_known_ones() -> None:
    """Before anything is imported."""
    done = process("", BCE_DEVICE="abacus")
    assert "ValueError: BCE_DEVICE must be one of cpu, cuda, mps, tpu (got 'abacus')" in done.stderr
