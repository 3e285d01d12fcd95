"""Keep the certificates of sweeps: `python -m tools.renew.certificates [FILE or FOLDER ...]`, then `make renew`.

Without arguments they are those of the folder in which `bce-conformance sweep` writes them.  Each becomes a line of
results/certificates/BACKEND.jsonl, in place of the one of its name.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

from conformance.commands.sweep import FOLDER
from conformance.errors import ConformanceError
from conformance.sweep import named
from conformance.sweep.certificate import Certificate
from conformance.sweep.named import Named
from tools.renew import ROOT

CERTIFICATES = ROOT / "results" / "certificates"


def keep(found: Mapping[str, Certificate], folder: Path) -> list[Path]:
    """Write certificates into the files of a folder, by backend, and name these.  Raises InputError."""
    written = []
    for backend in sorted({one.backend for one in found.values()}):
        file = folder / f"{backend}.jsonl"
        before = {one.name: one for one in named.read(file)} if file.exists() else {}
        new = {name: Named(name, one) for name, one in found.items() if one.backend == backend}
        named.write((before | new).values(), file)
        written.append(file)
    return written


def main(words: list[str]) -> int:
    """Keep what is named; the exit code is that of the commands."""
    try:
        written = keep(named.by_name([Path(word) for word in words] or [FOLDER]), CERTIFICATES)
    except ConformanceError as error:
        print(error, file=sys.stderr)
        return int(error.code)
    print(*(file.relative_to(ROOT).as_posix() for file in written), sep="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
