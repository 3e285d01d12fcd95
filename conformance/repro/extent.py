"""How wide a bug is, as far as a run has seen it: entry points, quantities, modes and dtypes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from conformance.ids import ImplementationId
from conformance.record.record import CheckLine, FindingLine
from conformance.repro.finding import as_written

#: Findings about how a call ends, which every quantity of that call has.
WHOLE_CALL = frozenset(("raised", "unsupported", "crashed", "timed-out", "accepted"))


@dataclass(kw_only=True)
class Row:
    """What a run saw of one entry point and quantity: `elements` findings, in which dtypes and modes."""

    entry: str
    quantity: str
    elements: int = 0
    dtypes: dict[str, None] = field(default_factory=dict)
    modes: dict[str, None] = field(default_factory=dict)


def extent(found: Iterable[tuple[CheckLine, FindingLine]]) -> list[Row]:
    """A row for each entry point and quantity of some findings, the one with the most first.

    Raises InputError where the record is not one that a run writes.
    """
    rows: dict[tuple[str, str], Row] = {}
    with as_written():
        for check, finding in found:
            own = ImplementationId.parse(check.implementation)
            quantity = "the call" if finding.what in WHOLE_CALL else check.quantity
            row = rows.setdefault((own.family, quantity), Row(entry=own.family, quantity=quantity))
            row.elements += 1
            row.dtypes[check.dtype] = None
            row.modes[own.mode] = None
    return sorted(rows.values(), key=lambda row: -row.elements)
