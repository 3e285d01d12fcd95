"""Means and sums of the loss over the elements of a call, and what the mean makes of a derivative.

A sum of float numbers depends on its order (N. J. Higham, The accuracy of floating point summation, SIAM Journal on
Scientific Computing 14(4), 1993).  Tried are those that implementations have: one accumulator, one for each lane of a
vector register, halves of halves.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import reduce

from conformance.formulas.expression import Expression, cast, const

Terms = Sequence[Expression]
Step = Callable[[Expression], Expression]
Order = Callable[[Terms, Step], Expression]

#: Accumulators of a vector register: of two, four and eight numbers.
LANES = (2, 4, 8)


def _left_to_right(terms: Terms, step: Step) -> Expression:
    """One accumulator."""
    return reduce(lambda total, term: step(total + term), terms)


def _by_halves(terms: Terms, step: Step) -> Expression:
    """The sum of the first half and the sum of the second, each of them alike."""
    middle = len(terms) // 2
    return step(_by_halves(terms[:middle], step) + _by_halves(terms[middle:], step)) if middle else terms[0]


def _in_lanes(lanes: int) -> Order:
    """An accumulator for each lane, and the halves of these."""

    def order(terms: Terms, step: Step) -> Expression:
        return _by_halves([_left_to_right(terms[lane::lanes], step) for lane in range(min(lanes, len(terms)))], step)

    return order


_ORDERS: dict[str, Order] = {
    "left to right": _left_to_right,
    "by halves": _by_halves,
    **{f"in {lanes} lanes": _in_lanes(lanes) for lanes in LANES},
}


def _as_it_is(x: Expression) -> Expression:
    return x


def _single(x: Expression) -> Expression:
    return cast("float32", x)


def reduced(reduction: str, terms: Terms, single: bool) -> Iterator[tuple[str, Expression]]:
    """Every way to the `reduction`, "mean" or "sum", of `terms`, with its name, which is the same of a sum.

    Under `single` float32 is narrower than the terms: sums and shares may be of that dtype.
    """
    share = shares(len(terms), single)
    for suffix, step in (("", _as_it_is), (" in float32", _single))[: 1 + single]:
        given = [step(one) for one in terms]
        for order, of in _ORDERS.items():
            total = of(given, step)
            name = f"summed {order}{suffix}"
            mean = reduction == "mean"
            yield f"{name}, divided by n", step(total / const(str(len(terms)))) if mean else total
            for words, factor in share:
                yield f"{name}, times {words}", step(total * factor) if mean else total
    for words, factor in share:
        yield f"summed after {words}", _left_to_right([one * factor for one in terms] if mean else terms, _as_it_is)


def shares(count: int, single: bool) -> list[tuple[str, Expression]]:
    """The factor of a mean over `count` elements as it is rounded: as a number of the step, or of float32 before it.

    A framework that takes a Python float or a count for float32 has the latter, under float64 too.
    """
    share = const(f"1 / {count}")
    found = [("1/n", cast("step", share))]
    return [*found, ("1/n in float32", cast("step", cast("float32", share)))] if single else found
