"""A certificate as a table in the terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from conformance.render.scoreboard import error_text
from conformance.sweep.certificate import Certificate, Result, Worst

#: Width of the table where standard output is not a terminal.
WIDTH = 160

#: Results 0, 1, 2, and 3 or more bit patterns off; then largest errors in ULP.
COLUMNS = ("label", "results", "0 off", "1", "2", ">=3", "max ULP", "at", "got", "ftz", "scaled", "contract", "other")


def text(one: Certificate, console: Console) -> None:
    """Print a certificate."""
    covered = one.covered
    console.print(
        f"[bold]{escape(one.backend)}[/] {one.form}, {one.quantity}, {one.dtype}: {covered['points']:,} results, "
        f"{covered['predictions']:,} of {covered['of']:,} predictions: {one.kind}",
        highlight=False,
    )
    for name in dict.fromkeys(result.implementation for result in one.results):
        console.print(escape(name), style="bold", highlight=False)
        console.print(_table([result for result in one.results if result.implementation == name]))


def _table(results: Sequence[Result]) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for name in COLUMNS:
        table.add_column(name, justify="left" if name in ("label", "other") else "right", no_wrap=name != "other")
    for result in results:
        table.add_row(*(escape(cell) for cell in _row(result)))
    return table


def _row(result: Result) -> list[str]:
    worst = result.worst.get("ideal")
    label = result.label if result.label_value is None else f"{result.label_value:g}"
    return [
        f"  {label}",
        f"{result.points:,}",
        *(share(count, result.points) for count in result.ordinals),
        *((error_text(worst.ulp), worst.prediction, worst.got) if worst else ("<=0.5", "", "")),
        *(_column(result.worst.get(name), worst) for name in ("flushed", "scaled", "contract")),
        ", ".join([f"{count:,} {name}" for name, count in result.classes.items()]),
    ]


def share(count: int, points: int) -> str:
    """A count as a percentage that is 0 or 100 only where it is."""
    percent = 100 * count / points
    if count in (0, points):
        return f"{percent:.0f} %"
    return "<0.01 %" if percent < 0.005 else ">99.99 %" if percent >= 99.995 else f"{percent:.2f} %"


def _column(worst: Worst | None, ideal: Worst | None) -> str:
    if worst is None:
        return "" if ideal is None else "-"
    return error_text(worst.ulp)
