"""Gather the fragments of changelog.d/ into CHANGELOG.md: `python -m tools.changelog`.

A fragment is `SLUG.KIND.md` and holds one entry.  A file of its own for each change lets two branches add one each
without a conflict.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from conformance.errors import InputError

ROOT = Path(__file__).resolve().parent.parent

#: Kinds of entries, and how the heading of each begins in the changelog.
KINDS = {
    "judged": "What is judged",
    "run": "What is run",
    "own-loss": "For a loss of your own",
    "commands": "Commands and reports",
    "versions": "Versions",
    "outputs": "Outputs that machines read",
    "docs": "Documentation and tests",
}


def fragments(folder: Path) -> list[Path]:
    """The fragments of a folder in order.  Raises InputError for a file that is none."""
    files = sorted(file for file in folder.iterdir() if not file.name.startswith("."))
    for file in files:
        if len(parts := file.name.split(".")) != 3 or parts[1] not in KINDS or parts[2] != "md":
            raise InputError(f"{file} must be named SLUG.KIND.md with a kind of {', '.join(KINDS)}")
    return files


def gathered(changelog: str, files: Iterable[Path]) -> str:
    """The changelog with each fragment as the last entry below the heading of its kind, of what is unreleased."""
    before, mark, rest = changelog.partition("## Unreleased\n")
    section, *released = re.split(r"^(?=## )", rest, maxsplit=1, flags=re.MULTILINE)
    lines = section.split("\n")
    for file in files:
        end = _end(lines, KINDS[file.name.split(".")[1]])
        first, *more = file.read_text(encoding="utf-8").strip().split("\n")
        lines[end:end] = [f"- {first}", *(f"  {line}" for line in more)]
    return "".join([before, mark, "\n".join(lines), *released])


def _end(lines: list[str], heading: str) -> int:
    """Where the entries below a heading end."""
    start = next((n for n, line in enumerate(lines) if line.startswith(heading)), None)
    if start is None:
        raise InputError(f"CHANGELOG.md must have a heading {heading!r} below 'Unreleased'")
    others = (n for n, line in enumerate(lines) if n > start and line and not line.startswith(("- ", "  ")))
    end = next(others, len(lines))
    while not lines[end - 1]:
        end -= 1
    return end


if __name__ == "__main__":
    found = fragments(ROOT / "changelog.d")
    page = ROOT / "CHANGELOG.md"
    page.write_text(gathered(page.read_text(encoding="utf-8"), found), encoding="utf-8")
    for one in found:
        one.unlink()
