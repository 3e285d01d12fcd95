"""What a contract makes of the arguments of a loss."""

from __future__ import annotations

import math

import numpy as np

from conformance.contracts import CastsTo, Clip, Epsilon, LogClamp, Source
from conformance.numbers.documented import Documented, clip_intervals
from conformance.numbers.formats import FORMATS

FLOAT32 = FORMATS["float32"]
SOURCE = Source("clipped to [epsilon, 1 - epsilon]", "https://example.org", "1.0")


def test_each_bound_may_be_rounded_either_way() -> None:
    """Neither 1e-7 nor 0.9999999 is a float32: four implementations clip as documented."""
    found = clip_intervals(Clip("1e-7", "0.9999999", SOURCE), FLOAT32)
    assert len(found) == 4
    assert {high for _, high in found} == {1 - 2**-23, 1 - 2**-24}
    assert all(abs(low - 1e-7) < 2**-47 for low, _ in found)


def test_without_a_bound_nothing_is_clipped() -> None:
    """Without a clip, and beside a bound that is an end of [0, 1] itself."""
    assert clip_intervals(None, FLOAT32) == [(-math.inf, math.inf)]
    assert clip_intervals(Clip("0.25", "1", SOURCE), FLOAT32) == [(0.25, math.inf)]


def test_a_prediction_beyond_a_bound_is_confined_to_it_and_no_longer_matters() -> None:
    """Inside it stays as it is, at a bound the derivative may be that of either side, and NaN is neither."""
    (interval,) = clip_intervals(Clip("0.25", "0.75", SOURCE), FLOAT32)
    predictions = np.array([0.0, 0.25, 0.5, 0.75, 1.0, math.nan])
    assert interval.confined(predictions)[:5].tolist() == [0.25, 0.25, 0.5, 0.75, 0.75]
    assert np.isnan(interval.confined(predictions)[5])
    assert interval.outside(predictions).tolist() == [True, False, False, False, True, False]
    assert interval.at_bound(predictions).tolist() == [False, True, False, True, False, False]


def test_an_infinite_prediction_stands_at_no_bound_where_there_is_none() -> None:
    """A logit may be infinite, and nothing is documented of it."""
    (interval,) = clip_intervals(None, FLOAT32)
    infinities = np.array([-math.inf, math.inf])
    assert interval.confined(infinities).tolist() == [-math.inf, math.inf]
    assert not (interval.outside(infinities) | interval.at_bound(infinities)).any()


def test_a_contract_says_in_which_format_and_with_which_numbers_a_loss_is_computed() -> None:
    """A bound is rounded in the format that inputs are cast to; the numbers are what the reference calls them."""
    contract = (Clip("0.1", "0.9", SOURCE), LogClamp(-100.0, SOURCE), Epsilon(1e-7, SOURCE), CastsTo("float16", SOURCE))
    said = Documented.by(contract, "float64")
    assert said.fmt == FORMATS["float16"]
    assert said.intervals == clip_intervals(contract[0], FORMATS["float16"])
    assert said.constants == {"log_clamp": -100.0, "epsilon": 1e-7}
    assert Documented.by((), "float64") == (FORMATS["float64"], [(-math.inf, math.inf)], {})
