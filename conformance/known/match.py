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

from conformance.ids import CauseId, backend_of
from conformance.judge.verdicts import Finding, Judged
from conformance.known.deviations import INEXACT, INEXACT_CLASSES, Deviation, Record, Selector
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
    deviation: Deviation | None = None
    note: str = ""
    detail: str = ""


@dataclass(frozen=True)
class _Entry:
    deviation: Deviation
    expected: str
    sometimes: bool

    @property
    def classes(self) -> frozenset[str]:
        """The classes that it allows."""
        words = frozenset(self.expected.split("|"))
        return words | INEXACT_CLASSES if INEXACT in words else words

    def explains(self, finding: Finding) -> bool:
        """Whether a finding is of its cause; another signature of a finite number is the same mistake."""
        if finding.what in INEXACT_CLASSES and finding.what in self.classes:
            return CauseId.parse(finding.cause).stem == self.deviation.stem
        return finding.cause == self.deviation.id


#: Errors up to so many budgets are at the edge of being a finding: another kernel's last digit moves them across.
EDGE = 2


class Matcher:
    """Holds judged checks against a record."""

    def __init__(self, record: Record, backends: dict[str, tuple[dict[str, str], dict[str, Any]]]) -> None:
        self._selectors: dict[tuple[str, str], list[tuple[Deviation, Selector]]] = {}
        self._inexact: dict[tuple[str, str], list[tuple[Deviation, Selector]]] = {}
        for one in record.deviations:
            backend = backend_of(one.id)
            if not one.applies(*backends.get(backend, ({}, {}))):
                continue
            for selector in one.selectors:
                self._selectors.setdefault((selector.case, selector.dtype), []).append((one, selector))
                if any(INEXACT in wanted for wanted in selector.elements.values()):
                    self._inexact.setdefault((one.stem, selector.dtype), []).append((one, selector))

    def match(self, check: Seen) -> list[Match]:
        """What is not plainly as expected about a check: recorded, new or fixed elements."""
        entries = self._entries(check)
        matches = [self._match(check, finding, entries.get(finding.element, [])) for finding in check.findings]
        matches.extend(
            Match(
                element=element,
                outcome="fixed",
                cause=entry.deviation.id,
                verdict=check.verdict,
                what=entry.expected,
                deviation=entry.deviation,
            )
            for element, left in entries.items()
            for entry in left
            if not entry.sometimes and not check.in_part
        )
        return matches

    def _match(self, check: Seen, finding: Finding, known: list[_Entry]) -> Match:
        """A finding against what is `known` of its element, of which the entry that it is held against is taken."""
        entry = next((one for one in known if one.explains(finding)), known[0] if known else None)
        if entry is not None:
            known.remove(entry)
        deviation = entry.deviation if entry is not None else self._beside(check, finding)
        note = _differs(entry, check, finding) if entry is not None else ""
        recorded = deviation is not None and not note
        return Match(
            element=finding.element,
            outcome="recorded" if recorded else "new",
            cause=deviation.id if deviation is not None and recorded else finding.cause,
            verdict=finding.verdict,
            what=finding.what,
            deviation=deviation,
            note=note,
            detail=finding.detail,
        )

    def _entries(self, check: Seen) -> dict[str, list[_Entry]]:
        """What is recorded of each element of a check; two causes may claim one element."""
        entries: dict[str, list[_Entry]] = {}
        for deviation, selector in self._selectors.get((check.case, check.dtype), ()):
            if check.quantity in selector.quantities and selector.takes(check.implementation):
                for element, wanted in selector.elements.items():
                    if element in check.elements or check.elements == ("all",):
                        entry = _Entry(deviation, wanted, element in selector.sometimes)
                        entries.setdefault(element, []).append(entry)
        return entries

    def _beside(self, check: Seen, finding: Finding) -> Deviation | None:
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
        return next((one for one, selector in known if selector.takes(check.implementation)), None)


def _looked_at_in_part(check: Judged) -> bool:
    """Whether a check of behaviour, which is about every call of a request, was left fewer calls by the filters."""
    offered = [one for one in check.request.case.numeric if one in check.request.implementation.quantities]
    return check.quantity in BEHAVIOUR and not set(offered) <= set(check.request.quantities)


def _differs(entry: _Entry, check: Seen, finding: Finding) -> str:
    """How a finding differs from what is recorded; "" where it does not."""
    if not entry.explains(finding):
        return f"recorded as {entry.deviation.id}"
    if finding.what not in entry.classes:
        return f"recorded as {entry.expected}, now {finding.what}"
    error = check.error(finding.element)
    if finding.what not in INEXACT_CLASSES or error is None or check.rounds_at_one(finding.element):
        return ""
    largest = 10.0 ** int(entry.deviation.magnitude.get(check.dtype, "0"))
    return "" if error <= largest else f"{error:.6g} ULP, recorded up to about {largest:g}"


def outcome_of(matches: Sequence[Match]) -> Outcome:
    """The outcome of a check: the worst of its elements."""
    seen = {match.outcome for match in matches}
    ranked: tuple[Outcome, ...] = ("new", "fixed", "recorded")
    for outcome in ranked:
        if outcome in seen:
            return outcome
    return "as expected"
