"""Element by element: what came back, the ideal, the contract, the error, the verdict."""

from __future__ import annotations

import sys
from collections.abc import Iterator

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from conformance.judge.verdicts import Judged
from conformance.numbers.formats import FORMATS
from conformance.numbers.literals import text_of
from conformance.render.scoreboard import error_text
from conformance.run.run import Run


def check_table(run: Run, contract: bool = True) -> Table:
    """One row for each element of each numeric check of a run."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for name in ("implementation", "dtype", "quantity", "element", "got", "ideal", "contract", "ULP", "verdict"):
        table.add_column(name, no_wrap=name != "verdict")
    for check in run.checks:
        for row in _rows(run, check):
            table.add_row(*(escape(cell) for cell in row))
    return table


def print_table(table: Table) -> None:
    """Print a table as wide as it needs to be where standard output is no terminal."""
    Console(width=None if sys.stdout.isatty() else 200).print(table)


def _rows(run: Run, check: Judged) -> Iterator[tuple[str, ...]]:
    name = check.request.implementation.id
    details = {finding.element: finding.detail for finding in check.findings}
    if not check.bits:
        about = "; ".join(check.details)
        yield name, check.request.dtype, check.quantity, "", "", "", "", "", f"{check.verdict} {about}".strip()
        return
    fmt = FORMATS.get(check.result_dtype)
    for index, element in enumerate(check.elements):
        bits = check.bits[index]
        contract = check.contract_values[index] if check.contract_values else None
        said = details.get(element, "") or ("; ".join(check.details) if not bits else "")
        yield (
            name,
            check.request.dtype,
            check.quantity,
            element,
            text_of(int(bits, 16), fmt) if bits and fmt else "",
            f"{check.ideal[index]:.9g}",
            "" if contract is None or contract == check.ideal[index] else f"{contract:.9g}",
            error_text(None if check.scaled[index] != check.scaled[index] else check.scaled[index]),
            f"{check.verdicts[index]} {said}".strip(),
        )
