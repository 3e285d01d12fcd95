"""JAX: the losses of Optax, the Bernoulli distribution of jax.scipy and two formulas that are written by hand.

Every entry is run op by op ("eager"), compiled ("jit"), one example at a time ("vmap", compiled) and with forward-mode
derivatives ("jvp").  The adapter "jax-x32" runs JAX as it is without a switch, with 64-bit types off.

Read: the docstrings of Optax 0.2.8 (optax/losses/_classification.py) and JAX 0.10.2 (jax/scipy/stats/bernoulli.py,
docs/automatic-differentiation.md).  They print the definition of each loss and state no clip, clamp, check or order of
evaluation, so no entry has a contract and all are judged against the ideal alone.
"""

from __future__ import annotations

import contextlib
import importlib
import os
from typing import Any, Callable, Dict, Iterator, List, Tuple

import numpy as np

from conformance.adapters import (
    ALL_DTYPES,
    OBSERVED_DTYPES,
    PLAIN,
    SIZES,
    VARIABLE,
    Adapter,
    Arguments,
    Implementation,
    Mode,
    Runtime,
    chosen_device,
    scratch,
    where_cpu_has,
)
from conformance.adapters.writing import Derived, Way, Written
from conformance.numbers.formats import FORMATS, Tensor

OPTAX = "https://optax.readthedocs.io/en/latest/api/losses.html#optax.losses."
DOCS = "https://docs.jax.dev/en/latest/"

#: Where everything runs: "cpu", "cuda" or "tpu".
DEVICE = chosen_device()

#: What is differentiated, and how: (implementation, quantity, arguments) -> array.
Evaluate = Callable[[Implementation, str, Arguments], Any]


def _jax() -> Any:
    """The framework, imported on first use: a process that only reads declarations must not load it."""
    return importlib.import_module("jax")


def _devices(*platform: str) -> Any:
    """The devices of JAX, of its default platform or a named one.  Raises ImportError where there is none."""
    try:
        return _jax().devices(*platform)
    except (RuntimeError, AssertionError) as error:  # the latter, without a word, where CUDA is asked for in vain
        raise ImportError("no %s device: %s" % (DEVICE, error)) from error


def _written(x64: str) -> Written:
    """What the modes of a JaxRuntime do, as somebody would write it for a loss of few elements."""
    along = "jax.jvp({function}, ({variable},), (jnp.ones_like({variable}),))"
    loss, total = "lambda {variable}: loss({arguments})", "jax.grad(lambda {variable}: loss({arguments}).sum())"
    return Written(
        "jnp.array([{numbers}], dtype=jnp.{dtype})",
        "jax.grad(lambda prediction: {loss}.sum())({prediction})",
        modules={
            "jax": "import jax",
            "jax.scipy.stats": "import jax.scipy.stats",
            "jnp": 'import jax\nimport jax.numpy as jnp\njax.config.update("jax_enable_x64", %s)' % x64,
            "optax": "import optax",
        },
        aliases={"jax.numpy": "jnp"},
        derived=Derived(
            total + "({variable})", "jax.grad(lambda {variable}: %s({variable}).sum())({variable})" % total
        ),
        ways={
            "eager": Way(),
            "jit": Way(around="jax.jit(lambda {arguments}: {computed})({arguments})"),
            "vmap": Way(around="jax.jit(jax.vmap(lambda {arguments}: {computed}))({arguments})"),
            "jvp": Way(
                derived=Derived(
                    along.replace("{function}", loss) + "[1]",
                    along.replace("{function}", total) + "[1]",
                    value=along.replace("{function}", loss) + "[0]",
                )
            ),
        },
    )


WRITTEN = _written("True")


#: Execution modes: op by op, compiled, one example at a time (compiled), derivatives in forward mode.
MODES = dict(PLAIN, jit=Mode(varied=True, compiled=True), vmap=Mode(), jvp=Mode())


class JaxRuntime(Runtime):
    """Arrays on one device with 64-bit types enabled, in the modes `eager`, `jit`, `vmap` and `jvp`."""

    packages: Tuple[str, ...] = ("jax", "jaxlib", "optax", "numpy")
    modes = MODES
    cost = 3
    devices: Tuple[str, ...] = ("cpu", "cuda", "tpu")
    observed = OBSERVED_DTYPES
    chunk = 1 << 17
    settings = (
        {},
        {"XLA_FLAGS": "--xla_cpu_max_isa=SSE4_2"},
        *where_cpu_has("avx2", XLA_FLAGS="--xla_cpu_max_isa=AVX2"),
        *where_cpu_has("avx512vl", XLA_FLAGS="--xla_cpu_max_isa=AVX512"),
    )

    producers: Tuple[str, ...] = ("sigmoid", "softmax")

    written = WRITTEN

    #: Whether 64-bit types exist; without them JAX rounds every float64 input to float32.
    x64 = True

    def __init__(self) -> None:
        self._modes: Dict[str, Evaluate] = {
            "eager": _reverse,
            "jit": _compiled(_reverse),
            # Op by op vmap gives the bits of eager mode, at the same price; compiled it is a program of its own.
            "vmap": _compiled(_batched),
            "jvp": _forward,
        }

    def open(self) -> None:
        # Set, not defaulted: an implementation's id says on which device it ran.
        os.environ["JAX_PLATFORMS"] = DEVICE
        if DEVICE == "cpu":
            os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
        jax = _jax()
        jax.config.update("jax_enable_x64", self.x64)
        _share_compiled(jax)
        _devices()

    @contextlib.contextmanager
    def borrowed(self) -> Iterator[None]:
        jax = _jax()
        # Before `open` hides the devices that it does not use: JAX looks for them once.
        with jax.default_device(_devices(DEVICE)[0]):
            before = jax.config.jax_enable_x64
            try:
                with super().borrowed():
                    yield
            finally:
                jax.config.update("jax_enable_x64", before)

    def environment(self) -> Dict[str, Any]:
        jax = _jax()
        return {
            "x64": bool(jax.config.jax_enable_x64),
            "platform": jax.default_backend(),
            "device": jax.devices()[0].device_kind,
            "XLA_FLAGS": _without_paths(os.environ.get("XLA_FLAGS", "")),
        }

    def tensor(self, tensor: Tensor) -> Any:
        jax = _jax()
        own = np.array(tensor.bits)  # JAX may share memory with the array it is given: a copy of its own
        if tensor.dtype in FORMATS:
            own = own.view(np.dtype(getattr(jax.numpy, tensor.dtype)))
        return jax.numpy.asarray(own)

    def bits(self, native: Any) -> Tensor:
        if not isinstance(native, _array_type()):
            raise TypeError("returned %s, not a JAX array" % type(native).__name__)
        name = str(native.dtype)
        array = np.asarray(native)
        if name in FORMATS:
            return Tensor(name, np.ascontiguousarray(array).reshape(array.shape).view(FORMATS[name].storage))
        return Tensor(name, array)

    def wait(self, native: Any) -> None:
        _jax().block_until_ready(native)

    def forget(self) -> None:
        _jax().clear_caches()

    def sizes(self, implementation: Implementation) -> Tuple[int, ...]:
        # Op by op, JAX compiles every primitive for every new shape, at 0.1 s and more for a second derivative.
        return SIZES

    def evaluate(self, implementation: Implementation, quantity: str, arguments: Arguments) -> Any:
        return self._modes[implementation.mode](implementation, quantity, arguments)

    def produce(self, producer: str, logits: Any) -> Any:
        jax = _jax()
        if producer == "sigmoid":
            return jax.nn.sigmoid(logits)
        if producer == "softmax":
            return jax.nn.softmax(_two_classes(logits), axis=-1)
        raise ValueError("producer %r is not one of %s" % (producer, ", ".join(self.producers)))


def _share_compiled(jax: Any) -> None:
    """Let the workers of a run, of which several compile the same operations op by op, do so once.

    The persistent cache of JAX takes by default what compiles for a second; where there is no such cache, nothing is
    shared (https://docs.jax.dev/en/latest/persistent_compilation_cache.html).
    """
    if not scratch():
        return
    for name, value in (
        ("jax_compilation_cache_dir", os.path.join(scratch(), "jax")),
        ("jax_persistent_cache_min_compile_time_secs", 0),
        ("jax_persistent_cache_min_entry_size_bytes", -1),
    ):
        if hasattr(jax.config, name):
            jax.config.update(name, value)


class Jax32Runtime(JaxRuntime):
    """JAX as it is without a switch: no 64-bit types; a float64 or int64 input becomes one of 32 bits."""

    written = _written("False")

    x64 = False
    without: Tuple[str, ...] = ("float64", "int64", "uint64")

    def dtypes(self) -> Tuple[str, ...]:
        return tuple(name for name in ALL_DTYPES if name != "float64")


def _reverse(implementation: Implementation, quantity: str, arguments: Arguments) -> Any:
    """The loss, or its derivative by jax.vjp; the second derivative is reverse over reverse."""
    if quantity == "value":
        return implementation.loss(arguments)
    name = VARIABLE[quantity]
    loss = implementation.loss_of(name, arguments)
    if quantity != "second-derivative":
        return _gradient(loss, arguments[name])
    return _gradient(lambda variable: _gradient(loss, variable), arguments[name])


def _forward(implementation: Implementation, quantity: str, arguments: Arguments) -> Any:
    """The loss or its derivative by jax.jvp; the second derivative is forward over reverse."""
    name = VARIABLE[quantity] or "prediction"
    loss = implementation.loss_of(name, arguments)
    variable = arguments[name]
    if quantity == "value":
        return _along(loss, variable, _jax().numpy.ones_like(variable))[0]
    _must_be_floating(variable)
    if quantity == "second-derivative":
        return _forward_gradient(lambda one: _gradient(loss, one), variable)
    return _forward_gradient(loss, variable)


def _batched(implementation: Implementation, quantity: str, arguments: Arguments) -> Any:
    """`_reverse` of one example, mapped over the first axis by jax.vmap; what has no axis is shared."""
    arrays, constants = _split(arguments)
    axes = {name: 0 if array.ndim else None for name, array in arrays.items()}

    def of_one(example: Arguments) -> Any:
        return _reverse(implementation, quantity, dict(constants, **example))

    return _jax().vmap(of_one, in_axes=(axes,))(arrays)


def _compiled(evaluate: Evaluate) -> Evaluate:
    """`evaluate` under jax.jit: the loss and its derivative are one program.

    Numbers and names are constants of the program, as where somebody writes them into the loss that is compiled.
    """
    programs: Dict[Any, Any] = {}

    def run(implementation: Implementation, quantity: str, arguments: Arguments) -> Any:
        arrays, constants = _split(arguments)
        key = (implementation, quantity, tuple(sorted(arrays)), tuple(sorted(constants.items())))
        if key not in programs:
            programs[key] = _jax().jit(lambda traced: evaluate(implementation, quantity, dict(constants, **traced)))
        return programs[key](arrays)

    return run


def _gradient(function: Callable[[Any], Any], variable: Any) -> Any:
    """Gradient of the sum of the results of `function` at `variable`."""
    _must_be_floating(variable)
    jax = _jax()
    result, pullback = jax.vjp(function, variable)
    return pullback(jax.numpy.ones_like(result))[0]


def _forward_gradient(function: Callable[[Any], Any], variable: Any) -> Any:
    """The same in forward mode: one direction gives all derivatives of a loss that is computed element by element.

    Where the result has another shape each element of `variable` needs a direction of its own.
    """
    jax = _jax()
    _, tangent = _along(function, variable, jax.numpy.ones_like(variable))
    if tangent.shape == variable.shape:
        return tangent
    directions = jax.numpy.eye(variable.size, dtype=variable.dtype).reshape((variable.size, *variable.shape))
    derivatives = jax.vmap(lambda direction: _along(function, variable, direction)[1].sum())(directions)
    return derivatives.reshape(variable.shape)


def _along(function: Callable[[Any], Any], variable: Any, direction: Any) -> Any:
    """Results of `function` and their derivatives along `direction`."""
    return _jax().jvp(function, (variable,), (direction,))


def _must_be_floating(variable: Any) -> None:
    """Raise TypeError for an integer array, of which JAX gives derivatives of the type float0."""
    jax = _jax()
    if not jax.numpy.issubdtype(variable.dtype, jax.numpy.floating):
        raise TypeError("cannot differentiate by an array of %s" % variable.dtype)


def _split(arguments: Arguments) -> Tuple[Arguments, Arguments]:
    """The arguments that are arrays, and the others."""
    arrays = {name: value for name, value in arguments.items() if isinstance(value, _array_type())}
    return arrays, {name: value for name, value in arguments.items() if name not in arrays}


def _array_type() -> Any:
    """jax.Array is of 0.4.1; before it jax.numpy.ndarray was the type."""
    jax = _jax()
    return getattr(jax, "Array", jax.numpy.ndarray)


def _two_classes(logits: Any) -> Any:
    """Logits of the classes 0 and 1 whose softmax is 1 - sigmoid(z) and sigmoid(z)."""
    jnp = _jax().numpy
    return jnp.stack([jnp.zeros_like(logits), logits], axis=-1)


def _without_paths(flags: str) -> str:
    """The flags that name no file or folder: a record holds no paths of a machine."""
    return " ".join(flag for flag in flags.split() if "/" not in flag and "\\" not in flag)


def _losses() -> Any:
    """optax.losses, which was part of optax itself before 0.1.8.  ImportError where Optax is not installed."""
    optax = importlib.import_module("optax")
    return getattr(optax, "losses", optax)


def sigmoid_binary_cross_entropy(prediction: Any, label: Any) -> Any:
    """optax.losses.sigmoid_binary_cross_entropy."""
    return _losses().sigmoid_binary_cross_entropy(prediction, label)


def sigmoid_focal_loss(prediction: Any, label: Any, gamma: float = 0.0, alpha: Any = None) -> Any:
    """optax.losses.sigmoid_focal_loss; without a gamma of the case it is 0, which makes it a binary cross-entropy."""
    return _losses().sigmoid_focal_loss(prediction, label, alpha=alpha, gamma=gamma)


def softmax_cross_entropy(prediction: Any, label: Any) -> Any:
    """optax.losses.softmax_cross_entropy of two classes: logits [0, z], labels [1 - y, y]."""
    labels = _jax().numpy.stack([1 - label, label], axis=-1)
    return _losses().softmax_cross_entropy(_two_classes(prediction), labels)


def bernoulli_logpmf(prediction: Any, label: Any) -> Any:
    """-jax.scipy.stats.bernoulli.logpmf(y, p), whose documentation gives other labels than 0 and 1 no probability."""
    return -importlib.import_module("jax.scipy.stats").bernoulli.logpmf(label, prediction)


def formula(prediction: Any, label: Any) -> Any:
    """-(y log p + (1 - y) log1p(-p)) in jax.numpy: JAX itself has no function for probabilities."""
    jnp = _jax().numpy
    return -(label * jnp.log(prediction) + (1 - label) * jnp.log1p(-prediction))


def label_probabilities(prediction: Any, label: Any) -> Any:
    """-log(p y + (1 - p) (1 - y)), the training loss that JAX's documentation of automatic differentiation prints."""
    return -_jax().numpy.log(prediction * label + (1 - prediction) * (1 - label))


#: entry, form, call, and what else an implementation declares.
ENTRIES: Tuple[Tuple[str, str, Callable[..., Any], Dict[str, Any]], ...] = (
    (
        "optax.sigmoid_binary_cross_entropy",
        "logits",
        sigmoid_binary_cross_entropy,
        {"link": OPTAX + "sigmoid_binary_cross_entropy", "counterpart": "formula", "main": True},
    ),
    (
        "optax.losses.sigmoid_focal_loss",
        "logits",
        sigmoid_focal_loss,
        {"link": OPTAX + "sigmoid_focal_loss", "parameters": ("gamma", "alpha")},
    ),
    (
        "optax.losses.softmax_cross_entropy[two-class]",
        "logits",
        softmax_cross_entropy,
        {"link": OPTAX + "softmax_cross_entropy"},
    ),
    (
        "scipy.stats.bernoulli.logpmf",
        "probabilities",
        bernoulli_logpmf,
        {
            "link": DOCS + "_autosummary/jax.scipy.stats.bernoulli.logpmf.html",
            "labels": "hard",
            "counterpart": "optax.sigmoid_binary_cross_entropy",
        },
    ),
    (
        "formula",
        "probabilities",
        formula,
        {"link": DOCS + "_autosummary/jax.numpy.log1p.html", "counterpart": "optax.sigmoid_binary_cross_entropy"},
    ),
    (
        "formula[label_probs]",
        "probabilities",
        label_probabilities,
        {
            "link": DOCS + "automatic-differentiation.html#computing-gradients-in-a-linear-logistic-regression",
            "labels": "hard",
            "counterpart": "optax.sigmoid_binary_cross_entropy",
        },
    ),
)


def _implementations(modes: Tuple[str, ...], of: Callable[[str], bool] = lambda entry: True) -> List[Implementation]:
    """The entries that `of` chooses, in all `modes`."""
    return [
        Implementation(entry, form, call, mode=mode, device=DEVICE, **declared)
        for mode in modes
        for entry, form, call, declared in ENTRIES
        if of(entry)
    ]


adapters = [
    Adapter("jax", _implementations(("eager", "jit", "vmap", "jvp")), backend=JaxRuntime()),
    Adapter(
        "jax-x32",
        # One entry point of each form: without 64-bit types the others show nothing of their own, and they take long.
        _implementations(("eager", "jit"), lambda entry: entry in ("optax.sigmoid_binary_cross_entropy", "formula")),
        backend=Jax32Runtime(),
    ),
]
