"""What a shard finds about one implementation and label: counts and largest errors that merge in any order.

`merged` is associative and commutative, because every part of it is a sum, or the least of an order without ties.
Worker-side code: standard library only, Python 3.7 on.
"""

from __future__ import annotations

from typing import Any, Sequence, Tuple

#: Errors that are kept by binade, in ULP of the returned dtype: against the ideal; the same where flushing a subnormal
#: number to zero is accepted; relative to the natural terms; against what the contract documents.
COLUMNS = ("ideal", "flushed", "scaled", "contract")

#: First inputs that are kept: results more than 4 ULP off, those of them that are more than 0.1 % and 10 % off, and 0
#: for a number that does not round to 0.
FIRSTS = ("4 ulp", "0.1 %", "10 %", "zero")

#: Classes of results that have no error in ULP.
UNMEASURED = ("nan", "number", "infinite", "finite", "sign")

#: Error in ULP from which a result can be among the first two or three of FIRSTS: the budget of a value.
FAR = 4.0

#: Relative errors of FIRSTS.
RELATIVE = {"0.1 %": 1e-3, "10 %": 0.1}

#: An input: position of the prediction, bit pattern of the label.
Place = Tuple[int, int]


class Statistics:
    """Counts and worst cases; what `to_wire` gives holds the same as JSON.

    `ordinals` counts results by their distance from the correctly rounded one: 0, 1, 2, and 3 or more bit patterns;
    of two numbers that are as near the even one is that.  Where the exact value is within 2^-40 of their middle,
    float64 may take it for the middle.
    `classes` counts results that have no error in ULP, and calls that raised, by the words of measurement.CLASSES.
    `worst` has, by column and binade of the prediction, [error, position, label, got].  Correctly rounded results,
    which are at most 0.5 ULP off, are not looked at for it.
    `firsts` has, by sign of the prediction and name, [position, label].  `raised` is the first exception:
    [position, label, type and message].
    """

    def __init__(self) -> None:
        self.points = 0
        self.ordinals = [0, 0, 0, 0]
        self.classes: dict[str, int] = {}
        self.worst: dict[str, dict[str, list[Any]]] = {column: {} for column in COLUMNS}
        self.firsts: dict[str, list[int]] = {}
        self.raised: list[Any] | None = None
        self.dtypes: dict[str, int] = {}

    def worst_of(self, column: str, binade: str) -> float:
        """The largest error so far, 0 where every result was correctly rounded."""
        found = self.worst[column].get(binade)
        return float(found[0]) if found is not None else 0.0

    def add_worst(self, column: str, binade: str, error: float, place: Place, got: int) -> None:
        """Tell of an error; of equal ones that of the first input stays."""
        candidate = [error, place[0], place[1], got]
        known = self.worst[column].get(binade)
        if known is None or _before(candidate, known):
            self.worst[column][binade] = candidate

    def add_ordinals(self, counts: Sequence[int]) -> None:
        """Tell how many results are 0, 1, 2, and 3 or more bit patterns off."""
        for index, count in enumerate(counts):
            self.ordinals[index] += count

    def add_class(self, name: str, count: int) -> None:
        """Tell of results that have no error in ULP."""
        if count:
            self.classes[name] = self.classes.get(name, 0) + count

    def add_first(self, name: str, sign: str, place: Place) -> None:
        """Tell of an input that is one of FIRSTS."""
        key = sign + name
        self.firsts[key] = min(self.firsts.get(key, list(place)), list(place))

    def to_wire(self) -> dict[str, Any]:
        """As JSON; the inverse is `from_wire`."""
        return {
            "points": self.points,
            "ordinals": self.ordinals,
            "classes": dict(sorted(self.classes.items())),
            "worst": {column: dict(sorted(of.items())) for column, of in self.worst.items() if of},
            "firsts": dict(sorted(self.firsts.items())),
            "raised": self.raised,
            "dtypes": dict(sorted(self.dtypes.items())),
        }


def _before(left: list[Any], right: list[Any]) -> bool:
    """Whether `left` is the worse of two errors, or the earlier of two equal ones."""
    return bool((-left[0], left[1:]) < (-right[0], right[1:]))


def from_wire(item: dict[str, Any]) -> Statistics:
    """The inverse of `Statistics.to_wire`."""
    made = Statistics()
    made.points = item["points"]
    made.ordinals = list(item["ordinals"])
    made.classes = dict(item["classes"])
    made.worst = {column: dict(item["worst"].get(column, {})) for column in COLUMNS}
    made.firsts = dict(item["firsts"])
    made.raised = item["raised"]
    made.dtypes = dict(item["dtypes"])
    return made


def merged(left: Statistics, right: Statistics) -> Statistics:
    """What two disjoint sets of inputs give together."""
    both = from_wire(left.to_wire())
    both.points += right.points
    both.add_ordinals(right.ordinals)
    for name, count in right.classes.items():
        both.add_class(name, count)
    for column, of in right.worst.items():
        for binade, (error, position, label, got) in of.items():
            both.add_worst(column, binade, error, (position, label), got)
    for key, place in right.firsts.items():
        both.firsts[key] = min(both.firsts.get(key, place), place)
    for dtype, count in right.dtypes.items():
        both.dtypes[dtype] = both.dtypes.get(dtype, 0) + count
    told = [one for one in (left.raised, right.raised) if one is not None]
    both.raised = min(told) if told else None
    return both
