"""Keras 2.2.4 on TensorFlow 1.15, where the question that started the suite was asked: graphs and a session.

    bce-conformance matrix 'keras==2.2.4' --adapter docs/examples/keras2.py --backend keras2 --case 'question/*'

An adapter of its own, since nothing here is called as in Keras 3 or in tf_keras; it needs Python 3.7.
"""

from __future__ import annotations

import importlib
import os
from typing import Any, Dict, Tuple

from conformance.adapters import VARIABLE, Adapter, Arguments, Implementation
from conformance.adapters.numpy import NumPyRuntime

CODE = "https://github.com/keras-team/keras/blob/2.2.4/keras/"


def _backend() -> Any:
    return importlib.import_module("keras").backend


class Keras2Runtime(NumPyRuntime):
    """NumPy arrays that go into a graph by placeholders and come out of a session."""

    packages = ("keras", "tensorflow", "numpy")
    settings = ({},)
    layouts: Tuple[str, ...] = ("contiguous",)
    producers: Tuple[str, ...] = ()

    def open(self) -> None:
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
        os.environ["KERAS_BACKEND"] = "tensorflow"
        _backend().set_epsilon(1e-7)

    def dtypes(self) -> Tuple[str, ...]:
        return ("float64", "float32", "float16")

    def environment(self) -> Dict[str, Any]:
        return {"keras-backend": _backend().backend(), "epsilon": _backend().epsilon()}

    def quantities(self, implementation: Implementation) -> Tuple[str, ...]:
        return ("value", "gradient-prediction", "gradient-label")

    def evaluate(self, implementation: Implementation, quantity: str, arguments: Arguments) -> Any:
        keras = _backend()
        keras.clear_session()  # every call is a graph of its own, which would otherwise grow
        nodes = dict(arguments)
        feed = {}
        for name in ("prediction", "label"):
            nodes[name] = keras.placeholder(shape=arguments[name].shape, dtype=str(arguments[name].dtype))
            feed[nodes[name]] = arguments[name]
        result = implementation.loss(nodes)
        if quantity != "value":
            result = keras.gradients(result, [nodes[VARIABLE[quantity]]])[0]
        return keras.get_session().run(result, feed)


def binary_crossentropy(prediction: Any, label: Any, reduction: str) -> Any:
    """keras.losses.binary_crossentropy, the mean over the last axis; "none" appends one of size 1."""
    if reduction == "none":
        prediction, label = _backend().expand_dims(prediction), _backend().expand_dims(label)
    return importlib.import_module("keras.losses").binary_crossentropy(label, prediction)


def of_logits(prediction: Any, label: Any) -> Any:
    """keras.backend.binary_crossentropy of logits."""
    return _backend().binary_crossentropy(label, prediction, from_logits=True)


adapters = [
    Adapter(
        "keras2",
        [
            Implementation(
                "losses.binary_crossentropy",
                "probabilities",
                binary_crossentropy,
                reductions=("none", "mean"),
                link=CODE + "losses.py",
                counterpart="backend.binary_crossentropy[from_logits]",
            ),
            Implementation(
                "backend.binary_crossentropy[from_logits]",
                "logits",
                of_logits,
                link=CODE + "backend/tensorflow_backend.py",
                counterpart="losses.binary_crossentropy",
            ),
        ],
        Keras2Runtime(),
    )
]
