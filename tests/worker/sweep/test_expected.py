"""Expected values of a block, and their places on the line of bit patterns."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from conformance.judge import escalate
from conformance.numbers.formats import FORMATS, Tensor, decode, encode
from conformance.worker.sweep import space
from conformance.worker.sweep.block import Block, Predictions, can_cancel
from conformance.worker.sweep.expected import Expected
from conformance.worker.sweep.kernel import QUANTITIES
from reference.operands import GRADIENT_PREDICTION
from reference.split import Splits
from tests.builders import deterministic

pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")


@deterministic
@given(st.integers(0, space.size("logits", "bfloat16") - 129), st.integers(0, 0x7F7F - 16), st.data())
def test_float32_serves_for_narrow_formats_within_its_margin(start: int, first: int, data: Any) -> None:
    """The line of a block in float32 is that of float64, up to the margin."""
    dtype, quantity = data.draw(st.sampled_from(["float16", "bfloat16"])), data.draw(st.sampled_from(QUANTITIES))
    fmt = FORMATS[dtype]
    start = start % space.size("logits", dtype)
    stop = min(start + 128, (start | 127) + 1)
    bits = (np.arange(first, first + 16) % space.labels_in_unit(dtype)).astype(fmt.storage)
    bits.sort()
    tensor = Tensor(dtype, space.patterns(dtype, start, stop))
    label = decode(Tensor(dtype, bits))[:, np.newaxis]
    ends = float(label[0, 0]), float(label[-1, 0])
    predictions = Predictions(tensor)
    binade, cancels = space.binade(start, dtype), can_cancel(quantity, label)
    shape = len(bits), stop - start
    block = Block(
        form="logits",
        quantity=quantity,
        predictions=predictions,
        label=label,
        start=start,
        label_bits=bits,
        label_ends=ends,
        binade=binade,
        shape=shape,
        cancels=cancels,
    )
    splits = Splits("logits", quantity, predictions.ends, predictions.values)
    expected = Expected(block, splits, fmt)
    assume(expected.regular and expected.line.margin)
    line, exact = expected.line, splits.whole.at(label)
    wide = np.abs(exact).view(np.int64) - (1022 + fmt.emin << 52)
    off = line.positions - wide.astype(np.float64) / 2.0**29
    assert np.abs(off).max() <= line.margin


@pytest.mark.parametrize("label", [0.5, 0.0, 1.0, 0.25])
@pytest.mark.parametrize("sign", [1, -1])
def test_a_gradient_next_to_a_power_of_two_is_on_its_side(label: float, sign: int) -> None:
    """sigmoid(z) - 1/2 is closer to z/4 than a double-double tells, and less; Arb tells, and so do expected values."""
    z = sign * np.concatenate([2.0 ** -np.arange(31.0, 149.0), [100.0, 740.0, 1000.0, 2000.0]])
    y = np.full((1, 1), label)
    predictions = Predictions(encode(z, "float64"))
    bits, ends = np.array([0]), (label, label)
    block = Block(
        form="logits",
        quantity=GRADIENT_PREDICTION,
        predictions=predictions,
        label=y,
        start=0,
        label_bits=bits,
        label_ends=ends,
        binade="+0",
        shape=(1, z.size),
        cancels=True,
    )
    expected = Expected(block, None, FORMATS["float32"])
    values, lows = expected.at(np.arange(z.size))
    assert lows is not None
    at_boundary = np.abs(np.frexp(values)[0]) == 0.5
    assert np.count_nonzero(at_boundary) > 60
    for prediction, hi, lo in zip(z[at_boundary], values[at_boundary], lows[at_boundary], strict=True):
        found = escalate.exact("logits", "gradient-prediction", float(prediction), label, 1.0, 1.0)
        assert found is not None
        assert (hi, np.sign(lo)) == (found[0], np.sign(found[1]))


@pytest.mark.parametrize("prediction", [0.0, -0.0])
def test_a_gradient_that_is_a_power_of_two_is_on_no_side_of_it(prediction: float) -> None:
    """At 0 it is 1/2 - y, exactly."""
    predictions, y = Predictions(encode(np.array([prediction]), "float64")), np.full((1, 1), 0.5 - 2.0**-12)
    bits, ends = np.array([0]), (float(y[0, 0]), float(y[0, 0]))
    block = Block(
        form="logits",
        quantity=GRADIENT_PREDICTION,
        predictions=predictions,
        label=y,
        start=0,
        label_bits=bits,
        label_ends=ends,
        binade="+s",
        shape=(1, 1),
        cancels=True,
    )
    values, lows = Expected(block, None, FORMATS["float16"]).at(np.arange(1))
    assert (values.tolist(), lows.tolist()) == ([2.0**-12], [0.0])
