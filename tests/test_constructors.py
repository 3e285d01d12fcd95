"""What has more than five fields takes them by name."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

#: More arguments than these are named.
MOST = 5

FOLDERS = ("conformance", "reference", "tools", "tests", "benchmarks", "examples")

#: What runs beside a framework: Python 3.7 has no argument that makes all fields of a dataclass keyword-only.
BESIDE = ("numbers", "adapters", "worker", "contracts.py")


def nodes(*folders: str) -> Iterator[tuple[str, ast.AST]]:
    """Everything in the code of folders, and where it is."""
    for file in (file for folder in folders for file in (ROOT / folder).rglob("*.py") if "data" not in file.parts):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, (ast.Call, ast.ClassDef)):
                yield f"{file.relative_to(ROOT)}:{node.lineno}", node


def constructs(call: ast.Call) -> bool:
    """Whether a class is called: its name begins with a capital."""
    name = ast.unparse(call.func).rpartition(".")[2]
    return name == "cls" or name.lstrip("_")[:1].isupper()


def takes_positions(node: ast.ClassDef) -> bool:
    """Whether a dataclass or Struct takes more than five fields, and not all of them by name."""
    made = [ast.unparse(one) for one in (*node.decorator_list, *node.bases, *node.keywords)]
    holds_fields = any(word.startswith(("dataclass", "Struct")) for word in made)
    fields = [line for line in node.body if isinstance(line, ast.AnnAssign)]
    return holds_fields and len(fields) > MOST and "kw_only=True" not in " ".join(made)


def test_a_constructor_is_given_more_than_five_arguments_by_name() -> None:
    """The ninth of seventeen positions says nothing, and two neighbours of one type are exchanged unnoticed."""
    calls = ((where, node) for where, node in nodes(*FOLDERS) if isinstance(node, ast.Call))
    assert [where for where, call in calls if len(call.args) > MOST and constructs(call)] == []


def test_a_class_of_more_than_five_fields_takes_them_by_name_alone() -> None:
    """So a list that is unpacked into a constructor, whose length nobody sees, is refused as well."""
    classes = ((where, node) for where, node in nodes("conformance", "tools") if isinstance(node, ast.ClassDef))
    above = ((where, node) for where, node in classes if Path(where.partition(":")[0]).parts[1] not in BESIDE)
    assert [where for where, node in above if takes_positions(node)] == []
