"""The vocabulary of contracts: what a field says, who declares it, and which case can refute it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from typing import Any, get_type_hints

from conformance.adapters.declaration import Declaration
from conformance.contracts import VOCABULARY, Source
from conformance.plan.cases import Suite
from tools.renew.reference.case_page import place
from tools.renew.reference.markdown import anchor, code, table, text

HEAD = """# Contract fields

What an implementation can document, one class of `conformance.contracts` for each field.
[Contracts](../contracts.md) has the words of the frameworks, [entry points](entry-points.md) who documents what.
The page is generated (`make renew`).
"""


def page(suite: Suite, implementations: Sequence[Declaration]) -> str:
    """Every field in the order of the vocabulary, then the class of its source."""
    sections = [_section(name, cls, suite, implementations) for name, cls in VOCABULARY.items()]
    source = f"\n## Source\n\n{_paragraphs(Source)}\n{_attributes(Source)}"
    return HEAD + "".join(sections) + source


def _section(name: str, cls: type[Any], suite: Suite, implementations: Sequence[Declaration]) -> str:
    families = {one.family: one.adapter for one in implementations if any(field.name == name for field in one.contract)}
    probes = [one.case.id for one in suite.cases if (one.case.probe or "").partition(":")[0] == name]
    declared = ", ".join(
        f"[{backend}](entry-points.md#{anchor(backend)}) ({sum(one == backend for one in families.values())})"
        for backend in dict.fromkeys(families.values())
    )
    return (
        f"\n## {name}\n\n{_paragraphs(cls)}\n{_attributes(cls)}\n"
        f"- class: `conformance.contracts.{cls.__name__}`\n"
        f"- declared by entry points of: {declared or 'no built-in adapter'}\n"
        f"- probes: {', '.join(f'[{code(one)}]({place(one)})' for one in probes)}\n"
    )


def _paragraphs(cls: type[Any]) -> str:
    return "".join(f"{text(part)}\n\n" for part in (cls.__doc__ or "").split("\n\n")).rstrip("\n") + "\n"


def _attributes(cls: type[Any]) -> str:
    hints = get_type_hints(cls)
    own = [one.name for one in fields(cls) if one.name != "name"]
    return table(("attribute", "type"), [(code(name), code(hints[name].__name__)) for name in own])
