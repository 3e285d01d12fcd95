"""PyTorch itself, and its losses as functions of (prediction, label)."""

from __future__ import annotations

import functools
import importlib
import sys
from typing import Any, Callable, Dict

from conformance.adapters import Call

Transform = Callable[[Call], Call]


def framework() -> Any:
    """The framework, imported on first use: a process that only reads declarations must not load it."""
    # A lookup, since this is called for every tensor; a script is written with something else in its place.
    return sys.modules["torch"] if "torch" in sys.modules else importlib.import_module("torch")


class Public:
    """A function of torch as a `Call`, found by its dotted name when it is called."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __call__(self, prediction: Any, label: Any, **rest: Any) -> Any:
        return self.through(lambda function: function)(prediction, label, **rest)

    def through(self, transform: Transform) -> Call:
        """The same call of what `transform` makes of the function."""
        function = transform(functools.reduce(getattr, self.name.split("."), framework()))

        def call(prediction: Any, label: Any, reduction: str = "none", **options: Any) -> Any:
            return function(prediction, label, **options, **_reduced(reduction))

        return call


def _reduced(reduction: str) -> Dict[str, str]:
    """The argument for `reduction`; "mean" is left out because it is the documented default, which is thus tested."""
    return {} if reduction == "mean" else {"reduction": reduction}


def of_module(name: str, prediction: Any, label: Any, reduction: str = "none", **weights: Any) -> Any:
    """The loss module torch.nn.`name`, made for this call."""
    return getattr(framework().nn, name)(**weights, **_reduced(reduction))(prediction, label)


def soft_margin_loss(prediction: Any, label: Any, reduction: str = "none") -> Any:
    """torch.nn.functional.soft_margin_loss, whose targets are -1 and 1 for the labels 0 and 1.

    -1 is no number of an unsigned type: a label of one becomes int64.
    """
    torch = framework()
    label = label.to(torch.int64) if label.dtype in (torch.uint8, torch.bool) else label
    return torch.nn.functional.soft_margin_loss(prediction, 2 * label - 1, **_reduced(reduction))


def multilabel_soft_margin_loss(prediction: Any, label: Any, reduction: str = "none") -> Any:
    """torch.nn.functional.multilabel_soft_margin_loss with one class: its mean over the classes changes nothing."""
    function = framework().nn.functional.multilabel_soft_margin_loss
    return function(prediction.unsqueeze(-1), label.unsqueeze(-1), **_reduced(reduction))


def cross_entropy(prediction: Any, label: Any, reduction: str = "none", **parameters: Any) -> Any:
    """torch.nn.functional.cross_entropy of two classes with the logits 0 and z and the probabilities 1 - y and y."""
    return _of_two_classes(prediction, two_classes(1 - label, label).reshape(-1, 2), reduction, **parameters)


def cross_entropy_of_index(prediction: Any, label: Any, reduction: str = "none", weight: Any = None) -> Any:
    """torch.nn.functional.cross_entropy of two classes whose index is the label; one of weight 0 is `ignore_index`."""
    torch = framework()
    index = label.to(torch.int64)
    if weight is not None:
        index = torch.where(weight == 0, -100, index)  # the default of `ignore_index`
    return _of_two_classes(prediction, index.reshape(-1), reduction)


def _of_two_classes(prediction: Any, targets: Any, reduction: str, **parameters: Any) -> Any:
    """torch.nn.functional.cross_entropy of the logits 0 and z, with `targets` for a batch of one dimension."""
    torch = framework()
    logits = two_classes(torch.zeros_like(prediction), prediction)
    # The axis of the classes is the second one of a batch: further axes are folded into it.
    loss = torch.nn.functional.cross_entropy(logits.reshape(-1, 2), targets, **parameters, **_reduced(reduction))
    return loss.reshape(prediction.shape if reduction == "none" else ())


def two_classes(zero: Any, one: Any) -> Any:
    """What belongs to the classes 0 and 1, side by side in a last axis."""
    return framework().stack((zero, one), -1)


def log_prob(parameter: str, prediction: Any, label: Any) -> Any:
    """Minus the logarithm of the probability of `label` under torch.distributions.Bernoulli(`parameter`)."""
    return -framework().distributions.Bernoulli(**{parameter: prediction}).log_prob(label)
