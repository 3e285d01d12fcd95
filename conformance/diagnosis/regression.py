"""A regression test for a remedy, as text in the style of the project's own tests: it fails today and passes then.

Expected numbers are the formula in real numbers, rounded once.  How projects write tests: unittest classes with
`torch.testing.assert_close` (https://github.com/pytorch/pytorch/blob/v2.13.0/test/test_nn.py), `tf.test.TestCase`
(https://github.com/tensorflow/tensorflow/blob/v2.21.0/tensorflow/python/ops/nn_test.py), absltest
(https://github.com/google-deepmind/optax/blob/v0.2.8/optax/losses/_classification_test.py) and Keras' `TestCase`
(https://github.com/keras-team/keras/blob/v3.15.1/keras/src/testing/test_case.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from conformance.diagnosis.remedy import BUDGET, DTYPES, Remedy, errors
from conformance.formulas.arithmetic import rounded
from conformance.numbers.formats import FORMATS


class Place(NamedTuple):
    """Inputs at which today's formula is wrong, and what is right, as numbers of `dtype`."""

    dtype: str
    prediction: tuple[float, ...]
    label: tuple[float, ...]
    expected: tuple[float, ...]


@dataclass(frozen=True, kw_only=True)
class _Style:
    """How a project's test begins, makes a tensor, differentiates and compares."""

    head: str
    tensor: str
    dtype: str
    value: str
    gradient: str
    compare: str
    end: str


_MAIN = '\n\nif __name__ == "__main__":\n    {}\n'
_NUMPY = "np.testing.assert_allclose(np.asarray(actual, np.float64), expected, rtol={rtol}, atol=0)"
_CLOSE = "self.assertAllClose(actual, expected, rtol={rtol}, atol=0)"

STYLES = {
    "torch": _Style(
        head="import unittest\n\nimport torch\n\n{imports}\n\n\nclass TestLoss(unittest.TestCase):",
        tensor="torch.tensor({}, dtype={})",
        dtype="torch.{}",
        value="actual = {call}(prediction, label)",
        gradient="prediction.requires_grad_()\n"
        "        (actual,) = torch.autograd.grad({call}(prediction, label).sum(), prediction)",
        compare="torch.testing.assert_close(actual, expected, rtol={rtol}, atol=0)",
        end=_MAIN.format("unittest.main()"),
    ),
    "tensorflow": _Style(
        head="import tensorflow as tf\n\n{imports}\n\n\nclass LossTest(tf.test.TestCase):",
        tensor="tf.constant({}, {})",
        dtype="tf.{}",
        value="actual = {call}(prediction, label)",
        gradient="with tf.GradientTape() as tape:\n"
        "            tape.watch(prediction)\n"
        "            loss = {call}(prediction, label)\n"
        "        actual = tape.gradient(loss, prediction)",
        compare=_CLOSE,
        end=_MAIN.format("tf.test.main()"),
    ),
    "jax": _Style(
        head="import jax\nimport jax.numpy as jnp\nimport numpy as np\nfrom absl.testing import absltest\n\n"
        "{imports}\n\n\nclass LossTest(absltest.TestCase):",
        tensor="jnp.array({}, {})",
        dtype="jnp.{}",
        value="actual = {call}(prediction, label)",
        gradient="actual = jax.grad(lambda x: {call}(x, label).sum())(prediction)",
        compare=_NUMPY.replace("expected,", "np.asarray(expected, np.float64),"),
        end=_MAIN.format("absltest.main()"),
    ),
    "keras": _Style(
        head="import keras\nfrom keras.src import testing\n\n{imports}\n\n\nclass LossTest(testing.TestCase):",
        tensor="keras.ops.convert_to_tensor({}, {})",
        dtype='"{}"',
        value="actual = {call}(prediction, label)",
        gradient="",
        compare=_CLOSE,
        end="\n",
    ),
}


def worst_places(remedy: Remedy, count: int = 2) -> Place:
    """Where today's formula errs most with each label, in the widest dtype in which it is beyond the budget.

    Raises ValueError where it is in none.
    """
    for dtype in DTYPES:
        inputs, right, error = errors(remedy.today, remedy, dtype)
        expected = rounded(right, FORMATS[dtype])
        wrong = (error > BUDGET) & (np.abs(expected) >= 2.0 ** FORMATS[dtype].emin)
        if not wrong.any():
            continue
        chosen: list[int] = []
        for label in np.unique(inputs["y"][wrong]):
            of = np.flatnonzero(wrong & (inputs["y"] == label))
            chosen += of[np.argsort(-error[of], kind="stable")][:count].tolist()
        x = inputs["z" if remedy.form == "logits" else "p"]
        return Place(dtype, *(tuple(one[chosen].tolist()) for one in (x, inputs["y"], expected)))
    raise ValueError("today's formula is within its budget in every dtype")


def regression_test(remedy: Remedy, style: str, imports: str, call: str) -> str:
    """A test file in one of STYLES, for `call(prediction, label)`, a loss that `imports` brings in.

    Raises ValueError for a quantity but the value and the gradient by the prediction; Keras has no gradient of its own.
    """
    chosen = STYLES[style]
    body = {"value": chosen.value, "gradient-prediction": chosen.gradient}.get(remedy.quantity)
    if not body:
        raise ValueError(f"there is no test of {remedy.quantity} in the style of {style}")
    place = worst_places(remedy)
    dtype = chosen.dtype.format(place.dtype)
    tensors = (
        f"        {name} = {chosen.tensor.format(list(of), dtype)}"
        for name, of in (("prediction", place.prediction), ("label", place.label), ("expected", place.expected))
    )
    rtol = BUDGET * 2 * FORMATS[place.dtype].unit_roundoff
    what = "value" if remedy.quantity == "value" else "gradient"
    return "\n".join(
        [
            chosen.head.format(imports=imports),
            f"    def test_{what}_keeps_its_digits(self):",
            f'        """{BUDGET:g} ULP of {place.dtype} beside the exact {what}, rounded once."""',
            *tensors,
            "        " + body.format(call=call),
            "        " + chosen.compare.format(rtol=f"{rtol:.1e}"),
            chosen.end,
        ]
    )
