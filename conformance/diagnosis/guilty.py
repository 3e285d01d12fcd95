"""Which steps of a formula are to blame for a wrong result: the smallest sets that, computed exactly, make it right.

One step at a time is not enough: of 1/(1 + e) - y both the sum and the quotient have to be exact.  So sets are found by
delta debugging (A. Zeller, R. Hildebrandt, Simplifying and isolating failure-inducing input, IEEE Transactions on
Software Engineering 28(2), 2002), and where sets are too many to try, several one after the other as Verrou's rddmin
does (https://edf-hpc.github.io/verrou/vr-manual.html).  Where the exact formula is wrong as well, the formula is to
blame: what has to be taken out of it is looked for instead.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum
from itertools import chain, combinations

from conformance.formulas.exact import PartlyExact, Step, Steps
from conformance.formulas.expression import Expression, as_expression, inlined, inputs, ordered, substitute
from conformance.formulas.real import Value, error_in_ulp, nearest

#: Sets of one size that are tried: all pairs of 63 steps, all triples of 23.
TRIED = 2000
#: Sets that are told.
TOLD = 8
#: A constant up to this is an epsilon: the distance from 1 to the next number of bfloat16.
EPSILON = Decimal(2.0**-7)

Places = tuple[int, ...]

_ZERO = as_expression(0)


@dataclass(frozen=True, kw_only=True)
class GuiltyStep:
    """A step of a set: its `exact` value, and what it is `rounded` to when the rest of the set is exact.

    `lost` is the difference in ULP of the step's format, `effect` what it changes in ULP of the result.
    """

    place: int
    step: Step
    exact: Decimal
    rounded: Decimal
    lost: float
    effect: float


class Kind(Enum):
    """What is changed in a formula."""

    CLAMP = "without the clamp"
    EPSILON = "without the epsilon"
    MASK = "without the mask of the clip"
    BRANCH = "by the other branch"
    SLOPE = "with another slope at 0"
    ZERO = "with 0 times anything as 0"


@dataclass(frozen=True)
class Change:
    """Parts of a formula that, replaced, make it right when every step is exact; `expression` is inlined."""

    kinds: tuple[Kind, ...]
    parts: tuple[Expression, ...]
    expression: Expression


@dataclass(frozen=True, kw_only=True)
class Guilt:
    """Who is to blame for a result that is wrong by `error` ULP, above `allowed`: `budget` times `condition`.

    `sets` are the guilty steps, each set enough by itself, the one that leaves the smallest error first; `smallest`:
    no smaller set is enough, all were tried.  With all steps exact `exact_error` is left.  Where that is above the
    budget the formula is to blame and `changes` make it right; `sets` then bring the result to what the exact formula
    gives, and are empty if it is there.
    """

    evaluation: PartlyExact
    ideal: Decimal
    budget: float
    condition: float
    got: Decimal
    error: float
    exact_error: float
    sets: tuple[tuple[GuiltyStep, ...], ...]
    smallest: bool
    changes: tuple[Change, ...]

    @property
    def allowed(self) -> float:
        """The largest error that is right."""
        return self.budget * self.condition

    @property
    def by_formula(self) -> bool:
        """The exact formula is wrong."""
        return self.exact_error > self.allowed and not self.evaluation.lost

    @property
    def unresolved(self) -> bool:
        """The exact formula would need too many digits, and nothing is known."""
        return self.exact_error > self.allowed and self.evaluation.lost


@dataclass(frozen=True, kw_only=True)
class Row:
    """One step for one input: with exact steps throughout, as rounded, and the error in ULP of the step's format.

    A comparison and what is not rounded have the format of the result.
    """

    step: Step
    exact: Decimal | bool
    rounded: Decimal | bool
    error: float
    guilty: bool

    @property
    def flushed(self) -> bool:
        """Whether the step gives 0 for a number that its format has below the smallest normal one."""
        fmt, exact = self.step.fmt, Decimal(self.exact)
        if not self.step.flush or fmt is None or self.rounded != 0:
            return False
        return nearest(exact, fmt) != 0 == nearest(exact, fmt, True)


def guilty(evaluation: PartlyExact, ideal: float, budget: float, condition: float = 1.0) -> Guilt:
    """Who is to blame that the result of `evaluation` is more than `budget` ULP of its dtype away from `ideal`.

    `condition`: by how much the ULP that the budget is told in is larger than one of `ideal`, which is what remains of
    larger terms.  Raises ValueError if it is not.
    """
    search = _Search(evaluation, Decimal(ideal), budget * condition)
    got, exact = evaluation.result(), evaluation.result(evaluation.rounding)
    error, exact_error = search.error(got), search.error(exact)
    if error <= search.allowed:
        raise ValueError(f"a result with an error above {search.allowed} ULP is required, got {error} ULP")
    changes: tuple[Change, ...] = ()
    sets: tuple[tuple[GuiltyStep, ...], ...] = ()
    smallest = False
    rest = search
    if exact_error > search.allowed and not evaluation.lost:
        changes = tuple(_changes(search))
        rest = _Search(evaluation, exact, search.allowed)
    if not rest.right(()) and rest.right(evaluation.rounding):
        found, smallest = minimal_sets(rest.right, evaluation.rounding)
        found = sorted(found, key=lambda one: (rest.error(evaluation.result(one)), one))[:TOLD]
        sets = tuple(tuple(rest.step(place, one) for place in one) for one in found)
    return Guilt(
        evaluation=evaluation,
        ideal=search.ideal,
        budget=budget,
        condition=condition,
        got=got,
        error=error,
        exact_error=exact_error,
        sets=sets,
        smallest=smallest,
        changes=changes,
    )


def table(guilt: Guilt) -> tuple[Row, ...]:
    """Every step, in order; the guilty ones are those of the first set."""
    evaluation = guilt.evaluation
    blamed = {one.place for one in chain(*guilt.sets[:1])}
    exact, plain = evaluation.values(evaluation.rounding), evaluation.values()
    return tuple(
        Row(
            step=step,
            exact=exact[place],
            rounded=plain[place],
            error=_row_error(plain[place], exact[place], step, evaluation.steps),
            guilty=place in blamed,
        )
        for place, step in enumerate(evaluation.steps.steps)
    )


def _row_error(rounded: Decimal | bool, exact: Decimal | bool, step: Step, steps: Steps) -> float:
    if isinstance(rounded, Decimal) and isinstance(exact, Decimal):
        return error_in_ulp(rounded, exact, step.fmt or steps.result)
    return 0.0 if rounded == exact else math.inf


class _Search:
    """The errors of one result, for any set of steps exact."""

    def __init__(self, evaluation: PartlyExact, ideal: Decimal, allowed: float) -> None:
        self.evaluation = evaluation
        self.ideal = ideal
        self.allowed = allowed

    def error(self, value: Decimal) -> float:
        """In ULP of the result."""
        return error_in_ulp(value, self.ideal, self.evaluation.steps.result)

    def right(self, exact: Sequence[int]) -> bool:
        """Whether the result is right if these steps are exact."""
        return self.error(self.evaluation.result(exact)) <= self.allowed

    def step(self, place: int, places: Places) -> GuiltyStep:
        """What is lost at a step of a set whose others are exact."""
        step = self.evaluation.steps.steps[place]
        exact = self.evaluation.values(places)
        rounded = self.evaluation.values([one for one in places if one != place])
        fmt = step.fmt or self.evaluation.steps.result
        return GuiltyStep(
            place=place,
            step=step,
            exact=exact[place],
            rounded=rounded[place],
            lost=error_in_ulp(rounded[place], exact[place], fmt),
            effect=error_in_ulp(rounded[-1], exact[-1], self.evaluation.steps.result),
        )


# ------------------------------------------------------------------------------------------------ the smallest sets


def minimal_sets(right: Callable[[Sequence[int]], bool], places: Places) -> tuple[list[Places], bool]:
    """Smallest sets of `places` that are `right`, and whether all sets up to that size were tried.

    `right(places)` must hold.  Where there are more than TRIED sets of a size, they are minimal in that none of their
    places can be left out, and disjoint.
    """
    for size in range(1, len(places) + 1):
        if math.comb(len(places), size) > TRIED:
            break
        found = [one for one in combinations(places, size) if right(one)]
        if found:
            return found, True
    found = []
    while right(places):
        found.append(_without_needless(right, places))
        places = tuple(one for one in places if one not in found[-1])
    return [one for one in found if len(one) == min(map(len, found))], False


def _without_needless(right: Callable[[Sequence[int]], bool], places: Places) -> Places:
    """Zeller's and Hildebrandt's ddmin: a part of `places` that is right, and of which no place can be left out."""
    parts = 2
    while len(places) > 1:
        size = math.ceil(len(places) / parts)
        pieces = [places[start : start + size] for start in range(0, len(places), size)]
        rests = [tuple(one for one in places if one not in piece) for piece in pieces]
        smaller = next((one for one in pieces if right(one)), None)
        if smaller is not None:
            places, parts = smaller, 2
            continue
        smaller = next((one for one in rests if right(one)), None)
        if smaller is not None:
            places, parts = smaller, max(parts - 1, 2)
        elif size == 1:
            break
        else:
            parts = min(2 * parts, len(places))
    return places


# -------------------------------------------------------------------------------------------------- of the formula

#: What is taken out of a formula at once, the least first.
_TOGETHER = (
    {Kind.CLAMP},
    {Kind.EPSILON},
    {Kind.CLAMP, Kind.EPSILON},
    {Kind.MASK},
    {Kind.MASK, Kind.CLAMP},
    {Kind.MASK, Kind.CLAMP, Kind.EPSILON},
)

_Replacement = tuple[Kind, Expression, Expression]


def _changes(search: _Search) -> Iterator[Change]:
    """Single changes that make the exact formula right; if there are none, all clamps, epsilons and masks."""
    whole = inlined(search.evaluation.steps.expression)
    single = [
        Change((kind,), (part,), substitute(whole, {part: other}))
        for kind, part, other in _replacements(whole, search.evaluation)
    ]
    right = [one for one in single if _is_right(one.expression, search)]
    if not right:
        several = (_all_of(whole, kinds, search) for kinds in _TOGETHER)
        right = [one for one in several if len(one.parts) > 1 and _is_right(one.expression, search)][:1]
    yield from right


def _all_of(whole: Expression, kinds: set[Kind], search: _Search) -> Change:
    done: list[_Replacement] = []
    while True:
        found = next((one for one in _replacements(whole, search.evaluation) if one[0] in kinds), None)
        if found is None:
            made = tuple(sorted({kind for kind, _, _ in done}, key=lambda one: one.name))
            return Change(made, tuple(part for _, part, _ in done), whole)
        done.append(found)
        whole = substitute(whole, {found[1]: found[2]})


def _is_right(x: Expression, search: _Search) -> bool:
    evaluation = PartlyExact(search.evaluation.steps.of(x), search.evaluation.inputs)
    return not evaluation.lost and search.error(evaluation.result(evaluation.rounding)) <= search.allowed


def _replacements(whole: Expression, like: PartlyExact) -> Iterator[_Replacement]:
    """Parts of a formula without calls, and what can stand in their place."""
    evaluation = PartlyExact(like.steps.of(whole), like.inputs)
    exact = evaluation.values(evaluation.rounding)
    values = {step.shown: exact[place] for place, step in enumerate(evaluation.steps.steps) if step.op != "result"}
    for node in ordered(whole):
        constants = [one for one in node.args if not inputs(one)]
        others = [one for one in node.args if inputs(one)]
        if node.op in ("max", "min") and len(constants) == len(others) == 1:
            yield Kind.CLAMP, node, others[0]
        elif node.op in ("add", "sub") and len(constants) == len(others) == 1:
            if 0 < values[constants[0]].copy_abs() <= EPSILON and (node.op == "add" or others[0] is node.args[0]):
                yield Kind.EPSILON, node, others[0]
        elif node.op == "where" and (let_through := _let_through(node, values)) is not None:
            yield Kind.MASK, node, let_through
        elif node.op == "where":
            yield Kind.BRANCH, node, node.args[2] if values[node.args[0]] else node.args[1]
        elif node.op == "sign" and values[node] == 0:
            yield Kind.SLOPE, node, as_expression(1)
            yield Kind.SLOPE, node, as_expression(-1)
        elif node.op == "mul" and values[node].is_nan() and 0 in (values[one] for one in node.args):
            yield Kind.ZERO, node, as_expression(0)


def _let_through(node: Expression, values: Mapping[Expression, Value]) -> Expression | None:
    """Of a choice that a clip's derivative makes, the cotangent inside of the bound; None where it is no such choice.

    Beyond the bound it is 0, or a choice between that and a half at the bound itself.
    """
    condition = node.args[0]
    if condition.op not in ("ge", "gt", "le", "lt"):
        return None
    bounds = [one for one in condition.args if not inputs(one)]
    beyond = [
        one for one in node.args[1:] if one is _ZERO or (one.op == "where" and one.args[0].args == condition.args)
    ]
    if len(bounds) != 1 or len(beyond) != 1 or values[bounds[0]] == 0:
        return None
    return node.args[1] if node.args[2] is beyond[0] else node.args[2]
