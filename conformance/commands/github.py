"""`--format github`: annotations on standard output, the summary of the step into the file that GitHub names."""

from __future__ import annotations

import os
from pathlib import Path

import click

from conformance.errors import HarnessError, InputError
from conformance.plan import cases
from conformance.plan.cases import Suite
from conformance.record.record import RunRecord
from conformance.render import github


def publish(record: RunRecord) -> None:
    """Print the annotations, and append the summary to `$GITHUB_STEP_SUMMARY` where that is set.

    Raises HarnessError where the summary cannot be written.
    """
    click.echo(github.workflow_commands(record, places(record)), nl=False)
    if name := os.environ.get("GITHUB_STEP_SUMMARY"):
        try:
            with Path(name).open("a", encoding="utf-8") as stream:
                stream.write(github.summary(record, github.LIMIT - stream.tell()))
        except OSError as error:
            raise HarnessError(f"$GITHUB_STEP_SUMMARY: {name}: cannot be written: {error.strerror}") from None


def places(record: RunRecord) -> github.Places:
    """File and line of the cases of a record that lie in the repository under test; of other cases nothing is known."""
    root = Path(os.environ.get("GITHUB_WORKSPACE") or ".").resolve()
    suite = _suite(record)
    if suite is None or not suite.folder.resolve().is_relative_to(root):
        return {}
    return {
        one.case.id: (one.file.resolve().relative_to(root).as_posix(), one.line)
        for one in suite.cases
        if one.file.resolve().is_relative_to(root)
    }


def _suite(record: RunRecord) -> Suite | None:
    """The cases that the record is about, as long as their files are as they were."""
    try:
        suite = cases.load_suite(cases.default_folder())
    except InputError:
        return None
    return suite if suite.digest == record.header.cases else None
