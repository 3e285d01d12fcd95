"""TensorFlow: the cross-entropy functions of tf.nn and tf.compat.v1.losses, in each execution mode.

BCE_DEVICE (cpu, cuda or tpu) chooses the device, BCE_THREADS the number of threads.

Read: the docstrings of TensorFlow 2.21.0 (python/ops/nn_impl.py, nn_ops.py, losses/losses_impl.py).
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import os
import tempfile
from typing import Any, Callable, Dict, Iterable, Iterator, List, Tuple

import numpy as np

from conformance.adapters import (
    OBSERVED_DTYPES,
    SIZES,
    VARIABLE,
    Adapter,
    Arguments,
    Call,
    Implementation,
    Mode,
    Runtime,
    chosen_device,
    threads,
)
from conformance.adapters.writing import Derived, Way, Written
from conformance.contracts import Contract, Epsilon, Formula, Source
from conformance.numbers.formats import FORMATS, Tensor

DOCS = "https://www.tensorflow.org/api_docs/python/tf/"
VERSIONS = "2.21.0"

#: Execution modes: op by op; tf.function traced for each shape; the same traced once for unknown rank; compiled by XLA;
#: derivatives in forward mode; one element at a time under tf.vectorized_map.
MODES = {
    "eager": Mode(varied=True),
    "function": Mode(varied=True),
    "function-unknown": Mode(),
    "xla": Mode(varied=True),
    "jvp": Mode(),
    "vmap": Mode(),
}

#: Name of the device, as it appears in ids.
DEVICE = chosen_device()

#: TensorFlow's own type names.
DEVICE_TYPES = {"cpu": "CPU", "cuda": "GPU", "tpu": "TPU"}


def _tensorflow() -> Any:
    """The framework, imported on first use: a process that only reads declarations must not load it."""
    return importlib.import_module("tensorflow")


@contextlib.contextmanager
def no_keras_json() -> Iterator[None]:
    """Within it Keras, when imported, finds no keras.json of the user and leaves none behind.

    `import tensorflow` imports Keras by itself, which reads, and where there is none writes, ~/.keras/keras.json.
    """
    before = os.environ.get("KERAS_HOME")
    with tempfile.TemporaryDirectory() as home:
        os.environ["KERAS_HOME"] = home
        try:
            yield
        finally:
            if before is None:
                os.environ.pop("KERAS_HOME", None)
            else:
                os.environ["KERAS_HOME"] = before


_UNDER = "lambda {arguments}: {computed}"

#: What `_compute` and `_traced` do in each mode, as somebody would write it for a loss of few elements.
WRITTEN = Written(
    "tf.constant([{numbers}], dtype=tf.{dtype})",
    modules={"tf": "import tensorflow as tf"},
    aliases={"tensorflow": "tf"},
    helpers={
        "along": """\
def along(function, variable):
    with tf.autodiff.ForwardAccumulator(variable, tf.ones_like(variable)) as accumulator:
        result = function(variable)
    return accumulator.jvp(result, unconnected_gradients="zero")""",
        "gradient": """\
def gradient(function, variable):
    with tf.GradientTape() as tape:
        tape.watch(variable)
        result = function(variable)
    return tape.gradient(result, variable, unconnected_gradients="zero")""",
    },
    derived=Derived(
        "gradient(lambda {variable}: loss({arguments}), {variable})",
        "gradient(lambda {variable}: gradient(lambda {variable}: loss({arguments}), {variable}), {variable})",
    ),
    ways={
        "eager": Way(),
        "function": Way(around="tf.function(%s, autograph=False)({arguments})" % _UNDER),
        "function-unknown": Way(
            around="tf.function(%s, autograph=False, input_signature="
            "[tf.TensorSpec(None, one.dtype) for one in ({arguments},)])({arguments})" % _UNDER
        ),
        "xla": Way(around="tf.function(%s, autograph=False, jit_compile=True)({arguments})" % _UNDER),
        "jvp": Way(
            derived=Derived(
                "along(lambda {variable}: loss({arguments}), {variable})",
                "along(lambda {variable}: gradient(lambda {variable}: loss({arguments}), {variable}), {variable})",
            )
        ),
        "vmap": Way(
            around="tf.function(lambda *values: tf.vectorized_map(lambda row: (%s)(*row), values, "
            "fallback_to_while_loop=False), autograph=False)({arguments})" % _UNDER
        ),
    },
    reshaped="tf.reshape({tensor}, {shape})",
    number="{result}.numpy().item()",
    numbers="{result}.numpy().tolist()",
    dtype="{result}.dtype.name",
)


class TensorFlowRuntime(Runtime):
    """Tensors on one device, derivatives by tf.GradientTape or, in mode `jvp`, by tf.autodiff.ForwardAccumulator."""

    packages: Tuple[str, ...] = ("tensorflow", "numpy")
    modes = MODES
    cost = 2
    devices: Tuple[str, ...] = tuple(DEVICE_TYPES)
    observed = OBSERVED_DTYPES
    chunk = 1 << 17
    settings = ({}, {"TF_ENABLE_ONEDNN_OPTS": "0"}, {"TF_ENABLE_ONEDNN_OPTS": "1"}, {"BCE_THREADS": "2"})

    producers: Tuple[str, ...] = ("sigmoid", "softmax")

    written = WRITTEN

    def __init__(self) -> None:
        self._functions: Dict[Any, Callable[..., Any]] = {}

    def open(self) -> None:
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
        if DEVICE == "cpu":
            os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")
        with no_keras_json():
            config = _tensorflow().config
        kind = DEVICE_TYPES[DEVICE]
        if not config.list_physical_devices(kind):
            raise ImportError("no %s device" % kind)
        try:
            config.threading.set_intra_op_parallelism_threads(threads())
            config.threading.set_inter_op_parallelism_threads(threads())
        except RuntimeError:  # the context is already running with other numbers; `environment` tells which
            pass

    @contextlib.contextmanager
    def borrowed(self) -> Iterator[None]:
        # TensorFlow looks for devices and starts its threads once: as this process wants them, not as `open` does.
        _tensorflow().config.list_logical_devices()
        with super().borrowed():
            yield

    def environment(self) -> Dict[str, Any]:
        threading = _tensorflow().config.threading
        return {
            "device": _device_name(),
            "XLA_FLAGS": _without_paths(os.environ.get("XLA_FLAGS", "")),
            "TF_ENABLE_ONEDNN_OPTS": os.environ.get("TF_ENABLE_ONEDNN_OPTS", "unset"),
            "onednn-enabled": _onednn(),
            "threads": threading.get_intra_op_parallelism_threads(),
            "threads-between-operations": threading.get_inter_op_parallelism_threads(),
        }

    def forget(self) -> None:
        self._functions.clear()
        gc.collect()  # a function and its graphs refer to each other

    def sizes(self, implementation: Implementation) -> Tuple[int, ...]:
        # The other modes trace or compile for every new shape; `function-unknown` does so once for all.
        return () if implementation.mode in ("eager", "function-unknown") else SIZES

    def tensor(self, tensor: Tensor) -> Any:
        tf = _tensorflow()
        own = np.array(tensor.bits)  # TensorFlow may share memory with the array it is given: a copy of its own
        if tensor.dtype in FORMATS:
            own = own.view(tf.as_dtype(tensor.dtype).as_numpy_dtype)
        with _device():
            return tf.constant(own)

    def bits(self, native: Any) -> Tensor:
        if not isinstance(native, _tensorflow().Tensor):
            raise TypeError("returned %s, not a tf.Tensor" % type(native).__name__)
        name = native.dtype.name
        array = np.asarray(native.numpy())
        if name in FORMATS:
            return Tensor(name, np.ascontiguousarray(array).reshape(array.shape).view(FORMATS[name].storage))
        return Tensor(name, array)

    def evaluate(self, implementation: Implementation, quantity: str, arguments: Arguments) -> Any:
        with _device():
            if implementation.mode == "eager":
                return _compute(implementation, quantity, arguments, _gradient)
            if implementation.mode == "jvp":
                return _compute(implementation, quantity, arguments, _forward)
            is_tensor = _tensorflow().is_tensor
            tensors = {name: value for name, value in arguments.items() if is_tensor(value)}
            fixed = {name: value for name, value in arguments.items() if name not in tensors}
            return self._function(implementation, quantity, tensors, fixed)(*tensors.values())

    def produce(self, producer: str, logits: Any) -> Any:
        tf = _tensorflow()
        with _device():
            return tf.sigmoid(logits) if producer == "sigmoid" else tf.nn.softmax(two_classes(logits))

    def _function(
        self, implementation: Implementation, quantity: str, tensors: Arguments, fixed: Arguments
    ) -> Callable[..., Any]:
        """The function of `tensors`, in this order, that computes `quantity` for the `fixed` other arguments.

        It is made once, so that TensorFlow traces it once: for each dtype, and where the mode asks for it each shape.
        """
        dtypes = tuple(tensor.dtype for tensor in tensors.values())
        key = (implementation, quantity, tuple(tensors), dtypes, tuple(sorted(fixed.items())))
        if key not in self._functions:
            names = tuple(tensors)

            def body(*values: Any) -> Any:
                arguments = dict(fixed, **dict(zip(names, values)))
                return _compute(implementation, quantity, arguments, _gradient)

            self._functions[key] = _traced(implementation.mode, body, dtypes)
        return self._functions[key]


def _traced(mode: str, body: Callable[..., Any], dtypes: Tuple[Any, ...]) -> Callable[..., Any]:
    """`body` as the tf.function of a `mode`.

    The Python code has no control flow that depends on tensors, so AutoGraph has nothing to convert.
    """
    tf = _tensorflow()
    function: Callable[..., Any]
    if mode == "function":
        function = tf.function(body, autograph=False)
    elif mode == "function-unknown":
        signature = [tf.TensorSpec(None, dtype) for dtype in dtypes]
        function = tf.function(body, autograph=False, input_signature=signature)
    elif mode == "xla":
        function = tf.function(body, autograph=False, jit_compile=True)
    else:  # "vmap"
        # An operation that cannot be vectorized raises: a loop in its place would be another mode than the one named.
        function = tf.function(
            lambda *values: tf.vectorized_map(lambda row: body(*row), values, fallback_to_while_loop=False),
            autograph=False,
        )
    return function


def _device() -> Any:
    """The scope in which TensorFlow puts tensors and operations on the chosen device."""
    return _tensorflow().device("/%s:0" % DEVICE_TYPES[DEVICE])


def _device_name() -> str:
    """What the device calls itself, which TensorFlow knows of GPUs; else the name that ids have."""
    if DEVICE == "cpu":
        return DEVICE
    config = _tensorflow().config
    device = config.list_physical_devices(DEVICE_TYPES[DEVICE])[0]
    return str(config.experimental.get_device_details(device).get("device_name", DEVICE))


def _without_paths(flags: str) -> str:
    """The flags that name no file or folder: a record holds no paths of a machine."""
    return " ".join(flag for flag in flags.split() if "/" not in flag and "\\" not in flag)


#: (function of one tensor, that tensor) -> the derivative of the sum of all results by each of its elements.
Derivative = Callable[[Callable[[Any], Any], Any], Any]


def _compute(implementation: Implementation, quantity: str, arguments: Arguments, derivative: Derivative) -> Any:
    """`quantity` of the loss; `derivative` takes the outermost derivative, the tape an inner one."""
    name = VARIABLE[quantity]
    if not name:
        return implementation.loss(arguments)
    variable = arguments[name]
    if not variable.dtype.is_floating:  # TensorFlow would only log a warning and give zeros
        raise TypeError("cannot differentiate by a tensor of %s" % variable.dtype.name)
    loss = implementation.loss_of(name, arguments)
    if quantity == "second-derivative":
        return derivative(lambda inner: _gradient(loss, inner), variable)
    return derivative(loss, variable)


def _gradient(function: Callable[[Any], Any], variable: Any) -> Any:
    """The derivative by backpropagation; zeros where the results do not depend on `variable`."""
    tf = _tensorflow()
    with tf.GradientTape() as tape:
        tape.watch(variable)
        result = function(variable)
    return tape.gradient(result, variable, unconnected_gradients=tf.UnconnectedGradients.ZERO)


def _forward(function: Callable[[Any], Any], variable: Any) -> Any:
    """The same by Jacobian-vector products: one where each result depends on its own element, else one an element."""
    tf = _tensorflow()
    result, product = _along(function, variable, tf.ones_like(variable))
    if result.shape == variable.shape:
        return product
    directions = tf.eye(variable.shape.num_elements(), dtype=variable.dtype)
    products = [
        tf.reduce_sum(_along(function, variable, tf.reshape(direction, variable.shape))[1]) for direction in directions
    ]
    return tf.reshape(tf.convert_to_tensor(products, dtype=result.dtype), variable.shape)


def _along(function: Callable[[Any], Any], variable: Any, direction: Any) -> Tuple[Any, Any]:
    """`function` at `variable`, and how it changes along `direction`."""
    tf = _tensorflow()
    with tf.autodiff.ForwardAccumulator(variable, direction) as accumulator:
        result = function(variable)
    return result, accumulator.jvp(result, unconnected_gradients=tf.UnconnectedGradients.ZERO)


def _onednn() -> Any:
    """Whether TensorFlow uses oneDNN: its default depends on the build and on the CPU, so the library is asked."""
    try:
        port = importlib.import_module("tensorflow.python.util._pywrap_util_port")
        return bool(port.IsMklEnabled())
    except (ImportError, AttributeError):  # private, so it may move
        return "unknown"


def two_classes(logits: Any) -> Any:
    """[0, z] for each logit z: softmax makes of it the probabilities of the classes 0 and 1."""
    tf = _tensorflow()
    return tf.stack([tf.zeros_like(logits), logits], axis=-1)


def sigmoid_cross_entropy_with_logits(prediction: Any, label: Any) -> Any:
    """tf.nn.sigmoid_cross_entropy_with_logits."""
    return _tensorflow().nn.sigmoid_cross_entropy_with_logits(labels=label, logits=prediction)


def weighted_cross_entropy_with_logits(prediction: Any, label: Any, pos_weight: Any = 1) -> Any:
    """tf.nn.weighted_cross_entropy_with_logits, with pos_weight 1 where the case has none: it is required there."""
    return _tensorflow().nn.weighted_cross_entropy_with_logits(labels=label, logits=prediction, pos_weight=pos_weight)


def softmax_cross_entropy_with_logits(prediction: Any, label: Any) -> Any:
    """tf.nn.softmax_cross_entropy_with_logits of two classes: the logits [0, z] and the labels [1 - y, y]."""
    tf = _tensorflow()
    labels = tf.stack([1 - label, label], axis=-1)
    return tf.nn.softmax_cross_entropy_with_logits(labels=labels, logits=two_classes(prediction))


def _reduction(name: str) -> Any:
    """The tf.compat.v1.losses.Reduction of a reduction.

    "mean" is SUM_OVER_BATCH_SIZE, "Scalar SUM divided by number of elements in losses": the default divides by the
    number of non-zero weights, MEAN by the sum of the weights.
    """
    names = {"none": "NONE", "mean": "SUM_OVER_BATCH_SIZE", "sum": "SUM"}
    return getattr(_tensorflow().compat.v1.losses.Reduction, names[name])


def log_loss(prediction: Any, label: Any, reduction: str = "none", weight: Any = 1.0) -> Any:
    """tf.compat.v1.losses.log_loss."""
    return _tensorflow().compat.v1.losses.log_loss(
        labels=label, predictions=prediction, weights=weight, reduction=_reduction(reduction)
    )


def sigmoid_cross_entropy(
    prediction: Any, label: Any, reduction: str = "none", weight: Any = 1.0, label_smoothing: float = 0
) -> Any:
    """tf.compat.v1.losses.sigmoid_cross_entropy."""
    return _tensorflow().compat.v1.losses.sigmoid_cross_entropy(
        multi_class_labels=label,
        logits=prediction,
        weights=weight,
        label_smoothing=label_smoothing,
        reduction=_reduction(reduction),
    )


SIGMOID_FORMULA = Formula(
    "tf-sigmoid-cross-entropy",
    Source(
        "Hence, to ensure stability and avoid overflow, the implementation uses this equivalent "
        "formulation: max(x, 0) - x * z + log(1 + exp(-abs(x)))",
        DOCS + "nn/sigmoid_cross_entropy_with_logits",
        VERSIONS,
    ),
)

WEIGHTED_FORMULA = Formula(
    "tf-weighted-cross-entropy",
    Source(
        "Setting l = (1 + (q - 1) * z), to ensure stability and avoid overflow, the implementation "
        "uses (1 - z) * x + l * (log(1 + exp(-abs(x))) + max(-x, 0))",
        DOCS + "nn/weighted_cross_entropy_with_logits",
        VERSIONS,
    ),
)

LOG_EPSILON = Epsilon(
    1e-7,
    Source(
        "log_loss(labels, predictions, weights=1.0, epsilon=1e-07, ...) "
        "epsilon: A small increment to add to avoid taking a log of zero.",
        DOCS + "compat/v1/losses/log_loss",
        VERSIONS,
    ),
)


def in_modes(
    modes: Iterable[str],
    entry: str,
    form: str,
    call: Call,
    reductions: Tuple[str, ...] = ("none",),
    contract: Contract = (),
    **declared: Any,
) -> List[Implementation]:
    """One entry point in each of `modes`, on the chosen device."""
    return [
        Implementation(
            entry,
            form,
            call,
            # One element at a time there is nothing to reduce.
            reductions=("none",) if mode == "vmap" else reductions,
            contract=contract,
            mode=mode,
            device=DEVICE,
            **declared,
        )
        for mode in modes
    ]


def _implementations() -> List[Implementation]:
    return (
        in_modes(
            MODES,
            "nn.sigmoid_cross_entropy_with_logits",
            "logits",
            sigmoid_cross_entropy_with_logits,
            contract=(SIGMOID_FORMULA,),
            link=DOCS + "nn/sigmoid_cross_entropy_with_logits",
        )
        + in_modes(
            MODES,
            "nn.weighted_cross_entropy_with_logits",
            "logits",
            weighted_cross_entropy_with_logits,
            options=("pos_weight",),
            contract=(WEIGHTED_FORMULA,),
            link=DOCS + "nn/weighted_cross_entropy_with_logits",
        )
        + in_modes(
            MODES,
            "nn.softmax_cross_entropy_with_logits",
            "logits",
            softmax_cross_entropy_with_logits,
            link=DOCS + "nn/softmax_cross_entropy_with_logits",
        )
        + in_modes(
            MODES,
            "compat.v1.losses.log_loss",
            "probabilities",
            log_loss,
            options=("weight",),
            reductions=("none", "mean", "sum"),
            contract=(LOG_EPSILON,),
            link=DOCS + "compat/v1/losses/log_loss",
            counterpart="compat.v1.losses.sigmoid_cross_entropy",
        )
        + in_modes(
            MODES,
            "compat.v1.losses.sigmoid_cross_entropy",
            "logits",
            sigmoid_cross_entropy,
            options=("weight",),
            parameters=("label_smoothing",),
            reductions=("none", "mean", "sum"),
            # "Creates a cross-entropy loss using tf.nn.sigmoid_cross_entropy_with_logits": its documentation applies.
            contract=(SIGMOID_FORMULA,),
            link=DOCS + "compat/v1/losses/sigmoid_cross_entropy",
            counterpart="compat.v1.losses.log_loss",
        )
    )


adapters = [Adapter("tensorflow", _implementations(), backend=TensorFlowRuntime())]
