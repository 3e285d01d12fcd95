"""The records that a choice is made from: files, the last run if it has what is asked, or the run that ships.

And what they do not tell: what was not measured, and where.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from conformance.choose.choose import NOT_MEASURED, Choice, Source
from conformance.choose.needs import Stated
from conformance.ids import ImplementationId
from conformance.record import record as records
from conformance.record.record import BackendLine, RunRecord
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
        missing = ", ".join(_missing(last, stated))
        if not missing:
            return Read((Source(f"the last run ({kept.LAST})", last),))
        notes = (f"the last run, which was not read: {missing} (`choose {kept.LAST} …` reads it)",)
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


# -- what they do not tell -------------------------------------------------------------------------------------------

#: What a device is called in a sentence.
DEVICES = {"cpu": "CPU"}


def limits(choice: Choice) -> Iterator[str]:
    """What is not known, a part of a sentence for each."""
    records = [source.record for source in choice.sources]
    ids = [one.id for record in records for one in record.header.implementations]
    devices = list(dict.fromkeys(ImplementationId.parse(name).device for name in ids))
    if len(devices) == 1:
        yield f"other devices than {DEVICES.get(devices[0], devices[0])}"
    ran = dict.fromkeys(check.implementation for record in records for check in record.checks)
    if not any(one.is_compiled and one.id in ran for record in records for one in record.header.implementations):
        yield "compiled modes (`run --mode '*'`)"
    yield from _needs(choice)
    if not any(row.speeds for row in choice.rows):
        dtypes = " ".join(f"--dtype {name}" for name in choice.stated.dtypes)
        yield f"speed in {', '.join(choice.stated.dtypes)} (`run --speed {dtypes}`)"
    for source in choice.sources:
        yield from _of(source, len(choice.sources) > 1)
    yield "other versions"


def _needs(choice: Choice) -> Iterator[str]:
    """The needs that were measured of nothing."""
    for index, need in enumerate(choice.stated.needs):
        if choice.rows and all(row.answers[index].status == NOT_MEASURED for row in choice.rows):
            yield f"{need.name}, which was measured of no implementation"


def _of(source: Source, several: bool) -> Iterator[str]:
    """What one run has not measured."""
    record, where = source.record, f"{source.name}: " if several else ""
    header = record.header
    if record.interrupted:
        yield f"{where}INTERRUPTED: the run has no end, and what it had not come to counts as not measured"
    if "quick" in header.filters.get("preset", ()):
        yield f"{where}a quick run: {header.planned} of {header.planned + header.skipped} checks"
    narrowed = {name: values for name, values in header.filters.items() if name not in ("mode", "preset")}
    if narrowed and "preset" not in header.filters:
        said = ", ".join(f"{name} {' '.join(values)}" for name, values in narrowed.items())
        yield f"{where}{header.skipped} checks that filters left out ({said})"
    yield from (f"{where}{text}" for line in header.backends for text in _unopened(line))
    if strange := [line.name for line in header.backends if line.versions and not line.pinned]:
        yield f"{where}the versions that the suite's record is about, of {', '.join(strange)}"


def _unopened(line: BackendLine) -> Iterator[str]:
    """Why a backend was not run."""
    if line.absent is not None:
        yield f"{line.name}, which was absent: {line.absent}"
    if line.failed is not None:
        yield f"{line.name}, which could not be opened: {line.failed}"
