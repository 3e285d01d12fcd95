"""Keras 3 on each of its three backends, run eagerly on the CPU.

Each adapter is the runtime of the framework underneath with Keras on top, in an interpreter of its own: Keras chooses
its backend once, when it is imported.

Read: the docstrings of Keras 3.15.1 and, where they are silent, its source (src/ops/nn.py, src/losses/losses.py,
src/backend/*/nn.py).
"""

from __future__ import annotations

import importlib
import os
from typing import Any, Dict, List, Tuple

from conformance.adapters import Adapter, Call, Implementation
from conformance.adapters.jax import JaxRuntime
from conformance.adapters.tensorflow import SIGMOID_FORMULA, TensorFlowRuntime, no_keras_json
from conformance.adapters.torch import LABEL_CHECK, TorchRuntime
from conformance.contracts import CastsTo, Clip, Contract, Reduction, Source

DOCS = "https://keras.io/api/"
CODE = "https://github.com/keras-team/keras/blob/v3.15.1/keras/src/"
VERSIONS = "3.15.1"


def _keras() -> Any:
    """The framework, imported on first use: a process that only reads declarations must not load it."""
    return importlib.import_module("keras")


def _open(backend: str) -> None:
    """Import Keras, check its backend and fix the settings that change bits."""
    keras = _keras()
    if keras.backend.backend() != backend:  # imported before, with another backend
        raise RuntimeError("Keras is already loaded on %s in this process" % keras.backend.backend())
    settings = _settings()
    settings.set_floatx("float32")
    settings.set_epsilon(1e-7)


def _settings() -> Any:
    """keras.config, which was part of keras.backend before Keras 3."""
    return getattr(_keras(), "config", _keras().backend)


def _switches() -> Dict[str, Any]:
    """The settings of Keras that change bits."""
    settings = _settings()
    return {
        "keras-backend": _keras().backend.backend(),
        "floatx": settings.floatx(),
        "epsilon": settings.epsilon(),
    }


class KerasTensorFlowRuntime(TensorFlowRuntime):
    """Keras on TensorFlow."""

    packages = ("keras", "tensorflow", "numpy")

    def open(self) -> None:
        os.environ["KERAS_BACKEND"] = "tensorflow"
        with no_keras_json():
            super().open()
            _open("tensorflow")

    def environment(self) -> Dict[str, Any]:
        return dict(super().environment(), **_switches())


class KerasTorchRuntime(TorchRuntime):
    """Keras on PyTorch."""

    packages = ("keras", "torch", "numpy")

    def open(self) -> None:
        os.environ["KERAS_BACKEND"] = "torch"
        with no_keras_json():
            super().open()
            _open("torch")

    def environment(self) -> Dict[str, Any]:
        return dict(super().environment(), **_switches())


class KerasJaxRuntime(JaxRuntime):
    """Keras on JAX with 64-bit types enabled."""

    packages = ("keras", "jax", "jaxlib", "numpy")

    def open(self) -> None:
        os.environ["KERAS_BACKEND"] = "jax"
        with no_keras_json():
            super().open()
            _open("jax")

    def environment(self) -> Dict[str, Any]:
        return dict(super().environment(), **_switches())


def _column(tensor: Any) -> Any:
    """`tensor` with a trailing axis of size 1, over which Keras then takes its mean: one loss per element."""
    return _keras().ops.expand_dims(tensor, -1)


def ops_binary_crossentropy(prediction: Any, label: Any) -> Any:
    """keras.ops.binary_crossentropy of probabilities, elementwise."""
    return _keras().ops.binary_crossentropy(label, prediction, from_logits=False)


def ops_binary_crossentropy_from_logits(prediction: Any, label: Any) -> Any:
    """keras.ops.binary_crossentropy of logits, elementwise."""
    return _keras().ops.binary_crossentropy(label, prediction, from_logits=True)


def _function_loss(prediction: Any, label: Any, reduction: str, from_logits: bool) -> Any:
    """keras.losses.binary_crossentropy, the mean over the last axis.

    "mean" calls it as it is, which for a one-dimensional input is the mean over all elements; "none" appends an axis
    of size 1.
    """
    if reduction == "none":
        prediction, label = _column(prediction), _column(label)
    return _keras().losses.binary_crossentropy(label, prediction, from_logits=from_logits)


def losses_binary_crossentropy(prediction: Any, label: Any, reduction: str) -> Any:
    """keras.losses.binary_crossentropy of probabilities."""
    return _function_loss(prediction, label, reduction, False)


def losses_binary_crossentropy_from_logits(prediction: Any, label: Any, reduction: str) -> Any:
    """keras.losses.binary_crossentropy of logits."""
    return _function_loss(prediction, label, reduction, True)


def _object_loss(prediction: Any, label: Any, reduction: str, from_logits: bool) -> Any:
    """keras.losses.BinaryCrossentropy, on inputs with an appended axis of size 1.

    The object takes the mean over the last axis before it reduces: without that axis "sum" would be a mean.
    "mean" leaves `reduction` out, because it is the documented default, which is thus tested.
    """
    chosen = {} if reduction == "mean" else {"reduction": reduction}
    loss = _keras().losses.BinaryCrossentropy(from_logits=from_logits, **chosen)
    return loss(_column(label), _column(prediction))


def losses_object(prediction: Any, label: Any, reduction: str) -> Any:
    """keras.losses.BinaryCrossentropy of probabilities."""
    return _object_loss(prediction, label, reduction, False)


def losses_object_from_logits(prediction: Any, label: Any, reduction: str) -> Any:
    """keras.losses.BinaryCrossentropy of logits."""
    return _object_loss(prediction, label, reduction, True)


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
}

MEAN_OF_LAST_AXIS = Reduction(
    "last",
    "elements",
    Source(
        "axis: The axis along which the mean is computed. Defaults to -1.",
        DOCS + "losses/probabilistic_losses/#binary_crossentropy-function",
        VERSIONS,
    ),
)

MEAN_OF_ALL = Reduction(
    "all",
    "elements",
    Source(
        '"sum_over_batch_size" and "mean" sum the loss and divide by the sample size [...] '
        'Defaults to "sum_over_batch_size".',
        DOCS + "losses/probabilistic_losses/#binarycrossentropy-class",
        VERSIONS,
    ),
)

CAST = CastsTo(
    "float32",
    Source(
        "dtype: The dtype of the loss's computations. Defaults to None, which means using keras.backend.floatx(). "
        'keras.backend.floatx() is a "float32" unless set to different value',
        DOCS + "losses/probabilistic_losses/#binarycrossentropy-class",
        VERSIONS,
    ),
)


def _probability_contract(backend: str) -> Contract:
    """What holds for an entry point that takes probabilities."""
    line, link = CLIP_LINES[backend]
    clip = Clip("1e-7", "0.9999999", Source(line, link, VERSIONS))
    if backend != "torch":
        return (clip,)
    # On torch Keras hands the clipped prediction to torch.nn.functional.binary_cross_entropy, whose documentation
    # then applies.  A prediction outside [0, 1] never reaches its check, and no logarithm within the clip bounds
    # reaches its clamp, which is therefore no part of the contract.
    return (clip, LABEL_CHECK)


def _implementations(backend: str) -> List[Implementation]:
    return (
        _pair(
            backend,
            "ops.binary_crossentropy",
            (ops_binary_crossentropy, ops_binary_crossentropy_from_logits),
            link=DOCS + "ops/nn/#binarycrossentropy-function",
        )
        + _pair(
            backend,
            "losses.binary_crossentropy",
            (losses_binary_crossentropy, losses_binary_crossentropy_from_logits),
            reductions=("none", "mean"),
            contract=(MEAN_OF_LAST_AXIS,),
            link=DOCS + "losses/probabilistic_losses/#binary_crossentropy-function",
        )
        + _pair(
            backend,
            "losses.BinaryCrossentropy",
            (losses_object, losses_object_from_logits),
            reductions=("none", "mean", "sum"),
            contract=(CAST, MEAN_OF_ALL),
            link=DOCS + "losses/probabilistic_losses/#binarycrossentropy-class",
        )
    )


def _pair(
    backend: str, entry: str, calls: Tuple[Call, Call], contract: Contract = (), **declared: Any
) -> List[Implementation]:
    """One entry point on probabilities and on logits; `contract` holds for both."""
    of_probabilities = _probability_contract(backend)
    # On TensorFlow Keras hands logits to tf.nn.sigmoid_cross_entropy_with_logits, whose documentation then applies.
    of_logits = (SIGMOID_FORMULA,) if backend == "tensorflow" else ()
    return [
        Implementation(entry, "probabilities", calls[0], contract=of_probabilities + contract, **declared),
        Implementation(entry + "[from_logits]", "logits", calls[1], contract=of_logits + contract, **declared),
    ]


adapters = [
    Adapter("keras-tensorflow", _implementations("tensorflow"), backend=KerasTensorFlowRuntime()),
    Adapter("keras-torch", _implementations("torch"), backend=KerasTorchRuntime()),
    Adapter("keras-jax", _implementations("jax"), backend=KerasJaxRuntime()),
]
