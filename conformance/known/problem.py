"""Problems: what is wrong and why, one file each, written by people: `known/PROBLEM.yaml`.

What deviates exactly, element by element, is written by a command (`recorded`); a problem says which of it it explains.
"""

from __future__ import annotations

import ast
import datetime
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

import msgspec
from msgspec import Meta, Struct

from conformance import yamlfile
from conformance.errors import InputError, at
from conformance.ids import CauseId, CheckId, ImplementationId
from conformance.plan.cases import DType, Link, Text

#: What a problem is: a mistake, what its authors meant so, or what an implementation says that it cannot do.
Kind = Literal["bug", "by-design", "unsupported"]

#: What became of an upstream report, as far as it was seen on a day.
State = Literal["open", "closed", "fixed", "declined", "merged"]

#: What to do about it: report it, say something below the report there is, or nothing.
Advice = Literal["file", "comment", "noise"]

Day = Annotated[str, Meta(pattern=r"^\d{4}-\d{2}-\d{2}$")]
Line = Annotated[str, Meta(min_length=1, max_length=120, pattern=r"^[^\n]*$")]

#: Most lines of the code that a report begins with, and characters of one: it is read without scrolling.
LINES, WIDTH = 5, 140

#: A file name of a problem, which is its id.
_ID = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*\Z")


class Upstream(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An upstream report or change: its state on the day it was `seen`, what fixed it, and what was `said` in short."""

    url: Link
    state: State
    seen: Day
    by: Link | None = None
    said: Text | None = None


class Explains(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which recorded findings a problem is about: globs (`*` alone is special) over the parts of their cause.

    A key that is left out takes everything.
    """

    entries: Annotated[tuple[str, ...], Meta(min_length=1)]
    quantities: tuple[str, ...] = ()
    regions: tuple[str, ...] = ()
    signatures: tuple[str, ...] = ()
    dtypes: tuple[DType, ...] = ()
    modes: tuple[str, ...] = ()
    cases: tuple[str, ...] = ()

    def takes_cause(self, cause: CauseId) -> bool:
        """Whether a cause is among them."""
        return (
            _takes(self.entries, cause.family)
            and _takes(self.quantities, cause.quantity)
            and _takes(self.regions, cause.region)
            and _takes(self.signatures, cause.signature)
        )

    def takes(self, case: str, dtype: str, modes: Sequence[str]) -> bool:
        """Whether findings of a cause that it takes are, in these modes all."""
        return (
            (not self.dtypes or dtype in self.dtypes)
            and _takes(self.cases, case)
            and all(_takes(self.modes, mode) for mode in modes)
        )


def _takes(globs: Sequence[str], text: str) -> bool:
    return not globs or any(_pattern(glob).fullmatch(text) for glob in globs)


_PATTERNS: dict[str, re.Pattern[str]] = {}


def _pattern(glob: str) -> re.Pattern[str]:
    """Only `*` is special: brackets are part of entries' names."""
    if glob not in _PATTERNS:
        _PATTERNS[glob] = re.compile(".*".join(map(re.escape, glob.split("*"))))
    return _PATTERNS[glob]


class Opening(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a report begins with: one sentence that `says` what is right for an input and what came, and the `code`.

    The code is a call as a person would type it, of at most LINES lines; it is run, and what it prints stands below it.
    """

    says: Text
    code: Text


class Problem(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One root cause: what goes wrong on which input (`title`), why, who knows of it, and what would mend it.

    `workaround` is what a user of that framework writes instead today.  `mechanism` are words of the closed vocabulary
    of `diagnosis`, checked by running; `elsewhere` are precedents in other projects; `because` says why a finding that
    could be reported should not be.  `shown_by` is the finding that shows it best, a check's id and an element joined
    by `#`; without it, one is chosen.  Without an `opening` a report begins with that finding.  `first` says whom it
    hurts more than its harm alone tells, and puts it before the others that are to be filed.
    """

    title: Line
    kind: Kind
    why: Text
    explains: tuple[Explains, ...]
    advice: Advice
    links: tuple[Upstream, ...] = ()
    mechanism: tuple[str, ...] = ()
    remedy: Text | None = None
    workaround: Line | None = None
    because: Text | None = None
    elsewhere: tuple[Link, ...] = ()
    shown_by: str | None = None
    opening: Opening | None = None
    first: Text | None = None
    id: str = ""

    @property
    def urls(self) -> tuple[str, ...]:
        """Where it is known upstream."""
        return tuple(one.url for one in self.links)


def load(folder: Path) -> dict[str, Problem]:
    """The problems of a folder, by id; none where there is no such folder.

    Raises InputError with file and line for anything that is not a problem.
    """
    files = sorted(folder.glob("*.yaml")) if folder.is_dir() else []
    return {file.stem: load_file(file) for file in files}


def load_file(file: Path) -> Problem:
    """One problem; its id is the name of its file.  Raises InputError."""
    one, lines = yamlfile.load(file, Problem)
    if one.id:
        raise at(file, lines[("id",)], f"the name of the file is the id (got {one.id!r})", "take the line out")
    if not _ID.match(file.stem):
        raise InputError(f"{file}: a problem is named by words of a-z and 0-9 joined by -", "rename the file")
    for index, link in enumerate(one.links):
        _check_day(file, lines[("links", index)], link.seen)
    if one.advice == "noise" and not one.because:
        raise at(file, lines[("advice",)], "advice `noise` owes a reason", "say it as `because`")
    if one.advice != "file" and one.first is not None:
        raise at(
            file, lines[("first",)], f"`first` is of what is to be filed (got advice {one.advice!r})", "take it out"
        )
    if one.advice == "comment" and not one.links:
        raise at(file, lines[("advice",)], "advice `comment` owes the link of what is to be commented on")
    if one.shown_by is not None and shown(one.shown_by) is None:
        raise at(
            file,
            lines[("shown_by",)],
            f"shown_by must be CASE::BACKEND/ENTRY/MODE/DEVICE::DTYPE::QUANTITY#ELEMENT (got {one.shown_by!r})",
            "take it from a line of `bce-conformance known check`, or from the command of a finding",
        )
    if one.opening is not None:
        _check_code(file, lines[("opening", "code")], one.opening.code)
    if not one.explains:
        raise at(file, lines[("explains",)], "a problem must explain something (got [])")
    return msgspec.structs.replace(one, id=file.stem)


class Shown(NamedTuple):
    """The finding that shows a problem best."""

    check: CheckId
    element: str


def shown(text: str) -> Shown | None:
    """What `shown_by` says; None where it is no check's id and an element."""
    check, joined, element = text.partition("#")
    try:
        found = CheckId.parse(check)
        ImplementationId.parse(found.implementation)
    except ValueError:
        return None
    return Shown(found, element) if joined and element else None


def _check_code(file: Path, line: int, code: str) -> None:
    try:
        ast.parse(code)
    except (SyntaxError, ValueError) as error:
        raise at(file, line, f"code must be Python ({error})") from None
    written = code.rstrip("\n").split("\n")
    if len(written) > LINES:
        raise at(file, line, f"code must have at most {LINES} lines (got {len(written)})")
    if max(map(len, written)) > WIDTH:
        raise at(file, line, f"a line of code must have at most {WIDTH} characters (got {max(map(len, written))})")


def _check_day(file: Path, line: int, day: str) -> None:
    try:
        datetime.date.fromisoformat(day)
    except ValueError:
        raise at(file, line, f"seen must be a day (got {day!r})") from None


def json_schema() -> dict[str, Any]:
    """JSON Schema of a problem's file, in which there is no `id`."""
    schema = msgspec.json.schema(Problem)
    del schema["$defs"]["Problem"]["properties"]["id"]
    return schema
