"""A formula evaluated with any of its steps exact and the others rounded as an arithmetic says.

A formula under an arithmetic is a list of steps: what its operations, constants, casts and kernels give, each with the
format that it is rounded to, equal ones once.  Numbers are `decimal`, with as many digits as the exponents that occur
ask for, so that 1 + exp(-745) keeps its tail; NaN, infinities and signed zeros are those of IEEE 754-2019.
Where even LIMIT digits would not do, `PartlyExact.lost` says so, and no claim can be made of what is exact.
"""

from __future__ import annotations

import decimal
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import TYPE_CHECKING

from conformance.formulas.arithmetic import Arithmetic
from conformance.formulas.expression import COMPARISONS, EXACT, Expression, Function, ordered, substitute, var
from conformance.formulas.real import GUARD, OPERATIONS, UNROUNDED, Value, constant, context, nearest
from conformance.numbers.formats import FORMATS

if TYPE_CHECKING:
    from conformance.numbers.formats import Format

#: Digits at most.  exp(-745), the smallest of float64, and its reciprocal are 647 digits apart; above this an
#: exponential costs more than 30 ms.
LIMIT = 900


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
    """The steps of the formula `x` under `arithmetic`, each after its arguments; the last is the result.

    `dtype` is that in which the result is returned, where it is wider than what the arithmetic rounds it to.
    """

    def __init__(self, x: Expression, arithmetic: Arithmetic, dtype: str = "") -> None:
        self.expression = x
        self.arithmetic = arithmetic
        self.result = FORMATS[dtype or arithmetic.result]
        self._steps: list[Step] = []
        #: The format and whether it is flushed, of what each step gives; None: a number of every format.
        self._held: list[tuple[str, bool] | None] = []
        self._known: dict[tuple[object, ...], int] = {}
        last = self._body(x, {}, FORMATS[arithmetic.step], None)
        if self._held[last] not in (None, (arithmetic.result, arithmetic.flush)):
            last = self._add("result", (last,), "", FORMATS[arithmetic.result], arithmetic.flush, (x, None))
        self.steps = _used(self._steps, last)
        #: For each step those that round and that it depends on, itself included, as bits.
        self.below: list[int] = []
        for place, step in enumerate(self.steps):
            self.below.append(1 << place if step.fmt is not None else 0)
            for one in step.args:
                self.below[place] |= self.below[one]

    def of(self, x: Expression, arithmetic: Arithmetic | None = None) -> Steps:
        """The steps of another formula, or under another arithmetic, returned in the same dtype."""
        return Steps(x, arithmetic or self.arithmetic, self.result.name)

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
            return self._add("var", (), name, FORMATS[self.arithmetic.given], self.arithmetic.daz, what)
        if node.op == "const":
            return self._add("const", (), name, FORMATS[self.arithmetic.inside], False, what)
        if node.op == "cast":
            # "inputs" and "step" are those of the arithmetic.
            return self._add("cast", args, name, FORMATS[getattr(self.arithmetic, name, name)], flush, what)
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
        with decimal.localcontext(context(self._digits)) as used:
            for place, step in enumerate(self.steps.steps):
                key = place, chosen & self.steps.below[place]
                value = known.get(key)
                if value is None:
                    args = [found[one] for one in step.args]
                    value = known[key] = self._value(step, args, bool(chosen >> place & 1))
                found.append(value)
            # The largest exponents of `decimal` are 10^18 in size; beyond them exp is 0 or infinity.
            self.lost = self.lost or bool(used.flags[decimal.Overflow] or used.flags[decimal.Underflow])
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
        return (OPERATIONS if exact else UNROUNDED)[step.op](*args)


def exact(x: Expression, columns: Mapping[str, Sequence[float]]) -> list[Decimal]:
    """`x` in real numbers for each place of the `columns`, which are taken as they are; "eps" is that of float32.

    Infinite or NaN where a real number is not.
    """
    steps = Steps(x, Arithmetic(name="", inputs="float32", step="float32", inside="float32", result="float32"))
    everything = range(len(steps.steps))
    rows = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    return [PartlyExact(steps, row).result(everything) for row in rows]
