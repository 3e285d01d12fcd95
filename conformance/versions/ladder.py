"""The search for the first version that behaves otherwise: both ends first, then halves, around what cannot be tested.

As in `git bisect`: where the middle cannot be tested its neighbours are tried, and if at the end untestable versions
lie before the first changed one, any of them may be the first.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

B = TypeVar("B")


@dataclass(frozen=True)
class Untestable:
    """Why a version was passed over."""

    reason: str


@dataclass(frozen=True, kw_only=True)
class Found(Generic[B]):
    """The result: `last` behaves as the first version of the range, `first` does not.

    `between` are versions between the two that cannot be tested; `tested` is every test in its order.
    """

    last: str
    first: str
    before: B
    after: B
    between: tuple[str, ...]
    tested: tuple[tuple[str, B | Untestable], ...]


class SameEnds(Exception):
    """Both ends behave alike."""


class EndUntestable(Exception):
    """An end cannot be tested: (version, reason)."""


def search(versions: Sequence[str], test: Callable[[str], B | Untestable]) -> Found[B]:
    """Find the first of `versions`, which are in order, that does not behave as the first of all.

    `test` tells the behaviour, which is compared by ==; it is asked at most once for a version: for both ends first,
    then about log2 of their number.  Raises EndUntestable and SameEnds.
    """
    tested: dict[str, B | Untestable] = {}

    def behaviour(index: int) -> B | Untestable:
        version = versions[index]
        if version not in tested:
            tested[version] = test(version)
        return tested[version]

    ends = []
    for index in (0, len(versions) - 1):
        end = behaviour(index)
        if isinstance(end, Untestable):
            raise EndUntestable(versions[index], end.reason)
        ends.append(end)
    before, after = ends
    if before == after:
        raise SameEnds
    low, high, original = 0, len(versions) - 1, before
    while candidates := [one for one in range(low + 1, high) if not isinstance(tested.get(versions[one]), Untestable)]:
        middle = min(candidates, key=lambda one: (abs(one - (low + high) // 2), one))
        seen = behaviour(middle)
        if isinstance(seen, Untestable):
            continue
        if seen == original:
            low, before = middle, seen
        else:
            high, after = middle, seen
    between = tuple(versions[low + 1 : high])
    return Found(
        last=versions[low],
        first=versions[high],
        before=before,
        after=after,
        between=between,
        tested=tuple(tested.items()),
    )


def steps(count: int) -> int:
    """How many tests a search among `count` versions takes where all can be tested: both ends and log2."""
    return 2 + max(math.ceil(math.log2(max(count - 1, 1))), 0)
