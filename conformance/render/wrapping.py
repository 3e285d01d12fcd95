"""Lines in the width that there is: nothing is cut off, and a name is broken only where it has no line of its own."""

from __future__ import annotations

import re
from collections.abc import Iterator

from rich.text import Text

#: Columns by which what goes on below a line is indented further.
HANG = 4

_WORD = re.compile(r"\S+")

#: Parts of a name or path, each with the separators that it ends with.
_PART = re.compile(r"[^/_.:,]*[/_.:,]+|[^/_.:,]+")


def wrap(line: Text, width: int) -> list[Text]:
    """The line as lines of `width` columns at most, those below it indented by HANG more than it is."""
    plain = line.plain
    below = min(len(plain) - len(plain.lstrip()) + HANG, width // 2)
    found: list[Text] = []
    begin = end = 0
    for start, stop in _places(plain, width - below):
        if end and stop - begin > width - (below if found else 0):
            found.append(_from(line, begin, end, below if found else 0))
            begin = start
        end = stop
    return [*found, _from(line, begin, end, below if found else 0)]


def _from(line: Text, begin: int, end: int, indent: int) -> Text:
    part: Text = line[begin:end]
    return Text(" " * indent) + part


def _places(plain: str, width: int) -> Iterator[tuple[int, int]]:
    """Where what is not to be broken begins and ends."""
    for word in _WORD.finditer(plain):
        if len(word[0]) <= width:
            yield word.span()
            continue
        for part in _PART.finditer(word[0]):
            for start in range(part.start(), part.end(), width):
                yield word.start() + start, word.start() + min(start + width, part.end())
