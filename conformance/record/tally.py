"""Tallies: what became of an implementation's checks in one dtype, for readers of many records."""

from __future__ import annotations

from collections import Counter

from conformance.judge.harm import Harm
from conformance.quantities import NUMERIC
from conformance.record.harms import harms
from conformance.record.record import RunRecord, TallyLine


def tallies(record: RunRecord) -> tuple[TallyLine, ...]:
    """One line for each implementation and dtype, in the order of the checks."""
    verdicts: dict[tuple[str, str], Counter[str]] = {}
    outcomes: dict[tuple[str, str], Counter[str]] = {}
    worst: dict[tuple[str, str], dict[str, float]] = {}
    problems: dict[tuple[str, str], dict[str, Harm]] = {}
    weighed = harms(record)
    for check in record.checks:
        key = (check.implementation, check.dtype)
        verdicts.setdefault(key, Counter())[check.verdict] += 1
        outcomes.setdefault(key, Counter())[check.outcome] += 1
        errors = [error for error in check.ulp if error is not None] if check.quantity in NUMERIC else []
        if errors:
            known = worst.setdefault(key, {})
            known[check.quantity] = max(known.get(check.quantity, 0.0), *errors)
        for finding in check.findings:
            if finding.problem and finding.outcome == "recorded":
                told, harm = problems.setdefault(key, {}), weighed[check.id, finding.element]
                told[finding.problem] = max(harm, told.get(finding.problem, harm))
    return tuple(
        TallyLine(
            implementation=key[0],
            dtype=key[1],
            verdicts=dict(sorted(verdicts[key].items())),
            outcomes=dict(sorted(outcomes[key].items())),
            worst=worst.get(key, {}),
            problems={name: harm.word for name, harm in sorted(problems.get(key, {}).items())},
        )
        for key in verdicts
    )
