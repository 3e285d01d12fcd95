"""The projects that a report can be for, and what their forms ask for: `projects.toml`."""

from __future__ import annotations

from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path

import msgspec
from msgspec import Struct

from conformance.adapters.declaration import BASE_MODE
from conformance.ids import ImplementationId
from conformance.render.markdown import code


class Section(Struct, frozen=True, forbid_unknown_fields=True):
    """A heading of a form, and what stands below it: `parts` of a report, or a `text`."""

    heading: str
    parts: tuple[str, ...] = ()
    text: str = ""


class Project(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A project with a tracker of its own.

    Its people call an entry point by its name in the `package`, an adapter or a mode by `words` after it.
    `prefix` starts the titles of its reports, `versions` is the command whose output its form wants, `rules` say what
    it demands of reports, of those that tools helped to write above all.
    """

    name: str
    repository: str
    implementations: tuple[str, ...]
    form: str
    versions: str
    rules: str
    sections: tuple[Section, ...]
    prefix: str = ""
    package: str = ""
    words: dict[str, str] = {}

    def mode(self, name: str) -> str:
        """How a mode is called after the name of an entry point; "" for a plain call."""
        return "" if name == BASE_MODE else self.words.get(name, f"in mode {name}")


class _File(Struct, frozen=True, forbid_unknown_fields=True):
    projects: tuple[Project, ...]


@cache
def projects() -> tuple[Project, ...]:
    """All projects, in the order in which they are looked through."""
    return msgspec.toml.decode(Path(__file__).with_name("projects.toml").read_bytes(), type=_File).projects


def project_of(implementation: str) -> Project | None:
    """The project that an implementation, by its id, is of; None for one of nobody's, such as a textbook's formula."""
    for one in projects():
        if any(fnmatchcase(implementation, pattern) for pattern in one.implementations):
            return one
    return None


def called(implementation: str) -> str:
    """What the people of its project call an implementation: entry point, variant, backend and mode, as Markdown."""
    one, project = ImplementationId.parse(implementation), project_of(implementation)
    name, _, variant = one.entry.partition("[")
    if project is None:
        return f"{code(one.entry)} ({code(one.backend)})"
    options = ", ".join(variant.rstrip("]").split("][")) if variant else ""
    public = ".".join(filter(None, (project.package, name)))
    after = [f"with {options}" if options else "", project.words.get(one.backend, ""), project.mode(one.mode)]
    return " ".join(filter(None, (code(public), *after)))
