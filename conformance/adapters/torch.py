"""PyTorch: its losses, run eagerly, compiled, exported, scripted, traced, vectorized, forward and under autocast.

Environment variables of a worker: BCE_DEVICE (cpu, cuda, mps or tpu), BCE_THREADS (1) and BCE_ONEDNN (0 switches it
off).

Read: the docstrings of torch 2.13.0 (torch/nn/functional.py, torch/nn/modules/loss.py, torch/distributions) and
docs/source/amp.md of the same version.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import os
import sys
import warnings
from typing import Any, Callable, Dict, Iterator, NamedTuple, Tuple

import numpy as np

from conformance.adapters import (
    ALL_DTYPES,
    NUMERIC,
    OBSERVED_DTYPES,
    PLAIN,
    VARIABLE,
    Adapter,
    Arguments,
    Call,
    Implementation,
    Mode,
    Runtime,
    chosen_device,
    threads,
    where_cpu_has,
)
from conformance.adapters.expressions import Expression
from conformance.adapters.writing import Derived, Way, Written
from conformance.contracts import CastsTo, DomainCheck, LogClamp, Reduction, Source
from conformance.numbers.formats import FORMATS, Tensor

DOCS = "https://docs.pytorch.org/docs/2.13/"
PAGE = DOCS + "generated/torch.nn."
SOURCE = "https://github.com/pytorch/pytorch/blob/v2.13.0/"
KERNEL = SOURCE + "aten/src/ATen/native/Loss.cpp"
VERSIONS = "2.13.0"

#: What torch calls the devices that BCE_DEVICE can name.
DEVICES = {"cpu": "cpu", "cuda": "cuda", "mps": "mps", "tpu": "xla"}

#: The device of this worker, which is part of the ids of its implementations.
DEVICE = chosen_device()

#: Arguments that are tensors, in the order in which functions of tensors alone take them.
TENSORS = ("prediction", "label", "weight", "pos_weight")

#: Function of named arguments.
Loss = Callable[[Arguments], Any]

#: Function of tensors alone.
Function = Callable[..., Any]

#: What a mode does: (implementation, quantity, arguments) -> tensor.
Execute = Callable[[Implementation, str, Arguments], Any]

Transform = Callable[[Call], Call]


def _torch() -> Any:
    """The framework, imported on first use: a process that only reads declarations must not load it."""
    # A lookup, since this is called for every tensor; a script is written with something else in its place.
    return sys.modules["torch"] if "torch" in sys.modules else importlib.import_module("torch")


# -- calls ---------------------------------------------------------------------------------------------------------


class Public:
    """A function of torch as a `Call`, found by its dotted name when it is called."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __call__(self, prediction: Any, label: Any, **rest: Any) -> Any:
        return self.through(lambda function: function)(prediction, label, **rest)

    def through(self, transform: Transform) -> Call:
        """The same call of what `transform` makes of the function."""
        function = transform(functools.reduce(getattr, self.name.split("."), _torch()))

        def call(prediction: Any, label: Any, reduction: str = "none", **options: Any) -> Any:
            return function(prediction, label, **options, **_reduced(reduction))

        return call


def _reduced(reduction: str) -> Dict[str, str]:
    """The argument for `reduction`; "mean" is left out because it is the documented default, which is thus tested."""
    return {} if reduction == "mean" else {"reduction": reduction}


def _through(transform: Transform, call: Call) -> Loss:
    """What `transform` makes of a call, or of the function of torch inside it, as a function of named arguments."""
    made = call.through(transform) if isinstance(call, Public) else transform(call)

    def loss(arguments: Arguments) -> Any:
        rest = dict(arguments)
        return made(rest.pop("prediction"), rest.pop("label"), **rest)

    return loss


# -- execution modes -----------------------------------------------------------------------------------------------


def _by_autograd(loss: Loss, quantity: str, arguments: Arguments, shared: Tuple[str, ...] = ()) -> Any:
    """`quantity` of `loss` by torch.autograd; the arguments `shared` require gradients, whatever is asked for."""
    name = VARIABLE[quantity]
    leaves = dict(arguments)
    for each in {name, *shared} - {""}:
        # detach: a leaf of its own that shares the storage, so that an in-place change of the input is still seen.
        leaves[each] = arguments[each].detach().requires_grad_(True)
    result = loss(leaves)
    if quantity == "value":
        return result
    second = quantity == "second-derivative"
    first = _gradient(result, leaves[name], second)
    return _gradient(first, leaves[name], False) if second else first


def _gradient(result: Any, variable: Any, again: bool) -> Any:
    """Gradient of the sum of `result` by `variable`; zeros where the result does not depend on it.

    `again` keeps the graph for another derivative.
    """
    torch = _torch()
    if not result.requires_grad:
        return torch.zeros_like(variable)
    (gradient,) = torch.autograd.grad(
        result, variable, grad_outputs=torch.ones_like(result), create_graph=again, allow_unused=True
    )
    return torch.zeros_like(variable) if gradient is None else gradient


def _eager(implementation: Implementation, quantity: str, arguments: Arguments) -> Any:
    return _by_autograd(implementation.loss, quantity, arguments)


#: Settings of torch._dynamo, as far as the installed version has them.  Every dtype, rank and set of arguments is a
#: graph of its own; past the default limit of 8 dynamo would run the rest eagerly and say so in its log alone.
DYNAMO = {
    "recompile_limit": 1 << 16,
    "accumulated_recompile_limit": 1 << 16,
    "fail_on_recompile_limit_hit": True,
    "suppress_errors": False,
}


@functools.lru_cache(maxsize=None)
def _compiled(call: Call) -> Loss:
    """`call` under torch.compile: graphs are made for sizes that vary, besides those for the size 1."""
    config = importlib.import_module("torch._dynamo.config")
    for name, value in DYNAMO.items():
        if hasattr(config, name):
            setattr(config, name, value)
    return _through(functools.partial(_torch().compile, fullgraph=True, dynamic=True), call)


def _compile(implementation: Implementation, quantity: str, arguments: Arguments) -> Any:
    """By torch.compile, with one graph for the value and both gradients.

    Where a loss is not differentiable by its label, which the framework refuses, the label is left as it is.
    """
    loss = _compiled(implementation.call)
    try:
        return _by_autograd(loss, quantity, arguments, shared=("prediction", "label"))
    except Exception:
        return _by_autograd(loss, quantity, arguments, shared=("prediction",))


@contextlib.contextmanager
def _deprecated() -> Iterator[None]:
    """Within it torch.jit does not tell that it is deprecated: whoever asks for its modes knows."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", r"`torch\.jit\.\w+` is deprecated", DeprecationWarning)
        yield


@functools.lru_cache(maxsize=None)
def _scripted(call: Call) -> Loss:
    with _deprecated():
        return _through(_torch().jit.script, call)


def _script(implementation: Implementation, quantity: str, arguments: Arguments) -> Any:
    return _by_autograd(_scripted(implementation.call), quantity, arguments)


def _of_tensors(implementation: Implementation, arguments: Arguments) -> Tuple[Function, Tuple[str, ...]]:
    """The loss as a function of tensors alone, and their names; numbers and the reduction are fixed."""
    names = tuple(name for name in TENSORS if name in arguments)

    def function(*tensors: Any) -> Any:
        return implementation.loss(dict(arguments, **dict(zip(names, tensors))))

    return function, names


def _ahead(make: Callable[[Function, Tuple[Any, ...]], Function], kind: Callable[[Any], Any]) -> Execute:
    """The mode that prepares a loss by `make`(function of tensors, example tensors).

    It is prepared once for each call, set of arguments, their constants and `kind` of each tensor.
    """
    made: Dict[Any, Function] = {}

    def execute(implementation: Implementation, quantity: str, arguments: Arguments) -> Any:
        function, names = _of_tensors(implementation, arguments)
        constants = tuple((name, arguments[name]) for name in sorted(arguments) if name not in names)
        key = (implementation.call, names, constants, tuple(kind(arguments[name]) for name in names))
        if key not in made:
            made[key] = make(function, tuple(arguments[name] for name in names))
        return _by_autograd(lambda given: made[key](*[given[name] for name in names]), quantity, arguments)

    return execute


def _traced(function: Function, tensors: Tuple[Any, ...]) -> Function:
    """`function` as torch.jit.trace records it.

    `check_trace` would run it once more and compare, for which NaN differs from NaN.
    """
    with _deprecated():
        traced: Function = _torch().jit.trace(function, tensors, check_trace=False)
    return traced


def _exported(function: Function, tensors: Tuple[Any, ...]) -> Function:
    """`function` through torch.export, in the operators of the core; every axis longer than 1 may vary."""
    torch = _torch()
    module = torch.nn.Module()
    module.forward = function
    axes = [{i: torch.export.Dim.DYNAMIC for i, size in enumerate(one.shape) if size > 1} for one in tensors]
    program = torch.export.export(module, tensors, dynamic_shapes=(tuple(axes),))
    exported: Function = program.run_decompositions().module()
    return exported


def _vmap(implementation: Implementation, quantity: str, arguments: Arguments) -> Any:
    """By torch.func.vmap of the loss of one element, and of its gradient by torch.func.grad."""
    torch = _torch()
    function, names = _of_tensors(implementation, arguments)
    if quantity != "value":
        position = names.index(VARIABLE[quantity])
        function = torch.func.grad(function, argnums=position)
        if quantity == "second-derivative":
            function = torch.func.grad(function, argnums=position)
    for _ in range(arguments["prediction"].dim()):
        function = torch.func.vmap(function)
    return function(*[arguments[name].detach() for name in names])


def _jvp(implementation: Implementation, quantity: str, arguments: Arguments) -> Any:
    """By torch.func.jvp, the second derivative forward over reverse.

    A loss without a reduction depends element by element on its inputs, and so does the gradient of each loss here:
    the tangent of ones gives the derivatives.  For the gradient of a reduced loss torch.func.jacfwd takes unit ones.
    """
    torch = _torch()
    name = VARIABLE[quantity] or "prediction"
    loss = implementation.loss_of(name, arguments)
    variable = arguments[name].detach()
    tangent = torch.ones_like(variable)
    if quantity == "value":
        return torch.func.jvp(loss, (variable,), (tangent,))[0]
    if quantity == "second-derivative":
        gradient = torch.func.grad(lambda one: loss(one).sum())
        return torch.func.jvp(gradient, (variable,), (tangent,))[1]
    if arguments.get("reduction", "none") != "none":
        return torch.func.jacfwd(loss)(variable)
    return torch.func.jvp(loss, (variable,), (tangent,))[1]


def _autocast(implementation: Implementation, quantity: str, arguments: Arguments) -> Any:
    """Under torch.autocast to bfloat16; derivatives are taken outside of it, as its documentation recommends."""
    torch = _torch()

    def loss(given: Arguments) -> Any:
        with torch.autocast(DEVICES[DEVICE], dtype=torch.bfloat16):
            return implementation.loss(given)

    return _by_autograd(loss, quantity, arguments)


class Execution(NamedTuple):
    """One way to run a loss: `execute` computes a quantity, which is one of `quantities`."""

    execute: Execute
    quantities: Tuple[str, ...] = NUMERIC


MODES = {
    "eager": Execution(_eager),
    # "torch.compile with aot_autograd does not currently support double backward": torch/_functorch/aot_autograd.py
    "compile": Execution(_compile, tuple(one for one in NUMERIC if one != "second-derivative")),
    "script": Execution(_script),
    # A trace is that of its shapes: torch.broadcast_shapes, which the losses use, becomes a constant in it.
    "trace": Execution(_ahead(_traced, lambda tensor: (tensor.dtype, tuple(tensor.shape)))),
    "export": Execution(_ahead(_exported, lambda tensor: (tensor.dtype, tuple(min(size, 2) for size in tensor.shape)))),
    "vmap": Execution(_vmap),
    "jvp": Execution(_jvp),
    "autocast": Execution(_autocast),
}

#: Of these, what the suite asks in them.
DECLARED = dict({name: Mode() for name in MODES}, **PLAIN)


#: What the modes above do, as somebody would write it for a loss of few elements.
WRITTEN = Written(
    "torch.tensor([{numbers}], dtype=torch.{dtype})",
    "torch.func.grad(lambda prediction: {loss}.sum())({prediction})",
    modules={"torch": "import torch"},
    derived=Derived(
        "torch.autograd.grad(loss({arguments}).sum(), {variable})[0]",
        "torch.autograd.grad(torch.autograd.grad(loss({arguments}).sum(), {variable}, create_graph=True)[0].sum(), "
        "{variable})[0]",
        "{variable}.requires_grad_()",
    ),
    ways={
        "eager": Way(),
        "compile": Way(
            "prediction.requires_grad_(), label.requires_grad_()\n"
            "loss = torch.compile(loss, fullgraph=True, dynamic=True)"
        ),
        "script": Way("loss = torch.jit.script(loss)"),
        "trace": Way("loss = torch.jit.trace(loss, ({arguments},), check_trace=False)"),
        "export": Way(
            "module = torch.nn.Module()\nmodule.forward = loss\n"
            "loss = torch.export.export(module, ({arguments},)).run_decompositions().module()"
        ),
        "vmap": Way(
            derived=Derived(
                "torch.func.vmap(torch.func.grad(loss, argnums={position}))({arguments})",
                "torch.func.vmap(torch.func.grad(torch.func.grad(loss)))({arguments})",
                value="torch.func.vmap(loss)({arguments})",
            )
        ),
        "jvp": Way(
            derived=Derived(
                "torch.func.jvp(lambda {variable}: loss({arguments}), ({variable},), "
                "(torch.ones_like({variable}),))[1]",
                "torch.func.jvp(torch.func.grad(lambda {variable}: loss({arguments}).sum()), ({variable},), "
                "(torch.ones_like({variable}),))[1]",
                value="torch.func.jvp(lambda {variable}: loss({arguments}), ({variable},), "
                "(torch.ones_like({variable}),))[0]",
            )
        ),
        "autocast": Way('loss = torch.autocast("cpu", dtype=torch.bfloat16)(loss)'),
    },
)


# -- the runtime ---------------------------------------------------------------------------------------------------


class TorchRuntime(Runtime):
    """Tensors on DEVICE, one thread unless BCE_THREADS says otherwise, derivatives as the mode has them.

    An adapter that uses it on another device than the CPU declares `device=DEVICE` for its implementations.
    """

    packages: Tuple[str, ...] = ("torch", "numpy")
    cost = 1
    chunk = 1 << 17
    modes = DECLARED

    devices: Tuple[str, ...] = tuple(DEVICES)
    observed = OBSERVED_DTYPES

    settings = (
        {},
        {"ATEN_CPU_CAPABILITY": "default"},
        *where_cpu_has("avx2", ATEN_CPU_CAPABILITY="avx2"),
        *where_cpu_has("avx512vl", ATEN_CPU_CAPABILITY="avx512"),
        {"BCE_THREADS": "2"},
        {"BCE_ONEDNN": "0"},
    )

    layouts: Tuple[str, ...] = ("contiguous", "strided", "transposed", "offset", "broadcast")

    producers: Tuple[str, ...] = ("sigmoid", "softmax")

    written = WRITTEN

    def dtype_written(self, dtype: str) -> Any:
        return Expression("torch.%s" % dtype)

    def open(self) -> None:
        torch = _torch()
        if DEVICE != "cpu" and not _available(DEVICE):
            raise ImportError("no %s device" % DEVICE)
        torch.set_num_threads(threads())
        if os.environ.get("BCE_ONEDNN") == "0":
            torch.backends.mkldnn.set_flags(False)

    @contextlib.contextmanager
    def borrowed(self) -> Iterator[None]:
        torch = _torch()
        number, distribution = torch.get_num_threads(), torch.distributions.Distribution
        checked = getattr(distribution, "_validate_args", __debug__)  # there is no public way to ask
        try:
            with super().borrowed():
                yield
        finally:
            torch.set_num_threads(number)
            distribution.set_default_validate_args(checked)

    def dtypes(self) -> Tuple[str, ...]:
        return tuple(one for one in ALL_DTYPES if one != "float64") if DEVICE == "mps" else ALL_DTYPES

    def environment(self) -> Dict[str, Any]:
        torch = _torch()
        # torch.backends.cpu is and its get_cpu_capability came with torch 2: older versions do not say.
        capability = getattr(getattr(torch.backends, "cpu", None), "get_cpu_capability", None)
        onednn = getattr(torch.backends, "mkldnn", None)
        return {
            "device": torch.cuda.get_device_name() if DEVICE == "cuda" else DEVICE,
            "cpu-capability": capability() if capability is not None else "unknown",
            "threads": torch.get_num_threads(),
            "onednn-available": onednn is not None and bool(onednn.is_available()),
            "onednn-enabled": getattr(onednn, "enabled", "unknown"),
        }

    def tensor(self, tensor: Tensor) -> Any:
        return self.arrange(tensor, "contiguous")

    def bits(self, native: Any) -> Tensor:
        torch = _torch()
        if not isinstance(native, torch.Tensor):
            raise TypeError("returned %s, not a torch.Tensor" % type(native).__name__)
        name = str(native.dtype).replace("torch.", "")
        plain = native.detach().cpu().contiguous()
        if name in FORMATS:
            fmt = FORMATS[name]
            return Tensor(name, plain.view(getattr(torch, "int%d" % fmt.width)).numpy().view(fmt.storage))
        if name.startswith("float8"):  # NumPy has no such type
            return Tensor(name, plain.view(torch.uint8).numpy())
        return Tensor(name, plain.numpy())

    def quantities(self, implementation: Implementation) -> Tuple[str, ...]:
        """Those of the mode, of arguments that the loss has; hard labels and masks are no variables."""
        variables = {"", "prediction", *(() if implementation.masks else implementation.options)}
        if implementation.labels != "hard":
            variables.add("label")
        return tuple(one for one in MODES[implementation.mode].quantities if VARIABLE[one] in variables)

    def evaluate(self, implementation: Implementation, quantity: str, arguments: Arguments) -> Any:
        # The first torch.compile switches the checks of torch.distributions off for the whole process
        # (torch/_dynamo/eval_frame.py, TorchPatcher.patch): what follows would depend on what ran before.
        _torch().distributions.Distribution.set_default_validate_args(__debug__)
        return MODES[implementation.mode].execute(implementation, quantity, arguments)

    def arrange(self, tensor: Tensor, layout: str) -> Any:
        torch = _torch()
        own = np.array(tensor.bits)  # torch shares memory with the array it is given: a copy of its own
        if tensor.dtype not in FORMATS:
            return _laid_out(torch.from_numpy(own).to(DEVICES[DEVICE]), layout)
        # The integer of the same width is a detour that keeps every bit, NaN payloads included.
        integers = torch.from_numpy(own.view(np.dtype("int%d" % FORMATS[tensor.dtype].width))).to(DEVICES[DEVICE])
        return _laid_out(integers, layout).view(getattr(torch, tensor.dtype))

    def produce(self, producer: str, logits: Any) -> Any:
        torch = _torch()
        if producer == "sigmoid":
            return torch.sigmoid(logits)
        return torch.softmax(_two_classes(torch.zeros_like(logits), logits), -1)


def _available(device: str) -> bool:
    torch = _torch()
    if device == "tpu":
        importlib.import_module("torch_xla")  # ImportError where there is none
        return True
    return bool(torch.cuda.is_available() if device == "cuda" else torch.backends.mps.is_available())


def _laid_out(plain: Any, layout: str) -> Any:
    """`plain` in another layout; memory beside its elements is full of ones, which as a floating-point number is NaN.

    Raises ValueError where a tensor cannot lie so.
    """
    torch = _torch()
    if layout == "strided":
        return torch.stack((plain, torch.full_like(plain, -1)), -1)[..., 0]
    if layout == "transposed":
        if plain.dim() < 2:
            raise ValueError("a transposed tensor has at least two axes (got shape %s)" % (tuple(plain.shape),))
        axes = tuple(reversed(range(plain.dim())))
        return plain.permute(axes).contiguous().permute(axes)
    if layout == "offset":
        return torch.cat((plain.new_full((1,), -1), plain.reshape(-1)))[1:].view(plain.shape)
    if layout == "broadcast":
        first = plain.reshape(-1)[:1]
        if not first.numel() or not bool((plain == first).all()):
            raise ValueError("all elements of a broadcast tensor are one")
        return first.view((1,) * plain.dim()).expand(plain.shape)
    return plain


# -- entry points that are no function of (prediction, label) --------------------------------------------------------


def _module(name: str, prediction: Any, label: Any, reduction: str = "none", **weights: Any) -> Any:
    """The loss module torch.nn.`name`, made for this call."""
    return getattr(_torch().nn, name)(**weights, **_reduced(reduction))(prediction, label)


def soft_margin_loss(prediction: Any, label: Any, reduction: str = "none") -> Any:
    """torch.nn.functional.soft_margin_loss, whose targets are -1 and 1 for the labels 0 and 1.

    -1 is no number of an unsigned type: a label of one becomes int64.
    """
    torch = _torch()
    label = label.to(torch.int64) if label.dtype in (torch.uint8, torch.bool) else label
    return torch.nn.functional.soft_margin_loss(prediction, 2 * label - 1, **_reduced(reduction))


def multilabel_soft_margin_loss(prediction: Any, label: Any, reduction: str = "none") -> Any:
    """torch.nn.functional.multilabel_soft_margin_loss with one class: its mean over the classes changes nothing."""
    function = _torch().nn.functional.multilabel_soft_margin_loss
    return function(prediction.unsqueeze(-1), label.unsqueeze(-1), **_reduced(reduction))


def cross_entropy(prediction: Any, label: Any, reduction: str = "none", **parameters: Any) -> Any:
    """torch.nn.functional.cross_entropy of two classes with the logits 0 and z and the probabilities 1 - y and y."""
    return _of_two_classes(prediction, _two_classes(1 - label, label).reshape(-1, 2), reduction, **parameters)


def cross_entropy_of_index(prediction: Any, label: Any, reduction: str = "none", weight: Any = None) -> Any:
    """torch.nn.functional.cross_entropy of two classes whose index is the label; one of weight 0 is `ignore_index`."""
    torch = _torch()
    index = label.to(torch.int64)
    if weight is not None:
        index = torch.where(weight == 0, -100, index)  # the default of `ignore_index`
    return _of_two_classes(prediction, index.reshape(-1), reduction)


def _of_two_classes(prediction: Any, targets: Any, reduction: str, **parameters: Any) -> Any:
    """torch.nn.functional.cross_entropy of the logits 0 and z, with `targets` for a batch of one dimension."""
    torch = _torch()
    logits = _two_classes(torch.zeros_like(prediction), prediction)
    # The axis of the classes is the second one of a batch: further axes are folded into it.
    loss = torch.nn.functional.cross_entropy(logits.reshape(-1, 2), targets, **parameters, **_reduced(reduction))
    return loss.reshape(prediction.shape if reduction == "none" else ())


def _two_classes(zero: Any, one: Any) -> Any:
    return _torch().stack((zero, one), -1)


def _log_prob(parameter: str, prediction: Any, label: Any) -> Any:
    """Minus the logarithm of the probability of `label` under torch.distributions.Bernoulli(`parameter`)."""
    return -_torch().distributions.Bernoulli(**{parameter: prediction}).log_prob(label)


# -- contracts -----------------------------------------------------------------------------------------------------

LOG_CLAMP = LogClamp(
    -100.0,
    Source(
        "Our solution is that BCELoss clamps its log function outputs to be greater than or equal to -100.",
        PAGE + "BCELoss.html",
        VERSIONS,
    ),
)

LABEL_CHECK = DomainCheck(
    "label",
    "RuntimeError",
    Source(
        "Note that the targets y should be numbers between 0 and 1. "
        "(kernel: TORCH_CHECK((target_val >= 0) && (target_val <= 1), "
        '"all elements of target should be between 0 and 1"))',
        KERNEL,
        VERSIONS,
    ),
)

PREDICTION_CHECK = DomainCheck(
    "prediction",
    "RuntimeError",
    Source(
        "input: Tensor of arbitrary shape as probabilities. "
        "(kernel: TORCH_CHECK((input_val >= 0) && (input_val <= 1), "
        '"all elements of input should be between 0 and 1"))',
        KERNEL,
        VERSIONS,
    ),
)


def _mean(page: str) -> Reduction:
    return Reduction(
        "all",
        "elements",
        Source(
            "'mean': the sum of the output will be divided by the number of elements in the output [...] "
            "Default: 'mean'",
            PAGE + page,
            VERSIONS,
        ),
    )


MEAN_OF_OTHERS = Reduction(
    "all",
    "weights",
    Source(
        "Specifies a target value that is ignored and does not contribute to the input gradient. When size_average is "
        "True, the loss is averaged over non-ignored targets.",
        PAGE + "functional.cross_entropy.html",
        VERSIONS,
    ),
)

BATCH_MEAN = Reduction(
    "all",
    "elements",
    Source(
        r"Probabilities for each class [...] \frac{\sum_{n=1}^N l_n}{N}, & \text{if reduction} = \text{`mean';} "
        "[...] where [...] N spans the minibatch dimension",
        PAGE + "CrossEntropyLoss.html",
        VERSIONS,
    ),
)

#: float64 is left out of the implementations that declare it: "Ops that run in float64 or non-floating-point dtypes are
#: not eligible, and will run in these types whether or not autocast is enabled."
AUTOCAST = CastsTo(
    "float32",
    Source(
        "CPU Ops that can autocast to float32: avg_pool3d, binary_cross_entropy, grid_sampler, [...], "
        "multilabel_margin_loss, binary_cross_entropy_with_logits, fft_fft, [...]",
        DOCS + "amp.html#cpu-ops-that-can-autocast-to-float32",
        VERSIONS,
    ),
)

SUPPORT_CHECK = DomainCheck(
    "label",
    "ValueError",
    Source(
        "Samples are binary (0 or 1). (source: support = constraints.boolean; Distribution._validate_sample raises "
        'ValueError "Expected value argument [...] to be within the support [...] of the distribution")',
        SOURCE + "torch/distributions/bernoulli.py",
        VERSIONS,
    ),
)

PROBS_CHECK = DomainCheck(
    "prediction",
    "ValueError",
    Source(
        'probs (Number, Tensor): the probability of sampling 1. (source: arg_constraints = {"probs": '
        'constraints.unit_interval, ...}; Distribution.__init__ raises ValueError "Expected parameter probs [...] '
        'to satisfy the constraint")',
        SOURCE + "torch/distributions/bernoulli.py",
        VERSIONS,
    ),
)

REDUCTIONS = ("none", "mean", "sum")

PROBABILITIES = "nn.functional.binary_cross_entropy"
LOGITS = "nn.functional.binary_cross_entropy_with_logits"
CHECKS = (LOG_CLAMP, LABEL_CHECK, PREDICTION_CHECK)

#: One call for all modes, so that what is prepared for one implementation is found again by its call.
CALLS = {PROBABILITIES: Public(PROBABILITIES), LOGITS: Public(LOGITS)}


def _functions(mode: str) -> Iterator[Implementation]:
    """Both functions of torch.nn.functional in one execution mode."""
    reductions = ("none",) if mode == "vmap" else REDUCTIONS
    autocast = mode == "autocast"
    for entry, form, options, fields, page, counterpart in (
        (PROBABILITIES, "probabilities", ("weight",), CHECKS, "BCELoss.html", LOGITS),
        (LOGITS, "logits", ("weight", "pos_weight"), (), "BCEWithLogitsLoss.html", PROBABILITIES),
    ):
        contract: Tuple[Any, ...] = fields
        if len(reductions) > 1:
            contract += (_mean(page),)
        if autocast and DEVICE == "cpu":
            contract += (AUTOCAST,)
        yield Implementation(
            entry,
            form,
            CALLS[entry],
            dtypes=tuple(one for one in ALL_DTYPES if one != "float64") if autocast else ALL_DTYPES,
            options=options,
            reductions=reductions,
            contract=contract,
            mode=mode,
            device=DEVICE,
            link=PAGE + entry[len("nn.") :] + ".html",
            counterpart=counterpart,
        )


OTHERS = [
    Implementation(
        "nn.BCELoss",
        "probabilities",
        functools.partial(_module, "BCELoss"),
        options=("weight",),
        reductions=REDUCTIONS,
        contract=(*CHECKS, _mean("BCELoss.html")),
        device=DEVICE,
        link=PAGE + "BCELoss.html",
        counterpart="nn.BCEWithLogitsLoss",
    ),
    Implementation(
        "nn.BCEWithLogitsLoss",
        "logits",
        functools.partial(_module, "BCEWithLogitsLoss"),
        options=("weight", "pos_weight"),
        reductions=REDUCTIONS,
        contract=(_mean("BCEWithLogitsLoss.html"),),
        device=DEVICE,
        link=PAGE + "BCEWithLogitsLoss.html",
        counterpart="nn.BCELoss",
    ),
    Implementation(
        "nn.functional.soft_margin_loss",
        "logits",
        soft_margin_loss,
        reductions=REDUCTIONS,
        contract=(_mean("SoftMarginLoss.html"),),
        device=DEVICE,
        link=PAGE + "functional.soft_margin_loss.html",
        labels="hard",
    ),
    Implementation(
        "nn.functional.multilabel_soft_margin_loss",
        "logits",
        multilabel_soft_margin_loss,
        reductions=REDUCTIONS,
        contract=(_mean("MultiLabelSoftMarginLoss.html"),),
        device=DEVICE,
        link=PAGE + "functional.multilabel_soft_margin_loss.html",
    ),
    Implementation(
        "nn.functional.cross_entropy",
        "logits",
        cross_entropy,
        reductions=REDUCTIONS,
        contract=(BATCH_MEAN,),
        device=DEVICE,
        link=PAGE + "functional.cross_entropy.html",
        parameters=("label_smoothing",),
    ),
    Implementation(
        "nn.functional.cross_entropy[ignore_index]",
        "logits",
        cross_entropy_of_index,
        options=("weight",),
        reductions=REDUCTIONS,
        contract=(MEAN_OF_OTHERS,),
        device=DEVICE,
        link=PAGE + "functional.cross_entropy.html",
        labels="hard",
        masks=True,
    ),
    Implementation(
        "distributions.Bernoulli",
        "probabilities",
        functools.partial(_log_prob, "probs"),
        contract=(SUPPORT_CHECK, PROBS_CHECK),
        device=DEVICE,
        link=DOCS + "distributions.html#bernoulli",
        labels="hard",
        counterpart="distributions.Bernoulli[logits]",
    ),
    Implementation(
        "distributions.Bernoulli[logits]",
        "logits",
        functools.partial(_log_prob, "logits"),
        contract=(SUPPORT_CHECK,),
        device=DEVICE,
        link=DOCS + "distributions.html#bernoulli",
        labels="hard",
        counterpart="distributions.Bernoulli",
    ),
]

adapters = [Adapter("torch", [*(one for mode in MODES for one in _functions(mode)), *OTHERS], backend=TorchRuntime())]
