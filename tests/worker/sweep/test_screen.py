"""The screen of a sweep finds what judging every result finds, whatever results are, and however a sweep is cut.

Losses here are made of the exact value, rounded, and so many bit patterns more: what is found is compared with a sweep
whose screen never decides anything.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

import reference
from conformance.contracts import Contract
from conformance.numbers.formats import FORMATS, Tensor, decode, encode, infinity_bits
from conformance.worker.sweep import kernel, screen, space
from conformance.worker.sweep.rounding import rounded
from conformance.worker.sweep.shard import Labels, Pairs, Shard, Single
from tests.builders import deterministic

pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")


#: How many bit patterns larger than the nearest one results are, for bit patterns of predictions and of labels.
Offset = Callable[[Any, Any], Any]


@dataclass(frozen=True)
class Loss:
    """An implementation whose results are some bit patterns off."""

    offset: Offset
    form: str
    returns: str
    key: str = "loss"
    reductions: tuple[str, ...] = ("none",)
    contract: Contract = ()

    def results(self, quantity: str, prediction: Tensor, label: Tensor) -> Tensor:
        """Bit patterns up to infinity, with the sign of the exact value."""
        fmt = FORMATS[self.returns]
        exact = reference.FUNCTIONS[quantity](self.form, decode(prediction), decode(label)).hi
        nearest = encode_quickly(exact, self.returns).astype(np.int64)
        sign = nearest & (1 << (fmt.width - 1))
        wide = (one.astype(np.int64) for one in (prediction.bits, label.bits))
        magnitude = np.clip((nearest - sign) + self.offset(*wide), 0, infinity_bits(fmt) + 1)
        return Tensor(self.returns, (sign | magnitude).astype(fmt.storage))


class Bits:
    """A runtime whose tensors are bit patterns."""

    def tensor(self, tensor: Tensor) -> Tensor:
        """A tensor."""
        return tensor

    def evaluate(self, one: Loss, quantity: str, arguments: Any) -> Tensor:
        """The results of a loss."""
        return one.results(quantity, arguments["prediction"], arguments["label"])

    def bits(self, native: Tensor) -> Tensor:
        """The bits of a tensor."""
        return native


def encode_quickly(values: Any, dtype: str) -> Any:
    """`encode`, which a test compares with this."""
    return rounded(values, FORMATS[dtype]).view(FORMATS[dtype].storage)


def bits_of(value: float, dtype: str) -> int:
    """The bit pattern of a number that the format has."""
    return int(encode(np.array([value]), dtype).bits[0])


def made(dtype: str, start: float, count: int, labels: Labels, **fields: Any) -> Shard:
    """A shard of some predictions from one on."""
    first = space.position_of(bits_of(start, dtype), dtype)
    given_fields = {"quantity": "value", "chunk": 1 << 20, "form": "logits"} | fields
    return Shard(implementations=("loss",), dtype=dtype, start=first, stop=first + count, labels=labels, **given_fields)


def found(shard: Shard, offset: Offset, screened: bool = True, returns: str | None = None) -> Any:
    """What a sweep finds, by label."""
    loss = Loss(offset, shard.form, returns or shard.dtype)
    screen_of_the_sweep = screen.screened
    if not screened:
        screen.screened = lambda adding, bits: False
    try:
        return kernel.run(Bits(), {"loss": loss}, shard)["loss"]  # type: ignore[arg-type, dict-item]
    finally:
        screen.screened = screen_of_the_sweep


def same(shard: Shard, offset: Offset, chunks: tuple[int, ...], returns: str | None = None) -> Any:
    """What is found; the screen and every cut must agree with judging all results at once."""
    expected = found(shard, offset, screened=False, returns=returns)
    for chunk in (*chunks, shard.chunk):
        assert found(shard._replace(chunk=chunk), offset, returns=returns) == expected, chunk
    return expected


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
def test_a_gradient_just_below_one_has_an_error_of_two_for_each_pattern_above(dtype: str) -> None:
    """Three patterns below are 3 ULP; two above are 4, although float64 takes the gradient for 1."""
    count = 1 << min(FORMATS[dtype].fraction_bits, 14)
    middle = bits_of(64.0, dtype) + count // 2
    shard = made(dtype, 64.0, count, Single((0,)), quantity="gradient-prediction")
    (one,) = same(shard, lambda p, y: np.where(p < middle, -3, 2), (count // 4,)).values()
    assert one["worst"]["ideal"]["+6"][0] == pytest.approx(4.0)
    (one,) = same(shard, lambda p, y: np.where(p < middle, -1, 1), (count // 4,)).values()
    assert one["worst"]["ideal"]["+6"][0] == pytest.approx(2.0)


def test_a_result_several_binades_above_is_measured_whole() -> None:
    """A gradient of about 1/2 that is 5, and later 8: each of the steps there is many of those around 1/2."""
    middle = bits_of(2.0**-14, "float16") + 512
    five, eight = (bits_of(value, "float16") - bits_of(0.5, "float16") for value in (5.0, 8.0))
    shard = made("float16", 2.0**-14, 1024, Single((0,)), quantity="gradient-prediction")
    (one,) = same(shard, lambda p, y: np.where(p < middle, five, eight), (256,)).values()
    assert one["worst"]["ideal"]["+-14"][0] == pytest.approx(7.5 / 2.0**-11, rel=1e-4)


def test_of_the_first_prediction_that_is_far_off_the_first_label_is_told() -> None:
    """Although a later label has the largest error there."""
    first, p = bits_of(0.25, "float16"), bits_of(1.0, "float16")
    shard = made("float16", 1.0, 1024, Pairs(first, first + 16))
    one = same(shard, lambda prediction, y: np.where(prediction == p, 20 + y - first, 10), (1024, 1 << 13))["pairs"]
    assert one["firsts"]["+4 ulp"] == [shard.start, first]


def test_of_equal_errors_that_of_the_earlier_prediction_is_told_though_its_label_is_later() -> None:
    """Where a block has one label, and numbers are so large that float32 has no room for products."""
    p = bits_of(2.0**126, "bfloat16")
    shard = made("bfloat16", 2.0**126, 96, Pairs(0, 2))
    shard = shard._replace(start=shard.start + 8, stop=shard.stop + 8)
    one = same(shard, lambda x, y: 2 * (x - p == np.where(y == 0, 64, 32)), (32, 128))["pairs"]
    assert one["worst"]["ideal"]["+126"][1:3] == [shard.start + 24, 1]


@pytest.mark.parametrize("label", [1.5 * 2.0**-40, 2.0**-32])
def test_results_of_a_format_with_less_range_are_judged_in_that(label: float) -> None:
    """A small label times a large logit: both are beyond the range of the result, which is correctly rounded."""
    first = bits_of(label, "bfloat16")
    shard = made("bfloat16", -(2.0**36) if label < 2.0**-36 else -(2.0**32), 128, Pairs(first, first + 64))
    one = same(shard, lambda p, y: 0 * p, (128, 1 << 12), returns="float16")["pairs"]
    assert one["ordinals"] == [128 * 64, 0, 0, 0]


def test_a_subnormal_prediction_may_be_read_as_zero_wherever_flushing_is_accepted() -> None:
    """Labels around 1/2, whose gradients vanish at 0, and others go by in blocks of any size."""
    half = bits_of(0.5, "float16")
    shard = made("float16", 0.0, 1024, Pairs(half - 4, half + 4), quantity="gradient-prediction")

    def read_as_zero(prediction: Any, label: Any) -> Any:
        z, y = (decode(Tensor("float16", bits.astype(np.uint16))) for bits in (prediction, label))
        exact = (reference.FUNCTIONS["gradient-prediction"]("logits", one, y).hi for one in (z, 0.0 * z))
        nearest, at_zero = (encode_quickly(one, "float16").astype(np.int64) & 0x7FFF for one in exact)
        return at_zero - nearest

    assert same(shard, read_as_zero, (1024, 2048))["pairs"]["worst"]["ideal"]


def test_what_is_one_pattern_beyond_infinity_is_not_a_number() -> None:
    """Where the expected value rounds to infinity: the class is counted, not a distance."""
    largest = bits_of(float(np.finfo(np.float32).max), "float32")
    shard = made("float32", float(np.finfo(np.float32).max), 1, Single((bits_of(-(2.0**-24), "float32"),)))
    shard = shard._replace(start=shard.start - 40)
    (one,) = same(shard, lambda p, y: np.where(p == largest, 1, -5), (1, 8)).values()
    assert one["classes"] == {"nan": 1}


KINDS: dict[str, Callable[[Any, Any], Any]] = {
    "one pattern": lambda random, place: np.where(random % 5 == 0, 1, 0),
    "few": lambda random, place: random % 7 - 3,
    "less, then more": lambda random, place: np.where(place < 0.5, -3, 2),
    "larger and larger": lambda random, place: (4 * place).astype(np.int64),
    "any": lambda random, place: np.where(random % 3 == 0, random % (1 << (random >> 8) % 14), 0),
}


@st.composite
def shards(draw: Any) -> Shard:
    """A few predictions and labels of any kind, most of them around 1."""
    dtype = draw(st.sampled_from(["float16", "bfloat16", "float32"]))
    form = draw(st.sampled_from(["logits", "probabilities"]))
    fmt, size = FORMATS[dtype], space.size(form, dtype)
    count = draw(st.sampled_from([64, 256, 1024]))
    binade = draw(st.integers(-14, 7 if form == "logits" else -1)) - fmt.emin + 1
    start = (binade << fmt.fraction_bits) + draw(st.sampled_from([0, count, -5]))
    if form == "logits" and draw(st.booleans()):
        start += size // 2
    start = min(max(start, 0), size - count)
    half = bits_of(0.5, dtype)
    paired = fmt.width == 16 and draw(st.booleans())
    if paired:
        first = draw(st.sampled_from([0, half - 4, half, bits_of(1.0, dtype) - 9, bits_of(0.001, dtype)]))
        labels: Labels = Pairs(first, first + draw(st.integers(1, 9)))
    else:
        most = [2.0, -1.0, 1000.0] if form == "logits" else []
        labels = Single((bits_of(draw(st.sampled_from([0.0, 1.0, 0.5, 0.3, 0.25, 2.0**-12, *most])), dtype),))
    quantity = draw(st.sampled_from(kernel.QUANTITIES))
    return Shard(
        implementations=("loss",),
        form=form,
        quantity=quantity,
        dtype=dtype,
        start=start,
        stop=start + count,
        labels=labels,
        chunk=1 << 20,
    )


@deterministic
@given(shards(), st.sampled_from(list(KINDS)), st.integers(0, 1 << 30))
def test_the_screen_finds_what_judging_every_result_finds(shard: Shard, kind: str, salt: int) -> None:
    """Counts, classes, maxima of every column with their inputs, and first inputs; for calls of any length."""

    def offset(prediction: Any, label: Any) -> Any:
        random = (prediction * 2654435761 + label * 40503 + salt) * 0x9E3779B1 >> 16 & 0xFFFFF
        return KINDS[kind](random, prediction % 1024 / 1024)

    assume(shard.start < shard.stop)
    same(shard, offset, (64, 1024))
