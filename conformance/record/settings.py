"""What a setting of the workers' environment changes: one record under it against another without it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from conformance.ids import backend_of
from conformance.numbers.formats import FORMATS, Tensor, decode, ulp
from conformance.record.record import CheckLine, RunRecord


@dataclass(kw_only=True)
class Row:
    """One backend under one setting, against its default setting.

    `checks` and `results` (elements of numeric checks) are those that were seen under both settings; `bits` results
    and `verdicts` checks differ.  `worst_ulp` is the largest difference of two finite results in ULP of the larger;
    `turned` counts results that became finite, infinite, NaN, of another dtype or none and were something else.
    `reports` are the switches that the runtime says to have changed, `new` the checks that have a new deviation and had
    none.
    """

    backend: str
    setting: dict[str, str]
    state: str = ""
    reports: dict[str, str] = field(default_factory=dict)
    checks: int = 0
    results: int = 0
    bits: int = 0
    verdicts: int = 0
    worst_ulp: float = 0.0
    turned: int = 0
    new: list[str] = field(default_factory=list)

    @property
    def share(self) -> float:
        """The part of the results that has other bits."""
        return self.bits / self.results if self.results else 0.0


def compare(backend: str, setting: dict[str, str], before: RunRecord, after: RunRecord) -> Row:
    """What `setting` changes in the checks of `backend`: `before` is a run without it, `after` one with it."""
    row = Row(backend=backend, setting=setting)
    switches = [{line.name: line for line in record.header.backends}.get(backend) for record in (before, after)]
    if switches[1] is not None:
        row.state = switches[1].absent or switches[1].failed or ""
    if switches[0] is not None and switches[1] is not None and not row.state:
        old, new = switches[0].environment, switches[1].environment
        row.reports = {name: str(value) for name, value in new.items() if old.get(name) != value}
    known = {line.id: line for line in before.checks}
    for line in after.checks:
        if backend_of(line.implementation) == backend and line.id in known:
            _count(row, known[line.id], line)
    return row


def _count(row: Row, before: CheckLine, after: CheckLine) -> None:
    row.checks += 1
    row.verdicts += before.verdict != after.verdict
    if after.outcome == "new" and before.outcome != "new":
        row.new.append(after.id)
    if before.result_dtype != after.result_dtype or len(before.bits) != len(after.bits):
        count = max(len(before.bits), len(after.bits))
        row.results, row.bits, row.turned = row.results + count, row.bits + count, row.turned + count
        return
    other = [pair for pair in zip(before.bits, after.bits, strict=True) if pair[0] != pair[1]]
    row.results += len(after.bits)
    row.bits += len(other)
    if other and before.result_dtype in FORMATS:
        worst, turned = distance(other, before.result_dtype)
        row.worst_ulp, row.turned = max(row.worst_ulp, worst), row.turned + turned


def distance(pairs: Sequence[tuple[str, str]], dtype: str) -> tuple[float, int]:
    """The largest difference of two finite results in ULP of the larger, and how many pairs differ in class.

    The classes are finite, plus infinity, minus infinity, NaN, and no result at all.
    """
    whole = [pair for pair in pairs if all(pair)]
    fmt = FORMATS[dtype]
    columns = ([int(pair[side], 16) for pair in whole] for side in (0, 1))
    old, new = (decode(Tensor(dtype, np.array(bits, dtype=fmt.storage))) for bits in columns)
    finite = np.isfinite(old) & np.isfinite(new)
    same = finite | (old == new) | (np.isnan(old) & np.isnan(new))
    with np.errstate(over="ignore"):
        larger = np.maximum(np.abs(old[finite]), np.abs(new[finite]))
        error = np.abs(old[finite] - new[finite]) / ulp(larger, fmt)
    return float(error.max(initial=0.0)), len(pairs) - int(same.sum())
