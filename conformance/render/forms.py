"""The forms in which a run record and certificates can be written, by name; a new form is one line here."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from conformance.errors import InputError
from conformance.record.record import RunRecord
from conformance.render import comparison, github, jsondoc, junit, markdown, maxima, report
from conformance.render.characters import clean
from conformance.render.comparison import Compared
from conformance.render.shown import Shown


class Form(Protocol):
    """What writes a run in a form."""

    def __call__(self, record: RunRecord, compared: Compared | None = None, /) -> str:
        """The whole document of a record, interrupted or not, and of what changed from its baseline."""


def _printable(make: Form) -> Form:
    """A document without control characters: whatever a framework said may stand in it."""

    def printable(record: RunRecord, compared: Compared | None = None, /) -> str:
        return clean(make(record, compared))

    return printable


def _html(record: RunRecord, compared: Compared | None = None) -> str:
    """The page is about the run alone."""
    return report.render(record)


def _markdown_of_run(record: RunRecord, compared: Compared | None = None) -> str:
    if compared is None:
        return markdown.render(record)
    changes = f"## Compared with the baseline\n\n{comparison.markdown(*compared)}"
    return f"**{markdown.cell(compared.headline)}**\n\n{markdown.render(record)}\n{changes}"


FORMS: dict[str, Form] = {
    "github": _printable(github.workflow_commands),
    "html": _html,
    "json": _printable(jsondoc.render),
    "junit": junit.render,
    "markdown": _printable(_markdown_of_run),
    "summary": _printable(github.summary),
}


def _markdown(shown: Shown) -> str:
    run = "" if shown.record is None else FORMS["markdown"](shown.record) + "\n"
    return run + maxima.document(shown.certificates)


#: Forms that have a place for certificates: each takes at least one, and a record or none.
WITH_CERTIFICATES: dict[str, Callable[[Shown], str]] = {
    "html": lambda shown: report.render(shown.record, shown.certificates),
    "json": lambda shown: clean(jsondoc.with_certificates(shown.record, shown.certificates)),
    "markdown": _markdown,
}


def render(form: str, shown: Shown) -> str:
    """The whole document of a form.  Raises InputError where it is about a run alone and there are certificates."""
    if shown.certificates and form not in WITH_CERTIFICATES:
        raise InputError(f"the form {form} has no place for certificates", f"one of {', '.join(WITH_CERTIFICATES)} has")
    if shown.certificates or shown.record is None:
        return WITH_CERTIFICATES[form](shown)
    return FORMS[form](shown.record)
