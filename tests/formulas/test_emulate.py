"""The emulation rounds each step correctly: against interval arithmetic, fractions and NumPy's scalars."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import flint
import numpy as np
import pytest
from numpy.typing import NDArray

from conformance.formulas import elementary
from conformance.formulas.arithmetic import Arithmetic, rounded
from conformance.formulas.catalogue import Options, candidates
from conformance.formulas.evaluate import emulated, emulation, watching
from conformance.formulas.expression import exp, log, log1p, var
from conformance.numbers.formats import FORMATS, Tensor, decode, round_to_bits

_FUNCTIONS = ("exp", "log", "log1p", "expm1", "tanh")


def _arguments(name: str) -> NDArray[np.float64]:
    """Numbers of all magnitudes, near 1, and where e^x is subnormal; only inside of the function's domain."""
    rng = np.random.default_rng(7)
    signs = rng.choice([-1.0, 1.0], 400)
    x: NDArray[np.float64] = np.concatenate(
        [
            rng.normal(size=400) * 10.0 ** rng.integers(-5, 3, 400),
            signs * 2.0 ** rng.uniform(-1070, 9, 400),
            1 + rng.normal(size=400) * 1e-8,
            rng.uniform(-745, -700, 400),
        ]
    )
    if name == "log":
        x = np.abs(x[x != 0])
    inside: NDArray[np.float64] = x[x > -1] if name == "log1p" else x[x < 709]
    return inside


def _nearest(name: str, x: float) -> float:
    with flint.ctx.workprec(1400):
        mantissa, exponent = getattr(flint.arb(x), name)().mid().man_exp()
    return float(Fraction(int(mantissa)) * Fraction(2) ** int(exponent))


@pytest.mark.parametrize("name", _FUNCTIONS)
def test_an_elementary_function_of_float64_is_the_nearest_number(name: str) -> None:
    """Subnormal results too, which are rounded once."""
    x = _arguments(name)
    with np.errstate(all="ignore"):
        found = getattr(elementary, name)(x)
    assert found.tolist() == [_nearest(name, float(one)) for one in x]


@pytest.mark.parametrize("y", [0.5, 1.5, 2.0, 2.5, 3.0, -1.0])
def test_a_power_of_float64_is_the_nearest_number(y: float) -> None:
    """For bases of ordinary size."""
    x = 2.0 ** np.random.default_rng(8).uniform(-60, 60, 300)
    with flint.ctx.workprec(400):
        exact = [(flint.arb(float(one)) ** flint.arb(y)).mid().man_exp() for one in x]
    with np.errstate(all="ignore"):
        found = elementary.power(x, np.full_like(x, y))
    assert found.tolist() == [float(Fraction(int(m)) * Fraction(2) ** int(e)) for m, e in exact]


def test_special_values_are_those_of_ieee_754() -> None:
    """Infinities, zeros with their signs, NaN, and beyond the range."""
    with np.errstate(all="ignore"):
        assert elementary.exp(np.array([np.inf, -np.inf, 0.0, 1000.0, -1000.0])).tolist() == [np.inf, 0, 1, np.inf, 0]
        assert elementary.log(np.array([0.0, -0.0, np.inf, 1.0])).tolist() == [-np.inf, -np.inf, np.inf, 0]
        assert np.isnan(elementary.log(np.array([-1.0, np.nan]))).all()
        assert np.signbit(elementary.log1p(np.array([-0.0]))).all()


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_a_fused_product_and_sum_is_rounded_once(dtype: str) -> None:
    """Against fractions, with sums that cancel."""
    rng = np.random.default_rng(9)
    a, b, c = (rng.normal(size=500) * 2.0 ** rng.integers(-20, 20, 500) for _ in range(3))
    a, b, c = (one.astype(dtype).astype(np.float64) for one in (a, b, c))
    c[:200] = (-a * b)[:200].astype(dtype)
    arithmetic = Arithmetic(name="fused", inputs=dtype, step=dtype, inside=dtype, result=dtype, fused=True)
    x = var("a") * var("b") + var("c")
    found = emulated(x, {"a": a, "b": b, "c": c}, arithmetic)
    exact = [Fraction(i) * Fraction(j) + Fraction(k) for i, j, k in zip(a, b, c, strict=True)]
    half = [np.spacing(np.dtype(dtype).type(abs(one))) / 2 for one in found]
    assert all(abs(Fraction(float(f)) - e) <= Fraction(float(h)) for f, e, h in zip(found, exact, half, strict=True))


def test_steps_that_formulas_share_give_what_each_gives_alone() -> None:
    """One evaluation of two formulas, and one of each."""
    z = np.linspace(-5, 5, 41)
    arithmetic = Arithmetic(name="each", inputs="float32", step="float32", inside="float32", result="float32")
    x, y = log1p(exp(var("z"))), log(1 + exp(var("z")))
    shared = emulation({"z": z}, arithmetic)
    for one in (x, y, x):
        assert shared.of(one).tolist() == emulated(one, {"z": z}, arithmetic).tolist()


@pytest.mark.parametrize("dtype", ["bfloat16", "float16", "float32"])
def test_a_step_is_rounded_as_the_exact_rounding_of_fractions(dtype: str) -> None:
    """Subnormal numbers, overflow, zeros and infinities included."""
    x = np.random.default_rng(10).choice([-1.0, 1.0], 600) * 2.0 ** np.random.default_rng(11).uniform(-160, 140, 600)
    x[:4] = [0.0, -0.0, np.inf, -np.inf]
    fmt = FORMATS[dtype]
    exact = [
        one if one in (0, np.inf, -np.inf) else _decoded(round_to_bits(Fraction(float(one)), fmt), dtype) for one in x
    ]
    with np.errstate(all="ignore"):
        assert rounded(x, fmt).tolist() == [float(one) for one in exact]


def _decoded(bits: int, dtype: str) -> float:
    return float(decode(Tensor(dtype, np.array([bits], FORMATS[dtype].storage)))[0])


@pytest.mark.parametrize("dtype", ["float64", "float32", "float16", "bfloat16"])
def test_where_no_step_is_subnormal_flushing_changes_nothing(dtype: str) -> None:
    """And where it changes a result, a step was told to be subnormal."""
    rng = np.random.default_rng(8)
    size = np.concatenate([rng.uniform(-400, 400, 600), [0.0, -0.0, 1.0, -1.0, 1e-45, -6e-8, 1e-310]])
    inputs = {"z": rounded(size, FORMATS[dtype]), "y": np.resize([0.0, 1.0, 0.3], size.size)}
    each = Arithmetic(name="each step", inputs=dtype, step=dtype, inside=dtype, result=dtype)
    flushing = replace(each, flush=True, daz=True)
    changed = 0
    for candidate in candidates("logits", "gradient-prediction", Options()):
        value, small = watching(inputs, each).of(candidate.expression).of(size.size)
        flushed = np.broadcast_to(emulated(candidate.expression, inputs, flushing), size.size)
        differs = (flushed != value) & ~(np.isnan(flushed) & np.isnan(value))
        assert not np.any(differs if small is None else differs & ~small), candidate.name
        changed += int(differs.sum())
    assert changed > 0
