"""Make the run that ships with the suite: `bce-conformance run --speed`, then `python -m tools.renew.pinned`.

`results/pinned.jsonl.gz` is the last run, or the one whose file or number is named, compressed and otherwise whole,
with the problems as they are known now: every line of it has a reader.  A run without speeds, made where it was too
busy to time anything, keeps those that were shipped before if these are of the same versions and processor.  Refused
is what is not a whole run of the pinned environment that is as expected.
"""

from __future__ import annotations

import sys
from dataclasses import replace

import msgspec

from conformance.adapters.declaration import BASE_MODE
from conformance.errors import ConformanceError, InputError
from conformance.known.record import default_place, load
from conformance.record import record
from conformance.record.record import SCHEMA, RunRecord
from conformance.record.tally import tallies
from conformance.run import kept, pinned
from conformance.run.held import renewed

#: Bytes that the wheel may grow by: a record of everything with its sample and speeds takes three quarters of it.
LARGEST = 6_000_000


def shipped(whole: RunRecord) -> RunRecord:
    """The record as it ships.  Raises InputError where it is not one of a whole run of the pinned environment."""
    header, footer = whole.header, whole.footer
    if footer is None:
        raise InputError("the run must have reached its end (it was interrupted)")
    if footer.exit != 0 or footer.not_run:
        raise InputError(f"the run must be as expected and whole (exit {footer.exit}, {footer.not_run} not run)")
    if header.filters != {"mode": [BASE_MODE]}:
        raise InputError(f"the run must have no filter besides the default mode (got {header.filters})")
    if strange := [line.name for line in header.backends if not line.pinned]:
        raise InputError(f"all backends must have the versions of constraints.txt (not {', '.join(strange)})")
    # A record of an older schema has no tallies.
    return replace(
        whole,
        header=msgspec.structs.replace(header, schema=SCHEMA),
        tallies=whole.tallies or tallies(whole.checks),
    )


def with_speeds(made: RunRecord, before: RunRecord) -> RunRecord:
    """The record with the speeds of the one `before`.  Raises InputError where they were measured on something else."""
    versions = [{line.name: line.versions for line in one.header.backends} for one in (made, before)]
    processors = [str(one.header.machine.get("processor")) for one in (made, before)]
    for ours, theirs in (versions, processors):
        if ours != theirs:
            raise InputError(f"the run has no speeds, and those shipped are of {theirs}, not {ours}", "run --speed")
    return replace(made, speeds=before.speeds)


def main(words: list[str]) -> int:
    """Write the shipped run; the exit code is that of the commands."""
    file = pinned.shipped_run()
    try:
        run = record.read(kept.named(words[0]) if words else kept.LAST)
        made = shipped(renewed(run, load((default_place(),))))
        if not made.speeds and file.is_file():
            made = with_speeds(made, record.read(file))
    except ConformanceError as error:
        print(error, file=sys.stderr)
        return int(error.code)
    record.write(made, file)
    size = file.stat().st_size
    print(f"{file.name}: {len(made.checks)} checks, {len(made.speeds)} speeds, {size} bytes")
    return int(size > LARGEST)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
