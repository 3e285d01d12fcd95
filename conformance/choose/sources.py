"""The records that a choice is made from: files, the last run, or the run that ships with the suite."""

from __future__ import annotations

from pathlib import Path

from conformance.choose.choose import Source
from conformance.record import record as records
from conformance.run import kept, pinned


def sources(files: tuple[Path, ...], shipped: bool = False) -> tuple[Source, ...]:
    """The records to read, by the names that the reader knows them by."""
    found = [Source(str(file), records.read(file)) for file in files]
    if not found and not shipped and kept.LAST.is_file():
        found = [Source(f"the last run ({kept.LAST})", records.read(kept.LAST))]
    if shipped or not found:
        found.append(
            Source("the run of the pinned environment that ships with the suite", records.read(pinned.shipped_run()))
        )
    return tuple(found)
