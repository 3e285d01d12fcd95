"""Badges: what came of each implementation and each backend, for the endpoint badge of shields.io.

Source of the fields: https://shields.io/badges/endpoint-badge
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterator, Sequence

from msgspec import Struct

from conformance.adapters.declaration import PLAIN_CALL
from conformance.errors import Exit
from conformance.ids import backend_of
from conformance.judge.harm import Harm
from conformance.record.harms import Harms, harms
from conformance.record.record import BackendLine, CheckLine, RunRecord
from conformance.render.characters import clean

#: Verdicts that need no problem, in the order of the message; those of GREEN are told even where there are none.
EXPECTED = ("conforms", "by-contract", "rejects", "recorded")
GREEN = EXPECTED[:2]

#: The colour of a badge whose worst problem does this harm; what is new is red.
COLORS = {
    Harm.BREAKS: "orange",
    Harm.MISLEADS: "orange",
    Harm.DRIFTS: "yellow",
    Harm.LAST_DIGITS: "yellow",
    Harm.EDGE: "yellow",
    Harm.REFUSES: "yellow",
}

#: Filters that leave an implementation a part of its checks.
NARROWING = ("preset", "case", "flag", "dtype", "quantity")

#: A part of an id that is a part of a file's name as it is.
_PLAIN = re.compile(r"[A-Za-z0-9._]+(-[A-Za-z0-9._]+)*")


class Badge(Struct, frozen=True, rename="camel"):
    """The answer of an endpoint; `is_error` where what is shown is not a whole result."""

    label: str
    message: str
    color: str
    is_error: bool = False
    schema_version: int = 1


def badges(record: RunRecord) -> dict[str, Badge]:
    """A badge for each implementation and each backend of the record, by file name."""
    checks: dict[str, list[CheckLine]] = {one.id: [] for one in record.header.implementations}
    for check in record.checks:
        checks.setdefault(check.implementation, []).append(check)
    weighed = harms(record)
    made = {file_name(name): _badge(record, name, found, weighed) for name, found in checks.items()}
    for line in record.header.backends:
        found = [check for name, own in checks.items() if backend_of(name) == line.name for check in own]
        made[file_name(line.name)] = _missing(record, line) or _badge(record, line.name, found, weighed)
    return made


def file_name(name: str) -> str:
    """A name for the file of an id: the same in every run, and of no other id.

    Slashes become `--`.  An id with anything but letters, digits, `.`, `_` and single `-` gets a part of its SHA-256.
    """
    parts = name.split("/")
    plain = "--".join(re.sub(r"[^A-Za-z0-9._]+", "-", part).strip("-.") for part in parts)
    if all(_PLAIN.fullmatch(part) and part.strip(".") == part for part in parts):
        return f"{plain}.json"
    return f"{plain}--{hashlib.sha256(name.encode()).hexdigest()[:12]}.json"


def _missing(record: RunRecord, line: BackendLine) -> Badge | None:
    """The badge of a backend that has nothing to show."""
    word = "absent" if line.absent is not None else "failed" if line.failed is not None else ""
    return Badge(_label(record, line.name), word, "lightgrey", True) if word else None


def _badge(record: RunRecord, name: str, checks: Sequence[CheckLine], weighed: Harms) -> Badge:
    """Counts of the checks that need no problem, and of problems by the harm that they do here, which give the colour.

    Findings that no problem explains count by their cause, once.
    """
    label = _label(record, name)
    if record.footer is None:
        return Badge(label, "interrupted", "lightgrey", True)
    if not checks:
        return Badge(label, "nothing was run", "lightgrey", True)
    counts = Counter(check.verdict for check in checks)
    shown = [verdict for verdict in EXPECTED if counts[verdict] or verdict in GREEN]
    words = [f"{verdict.replace('by-contract', 'by contract')} {counts[verdict]}" for verdict in shown]
    worst = _problems(checks, weighed)
    by_harm = Counter(worst.values())
    words += [f"{harm.word} {by_harm[harm]}" for harm in Harm if by_harm[harm]]
    words += [f"new {new}"] if (new := sum(check.outcome == "new" for check in checks)) else []
    fine = "brightgreen" if counts["conforms"] == len(checks) else "green"
    color = "red" if new else COLORS[max(by_harm)] if by_harm else fine
    message = " · ".join([*words, *_incomplete(record)])
    return Badge(label, message, color, record.footer.exit == Exit.HARNESS_FAILED)


def _problems(checks: Sequence[CheckLine], weighed: Harms) -> dict[str, Harm]:
    """The worst harm that each recorded problem does in some checks."""
    found: dict[str, Harm] = {}
    for check in checks:
        for finding in check.findings:
            if finding.outcome == "recorded":
                problem, harm = finding.problem or finding.cause, weighed[check.id, finding.element]
                found[problem] = max(harm, found.get(problem, harm))
    return found


def _incomplete(record: RunRecord) -> Iterator[str]:
    """What keeps a record from telling everything of an implementation."""
    if any(record.header.filters.get(one) for one in NARROWING):
        yield "part of the checks"
    if record.footer is not None and record.footer.exit == Exit.HARNESS_FAILED:
        yield "not all was run"


def _label(record: RunRecord, name: str) -> str:
    """The id without what goes without saying, and the version of the package that is called as the backend is."""
    backend = backend_of(name)
    versions = next((line.versions for line in record.header.backends if line.name == backend), {})
    version = versions.get(backend, "")
    return clean(f"{name.removesuffix(PLAIN_CALL)} {version}".strip())
