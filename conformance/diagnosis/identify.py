"""Which formula, and which arithmetic, gives the results of an implementation.

Every result votes, right ones too.  A model is a formula with an arithmetic, and it is as good as the results are short
to tell by someone who has it (J. Rissanen, Modeling by shortest data description, Automatica 14(5), 1978):

* a result that is the emulation, bit for bit, costs nothing, a zero of the other sign 1 bit;
* one that lies in the reach costs 1 bit, and as many as tell numbers apart that are an ULP of the wider end apart and
  lie in the reach: a wide reach says little;
* one outside needs a branch of its own, whose input is spelled, which costs 1 bit more than the dtype has; what the
  branch gives is known where the result is right, and where it is wrong it is spelled as well.

A difference of n bits is odds of 2^n.  Models that are no more than DECISIVE behind the best are not told apart by the
results, and all of them survive, if they leave nothing outside but what ALLOWED and ALLOWED_WRONG allow for, and tell
the wrong results in fewer bits than their errors are told in.  Where none survives the group is unidentified: the
nearest model says how many results it explains, and that is a fact, not a claim.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cache
from heapq import heapify, heappop, heappush
from itertools import groupby
from typing import TYPE_CHECKING

import numpy as np

from conformance.diagnosis.cost import cost_of_errors, width
from conformance.diagnosis.models import Elements, Model, models_of
from conformance.diagnosis.results import Group, Part, Table, groups, reductions
from conformance.formulas.arithmetic import Arithmetic
from conformance.formulas.catalogue import Candidate, candidates
from conformance.formulas.evaluate import Evaluation, Reach, Watched, reaching, watching
from conformance.formulas.expression import Function, ordered
from conformance.numbers.formats import FORMATS
from conformance.quantities import NUMERIC

if TYPE_CHECKING:
    from conformance.formulas.expression import Expression
    from conformance.numbers.arrays import Floats, Mask
    from conformance.numbers.formats import Format
    from conformance.plan.cases import Suite
    from conformance.record.record import RunRecord


#: Odds of 100 to 1, in bits, are decisive: H. Jeffreys, Theory of Probability, 3rd edition 1961, appendix B.
DECISIVE = math.log2(100)

#: Shares of all results, and of the wrong ones, that a model may leave outside of its reach: special values that a
#: framework treats by another branch.  They are a choice: on the run of the pinned versions the shares that the nearest
#: models leave outside have no gap.  What a survivor does not explain is told by its counts.
ALLOWED, ALLOWED_WRONG = 0.05, 0.1


@dataclass(frozen=True, kw_only=True)
class Fit:
    """How a model does on a group: of `total` results `explained` lie in its reach and `equal` are its emulation.

    `candidates` has the formula of each part of the group, and `names` all names that the catalogue has for it.
    """

    names: tuple[str, ...]
    arithmetic: Arithmetic
    candidates: tuple[Candidate, ...]
    total: int
    equal: int
    explained: int
    wrong: int
    wrong_equal: int
    wrong_explained: int
    #: What it costs to tell the results, and the wrong ones, in bits.
    cost: float
    wrong_cost: float
    #: Per part, where the results are explained.
    where: tuple[Mask, ...]

    @property
    def name(self) -> str:
        """The plainest of its names."""
        return self.names[0]


@dataclass(frozen=True)
class Identified:
    """What is known of a group: the models that survive, the best first, and the nearest one whether it does or not.

    The nearest is None where the catalogue has no formula for the group.
    """

    group: Group
    survivors: tuple[Fit, ...]
    nearest: Fit | None

    def __bool__(self) -> bool:
        """Whether a model survives; otherwise the group is unidentified."""
        return bool(self.survivors)


class Models:
    """Evaluations of formulas on tables, each step made once; they are kept as long as this is."""

    def __init__(self) -> None:
        self._points: dict[tuple[Table, Arithmetic], Evaluation[Watched]] = {}
        self._sets: dict[tuple[Table, Arithmetic], Evaluation[Reach]] = {}
        self._known_points: dict[tuple[Table, Arithmetic, Expression], Watched] = {}
        self._known_sets: dict[tuple[Table, Arithmetic, Expression], Reach] = {}

    def watched(self, table: Table, x: Expression, arithmetic: Arithmetic) -> Watched:
        """The emulation of `x` for each row of `table`, and where a step of it is subnormal, if any is."""
        known = self._known_points.get((table, arithmetic, x))
        if known is None:
            if arithmetic.flush and not self.flushes(table, x, arithmetic):
                known = self.watched(table, x, arithmetic.unflushed)
            else:
                key = table, arithmetic.steps
                if key not in self._points:
                    self._points[key] = watching(table.inputs, arithmetic.steps)
                known = self._points[key].of(x, arithmetic.result).of(len(table.names))
            self._known_points[table, arithmetic, x] = known
        return known

    def flushes(self, table: Table, x: Expression, arithmetic: Arithmetic) -> bool:
        """Whether a step is subnormal in a row of `table`: elsewhere who flushes has the results of who does not."""
        return self.watched(table, x, arithmetic.unflushed).small is not None

    def point(self, table: Table, x: Expression, arithmetic: Arithmetic) -> Floats:
        """The emulation of `x` for each row of `table`."""
        return self.watched(table, x, arithmetic).value

    def reach(self, table: Table, x: Expression, arithmetic: Arithmetic) -> Reach:
        """The reach of `x` for each row of `table`."""
        known = self._known_sets.get((table, arithmetic, x))
        if known is None:
            if arithmetic.flush and not self.flushes(table, x, arithmetic):
                known = self.reach(table, x, arithmetic.unflushed)
            else:
                key = table, arithmetic.steps
                if key not in self._sets:
                    self._sets[key] = reaching(table.inputs, arithmetic.steps)
                known = self._sets[key].of(x, arithmetic.result).of(len(table.names))
            self._known_sets[table, arithmetic, x] = known
        return known


def identify(group: Group, models: Models | None = None, among: Elements | None = None) -> Identified:
    """The models that give the results of `group`, of a reduction those of models of its elements `among` these.

    Formulas that are not the loss are asked only where none that is gives the results.

    Models are taken by the least that they can cost, which is bounded first by how many results are not their emulation
    and then by how far those are from it: the reach is computed for those alone that may survive.
    """
    models = models or Models()
    found = _identified(group, models, among, mistaken=False)
    return found or _identified(group, models, among, mistaken=True) or found


def _identified(group: Group, models: Models, among: Elements | None, mistaken: bool) -> Identified:
    """By formulas that are the loss, or by those that are not."""
    near = sorted(_cheapest(group, _bounds(group, models, among, mistaken), models), key=_rank)
    plain = cost_of_errors(group)
    survivors = (fit for fit in near if _survives(fit, plain) and not (group.reduced and fit.explained < fit.total))
    return Identified(group, tuple(survivors), near[0] if near else None)


def _cheapest(group: Group, tried: Iterable[tuple[int, Model]], models: Models) -> list[Fit]:
    """The models that are no more than DECISIVE behind the best.

    `tried` has for each how many results at least are not its emulation: each costs a bit at least.  The reach of the
    one with the fewest is computed at once: what is known to cost more than it is not looked at to the end.
    """
    queue = [(float(bound), number, model, False) for number, (bound, model) in enumerate(tried)]
    heapify(queue)
    found: list[Fit] = []
    best = math.inf
    while queue and queue[0][0] <= best + DECISIVE:
        _, number, model, bounded = heappop(queue)
        if not _can_flush(group, model, models):
            continue
        if bounded or not found:
            found.append(_fit(group, model, models))
            best = min(best, found[-1].cost)
        else:
            heappush(queue, (_least_cost(group, model, models, best + DECISIVE), number, model, True))
    return [fit for fit in found if fit.cost <= best + DECISIVE]


def identify_record(record: RunRecord, suite: Suite, quantities: Iterable[str] = NUMERIC) -> Iterator[Identified]:
    """Every group of a run with wrong results, or with elements of a reduction that has some.

    Those of one form, dtype and quantity come together: they share what is evaluated.
    """

    def key(group: Group) -> tuple[str, ...]:
        return group.form, group.dtype, group.quantity

    found = [*groups(record, suite, quantities), *reductions(record, suite, quantities)]
    for _, alike in groupby(sorted(found, key=key), key):
        yield from identify_all(alike)


def identify_all(groups: Iterable[Group]) -> Iterator[Identified]:
    """Groups of one dtype and quantity, of elements before reductions of them; what is right needs no model.

    Groups with the same results are identified once.  A reduction has few results, so that its elements tell their
    formula; where they have none, it has none.
    """
    groups = list(groups)
    asked = {one.implementation for one in groups if one.reduced and one.is_wrong}
    models = Models()
    known: dict[object, Identified] = {}
    elements: dict[str, Elements] = defaultdict(frozenset)
    for one in groups:
        if not one.is_wrong and (one.reduced or one.implementation not in asked):
            continue
        among = elements[one.implementation] if one.reduced else None
        same = (
            one.result_dtype,
            among,
            tuple((part.table, part.rows.tobytes(), part.got.tobytes(), part.wrong.tobytes()) for part in one.parts),
        )
        if same not in known:
            known[same] = identify(one, models, among)
        if not one.reduced:
            elements[one.implementation] |= elements_of(known[same])
        yield replace(known[same], group=one)


def elements_of(*found: Identified) -> Elements:
    """The models that survive of elements, for a reduction of them."""
    fits = (fit for one in found for fit in one.survivors)
    return frozenset((name, fit.arithmetic.unflushed.steps) for fit in fits for name in fit.names)


def _rank(fit: Fit) -> tuple[float, int, bool]:
    """By cost; of formulas that no result tells apart, since a factor of 1 changes none, the shorter first.

    Where no step that is flushed changes a result, the arithmetic that flushes none goes first.
    """
    return fit.cost, sum(_steps(one.expression) for one in fit.candidates), fit.arithmetic.flush


@cache
def _steps(x: Expression) -> int:
    """How many steps a formula takes, those inside of functions too."""
    inside = (_steps(node.name.body) if isinstance(node.name, Function) else bool(node.args) for node in ordered(x))
    return sum(inside)


def _survives(fit: Fit, plain: float) -> bool:
    outside, wrong_outside = fit.total - fit.explained, fit.wrong - fit.wrong_explained
    if outside > ALLOWED * fit.total or wrong_outside > ALLOWED_WRONG * fit.wrong:
        return False
    return not fit.wrong or fit.wrong_cost < plain


def _same(point: Floats, got: Floats) -> Mask:
    """Equal numbers, zeros of either sign, or NaN."""
    same: Mask = point == got
    return same if same.all() else same | (np.isnan(point) & np.isnan(got))


def _bounds(group: Group, models: Models, among: Elements | None, mistaken: bool) -> Iterator[tuple[int, Model]]:
    """How many results at least are not the emulation of each model, by the largest part.

    Without an emulation that flushes: it can be another one only where a step is subnormal.
    """
    largest = max(range(len(group.parts)), key=lambda number: group.parts[number].rows.size)
    part = group.parts[largest]
    known: dict[tuple[Expression, Arithmetic], tuple[int, int]] = {}
    for model in models_of(group, among, mistaken):
        key = x, arithmetic = model.candidates[largest].expression, model.arithmetic.unflushed
        if key not in known:
            point, small = models.watched(part.table, x, arithmetic)
            differs = ~_same(point[part.rows], part.got)
            count = int(np.count_nonzero(differs))
            known[key] = count, count if small is None else int(np.count_nonzero(differs & ~small[part.rows]))
        yield known[key][model.arithmetic.flush], model


def _can_flush(group: Group, model: Model, models: Models) -> bool:
    """Whether a step is subnormal for any input, if the model flushes; otherwise it is the one that does not."""
    if not model.arithmetic.flush:
        return True
    smalls = ((part, models.watched(part.table, x, model.arithmetic.unflushed).small) for part, x in model.parts(group))
    return any(small is not None and small[part.rows].any() for part, small in smalls)


def _least_cost(group: Group, model: Model, models: Models, limit: float) -> float:
    """What the results cost at least, whatever the reach is; no more is told of what is above the limit."""
    fmt = FORMATS[group.result_dtype]
    total = 0.0
    for part, x in sorted(model.parts(group), key=lambda pair: -pair[0].rows.size):
        point = models.point(part.table, x, model.arithmetic)[part.rows]
        rows = ~_same(point, part.got)
        total += int(np.count_nonzero(rows))
        if total > limit:
            break
        if rows.any():
            # A reach that holds two numbers is as wide as they are apart, and an ULP of its wider end is at most twice
            # as large in proportion: where that is higher by binades, so is the width.
            low, high = np.fmin(point[rows], part.got[rows]), np.fmax(point[rows], part.got[rows])
            total += float(np.sum(np.maximum(width(low, high, fmt) - 1, 0)))
    return total


def _fit(group: Group, model: Model, models: Models) -> Fit:
    fmt = FORMATS[group.result_dtype]
    told = [_told(part, x, model.arithmetic, models, fmt) for part, x in model.parts(group)]
    equal, explained, cost = (np.concatenate(masks) for masks in zip(*told, strict=True))
    wrong = np.concatenate([part.wrong for part in group.parts])
    return Fit(
        names=model.names,
        arithmetic=model.arithmetic,
        candidates=model.candidates,
        total=wrong.size,
        equal=int(equal.sum()),
        explained=int(explained.sum()),
        wrong=int(wrong.sum()),
        wrong_equal=int((wrong & equal).sum()),
        wrong_explained=int((wrong & explained).sum()),
        cost=float(cost.sum()),
        wrong_cost=float(cost[wrong].sum()),
        where=tuple(inside for _, inside, _ in told),
    )


def _told(part: Part, x: Expression, arithmetic: Arithmetic, models: Models, fmt: Format) -> tuple[Mask, Mask, Floats]:
    """Which results are the emulation, which lie in the reach, and the bits that each costs."""
    got = part.got
    point = models.point(part.table, x, arithmetic)[part.rows]
    equal = _same(point, got)
    cost = ((got == 0) & (np.signbit(point) != np.signbit(got))).astype(np.float64)
    if equal.all():
        return equal, equal, cost
    sets = models.reach(part.table, x, arithmetic).at(part.rows)
    explained = equal | sets.holds(got)
    cost[~explained] = 1 + fmt.width
    cost[~explained & part.wrong] *= 2
    rows = explained & ~equal
    cost[rows] = 1 + width(sets.low[rows], sets.high[rows], fmt)
    return equal, explained, cost


def _candidates(group: Group, part: Part, promotes: bool) -> tuple[Candidate, ...]:
    of = group.form, group.quantity, part.table.options, promotes
    return (*candidates(*of), *candidates(*of, mistaken=True))


def alike(group: Group, fit: Fit, models: Models) -> bool:
    """Whether the model of another group gives the results of `group`, too: it explains all but what is allowed for."""
    if group.result_dtype != fit.arithmetic.result:
        return False
    named = [
        next((one for one in _candidates(group, part, fit.arithmetic.promotes) if one.name in fit.names), None)
        for part in group.parts
    ]
    found = tuple(one for one in named if one is not None)
    if len(found) < len(named):
        return False
    same = _fit(group, Model(fit.names, found, fit.arithmetic), models)
    near = same.equal / same.total >= fit.equal / fit.total - ALLOWED
    return near and _survives(same, math.inf)
