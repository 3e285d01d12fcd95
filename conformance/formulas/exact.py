"""A formula evaluated with any of its steps exact and the others rounded as an arithmetic says.

A formula under an arithmetic is a list of steps: what its operations, constants, casts and kernels give, each with the
format that it is rounded to, equal ones once.  Numbers are `decimal`, with as many digits as the exponents that occur
ask for, so that 1 + exp(-745) keeps its tail; NaN, infinities and signed zeros are those of IEEE 754-2019.
Where even LIMIT digits would not do, `PartlyExact.lost` says so, and no claim can be made of what is exact.
"""

from __future__ import annotations

import ast
import decimal
import math
import operator
import struct
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from conformance.formulas.expression import COMPARISONS, EXACT, Expression, Function, ordered, substitute, var
from conformance.numbers.formats import FORMATS, ulp

if TYPE_CHECKING:
    from conformance.formulas.arithmetic import Arithmetic
    from conformance.numbers.formats import Format

#: A number, or the truth of a comparison.
Value = Any

#: Digits beyond those that the exponents ask for: twice the 17 of float64, for the results of a dozen steps.
GUARD = 34
#: Digits at most.  exp(-745), the smallest of float64, and its reciprocal are 647 digits apart; above this an
#: exponential costs more than 30 ms.
LIMIT = 900

_NAN, _ONE, _ZERO = Decimal("NaN"), Decimal(1), Decimal(0)


def _context(digits: int) -> decimal.Context:
    return decimal.Context(digits, decimal.ROUND_HALF_EVEN, decimal.MIN_EMIN, decimal.MAX_EMAX, traps=[])


#: Sums and products of two numbers of float64 have at most 2,149 digits, half as many bits again below the point.
WHOLE = _context(2200)


# ------------------------------------------------------------------------------------------------------- operations


def log1p(x: Decimal) -> Decimal:
    """log(1 + x) to the digits of the context, by 2*atanh(x/(2 + x)) where 1 + x would lose digits."""
    if x == 0 or not x.is_finite() or abs(x) >= Decimal("0.1"):
        return x if x == 0 else (1 + x).ln()
    ratio = x / (2 + x)
    return 2 * _series(ratio, lambda term, k: term * ratio * ratio, lambda term, k: term / (2 * k + 1))


def expm1(x: Decimal) -> Decimal:
    """exp(x) - 1 to the digits of the context, by Taylor's series where the difference would lose digits."""
    if x == 0 or not x.is_finite() or abs(x) >= Decimal("0.1"):
        return x if x == 0 else x.exp() - 1
    return _series(x, lambda term, k: term * x / (k + 1), lambda term, k: term)


def _series(
    first: Decimal, following: Callable[[Decimal, int], Decimal], part: Callable[[Decimal, int], Decimal]
) -> Decimal:
    """The sum of `part(term, k)`, where `following` makes the next term, until it no longer changes."""
    total, term, k = first, first, 0
    while True:
        k += 1
        term = following(term, k)
        more = total + part(term, k)
        if more == total:
            return total
        total = more


def tanh(x: Decimal) -> Decimal:
    """By expm1(2*x)."""
    twice = expm1(2 * x)
    return twice / (twice + 2) if twice.is_finite() or twice.is_nan() else _ONE


def power(x: Decimal, y: Decimal) -> Decimal:
    """IEEE 754-2019, 9.2.1: x**0 and 1**y are 1, whatever the other is; an odd power alone keeps a sign."""
    odd = y.is_finite() and abs(y % 2) == 1
    if y.is_infinite() or ((x == 0 or x.is_infinite()) and not odd):
        x = x.copy_abs()
    if y == 0 or x == 1:
        return _ONE
    return _NAN if x < 0 and y != y.to_integral_value() else x**y


def _extreme(prefers: Callable[[Any, Any], bool]) -> Callable[[Decimal, Decimal], Decimal]:
    """Maximum and minimum, 9.6: NaN where an argument is."""
    return lambda x, y: _NAN if x.is_nan() or y.is_nan() else x if prefers(x, y) else y


def _ordered(compares: Callable[[Any, Any], bool]) -> Callable[[Decimal, Decimal], bool]:
    return lambda x, y: not x.is_nan() and not y.is_nan() and compares(x, y)


def _sign(x: Decimal) -> Decimal:
    return x if x == 0 or x.is_nan() else _ONE.copy_sign(x)


_OPERATIONS: dict[str, Callable[..., Value]] = {
    "add": operator.add,
    "sub": operator.sub,
    "mul": operator.mul,
    "div": operator.truediv,
    "pow": power,
    "max": _extreme(operator.ge),
    "min": _extreme(operator.le),
    "neg": Decimal.copy_negate,
    "abs": Decimal.copy_abs,
    "sign": _sign,
    "exp": Decimal.exp,
    "log": Decimal.ln,
    "log1p": log1p,
    "expm1": expm1,
    "sqrt": Decimal.sqrt,
    "tanh": tanh,
    "ge": _ordered(operator.ge),
    "gt": _ordered(operator.gt),
    "le": _ordered(operator.le),
    "lt": _ordered(operator.lt),
    "eq": _ordered(operator.eq),
    "where": lambda condition, x, y: x if condition else y,
}
#: Before they are rounded to a binary format these are not rounded at all: a tie would not stay one.
_UNROUNDED: dict[str, Callable[..., Value]] = {
    **_OPERATIONS,
    "add": WHOLE.add,
    "sub": WHOLE.subtract,
    "mul": WHOLE.multiply,
}


def constant(text: str, arithmetic: Arithmetic) -> Decimal:
    """What the text of a constant says, computed in decimal; "eps" is an exact power of two."""
    if text == "eps":
        return Decimal(2.0 * FORMATS[arithmetic.inputs].unit_roundoff)
    if text in ("inf", "-inf"):
        return Decimal(text)
    return _constant(ast.parse(text, mode="eval").body)


_OPERATORS: dict[type[ast.AST], str] = {ast.Add: "add", ast.Sub: "sub", ast.Mult: "mul", ast.Div: "div"}


def _constant(node: ast.AST) -> Decimal:
    if isinstance(node, ast.Constant) and isinstance(node.value, (int, float)):
        return Decimal(repr(node.value))
    if isinstance(node, ast.BinOp) and type(node.op) in _OPERATORS:
        found: Decimal = _OPERATIONS[_OPERATORS[type(node.op)]](_constant(node.left), _constant(node.right))
        return found
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        return _constant(node.operand).copy_negate()
    raise ValueError(f"no constant: {ast.unparse(node)}")


# --------------------------------------------------------------------------------------------------------- rounding


def nearest(x: Decimal, fmt: Format, flush: bool = False) -> Decimal:
    """`x` rounded once to nearest even in `fmt`, also where it has more digits than float64.

    Through float64, rounded to odd, after which a second rounding is innocuous (S. Boldo, G. Melquiond, Emulation of
    FMA and correctly rounded sums, IEEE Transactions on Computers 57(4), 2008).  Under `flush` what is below the
    smallest normal number is zero of the same sign.
    """
    value = float(x)
    if not math.isfinite(value):
        return Decimal(value)
    if fmt.name != "float64":
        if Decimal(value) != x and _is_even(value):
            value = math.nextafter(value, math.inf if x > Decimal(value) else -math.inf)
        last = max(math.frexp(value)[1] - 1, fmt.emin) - fmt.fraction_bits
        # Python rounds to even, and below 2^p + 1 nothing is lost on the way.
        value = math.copysign(math.ldexp(round(math.ldexp(value, -last)), last), value)
        if abs(value) >= 2.0 ** (fmt.emax + 1):
            value = math.copysign(math.inf, value)
    if flush and abs(value) < 2.0**fmt.emin:
        value = math.copysign(0.0, value)
    return Decimal(value)


def _is_even(value: float) -> bool:
    """Whether the last bit of the significand is 0."""
    return not struct.unpack("<q", struct.pack("<d", value))[0] & 1


def error_in_ulp(value: Decimal, exact: Decimal, fmt: Format) -> float:
    """|value - exact| in ULP of `fmt` at `exact`; infinity where one is a number and the other none.

    An exact number beyond the largest of `fmt` is its infinity there.
    """
    if value.is_nan() or exact.is_nan():
        return 0.0 if value.is_nan() and exact.is_nan() else math.inf
    to = nearest(exact, fmt)
    if not to.is_finite() or not value.is_finite():
        return 0.0 if nearest(value, fmt) == to else math.inf
    unit = Decimal(float(ulp(float(to), fmt)))
    return abs(float(_context(GUARD).divide(WHOLE.subtract(value, exact), unit)))


# ------------------------------------------------------------------------------------------------------------ steps


@dataclass(frozen=True, kw_only=True)
class Step:
    """One step of a formula: the operation `op` of earlier steps, or an input, a constant, a cast.

    "call" is the rounding of what a kernel returns, "result" that of the formula.  `fmt` is the format that it is
    rounded to, None where nothing is rounded.  `shown` is the expression that it computes, with the functions that it
    calls by name, `call` the call whose inside it is.
    """

    op: str
    args: tuple[int, ...]
    name: str
    fmt: Format | None
    flush: bool
    shown: Expression
    call: Expression | None


class Steps:
    """The steps of the formula `x` under `arithmetic`, each after its arguments; the last is the result."""

    def __init__(self, x: Expression, arithmetic: Arithmetic) -> None:
        self.expression = x
        self.arithmetic = arithmetic
        self.result = FORMATS[arithmetic.result]
        self._steps: list[Step] = []
        #: The format and whether it is flushed, of what each step gives; None: a number of every format.
        self._held: list[tuple[str, bool] | None] = []
        self._known: dict[tuple[object, ...], int] = {}
        last = self._body(x, {}, FORMATS[arithmetic.step], None)
        if self._held[last] not in (None, (arithmetic.result, arithmetic.flush)):
            last = self._add("result", (last,), "", self.result, arithmetic.flush, (x, None))
        self.steps = _used(self._steps, last)
        #: For each step those that round and that it depends on, itself included, as bits.
        self.below: list[int] = []
        for place, step in enumerate(self.steps):
            self.below.append(1 << place if step.fmt is not None else 0)
            for one in step.args:
                self.below[place] |= self.below[one]

    def _body(
        self,
        root: Expression,
        parameters: Mapping[Expression, tuple[int, Expression]],
        step: Format,
        call: Expression | None,
    ) -> int:
        """The place of `root`, whose parameters are steps that are there already."""
        found: dict[Expression, int] = {}
        shown = {parameter: argument for parameter, (_, argument) in parameters.items()}
        for node in ordered(root):
            args = tuple(found[one] for one in node.args)
            what = substitute(node, shown) if shown else node, call
            if node in parameters:
                found[node] = parameters[node][0]
            elif isinstance(node.name, Function):
                found[node] = self._call(node.name, args, what[0], step)
            else:
                if self.arithmetic.fused and node.op in ("add", "sub"):
                    args = self._with_product(node, args, found)
                found[node] = self._operation(node, args, step, what)
        return found[root]

    def _call(self, function: Function, args: tuple[int, ...], shown: Expression, step: Format) -> int:
        inside = FORMATS[self.arithmetic.inside] if function.single else step
        parameters = {
            var(name): (place, argument)
            for name, place, argument in zip(function.parameters, args, shown.args, strict=True)
        }
        body = self._body(function.body, parameters, inside, shown)
        if self._held[body] in (None, (step.name, self.arithmetic.flush)):
            return body
        return self._add("call", (body,), function.name, step, self.arithmetic.flush, (shown, shown))

    def _with_product(self, node: Expression, args: tuple[int, ...], found: dict[Expression, int]) -> tuple[int, ...]:
        """The arguments of a sum, the first that is a product up to its sign not rounded: a fused multiply-add."""
        for number, term in enumerate(node.args):
            signs = [term]
            while signs[-1].op == "neg":
                signs.append(signs[-1].args[0])
            product = signs.pop()
            if product.op == "mul":
                step = self._steps[found[product]]
                place = self._add("mul", step.args, "", None, step.flush, (step.shown, step.call))
                for sign in reversed(signs):
                    step = self._steps[found[sign]]
                    place = self._add("neg", (place,), "", None, step.flush, (step.shown, step.call))
                return (*args[:number], place, *args[number + 1 :])
        return args

    def _operation(
        self, node: Expression, args: tuple[int, ...], step: Format, what: tuple[Expression, Expression | None]
    ) -> int:
        flush, name = self.arithmetic.flush, str(node.name)
        if node.op == "var":
            return self._add("var", (), name, FORMATS[self.arithmetic.inputs], self.arithmetic.daz, what)
        if node.op == "const":
            return self._add("const", (), name, FORMATS[self.arithmetic.inside], False, what)
        if node.op == "cast":
            return self._add("cast", args, name, FORMATS[name], flush, what)
        if node.op in COMPARISONS:
            return self._add(node.op, args, "", None, False, what)
        if node.op in EXACT:
            held = {self._held[one] for one in args} - {None}
            # One of its arguments, up to the sign: rounded only if that is a number of another format.
            if held <= {(step.name, flush)}:
                return self._add(node.op, args, "", None, False, what)
        return self._add(node.op, args, "", step, flush, what)

    def _add(
        self,
        op: str,
        args: tuple[int, ...],
        name: str,
        fmt: Format | None,
        flush: bool,
        what: tuple[Expression, Expression | None],
    ) -> int:
        key = (op, args, name, fmt, flush)
        place = self._known.get(key)
        if place is None:
            place = self._known[key] = len(self._steps)
            shown, call = what
            self._steps.append(Step(op=op, args=args, name=name, fmt=fmt, flush=flush, shown=shown, call=call))
            self._held.append(self._format(op, args, name, fmt, flush))
        return place

    def _format(
        self, op: str, args: tuple[int, ...], name: str, fmt: Format | None, flush: bool
    ) -> tuple[str, bool] | None:
        if op == "const":
            value = constant(name, self.arithmetic)
            if value == value.to_integral_value() and abs(value) <= 2:
                return None
        if fmt is not None:
            return fmt.name, flush
        held = [self._held[one] for one in args if self._held[one] is not None]
        return held[0] if held else None


def _used(steps: list[Step], last: int) -> tuple[Step, ...]:
    """The steps that the one at `last` depends on, which becomes the last."""
    used = {last}
    for place in range(last, -1, -1):
        if place in used:
            used.update(steps[place].args)
    places = {place: number for number, place in enumerate(sorted(used))}
    return tuple(replace(steps[place], args=tuple(places[one] for one in steps[place].args)) for place in places)


class PartlyExact:
    """`steps` for one set of `inputs`, for any set of them exact; what is computed once is kept.

    `rounding` are the places of steps that round here: inputs and constants only if that changes them.
    `lost`: the exact result needs more than LIMIT digits.
    """

    def __init__(self, steps: Steps, inputs: Mapping[str, float]) -> None:
        self.steps = steps
        self.inputs = dict(inputs)
        self._given = {name: Decimal(float(value)) for name, value in inputs.items()}
        self._known: dict[tuple[int, int], Value] = {}
        self.lost = False
        self._digits = 2 * GUARD
        self._choose_digits()
        plain = self.values()
        self.rounding = tuple(
            place
            for place, step in enumerate(steps.steps)
            if step.fmt is not None and (step.args or self._before_rounding(step, [], True) != plain[place])
        )

    def _choose_digits(self) -> None:
        """As many as lie between the exponents of the exact values, which are known better with more digits."""
        everything = range(len(self.steps.steps))
        while True:
            numbers = [x for x in self.values(everything) if isinstance(x, Decimal) and x.is_finite() and x]
            exponents = [x.adjusted() for x in numbers] or [0]
            needed = max(exponents) - min(exponents) + GUARD
            self.lost = self.lost or needed > LIMIT
            if self.lost or needed <= self._digits:
                return
            self._digits = needed
            self._known.clear()

    def values(self, exact: Iterable[int] = ()) -> list[Value]:
        """What every step gives if those at the places `exact` are not rounded: a Decimal, or a bool."""
        chosen = 0
        for place in exact:
            chosen |= 1 << place
        return self._values(chosen, self._known)

    def _values(self, chosen: int, known: dict[tuple[int, int], Value]) -> list[Value]:
        found: list[Value] = []
        with decimal.localcontext(_context(self._digits)) as context:
            for place, step in enumerate(self.steps.steps):
                key = place, chosen & self.steps.below[place]
                value = known.get(key)
                if value is None:
                    args = [found[one] for one in step.args]
                    value = known[key] = self._value(step, args, bool(chosen >> place & 1))
                found.append(value)
            # The largest exponents of `decimal` are 10^18 in size; beyond them exp is 0 or infinity.
            self.lost = self.lost or bool(context.flags[decimal.Overflow] or context.flags[decimal.Underflow])
        return found

    def result(self, exact: Iterable[int] = ()) -> Decimal:
        """What the formula gives."""
        found: Decimal = self.values(exact)[-1]
        return found

    def result_with(self, place: int, value: Decimal) -> Decimal:
        """What the formula gives, every step rounded, if the step at `place` gave `value`."""
        found: Decimal = self._values(0, {(place, 0): value})[-1]
        return found

    def _value(self, step: Step, args: list[Value], exact: bool) -> Value:
        value = self._before_rounding(step, args, exact)
        return value if exact or step.fmt is None else nearest(value, step.fmt, step.flush)

    def _before_rounding(self, step: Step, args: list[Value], exact: bool) -> Value:
        """What a step gives for `args` before it is rounded; not to more digits than are kept if it is `exact`."""
        if step.op == "var":
            return self._given[step.name]
        if step.op == "const":
            value = constant(step.name, self.steps.arithmetic)
            # Folded by Python, in float64.
            return value if exact else Decimal(float(value)) if value.is_finite() else value
        if step.op in ("cast", "call", "result"):
            return args[0]
        return (_OPERATIONS if exact else _UNROUNDED)[step.op](*args)
