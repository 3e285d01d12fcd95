"""All generated files that need no run: what should stand there, what does not, and how it gets there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from conformance.commands.lint import SCHEMAS, schema_text
from tools.renew import (
    ROOT,
    accuracy,
    behaviour,
    choosing,
    diagnoses,
    harm,
    pictures,
    problems,
    reference,
    vocabulary,
)

#: Folders that hold generated files alone: a file that nothing generates any more is removed.
WHOLE = ("docs/reference", "docs/schema")


def files() -> dict[str, str]:
    """Every generated file by its path in the repository, with its text."""
    return (
        {f"docs/schema/{what}.json": schema_text(what) for what in SCHEMAS}
        | reference.files()
        | accuracy.files()
        | behaviour.files()
        | choosing.files()
        | diagnoses.files()
        | harm.files()
        | problems.files()
        | vocabulary.files()
        | pictures.files()
    )


def changes() -> dict[str, str | None]:
    """Files that are not as they are generated, with their text; None for one to be removed."""
    made = files()
    there = {file.relative_to(ROOT).as_posix() for folder in WHOLE for file in (ROOT / folder).rglob("*.*")}
    left: dict[str, str | None] = dict.fromkeys(sorted(there - made.keys()))
    return left | {name: text for name, text in made.items() if not _stands(name, text)}


def _stands(name: str, text: str) -> bool:
    file = ROOT / name
    return file.exists() and file.read_text(encoding="utf-8") == text


def write(todo: Mapping[str, str | None]) -> Iterator[str]:
    """Make the changes, and name each file when it is done."""
    for name, text in todo.items():
        file = ROOT / name
        if text is None:
            file.unlink()
        else:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")
        yield name
