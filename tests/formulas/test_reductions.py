"""Means and sums in the orders that implementations have; the oracles add numbers of NumPy in loops."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from conformance.formulas.arithmetic import arithmetics
from conformance.formulas.catalogue import Options, candidates
from conformance.formulas.catalogue.reductions import reduced
from conformance.formulas.evaluate import emulated
from conformance.formulas.expression import var

SINGLE = arithmetics("float32", "float32")[0]
DOUBLE = arithmetics("float64", "float64")[0]
NUMBERS = np.array([1e8, 3.3, -1e8, 0.7, 5.1, 2.25, 0.125], np.float32)


def _ways(reduction: str, numbers: NDArray[np.floating], single: bool = False) -> dict[str, float]:
    inputs = {f"x{k}": np.array([one], np.float64) for k, one in enumerate(numbers)}
    terms = [var(name) for name in inputs]
    arithmetic = DOUBLE if single else SINGLE
    return {name: float(emulated(x, inputs, arithmetic)[0]) for name, x in reduced(reduction, terms, single)}


def _loop(numbers: NDArray[np.floating]) -> np.floating:
    total = numbers[0]
    for one in numbers[1:]:
        total = total + one
    return total


def test_each_order_gives_what_its_loop_gives() -> None:
    """1e8 swallows what it is added to, so that every order gives another sum."""
    found = _ways("sum", NUMBERS)
    four = [_loop(NUMBERS[lane::4]) for lane in range(4)]
    expected = {
        "summed left to right, divided by n": _loop(NUMBERS),
        "summed in 2 lanes, divided by n": _loop(NUMBERS[::2]) + _loop(NUMBERS[1::2]),
        "summed in 4 lanes, divided by n": (four[0] + four[1]) + (four[2] + four[3]),
    }
    assert {name: found[name] for name in expected} == {name: float(one) for name, one in expected.items()}
    assert len({*expected.values()}) == len(expected)


def test_a_mean_is_the_sum_over_n_or_times_its_reciprocal() -> None:
    """Which round otherwise."""
    numbers = np.array([5.0, 0.0, 0.0], np.float32)
    found = _ways("mean", numbers)
    assert found["summed left to right, divided by n"] == np.float32(5) / np.float32(3)
    assert found["summed left to right, times 1/n"] == np.float32(5) * (np.float32(1) / np.float32(3))


def test_a_mean_of_float64_may_be_taken_in_float32() -> None:
    """What Keras does by default: the terms lose half of their digits."""
    numbers = np.array([1 / 3, 1 / 7, 1 / 11])
    found = _ways("mean", numbers, single=True)
    narrow = numbers.astype(np.float32)
    assert found["summed left to right in float32, divided by n"] == _loop(narrow) / np.float32(3)
    assert found["summed left to right, divided by n"] == _loop(numbers) / 3


@pytest.mark.parametrize("count", [2, 3, 7, 16])
def test_names_of_ways_are_the_same_for_every_count_and_for_sums(count: int) -> None:
    """Several calls of one implementation are told by one name."""
    terms = [var(f"x{k}") for k in range(count)]
    names = [name for name, _ in reduced("mean", terms, True)]
    assert names == [name for name, _ in reduced("sum", [var("x0"), var("x1")], True)]
    assert len({*names}) == len(names)


def test_a_derivative_of_a_mean_is_that_of_the_loss_times_its_share() -> None:
    """Where 1/n is a number of float32 a derivative in float64 has half of its digits."""
    z, y = np.array([0.5, -3.0]), np.array([1.0, 0.0])
    exact = (1 / (1 + np.exp(-z)) - y) / 3
    options = Options(share=3, single=True)
    of = frozenset({"dL/dx of (1 - y)*z - log_sigmoid(z), by its own formula 1"})
    found = {
        one.name.rpartition(", ")[2]: emulated(one.expression, {"z": z, "y": y}, DOUBLE)
        for one in candidates("logits", "gradient-prediction", options, of=of)
    }
    assert {*found} == {"times 1/n", "times 1/n in float32", "divided by n"}
    np.testing.assert_allclose(found["times 1/n"], exact, rtol=1e-15)
    np.testing.assert_allclose(found["divided by n"], exact, rtol=1e-15)
    np.testing.assert_allclose(
        found["times 1/n in float32"], exact * (3 * np.float64(np.float32(1) / np.float32(3))), rtol=1e-15
    )
