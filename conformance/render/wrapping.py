"""Lines in the width that there is: nothing is cut off, and a name is broken only where it has no line of its own."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import accumulate

from rich.cells import get_character_cell_size
from rich.text import Text

from conformance.render.characters import clean

#: Columns by which what goes on below a line is indented further.
HANG = 4

#: Blanks that would end a line within a line.
_BLANK = re.compile(r"[\t\n\r]")

_WORD = re.compile(r"\S+")

#: Parts of a name or path, each with the separators that it ends with.
_PART = re.compile(r"[^/_.:,]*[/_.:,]+|[^/_.:,]+")


def wrap(line: Text, width: int) -> list[Text]:
    """The line as lines of `width` columns at most, those below it indented by HANG more than it is.

    A character of an East Asian script takes two columns; one that a terminal would obey is taken out.
    """
    plain = _BLANK.sub(" ", clean(line.plain))
    line = Text(plain, line.style, spans=line.spans)
    columns = [0, *accumulate(map(get_character_cell_size, plain))]
    below = min(len(plain) - len(plain.lstrip()) + HANG, width // 2)
    found: list[Text] = []
    begin = end = 0
    for start, stop in _places(plain, columns, width - below):
        if end and columns[stop] - columns[begin] > width - (below if found else 0):
            found.append(_from(line, begin, end, below if found else 0))
            begin = start
        end = stop
    return [*found, _from(line, begin, end, below if found else 0)]


def _from(line: Text, begin: int, end: int, indent: int) -> Text:
    part: Text = line[begin:end]
    return Text(" " * indent) + part


def _places(plain: str, columns: Sequence[int], width: int) -> Iterator[tuple[int, int]]:
    """Where what is not to be broken begins and ends; before each character there are so many columns."""
    for word in _WORD.finditer(plain):
        if columns[word.end()] - columns[word.start()] <= width:
            yield word.span()
            continue
        for part in _PART.finditer(plain, word.start(), word.end()):
            begin = part.start()
            for place in range(begin + 1, part.end()):
                if columns[place + 1] - columns[begin] > width:
                    yield begin, place
                    begin = place
            yield begin, part.end()
