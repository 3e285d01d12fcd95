"""What a formula gives, each step rounded: one number for each input, or the set of numbers that it can be.

`emulated` takes every operation for correctly rounded.  `reach` allows each elementary function an error of k ULP and
returns what the formula can then give, class included.  The walk over the steps is the same; what a value is and how an
operation acts on it is a domain: `Points` or `Sets`.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

import numpy as np

from conformance.formulas.arithmetic import Arithmetic
from conformance.formulas.expression import (
    ARITY,
    COMPARISONS,
    ELEMENTARY,
    EXACT,
    Expression,
    Function,
    number_of,
    ordered,
)
from conformance.formulas.points import Points, Watched, WatchedPoints
from conformance.formulas.sets import Reach, Sets
from conformance.numbers.formats import FORMATS

if TYPE_CHECKING:
    from conformance.numbers.arrays import Floats
    from conformance.numbers.formats import Format

__all__ = [
    "ERROR",
    "Evaluation",
    "Reach",
    "Watched",
    "emulated",
    "emulation",
    "number",
    "reach",
    "reaching",
    "watching",
]

Value = TypeVar("Value")

#: ULP that an elementary function may err where nothing else is known.  libm, SVML and SLEEF promise 1 for float32;
#: Eigen's log1p, which TensorFlow 2.21 calls, errs by up to 4.3 and its log by 3.3 (measured, at 0.12821215 and at
#: 0.79822725, on an AMD EPYC).
ERROR = 5.0
#: Expressions of which something is remembered: the catalogue has some thousand formulas under all options of a run.
_KEPT = 2**16


class Domain(Protocol[Value]):
    """How operations act on values of one kind."""

    def given(self, values: Floats) -> Value:
        """Inputs or a constant."""

    def operation(self, op: str, args: tuple[Value, ...], fmt: Format) -> Value:
        """The result of one operation before it is rounded; `fmt` is what it will be rounded to."""

    def rounded(self, value: Value, fmt: Format, flush: bool) -> Value:
        """`value` as a number of `fmt`."""


class Evaluation(Generic[Value]):
    """Formulas evaluated on the same inputs in one arithmetic; a step that several of them take is taken once."""

    def __init__(self, domain: Domain[Value], inputs: Mapping[str, Floats], arithmetic: Arithmetic) -> None:
        """`inputs` are float64 arrays that broadcast."""
        self._domain = domain
        self._arithmetic = arithmetic
        self._step, self._inside = FORMATS[arithmetic.step], FORMATS[arithmetic.inside]
        to = FORMATS[arithmetic.given]
        with np.errstate(all="ignore"):
            given = {name: domain.rounded(domain.given(one), to, arithmetic.daz) for name, one in inputs.items()}
        self._inputs: Mapping[str, Value] = given
        self._known: dict[Expression, Value] = {}
        #: Arguments, which are kept since they are told apart by their ids, and what a function gives for them.
        self._calls: dict[tuple[object, ...], tuple[tuple[Value, ...], Value]] = {}
        self._constants: dict[str, Value] = {}

    def of(self, x: Expression, result: str = "") -> Value:
        """What `x` gives, in the dtype of the results or in another."""
        with np.errstate(all="ignore"):
            self._evaluate(x, self._known, self._inputs, self._step)
            return self._rounded(self._known[x], FORMATS[result or self._arithmetic.result])

    def _rounded(self, value: Value, fmt: Format) -> Value:
        return self._domain.rounded(value, fmt, self._arithmetic.flush)

    def _evaluate(
        self, x: Expression, known: dict[Expression, Value], inputs: Mapping[str, Value], step: Format
    ) -> None:
        """Add the values of `x` and of its steps to those `known`."""
        for node in _steps(x):
            if node in known:
                continue
            if node.op == "var":
                value = inputs[str(node.name)]
            elif node.op == "const":
                value = self._constant(str(node.name))
            elif node.op == "cast":
                dtype = getattr(self._arithmetic, str(node.name), str(node.name))  # "inputs" and "step" are its own
                value = self._cast(node.args[0], known, FORMATS[dtype])
            elif isinstance(node.name, Function):
                value = self._call(node.name, tuple([known[one] for one in node.args]), step)
            else:
                value = self._operation(node, known, step)
            known[node] = value

    def _call(self, function: Function, args: tuple[Value, ...], step: Format) -> Value:
        """What a function gives; those that differ by their backward formulas alone are evaluated once."""
        to = self._inside if function.single else step
        key = (function.body, function.parameters, to.name, step.name, *map(id, args))
        if key not in self._calls:
            known: dict[Expression, Value] = {}
            given = dict(zip(function.parameters, args, strict=True))
            self._evaluate(function.body, known, given, to)
            self._calls[key] = args, self._rounded(known[function.body], step)
        return self._calls[key][1]

    def _cast(self, x: Expression, known: dict[Expression, Value], fmt: Format) -> Value:
        """`x` rounded to `fmt`; an elementary function of a narrow format is computed, and errs, in float32."""
        if x.op in ELEMENTARY and self._step.name == "float64" != fmt.name:
            return self._rounded(self._operation(x, known, FORMATS["float32"]), fmt)
        return self._rounded(known[x], fmt)

    def _operation(self, node: Expression, known: dict[Expression, Value], step: Format) -> Value:
        op, args = fused(node) if self._arithmetic.fused else (node.op, node.args)
        value = self._domain.operation(op, tuple([self._signed(one, known, step) for one in args]), step)
        return value if op in COMPARISONS or _is_step(node) else self._rounded(value, step)

    def _signed(self, x: Expression, known: dict[Expression, Value], step: Format) -> Value:
        """The value of a node, or of one with signs that `fused` put before it."""
        if x not in known:
            known[x] = self._domain.operation("neg", (self._signed(x.args[0], known, step),), step)
        return known[x]

    def _constant(self, text: str) -> Value:
        """A constant; "eps" is the distance from 1 to the next number of the inputs' dtype."""
        if text not in self._constants:
            found = 2.0 * FORMATS[self._arithmetic.inputs].unit_roundoff if text == "eps" else number(text)
            self._constants[text] = self._domain.rounded(self._domain.given(np.array(found)), self._inside, False)
        return self._constants[text]


@lru_cache(_KEPT)
def _is_step(node: Expression) -> bool:
    """Whether an operation gives one of its arguments, up to its sign, and these are results of steps: rounded already.

    An input of a function, a constant or what is cast may have another format.
    """
    return node.op in EXACT and all(one.op in ARITY or one.op == "call" for one in node.args)


@lru_cache(_KEPT)
def _steps(x: Expression) -> tuple[Expression, ...]:
    return tuple(ordered(x))


def fused(node: Expression) -> tuple[str, tuple[Expression, ...]]:
    """A sum or a difference of which one term is a product as fma(a, b, c) = a*b + c; another node as it is."""
    if node.op not in ("add", "sub"):
        return node.op, node.args
    x, y = node.args
    y = -y if node.op == "sub" else y
    for term, other in ((x, y), (y, x)):
        product, negative = term, False
        while product.op == "neg":
            product, negative = product.args[0], not negative
        if product.op == "mul":
            a, b = product.args
            return "fma", (-a if negative else a, b, other)
    return node.op, node.args


def emulation(inputs: Mapping[str, Floats], arithmetic: Arithmetic) -> Evaluation[Floats]:
    """Formulas with correctly rounded operations."""
    return Evaluation(Points(), inputs, arithmetic)


def watching(inputs: Mapping[str, Floats], arithmetic: Arithmetic) -> Evaluation[Watched]:
    """Formulas with correctly rounded operations, and where a step of them is subnormal."""
    return Evaluation(WatchedPoints(), inputs, arithmetic)


def reaching(inputs: Mapping[str, Floats], arithmetic: Arithmetic, error: float = ERROR) -> Evaluation[Reach]:
    """Formulas whose elementary functions err by up to `error` ULP."""
    return Evaluation(Sets(error), inputs, arithmetic)


def emulated(x: Expression, inputs: Mapping[str, Floats], arithmetic: Arithmetic) -> Floats:
    """What `x` gives for `inputs` (float64 arrays that broadcast) with correctly rounded operations, as float64."""
    return emulation(inputs, arithmetic).of(x)


def reach(x: Expression, inputs: Mapping[str, Floats], arithmetic: Arithmetic, error: float = ERROR) -> Reach:
    """The set of numbers that `x` can give if each elementary function errs by up to `error` ULP."""
    return reaching(inputs, arithmetic, error).of(x)


@cache
def number(text: str) -> float:
    """A constant as Python computes it in float64: "1e-7", "1 - 1e-7", "inf"."""
    return number_of(text, float)
