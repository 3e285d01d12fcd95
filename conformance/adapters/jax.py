"""JAX: the loss of Optax and the formula that JAX users write by hand, run eagerly (op by op) on the CPU.

Read: the docstring of optax.sigmoid_binary_cross_entropy, Optax 0.2.8; it states no numerical contract.
"""

from __future__ import annotations

import importlib
import os
from typing import Any, Callable, Dict, Tuple

import numpy as np

from conformance.adapters import VARIABLE, Adapter, Arguments, Implementation, Runtime, where_cpu_has
from conformance.formats import FORMATS, Tensor


def _jax() -> Any:
    """The framework, imported on first use: a process that only reads declarations must not load it."""
    return importlib.import_module("jax")


class JaxRuntime(Runtime):
    """Arrays on the CPU with 64-bit types enabled, derivatives by jax.vjp."""

    packages: Tuple[str, ...] = ("jax", "jaxlib", "optax", "numpy")
    cost = 3
    settings = (
        {},
        {"XLA_FLAGS": "--xla_cpu_max_isa=SSE4_2"},
        *where_cpu_has("avx2", XLA_FLAGS="--xla_cpu_max_isa=AVX2"),
        *where_cpu_has("avx512vl", XLA_FLAGS="--xla_cpu_max_isa=AVX512"),
    )

    def open(self) -> None:
        os.environ.setdefault("JAX_PLATFORMS", "cpu")
        os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
        # Without it JAX would round every float64 input to float32.
        _jax().config.update("jax_enable_x64", True)

    def environment(self) -> Dict[str, Any]:
        jax = _jax()
        return {
            "x64": bool(jax.config.jax_enable_x64),
            "platform": jax.default_backend(),
            "XLA_FLAGS": _without_paths(os.environ.get("XLA_FLAGS", "")),
        }

    def tensor(self, tensor: Tensor) -> Any:
        jax = _jax()
        own = np.array(tensor.bits)  # JAX may share memory with the array it is given: a copy of its own
        if tensor.dtype in FORMATS:
            own = own.view(np.dtype(getattr(jax.numpy, tensor.dtype)))
        return jax.numpy.asarray(own)

    def bits(self, native: Any) -> Tensor:
        jax = _jax()
        # jax.Array is of 0.4.1; before it jax.numpy.ndarray was the type.
        if not isinstance(native, getattr(jax, "Array", jax.numpy.ndarray)):
            raise TypeError("returned %s, not a JAX array" % type(native).__name__)
        name = str(native.dtype)
        array = np.asarray(native)
        if name in FORMATS:
            return Tensor(name, np.ascontiguousarray(array).reshape(array.shape).view(FORMATS[name].storage))
        return Tensor(name, array)

    def sizes(self, implementation: Implementation) -> Tuple[int, ...]:
        # Op by op, JAX compiles every primitive for every new shape, at 0.1 s and more for a second derivative.
        return (1, 64)

    def evaluate(self, implementation: Implementation, quantity: str, arguments: Arguments) -> Any:
        if quantity == "value":
            return implementation.loss(arguments)
        name = VARIABLE[quantity]
        loss = implementation.loss_of(name, arguments)
        if quantity != "second-derivative":
            return _gradient(loss, arguments[name])
        return _gradient(lambda variable: _gradient(loss, variable), arguments[name])


def _gradient(function: Callable[[Any], Any], variable: Any) -> Any:
    """Gradient of the sum of the results of `function` at `variable`."""
    jax = _jax()
    if not jax.numpy.issubdtype(variable.dtype, jax.numpy.floating):  # the pullback would give float0
        raise TypeError("cannot differentiate by an array of %s" % variable.dtype)
    result, pullback = jax.vjp(function, variable)
    return pullback(jax.numpy.ones_like(result))[0]


def _without_paths(flags: str) -> str:
    """The flags that name no file or folder: a record holds no paths of a machine."""
    return " ".join(flag for flag in flags.split() if "/" not in flag and "\\" not in flag)


def sigmoid_binary_cross_entropy(prediction: Any, label: Any) -> Any:
    """optax.sigmoid_binary_cross_entropy; ImportError where Optax is not installed."""
    return importlib.import_module("optax").sigmoid_binary_cross_entropy(prediction, label)


def formula(prediction: Any, label: Any) -> Any:
    """-(y log p + (1 - y) log1p(-p)) in jax.numpy: JAX itself has no function for probabilities."""
    jnp = _jax().numpy
    return -(label * jnp.log(prediction) + (1 - label) * jnp.log1p(-prediction))


adapters = [
    Adapter(
        "jax",
        [
            Implementation(
                "optax.sigmoid_binary_cross_entropy",
                "logits",
                sigmoid_binary_cross_entropy,
                link="https://optax.readthedocs.io/en/latest/api/losses.html#optax.losses.sigmoid_binary_cross_entropy",
            ),
            Implementation(
                "formula",
                "probabilities",
                formula,
                link="https://docs.jax.dev/en/latest/_autosummary/jax.numpy.log1p.html",
            ),
        ],
        backend=JaxRuntime(),
    )
]
