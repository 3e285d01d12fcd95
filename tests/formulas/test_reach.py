"""The reach holds every result that a formula can give: random formulas, inputs and errors of elementary functions."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Any

import flint
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conformance.formulas.arithmetic import Arithmetic
from conformance.formulas.derivative import RECIPROCAL
from conformance.formulas.evaluate import ERROR, number, reach
from conformance.formulas.expression import (
    ARITY,
    COMPARISONS,
    ELEMENTARY,
    Expression,
    const,
    make,
    ordered,
    var,
    where,
)
from conformance.numbers.formats import FORMATS

_z, _y = var("z"), var("y")

#: A scalar of the format, by operations of NumPy's scalars: what IEEE 754 rounds correctly.
_SCALARS: dict[str, Any] = {"float64": np.float64, "float32": np.float32, "float16": np.float16}


def arithmetic(dtype: str, fused: bool = False, flush: bool = False) -> Arithmetic:
    """Every step in `dtype`."""
    return Arithmetic(
        name="each step", inputs=dtype, step=dtype, inside=dtype, result=dtype, fused=fused, flush=flush, daz=flush
    )


# ----------------------------------------------------------------- an evaluation with errors, one scalar at a time

_EXACT = {"exp": 0.0, "log": 1.0, "log1p": 0.0, "expm1": 0.0, "tanh": 0.0}


def _exactly(op: str, x: float) -> Fraction | None:
    """The function by interval arithmetic, to 2^-200 and better; None where it is no finite number."""
    if not math.isfinite(x) or (op == "log" and x <= 0) or (op == "log1p" and x <= -1) or abs(x) > 2000:
        return None
    with flint.ctx.workprec(1400):  # 1 + 2^-1074 has its place
        middle = getattr(flint.arb(x), op)().mid()
    mantissa, exponent = middle.man_exp()
    return Fraction(int(mantissa)) * Fraction(2) ** int(exponent)


def _erring(op: str, x: float, dtype: str, by: float) -> float:
    """The function with an error of `by` ULP of `dtype`, rounded; special arguments give exact results."""
    exact = _exactly(op, x)
    if exact is None or x == _EXACT[op]:
        with np.errstate(all="ignore"):
            return _to(float(getattr(np, op)(np.float64(x))), dtype)
    fmt = FORMATS[dtype]
    nearest = _float(exact)
    if abs(exact) <= Fraction(2) ** (fmt.emin - fmt.fraction_bits - 2) or not math.isfinite(_to(nearest, dtype)):
        return _to(nearest, dtype)
    scale = Fraction(2) ** (max(math.frexp(nearest)[1] - 1, fmt.emin) - fmt.fraction_bits)
    found = _to(_float(exact + Fraction(by) * scale), dtype)
    return found if found and (found > 0) == (exact > 0) else 0.0 if exact > 0 else -0.0


def _float(x: Fraction) -> float:
    try:
        return float(x)
    except OverflowError:
        return math.inf if x > 0 else -math.inf


def _to(x: float, dtype: str) -> float:
    with np.errstate(all="ignore"):
        return float(_SCALARS[dtype](x))


def _ieee(op: str, args: tuple[float, ...], dtype: str) -> float:
    with np.errstate(all="ignore"):
        a = [_SCALARS[dtype](one) for one in args]
        plain: dict[str, Callable[[], Any]] = {
            "add": lambda: a[0] + a[1],
            "sub": lambda: a[0] - a[1],
            "mul": lambda: a[0] * a[1],
            "div": lambda: a[0] / a[1],
            "sqrt": lambda: np.sqrt(a[0]),
            "neg": lambda: -a[0],
            "abs": lambda: abs(a[0]),
            "sign": lambda: np.sign(a[0]),
            "max": lambda: np.maximum(a[0], a[1]),
            "min": lambda: np.minimum(a[0], a[1]),
            "ge": lambda: a[0] >= a[1],
            "gt": lambda: a[0] > a[1],
            "le": lambda: a[0] <= a[1],
            "lt": lambda: a[0] < a[1],
            "eq": lambda: a[0] == a[1],
        }
        return float(plain[op]())


def perturbed(x: Expression, inputs: Mapping[str, float], dtype: str, errors: list[float]) -> float:
    """`x` with each elementary function off by one of `errors` in turn."""
    known: dict[Expression, float] = {}
    turn = 0
    for node in ordered(x):
        args = tuple(known[one] for one in node.args)
        if node.op == "var":
            known[node] = _to(inputs[str(node.name)], dtype)
        elif node.op == "const":
            known[node] = _to(number(str(node.name)), dtype)
        elif node.op == "where":
            known[node] = args[1] if args[0] else args[2]
        elif node.op in ELEMENTARY:
            known[node] = _erring(node.op, args[0], dtype, errors[turn % len(errors)])
            turn += 1
        else:
            known[node] = _ieee(node.op, args, dtype)
    return known[x]


# ---------------------------------------------------------------------------------------------------- strategies

_SPECIAL = [0.0, -0.0, 1.0, -1.0, 0.5, 20.0, -20.0, 100.0, -100.0, 1e-7, 1e-30, 3e38, math.inf, -math.inf, math.nan]
_numbers = st.one_of(st.sampled_from(_SPECIAL), st.floats(width=16), st.floats(-30, 30, width=32))
_leaves = st.one_of(
    st.sampled_from([_z, _y]), st.sampled_from(["0.0", "1.0", "-0.0", "1e-7", "0.5", "100.0", "inf"]).map(const)
)
_UNARY = sorted(op for op, n in ARITY.items() if n == 1)
_BINARY = sorted(op for op, n in ARITY.items() if n == 2 and op not in COMPARISONS | {"pow"})


def _extended(parts: st.SearchStrategy[Expression]) -> st.SearchStrategy[Expression]:
    condition = st.builds(make, st.sampled_from(sorted(COMPARISONS)), parts, parts)
    return st.one_of(
        st.builds(make, st.sampled_from(_UNARY), parts),
        st.builds(make, st.sampled_from(_BINARY), parts, parts),
        st.builds(where, condition, parts, parts),
    )


expressions = st.recursive(_leaves, _extended, max_leaves=8)


def _inside(value: float, low: float, high: float, nan: bool) -> bool:
    """In the set, with the sign of a zero."""
    if math.isnan(value):
        return nan
    key = (value, math.copysign(1.0, value))
    return (low, math.copysign(1.0, low)) <= key <= (high, math.copysign(1.0, high)) if low == low else False


_ERRORS = st.lists(st.floats(-ERROR, ERROR), min_size=1, max_size=6)


@given(
    x=expressions,
    z=_numbers,
    y=_numbers,
    dtype=st.sampled_from(sorted(_SCALARS)),
    errors=_ERRORS,
)
@settings(max_examples=1500, deadline=None, derandomize=True)
def test_the_reach_holds_what_errors_of_elementary_functions_can_give(
    x: Expression, z: float, y: float, dtype: str, errors: list[float]
) -> None:
    """Class and sign of zero included: a maximum of two zeros may have either sign, and so may the sign of a zero."""
    inputs = {"z": np.array([z]), "y": np.array([y])}
    low, high, nan = (np.broadcast_to(one, 1)[0] for one in reach(x, inputs, arithmetic(dtype)))
    value = perturbed(x, {"z": z, "y": y}, dtype, errors)
    assert _inside(value, low, high, bool(nan)), (value, low, high, nan)


def test_a_reciprocal_kernel_errs_at_one_too() -> None:
    """Eigen's reciprocal of 1 in float32 is 0.99999994, one ULP below: only a function at its own point is exact."""
    found = reach(RECIPROCAL(_z), {"z": np.array([1.0])}, arithmetic("float32"))
    assert found.holds(np.array([1 - 2.0**-24])).all()
    exact = reach(make("exp", _z), {"z": np.array([0.0])}, arithmetic("float32"))
    assert [float(end[0]) for end in (exact.low, exact.high)] == [1.0, 1.0]


@pytest.mark.parametrize("op", ["max", "min"])
@pytest.mark.parametrize("zeros", [(0.0, -0.0), (-0.0, 0.0)])
def test_an_extremum_of_zeros_with_two_signs_may_be_either(op: str, zeros: tuple[float, float]) -> None:
    """IEEE 754-2008, 5.3.1 leaves it open: what divides by it has infinities of both signs; of one sign it is that."""
    inputs = {"z": np.array([zeros[0]]), "y": np.array([zeros[1]])}
    both = reach(1 / make(op, _z, _y), inputs, arithmetic("float32"))
    assert [float(end[0]) for end in (both.low, both.high)] == [-math.inf, math.inf]
    alike = reach(1 / make(op, _z, _z), inputs, arithmetic("float32"))
    assert [float(end[0]) for end in (alike.low, alike.high)] == [math.copysign(math.inf, zeros[0])] * 2
