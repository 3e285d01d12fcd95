"""Write docs/entry-points.md from what the adapters declare: `python docs/renew_entry_points.py`.

No framework is imported.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

from conformance import run as runs
from conformance.plan import Implementation

PAGE = Path(__file__).parent / "entry-points.md"

HEAD = """# Entry points

Every entry point that the built-in adapters call, with its modes, what it can be asked for, and what is documented.
The page is generated (`python docs/renew_entry_points.py`), and a test compares it with the adapters.

A field of a contract links to the words that it is taken from; they stand in its tooltip.
An entry point without contract owes exact mathematics and nothing else.
"""

COLUMNS = ("entry point", "takes", "modes", "reductions", "tensors and numbers", "contract")


def page(implementations: list[Implementation]) -> str:
    """The page for these implementations, a table for each backend."""
    parts = [HEAD]
    for backend in dict.fromkeys(one.adapter for one in implementations):
        own = [one for one in implementations if one.adapter == backend]
        parts.append(f"\n## {backend}\n\n| {' | '.join(COLUMNS)} |\n|{'---|' * len(COLUMNS)}\n")
        for entry in dict.fromkeys(one.entry for one in own):
            parts.append(_row([one for one in own if one.entry == entry]))
    return "".join(parts)


def _row(modes: list[Implementation]) -> str:
    first = modes[0]
    name = f"`{first.entry}`" if not first.link else f"[`{first.entry}`]({first.link})"
    takes = first.form + (" and hard labels" if first.labels == "hard" else "")
    asked = ", ".join((*first.options, *first.parameters)) or "–"
    common = [_field(field) for field in first.contract if all(field in one.contract for one in modes)]
    own = [
        f"in {one.mode}: {_field(field)}"
        for one in modes
        for field in one.contract
        if any(field not in other.contract for other in modes)
    ]
    contract = "; ".join([*common, *own]) or "–"
    cells = (name, takes, ", ".join(one.mode for one in modes), ", ".join(first.reductions), asked, contract)
    return f"| {' | '.join(cells)} |\n"


def _field(field: Any) -> str:
    """A field with its values, linked to its source."""
    values = " ".join(_values(field))
    words = field.source.quote.replace('"', "'").replace("|", "\\|").replace("\n", " ")
    return f'[{field.name}{" " + values if values else ""}]({field.source.link} "{words}")'


def _values(field: Any) -> Iterator[str]:
    for one in fields(field):
        if one.name not in ("source", "name"):
            yield str(getattr(field, one.name))


def declared() -> list[Implementation]:
    """The implementations of the built-in adapters, on the CPU."""
    with runs.open_pool(runs.Options()) as pool:
        return [one for backend in pool.discover() for one in backend.implementations]


if __name__ == "__main__":
    PAGE.write_text(page(declared()), encoding="utf-8")
