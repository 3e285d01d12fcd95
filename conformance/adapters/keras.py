"""Keras 3 on each of its backends: TensorFlow, PyTorch, JAX, NumPy and OpenVINO.

Each adapter is the runtime of the framework underneath with Keras on top, in an interpreter of its own: Keras chooses
its backend once, when it is imported.  Its functions run eagerly and under the compiler of the backend; on NumPy and
OpenVINO, which Keras does not differentiate, only values are offered.

Read: the docstrings of Keras 3.15.1 and, where they are silent, its source (src/ops/nn.py, src/losses/losses.py,
src/losses/loss.py, src/backend/*/nn.py).
"""

from __future__ import annotations

import contextlib
import importlib
import os
from typing import Any, Callable, Dict, Iterator, List, Tuple

from conformance.adapters import (
    SIZES,
    Adapter,
    Arguments,
    Call,
    Implementation,
    Runtime,
    chosen_device,
    jax,
    kept_environment,
    numpy,
    tensorflow,
    torch,
)
from conformance.adapters.jax import JaxRuntime
from conformance.adapters.numpy import NumPyRuntime
from conformance.adapters.tensorflow import SIGMOID_FORMULA, TensorFlowRuntime, no_keras_json
from conformance.adapters.torch import LABEL_CHECK, TorchRuntime
from conformance.adapters.writing import Way, Written
from conformance.contracts import CastsTo, Clip, Contract, Reduction, Source
from conformance.numbers.formats import Tensor

DOCS = "https://keras.io/api/"
CODE = "https://github.com/keras-team/keras/blob/v3.15.1/keras/src/"
VERSIONS = "3.15.1"

#: Where TensorFlow, PyTorch and JAX run; the other two backends know the CPU alone.
DEVICE = chosen_device()


def _keras() -> Any:
    """The framework, imported on first use: a process that only reads declarations must not load it.

    An import statement, because torch.compile cannot trace a call of importlib.
    """
    import keras

    return keras


def _settings() -> Any:
    """keras.config, which was part of keras.backend before Keras 3."""
    return getattr(_keras(), "config", _keras().backend)


# -- runtimes --------------------------------------------------------------------------------------------------------


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
            keras = _keras()
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
                "keras-backend": _keras().backend.backend(),
                "floatx": settings.floatx(),
                "epsilon": settings.epsilon(),
            },
        )

    def produce(self, producer: str, logits: Any) -> Any:
        """keras.ops.sigmoid or keras.ops.softmax; on TensorFlow its result remembers the logits (`_keras_logits`)."""
        ops = _keras().ops
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
        return tuple(name for name in found if name != "second-derivative" or implementation.mode != "compile")

    def sizes(self, implementation: Implementation) -> Tuple[int, ...]:
        # Shapes and dtypes that Keras refuses fail while a graph is made, after which all graphs are made anew.
        return SIZES if implementation.mode == "compile" else ()

    def evaluate(self, implementation: Implementation, quantity: str, arguments: Arguments) -> Any:
        if implementation.mode == "compile":
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
    """`implementation` with its call under torch.compile as Keras itself uses it, to be run eagerly.

    As one graph it would not compile: Keras 3.15.1 asks torch.backends.mps.is_available() in binary_crossentropy,
    which breaks the graph.  Prediction and label always require gradients, so that one graph serves all quantities.
    """
    compiled = importlib.import_module("torch").compile(implementation.call, dynamic=True)

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
        return _keras().ops.convert_to_tensor(super().tensor(tensor))

    def bits(self, native: Any) -> Tensor:
        if not _keras().ops.is_tensor(native):
            raise TypeError("returned %s, not a tensor of OpenVINO" % type(native).__name__)
        return super().bits(_keras().ops.convert_to_numpy(native))


# -- calls -----------------------------------------------------------------------------------------------------------


def _elementwise(prediction: Any, label: Any) -> Tuple[Any, Any]:
    """Both with an appended axis of size 1, so that the mean that Keras takes over the last axis is of one loss.

    "axis: The axis along which the mean is computed. Defaults to -1."  Tensors of different shapes are handed on as
    they are: whether and how their ranks are aligned is then what is seen.
    """
    if tuple(prediction.shape) != tuple(label.shape):
        return prediction, label
    return _column(prediction), _column(label)


def _column(tensor: Any) -> Any:
    return _keras().ops.expand_dims(tensor, -1)


def _ops_loss(from_logits: bool) -> Call:
    """keras.ops.binary_crossentropy, elementwise."""

    def call(prediction: Any, label: Any) -> Any:
        return _keras().ops.binary_crossentropy(label, prediction, from_logits=from_logits)

    return call


def _function_loss(name: str, from_logits: bool) -> Call:
    """The function `name` of keras.losses, the mean over the last axis.

    "mean" calls it as it is, which for a one-dimensional input is the mean over all elements.
    """

    def call(prediction: Any, label: Any, reduction: str = "none", **numbers: float) -> Any:
        if reduction == "none":
            prediction, label = _elementwise(prediction, label)
        return getattr(_keras().losses, name)(label, prediction, from_logits=from_logits, **_options(name, numbers))

    return call


def _object_loss(name: str, from_logits: bool, chosen: str = "") -> Call:
    """The class `name` of keras.losses, on inputs with an appended axis; `weight` is its `sample_weight`.

    The object takes the mean over the last axis before it reduces: without that axis "sum" would be a mean.
    "mean" leaves `reduction` out, because it is the documented default, which is thus tested; of a batch of several
    axes it is the same without another one, and so the tensors that a layer handed out are what the object gets.
    `chosen` is a reduction of Keras that is no argument of a call.
    """

    def call(prediction: Any, label: Any, reduction: str = "mean", weight: Any = None, **numbers: float) -> Any:
        options = _options(name, numbers)
        if chosen or reduction != "mean":
            options["reduction"] = chosen or reduction
        loss = getattr(_keras().losses, name)(from_logits=from_logits, **options)
        if reduction != "mean" or weight is not None or len(prediction.shape) < 2:
            prediction, label = _elementwise(prediction, label)
        return loss(label, prediction, sample_weight=weight)

    return call


def _options(name: str, numbers: Dict[str, float]) -> Dict[str, Any]:
    """Keyword arguments of the loss `name` for the numbers that a case sets.

    A focal loss is asked for gamma = 0 where the case sets none: "When gamma=0, this function is equivalent to the
    binary crossentropy loss."  Its alpha counts only with `apply_class_balancing`.
    """
    options: Dict[str, Any] = dict(numbers)
    if "focal" in name.lower():
        options.setdefault("gamma", 0.0)
    if "alpha" in options:
        options["apply_class_balancing"] = True
    return options


# -- contracts -------------------------------------------------------------------------------------------------------

#: The line of src/backend/*/nn.py that clips.  The documentation does not mention clipping, so the source is quoted.
CLIP_LINES = {
    "tensorflow": (
        "output = tf.clip_by_value(output, backend.epsilon(), 1.0 - backend.epsilon())",
        CODE + "backend/tensorflow/nn.py#L1484-L1486",
    ),
    "torch": (
        "output = torch.clip(output, backend.epsilon(), 1.0 - backend.epsilon())",
        CODE + "backend/torch/nn.py#L955",
    ),
    "jax": (
        "output = jnp.clip(output, backend.epsilon(), 1.0 - backend.epsilon())",
        CODE + "backend/jax/nn.py#L1033",
    ),
    "numpy": (
        "output = np.clip(output, backend.epsilon(), 1.0 - backend.epsilon())",
        CODE + "backend/numpy/nn.py#L926",
    ),
    "openvino": (
        "output = ov_opset.clamp(output, min_value=backend.epsilon(), max_value=1 - backend.epsilon())",
        CODE + "backend/openvino/nn.py#L991-L993",
    ),
}


def _mean_of_last_axis(page: str) -> Reduction:
    quote = "axis: The axis along which the mean is computed. Defaults to -1."
    return Reduction("last", "elements", Source(quote, page, VERSIONS))


def _mean_of_all(page: str) -> Reduction:
    quote = (
        '"sum_over_batch_size" and "mean" sum the loss and divide by the sample size [...] '
        'Defaults to "sum_over_batch_size".'
    )
    return Reduction("all", "elements", Source(quote, page, VERSIONS))


def _mean_of_weights(page: str) -> Reduction:
    quote = '"mean_with_sample_weight" sums the loss and divides by the sum of the sample weights.'
    return Reduction("all", "weights", Source(quote, page, VERSIONS))


def _cast(page: str) -> CastsTo:
    quote = (
        "dtype: The dtype of the loss's computations. Defaults to None, which means using keras.backend.floatx(). "
        'keras.backend.floatx() is a "float32" unless set to different value'
    )
    return CastsTo("float32", Source(quote, page, VERSIONS))


def _of_probabilities(backend: str) -> Contract:
    """What holds for an entry point that takes probabilities."""
    line, link = CLIP_LINES[backend]
    clip = Clip("1e-7", "0.9999999", Source(line, link, VERSIONS))
    if backend != "torch":
        return (clip,)
    # On torch Keras hands the clipped prediction to torch.nn.functional.binary_cross_entropy, whose documentation
    # then applies.  A prediction outside [0, 1] never reaches its check, and no logarithm within the clip bounds
    # reaches its clamp, which is therefore no part of the contract.
    return (clip, LABEL_CHECK)


def _of_logits(backend: str) -> Contract:
    """What holds for a cross-entropy of logits.

    On TensorFlow Keras hands them to tf.nn.sigmoid_cross_entropy_with_logits, whose documentation then applies.
    """
    return (SIGMOID_FORMULA,) if backend == "tensorflow" else ()


def _of_focal_logits(backend: str) -> Contract:
    """What holds for a focal loss of logits: it takes their sigmoid and goes on as with probabilities.

    That the sigmoid is clipped cannot be said of the prediction, which is a logit.
    """
    return (LABEL_CHECK,) if backend == "torch" else ()


# -- declarations ----------------------------------------------------------------------------------------------------

#: The modes of each backend: eager, and the compilers that Keras itself uses there (`jit_compile`).
MODES = {
    "tensorflow": ("eager", "function", "xla"),
    "torch": ("eager", "compile"),
    "jax": ("eager", "jit"),
    "numpy": ("eager",),
    "openvino": ("eager",),
}

#: The entry points that are also run under torch.compile.
COMPILED = ("ops.binary_crossentropy", "losses.binary_crossentropy")

LOSSES = DOCS + "losses/probabilistic_losses/#"


def _implementations(backend: str) -> List[Implementation]:
    """Every entry point on probabilities and on logits, in every mode of `backend` that runs it."""
    return [
        implementation
        for mode in MODES[backend]
        for implementation in _in_mode(backend, mode)
        if _runs(backend, mode, implementation.entry.replace("[from_logits]", ""))
    ]


def _runs(backend: str, mode: str, entry: str) -> bool:
    """Whether a mode runs an entry point: where that takes long, those stand for the others that show something else.

    torch.compile takes seconds for each loss, dtype and rank, jax.jit tenths of a second, OpenVINO as long for each
    result that is read; the elementwise operation and the function that `Model.compile` makes of "binary_crossentropy"
    go through them.  JAX compiles every primitive that it runs op by op, and the object of the focal loss has the most.
    """
    if mode in ("compile", "jit") or backend == "openvino":
        return entry in COMPILED
    return (backend, mode, entry) != ("jax", "eager", "losses.BinaryFocalCrossentropy")


def _in_mode(backend: str, mode: str) -> List[Implementation]:
    where: Dict[str, Any] = {"mode": mode, "device": DEVICE if backend in ("tensorflow", "torch", "jax") else "cpu"}
    plain = (_of_probabilities(backend), _of_logits(backend))
    focal = (_of_probabilities(backend), _of_focal_logits(backend))
    smoothing, of_focal = ("label_smoothing",), ("gamma", "alpha", "label_smoothing")
    function, focal_function = LOSSES + "binary_crossentropy-function", LOSSES + "binary_focal_crossentropy-function"
    loss, focal_loss = LOSSES + "binarycrossentropy-class", LOSSES + "binaryfocalcrossentropy-class"
    return (
        _pair("ops.binary_crossentropy", _ops_loss, plain, link=DOCS + "ops/nn/#binarycrossentropy-function", **where)
        + _pair(
            "losses.binary_crossentropy",
            lambda from_logits: _function_loss("binary_crossentropy", from_logits),
            plain,
            (_mean_of_last_axis(function),),
            reductions=("none", "mean"),
            parameters=smoothing,
            link=function,
            **where,
        )
        + _pair(
            "losses.BinaryCrossentropy",
            lambda from_logits: _object_loss("BinaryCrossentropy", from_logits),
            plain,
            (_cast(loss), _mean_of_all(loss)),
            reductions=("none", "mean", "sum"),
            options=("weight",),
            parameters=smoothing,
            link=loss,
            **where,
        )
        + _pair(
            "losses.BinaryCrossentropy[mean_with_sample_weight]",
            lambda from_logits: _object_loss("BinaryCrossentropy", from_logits, "mean_with_sample_weight"),
            plain,
            (_cast(loss), _mean_of_weights(loss)),
            reductions=("mean",),
            options=("weight",),
            parameters=smoothing,
            link=loss,
            **where,
        )
        + _pair(
            "losses.binary_focal_crossentropy",
            lambda from_logits: _function_loss("binary_focal_crossentropy", from_logits),
            focal,
            (_mean_of_last_axis(focal_function),),
            reductions=("none", "mean"),
            parameters=of_focal,
            link=focal_function,
            **where,
        )
        + _pair(
            "losses.BinaryFocalCrossentropy",
            lambda from_logits: _object_loss("BinaryFocalCrossentropy", from_logits),
            focal,
            (_cast(focal_loss), _mean_of_all(focal_loss)),
            reductions=("none", "mean", "sum"),
            parameters=of_focal,
            link=focal_loss,
            **where,
        )
    )


def _pair(
    entry: str,
    call: Callable[[bool], Call],
    of_form: Tuple[Contract, Contract],
    contract: Contract = (),
    **declared: Any,
) -> List[Implementation]:
    """One entry point on probabilities and, `call(from_logits=True)`, on logits; `contract` holds for both."""
    of_logits = entry + "[from_logits]"
    of_probabilities, of_logit = of_form
    return [
        Implementation(
            entry,
            "probabilities",
            call(False),
            contract=of_probabilities + contract,
            counterpart=of_logits,
            **declared,
        ),
        Implementation(of_logits, "logits", call(True), contract=of_logit + contract, counterpart=entry, **declared),
    ]


adapters = [
    Adapter("keras-tensorflow", _implementations("tensorflow"), backend=KerasTensorFlowRuntime()),
    Adapter("keras-torch", _implementations("torch"), backend=KerasTorchRuntime()),
    Adapter("keras-jax", _implementations("jax"), backend=KerasJaxRuntime()),
    Adapter("keras-numpy", _implementations("numpy"), backend=KerasNumPyRuntime()),
    Adapter("keras-openvino", _implementations("openvino"), backend=KerasOpenVINORuntime()),
]
