"""The fields of case files, problems and run records, from their JSON Schemas."""

from __future__ import annotations

import json
from typing import Any

from conformance.commands.lint import SCHEMAS
from tools.renew.reference.markdown import anchor, code, table, text

HEAD = """# Schemas

The files that the suite reads and writes; [case files](../cases.md) tells more about the first.
`bce-conformance schema NAME` prints the JSON Schema, of a run record that of one line.
The page is generated from them (`make renew`).
"""


def page() -> str:
    """Every schema, object by object."""
    parts = [HEAD]
    for name, schema in SCHEMAS.items():
        found = schema()
        parts.append(f"\n## {name}\n\n[docs/schema/{name}.json](../schema/{name}.json), as a whole: {_type(found)}.\n")
        parts += [_object(one, name) for one in found["$defs"].values()]
    return "".join(parts)


def _object(schema: dict[str, Any], of: str) -> str:
    needed = schema.get("required", [])
    rows = [
        (code(name), _type(one), "required" if name in needed else _default(one), text(one.get("description", "")))
        for name, one in schema["properties"].items()
    ]
    paragraphs = "".join(f"{text(part)}\n\n" for part in schema.get("description", "").split("\n\n"))
    return f"\n### {schema['title']}\n\n{paragraphs}{table(('key', 'value', 'if left out', 'meaning'), rows)}"


def _default(schema: dict[str, Any]) -> str:
    return code(json.dumps(schema["default"])) if "default" in schema else "optional"


def _type(schema: dict[str, Any]) -> str:
    """The values that a schema takes, in words."""
    match schema:
        case {"$ref": str(target)}:
            name = target.rsplit("/", 1)[1]
            return f"[{name}](#{anchor(name)})"
        case {"anyOf": list(options)}:
            return " or ".join(dict.fromkeys(_type(one) for one in options))
        case {"enum": list(words)}:
            return ", ".join(code(word) for word in words)
        case {"type": "array", "prefixItems": list(items)}:
            return f"\\[{', '.join(_type(one) for one in items)}]"
        case {"type": "array", "items": dict(items)}:
            return f"list of {_type(items)}"
        case {"type": "array"}:
            return "list"
        case {"type": "object", "additionalProperties": dict(values)}:
            return f"map to {_type(values)}"
        case {"type": list(names)}:
            return " or ".join(str(name) for name in names)
        case {"type": str(name)}:
            return name
    return "anything"
