"""The table of mechanisms in `docs/why.md`, between two comments."""

from __future__ import annotations

import re

from conformance.render.diagnosis import vocabulary
from tools.renew import ROOT

PAGE = "docs/why.md"
_TABLE = re.compile(r"(<!-- mechanisms -->\n).*?(<!-- end -->)", re.DOTALL)


def files() -> dict[str, str]:
    """The page with the table as it is."""
    text = (ROOT / PAGE).read_text(encoding="utf-8")
    return {PAGE: _TABLE.sub(lambda match: f"{match[1]}\n{vocabulary()}\n\n{match[2]}", text)}
