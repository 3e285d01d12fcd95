"""The NumPy runtime: every layout shows the same numbers, and really lies in memory as it says."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from conformance.adapters import LAYOUTS
from conformance.adapters.numpy import NumPyRuntime
from conformance.numbers.formats import Tensor, encode
from conformance.worker.results import same_bits

SHAPES = ((), (0,), (1,), (7,), (3, 4), (2, 3, 4))
DTYPES = ("float64", "float32", "float16", "bfloat16")

#: What each layout promises of a tensor of shape (3, 4).
PROMISES = {
    "contiguous": lambda array: array.flags.c_contiguous,
    "strided": lambda array: array.strides[-1] == 2 * array.itemsize,
    "reversed": lambda array: all(stride < 0 for stride in array.strides),
    "transposed": lambda array: array.flags.f_contiguous and not array.flags.c_contiguous,
    "offset": lambda array: address(array) - address(array.base) == array.itemsize,
    "read-only": lambda array: not array.flags.writeable,
    "broadcast": lambda array: array.strides == (0, 0),
}


def address(array: Any) -> int:
    """Where the first element lies."""
    return int(array.__array_interface__["data"][0])


def numbers(shape: tuple[int, ...], dtype: str, same: bool) -> Tensor:
    """A tensor of different numbers, or of one number."""
    size = int(np.prod(shape))
    return encode(np.full(shape, 0.3) if same else np.arange(size, dtype=np.float64).reshape(shape) / 7, dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_holds_the_same_bits(layout: str, shape: tuple[int, ...], dtype: str) -> None:
    """Only where the elements lie differs, not what they are."""
    runtime = NumPyRuntime()
    tensor = numbers(shape, dtype, same=layout == "broadcast")
    assert same_bits(runtime.bits(runtime.arrange(tensor, layout)), tensor)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_layout_lies_in_memory_as_it_says(layout: str) -> None:
    """A check of strides that gets a contiguous tensor would check nothing."""
    array = NumPyRuntime().arrange(numbers((3, 4), "float32", same=layout == "broadcast"), layout)
    assert PROMISES[layout](array)


def test_elements_that_differ_are_not_broadcast() -> None:
    """One element cannot hold the bits of two."""
    with pytest.raises(ValueError, match="elements that differ"):
        NumPyRuntime().arrange(numbers((3,), "float32", same=False), "broadcast")


@pytest.mark.parametrize("dtype", DTYPES)
def test_produced_probabilities_are_those_of_the_logits(dtype: str) -> None:
    """The sigmoid, and the softmax of (0, z): the same probability of class 1, in the dtype of the logits."""
    runtime = NumPyRuntime()
    logits = runtime.tensor(encode(np.array([-200.0, -2.0, 0.0, 3.0, 200.0]), dtype))
    sigmoid, softmax = runtime.produce("sigmoid", logits), runtime.produce("softmax", logits)
    exact = 1 / (1 + np.exp(-logits.astype(np.float64)))
    assert sigmoid.dtype == softmax.dtype == logits.dtype
    assert softmax.shape == (5, 2)
    for produced in (sigmoid, softmax[:, 1], 1 - softmax[:, 0].astype(np.float64)):
        np.testing.assert_allclose(produced.astype(np.float64), exact, rtol=0.02, atol=0.004)
