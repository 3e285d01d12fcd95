"""Sums of a formula in other orders: the same terms, added otherwise."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import reduce
from itertools import permutations

from conformance.formulas.expression import Expression, ordered, substitute

#: Of up to so many terms every order is tried; of more the reverse, and the balanced tree of a pairwise sum.
ALL_ORDERS = 4

_Term = tuple[bool, Expression]


@dataclass(frozen=True)
class Reordered:
    """`expression` has the sum `whole` in another order; `sums` are the additions that the sum is made of.

    `alike`: the terms are the same formula of different inputs, as the elements of a reduction are.
    """

    expression: Expression
    whole: Expression
    sums: frozenset[Expression]
    alike: bool


def sums_in_other_orders(x: Expression) -> Iterator[Reordered]:
    """Every sum of three or more terms in `x`, outside of the functions that it calls, in other orders."""
    nodes = list(ordered(x))
    inner = {arg for node in nodes if node.op in ("add", "sub") for arg in node.args}
    for node in nodes:
        if node.op not in ("add", "sub") or node in inner:
            continue
        terms, sums = _terms(node)
        if len(terms) < 3:
            continue
        alike = len({(minus, _shape(term)) for minus, term in terms}) == 1
        for other in _orders(terms):
            if other is not node:
                yield Reordered(substitute(x, {node: other}), node, frozenset(sums), alike)


def _terms(node: Expression) -> tuple[list[_Term], list[Expression]]:
    """The terms of a sum, each with whether it is subtracted, and the additions and subtractions."""
    if node.op not in ("add", "sub"):
        return [(False, node)], []
    (left, left_sums), (right, right_sums) = map(_terms, node.args)
    if node.op == "sub":
        right = [(not minus, term) for minus, term in right]
    return left + right, [*left_sums, *right_sums, node]


def _orders(terms: list[_Term]) -> Iterator[Expression]:
    if len(terms) <= ALL_ORDERS:
        yield from (_left_to_right(list(one)) for one in permutations(terms))
    else:
        yield _left_to_right(terms[::-1])
        yield _balanced(terms)


def _left_to_right(terms: list[_Term]) -> Expression:
    first, *rest = terms
    return reduce(lambda x, one: x - one[1] if one[0] else x + one[1], rest, -first[1] if first[0] else first[1])


def _balanced(terms: list[_Term]) -> Expression:
    middle = len(terms) // 2
    return _left_to_right(terms) if len(terms) <= 2 else _balanced(terms[:middle]) + _balanced(terms[middle:])


def _shape(x: Expression) -> object:
    """An expression without the names of its inputs."""
    return (x.op, "" if x.op == "var" else x.name, *map(_shape, x.args))
