"""The points of many checks as one: what came back, what is expected there, and the errors.

NumPy costs as much for ten numbers as for a thousand, and a run has a hundred thousand checks of a few points.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from conformance.judge.points import Points
from conformance.numbers.measurement import Limits, concatenate, measure
from reference import Reference


class Errors(NamedTuple):
    """What is known of each point: arrays of equal length, views of which `part` gives.

    `code`, `scaled` and `plain` are those of `measure` against the ideal, whose value is `ideal`.  `contract` is the
    error against the nearer of the ideal and all readings of the contract, `reading` that reading's value, `read`
    whether there was one, and `by_contract` how a point that misses the ideal meets one (`contracted`), 0 if not.
    """

    code: Any
    scaled: Any
    plain: Any
    budget: Any
    ideal: Any
    contract: Any
    reading: Any
    read: Any
    by_contract: Any

    def part(self, here: slice) -> Errors:
        """The points of one check."""
        return Errors(*(column[here] for column in self))

    def take_in(self, meets: Any, ulps: Any, values: Any) -> None:
        """Another reading of the contract: which points meet it, their errors, its values."""
        nearer = ~(self.contract <= ulps) | ~self.read
        self.reading[nearer] = values[nearer]
        self.read[:] = True
        self.by_contract[:] = np.maximum(self.by_contract, meets)
        self.contract[:] = np.fmin(self.contract, ulps)

    def told(self, present: Any) -> Errors:
        """Errors as they are told: of what did not come back there is none."""
        return self._replace(
            scaled=np.where(present, self.scaled, np.nan),
            plain=np.where(present, self.plain, np.nan),
            contract=np.where(present, self.contract, np.nan),
        )

    def contract_values(self) -> list[float | None]:
        """The nearest reading's value at each point, None where there was no reading."""
        pairs = zip(self.reading.tolist(), self.read.tolist(), strict=True)
        return [value if known else None for value, known in pairs]


class Batch:
    """The points of `checks`, one check after the other, with `ideals` and `budgets` of each; `parts` says which."""

    def __init__(self, checks: Sequence[Points], ideals: Sequence[Reference], budgets: Sequence[Any]) -> None:
        self.checks = checks
        self.ideals = ideals
        counts = [check.count for check in checks]
        self.parts = [slice(start, stop) for start, stop in pairwise([0, *np.cumsum(counts).tolist()])]
        self.got = np.concatenate([check.got for check in checks])
        self.present = np.concatenate([check.present for check in checks])
        self.budget = np.concatenate(budgets)
        self._limits = Limits.of([check.fmt for check in checks], counts)

    def against_ideal(self) -> Errors:
        """The errors before any contract was looked at."""
        ideal = concatenate(self.ideals)
        found = measure(self.got, ideal, self._limits, self.budget)
        size = found.code.shape
        return Errors(
            code=found.code,
            scaled=found.scaled,
            plain=found.plain,
            budget=self.budget,
            ideal=ideal.hi,
            contract=found.scaled.copy(),
            reading=np.full(size, np.nan),
            read=np.zeros(size, dtype=bool),
            by_contract=np.zeros(size, dtype=np.int8),
        )
