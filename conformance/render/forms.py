"""The forms in which a run record can be written, by name; a new form is one line here."""

from __future__ import annotations

from collections.abc import Callable

from conformance.record import RunRecord
from conformance.render import github, jsondoc, junit, markdown, report

#: Each takes a record, interrupted or not, and gives the whole document.
FORMS: dict[str, Callable[[RunRecord], str]] = {
    "github": github.workflow_commands,
    "html": report.render,
    "json": jsondoc.render,
    "junit": junit.render,
    "markdown": markdown.render,
    "summary": github.summary,
}
