"""YAML 1.2 into typed, frozen structures, with the line of every mistake.

Only plain data is read: no anchors, no aliases (so no alias bombs), no tags, no duplicate keys.
Numbers stay the text that the file holds, because a literal is rounded once, from that text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeVar

import msgspec
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import AliasEvent, CollectionEndEvent, CollectionStartEvent
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from conformance.errors import InputError, at

T = TypeVar("T")

#: Larger or deeper files are refused before anything is built from them.
MAX_BYTES = 1 << 20
MAX_DEPTH = 16

_TAG = "tag:yaml.org,2002:"
_PATH = re.compile(r" - at `(?P<key>key in )?\$(?P<path>[^`]*)`\Z")
_STEP = re.compile(r"\.([^.\[]+)|\[(\d+|\.\.\.)\]")

Lines = dict[tuple[str | int, ...], int]


def load(file: Path, type_: type[T]) -> tuple[T, Lines]:
    """Read `file` as `type_`, a msgspec structure; also the line (from 1) of each path in it.

    Raises InputError with file, line, requirement and value for anything that is not exactly that.
    """
    text = read_text(file)
    lines: Lines = {}
    tree = _plain(_node(file, text), file, (), lines)
    return convert(tree, type_, file, lines), lines


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


def read_text(file: Path) -> str:
    """The text of a UTF-8 file of at most MAX_BYTES."""
    try:
        data = file.read_bytes()
    except OSError as error:
        raise InputError(f"{file}: cannot be read: {error.strerror}") from None
    if len(data) > MAX_BYTES:
        raise at(file, 1, f"a file must hold at most {MAX_BYTES} bytes (got {len(data)})")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise at(file, line, f"must be UTF-8 (got byte 0x{data[error.start]:02x})", "save the file as UTF-8") from None


def _node(file: Path, text: str) -> Node:
    try:
        depth = 0
        for event in _parser().parse(text):
            if isinstance(event, AliasEvent):
                raise at(
                    file, event.start_mark.line + 1, f"aliases are not allowed (got *{event.anchor})", "write it out"
                )
            if getattr(event, "anchor", None):
                raise at(file, event.start_mark.line + 1, f"anchors are not allowed (got &{event.anchor})")
            depth += isinstance(event, CollectionStartEvent) - isinstance(event, CollectionEndEvent)
            if depth > MAX_DEPTH:
                raise at(file, event.start_mark.line + 1, f"nesting must be at most {MAX_DEPTH} deep")
        node: Node | None = _parser().compose(text)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 1
        raise at(file, line, f"is not YAML 1.2: {error.problem or error.context}") from None
    except YAMLError as error:
        raise at(file, 1, f"is not YAML 1.2: {str(error).splitlines()[0]}") from None
    if node is None:
        raise at(file, 1, "is empty")
    return node


def _parser() -> YAML:
    return YAML(typ="safe", pure=True)


def _plain(node: Node, file: Path, path: tuple[str | int, ...], lines: Lines) -> Any:
    lines[path] = node.start_mark.line + 1
    if isinstance(node, MappingNode):
        return _mapping(node, file, path, lines)
    if isinstance(node, SequenceNode):
        if str(node.tag) != _TAG + "seq":
            raise at(file, lines[path], f"tags are not allowed (got {node.tag})")
        return [_plain(child, file, (*path, index), lines) for index, child in enumerate(node.value)]
    assert isinstance(node, ScalarNode)
    kind = str(node.tag).removeprefix(_TAG)
    if kind == "null":
        return None
    if kind == "bool":
        return node.value.lower() == "true"
    if kind in ("str", "int", "float", "timestamp"):  # YAML 1.2 knows no timestamps; the parser does
        return node.value
    raise at(file, lines[path], f"tags are not allowed (got {node.tag})", "quote the value if it is text")


def _mapping(node: MappingNode, file: Path, path: tuple[str | int, ...], lines: Lines) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for key, child in _items(node, file):
        if key in result:
            raise at(file, child.start_mark.line + 1, f"duplicate key {key!r}")
        result[key] = _plain(child, file, (*path, key), lines)
    return result


def _items(node: MappingNode, file: Path) -> Iterator[tuple[str, Node]]:
    if str(node.tag) != _TAG + "map":
        raise at(file, node.start_mark.line + 1, f"tags are not allowed (got {node.tag})")
    for key, child in node.value:
        if not isinstance(key, ScalarNode):
            raise at(file, key.start_mark.line + 1, "a key must be text")
        yield key.value, child


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
