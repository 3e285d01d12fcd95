"""Bars on standard error about how far a command is, where that is a terminal."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    TaskProgressColumn,
    TextColumn,
    TimeRemainingColumn,
)

#: Is given how many steps were made.
Advance = Callable[[int], None]


@contextmanager
def of_requests(total: int) -> Iterator[Advance]:
    """So many of so many, and the remaining time."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with _bar(*columns) as bar:
        task = bar.add_task("requests", total=total)
        yield lambda steps: bar.advance(task, steps)


@contextmanager
def of_results(what: str, total: int | None) -> Iterator[Advance]:
    """The rate of results, and the remaining time."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(show_speed=True),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
    )
    with _bar(*columns) as bar:
        task = bar.add_task(what, total=total, rate="")

        def advance(points: int) -> None:
            bar.advance(task, points)
            speed = bar.tasks[0].speed
            if speed:
                bar.update(task, rate=f"{speed / 1e6:,.0f} million results/s")

        yield advance


def _bar(*columns: ProgressColumn) -> Progress:
    return Progress(*columns, console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty())
