"""The table of mechanisms in `docs/why.md`, between two comments."""

from __future__ import annotations

import re

from conformance.diagnosis.vocabulary import DESCRIPTIONS
from tools.renew import ROOT
from tools.renew.reference import markdown

PAGE = "docs/why.md"
_TABLE = re.compile(r"(<!-- mechanisms -->\n).*?(<!-- end -->)", re.DOTALL)


def table() -> str:
    """The mechanisms and what they mean."""
    rows = [
        (
            mechanism.value,
            described.meaning,
            described.condition,
            " ".join(f"[{number}]({link})" for number, link in enumerate(described.links, 1)),
        )
        for mechanism, described in DESCRIPTIONS.items()
    ]
    return markdown.table(("mechanism", "meaning", "decided by", "read"), rows)


def files() -> dict[str, str]:
    """The page with the table as it is."""
    text = (ROOT / PAGE).read_text(encoding="utf-8")
    return {PAGE: _TABLE.sub(lambda match: f"{match[1]}\n{table()}\n{match[2]}", text)}
