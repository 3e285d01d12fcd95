"""What the commands about versions share: where environments are kept, and files that are not overwritten."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from conformance.errors import InputError
from conformance.record.files import write_lines
from conformance.render.characters import clean
from conformance.versions.build import Builder, cache_folder
from conformance.versions.index import Index, settings


def environment_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Options on how environments are made."""
    return click.option(
        "--environments", "folder", type=click.Path(path_type=Path, file_okay=False),
        help="Keep the environments here [default: the user's cache].",
    )(function)  # fmt: skip


def builder_from(folder: Path | None, passing: bool = False) -> Builder:
    """A builder of environments with the settings of pip; see `Builder`."""
    return Builder(Index(settings()), (folder or cache_folder()).absolute(), passing)


def tell(line: str) -> None:
    """A line about what is going on, on standard error; what others said in it moves no cursor."""
    click.echo(clean(line), err=True)


def must_be_new(file: Path, force: bool) -> None:
    """Raises InputError where a file exists and must not be overwritten."""
    if (file.exists() or file.is_symlink()) and not force:
        raise InputError(f"{file}: exists", "name another file, or overwrite it by --force")


def write_new(document: str, file: Path, force: bool) -> None:
    """Write a document.  Raises InputError where the file exists, unless it may be overwritten."""
    must_be_new(file, force)
    write_lines([document.rstrip("\n").encode()], file)
