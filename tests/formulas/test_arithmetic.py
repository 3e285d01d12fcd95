"""Arithmetics: which are tried for a dtype, and how a number is rounded."""

from __future__ import annotations

import itertools
from fractions import Fraction

import numpy as np
import pytest

from conformance.formulas.arithmetic import CAST, DOUBLE, EACH, KERNELS, NARROWER, PROMOTED, WIDER, arithmetics, rounded
from conformance.numbers.formats import FORMATS

DTYPES = ("float64", "float32", "float16", "bfloat16")


@pytest.mark.parametrize(("dtype", "result"), list(itertools.product(DTYPES, DTYPES)))
def test_each_arithmetic_has_a_name_of_its_own_and_a_twin_that_flushes(dtype: str, result: str) -> None:
    """A name says which it is; where a flushing one exists its operands are flushed too."""
    listed = arithmetics(dtype, result)
    names = [one.name for one in listed]
    assert len(set(names)) == len(names) > 0
    flushing = {one.name for one in listed if one.flush and not one.fused}
    assert {one.name + ", flushed" for one in listed if not one.flush} == flushing
    assert all(one.daz == one.flush for one in listed)


@pytest.mark.parametrize(
    ("dtype", "result", "expected"),
    [
        ("float16", "float16", {EACH, KERNELS, WIDER}),
        ("bfloat16", "float32", {WIDER}),
        ("float16", "float64", {DOUBLE, PROMOTED, "float64 steps"}),
        ("float32", "float32", {EACH, "each step, flushed, fused"}),
        ("float64", "float64", {EACH, NARROWER, CAST}),
    ],
)
def test_what_is_known_of_frameworks_is_tried(dtype: str, result: str, expected: set[str]) -> None:
    """16 bits step by step, by kernels, or in float32; float64 in float32, or cast to it at the end."""
    assert expected <= {one.name for one in arithmetics(dtype, result)}


@pytest.mark.parametrize("name", DTYPES)
def test_a_number_is_rounded_to_the_nearest_one_ties_to_even(name: str) -> None:
    """Against exact fractions: of the neighbours on both sides none is nearer, and a tie has an even significand."""
    fmt = FORMATS[name]
    unit = Fraction(fmt.unit_roundoff)
    rng = np.random.default_rng(20260601)
    values = np.ldexp(rng.uniform(1, 2, 200), rng.integers(-12, 12, 200))
    for value, found in zip(values.tolist(), rounded(values, fmt).tolist(), strict=True):
        step = 2 * unit * Fraction(2) ** int(np.floor(np.log2(value)))
        assert abs(Fraction(found) - Fraction(value)) <= step / 2
        assert (Fraction(found) / step).denominator == 1
    tie = float(1 + unit)
    assert rounded(np.array([tie]), fmt)[0] == (1.0 if name != "float64" else tie)


@pytest.mark.parametrize("name", ["float32", "float16", "bfloat16"])
def test_what_is_too_large_is_infinite_and_what_is_subnormal_is_kept_or_flushed(name: str) -> None:
    """The sign of what is flushed stays."""
    fmt = FORMATS[name]
    smallest = 2.0**fmt.emin
    values = np.array([float(fmt.largest) * 2, -smallest / 2, smallest, np.nan])
    np.testing.assert_array_equal(rounded(values, fmt), [np.inf, -smallest / 2, smallest, np.nan])
    flushed = rounded(values, fmt, flush=True)
    np.testing.assert_array_equal(flushed, [np.inf, -0.0, smallest, np.nan])
    assert np.signbit(flushed[1])
