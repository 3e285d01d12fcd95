"""What is expected of results, and where their inputs lie: words about elements as words about results."""

from __future__ import annotations

from typing import Any

from conformance.judge.points import Points
from conformance.plan.domain import expectations, regions
from conformance.plan.requests import Request

#: From the least to the most demanding: what a reduced check expects is the first that any of its elements allows.
_LENIENCE = ("reject", "observe", "either", "value")


def for_results(words: tuple[str, ...], count: int) -> tuple[str, ...]:
    """Words about elements as words about `count` results: one result over all elements takes the strongest word."""
    if len(words) == count:
        return words
    for word in (*_LENIENCE, "nan", "infinite", "outside", "saturated", "ordinary"):
        if word in words:
            return (word,) * count
    return ("ordinary",) * count


class Expectations:
    """The words of one run, computed once for each case and dtype, and contract where it matters."""

    def __init__(self) -> None:
        self._expected: dict[Any, tuple[str, ...]] = {}
        self._regions: dict[Any, tuple[str, ...]] = {}

    def elements(self, request: Request) -> tuple[str, ...]:
        """What is expected of each element of a request."""
        key = (request.case.id, request.dtype, request.implementation.contract)
        if key not in self._expected:
            self._expected[key] = expectations(request.inputs, request.implementation.contract)
        return self._expected[key]

    def results(self, request: Request, count: int) -> tuple[str, ...]:
        """What is expected of each of `count` observations or elements."""
        words = self.elements(request)
        if not request.presentations:
            return for_results(words, count)
        (word,) = for_results(words, 1)
        return tuple(word if request.inputs.fits(one) else "reject" for one in request.presentations)

    def points(self, check: Points) -> tuple[str, ...]:
        """What is expected of each of a check's names."""
        request = check.request
        whole = len(check.observations) == 1 and check.observations[0].kind == "raised"
        if request.case.reduction != "none" and whole and not request.presentations:
            return for_results(self.elements(request), 1) * len(check.names)  # one call over all was rejected
        return self.results(request, len(check.names))

    def regions(self, request: Request, count: int) -> tuple[str, ...]:
        """Where the inputs of each of `count` observations or elements lie."""
        key = (request.case.id, request.dtype)
        if key not in self._regions:
            self._regions[key] = regions(request.inputs)
        words = self._regions[key]
        if request.inputs.groups:
            words = tuple(words[group.legs[0]] for group in request.inputs.groups)
        if not request.presentations:
            return for_results(words, count)
        (word,) = for_results(words, 1)
        return tuple("shapes" if one.others else word for one in request.presentations)
