"""The runtimes of JAX: arrays, devices and settings, with 64-bit types and without."""

from __future__ import annotations

import contextlib
import os
from typing import Any, Dict, Iterator, Tuple

import numpy as np

from conformance.adapters import (
    ALL_DTYPES,
    OBSERVED_DTYPES,
    SIZES,
    Arguments,
    Implementation,
    Runtime,
    chosen_device,
    scratch,
    where_cpu_has,
)
from conformance.adapters.jax.calls import framework, two_classes
from conformance.adapters.jax.modes import MODES, WRITTEN, array_type, evaluations, written
from conformance.numbers.formats import FORMATS, Tensor

#: Where everything runs: "cpu", "cuda" or "tpu".
DEVICE = chosen_device()


def _devices(*platform: str) -> Any:
    """The devices of JAX, of its default platform or a named one.  Raises ImportError where there is none."""
    try:
        return framework().devices(*platform)
    except (RuntimeError, AssertionError) as error:  # the latter, without a word, where CUDA is asked for in vain
        raise ImportError("no %s device: %s" % (DEVICE, error)) from error


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
        self._modes = evaluations()

    def open(self) -> None:
        # Set, not defaulted: an implementation's id says on which device it ran.
        os.environ["JAX_PLATFORMS"] = DEVICE
        if DEVICE == "cpu":
            os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
        jax = framework()
        jax.config.update("jax_enable_x64", self.x64)
        _share_compiled(jax)
        _devices()

    @contextlib.contextmanager
    def borrowed(self) -> Iterator[None]:
        jax = framework()
        # Before `open` hides the devices that it does not use: JAX looks for them once.
        with jax.default_device(_devices(DEVICE)[0]):
            before = jax.config.jax_enable_x64
            try:
                with super().borrowed():
                    yield
            finally:
                jax.config.update("jax_enable_x64", before)

    def environment(self) -> Dict[str, Any]:
        jax = framework()
        return {
            "x64": bool(jax.config.jax_enable_x64),
            "platform": jax.default_backend(),
            "device": jax.devices()[0].device_kind,
            "XLA_FLAGS": _without_paths(os.environ.get("XLA_FLAGS", "")),
        }

    def tensor(self, tensor: Tensor) -> Any:
        jax = framework()
        own = np.array(tensor.bits)  # JAX may share memory with the array it is given: a copy of its own
        if tensor.dtype in FORMATS:
            own = own.view(np.dtype(getattr(jax.numpy, tensor.dtype)))
        return jax.numpy.asarray(own)

    def bits(self, native: Any) -> Tensor:
        if not isinstance(native, array_type()):
            raise TypeError("returned %s, not a JAX array" % type(native).__name__)
        name = str(native.dtype)
        array = np.asarray(native)
        if name in FORMATS:
            return Tensor(name, np.ascontiguousarray(array).reshape(array.shape).view(FORMATS[name].storage))
        return Tensor(name, array)

    def wait(self, native: Any) -> None:
        framework().block_until_ready(native)

    def forget(self) -> None:
        framework().clear_caches()

    def sizes(self, implementation: Implementation) -> Tuple[int, ...]:
        # Op by op, JAX compiles every primitive for every new shape, at 0.1 s and more for a second derivative.
        return SIZES

    def evaluate(self, implementation: Implementation, quantity: str, arguments: Arguments) -> Any:
        return self._modes[implementation.mode](implementation, quantity, arguments)

    def produce(self, producer: str, logits: Any) -> Any:
        jax = framework()
        if producer == "sigmoid":
            return jax.nn.sigmoid(logits)
        if producer == "softmax":
            return jax.nn.softmax(two_classes(logits), axis=-1)
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

    written = written("False")

    x64 = False
    without: Tuple[str, ...] = ("float64", "int64", "uint64")

    def dtypes(self) -> Tuple[str, ...]:
        return tuple(name for name in ALL_DTYPES if name != "float64")


def _without_paths(flags: str) -> str:
    """The flags that name no file or folder: a record holds no paths of a machine."""
    return " ".join(flag for flag in flags.split() if "/" not in flag and "\\" not in flag)
