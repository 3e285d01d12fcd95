"""What `measure` found of a loss: the run record, and what users ask of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Self

import msgspec

from conformance.own_loss.allowed import Allowed, unused
from conformance.own_loss.arguments import Arguments
from conformance.plan.cases import Case
from conformance.record.harms import Harms, harms
from conformance.record.record import CheckLine, FindingLine, RunRecord
from conformance.record.summary import CauseSummary, causes

#: Outcomes that fail; an element that is recorded, in a record of `known`, is as expected.
UNEXPECTED = ("new", "fixed")


@dataclass(frozen=True)
class Found:
    """What was found of one loss.

    `record` is the run as the command would have kept it, `cases` holds what was planned, by id, and `arguments` spells
    those of `measure`.
    """

    record: RunRecord
    cases: Mapping[str, Case] = field(repr=False)
    arguments: Arguments = field(repr=False)

    @property
    def checks(self) -> tuple[CheckLine, ...]:
        """All checks: a case × a dtype × a quantity."""
        return self.record.checks

    @property
    def conforms(self) -> bool:
        """Whether every check is as expected, or as recorded in the record that was given."""
        return not any(check.outcome in UNEXPECTED for check in self.checks)

    @property
    def verdicts(self) -> dict[str, int]:
        """Number of checks by verdict; `conforms` and `by-contract` are apart."""
        return dict(self.record.footer.verdicts) if self.record.footer else {}

    @cached_property
    def findings(self) -> tuple[CauseSummary, ...]:
        """What is not as it should be, by cause, with one example each: new ones first, then fixed, then recorded."""
        return tuple(causes(self.record))

    @property
    def worst_ulp(self) -> dict[str, float]:
        """Largest error of each numeric quantity, over all dtypes: condition-scaled, in ULP of the returned dtype.

        A NaN or an infinity in place of a number has no such error: it is a finding.
        """
        worst: dict[str, float] = {}
        for errors in self.worst_ulp_by_dtype.values():
            for quantity, error in errors.items():
                worst[quantity] = max(worst.get(quantity, 0.0), error)
        return worst

    @property
    def worst_ulp_by_dtype(self) -> dict[str, dict[str, float]]:
        """The same for each dtype of the inputs."""
        return {line.dtype: dict(line.worst) for line in self.record.tallies}

    @cached_property
    def harms(self) -> Harms:
        """What each finding does to a training, by check and element."""
        return harms(self.record)

    def without(self, allowed: Sequence[Allowed]) -> tuple[Self, list[str]]:
        """The report without the findings that `allowed` names, and what of `allowed` does not show.

        A check without other findings becomes `recorded`.
        """
        seen: list[tuple[Allowed, str]] = []

        def kept(check: CheckLine) -> Iterator[FindingLine]:
            for finding in check.findings:
                found = [(one, place) for one in allowed if (place := one.place_of(check, finding, self.harms))]
                seen.extend(found)
                if not found:
                    yield finding

        checks = []
        for check in self.checks:
            findings = tuple(kept(check))
            if len(findings) < len(check.findings):
                outcome = next((one.outcome for one in findings if one.outcome in UNEXPECTED), "recorded")
                check = msgspec.structs.replace(check, findings=findings, outcome=outcome)
            checks.append(check)
        return replace(self, record=replace(self.record, checks=tuple(checks))), list(unused(allowed, seen))

    def problem(self, cause: CauseSummary) -> Allowed:
        """What would allow a cause as it shows here, and no more."""
        checks = [check for check in self.checks if any(one.cause == cause.cause for one in check.findings)]
        cases = dict.fromkeys(check.case for check in checks)
        return Allowed(cause=cause.cause, cases=list(cases), harm=cause.harm.word, reason="the reason")
