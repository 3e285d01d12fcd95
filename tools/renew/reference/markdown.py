"""Tables, text and anchors of Markdown, as GitHub and MyST read them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

#: A name in backticks, or a sign that starts an escape, an element, emphasis, a link or a new cell.
SPECIAL = re.compile(r"(`[^`]+`)|[\\`*_<\[|&]")


def table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; a column of which every cell is empty is left out, and nothing is written for no rows."""
    kept = list(rows)
    if not kept:
        return ""
    used = [index for index, _ in enumerate(columns) if any(row[index] for row in kept)]
    lines = [[columns[index] for index in used], ["---"] * len(used), *([row[index] for index in used] for row in kept)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def text(words: str) -> str:
    """Plain text that reads as it stands, on one line, also in a cell of a table; names in backticks become code."""
    return SPECIAL.sub(lambda found: code(found[1][1:-1]) if found[1] else f"\\{found[0]}", " ".join(words.split()))


def code(words: object) -> str:
    """Something to be read to the letter, also in a cell of a table."""
    return f"`{words}`".replace("|", "\\|")


def anchor(heading: str) -> str:
    """The anchor of a heading: lower case, blanks as `-`, and of other signs only `-` and `_`."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
