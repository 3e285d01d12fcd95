"""Judged checks held against the record of deviations.

A recorded deviation is a strict expected failure: an element that fails differently fails the run, one that no longer
deviates is reported as fixed.  "Differently" is what no processor's kernel explains: another class of result (NaN, an
infinity, a number, an exception), or an error of another order of magnitude.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from conformance.ids import CauseId
from conformance.judge.verdicts import Finding, Judged
from conformance.known.record import Record
from conformance.known.recorded import INEXACT, INEXACT_CLASSES, Row
from conformance.numbers.formats import FORMATS, ulp
from conformance.numbers.measurement import BUDGET
from conformance.quantities import BEHAVIOUR

Outcome = Literal["as expected", "recorded", "new", "fixed"]


@dataclass(frozen=True, kw_only=True)
class Seen:
    """A judged check as the record looks at it, from a run that was just made (`of`) or from a run record.

    `scaled` and `plain` are errors in ULP of `result_dtype`, `ideal` the exact values; empty where no number applies.
    `in_part` tells that the filters left the check fewer calls than it is recorded for.
    """

    case: str
    dtype: str
    implementation: str
    quantity: str
    elements: tuple[str, ...]
    findings: tuple[Finding, ...]
    verdict: str = ""
    scaled: tuple[float, ...] = ()
    plain: tuple[float, ...] = ()
    ideal: tuple[float, ...] = ()
    result_dtype: str = ""
    in_part: bool = False

    @classmethod
    def of(cls, check: Judged) -> Seen:
        """The check as it was judged."""
        request = check.request
        return cls(
            case=request.case.id,
            dtype=request.dtype,
            implementation=request.implementation.id,
            quantity=check.quantity,
            elements=check.elements,
            findings=check.findings,
            verdict=check.verdict,
            scaled=check.scaled,
            plain=check.plain,
            ideal=check.ideal,
            result_dtype=check.result_dtype,
            in_part=_looked_at_in_part(check),
        )

    def error(self, element: str) -> float | None:
        """The condition-scaled error of an element in ULP; None where it has none."""
        return self.scaled[self.elements.index(element)] if self.scaled and element in self.elements else None

    def rounds_at_one(self, element: str) -> bool:
        """Whether an element is no farther from the exact value than an ULP of 1.

        That much is lost where a step saturates at 1 or two numbers of about 1 cancel, whatever is left of them.
        """
        exact, fmt = self._exact(element), FORMATS.get(self.result_dtype)
        if exact is None or fmt is None or not self.plain:
            return False
        return bool(self.plain[self.elements.index(element)] * float(ulp(exact, fmt)) <= 2 * fmt.unit_roundoff)

    def is_nothing(self, element: str) -> bool:
        """Whether 0 would be right at an element: so small is the exact value."""
        exact, fmt = self._exact(element), FORMATS.get(self.result_dtype)
        return exact is not None and fmt is not None and bool(exact <= BUDGET * float(ulp(np.zeros(()), fmt)))

    def _exact(self, element: str) -> Any:
        """The size of the exact value of an element; None where there is none."""
        return np.abs(self.ideal[self.elements.index(element)]) if self.ideal and element in self.elements else None


@dataclass(frozen=True, kw_only=True)
class Match:
    """An element of a check held against the record."""

    element: str
    outcome: Outcome
    cause: str
    verdict: str
    what: str
    row: Row | None = None
    note: str = ""
    detail: str = ""


def _explains(row: Row, finding: Finding) -> bool:
    """Whether a finding is of the cause of a row; another signature of a finite number is the same mistake."""
    if finding.what in INEXACT_CLASSES and finding.what in row.classes:
        return CauseId.parse(finding.cause).stem == row.id.stem
    return finding.cause == row.cause


#: Errors up to so many budgets are at the edge of being a finding: another kernel's last digit moves them across.
EDGE = 2


class Matcher:
    """Holds judged checks against a record."""

    def __init__(self, record: Record) -> None:
        self._rows: dict[tuple[str, str], list[Row]] = {}
        self._inexact: dict[tuple[str, str], list[Row]] = {}
        for row in record.rows:
            self._rows.setdefault((row.case, row.dtype), []).append(row)
            if INEXACT in row.words:
                self._inexact.setdefault((row.id.stem, row.dtype), []).append(row)

    def match(self, check: Seen) -> list[Match]:
        """What is not plainly as expected about a check: recorded, new or fixed elements."""
        known = self._known(check)
        matches = [self._match(check, finding, known.get(finding.element, [])) for finding in check.findings]
        matches.extend(
            Match(
                element=element,
                outcome="fixed",
                cause=row.cause,
                verdict=check.verdict,
                what="|".join(row.words),
                row=row,
            )
            for element, left in known.items()
            for row in left
            if element not in row.sometimes and not check.in_part
        )
        return matches

    def _match(self, check: Seen, finding: Finding, known: list[Row]) -> Match:
        """A finding against what is `known` of its element, of which the row that it is held against is taken."""
        explaining = [one for one in known if _explains(one, finding)]
        alike = (one for one in explaining if not _differs(one, check, finding))
        own = next(alike, next(iter((*explaining, *known)), None))
        if own is not None:
            known.remove(own)
        row = own if own is not None else self._beside(check, finding)
        note = _differs(own, check, finding) if own is not None else ""
        recorded = row is not None and not note
        return Match(
            element=finding.element,
            outcome="recorded" if recorded else "new",
            cause=row.cause if row is not None and recorded else finding.cause,
            verdict=finding.verdict,
            what=finding.what,
            row=row,
            note=note,
            detail=finding.detail,
        )

    def _known(self, check: Seen) -> dict[str, list[Row]]:
        """What is recorded of each element of a check; two causes may claim one element."""
        known: dict[str, list[Row]] = {}
        for row in self._rows.get((check.case, check.dtype), ()):
            if check.quantity in row.quantities and row.takes(check.implementation):
                for element in row.elements:
                    if element in check.elements or check.elements == ("all",):
                        known.setdefault(element, []).append(row)
        return known

    def _beside(self, check: Seen, finding: Finding) -> Row | None:
        """The record of the same mistake on other elements, for one that another kernel happens to get right.

        Excused is what is at the edge of the budget, and where 0 is right the rounding of 1 in its place: s (1 - s) is
        0 or 2^-24 for a large logit, as a kernel's s is 1 or the number below.
        """
        if finding.what not in INEXACT_CLASSES:
            return None
        error = check.error(finding.element)
        saturates = check.is_nothing(finding.element) and check.rounds_at_one(finding.element)
        if not saturates and not (error is not None and error <= EDGE * BUDGET):
            return None
        known = self._inexact.get((CauseId.parse(finding.cause).stem, check.dtype), ())
        return next((row for row in known if row.takes(check.implementation)), None)


def _looked_at_in_part(check: Judged) -> bool:
    """Whether a check of behaviour, which is about every call of a request, was left fewer calls by the filters."""
    offered = [one for one in check.request.case.numeric if one in check.request.implementation.quantities]
    return check.quantity in BEHAVIOUR and not set(offered) <= set(check.request.quantities)


def _differs(row: Row, check: Seen, finding: Finding) -> str:
    """How a finding differs from what is recorded; "" where it does not."""
    if not _explains(row, finding):
        return f"recorded as {row.cause}"
    if finding.what not in row.classes:
        return f"recorded as {'|'.join(row.words)}, now {finding.what}"
    error = check.error(finding.element)
    if finding.what not in INEXACT_CLASSES or error is None or check.rounds_at_one(finding.element):
        return ""
    largest = 10.0 ** (row.magnitude or 0)
    return "" if error <= largest else f"{error:.6g} ULP, recorded up to about {largest:g}"


def outcome_of(matches: Sequence[Match]) -> Outcome:
    """The outcome of a check: the worst of its elements."""
    seen = {match.outcome for match in matches}
    ranked: tuple[Outcome, ...] = ("new", "fixed", "recorded")
    for outcome in ranked:
        if outcome in seen:
            return outcome
    return "as expected"
