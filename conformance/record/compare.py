"""Two runs compared, check by check: what deviates now, what no longer does, what behaves otherwise, what drifted.

Verdicts are compared, not outcomes: what either run's record of deviations knew does not matter.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from conformance.errors import InputError
from conformance.judge.verdicts import EXPECTED
from conformance.numbers.formats import FORMATS
from conformance.numbers.measurement import BUDGET, CLASSES
from conformance.plan.filters import Filters, matches
from conformance.record.record import CheckLine, FindingLine, RunRecord

#: How bad a verdict is: a change to a larger number is a regression.
_BADNESS = {"unsupported": 1, "undecided": 1, "deviates": 2, "timed-out": 3, "crashed": 3}

Kind = Literal["deviating", "conforming", "behaviour"]

#: What each kind of change is called, in the order in which they are told.
KINDS: dict[Kind, str] = {
    "deviating": "newly deviating",
    "conforming": "newly conforming",
    "behaviour": "changed behaviour",
}


@dataclass(frozen=True, kw_only=True)
class Change:
    """Elements of one implementation that changed in the same way.

    `old` and `new` say what happened before and after; `example` is one of them as check id and element, with its
    results in `old_bits` and `new_bits`, of `old_dtype` and `new_dtype`, where there were any.  `cause` is that of the
    finding which came or went.
    """

    kind: Kind
    implementation: str
    quantity: str
    old: str
    new: str
    cause: str
    example: str
    old_bits: str = ""
    new_bits: str = ""
    old_dtype: str = ""
    new_dtype: str = ""
    elements: int = 1
    dtypes: tuple[str, ...] = ()

    @property
    def key(self) -> tuple[str, ...]:
        """What elements that are told together have in common."""
        return self.kind, self.implementation, self.quantity, self.old, self.new, self.cause


@dataclass(frozen=True, kw_only=True)
class Drift:
    """Errors of one implementation, dtype and quantity that changed: condition-scaled, in ULP of the returned dtype.

    Where the inputs have a narrower dtype it is in ULP of theirs: more digits than theirs cannot be asked for.

    `changed` of `elements` came back with other bits or errors; `rise` is the largest increase of any one of them, at
    check id and element `where` ("" where none rose).
    """

    implementation: str
    dtype: str
    quantity: str
    elements: int
    changed: int
    old_max: float
    new_max: float
    old_p99: float
    new_p99: float
    rise: float
    where: str


@dataclass(frozen=True)
class Side:
    """One of the two runs."""

    name: str
    record: RunRecord

    def packages(self, backend: str) -> dict[str, str]:
        """The package versions of one backend; none where it was not run."""
        return next((line.versions for line in self.record.header.backends if line.name == backend), {})

    @property
    def versions(self) -> dict[str, str]:
        """package versions of each backend, or why there are none."""
        return {
            line.name: " ".join(f"{package} {version}" for package, version in line.versions.items())
            or f"absent: {line.absent or line.failed}"
            for line in self.record.header.backends
        }


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """What changed from `old` to `new`; `lost` and `added` are ids of checks, or check#element where both have it.

    `both` are the checks of both, old and new; `left_out` checks of the old run are outside the filters.
    """

    old: Side
    new: Side
    both: tuple[tuple[CheckLine, CheckLine], ...]
    changes: tuple[Change, ...]
    drifts: tuple[Drift, ...]
    lost: tuple[str, ...]
    added: tuple[str, ...]
    left_out: int = 0

    @property
    def compared(self) -> int:
        """How many checks are in both."""
        return len(self.both)

    def of(self, kind: Kind) -> tuple[Change, ...]:
        """The changes of one kind."""
        return tuple(change for change in self.changes if change.kind == kind)

    def regressions(self, fail_on: FailOn) -> tuple[str, ...]:
        """What makes this comparison fail, in words; nothing where it is as expected."""
        found = [(sum(one.elements for one in self.of("deviating")), "elements newly deviating")]
        if not fail_on.allow_missing:
            found.append((len(self.lost), "checks or elements lost"))
        if fail_on.behaviour:
            found.append((sum(one.elements for one in self.of("behaviour")), "elements with changed behaviour"))
        if fail_on.drift is not None:
            drifted = sum(one.rise > fail_on.drift for one in self.drifts)
            found.append((drifted, f"drifts beyond {fail_on.drift:g} ULP"))
        if fail_on.conforming:
            found.append((sum(one.elements for one in self.of("conforming")), "elements newly conforming"))
        words = [f"{count} {what}" for count, what in found if count]
        return tuple(words + (["the new run was interrupted"] if self.interrupted(fail_on) else []))

    def interrupted(self, fail_on: FailOn) -> bool:
        """Whether the new run has no end, where that fails."""
        return self.new.record.interrupted and not fail_on.allow_missing


@dataclass(frozen=True)
class FailOn:
    """What counts as a regression beside new deviations; checks that are lost do unless they are allowed to be missing.

    `drift` is the increase in ULP that an element's error may have.
    """

    allow_missing: bool = False
    behaviour: bool = False
    conforming: bool = False
    drift: float | None = None

    @classmethod
    def parse(cls, words: Iterable[str], allow_missing: bool) -> FailOn:
        """From the words of `--fail-on`: behaviour, conforming, drift:NUMBERulp.  Raises InputError."""
        made = cls(allow_missing)
        for word in words:
            name, _, amount = word.partition(":")
            if word in ("behaviour", "conforming"):
                made = replace(made, **{word: True})
            elif name == "drift":
                made = replace(made, drift=_ulps(word, amount))
            else:
                raise InputError(f"--fail-on must be behaviour, conforming or drift:NUMBERulp (got {word!r})")
        return made


def _ulps(word: str, amount: str) -> float:
    try:
        value = float(amount.removesuffix("ulp"))
    except ValueError:
        value = -1.0
    if not 0 <= value < float("inf") or not amount.endswith("ulp"):
        raise InputError(f"--fail-on drift takes a number of ULP that is not negative, as drift:0.5ulp (got {word!r})")
    return value


def compare(old: Side, new: Side, filters: Filters | None = None) -> Comparison:
    """Compare two runs by check id, only what `filters` leave where they are given."""
    before = {check.id: check for check in _left(old.record, filters)}
    after = {check.id: check for check in _left(new.record, filters)}
    both = tuple((check, after[name]) for name, check in before.items() if name in after)
    order = list(KINDS)
    return Comparison(
        old=old,
        new=new,
        both=both,
        changes=tuple(sorted(_grouped(both), key=lambda one: (order.index(one.kind), -one.elements, one.key))),
        drifts=tuple(sorted(_drifts(both), key=lambda one: (-one.rise, one.implementation, one.dtype, one.quantity))),
        lost=(*(name for name in before if name not in after), *_missing(both)),
        added=(*(name for name in after if name not in before), *_missing((other, one) for one, other in both)),
        left_out=len(old.record.checks) - len(before),
    )


def _grouped(both: Iterable[tuple[CheckLine, CheckLine]]) -> Iterable[Change]:
    """Changes of elements of checks that both runs have; those that are alike together."""
    found: dict[tuple[str, ...], Change] = {}
    for pair in both:
        for change in _changes(*pair):
            known = found.get(change.key)
            found[change.key] = change if known is None else _together(known, change)
    return found.values()


def _missing(pairs: Iterable[tuple[CheckLine, CheckLine]]) -> Iterator[str]:
    """Elements that the first of two lines of a check has and the second one has not."""
    for one, other in pairs:
        if one.elements != other.elements:
            yield from (f"{one.id}#{name}" for name in one.elements if name not in other.elements)


def _left(record: RunRecord, filters: Filters | None) -> Iterator[CheckLine]:
    """The checks of a record that filters leave."""
    if filters is None:
        yield from record.checks
        return
    flags = {(line.case, line.dtype): line.flags for line in record.inputs}
    taken = {one.id: filters.takes_id(one.id) for one in record.header.implementations}
    for check in record.checks:
        if (
            taken[check.implementation]
            and filters.takes_scenario(check.case, check.family, flags[check.case, check.dtype])
            and matches(filters.dtype, check.dtype)
            and matches(filters.quantity, check.quantity)
        ):
            yield check


def _together(one: Change, other: Change) -> Change:
    dtypes = tuple(dict.fromkeys((*one.dtypes, *other.dtypes)))
    return replace(one, elements=one.elements + other.elements, dtypes=dtypes)


def _changes(old: CheckLine, new: CheckLine) -> Iterator[Change]:
    """One for each element, of those in both, whose verdict, exception or dtype is another."""
    if _same(old, new):
        return
    olds, news = states(old), states(new)
    for element, before in olds.items():
        after = news.get(element)
        if after is None or before.told == after.told:
            continue
        change = after.badness - before.badness
        kind: Kind = "deviating" if change > 0 else "conforming" if after.expected > before.expected else "behaviour"
        cause = (after if kind == "deviating" else before).cause
        yield Change(
            kind=kind,
            implementation=new.implementation,
            quantity=new.quantity,
            old=before.told,
            new=after.told,
            cause=cause,
            example=f"{new.id}#{element}",
            old_bits=before.bits,
            new_bits=after.bits,
            old_dtype=old.result_dtype,
            new_dtype=new.result_dtype,
            elements=1,
            dtypes=(new.dtype,),
        )


def _same(old: CheckLine, new: CheckLine) -> bool:
    """Whether nothing that `_changes` tells can differ; most checks of two runs are the same."""
    return (
        old.verdict == new.verdict
        and old.verdicts == new.verdicts
        and old.elements == new.elements
        and old.result_dtype == new.result_dtype
        and old.details == new.details
        and old.formula == new.formula
        and [(one.element, one.what, one.detail) for one in old.findings]
        == [(one.element, one.what, one.detail) for one in new.findings]
    )


@dataclass(frozen=True)
class State:
    """What became of one element; `enough` where it deviates and is as precise as its inputs."""

    verdict: str
    told: str
    cause: str
    bits: str
    enough: bool = False

    @property
    def badness(self) -> int:
        """How bad the verdict is; what is precise enough is not bad."""
        return 0 if self.enough else _BADNESS.get(self.verdict, 0)

    @property
    def expected(self) -> bool:
        """Whether the verdict is none of a finding."""
        return self.verdict in EXPECTED


def states(check: CheckLine) -> dict[str, State]:
    """What became of each element of a check, in words that two runs can be compared by."""
    found: dict[str, FindingLine] = {one.element: one for one in check.findings if one.outcome != "fixed"}
    verdicts = check.verdicts or (check.verdict,) * len(check.elements)
    names = check.elements or ("all",)
    verdicts = verdicts or (check.verdict,)
    states = {}
    for index, (name, verdict) in enumerate(zip(names, verdicts, strict=True)):
        finding = found.get(name)
        told = " ".join(_words(check, name, verdict, finding))
        bits = _at(check.bits, index)
        states[name] = State(verdict, told, finding.cause if finding else "", bits, precise_enough(check, index))
    return states


def precise_enough(check: CheckLine, index: int) -> bool:
    """Whether the result of an element is in a wider dtype than its inputs and within the budget of theirs.

    scikit-learn computes in the dtype of its inputs and returns a Python float, of which float64's digits cannot be
    asked.
    """
    error = check.ulp[index] if index < len(check.ulp) else None
    return error is not None and _scale(check) < 1 and error * _scale(check) <= BUDGET


def _scale(check: CheckLine) -> float:
    """What an ULP of the result is in ULP of the inputs, where their dtype is narrower; else 1."""
    asked, returned = FORMATS.get(check.dtype), FORMATS.get(check.result_dtype)
    return 2.0 ** min(asked.precision - returned.precision, 0) if asked and returned else 1.0


def _words(check: CheckLine, element: str, verdict: str, finding: FindingLine | None) -> Iterator[str]:
    """What became of an element, in words that two runs can be compared by."""
    enough = (
        verdict == "deviates" and element in check.elements and precise_enough(check, check.elements.index(element))
    )
    yield "right to the digits of its inputs" if enough else verdict
    if element in check.formula:
        yield "(by a printed formula)"
    if enough:
        pass
    elif finding is not None:
        yield f"({finding.what})"
        if finding.what not in CLASSES and finding.detail:  # of a number only its class is compared: it may drift
            yield finding.detail
    elif verdict in ("rejects", "recorded"):
        yield from check.details  # the exceptions
    if check.result_dtype and check.result_dtype != check.dtype:
        yield f"as {check.result_dtype}"


def _drifts(both: Iterable[tuple[CheckLine, CheckLine]]) -> Iterator[Drift]:
    groups: dict[tuple[str, str, str], list[tuple[CheckLine, CheckLine]]] = {}
    for old, new in both:
        if old.ulp and new.ulp:
            groups.setdefault((new.implementation, new.dtype, new.quantity), []).append((old, new))
    for key, members in groups.items():
        if all(old.ulp == new.ulp and old.bits == new.bits for old, new in members):
            continue
        drift = _drift(key, members)
        if drift is not None:
            yield drift


def _drift(key: tuple[str, str, str], members: Iterable[tuple[CheckLine, CheckLine]]) -> Drift | None:
    """The drift of a group; None where no element with a number in both runs changed."""
    names: list[str] = []
    numbers: list[tuple[float, float]] = []
    changed = 0
    for old, new in members:
        places = {element: index for index, element in enumerate(old.elements)}
        for index, element in enumerate(new.elements):
            place = places.get(element)
            if place is None:
                continue
            before, after = old.ulp[place], new.ulp[index]
            if before is None or after is None:
                continue
            before, after = before * _scale(old), after * _scale(new)
            changed += before != after or _at(old.bits, place) != _at(new.bits, index)
            numbers.append((before, after))
            names.append(f"{new.id}#{element}")
    if not changed:
        return None
    olds, news = np.array(numbers).T
    rise = news - olds
    worst = int(rise.argmax())
    implementation, dtype, quantity = key
    return Drift(
        implementation=implementation,
        dtype=dtype,
        quantity=quantity,
        elements=len(numbers),
        changed=changed,
        old_max=float(olds.max()),
        new_max=float(news.max()),
        old_p99=_p99(olds),
        new_p99=_p99(news),
        rise=max(float(rise[worst]), 0.0),
        where=names[worst] if rise[worst] > 0 else "",
    )


def _at(bits: tuple[str, ...], index: int) -> str:
    return bits[index] if index < len(bits) else ""


def _p99(values: Any) -> float:
    """The 99th percentile, as one of the values (no interpolation, which would invent an error that none had)."""
    return float(np.percentile(values, 99, method="higher"))
