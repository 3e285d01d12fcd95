"""The runtime of TensorFlow: tensors, functions that are kept, devices and settings."""

from __future__ import annotations

import contextlib
import gc
import importlib
import os
import tempfile
from typing import Any, Callable, Dict, Iterator, Tuple

import numpy as np

from conformance.adapters import OBSERVED_DTYPES, SIZES, Arguments, Implementation, Runtime, chosen_device, threads
from conformance.adapters.tensorflow.calls import framework, two_classes
from conformance.adapters.tensorflow.modes import MODES, WRITTEN, compute, forward, gradient, traced
from conformance.numbers.formats import FORMATS, Tensor

#: Name of the device, as it appears in ids.
DEVICE = chosen_device()

#: TensorFlow's own type names.
DEVICE_TYPES = {"cpu": "CPU", "cuda": "GPU", "tpu": "TPU"}


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
            config = framework().config
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
        framework().config.list_logical_devices()
        with super().borrowed():
            yield

    def environment(self) -> Dict[str, Any]:
        threading = framework().config.threading
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
        tf = framework()
        own = np.array(tensor.bits)  # TensorFlow may share memory with the array it is given: a copy of its own
        if tensor.dtype in FORMATS:
            own = own.view(tf.as_dtype(tensor.dtype).as_numpy_dtype)
        with _device():
            return tf.constant(own)

    def bits(self, native: Any) -> Tensor:
        if not isinstance(native, framework().Tensor):
            raise TypeError("returned %s, not a tf.Tensor" % type(native).__name__)
        name = native.dtype.name
        array = np.asarray(native.numpy())
        if name in FORMATS:
            return Tensor(name, np.ascontiguousarray(array).reshape(array.shape).view(FORMATS[name].storage))
        return Tensor(name, array)

    def evaluate(self, implementation: Implementation, quantity: str, arguments: Arguments) -> Any:
        with _device():
            if implementation.mode == "eager":
                return compute(implementation, quantity, arguments, gradient)
            if implementation.mode == "jvp":
                return compute(implementation, quantity, arguments, forward)
            is_tensor = framework().is_tensor
            tensors = {name: value for name, value in arguments.items() if is_tensor(value)}
            fixed = {name: value for name, value in arguments.items() if name not in tensors}
            return self._function(implementation, quantity, tensors, fixed)(*tensors.values())

    def produce(self, producer: str, logits: Any) -> Any:
        tf = framework()
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
                return compute(implementation, quantity, arguments, gradient)

            self._functions[key] = traced(implementation.mode, body, dtypes)
        return self._functions[key]


def _device() -> Any:
    """The scope in which TensorFlow puts tensors and operations on the chosen device."""
    return framework().device("/%s:0" % DEVICE_TYPES[DEVICE])


def _device_name() -> str:
    """What the device calls itself, which TensorFlow knows of GPUs; else the name that ids have."""
    if DEVICE == "cpu":
        return DEVICE
    config = framework().config
    device = config.list_physical_devices(DEVICE_TYPES[DEVICE])[0]
    return str(config.experimental.get_device_details(device).get("device_name", DEVICE))


def _without_paths(flags: str) -> str:
    """The flags that name no file or folder: a record holds no paths of a machine."""
    return " ".join(flag for flag in flags.split() if "/" not in flag and "\\" not in flag)


def _onednn() -> Any:
    """Whether TensorFlow uses oneDNN: its default depends on the build and on the CPU, so the library is asked."""
    try:
        port = importlib.import_module("tensorflow.python.util._pywrap_util_port")
        return bool(port.IsMklEnabled())
    except (ImportError, AttributeError):  # private, so it may move
        return "unknown"
