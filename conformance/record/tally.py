"""Tallies: what became of an implementation's checks in one dtype, for readers of many records."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from conformance.quantities import NUMERIC
from conformance.record.record import CheckLine, TallyLine


def tallies(checks: Iterable[CheckLine]) -> tuple[TallyLine, ...]:
    """One line for each implementation and dtype, in the order of the checks."""
    verdicts: dict[tuple[str, str], Counter[str]] = {}
    outcomes: dict[tuple[str, str], Counter[str]] = {}
    worst: dict[tuple[str, str], dict[str, float]] = {}
    for check in checks:
        key = (check.implementation, check.dtype)
        verdicts.setdefault(key, Counter())[check.verdict] += 1
        outcomes.setdefault(key, Counter())[check.outcome] += 1
        errors = [error for error in check.ulp if error is not None] if check.quantity in NUMERIC else []
        if errors:
            known = worst.setdefault(key, {})
            known[check.quantity] = max(known.get(check.quantity, 0.0), *errors)
    return tuple(
        TallyLine(*key, dict(sorted(verdicts[key].items())), dict(sorted(outcomes[key].items())), worst.get(key, {}))
        for key in verdicts
    )
