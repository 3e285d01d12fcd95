"""Keras itself, and its losses as functions of (prediction, label)."""

from __future__ import annotations

from typing import Any, Dict, Tuple

from conformance.adapters import Call


def framework() -> Any:
    """The framework, imported on first use: a process that only reads declarations must not load it.

    An import statement, because torch.compile cannot trace a call of importlib.
    """
    import keras

    return keras


def _elementwise(prediction: Any, label: Any) -> Tuple[Any, Any]:
    """Both with an appended axis of size 1, so that the mean that Keras takes over the last axis is of one loss.

    "axis: The axis along which the mean is computed. Defaults to -1."  Tensors of different shapes are handed on as
    they are: whether and how their ranks are aligned is then what is seen.
    """
    if tuple(prediction.shape) != tuple(label.shape):
        return prediction, label
    return _column(prediction), _column(label)


def _column(tensor: Any) -> Any:
    return framework().ops.expand_dims(tensor, -1)


def ops_loss(from_logits: bool) -> Call:
    """keras.ops.binary_crossentropy, elementwise."""

    def call(prediction: Any, label: Any) -> Any:
        return framework().ops.binary_crossentropy(label, prediction, from_logits=from_logits)

    return call


def function_loss(name: str, from_logits: bool) -> Call:
    """The function `name` of keras.losses, the mean over the last axis.

    "mean" calls it as it is, which for a one-dimensional input is the mean over all elements.
    """

    def call(prediction: Any, label: Any, reduction: str = "none", **numbers: float) -> Any:
        if reduction == "none":
            prediction, label = _elementwise(prediction, label)
        return getattr(framework().losses, name)(label, prediction, from_logits=from_logits, **_options(name, numbers))

    return call


def object_loss(name: str, from_logits: bool, chosen: str = "") -> Call:
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
        loss = getattr(framework().losses, name)(from_logits=from_logits, **options)
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
