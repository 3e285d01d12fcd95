"""Writing reports: into the folder that was named and nowhere else, over nothing that is there unless told to."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from conformance.errors import InputError
from conformance.record.files import write_lines


def check(files: Mapping[Path, str], force: bool) -> None:
    """Raises InputError where a file is there already, or where a link leads elsewhere."""
    for file in files:
        if file.is_symlink() or file.parent.is_symlink():
            raise InputError(f"{file}: is a link, which is not followed", "remove it, or name another folder")
        if file.exists() and not force:
            raise InputError(f"{file}: is there already", "name another folder with --output, or say --force")


def write(files: Mapping[Path, str], force: bool) -> None:
    """Write all files, or none where one must not be written (`check`)."""
    check(files, force)
    for file, text in files.items():
        write_lines([text.rstrip("\n").encode()], file)
