"""How far a command is, on standard error: bars where that is a terminal, else a line now and then."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click
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

#: Seconds between two lines where there is no bar: few in a log, and nobody who watches it waits longer.
EVERY = 10.0


@contextmanager
def of_requests(total: int) -> Iterator[Advance]:
    """So many of so many, and the remaining time; off a terminal a line every EVERY seconds."""
    if not sys.stderr.isatty():
        yield lines("requests", total)
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with _bar(*columns) as bar:
        task = bar.add_task("requests", total=total)
        yield lambda steps: bar.advance(task, steps)


def lines(what: str, total: int, now: Callable[[], float] = time.monotonic) -> Advance:
    """A line on standard error every EVERY seconds: how many of `total`, and the remaining time at this speed.

    The speed is that since the first answer, before which frameworks are imported.
    """
    said = now()
    done = first = 0
    since = said

    def advance(steps: int) -> None:
        nonlocal done, first, since, said
        if not done:
            first, since = steps, now()
        done += steps
        if now() >= said + EVERY:
            said = now()
            left = f", about {(said - since) / (done - first) * (total - done):.0f} s left" if done > first else ""
            click.echo(f"{done:,} of {total:,} {what}{left}", err=True)

    return advance


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
