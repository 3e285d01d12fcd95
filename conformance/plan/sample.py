"""A sample of predictions spread evenly over the bit patterns, measured beside the checks for the plots of a report.

Nothing of it is judged: it is planned as cases that expect nothing (`observe`), so that it takes the way of all
requests, and its checks are split off before anything is counted.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from itertools import pairwise
from typing import Any

import numpy as np

from conformance.adapters import ALL_DTYPES
from conformance.adapters.declaration import Declaration
from conformance.numbers.formats import FORMATS, Format, Tensor, decode, encode
from conformance.plan.cases import Case, Element, Form
from conformance.plan.filters import Filters, matches
from conformance.plan.inputs import Inputs
from conformance.plan.requests import Request

#: The family of these cases, which no case file may use: none is called so.
FAMILY = "sample"

#: Labels whose losses differ in kind: both hard ones, the one that hides the prediction, and a soft one.
LABELS = ("0", "1", "0.5", "0.3")
HARD = ("0", "1")

#: Predictions of each part of the sample: all patterns, and those where the loss bends.
POINTS = 96

#: Exponents of two between which a logit's loss is neither constant nor a straight line in any format: below 2^-10 it
#: is log 2 within an ULP of bfloat16, and beyond 2^7 exp(-|z|) is subnormal in float32.
BENDS = (-10, 7)

#: What is observed of a sample.
QUANTITIES = ("value", "gradient-prediction")

#: Any fixed number: the same sample in every run.
SEED = 20240229


def requests(implementations: Sequence[Declaration], filters: Filters) -> tuple[Request, ...]:
    """The sample's requests; none where the filters choose among the cases."""
    if filters.case or filters.flag:
        return ()
    quantities = tuple(one for one in QUANTITIES if matches(filters.quantity, one))
    return tuple(_requests(implementations, quantities, filters))


def _requests(
    implementations: Sequence[Declaration], quantities: tuple[str, ...], filters: Filters
) -> Iterator[Request]:
    for one in implementations:
        offered = tuple(quantity for quantity in quantities if quantity in one.quantities)
        if not filters.takes_implementation(one) or "none" not in one.reductions or not offered:
            continue
        for dtype in one.dtypes:
            if dtype in ALL_DTYPES and matches(filters.dtype, dtype):
                yield Request(FAMILY, one, sampled(one.form, dtype, one.labels == "hard"), offered)


@cache
def sampled(form: Form, dtype: str, hard: bool) -> Inputs:
    """The case of a form in a dtype, with hard labels only or with all, and its inputs."""
    elements = tuple(
        Element(id=f"{part}{index}-y{label}", prediction=prediction.hex(), label=label)
        for label in (HARD if hard else LABELS)
        for part, predictions in _parts(form, FORMATS[dtype]).items()
        for index, prediction in enumerate(predictions)
    )
    case = Case(
        id=f"{FAMILY}/{'hard-' if hard else ''}{form}",
        why="predictions spread evenly over the bit patterns, for the plots of a report",
        form=form,
        flags=(),
        elements=elements,
        dtypes=(dtype,),  # type: ignore[arg-type]  # one of ALL_DTYPES
        expect="observe",
        quantities=QUANTITIES,  # type: ignore[arg-type]  # two of NUMERIC
    )
    return Inputs(case, dtype)


def is_sample(request: Request) -> bool:
    """Whether a request is one of the sample's."""
    return request.family == FAMILY


def _parts(form: str, fmt: Format) -> dict[str, list[float]]:
    """Predictions of each part: `all` evenly over all patterns of the domain, `bend` over those where the loss bends.

    For probabilities `bend` is evenly over the patterns of 1 - p: the upper half of [0, 1] is a single binade of p.
    """
    random = np.random.default_rng(SEED)
    if form == "logits":
        largest = _bits_of(float(fmt.largest), fmt)
        low, high = (_bits_of(2.0**exponent, fmt) for exponent in BENDS)
        bend = _values(_evenly(random, low, high, POINTS // 2), fmt)
        return {
            "all": _values(_evenly(random, -largest, largest, POINTS), fmt),
            "bend": [-x for x in bend[::-1]] + bend,
        }
    one = _bits_of(1.0, fmt)
    least = _bits_of(2.0**-fmt.precision, fmt)
    distances = _values(_evenly(random, least, _bits_of(0.5, fmt), POINTS), fmt)
    near_one = decode(encode(1.0 - np.array(distances), fmt.name)).tolist()
    return {"all": _values(_evenly(random, 0, one, POINTS), fmt), "bend": near_one[::-1]}


def _evenly(random: Any, first: int, last: int, count: int) -> list[int]:
    """`count` ordinals: both ends, and one at random from each of equal parts between them."""
    edges = [first + (last - first) * index // (count - 2) for index in range(count - 1)]
    inner = [low + int(random.random() * (high - low)) for low, high in pairwise(edges)]
    return [first, *inner, last]


def _bits_of(value: float, fmt: Format) -> int:
    return int(encode(np.array([value]), fmt.name).bits[0])


def _values(ordinals: Sequence[int], fmt: Format) -> list[float]:
    """The numbers at some ordinals: a negative one counts downwards from -0."""
    bits = np.array([abs(one) for one in ordinals], dtype=fmt.storage)
    signs = np.where(np.array(ordinals, dtype=object) < 0, -1.0, 1.0)
    values: list[float] = (decode(Tensor(fmt.name, bits)) * signs).tolist()
    return values
