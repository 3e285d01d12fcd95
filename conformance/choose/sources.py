"""The records that a choice is made from: files, the last run if it has what is asked, or the run that ships."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from conformance.choose.choose import Source
from conformance.choose.needs import Stated
from conformance.record import record as records
from conformance.record.record import RunRecord
from conformance.run import kept, pinned

SHIPPED = "the run that ships with the suite"

#: What a run may have been narrowed to and still tell all that is asked.
HARMLESS = frozenset({"mode"})


@dataclass(frozen=True)
class Read:
    """What is read, and why something else is not."""

    sources: tuple[Source, ...]
    notes: tuple[str, ...] = ()


def sources(files: tuple[Path, ...], stated: Stated, shipped: bool = False) -> Read:
    """The records to read, by the names that the reader knows them by."""
    if files:
        return Read(tuple(Source(str(file), records.read(file)) for file in files))
    notes: tuple[str, ...] = ()
    if not shipped and kept.LAST.is_file():
        last = records.read(kept.LAST)
        missing = "; ".join(_missing(last, stated))
        if not missing:
            return Read((Source(f"the last run ({kept.LAST})", last),))
        notes = (f"The last run was not read: {missing}. `bce-conformance choose {kept.LAST} …` reads it.",)
    return Read((Source(SHIPPED, records.read(pinned.shipped_run())),), notes)


def _missing(record: RunRecord, stated: Stated) -> Iterator[str]:
    """Why a run does not have what is asked."""
    if record.interrupted:
        yield "it has no end"
    if narrowed := sorted(record.header.filters.keys() - HARMLESS):
        yield f"it was narrowed by {', '.join(narrowed)}"
    inputs = record.inputs_by_case
    pairs = [(check, inputs[key]) for check in record.checks if (key := (check.case, check.dtype)) in inputs]
    for need in stated.needs:
        if not any(stated.is_evidence(need, *pair) for pair in pairs):
            yield f"it has nothing about {need.name}"
