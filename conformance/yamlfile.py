"""YAML 1.2 into typed, frozen structures, with the line of every mistake.

Only plain data is read: no anchors, no aliases (so no alias bombs), no tags, no duplicate keys.
Numbers stay the text that the file holds, because a literal is rounded once, from that text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import takewhile
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import yaml
from yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    MappingEndEvent,
    MappingStartEvent,
    NodeEvent,
    ScalarEvent,
    SequenceEndEvent,
)

from conformance import regular
from conformance.errors import InputError, at

T = TypeVar("T")

#: Larger or deeper files are refused before anything is built from them.
MAX_BYTES = 1 << 20
MAX_DEPTH = 16

#: libyaml, which knows the syntax of YAML 1.2; schema 1.1 of PyYAML's constructors (`no`, `1:30`) is not used.
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

#: Plain scalars that are no text in the core schema of YAML 1.2 (section 10.3.2); numbers stay text here.
_WORDS: dict[str, bool | None] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}

#: What a terminal would obey, or show in another order; YAML and JSON let it in by an escape (YAML 1.2, 5.7).
CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")

_PATH = re.compile(r" - at `(?P<key>key in )?\$(?P<path>[^`]*)`\Z")
_STEP = re.compile(r"\.([^.\[]+)|\[(\d+|\.\.\.)\]")

Lines = dict[tuple[str | int, ...], int]


def load(file: Path, type_: type[T]) -> tuple[T, Lines]:
    """Read `file` as `type_`, a msgspec structure; also the line (from 1) of each path in it.

    Raises InputError with file, line, requirement and value for anything that is not exactly that.
    """
    tree, lines = read(file)
    return convert(tree, type_, file, lines), lines


def read(file: Path) -> tuple[Any, Lines]:
    """Read `file` as plain data, whatever it is; raises InputError for what is not the YAML that is taken here."""
    reader = _Reader(file)
    return reader.document(read_text(file, MAX_BYTES)), reader.lines


def convert(tree: Any, type_: type[T], file: object, lines: Lines) -> T:
    """`tree` as `type_`; a mismatch is an InputError at the line of its path."""
    try:
        return msgspec.convert(tree, type_, strict=True)
    except msgspec.ValidationError as error:
        message = str(error)
        found = _PATH.search(message)
        path = _steps(found["path"]) if found else ()
        shown = _PATH.sub("", message)
        value = _at_path(tree, path)
        got = f" (got {value!r})" if isinstance(value, str | int | float | bool | None) and path else ""
        where = ".".join(str(step) for step in path) or "the file"
        raise at(file, _line(lines, path, tree, shown), f"{where}: {shown}{got}") from None


def read_text(file: Path, most: int = regular.MOST) -> str:
    """The text of a regular UTF-8 file, of at most so many bytes.  Raises InputError."""
    data = regular.content(file, most=most)
    regular.must_be_utf8(file, data)
    return data.decode("utf-8")


@dataclass
class _Reader:
    """Builds plain data from the events of one file, and notes the line of every path."""

    file: Path
    lines: Lines = field(default_factory=dict)

    def document(self, text: str) -> Any:
        """The one document of the file."""
        try:
            events = yaml.parse(text, Loader=_LOADER)
            tree: Any = ...
            for event in events:
                if isinstance(event, DocumentStartEvent) and tree is not ...:
                    raise self.at(event, "must hold one YAML document (got another)")
                if isinstance(event, NodeEvent):
                    tree = self.node(event, events, ())
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            line = mark.line + 1 if mark else 1
            raise at(self.file, line, f"is not YAML 1.2: {error.problem or error.context}") from None
        except yaml.YAMLError as error:
            raise at(self.file, 1, f"is not YAML 1.2: {str(error).splitlines()[0]}") from None
        if tree is ...:
            raise at(self.file, 1, "is empty")
        return tree

    def node(self, event: Any, events: Iterator[Any], path: tuple[str | int, ...]) -> Any:
        """The node that begins with `event`."""
        if isinstance(event, AliasEvent):
            raise self.at(event, f"aliases are not allowed (got *{event.anchor})", "write it out")
        if event.anchor:
            raise self.at(event, f"anchors are not allowed (got &{event.anchor})")
        if event.tag is not None:
            raise self.at(event, f"tags are not allowed (got {event.tag})", "quote the value if it is text")
        self.lines[path] = event.start_mark.line + 1
        if isinstance(event, ScalarEvent):
            if control := CONTROL.search(event.value):
                raise self.at(event, f"control characters are not allowed (got {control[0]!r})", "take it out")
            return _WORDS.get(event.value, event.value) if event.implicit[0] else event.value
        if len(path) >= MAX_DEPTH:
            raise self.at(event, f"nesting must be at most {MAX_DEPTH} deep")
        if isinstance(event, MappingStartEvent):
            return self.mapping(events, path)
        return [self.node(one, events, (*path, index)) for index, one in enumerate(_until(SequenceEndEvent, events))]

    def mapping(self, events: Iterator[Any], path: tuple[str | int, ...]) -> dict[str, Any]:
        """The mapping whose start is read."""
        result: dict[str, Any] = {}
        for event in _until(MappingEndEvent, events):
            if not isinstance(event, ScalarEvent):
                raise self.at(event, "a key must be text")
            self.node(event, events, (*path, event.value))
            child = next(events)
            if event.value in result:
                raise self.at(child, f"duplicate key {event.value!r}")
            result[event.value] = self.node(child, events, (*path, event.value))
        return result

    def at(self, event: Any, requirement: str, *step: str) -> InputError:
        """An error at the line of `event`."""
        return at(self.file, event.start_mark.line + 1, requirement, *step)


def _until(end: type, events: Iterator[Any]) -> Iterator[Any]:
    return takewhile(lambda event: not isinstance(event, end), events)


def _steps(path: str) -> tuple[str | int, ...]:
    return tuple(int(index) if index.isdigit() else name or index for name, index in _STEP.findall(path))


def _at_path(tree: Any, path: tuple[str | int, ...]) -> Any:
    for step in path:
        try:
            tree = tree[step]
        except (KeyError, IndexError, TypeError):
            return ...
    return tree


def _line(lines: Lines, path: tuple[str | int, ...], tree: Any, message: str) -> int:
    unknown = re.search(r"unknown field `([^`]+)`", message)
    if unknown:
        path = (*path, unknown[1])
    while path not in lines and path:
        path = path[:-1]
    return lines.get(path, 1)
