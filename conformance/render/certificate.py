"""A certificate as a table in the terminal."""

from __future__ import annotations

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from conformance.render.scoreboard import error_text
from conformance.sweep.certificate import Certificate, Result, Worst

COLUMNS = ("label", "results", "0 off", "1", "2", ">=3", "max ULP", "at", "got", "ftz", "scaled", "contract", "other")


def text(one: Certificate, console: Console) -> None:
    """Print a certificate."""
    covered = one.covered
    console.print(
        f"[bold]{escape(one.backend)}[/] {one.form}, {one.quantity}, {one.dtype}: {covered['points']:,} results, "
        f"{covered['predictions']:,} of {covered['of']:,} predictions: {one.kind}",
        highlight=False,
    )
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for name in COLUMNS:
        table.add_column(name, justify="left" if name in ("label", "other") else "right", no_wrap=name != "other")
    before = ""
    for result in one.results:
        if result.implementation != before:
            before = result.implementation
            table.add_row(escape(before), style="bold")
        table.add_row(*(escape(cell) for cell in _row(result)))
    console.print(table)


def _row(result: Result) -> list[str]:
    worst = result.worst.get("ideal")
    label = result.label if result.label_value is None else f"{result.label_value:g}"
    return [
        f"  {label}",
        f"{result.points:,}",
        *(f"{count:,}" for count in result.ordinals),
        *((error_text(worst.ulp), worst.prediction, worst.got) if worst else ("<=0.5", "", "")),
        *(_column(result.worst.get(name), worst) for name in ("flushed", "scaled", "contract")),
        ", ".join([f"{count:,} {name}" for name, count in result.classes.items()]),
    ]


def _column(worst: Worst | None, ideal: Worst | None) -> str:
    if worst is None:
        return "" if ideal is None else "-"
    return error_text(worst.ulp)
