"""How wide a bug is, as far as a run has seen it: entry points, quantities, dtypes, inputs, the worst error."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from conformance.ids import ImplementationId
from conformance.numbers.formats import FORMATS
from conformance.numbers.literals import text_of
from conformance.record.record import CheckLine, FindingLine, InputsLine, RunRecord
from conformance.repro.finding import as_written

#: So many tensors of a row are named.
NAMED = 4

#: Findings about how a call ends, which every quantity of that call has.
WHOLE_CALL = frozenset(("raised", "unsupported", "crashed", "timed-out", "accepted"))


@dataclass(kw_only=True)
class Row:
    """What a run saw of one entry point and quantity: `elements` findings, predictions between `low` and `high`.

    Predictions that are no numbers are in `special`, names of tensors that have shapes of their own in `tensors`.
    `worst_ulp` is in ULP of the returned dtype, None where nothing was measured, or the exact value is 0.
    """

    entry: str
    quantity: str
    elements: int = 0
    dtypes: dict[str, None] = field(default_factory=dict)
    modes: dict[str, None] = field(default_factory=dict)
    special: dict[str, None] = field(default_factory=dict)
    tensors: dict[str, None] = field(default_factory=dict)
    low: float = math.inf
    high: float = -math.inf
    worst_ulp: float | None = None

    @property
    def inputs(self) -> str:
        """The predictions in words."""
        ends = dict.fromkeys(f"{end:.4g}" for end in (self.low, self.high) if math.isfinite(end))
        words = [" … ".join(ends)] if ends else []
        names = list(self.tensors)
        more = [f"and {len(names) - NAMED} more"] if len(names) > NAMED + 1 else names[NAMED:]
        shapes = [f"tensors {', '.join((*names[:NAMED], *more))}"] if names else []
        return "; ".join((*[", ".join((*words, *self.special))][: bool(words or self.special)], *shapes))


def extent(record: RunRecord, found: Iterable[tuple[CheckLine, FindingLine]]) -> list[Row]:
    """A row for each entry point and quantity of some findings, the one with the most first.

    Raises InputError where the record is not one that a run writes.
    """
    with as_written():
        return sorted(_rows(record, found).values(), key=lambda row: -row.elements)


def _rows(record: RunRecord, found: Iterable[tuple[CheckLine, FindingLine]]) -> dict[tuple[str, str], Row]:
    rows: dict[tuple[str, str], Row] = {}
    for check, finding in found:
        own = ImplementationId.parse(check.implementation)
        quantity = "the call" if finding.what in WHOLE_CALL else check.quantity
        row = rows.setdefault((own.family, quantity), Row(entry=own.family, quantity=quantity))
        row.elements += 1
        row.dtypes[check.dtype] = None
        row.modes[own.mode] = None
        line = record.inputs_by_case[check.case, check.dtype]
        if finding.element not in (*line.elements, "all") and "." not in finding.element:
            row.tensors[finding.element] = None
            continue
        for value in _predictions(line, finding.element):
            if math.isfinite(value):
                row.low, row.high = min(row.low, value), max(row.high, value)
            else:
                row.special[str(value)] = None
        error = _error(check, line, finding.element)
        if error is not None:
            row.worst_ulp = max(row.worst_ulp or 0.0, error)
    return rows


def _predictions(line: InputsLine, element: str) -> Iterator[float]:
    """The prediction of an element, of which a leg of a relation is part, or of all where the finding is about all."""
    bits = line.inputs["prediction"]
    element = element if element in line.elements else element.rpartition(".")[0]
    places = [line.elements.index(element)] if element in line.elements else range(len(bits))
    for place in places:
        yield float(text_of(int(bits[place], 16), FORMATS[line.dtype]))


def _error(check: CheckLine, line: InputsLine, element: str) -> float | None:
    if element not in check.elements or element not in line.elements:
        return None
    ideals = line.ideal.get(check.quantity, ())
    place, at = check.elements.index(element), line.elements.index(element)
    if len(ideals) == len(line.elements) and float.fromhex(ideals[at]) == 0:
        return None  # a ULP of 0 is that of the smallest number
    return check.ulp[place] if place < len(check.ulp) else None
