"""What settings of the environment change, a line for each: for a terminal, as Markdown, as JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict

from rich.console import Console
from rich.table import Table

from conformance.record.settings import Row
from conformance.render import markdown as words
from conformance.render.scoreboard import error_text
from conformance.run.settings import setting_text

COLUMNS = ("setting", "the runtime reports", "checks", "results", "other bits", "share", "verdicts", "worst ULP", "new")

LEGEND = (
    "against the default setting, the first line of each backend: results with other bits, verdicts that differ, the "
    "largest difference in ULP of the larger (+N: N turned finite, infinite, NaN or none), deviations that are new"
)


def as_json(rows: Sequence[Row]) -> str:
    """Every field of every row."""
    return json.dumps([asdict(row) | {"share": row.share} for row in rows], indent=2)


def markdown(rows: Sequence[Row]) -> str:
    """A table of Markdown."""
    lines = [words.row(["backend", *COLUMNS]), words.row(["---"] * (len(COLUMNS) + 1))]
    lines += [words.row([row.backend, *(words.cell(text) for text in _cells(row))]) for row in rows]
    return "\n".join(lines)


def text(rows: Sequence[Row], console: Console) -> None:
    """Print a table, what its columns mean, and the checks with new deviations."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for name in COLUMNS:
        table.add_column(name, justify="left" if name in COLUMNS[:2] else "right", no_wrap=name not in COLUMNS[:2])
    for index, row in enumerate(rows):
        if index == 0 or rows[index - 1].backend != row.backend:
            table.add_row(row.backend, style="bold")
        setting, *rest = _cells(row)
        table.add_row(f"  {setting}", *rest)
    console.print(table)
    console.print(LEGEND, style="dim", highlight=False)
    for check in [check for row in rows for check in row.new]:
        console.print(f"new: {check}", highlight=False, soft_wrap=True, markup=False)


def _cells(row: Row) -> list[str]:
    if row.state:
        return [setting_text(row.setting), row.state, "0", *["-"] * 6]
    reports = ", ".join(f"{name} {value}" for name, value in row.reports.items())
    turned = f"+{row.turned}" if row.turned else ""
    return [
        setting_text(row.setting),
        reports or "-",
        str(row.checks),
        str(row.results),
        str(row.bits),
        f"{100 * row.share:.2f} %",
        str(row.verdicts),
        error_text(row.worst_ulp) + turned,
        str(len(row.new)),
    ]
