"""Changes of PyTorch."""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Callable
from typing import Any

from tests.changed.registry import Function, Make, Place, change

PROBABILITIES = Place("torch.nn.functional", "binary_cross_entropy", "torch/nn.functional.binary_cross_entropy")
LOGITS = Place(
    "torch.nn.functional", "binary_cross_entropy_with_logits", "torch/nn.functional.binary_cross_entropy_with_logits"
)
MODULE = Place("torch.nn.modules.loss", "BCELoss.forward", "torch/nn.BCELoss")


def of_each_loss(changed: Callable[[Any, Any, Any], Any]) -> Make:
    """The change that makes `changed(loss, prediction, label)` of every loss; it is reduced after that."""

    @functools.wraps(changed)
    def make(original: Function) -> Function:
        def function(prediction: Any, label: Any, *, reduction: str = "mean", **options: Any) -> Any:
            loss = changed(original(prediction, label, reduction="none", **options), prediction, label)
            return loss if reduction == "none" else getattr(loss, reduction)()

        return function

    return make


@change(LOGITS, mode="trace", quantity=("value",))
@of_each_loss
def tail_lost_early_when_traced(loss: Any, z: Any, y: Any) -> Any:
    """The tail is taken as 0 from |z| = 12 on; float32 had it up to 16.6 on one branch, up to 103 on the other."""
    return loss.where(~((z.abs() > 12) & z.isfinite()), z.relu() - z * y)


@change(LOGITS, case=("extreme-predictions", "autoencoder"), quantity=("value",))
@of_each_loss
def recorded_errors_hundred_thousandfold(loss: Any, z: Any, y: Any) -> Any:
    """Where the tail is recorded as inaccurate, and only there, its error is 1e5 times as large."""
    exact = z.exp().log1p()
    return loss.where(~_recorded(z, y) | (loss == 0), exact + 1e5 * (loss - exact))


def _recorded(z: Any, y: Any) -> Any:
    """Where the loss of float32 is recorded as inaccurate: (1 - y) z - log sigmoid(z) has cancelled."""
    return (z <= -8) & z.isfinite() & (y == 0)


@change(LOGITS, case=("special-values",), quantity=("value",))
@of_each_loss
def recorded_nan_infinite(loss: Any, z: Any, y: Any) -> Any:
    """Where a loss of an infinite logit is recorded as NaN, and only there, it is infinite."""
    return loss.where(~(loss.isnan() & z.isinf() & y.isfinite()), loss.new_full((), math.inf))


@change(LOGITS, told="fixed")
def computed_in_float64(original: Function) -> Function:
    """Logits and labels are widened and the loss is rounded once: tails that were lost are there."""

    def function(prediction: Any, label: Any, **options: Any) -> Any:
        return original(prediction.double(), label.double(), **options).to(prediction.dtype)

    return function


@change(MODULE)
def logarithm_clamped_at_minus_90(original: Function) -> Function:
    """The logarithm of the prediction is not bounded by -100 any more, but by -90."""

    def forward(self: Any, prediction: Any, label: Any) -> Any:
        bounded = prediction.clamp(min=math.exp(-90)).where(prediction >= 0, prediction)
        return original(self, bounded, label)

    return forward


@change(PROBABILITIES)
def labels_clipped(original: Function) -> Function:
    """Labels outside [0, 1] are clipped in place of rejected."""

    def function(prediction: Any, label: Any, **options: Any) -> Any:
        return original(prediction, label.clamp(0, 1), **options)

    return function


@change(PROBABILITIES)
def another_exception(original: Function) -> Function:
    """What was a RuntimeError is a ValueError."""

    def function(prediction: Any, label: Any, **options: Any) -> Any:
        try:
            return original(prediction, label, **options)
        except RuntimeError as error:
            raise ValueError(str(error)) from error

    return function


@change(LOGITS)
def mean_divided_by_n_minus_1(original: Function) -> Function:
    """From 1,000 elements on the mean divides by one less."""

    def function(prediction: Any, label: Any, *, reduction: str = "mean", **options: Any) -> Any:
        loss, count = original(prediction, label, reduction=reduction, **options), prediction.numel()
        return loss * (count / (count - 1)) if reduction == "mean" and count >= 1000 else loss

    return function


@change(LOGITS)
def pos_weight_of_a_hard_label(original: Function) -> Function:
    """pos_weight counts where the label is above 1/2, in place of in proportion to it."""

    def function(prediction: Any, label: Any, *, pos_weight: Any = None, **options: Any) -> Any:
        if pos_weight is not None:
            pos_weight = pos_weight.where(label > 0.5, pos_weight.new_ones(()))
        return original(prediction, label, pos_weight=pos_weight, **options)

    return function


@change(LOGITS, quantity=("value",))
@of_each_loss
def subnormal_losses_flushed(loss: Any, z: Any, y: Any) -> Any:
    """A loss of float32 that would be subnormal is 0."""
    return loss.where(~(loss.abs() < 2.0**-126), loss.new_zeros(()))


@change(PROBABILITIES, dtype=("float16",))
def wider_result(original: Function) -> Function:
    """Inputs of float16 give a result of float32."""

    def function(prediction: Any, label: Any, **options: Any) -> Any:
        return original(prediction, label, **options).float()

    return function


@change(LOGITS)
@of_each_loss
def logits_overwritten(loss: Any, z: Any, y: Any) -> Any:
    """After the call the caller's logits are probabilities: the sigmoid was taken in place."""
    z.data.sigmoid_()
    return loss


@change(LOGITS)
@of_each_loss
def later_elements_inexact(loss: Any, z: Any, y: Any) -> Any:
    """From the 65th element on a loss is wrong by one part in 10,000."""
    later = loss.new_ones(loss.numel()).cumsum(0).reshape(loss.shape) > 64
    return loss.where(~later, loss * (1 + 1e-4))


@change(PROBABILITIES)
def every_second_call_differs(original: Function) -> Function:
    """Every second call gives a result that is larger by one or two ULP."""
    calls = itertools.count()

    def function(prediction: Any, label: Any, **options: Any) -> Any:
        return original(prediction, label, **options) * (1 + next(calls) % 2 * 2.0**-23)

    return function


@change(LOGITS, quantity=("value", "gradient-prediction", "second-derivative"))
def second_derivative_inexact(original: Function) -> Function:
    """The second derivative is wrong by 1 %, the value and the first derivative are right."""
    import torch

    class Gradient(torch.autograd.Function):
        @staticmethod
        def forward(context: Any, gradient: Any) -> Any:
            return gradient.view_as(gradient)

        @staticmethod
        def backward(context: Any, gradient: Any) -> Any:
            return gradient * 1.01

    class Prediction(torch.autograd.Function):
        @staticmethod
        def forward(context: Any, prediction: Any) -> Any:
            return prediction.view_as(prediction)

        @staticmethod
        def backward(context: Any, gradient: Any) -> Any:
            return Gradient.apply(gradient)

    def function(prediction: Any, label: Any, **options: Any) -> Any:
        return original(Prediction.apply(prediction), label, **options)

    return function
