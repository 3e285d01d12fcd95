"""Any steps of a formula exact, the others rounded: against the emulation, NumPy's IEEE 754 and Arb."""

from __future__ import annotations

import math
import random
from decimal import Decimal, localcontext
from fractions import Fraction

import flint
import numpy as np
import pytest

from conformance.formulas.arithmetic import Arithmetic, arithmetics
from conformance.formulas.catalogue import Options, candidates
from conformance.formulas.evaluate import emulated
from conformance.formulas.exact import PartlyExact, Steps
from conformance.formulas.expression import ARITY, Expression, cast, const, exp, log1p, make, maximum, var
from conformance.formulas.library import LOG_SIGMOID, SIGMOID
from conformance.formulas.real import WHOLE, constant, error_in_ulp, nearest
from conformance.numbers.formats import FORMATS, Tensor, decode, round_to_bits

Z, P, Y = var("z"), var("p"), var("y")
NUMBERS = (0.0, -0.0, 1.0, -1.0, 0.5, -2.5, 3.0, math.inf, -math.inf, math.nan)


def each(dtype: str) -> Arithmetic:
    """Every step in the dtype."""
    return arithmetics(dtype, dtype)[0]


def evaluated(formula: Expression, dtype: str, **inputs: float) -> PartlyExact:
    """A formula for one set of inputs, every step in the dtype."""
    return PartlyExact(Steps(formula, each(dtype)), inputs)


def same(x: float, y: float) -> bool:
    """Equal, the sign of a zero included, or both NaN."""
    return (math.isnan(x) and math.isnan(y)) or (x == y and math.copysign(1, x) == math.copysign(1, y))


@pytest.mark.parametrize("op", sorted(set(ARITY) - {"where", "ge", "gt", "le", "lt", "eq", "max", "min"}))
def test_an_operation_on_special_values_is_that_of_ieee_754(op: str) -> None:
    """NaN, infinities and signed zeros as NumPy's float64 has them; which zero a maximum returns is left open there."""
    names = ("x", "y")[: ARITY[op]]
    numpy = {"add": np.add, "sub": np.subtract, "mul": np.multiply, "div": np.divide, "pow": np.power}
    numpy |= {"neg": np.negative, "abs": np.abs, "sign": np.sign, "exp": np.exp, "log": np.log, "log1p": np.log1p}
    numpy |= {"expm1": np.expm1, "sqrt": np.sqrt, "tanh": np.tanh}
    formula = make(op, *map(var, names))
    for x in NUMBERS:
        for y in NUMBERS if len(names) == 2 else (0.0,):
            inputs = dict(zip(names, (x, y), strict=False))
            with np.errstate(all="ignore"):
                want = float(numpy[op](*map(np.float64, inputs.values())))
            if op == "pow" and x == -math.inf and y == 0.5:
                want = math.inf  # NumPy takes the square root; IEEE 754 and C say infinity.
            got = float(evaluated(formula, "float64", **inputs).result())
            assert same(got, want) or math.isclose(got, want, rel_tol=1e-15), (op, x, y, got, want)


@pytest.mark.parametrize("op", ["max", "min", "ge", "gt", "le", "lt", "eq"])
def test_a_comparison_with_nan_is_false_and_an_extreme_of_it_is_nan(op: str) -> None:
    """So no NaN disappears on the way."""
    for x, y in ((math.nan, 1.0), (1.0, math.nan), (math.nan, math.nan)):
        found = evaluated(make(op, Z, Y), "float64", z=x, y=y).values()[-1]
        assert found is False if op not in ("max", "min") else found.is_nan()


@pytest.mark.parametrize("dtype", ["float64", "float32", "float16", "bfloat16", "float8_e5m2"])
def test_a_number_of_any_length_is_rounded_once_to_nearest_even(dtype: str) -> None:
    """Halves between two numbers, and numbers beside a half by less than float64 can tell; oracle: rationals."""
    fmt = FORMATS[dtype]
    numbers = random.Random(1)
    for _ in range(300):
        exponent = numbers.randint(fmt.emin - fmt.precision - 2, fmt.emax)
        half = Fraction(2 * numbers.randrange(1 << fmt.precision) + 1) * Fraction(2) ** (exponent - fmt.precision)
        for value in (half, half * (1 + Fraction(1, 10**60)), half * (1 - Fraction(1, 10**60))):
            with localcontext(WHOLE):
                shown = Decimal(value.numerator) / Decimal(value.denominator)
            bits = round_to_bits(value, fmt)
            want = float(decode(Tensor(dtype, np.array(bits, fmt.storage))))
            assert float(nearest(shown, fmt)) == want
            assert float(nearest(shown.copy_negate(), fmt)) == -want


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
@pytest.mark.parametrize(("form", "name"), [("logits", "z"), ("probabilities", "p")])
def test_with_no_step_exact_the_result_is_that_of_the_emulation(form: str, name: str, dtype: str) -> None:
    """All formulas of the catalogue under all arithmetics that have no step in float64, where libraries err."""
    numbers = random.Random(2)
    for quantity in ("value", "gradient-prediction"):
        for candidate in candidates(form, quantity, Options()):
            for arithmetic in arithmetics(dtype, dtype):
                if "float64" in (arithmetic.step, arithmetic.inside):
                    continue
                x = numbers.gauss(0, 20) if form == "logits" else numbers.random() ** 6
                inputs = {name: float(nearest(Decimal(x), FORMATS[dtype])), "y": float(numbers.randrange(2))}
                want = emulated(candidate.expression, {key: np.array(one) for key, one in inputs.items()}, arithmetic)
                got = PartlyExact(Steps(candidate.expression, arithmetic), inputs).result()
                assert float(got) == float(want) or math.isnan(float(want)), (candidate.name, arithmetic.name, inputs)


@pytest.mark.parametrize("z", [-745.0, -300.25, -1e-9, 0.0, 1e-9, 3.5, 745.0])
def test_with_every_step_exact_the_result_is_that_of_real_numbers(z: float) -> None:
    """Oracle: Arb with 4000 bits; 1/(1 + exp(-z)) - 1 at 745 is -5e-324, which is nothing beside 1."""
    with flint.ctx.workprec(4000):
        x = flint.arb(z)
        oracles = {
            SIGMOID(Z) - 1: 1 / (1 + (-x).exp()) - 1,
            log1p(exp(Z)): (1 + x.exp()).log(),
            make("expm1", Z): x.exp() - 1,
            make("tanh", Z): x.tanh(),
        }
        for formula, want in oracles.items():
            evaluation = evaluated(formula, "float64", z=z)
            got = evaluation.result(evaluation.rounding)
            assert not evaluation.lost
            assert abs(flint.arb(str(got)) - want) <= abs(want) * flint.arb("1e-30")


def test_one_plus_the_smallest_exponential_keeps_its_tail() -> None:
    """1 + exp(-745) has 324 zeros before it."""
    evaluation = evaluated(1 + exp(Z), "float64", z=-745.0)
    with localcontext(WHOLE):
        tail = evaluation.result(evaluation.rounding) - 1
    assert math.isclose(float(tail), math.exp(-745.0), rel_tol=0.5)
    assert evaluation.result() == 1


def test_what_would_need_too_many_digits_is_said_to_be_lost() -> None:
    """1 + exp(-1e30) is told apart from 1 by no number of digits that can be kept."""
    assert evaluated(1 + exp(Z), "float32", z=-1e30).lost
    assert not evaluated(1 + exp(Z), "float32", z=-100.0).lost


def test_one_exact_step_is_not_rounded_and_the_others_are() -> None:
    """(1 + z) + z with z = 2^-25 in float32: one exact sum gives 1 + 2^-24 rounded, two give it exactly."""
    evaluation = evaluated((1 + Z) + Z, "float32", z=2.0**-25)
    first, second = evaluation.rounding
    assert evaluation.result() == 1
    assert evaluation.result([first]) == 1
    assert evaluation.result([second]) == Decimal(1 + 2.0**-25)
    assert evaluation.result([first, second]) == Decimal(1 + 2.0**-24)


def test_equal_parts_are_one_step_inside_of_functions_too() -> None:
    """What a framework computes once is exact or not as a whole."""
    steps = Steps(SIGMOID(Z) * (1 / (1 + exp(-Z))), each("float32")).steps
    assert sum(step.op == "exp" for step in steps) == 1


def test_operations_that_return_an_argument_are_no_rounding_steps() -> None:
    """A sign, a maximum and a choice round nothing."""
    steps = Steps(maximum(-Z, 0), each("float32")).steps
    assert [step.op for step in steps if step.fmt is not None] == ["var", "const"]
    assert evaluated(maximum(-Z, 0), "float32", z=2.0).rounding == ()


def test_the_rounding_of_what_a_kernel_returns_is_a_step_where_it_computes_in_more_bits() -> None:
    """float32 inside of a function, float16 outside."""
    wide = next(one for one in arithmetics("float16", "float16") if one.inside != one.step)
    assert [one.fmt.name for one in Steps(SIGMOID(Z), wide).steps if one.op == "call" and one.fmt] == ["float16"]
    assert not [one for one in Steps(SIGMOID(Z), each("float16")).steps if one.op == "call"]


def test_a_constant_rounds_only_if_the_format_does_not_have_it() -> None:
    """1 and 0.5 are numbers of float16, 1e-7 is none."""
    names = {text: evaluated(Z * const(text), "float16", z=1.0).rounding for text in ("1", "0.5", "1e-7", "1 - 1e-7")}
    assert {text: len(places) for text, places in names.items()} == {"1": 1, "0.5": 1, "1e-7": 2, "1 - 1e-7": 2}


def test_a_cast_is_a_step_and_shown_where_it_stands() -> None:
    """Its rounding can be to blame."""
    evaluation = evaluated(cast("float32", Z), "float64", z=0.1)
    assert evaluation.result() == Decimal(float(np.float32(0.1)))
    assert float(evaluation.result(evaluation.rounding)) == 0.1


def test_a_cast_to_a_format_of_the_arithmetic_follows_it() -> None:
    """What a wrapper casts back to the dtype of its inputs."""
    steps = Steps(cast("inputs", Z), next(one for one in arithmetics("float16", "float16") if one.step == "float32"))
    assert [one.fmt.name for one in steps.steps if one.op == "cast" and one.fmt] == ["float16"]


def test_of_a_sum_the_first_product_is_not_rounded_where_it_is_fused() -> None:
    """z*z - y with z = 1 + 2^-12 in float32 keeps the last bit of the square, and z*z - z*z the error of the second."""
    z = 1 + 2.0**-12
    fused = Arithmetic(name="", inputs="float32", step="float32", inside="float32", result="float32", fused=True)
    inputs = {"z": z, "x": z, "y": 1.0}
    other = var("x") * var("x")
    for formula, want in (
        (Z * Z - Y, 2.0**-11 + 2.0**-24),
        (Y - Z * Z, -(2.0**-11) - 2.0**-24),
        (-(Z * Z) + Y, -(2.0**-11) - 2.0**-24),
        (Z * Z - other, 2.0**-24),
    ):
        assert float(PartlyExact(Steps(formula, fused), inputs).result()) == want
    assert float(evaluated(Z * Z - Y, "float32", z=z, y=1.0).result()) == 2.0**-11


def test_flushing_makes_a_subnormal_result_of_an_operation_zero() -> None:
    """exp(-90) in float32, and a subnormal input."""
    flushing = next(one for one in arithmetics("float32", "float32") if one.flush)
    assert PartlyExact(Steps(exp(Z), flushing), {"z": -90.0}).result() == 0
    assert PartlyExact(Steps(-Z, flushing), {"z": 2.0**-130}).result() == 0


def test_a_step_inside_of_a_function_is_shown_with_its_arguments_and_its_call() -> None:
    """`log_sigmoid(z)` is the call whose inside `min(z, 0) - log1p(exp(-|z|))` is."""
    step = Steps((1 - Y) * Z - LOG_SIGMOID(Z), each("float32")).steps
    inside = [one for one in step if one.op == "sub" and one.call is not None]
    assert [one.call for one in inside] == [LOG_SIGMOID(Z)]
    assert inside[0].shown.args[0] is make("min", Z, 0)


def test_the_largest_number_of_float64_is_an_infinity_of_narrower_formats() -> None:
    """Also where rounding it to their bits would be beyond float64."""
    largest = Decimal(float(np.finfo(np.float64).max))
    assert [float(nearest(largest, FORMATS[one])) for one in ("float32", "float16", "bfloat16")] == [math.inf] * 3


def test_an_error_is_measured_in_ulp_at_the_exact_number() -> None:
    """And is infinite where one of the two is no number, but for an exact number that rounds to infinity."""
    fmt = FORMATS["float16"]
    assert error_in_ulp(Decimal("1.5"), Decimal(1), fmt) == 512
    assert error_in_ulp(Decimal("NaN"), Decimal(1), fmt) == math.inf
    assert error_in_ulp(Decimal("inf"), Decimal(70000), fmt) == 0
    assert error_in_ulp(Decimal("NaN"), Decimal("NaN"), fmt) == 0


def test_a_constant_is_what_its_text_says_in_decimal() -> None:
    """Not what float64 makes of it."""
    assert constant("1 - 1e-7", each("float32")) == Decimal("0.9999999")
    assert constant("eps", each("float16")) == Decimal(2.0**-10)
    with pytest.raises(ValueError, match="no constant"):
        constant("z", each("float32"))
