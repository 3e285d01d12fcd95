"""How PyTorch runs a loss: what each mode does, and how somebody would write it."""

from __future__ import annotations

import contextlib
import functools
import importlib
import warnings
from typing import Any, Callable, Dict, Iterator, NamedTuple, Tuple

from conformance.adapters import NUMERIC, VARIABLE, Arguments, Call, Implementation, Mode, chosen_device
from conformance.adapters.torch.calls import Public, Transform, framework
from conformance.adapters.writing import Derived, Way, Written

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


def _through(transform: Transform, call: Call) -> Loss:
    """What `transform` makes of a call, or of the function of torch inside it, as a function of named arguments."""
    made = call.through(transform) if isinstance(call, Public) else transform(call)

    def loss(arguments: Arguments) -> Any:
        rest = dict(arguments)
        return made(rest.pop("prediction"), rest.pop("label"), **rest)

    return loss


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
    torch = framework()
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


#: The backends of torch.compile by mode: the whole of it, and those that run what there is after a stage of it, which
#: are for debugging (torch/_dynamo/backends/debugging.py, 2.13).
BACKENDS = {
    "dynamo": "eager",
    "aot_eager": "aot_eager",
    "aot_eager_decomp_partition": "aot_eager_decomp_partition",
    "compile": "inductor",
}


@functools.lru_cache(maxsize=None)
def _compiled(call: Call, backend: str) -> Loss:
    """`call` under torch.compile: graphs are made for sizes that vary, besides those for the size 1."""
    config = importlib.import_module("torch._dynamo.config")
    for name, value in DYNAMO.items():
        if hasattr(config, name):
            setattr(config, name, value)
    return _through(functools.partial(framework().compile, fullgraph=True, dynamic=True, backend=backend), call)


def _compile(implementation: Implementation, quantity: str, arguments: Arguments) -> Any:
    """By torch.compile or a stage of it, with one graph for the value and both gradients.

    Where a loss is not differentiable by its label, which the framework refuses, the label is left as it is.
    """
    loss = _compiled(implementation.call, BACKENDS[implementation.mode])
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
        return _through(framework().jit.script, call)


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
        traced: Function = framework().jit.trace(function, tensors, check_trace=False)
    return traced


def _exported(function: Function, tensors: Tuple[Any, ...]) -> Function:
    """`function` through torch.export, in the operators of the core; every axis longer than 1 may vary."""
    torch = framework()
    module = torch.nn.Module()
    module.forward = function
    axes = [{i: torch.export.Dim.DYNAMIC for i, size in enumerate(one.shape) if size > 1} for one in tensors]
    program = torch.export.export(module, tensors, dynamic_shapes=(tuple(axes),))
    exported: Function = program.run_decompositions().module()
    return exported


def _vmap(implementation: Implementation, quantity: str, arguments: Arguments) -> Any:
    """By torch.func.vmap of the loss of one element, and of its gradient by torch.func.grad."""
    torch = framework()
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
    torch = framework()
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
    torch = framework()

    def loss(given: Arguments) -> Any:
        with torch.autocast(DEVICES[DEVICE], dtype=torch.bfloat16):
            return implementation.loss(given)

    return _by_autograd(loss, quantity, arguments)


class Execution(NamedTuple):
    """One way to run a loss, declared as `mode`: `execute` computes a quantity, which is one of `quantities`."""

    execute: Execute
    mode: Mode = Mode()
    quantities: Tuple[str, ...] = NUMERIC


#: What the modes have in common that make a program of the call.
COMPILED = Mode(compiled=True)

#: "torch.compile with aot_autograd does not currently support double backward": torch/_functorch/aot_autograd.py
ONCE = tuple(one for one in NUMERIC if one != "second-derivative")


def _stage(step: str) -> Execution:
    """A stage of torch.compile, which does `step` after the stage before."""
    return Execution(_compile, Mode(compiled=True, stage_of=("compile",), step=step), ONCE)


MODES = {
    "eager": Execution(_eager, Mode(varied=True)),
    "dynamo": _stage("dynamo's capture of a graph"),
    "aot_eager": _stage("AOTAutograd's graph of forward and backward"),
    "aot_eager_decomp_partition": _stage("inductor's decompositions and partition"),
    "compile": Execution(_compile, COMPILED._replace(step="inductor's code"), ONCE),
    "script": Execution(_script, COMPILED),
    # A trace is that of its shapes: torch.broadcast_shapes, which the losses use, becomes a constant in it.
    "trace": Execution(_ahead(_traced, lambda tensor: (tensor.dtype, tuple(tensor.shape))), COMPILED),
    "export": Execution(
        _ahead(_exported, lambda tensor: (tensor.dtype, tuple(min(size, 2) for size in tensor.shape))), COMPILED
    ),
    "vmap": Execution(_vmap),
    "jvp": Execution(_jvp),
    "autocast": Execution(_autocast),
}

#: Of these, what the suite asks in them.
DECLARED = {name: one.mode for name, one in MODES.items()}


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
