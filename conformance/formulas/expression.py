"""Expressions with explicit operations: the language in which a formula is written down.

An expression is a graph; equal parts are one node, so that what a framework computes once is one step.
`var("z")` and numbers are put together by operators and by the functions of this module:

    z, y = var("z"), var("y")
    loss = (1 - y) * z - log_sigmoid(z)         # log_sigmoid: `library`

A `Function` is a named expression in parameters (`sigmoid`, `log_sigmoid`), with the backward formula that a framework
gives it, if it has one of its own.
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Container, Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, TypeVar, Union
from weakref import WeakValueDictionary

#: Operations and the number of their arguments.  `where` takes a condition; comparisons give one.
ARITY = {
    "add": 2,
    "sub": 2,
    "mul": 2,
    "div": 2,
    "pow": 2,
    "max": 2,
    "min": 2,
    "neg": 1,
    "abs": 1,
    "sign": 1,
    "exp": 1,
    "log": 1,
    "log1p": 1,
    "expm1": 1,
    "sqrt": 1,
    "tanh": 1,
    "ge": 2,
    "gt": 2,
    "le": 2,
    "lt": 2,
    "eq": 2,
    "where": 3,
}
COMPARISONS = frozenset({"ge", "gt", "le", "lt", "eq"})
#: Operations whose result is one of their arguments, up to its sign: nothing is rounded.
EXACT = frozenset({"neg", "abs", "sign", "max", "min", "where"}) | COMPARISONS
#: Operations that IEEE 754 rounds correctly; the others err by what a library's function errs.
ROUNDED = frozenset({"add", "sub", "mul", "div", "sqrt"})
#: Casts to what the arithmetic rounds its inputs to, or its steps.
OF_ARITHMETIC = frozenset({"inputs", "step"})
ELEMENTARY = frozenset({"exp", "log", "log1p", "expm1", "pow", "tanh"})

Operand = Union["Expression", int, float]
#: What constants are computed in: float64, or with all of their digits.
Number = TypeVar("Number", float, Decimal)
#: From the cotangent of a function's result, its arguments and its result to the cotangents of its arguments.
Backward = Callable[["Expression", "tuple[Expression, ...]", "Expression"], "tuple[Expression | None, ...]"]


class Expression:
    """A node: an operation and its arguments, or an input, a constant, a cast, a call of a function.

    `name` is an input's name, a constant's text, a cast's dtype, a call's function.
    """

    __slots__ = ("__weakref__", "args", "name", "op")

    def __init__(self, op: str, args: tuple[Expression, ...], name: str | Function) -> None:
        """Use `make`, `var` and `const`: they return the node that is there already."""
        self.op = op
        self.args = args
        self.name = name

    def __add__(self, other: Operand) -> Expression:
        return make("add", self, other)

    def __radd__(self, other: Operand) -> Expression:
        return make("add", other, self)

    def __sub__(self, other: Operand) -> Expression:
        return make("sub", self, other)

    def __rsub__(self, other: Operand) -> Expression:
        return make("sub", other, self)

    def __mul__(self, other: Operand) -> Expression:
        return make("mul", self, other)

    def __rmul__(self, other: Operand) -> Expression:
        return make("mul", other, self)

    def __truediv__(self, other: Operand) -> Expression:
        return make("div", self, other)

    def __rtruediv__(self, other: Operand) -> Expression:
        return make("div", other, self)

    def __pow__(self, other: Operand) -> Expression:
        return make("pow", self, other)

    def __neg__(self) -> Expression:
        return make("neg", self)

    def __repr__(self) -> str:
        return f"<{self.op} {self.name or ''}>"


@dataclass(frozen=True, eq=False)
class Function:
    """A named expression in `parameters`.

    `backward` is the rule that a framework has for it; without one the body is differentiated.  `single`: the framework
    computes it in one kernel, which rounds what it returns and may compute in a wider format inside.
    """

    name: str
    parameters: tuple[str, ...]
    body: Expression
    backward: Backward | None = None
    single: bool = True

    def __call__(self, *args: Operand) -> Expression:
        """The call as a node."""
        if len(args) != len(self.parameters):
            raise TypeError(f"{self.name} takes {len(self.parameters)} arguments, not {len(args)}")
        return _node("call", tuple(as_expression(one) for one in args), self)


_nodes: WeakValueDictionary[tuple[object, ...], Expression] = WeakValueDictionary()


def _node(op: str, args: tuple[Expression, ...], name: str | Function) -> Expression:
    key = (op, name, *map(id, args))
    known = _nodes.get(key)
    if known is None:
        known = _nodes[key] = Expression(op, args, name)
    return known


def var(name: str) -> Expression:
    """An input."""
    return _node("var", (), name)


def const(text: str) -> Expression:
    """A constant as Python reads `text`, in float64; the arithmetic rounds it once more, where it is used."""
    return _node("const", (), text)


def number_of(text: str, literal: Callable[[str], Number]) -> Number:
    """What the text of a constant says: literals, with their signs, as `literal` reads them, and + - * / of those.

    Raises ValueError for another text.
    """

    def value(node: ast.AST) -> Number:
        if isinstance(node, ast.Constant) and isinstance(node.value, (int, float)):
            return literal(str(ast.get_source_segment(text, node)))
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
            if isinstance(node.operand, ast.Constant):
                return literal(f"-{ast.get_source_segment(text, node.operand)}")
            return -value(node.operand)
        if isinstance(node, ast.BinOp) and type(node.op) in _OPERATORS:
            found: Number = _OPERATORS[type(node.op)](value(node.left), value(node.right))
            return found
        raise ValueError(f"no constant: {ast.unparse(node)}")

    return literal(text) if text in ("inf", "-inf", "nan") else value(ast.parse(text, mode="eval").body)


_OPERATORS: dict[type[ast.AST], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}


def cast(dtype: str, x: Expression) -> Expression:
    """`x` rounded to `dtype` on the way, whatever the arithmetic is, or to one of OF_ARITHMETIC."""
    return _node("cast", (x,), dtype)


def as_expression(x: Operand) -> Expression:
    """A number as the constant that it is; an expression stays itself."""
    return x if isinstance(x, Expression) else const(repr(x))


def make(op: str, *args: Operand) -> Expression:
    """An operation of ARITY."""
    if ARITY[op] != len(args):
        raise TypeError(f"{op} takes {ARITY[op]} arguments, not {len(args)}")
    return _node(op, tuple(as_expression(one) for one in args), "")


def _unary(op: str) -> Callable[[Operand], Expression]:
    return lambda x: make(op, x)


def _binary(op: str) -> Callable[[Operand, Operand], Expression]:
    return lambda x, y: make(op, x, y)


absolute, sign, exp, log, log1p, expm1, sqrt, tanh = map(
    _unary, ("abs", "sign", "exp", "log", "log1p", "expm1", "sqrt", "tanh")
)
maximum, minimum, ge, gt, le, lt, eq = map(_binary, ("max", "min", "ge", "gt", "le", "lt", "eq"))


def where(condition: Expression, x: Operand, y: Operand) -> Expression:
    """`x` where the condition holds, else `y`."""
    return make("where", condition, x, y)


def clip(x: Operand, low: Operand, high: Operand) -> Expression:
    """max(x, low), then min of that and `high`."""
    return minimum(maximum(x, low), high)


def rebuilt(node: Expression, args: tuple[Expression, ...]) -> Expression:
    """The node with other arguments."""
    return _node(node.op, args, node.name) if args else node


def substitute(x: Expression, values: dict[Expression, Expression]) -> Expression:
    """`x` with nodes replaced, inputs as a rule."""
    done: dict[Expression, Expression] = dict(values)
    for node in ordered(x):
        if node not in done:
            done[node] = rebuilt(node, tuple(done[one] for one in node.args))
    return done[x]


def inlined(x: Expression) -> Expression:
    """`x` with calls replaced by what they compute."""
    done: dict[Expression, Expression] = {}
    for node in ordered(x):
        args = tuple(done[one] for one in node.args)
        if node.op == "call" and isinstance(node.name, Function):
            body = inlined(node.name.body)
            done[node] = substitute(body, dict(zip(map(var, node.name.parameters), args, strict=True)))
        else:
            done[node] = rebuilt(node, args)
    return done[x]


def ordered(*roots: Expression, known: Container[Expression] = ()) -> Iterator[Expression]:
    """Every node once that is not `known`, arguments before what uses them; what is below a known node is known."""
    seen: set[int] = set()
    for root in roots:
        stack = [(root, False)]
        while stack:
            node, expanded = stack.pop()
            if expanded:
                yield node
            elif id(node) not in seen and node not in known:
                seen.add(id(node))
                stack.append((node, True))
                stack.extend((one, False) for one in reversed(node.args))


def inputs(x: Expression) -> frozenset[str]:
    """Names of its inputs."""
    return frozenset(str(node.name) for node in ordered(x) if node.op == "var")
