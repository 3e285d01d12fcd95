"""The flags: what each means, where to read about it, and which cases have it."""

from __future__ import annotations

from conformance.plan.cases import Suite
from tools.renew.reference.case_page import place
from tools.renew.reference.markdown import code, text

HEAD = """# Flags

A flag says what the inputs of a case are about; [cases/flags.yaml](../../cases/flags.yaml) defines each one once.
`--flag` of `run` and other commands takes the cases that have it.
The page is generated (`make renew`).
"""


def page(suite: Suite) -> str:
    """Every flag in the order of the file."""
    parts = [HEAD]
    for name, flag in suite.flags.items():
        members = [one.case.id for one in suite.cases if name in one.case.flags]
        parts.append(f"\n## {name}\n\n{text(flag.meaning)}\n\n")
        parts += [f"- <{link}>\n" for link in flag.links]
        parts.append(f"- cases: {', '.join(f'[{code(one)}]({place(one)})' for one in members)}\n")
    return "".join(parts)
