"""The forms in which a run record and certificates can be written, by name; a new form is one line here."""

from __future__ import annotations

from collections.abc import Callable

from conformance.errors import InputError
from conformance.record.record import RunRecord
from conformance.render import github, jsondoc, junit, markdown, maxima, report
from conformance.render.shown import Shown

#: Each takes a record, interrupted or not, and gives the whole document.
FORMS: dict[str, Callable[[RunRecord], str]] = {
    "github": github.workflow_commands,
    "html": report.render,
    "json": jsondoc.render,
    "junit": junit.render,
    "markdown": markdown.render,
    "summary": github.summary,
}


def _markdown(shown: Shown) -> str:
    run = "" if shown.record is None else markdown.render(shown.record) + "\n"
    return run + maxima.document(shown.certificates)


#: Forms that have a place for certificates: each takes at least one, and a record or none.
WITH_CERTIFICATES: dict[str, Callable[[Shown], str]] = {
    "html": lambda shown: report.render(shown.record, shown.certificates),
    "json": lambda shown: jsondoc.with_certificates(shown.record, shown.certificates),
    "markdown": _markdown,
}


def render(form: str, shown: Shown) -> str:
    """The whole document of a form.  Raises InputError where it is about a run alone and there are certificates."""
    if shown.certificates and form not in WITH_CERTIFICATES:
        raise InputError(f"the form {form} has no place for certificates", f"one of {', '.join(WITH_CERTIFICATES)} has")
    if shown.certificates or shown.record is None:
        return WITH_CERTIFICATES[form](shown)
    return FORMS[form](shown.record)
