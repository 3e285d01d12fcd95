"""Rooms and floors of the code: no module imports one of a floor above, and none imports in a circle."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

from conformance.commands import COMMANDS

ROOT = Path(__file__).resolve().parent.parent

#: Floors from the lowest to the highest, as CONTRIBUTING.md says them; rooms of one floor do not know each other.
FLOORS = (
    "reference", "errors version ids shipped contracts quantities", "regular", "yamlfile numbers", "adapters formulas",
    "worker plan", "pool", "judge", "known record", "diagnosis", "run", "checkup choose search sweep", "versions",
    "render", "repro own_loss", "commands", "cli", "__main__",
)  # fmt: skip

#: Floor of each room, by its name.
FLOOR = {room: number for number, rooms in enumerate(FLOORS) for room in rooms.split()}


def room(module: str) -> str:
    """The sub-package of `conformance`, or module beside them, in which a module lies; `reference` is one room."""
    return module.split(".")[0] if module.startswith("reference") else module.split(".")[1]


def modules() -> dict[str, Path]:
    """Every module by its dotted name; the face of the package, which nothing imports, is not one."""
    files = [file for top in ("conformance", "reference") for file in (ROOT / top).rglob("*.py")]
    names = {".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): file for file in files}
    return {name: file for name, file in names.items() if name != "conformance"}


def imported(file: Path, known: set[str]) -> Iterator[str]:
    """Modules of the project that a file imports, wherever it does, those that a type checker alone sees included."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in known)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            names = {f"{base}.{alias.name}" for alias in node.names}
            yield from names & known or {base} & (known | {"conformance"})


def edges() -> dict[str, set[str]]:
    """What each module imports."""
    found = modules()
    return {name: set(imported(file, set(found))) - {name} for name, file in found.items()}


def test_no_module_imports_one_of_a_floor_above_or_of_another_room_on_its_own() -> None:
    """Lower floors do not know what stands on them."""
    wrong = [
        f"{module} imports {other}"
        for module, others in edges().items()
        for other in others - {"conformance"}
        if room(module) != room(other) and FLOOR[room(other)] >= FLOOR[room(module)]
    ]
    assert wrong == []


def test_nothing_imports_the_face_of_the_package() -> None:
    """It is for users, and has what they import from all floors; it stands above everything."""
    assert [module for module, others in edges().items() if "conformance" in others] == []


def test_no_modules_import_each_other_in_a_circle() -> None:
    """Not for types alone either: TopologicalSorter raises CycleError, which names the circle."""
    assert set(TopologicalSorter(edges()).static_order()) == set(modules())


def test_no_command_imports_another_and_pytest_imports_none() -> None:
    """What two of them share has a name of its own, and whoever is no command needs no words of a command line."""
    commands = {f"conformance.commands.{entry.place.partition(':')[0]}" for entry in COMMANDS.values()}
    found = edges()
    assert [(one, other) for one in sorted(commands) for other in found[one] & commands] == []
    assert [name for name in imported(ROOT / "conftest.py", set(modules())) if room(name) == "commands"] == []


def test_every_room_stands_on_a_floor_and_every_floor_is_there() -> None:
    """A new sub-package says where it belongs."""
    assert {room(module) for module in modules()} == set(FLOOR)


def test_contributing_names_the_floors_in_this_order() -> None:
    """The sentence for people is the rule that is kept."""
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    assert " < ".join(", ".join(f"`{room}`" for room in rooms.split()) for rooms in FLOORS[:-1]) in text
