"""Verdicts: observations against expectation, ideal and contract.

The whole run is judged at once.  What is about numbers is judged by points, in bulk (`numeric`); the rest of a request
by what its calls gave.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from conformance import contracts
from conformance.adapters.declaration import BASE_MODE
from conformance.judge import agreement, expected, numeric, summation
from conformance.judge.behaviour import behaviour
from conformance.judge.expectation import Expectations
from conformance.judge.expected import Point
from conformance.judge.points import Answer, Points, points
from conformance.judge.verdicts import Judged
from conformance.plan.inputs import Inputs
from conformance.plan.requests import Request
from conformance.pool.observation import Observed
from conformance.quantities import AGREEMENT, NUMBER, NUMERIC, PROBE, QUANTITIES, REDUCTION, RELATION, REPEATABLE, VALUE
from reference import Reference

#: Kinds of quantities that are judged by points: those of the first of their calls.
BY_POINTS = (NUMBER, RELATION, PROBE)


class Judge:
    """Judges one run.  Ideal references are computed when the judge is made, while the workers still run.

    `compute` gives the exact values at some points, without a reduction: of binary cross-entropy if of nothing else.
    """

    def __init__(
        self, requests: Sequence[Request], compute: Callable[[Sequence[Point]], list[Reference]] = expected.compute
    ) -> None:
        self.requests = requests
        self._expectations = Expectations()
        keys: dict[tuple[str, str, str], tuple[Inputs, str]] = {}
        for request in requests:
            for quantity in request.numeric:
                keys[request.case.id, request.dtype, quantity] = (request.inputs, quantity)
        self.ideal = dict(zip(keys, compute(list(expected.ideal_points(keys.values()))), strict=True))

    def judge(self, observed: Sequence[dict[str, Observed] | None]) -> list[Judged]:
        """Verdicts of all checks whose request was observed, in the order of the plan."""
        pairs = zip(self.requests, observed, strict=True)
        answers = [Answer(request, outcome) for request, outcome in pairs if outcome is not None]
        plain = {one.request.call: one for one in answers if _is_plain(one.request)}
        points_of = [list(_points(answer)) for answer in answers]
        every = [check for checks in points_of for check in checks]
        judged = numeric.judge(every, [self._ideal(check) for check in every], self._expectations)
        results = []
        for answer, checks in zip(answers, points_of, strict=True):
            done = {check.quantity: next(judged) for check in checks}
            numbers = [(check, done[check.quantity]) for check in checks if check.quantity in NUMERIC]
            apart = agreement.apart((check, one, self._ideal(check)) for check, one in numbers)
            for quantity in answer.request.quantities:
                found = done.get(quantity) or self._other(quantity, answer, plain.get(answer.request.call), apart)
                if found is not None:
                    results.append(found)
        return results

    def _other(
        self, quantity: str, answer: Answer, plain: Answer | None, apart: Sequence[agreement.Apart]
    ) -> Judged | None:
        """A check that is judged by what calls gave; None where what it needs was not observed."""
        kind, calls = QUANTITIES[quantity].kind, QUANTITIES[quantity].calls
        if kind in BY_POINTS or not set(calls) <= set(answer.outcome):
            return None
        request, count = answer.request, len(answer.outcome[VALUE])
        regions = self._expectations.regions(request, count)
        if kind == AGREEMENT:
            return agreement.judge(answer, plain, self.ideal, regions) if plain is not None else None
        if kind == REDUCTION:
            value = points(answer, quantity, VALUE)
            divisor = contracts.divisor(request.implementation.contract, request.implementation.masks)
            return summation.judge(value, value.spread(self._ideal(value), request.case.reduction, divisor), regions)
        found = behaviour(answer, quantity, self._expectations.results(request, count), regions)
        return agreement.with_those_apart(found, apart) if quantity == REPEATABLE and apart else found

    def _ideal(self, check: Points) -> Reference:
        """The unreduced ideal at the combinations of a check's inputs."""
        return self.ideal[check.request.case.id, check.request.dtype, check.numeric]


def _points(answer: Answer) -> Iterator[Points]:
    """The points of each check that is judged by them, where all that it needs was observed."""
    request, outcome = answer
    for quantity in request.quantities:
        if QUANTITIES[quantity].kind in BY_POINTS:
            needed = request.calls if quantity == RELATION else QUANTITIES[quantity].calls
            if set(needed) <= set(outcome):
                yield points(answer, quantity, needed[0])


def _is_plain(request: Request) -> bool:
    return request.implementation.mode == BASE_MODE and request.relation is None and request.case.probe is None
