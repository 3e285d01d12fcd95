"""The runtimes of Keras: what it adds to that of the framework underneath, on each of its backends."""

from __future__ import annotations

import contextlib
import importlib
import os
from typing import Any, Dict, Iterator, Tuple

from conformance.adapters import SIZES, Arguments, Implementation, Runtime, chosen_device, kept_environment, numpy
from conformance.adapters.jax import modes as jax
from conformance.adapters.jax.runtime import JaxRuntime
from conformance.adapters.keras.calls import framework
from conformance.adapters.numpy import NumPyRuntime
from conformance.adapters.tensorflow import modes as tensorflow
from conformance.adapters.tensorflow.runtime import TensorFlowRuntime, no_keras_json
from conformance.adapters.torch import modes as torch
from conformance.adapters.torch.runtime import TorchRuntime
from conformance.adapters.writing import Way, Written
from conformance.numbers.formats import Tensor

#: Where TensorFlow, PyTorch and JAX run; the other two backends know the CPU alone.
DEVICE = chosen_device()


def _settings() -> Any:
    """keras.config, which was part of keras.backend before Keras 3."""
    return getattr(framework(), "config", framework().backend)


class OnKeras(Runtime):
    """What a runtime of Keras adds to that of the framework underneath, which is the next base class."""

    #: The name of the backend in KERAS_BACKEND.
    keras_backend = ""

    producers: Tuple[str, ...] = ("sigmoid", "softmax")

    def open(self) -> None:
        os.environ["KERAS_BACKEND"] = self.keras_backend
        os.environ["KERAS_TORCH_DEVICE"] = DEVICE  # Keras would take a GPU where there is one
        with no_keras_json():
            super().open()
            keras = framework()
        if keras.backend.backend() != self.keras_backend:  # imported before, with another backend
            raise RuntimeError("Keras is already loaded on %s in this process" % keras.backend.backend())
        settings = _settings()
        settings.set_floatx("float32")
        settings.set_epsilon(1e-7)

    @contextlib.contextmanager
    def borrowed(self) -> Iterator[None]:
        with kept_environment():
            os.environ["KERAS_BACKEND"] = self.keras_backend  # for the case that this is the first import
            settings = _settings()
            floatx, epsilon = settings.floatx(), settings.epsilon()
            try:
                with super().borrowed():
                    yield
            finally:
                settings.set_floatx(floatx)
                settings.set_epsilon(epsilon)

    def environment(self) -> Dict[str, Any]:
        """The settings of Keras that change bits, beside those of the framework."""
        settings = _settings()
        return dict(
            super().environment(),
            **{
                "keras-backend": framework().backend.backend(),
                "floatx": settings.floatx(),
                "epsilon": settings.epsilon(),
            },
        )

    def produce(self, producer: str, logits: Any) -> Any:
        """keras.ops.sigmoid or keras.ops.softmax; on TensorFlow its result remembers the logits (`_keras_logits`)."""
        ops = framework().ops
        if producer == "sigmoid":
            return ops.sigmoid(logits)
        if producer == "softmax":
            return ops.softmax(ops.stack([ops.zeros_like(logits), logits], axis=-1), axis=-1)
        raise ValueError("producer %r is not one of %s" % (producer, ", ".join(self.producers)))


class ValuesOnly(OnKeras):
    """A backend that Keras has no gradients for: "only forward pass"."""

    def quantities(self, implementation: Implementation) -> Tuple[str, ...]:
        return ("value",)

    def evaluate(self, implementation: Implementation, quantity: str, arguments: Arguments) -> Any:
        return implementation.loss(arguments)


def _written_on(backend: str, said: Written) -> Written:
    """How calls of Keras are written on a backend whose own calls are `said`; Keras chooses it when it is imported."""
    lines = 'import os\nos.environ["KERAS_BACKEND"] = "%s"\nimport keras' % backend
    return said._replace(modules=dict({"keras": lines}, **said.modules))


class KerasTensorFlowRuntime(OnKeras, TensorFlowRuntime):
    """Keras on TensorFlow."""

    keras_backend = "tensorflow"
    written = _written_on("tensorflow", tensorflow.WRITTEN)
    packages = ("keras", "tensorflow", "numpy")


class KerasTorchRuntime(OnKeras, TorchRuntime):
    """Keras on PyTorch."""

    keras_backend = "torch"
    written = _written_on("torch", torch.WRITTEN)._replace(
        # As one graph it would not compile (`_with_graph_breaks`).
        ways=dict(
            torch.WRITTEN.ways,
            compile=Way(
                "prediction.requires_grad_(), label.requires_grad_()\nloss = torch.compile(loss, dynamic=True)"
            ),
        )
    )
    packages = ("keras", "torch", "numpy")

    def __init__(self) -> None:
        super().__init__()
        self._compiled: Dict[Implementation, Implementation] = {}

    def open(self) -> None:
        super().open()
        # Every dtype, rank and set of arguments is a graph of its own; past the default limit of 8 the rest would be
        # run eagerly, which only a log tells.
        config = importlib.import_module("torch._dynamo.config")
        for name in ("recompile_limit", "accumulated_recompile_limit"):
            if hasattr(config, name):
                setattr(config, name, 1 << 16)

    def quantities(self, implementation: Implementation) -> Tuple[str, ...]:
        # "torch.compile with aot_autograd does not currently support double backward": torch/_functorch/aot_autograd.py
        found = super().quantities(implementation)
        return tuple(name for name in found if name != "second-derivative" or implementation.mode not in torch.BACKENDS)

    def sizes(self, implementation: Implementation) -> Tuple[int, ...]:
        # Shapes and dtypes that Keras refuses fail while a graph is made, after which all graphs are made anew.
        return SIZES if implementation.mode in torch.BACKENDS else ()

    def evaluate(self, implementation: Implementation, quantity: str, arguments: Arguments) -> Any:
        if implementation.mode in torch.BACKENDS:
            if implementation not in self._compiled:
                self._compiled[implementation] = _with_graph_breaks(implementation)
            failed = _failed_frames()
            try:
                return super().evaluate(self._compiled[implementation], quantity, arguments)
            finally:
                # An exception while a graph is made leaves its function uncompiled for good: what follows would be run
                # eagerly, which only a log tells.
                if _failed_frames() > failed:
                    self._compiled.clear()
                    importlib.import_module("torch._dynamo").reset()
        return super().evaluate(implementation, quantity, arguments)


def _failed_frames() -> int:
    """How many functions torch.compile has given up in this process."""
    frames = importlib.import_module("torch._dynamo.utils").counters["frames"]
    return int(frames["total"] - frames["ok"])


def _with_graph_breaks(implementation: Implementation) -> Implementation:
    """`implementation` with its call under torch.compile, or a stage of it, as Keras itself uses it, to be run eagerly.

    As one graph it would not compile: Keras 3.15.1 asks torch.backends.mps.is_available() in binary_crossentropy,
    which breaks the graph.  Prediction and label always require gradients, so that one graph serves all quantities.
    """
    backend = torch.BACKENDS[implementation.mode]
    compiled = importlib.import_module("torch").compile(implementation.call, dynamic=True, backend=backend)

    def leaf(tensor: Any) -> Any:
        if tensor.requires_grad or not tensor.is_floating_point():
            return tensor
        return tensor.detach().requires_grad_(True)

    def call(prediction: Any, label: Any, **rest: Any) -> Any:
        return compiled(leaf(prediction), leaf(label), **rest)

    return Implementation(implementation.entry, implementation.form, call, reductions=implementation.reductions)


class KerasJaxRuntime(OnKeras, JaxRuntime):
    """Keras on JAX with 64-bit types enabled."""

    keras_backend = "jax"
    written = _written_on("jax", jax.WRITTEN)
    packages = ("keras", "jax", "jaxlib", "numpy")


class KerasNumPyRuntime(ValuesOnly, NumPyRuntime):
    """Keras on NumPy, whose arrays are its tensors."""

    keras_backend = "numpy"
    written = _written_on("numpy", numpy.WRITTEN)
    packages: Any = ("keras", "numpy")


class KerasOpenVINORuntime(ValuesOnly, NumPyRuntime):
    """Keras on OpenVINO: an operation makes a node of a graph, and reading the result compiles and runs the graph."""

    keras_backend = "openvino"
    packages: Any = ("keras", "openvino", "numpy")

    #: A constant of the graph lies in memory as OpenVINO wants it.
    layouts: Tuple[str, ...] = ("contiguous",)

    written = _written_on("openvino", numpy.WRITTEN)._replace(
        tensor="keras.ops.convert_to_tensor(np.array([{numbers}], dtype='{dtype}'))",
        reshaped="keras.ops.reshape({tensor}, {shape})",
        number="float(keras.ops.convert_to_numpy({result}).item())",
        numbers="keras.ops.convert_to_numpy({result}).tolist()",
        dtype="keras.backend.standardize_dtype({result}.dtype)",
    )

    def sizes(self, implementation: Implementation) -> Tuple[int, ...]:
        # A graph is compiled for every shape, at some hundredths of a second.
        return SIZES

    def open(self) -> None:
        importlib.import_module("openvino")  # Keras would only fail in its first operation
        super().open()

    def tensor(self, tensor: Tensor) -> Any:
        return framework().ops.convert_to_tensor(super().tensor(tensor))

    def bits(self, native: Any) -> Tensor:
        if not framework().ops.is_tensor(native):
            raise TypeError("returned %s, not a tensor of OpenVINO" % type(native).__name__)
        return super().bits(framework().ops.convert_to_numpy(native))
