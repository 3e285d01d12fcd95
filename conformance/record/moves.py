"""What changed in the numbers from one run to another: by entry point, quantity and kind of input, and what it does.

A number is held against the exact value and weighed by its harm (`judge.harm`), on both sides alike; which of two
numbers is better follows from that alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from enum import Enum
from math import inf, isfinite, isnan
from typing import NamedTuple

from conformance.judge.harm import DRIFTING, Harm
from conformance.numbers.formats import FORMATS, decode_hexadecimal
from conformance.quantities import NUMERIC
from conformance.record.compare import Side, precise_enough, states
from conformance.record.harms import documented, harms
from conformance.record.kinds import TOGETHER, Kind, kinds
from conformance.record.record import CheckLine, ProblemLine, RunRecord
from conformance.record.summary import PLAINEST, quantity_rank


class Way(Enum):
    """Which way a result went, what should be looked at first first."""

    WORSE = "worse"
    BETTER = "better"
    OTHERWISE = "otherwise"
    DIGITS = "last digits"


@dataclass(frozen=True, kw_only=True)
class Came:
    """What came back of one element: `bits` in `dtype`, or "" where there is no number, and what happened in words.

    `error` is the error relative to the exact value, None where one of them is no finite number, infinite where the
    exact value is 0.  `harm` is None of what is right.
    """

    bits: str
    dtype: str
    told: str
    error: float | None
    harm: Harm | None
    problem: ProblemLine | None

    @property
    def rank(self) -> int:
        """The larger the worse."""
        return -1 if self.harm is None else int(self.harm)


@dataclass(frozen=True, kw_only=True)
class Move:
    """Results of one implementation and quantity on one kind of input, which went the same way, in `dtypes`.

    `case`, `dtype` and `element` are the plainest of them, or of those the one that moved furthest, with what came
    back and the `exact` value ("" where the record has none).  `furthest` is the largest difference of any one in each
    dtype, relative to the larger of its two numbers.
    """

    way: Way
    implementation: str
    quantity: str
    kind: Kind
    dtypes: tuple[str, ...]
    results: int
    case: str
    dtype: str
    element: str
    old: Came
    new: Came
    exact: str
    furthest: dict[str, float]

    @property
    def key(self) -> tuple[object, ...]:
        """What results that are told together have in common; last digits are told once for an entry point."""
        if self.way is Way.DIGITS:
            return self.way, self.implementation
        return self.way, self.implementation, self.quantity, self.kind, self.old.harm, self.new.harm

    @property
    def order(self) -> tuple[object, ...]:
        """Worse before better, and what does most harm first."""
        worst = max(self.old.rank, self.new.rank)
        kind = list(Kind).index(self.kind)
        return list(Way).index(self.way), -worst, kind, self.implementation, quantity_rank(self.quantity)


@dataclass(frozen=True, kw_only=True)
class Moves:
    """What moved.  An input is an element of a case in one dtype, given to one implementation.

    `same` of `inputs` gave the same bits in all of `quantities` (a NaN is a NaN), and `entries` implementations were
    given them.  `kinds` has the first `Way` of each kind of input of which something was asked, None where nothing
    moved.
    """

    inputs: int
    same: int
    entries: int
    quantities: tuple[str, ...]
    kinds: dict[Kind, Way | None]
    found: tuple[Move, ...]

    def of(self, way: Way) -> tuple[Move, ...]:
        """The moves of one way, those that do most harm first."""
        return tuple(one for one in self.found if one.way is way)

    def results(self, way: Way) -> int:
        """How many results went that way."""
        return sum(one.results for one in self.of(way))


class _Pair(NamedTuple):
    """A check in both runs."""

    old: CheckLine
    new: CheckLine


def moves(old: Side, new: Side, pairs: Iterable[tuple[CheckLine, CheckLine]]) -> Moves:
    """What moved in the numbers of checks that both runs have."""
    numeric = [_Pair(*pair) for pair in pairs if pair[0].quantity in NUMERIC]
    same: dict[tuple[str, str, str, str], bool] = {}
    moved: list[tuple[_Pair, list[str]]] = []
    for pair in numeric:
        changed = _changed(pair)
        for name in _names(pair.new):
            place = pair.new.implementation, pair.new.case, pair.new.dtype, name
            same[place] = same.get(place, True) and name not in changed
        if changed:
            moved.append((pair, changed))
    before, after = (_Weighed(side.record, [pair[at] for pair, _ in moved]) for at, side in enumerate((old, new)))
    found: dict[tuple[object, ...], Move] = {}
    ways = _kinds(new.record, same)
    for pair, names in moved:
        for one in _moves(pair, names, before, after):
            ways[one.kind] = min(filter(None, (ways[one.kind], one.way)), key=list(Way).index)
            known = found.get(one.key)
            found[one.key] = one if known is None else _together(known, one)
    return Moves(
        inputs=len(same),
        same=sum(same.values()),
        entries=len({pair.new.implementation for pair in numeric}),
        quantities=tuple(sorted({pair.new.quantity for pair in numeric}, key=quantity_rank)),
        kinds=ways,
        found=tuple(sorted(found.values(), key=lambda one: one.order)),
    )


def _names(check: CheckLine) -> tuple[str, ...]:
    return check.elements or (TOGETHER,)


def _bits(check: CheckLine, name: str) -> str:
    place = _names(check).index(name)
    return check.bits[place] if place < len(check.bits) else ""


def _changed(pair: _Pair) -> list[str]:
    """The elements that came back otherwise: other bits, another dtype, or no number where there was one."""
    old, new = pair
    if old.bits == new.bits and old.elements == new.elements and old.result_dtype == new.result_dtype and all(new.bits):
        return []
    others = set(_names(old))
    return [name for name in _names(new) if name in others and _seen(old, name) != _seen(new, name)]


def _seen(check: CheckLine, name: str) -> tuple[str, str]:
    """Bits and dtype of an element; where there are none, its verdict."""
    bits = _bits(check, name)
    if not bits:
        return "", states(check)[name].verdict
    return "nan" if isnan(_number(bits, check.result_dtype)) else bits, check.result_dtype


def _kinds(record: RunRecord, inputs: Iterable[tuple[str, str, str, str]]) -> dict[Kind, Way | None]:
    """The kinds of input that something was asked of."""
    asked: dict[tuple[str, str], set[str]] = {}
    for _, case, dtype, name in inputs:
        asked.setdefault((case, dtype), set()).add(name)
    known = {key: kinds(record.inputs_by_case[key]) for key in asked}
    seen = {known[key].elements.get(name, known[key].together) for key, names in asked.items() for name in names}
    return {kind: None for kind in Kind if kind in seen}


class _Weighed:
    """Results of one run, held against their exact values."""

    def __init__(self, record: RunRecord, checks: list[CheckLine]) -> None:
        some = replace(record, checks=tuple(checks))
        self.record = record
        self.harms = harms(some)
        self.excused = documented(some)

    def came(self, check: CheckLine, name: str, exact: str) -> Came:
        """What came back of an element."""
        place = _names(check).index(name)
        bits = _bits(check, name)
        harm = self.harms.get((check.id, name), self.excused.get((check.id, name)))
        finding = next((one for one in check.findings if one.element == name), None)
        return Came(
            bits=bits,
            dtype=check.result_dtype,
            told=states(check)[name].told,
            error=_apart(_number(bits, check.result_dtype), float.fromhex(exact)) if bits and exact else None,
            harm=None if precise_enough(check, place) else harm,
            problem=self.record.problem_of(finding) if finding is not None else None,
        )


def _moves(pair: _Pair, names: list[str], before: _Weighed, after: _Weighed) -> Iterator[Move]:
    """A move for each element of a check that changed."""
    check = pair.new
    line = after.record.inputs_by_case[check.case, check.dtype]
    of, ideal = kinds(line), line.ideal.get(check.quantity, ())
    for name in names:
        place = check.elements.index(name) if name in check.elements else 0
        exact = ideal[place] if len(ideal) == len(check.elements) and ideal else ""
        old, new = before.came(pair.old, name, exact), after.came(check, name, exact)
        yield Move(
            way=_way(old, new),
            implementation=check.implementation,
            quantity=check.quantity,
            kind=of.elements.get(name, of.together),
            dtypes=(check.dtype,),
            results=1,
            case=check.case,
            dtype=check.dtype,
            element=name,
            old=old,
            new=new,
            exact=exact,
            furthest={check.dtype: difference(old, new)},
        )


def _way(old: Came, new: Came) -> Way:
    """Which way; between a refusal and a wrong number there is no better."""
    if Harm.REFUSES in (old.harm, new.harm) and None not in (old.harm, new.harm):
        return Way.OTHERWISE
    if old.rank != new.rank:
        return Way.WORSE if new.rank > old.rank else Way.BETTER
    if not (old.bits and new.bits):
        return Way.OTHERWISE
    return Way.DIGITS if new.harm in (None, Harm.LAST_DIGITS) or difference(old, new) <= DRIFTING else Way.OTHERWISE


def _number(bits: str, dtype: str) -> float:
    return float(decode_hexadecimal((bits,), dtype)[0]) if dtype in FORMATS else float("nan")


def _apart(got: float, owed: float) -> float | None:
    """How far a number is from another, relative to that; None where that cannot be told."""
    if not (isfinite(got) and isfinite(owed)):
        return None
    if got == owed:
        return 0.0
    return abs(got - owed) / abs(owed) if owed else inf


def difference(old: Came, new: Came) -> float:
    """The difference of two results relative to the larger; infinite where one of them is no finite number."""
    if not (old.bits and new.bits):
        return inf
    was, now = _number(old.bits, old.dtype), _number(new.bits, new.dtype)
    apart = _apart(*sorted((was, now), key=abs))
    return 0.0 if was == now else inf if apart is None else apart


def _together(one: Move, other: Move) -> Move:
    """Both as one, with the plainer example, or of equally plain ones that which moved further."""
    shown = min(
        (one, other),
        key=lambda each: (PLAINEST.index(each.dtype), quantity_rank(each.quantity), -each.furthest[each.dtype]),
    )
    dtypes = {*one.dtypes, *other.dtypes}
    return replace(
        shown,
        dtypes=tuple(name for name in PLAINEST if name in dtypes),
        results=one.results + other.results,
        furthest={
            name: max(each.furthest.get(name, 0.0) for each in (one, other)) for name in PLAINEST if name in dtypes
        },
    )
