"""Keras 2, which lives on as the package tf_keras, on TensorFlow: eagerly and in tf.function.

Read: the docstrings of tf_keras 2.21.0 and, where they are silent, its source (losses.py, backend.py).
"""

from __future__ import annotations

import contextlib
import importlib
from typing import Any, Dict, Iterator, List

from conformance.adapters import Adapter, Call, Implementation
from conformance.adapters.tensorflow.calls import two_classes
from conformance.adapters.tensorflow.contracts import SIGMOID_FORMULA
from conformance.adapters.tensorflow.entries import in_modes
from conformance.adapters.tensorflow.modes import WRITTEN
from conformance.adapters.tensorflow.runtime import TensorFlowRuntime, no_keras_json
from conformance.contracts import Clip, Contract, Epsilon, Reduction, Source

CODE = "https://github.com/keras-team/tf-keras/blob/v2.21.0/tf_keras/"
VERSIONS = "2.21.0"

MODES = ("eager", "function")


def _keras() -> Any:
    """The framework, imported on first use: a process that only reads declarations must not load it."""
    return importlib.import_module("tf_keras")


class TFKerasRuntime(TensorFlowRuntime):
    """Keras 2 on TensorFlow, with its default settings."""

    packages = ("tf_keras", "tensorflow", "numpy")
    written = WRITTEN._replace(modules=dict(WRITTEN.modules, tf_keras="import tf_keras"))

    def open(self) -> None:
        with no_keras_json():
            super().open()
            backend = _keras().backend
        backend.set_floatx("float32")
        backend.set_epsilon(1e-7)

    @contextlib.contextmanager
    def borrowed(self) -> Iterator[None]:
        backend = _keras().backend
        floatx, epsilon = backend.floatx(), backend.epsilon()
        try:
            with super().borrowed():
                yield
        finally:
            backend.set_floatx(floatx)
            backend.set_epsilon(epsilon)

    def environment(self) -> Dict[str, Any]:
        backend = _keras().backend
        return dict(super().environment(), floatx=backend.floatx(), epsilon=backend.epsilon())

    def produce(self, producer: str, logits: Any) -> Any:
        # Keras' own activations attach the logits to what they return, which the losses then use in its place.
        activations = _keras().activations
        return activations.sigmoid(logits) if producer == "sigmoid" else activations.softmax(two_classes(logits))


def _column(tensor: Any) -> Any:
    """`tensor` with a trailing axis of size 1, over which Keras then takes its mean: one loss per element."""
    return importlib.import_module("tensorflow").expand_dims(tensor, -1)


def backend_binary_crossentropy(prediction: Any, label: Any, from_logits: bool = False) -> Any:
    """tf_keras.backend.binary_crossentropy, elementwise."""
    return _keras().backend.binary_crossentropy(label, prediction, from_logits=from_logits)


def _function_loss(function: str, prediction: Any, label: Any, reduction: str, **arguments: Any) -> Any:
    """A function of tf_keras.losses, the mean over the last axis.

    "mean" calls it as it is, which for a one-dimensional input is the mean over all elements; "none" appends an axis
    of size 1.
    """
    if reduction == "none":
        prediction, label = _column(prediction), _column(label)
    return getattr(_keras().losses, function)(label, prediction, **arguments)


def _object_loss(
    loss_class: str, prediction: Any, label: Any, reduction: str, weight: Any = None, **arguments: Any
) -> Any:
    """A class of tf_keras.losses, on inputs with an appended axis of size 1.

    The object takes the mean over the last axis before it weighs and reduces: without that axis "sum" would be a mean,
    and there would be one loss for all weights.  A mean without weights needs no such axis and gets none, so that what
    Keras attached to a prediction arrives.  "mean" leaves `reduction` out: the documented default is thus tested.
    """
    if reduction != "mean" or weight is not None:
        prediction, label = _column(prediction), _column(label)
    if reduction != "mean":
        arguments["reduction"] = reduction
    return getattr(_keras().losses, loss_class)(**arguments)(label, prediction, sample_weight=weight)


def _focal(arguments: Dict[str, Any]) -> Dict[str, Any]:
    """`arguments` of a focal loss: binary cross-entropy where the case sets no gamma, balanced where it sets alpha.

    gamma 0 has to be said, since the default is 2; alpha is ignored unless apply_class_balancing is True.
    """
    return dict({"gamma": 0.0}, apply_class_balancing="alpha" in arguments, **arguments)


def binary_crossentropy(prediction: Any, label: Any, reduction: str, **arguments: Any) -> Any:
    """tf_keras.losses.binary_crossentropy."""
    return _function_loss("binary_crossentropy", prediction, label, reduction, **arguments)


def binary_focal_crossentropy(prediction: Any, label: Any, reduction: str, **arguments: Any) -> Any:
    """tf_keras.losses.binary_focal_crossentropy."""
    return _function_loss("binary_focal_crossentropy", prediction, label, reduction, **_focal(arguments))


def binary_crossentropy_object(prediction: Any, label: Any, reduction: str, **arguments: Any) -> Any:
    """tf_keras.losses.BinaryCrossentropy."""
    return _object_loss("BinaryCrossentropy", prediction, label, reduction, **arguments)


def binary_focal_crossentropy_object(prediction: Any, label: Any, reduction: str, **arguments: Any) -> Any:
    """tf_keras.losses.BinaryFocalCrossentropy."""
    return _object_loss("BinaryFocalCrossentropy", prediction, label, reduction, **_focal(arguments))


def _of_logits(call: Call) -> Call:
    """`call` with from_logits=True."""
    return lambda prediction, label, **arguments: call(prediction, label, from_logits=True, **arguments)


#: What holds for probabilities.  The documentation mentions neither, so the source is quoted.
OF_PROBABILITIES: Contract = (
    Clip(
        "1e-7",
        "0.9999999",
        Source(
            "output = tf.clip_by_value(output, epsilon_, 1.0 - epsilon_)",
            CODE + "backend.py#L5829",
            VERSIONS,
        ),
    ),
    Epsilon(
        1e-7,
        Source(
            "bce = target * tf.math.log(output + epsilon()) bce += (1 - target) * tf.math.log(1 - output + epsilon())",
            CODE + "backend.py#L5832-L5833",
            VERSIONS,
        ),
    ),
)

#: Keras hands logits to tf.nn.sigmoid_cross_entropy_with_logits, whose documentation then applies.
OF_LOGITS: Contract = (SIGMOID_FORMULA,)

MEAN_OF_LAST_AXIS = Reduction(
    "last",
    "elements",
    Source("axis: The axis along which the mean is computed. Defaults to -1.", CODE + "losses.py#L2515", VERSIONS),
)

MEAN_OF_ALL = Reduction(
    "all",
    "elements",
    Source(
        "`AUTO` indicates that the reduction option will be determined by the usage context. For almost all cases "
        "this defaults to `SUM_OVER_BATCH_SIZE`. [...] "
        "`SUM_OVER_BATCH_SIZE`: Scalar `SUM` divided by number of elements in losses.",
        CODE + "losses.py#L647-L650",
        VERSIONS,
    ),
)


def _pair(
    entry: str, call: Call, contract: Contract = (), of_logits: Contract = OF_LOGITS, **declared: Any
) -> List[Implementation]:
    """One entry point on probabilities and on logits; `contract` holds for both."""
    logits = entry + "[from_logits]"
    return in_modes(
        MODES, entry, "probabilities", call, contract=OF_PROBABILITIES + contract, counterpart=logits, **declared
    ) + in_modes(
        MODES,
        logits,
        "logits",
        _of_logits(call),
        contract=of_logits + contract,
        counterpart=entry,
        **declared,
    )


def _implementations() -> List[Implementation]:
    focal = ("label_smoothing", "gamma", "alpha")
    return (
        _pair("backend.binary_crossentropy", backend_binary_crossentropy, link=CODE + "backend.py#L5804")
        + _pair(
            "losses.binary_crossentropy",
            binary_crossentropy,
            contract=(MEAN_OF_LAST_AXIS,),
            reductions=("none", "mean"),
            parameters=("label_smoothing",),
            link=CODE + "losses.py#L2492",
        )
        + _pair(
            "losses.BinaryCrossentropy",
            binary_crossentropy_object,
            contract=(MEAN_OF_ALL,),
            options=("weight",),
            reductions=("none", "mean", "sum"),
            parameters=("label_smoothing",),
            link=CODE + "losses.py#L562",
            main=True,
        )
        # The documentation of the focal losses prints no formula for logits.
        + _pair(
            "losses.binary_focal_crossentropy",
            binary_focal_crossentropy,
            contract=(MEAN_OF_LAST_AXIS,),
            of_logits=(),
            reductions=("none", "mean"),
            parameters=focal,
            link=CODE + "losses.py#L2578",
        )
        + _pair(
            "losses.BinaryFocalCrossentropy",
            binary_focal_crossentropy_object,
            contract=(MEAN_OF_ALL,),
            of_logits=(),
            options=("weight",),
            reductions=("none", "mean", "sum"),
            parameters=focal,
            link=CODE + "losses.py#L671",
        )
    )


adapters = [Adapter("tf-keras", _implementations(), backend=TFKerasRuntime())]
