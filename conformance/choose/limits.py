"""What a choice cannot tell: what its runs have not measured, and where they were made."""

from __future__ import annotations

from collections.abc import Iterator

from conformance.choose.choose import NOT_MEASURED, Choice, Source
from conformance.ids import ImplementationId
from conformance.record.record import BackendLine

#: What a device is called in a sentence.
DEVICES = {"cpu": "CPU"}


def limits(choice: Choice) -> Iterator[str]:
    """One sentence for each thing that is not known."""
    records = [source.record for source in choice.sources]
    ids = [one.id for record in records for one in record.header.implementations]
    devices = list(dict.fromkeys(ImplementationId.parse(name).device for name in ids))
    if len(devices) == 1:
        yield f"{DEVICES.get(devices[0], devices[0])} only."
    ran = dict.fromkeys(check.implementation for record in records for check in record.checks)
    if not any(one.is_compiled and one.id in ran for record in records for one in record.header.implementations):
        modes = dict.fromkeys(ImplementationId.parse(name).mode for name in ran)
        yield f"Only {', '.join(modes)} calls, none compiled (`run --mode '*'`)."
    yield from _needs(choice)
    if not any(row.speeds for row in choice.rows):
        dtypes = " ".join(f"--dtype {name}" for name in choice.stated.dtypes)
        yield f"No speed in {', '.join(choice.stated.dtypes)} (`run --speed {dtypes}`)."
    else:
        yield "Speed is that of one thread on one machine."
    for source in choice.sources:
        yield from _of(source, len(choice.sources) > 1)


def _needs(choice: Choice) -> Iterator[str]:
    """The needs that were measured of nothing."""
    for index, need in enumerate(choice.stated.needs):
        if choice.rows and all(row.answers[index].status == NOT_MEASURED for row in choice.rows):
            yield f"{need.name} was measured of no implementation."


def _of(source: Source, several: bool) -> Iterator[str]:
    """What one run has not measured."""
    record, where = source.record, f"{source.name}: " if several else ""
    header = record.header
    if record.interrupted:
        yield f"{where}INTERRUPTED: the run has no end, and what it had not come to counts as not measured."
    if "quick" in header.filters.get("preset", ()):
        yield f"{where}a quick run: {header.planned} of {header.planned + header.skipped} checks."
    narrowed = {name: values for name, values in header.filters.items() if name not in ("mode", "preset")}
    if narrowed and "preset" not in header.filters:
        said = "; ".join(f"{name} {', '.join(values)}" for name, values in narrowed.items())
        yield f"{where}filters left out {header.skipped} checks ({said})."
    yield from (f"{where}{text}" for line in header.backends for text in _missing(line))
    if strange := [line.name for line in header.backends if line.versions and not line.pinned]:
        yield f"{where}not the versions that the suite's record is about: {', '.join(strange)}."
    yield f"{where}Other versions may behave otherwise."


def _missing(line: BackendLine) -> Iterator[str]:
    """Why a backend was not run."""
    if line.absent is not None:
        yield f"{line.name} was absent: {line.absent}"
    if line.failed is not None:
        yield f"{line.name} could not be opened: {line.failed}"
