"""A page of all cases, by family: a list of them, and each element by element."""

from __future__ import annotations

from typing import Any

import msgspec

from conformance.plan.cases import Case, Element, Located, Suite
from tools.renew.reference.markdown import anchor, code, table, text

#: What the heading, the first line or the table of elements says already.
TOLD = {"id", "why", "flags", "elements", "grid"}


def page(suite: Suite) -> str:
    """Every case with the reason why it exists, and its elements."""
    elements = sum(len(one.case.elements) for one in suite.cases)
    head = (
        f"# All cases\n\n{len(suite.cases)} cases with {elements} elements, by family.\n"
        "[How to read and write one](../cases.md).\nThe page is generated from the case files (`make renew`).\n"
    )
    return head + "".join(_family(suite, family) for family in suite.families)


def place(case_id: str) -> str:
    """Where a case stands, relative to docs/reference/."""
    return f"cases.md#{anchor(case_id)}"


def _family(suite: Suite, family: str) -> str:
    members = [one for one in suite.cases if one.family == family]
    file = members[0].file.relative_to(suite.folder.parent).as_posix()
    rows = [(f"[{code(one.case.id)}](#{anchor(one.case.id)})", text(one.case.why)) for one in members]
    head = f"\n## {family}\n\nFrom [{file}](../../{file}).\n\n{table(('case', 'why it exists'), rows)}"
    return head + "".join(_case(one) for one in members)


def _case(located: Located) -> str:
    case = located.case
    flags = ", ".join(f"[{flag}](flags.md#{anchor(flag)})" for flag in case.flags)
    lines = [f"\n### {case.id}\n\n{text(case.why)}\n", f"- flags: {flags}", *_settings(case)]
    columns = ("element", "prediction", "label", "weight", "pos_weight", "dtypes", "expect")
    return "\n".join(lines) + f"\n\n{table(columns, [_element(one) for one in case.elements])}"


def _settings(case: Case) -> list[str]:
    """Fields that say something else than if they were left out, in the order of their declaration."""
    return [
        f"- {field.name.replace('_', ' ')}: {_value(field.name, getattr(case, field.name))}"
        for field in msgspec.structs.fields(Case)
        if field.name not in TOLD and getattr(case, field.name) != _default(field)
    ]


def _default(field: msgspec.structs.FieldInfo) -> Any:
    return field.default if field.default_factory is msgspec.NODEFAULT else field.default_factory()


def _value(name: str, value: Any) -> str:
    if name == "relation":
        return f"[{value}](../cases.md#relations)"
    if name == "historical":
        return f"{code(value.value)} in {value.dtype}, contract {value.contract} ({text(value.source)})"
    if isinstance(value, dict):
        return ", ".join(f"{key} {code(one)}" for key, one in value.items())
    if isinstance(value, tuple):
        return ", ".join(code(one) for one in value)
    return f"<{value}>" if str(value).startswith("https://") else text(str(value))


def _element(element: Element) -> tuple[str, ...]:
    numbers = (element.prediction, element.label, element.weight, element.pos_weight)
    return (
        code(element.id),
        *("" if number is None else code(number) for number in numbers),
        ", ".join(element.dtypes or ()),
        element.expect or "",
    )
