"""What generates pages and data of the repository.

`make renew` writes everything that follows from the code and from what is kept (`everything`), in seconds and without
a framework.  `readme` and `pinned` need a whole run, `versions` runs and searches of other versions,
`certificates` sweeps; they are called by name.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

from conformance.record.record import RunRecord, read

ROOT = Path(__file__).resolve().parent.parent.parent


@cache
def kept_run(name: str) -> RunRecord:
    """A run that is kept in `results/`, read once for all pages."""
    return read(ROOT / "results" / f"{name}.jsonl.gz")
