"""At which stage of a compiled mode a result changes first, and whether the mode or the plain call is nearer to exact.

Both are told of the results of the calls themselves: the mode and each of its stages are held against the plain call
by the same check (`agreement`).  A mode may be the better of the two, and then its difference is no fault of it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from conformance.adapters.declaration import BASE_MODE, Declaration, Stage
from conformance.ids import CheckId, ImplementationId
from conformance.judge import agreement
from conformance.judge.verdicts import Finding, Judged
from conformance.quantities import AGREEMENT

#: Of `measurement.CLASSES` those whose results are not off by a number of ULP.
OF_ANOTHER_CLASS = ("nan", "number", "infinite", "finite")


@dataclass(frozen=True, kw_only=True)
class Change:
    """One result of a mode that is not that of the plain call, and the `stage` at which it is so first.

    Errors are in ULP: infinite where the class is wrong (a NaN for a number), NaN where no number came back.
    """

    implementation: str
    dtype: str
    quantity: str
    case: str
    element: str
    what: str
    stage: Stage
    mode_error: float
    plain_error: float

    @property
    def place(self) -> str:
        """Where it is: implementation, dtype and quantity."""
        return f"{self.implementation} {self.dtype} {self.quantity}"

    @property
    def nearer(self) -> str:
        """The mode or the plain mode, whichever is nearer to exact; "" for neither, and where it cannot be said."""
        if self.mode_error < self.plain_error:
            return ImplementationId.parse(self.implementation).mode
        return BASE_MODE if self.plain_error < self.mode_error else ""


def changes(checks: Sequence[Judged], of: Declaration) -> list[Change]:
    """What differs between a mode with stages and the plain call, by the `checks` of a run of both and all stages."""
    known = {one.id: one for one in checks}

    def check(mode: str, own: Judged, quantity: str) -> Judged | None:
        """The check of a quantity in another mode, beside one of the mode's own."""
        place = of._replace(mode=mode).id
        return known.get(str(CheckId(own.request.case.id, place, own.request.dtype, quantity)))

    def first(own: Judged, found: Finding) -> Stage:
        before = ((stage, check(stage.mode, own, AGREEMENT)) for stage in of.stages[:-1])
        differ = (stage for stage, there in before if there and any(_same(found, one) for one in there.findings))
        return next(differ, of.stages[-1])

    def error(mode: str, own: Judged, found: Finding) -> float:
        return _error(check(mode, own, agreement.call_of(found)), found.element)

    return [
        Change(
            implementation=of.id,
            dtype=own.request.dtype,
            quantity=agreement.call_of(found),
            case=own.request.case.id,
            element=found.element,
            what=found.what,
            stage=first(own, found),
            mode_error=error(of.mode, own, found),
            plain_error=error(BASE_MODE, own, found),
        )
        for own in checks
        if own.quantity == AGREEMENT and own.request.implementation.id == of.id
        for found in own.findings
    ]


def _same(one: Finding, other: Finding) -> bool:
    """Whether two modes differ from the plain call in the same way."""
    return (one.element, one.what, agreement.call_of(one)) == (
        other.element,
        other.what,
        agreement.call_of(other),
    )


def _error(check: Judged | None, element: str) -> float:
    """The error of an element in ULP, as the check judges it."""
    if check is None or element not in check.elements or not check.scaled:
        return math.nan
    place = check.elements.index(element)
    if not check.bits[place]:
        return math.nan
    if any(one.element == element and one.what in OF_ANOTHER_CLASS for one in check.findings):
        return math.inf
    error = check.scaled[place]
    return 0.0 if math.isnan(error) else error


@dataclass(frozen=True)
class Told:
    """Changes of one quantity and dtype at one stage, where the same one is nearer to exact; the largest is shown."""

    changes: tuple[Change, ...]

    @property
    def shown(self) -> Change:
        """The one in which the farther one is farthest from exact."""
        return max(self.changes, key=_farther)

    @property
    def sentence(self) -> str:
        """In words, without what changed in the formula."""
        one = self.shown
        return f"first changed by {one.stage.step}: {_nearness(one)}"


def told(found: Sequence[Change]) -> Iterator[Told]:
    """The changes in the order in which they were met."""
    alike: dict[tuple[str, ...], list[Change]] = {}
    for one in found:
        alike.setdefault((one.dtype, one.quantity, one.stage.mode, one.nearer), []).append(one)
    for of in alike.values():
        yield Told(tuple(of))


def _farther(one: Change) -> float:
    errors = [error for error in (one.mode_error, one.plain_error) if not math.isnan(error)]
    return max(errors, default=-1.0)


def _nearness(one: Change) -> str:
    mode = ImplementationId.parse(one.implementation).mode
    where = f"{one.case}#{one.element}"
    if not one.nearer:
        if math.isnan(one.mode_error) or math.isnan(one.plain_error):
            return f"{mode} gives another answer than the plain call ({one.what} at {where})"
        return f"{mode} and the plain call are equally far from exact ({_size(one.mode_error)} at {where})"
    errors = sorted((one.mode_error, one.plain_error))
    by = f"{_size(errors[0])} against {_size(errors[1])} at {where}"
    if one.nearer == BASE_MODE:
        return f"the plain call is nearer to exact than {mode} ({by})"
    return f"{mode} is nearer to exact than the plain call ({by}), which is no fault of the mode"


def _size(error: float) -> str:
    return "a result of another class" if math.isinf(error) else f"{error:.3g} ULP"
