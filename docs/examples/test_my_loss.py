"""A loss of your own in your own tests: `pytest docs/examples/test_my_loss.py`.  docs/own-loss.md explains it."""

import torch
from torch.nn.functional import softplus

from conformance import Allowed, assert_conforms


def first_try(prediction, label):
    """What one writes down."""
    return label * softplus(-prediction) + (1 - label) * softplus(prediction)


def my_loss(prediction, label):
    """The same after the suite had a word."""
    if prediction.shape != label.shape:
        raise ValueError(f"labels of shape {tuple(label.shape)} for predictions of shape {tuple(prediction.shape)}")
    label = label.to(prediction.dtype)
    one = torch.where(label == 0, 0, label * softplus(-prediction))
    zero = torch.where(label == 1, 0, (1 - label) * softplus(prediction))
    return one + zero


def test_my_loss():
    """Value, gradient, shapes and dtypes on every case that fits."""
    assert_conforms(my_loss, form="logits", backend="torch", dtypes=["float32", "float16"])


def test_first_try_where_it_is_used():
    """Tensors of one shape and dtype only, and infinite logits do not occur."""
    assert_conforms(
        first_try,
        form="logits",
        backend="torch",
        dtypes=["float32", "float16"],
        without_flags=["shape", "mixed-dtype"],
        allow=[
            Allowed(
                cause="torch/first_try/value/infinite/non-finite",
                cases=["special-values/infinite-logits"],
                harm="edge",
                reason="our logits are finite",
            )
        ],
    )
