"""TensorFlow: the cross-entropy functions of tf.nn and tf.compat.v1.losses, run eagerly on the CPU.

Read: the docstrings of TensorFlow 2.21.0 (python/ops/nn_impl.py, python/ops/losses/losses_impl.py).
"""

from __future__ import annotations

import contextlib
import importlib
import os
import tempfile
from typing import Any, Callable, Dict, Iterator, Tuple

import numpy as np

from conformance.adapters import VARIABLE, Adapter, Arguments, Implementation, Runtime, threads
from conformance.contracts import Epsilon, Formula, Source
from conformance.formats import FORMATS, Tensor

DOCS = "https://www.tensorflow.org/api_docs/python/tf/"
VERSIONS = "2.21.0"


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


class TensorFlowRuntime(Runtime):
    """Eager tensors on the CPU, one thread, derivatives by tf.GradientTape."""

    packages: Tuple[str, ...] = ("tensorflow", "numpy")
    cost = 2
    settings = ({}, {"TF_ENABLE_ONEDNN_OPTS": "0"}, {"TF_ENABLE_ONEDNN_OPTS": "1"}, {"BCE_THREADS": "2"})

    def open(self) -> None:
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
        os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")
        with no_keras_json():
            threading = _tensorflow().config.threading
        try:
            threading.set_intra_op_parallelism_threads(threads())
            threading.set_inter_op_parallelism_threads(threads())
        except RuntimeError:  # the context is already running with other numbers; `environment` tells which
            pass

    def environment(self) -> Dict[str, Any]:
        threading = _tensorflow().config.threading
        return {
            "TF_ENABLE_ONEDNN_OPTS": os.environ.get("TF_ENABLE_ONEDNN_OPTS", "unset"),
            "onednn-enabled": _onednn(),
            "threads": threading.get_intra_op_parallelism_threads(),
            "threads-between-operations": threading.get_inter_op_parallelism_threads(),
        }

    def tensor(self, tensor: Tensor) -> Any:
        tf = _tensorflow()
        own = np.array(tensor.bits)  # TensorFlow may share memory with the array it is given: a copy of its own
        if tensor.dtype in FORMATS:
            own = own.view(getattr(tf, tensor.dtype).as_numpy_dtype)
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
        def loss() -> Any:
            return implementation.loss(arguments)

        if quantity == "value":
            return loss()
        variable = arguments[VARIABLE[quantity]]
        if quantity != "second-derivative":
            return _gradient(loss, variable)
        return _gradient(lambda: _gradient(loss, variable), variable)


def _gradient(function: Callable[[], Any], variable: Any) -> Any:
    """Gradient of the sum of the results of `function` by `variable`; zeros where they do not depend on it."""
    tf = _tensorflow()
    if not variable.dtype.is_floating:  # the tape would only log a warning and give zeros
        raise TypeError("cannot differentiate by a tensor of %s" % variable.dtype.name)
    with tf.GradientTape() as tape:
        tape.watch(variable)
        result = function()
    return tape.gradient(result, variable, unconnected_gradients=tf.UnconnectedGradients.ZERO)


def _onednn() -> Any:
    """Whether TensorFlow uses oneDNN: its default depends on the build and on the CPU, so the library is asked."""
    try:
        port = importlib.import_module("tensorflow.python.util._pywrap_util_port")
        return bool(port.IsMklEnabled())
    except (ImportError, AttributeError):  # private, so it may move
        return "unknown"


def sigmoid_cross_entropy_with_logits(prediction: Any, label: Any) -> Any:
    """tf.nn.sigmoid_cross_entropy_with_logits."""
    return _tensorflow().nn.sigmoid_cross_entropy_with_logits(labels=label, logits=prediction)


def weighted_cross_entropy_with_logits(prediction: Any, label: Any, pos_weight: Any = 1) -> Any:
    """tf.nn.weighted_cross_entropy_with_logits, with pos_weight 1 where the case has none: it is required there."""
    return _tensorflow().nn.weighted_cross_entropy_with_logits(labels=label, logits=prediction, pos_weight=pos_weight)


def log_loss(prediction: Any, label: Any, reduction: str, weight: Any = 1.0) -> Any:
    """tf.compat.v1.losses.log_loss.

    "mean" is SUM_OVER_BATCH_SIZE, "Scalar SUM divided by number of elements in losses": the default divides by the
    number of non-zero weights, MEAN by the sum of the weights.
    """
    losses = _tensorflow().compat.v1.losses
    names = {"none": "NONE", "mean": "SUM_OVER_BATCH_SIZE", "sum": "SUM"}
    return losses.log_loss(
        labels=label, predictions=prediction, weights=weight, reduction=getattr(losses.Reduction, names[reduction])
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

adapters = [
    Adapter(
        "tensorflow",
        [
            Implementation(
                "nn.sigmoid_cross_entropy_with_logits",
                "logits",
                sigmoid_cross_entropy_with_logits,
                contract=(SIGMOID_FORMULA,),
                link=DOCS + "nn/sigmoid_cross_entropy_with_logits",
            ),
            Implementation(
                "nn.weighted_cross_entropy_with_logits",
                "logits",
                weighted_cross_entropy_with_logits,
                options=("pos_weight",),
                contract=(
                    Formula(
                        "tf-weighted-cross-entropy",
                        Source(
                            "Setting l = (1 + (q - 1) * z), to ensure stability and avoid overflow, the implementation "
                            "uses (1 - z) * x + l * (log(1 + exp(-abs(x))) + max(-x, 0))",
                            DOCS + "nn/weighted_cross_entropy_with_logits",
                            VERSIONS,
                        ),
                    ),
                ),
                link=DOCS + "nn/weighted_cross_entropy_with_logits",
            ),
            Implementation(
                "compat.v1.losses.log_loss",
                "probabilities",
                log_loss,
                options=("weight",),
                reductions=("none", "mean", "sum"),
                contract=(
                    Epsilon(
                        1e-7,
                        Source(
                            "log_loss(labels, predictions, weights=1.0, epsilon=1e-07, ...) "
                            "epsilon: A small increment to add to avoid taking a log of zero.",
                            DOCS + "compat/v1/losses/log_loss",
                            VERSIONS,
                        ),
                    ),
                ),
                link=DOCS + "compat/v1/losses/log_loss",
            ),
        ],
        backend=TensorFlowRuntime(),
    )
]
