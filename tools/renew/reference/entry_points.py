"""Every entry point that the built-in adapters call."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields
from typing import Any

from conformance.adapters.declaration import Declaration
from tools.renew.reference.markdown import table

HEAD = """# Entry points

Every entry point that the built-in adapters call, with its modes, what it can be asked for, and what is documented.
The page is generated (`make renew`), and a test compares it with the adapters.

A field of a contract links to the words that it is taken from; they stand in its tooltip.
An entry point without contract owes exact mathematics and nothing else.
"""

COLUMNS = ("entry point", "takes", "modes", "reductions", "tensors and numbers", "contract")


def page(implementations: list[Declaration]) -> str:
    """The page for these implementations, a table for each backend."""
    parts = [HEAD]
    for backend in dict.fromkeys(one.adapter for one in implementations):
        own = [one for one in implementations if one.adapter == backend]
        entries = dict.fromkeys(one.entry for one in own)
        rows = [_row([one for one in own if one.entry == entry]) for entry in entries]
        parts.append(f"\n## {backend}\n\n{table(COLUMNS, rows)}")
    return "".join(parts)


def _row(modes: list[Declaration]) -> tuple[str, ...]:
    first = modes[0]
    name = f"`{first.entry}`" if not first.link else f"[`{first.entry}`]({first.link})"
    takes = first.form + (" and hard labels" if first.labels == "hard" else "")
    asked = ", ".join((*first.options, *first.parameters)) or "–"
    contract = "; ".join(_fields(modes)) or "–"
    return name, takes, ", ".join(one.mode for one in modes), ", ".join(first.reductions), asked, contract


def _fields(modes: list[Declaration]) -> Iterator[str]:
    """The fields of all modes, then those of some, which are named."""
    every = dict.fromkeys(field for one in modes for field in one.contract)
    having = {field: [one.mode for one in modes if field in one.contract] for field in every}
    for field in sorted(every, key=lambda field: len(having[field]) < len(modes)):
        where = "" if len(having[field]) == len(modes) else f"in {', '.join(having[field])}: "
        yield where + _field(field)


def _field(field: Any) -> str:
    """A field with its values, linked to its source."""
    values = " ".join(_values(field))
    words = field.source.quote.replace('"', "'").replace("|", "\\|").replace("\n", " ")
    return f'[{field.name}{" " + values if values else ""}]({field.source.link} "{words}")'


def _values(field: Any) -> Iterator[str]:
    for one in fields(field):
        if one.name not in ("source", "name"):
            yield str(getattr(field, one.name))
