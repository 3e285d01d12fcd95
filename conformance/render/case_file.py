"""Numbers that a reader tried, or a search found, as a case file that lints."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from conformance.errors import InputError
from conformance.plan.cases import OPTIONS, Case
from conformance.record.files import write_lines


def write(case: Case, file: Path) -> str:
    """Write a case file with the numbers of a case, and tell so.  Raises InputError where the file exists."""
    if file.exists():
        raise InputError(f"{file}: exists already", "name another file")
    slug = "".join(c if c.isascii() and c.isalnum() else "-" for c in file.stem.lower()).strip("-") or "numbers"
    slug = slug if slug[0].isalpha() else f"t{slug}"
    content: dict[str, Any] = {"id": f"tried/{slug}", "why": case.why, "form": case.form, "flags": []}
    content["dtypes"] = list(case.dtypes)
    if case.reduction != "none":
        content["reduction"] = case.reduction
    if case.present:
        content |= {"present": list(case.present), "quantities": list(case.quantities)}
    if case.dtypes_of:
        content["dtypes_of"] = dict(case.dtypes_of)
    if case.expect is not None:
        content["expect"] = case.expect
    content["elements"] = [
        {key: value for key in ("id", "prediction", "label", *OPTIONS) if (value := getattr(one, key)) is not None}
        for one in case.elements
    ]
    text = io.StringIO()
    YAML().dump({"family": "tried", "title": "numbers that a reader tried", "cases": [content]}, text)
    write_lines([text.getvalue().rstrip().encode()], file)
    return f"wrote {file}: put it into a folder of cases"
