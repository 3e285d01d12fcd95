"""What a formula is in real numbers: its mathematics, whatever its steps are rounded to.

Python's decimal numbers with so many digits that no step of a formula loses what is compared.
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Mapping, Sequence
from decimal import Context, Decimal, localcontext
from typing import Any

from conformance.formulas.expression import Expression, inlined, ordered

#: exp(-150) beside 1 is lost with less than 66 digits; what is left are 54 digits.
DIGITS = 120
#: Constants are computed as they are written; "eps" is that of float32.
_EPS = Decimal(2) ** -23

_ONE, _ZERO = Decimal(1), Decimal(0)
_OPERATIONS: dict[str, Callable[..., Any]] = {
    "add": operator.add,
    "sub": operator.sub,
    "mul": operator.mul,
    "div": operator.truediv,
    "pow": lambda x, y: _ONE if y == 0 else x**y,
    "max": lambda x, y: y if y > x else x,
    "min": lambda x, y: y if y < x else x,
    "neg": lambda x: -x,
    "abs": abs,
    "sign": lambda x: _ZERO if x == 0 else _ONE.copy_sign(x),
    "exp": lambda x: x.exp(),
    "log": lambda x: x.ln(),
    "log1p": lambda x: (1 + x).ln(),
    "expm1": lambda x: x.exp() - 1,
    "sqrt": lambda x: x.sqrt(),
    "tanh": lambda x: 1 - 2 / ((2 * x).exp() + 1),
    "ge": operator.ge,
    "gt": operator.gt,
    "le": operator.le,
    "lt": operator.lt,
    "eq": operator.eq,
    "where": lambda condition, x, y: x if condition else y,
}


def exact(x: Expression, inputs: Mapping[str, Sequence[float]]) -> list[Decimal]:
    """`x` for each place of the columns `inputs`, which are taken as they are.

    Infinite or NaN where a real number is not.
    """
    steps = list(ordered(inlined(x)))
    count = min(map(len, inputs.values()))
    with localcontext(Context(prec=DIGITS, traps=[])):
        known: dict[Expression, list[Any]] = {}
        for node in steps:
            if node.op == "var":
                known[node] = [Decimal(float(one)) for one in inputs[str(node.name)]]
            elif node.op == "const":
                known[node] = [_constant(str(node.name))] * count
            elif node.op == "cast":
                known[node] = known[node.args[0]]
            else:
                known[node] = list(map(_OPERATIONS[node.op], *(known[one] for one in node.args)))
        return [+Decimal(one) for one in known[steps[-1]]]


_WRITTEN: dict[type[ast.AST], Callable[..., Decimal]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.USub: operator.neg,
}


def _constant(text: str) -> Decimal:
    """A constant by its digits: `ast` would read them as float64."""

    def value(node: ast.AST) -> Decimal:
        if isinstance(node, ast.Name):
            return _EPS if node.id == "eps" else Decimal(node.id)
        if isinstance(node, ast.BinOp):
            return _WRITTEN[type(node.op)](value(node.left), value(node.right))
        if isinstance(node, ast.UnaryOp):
            return _WRITTEN[type(node.op)](value(node.operand))
        return Decimal(str(ast.get_source_segment(text, node)))

    return value(ast.parse(text, mode="eval").body)
