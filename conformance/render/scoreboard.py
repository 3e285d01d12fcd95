"""The scoreboard: implementation × case family, one row for all modes of an entry that behave alike."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from functools import reduce

from rich.markup import escape
from rich.table import Table

from conformance.adapters.declaration import BASE_MODE
from conformance.record.record import RunRecord
from conformance.record.summary import Cell, Row, by_entry, folded

#: The families that the question is about have a column each; the others share one unless `--wide`.
MAIN_FAMILIES = ("hard-labels", "soft-labels", "out-of-range-labels", "extreme-predictions")

LEGEND = (
    "cells: conforms + by-contract (f: by a printed formula; r: rejected as expected) / checks · ULP: worst of the "
    "values, against the ideal and against the nearer of ideal and contract (budget 4) · labels: those outside [0, 1]"
    " · modes with the same counts share a row (all of them: --wide); agree: checks in which they do as eager mode does"
)

#: What the legend adds where there is no room for modes that differ from each other.
ONE_ROW_AN_ENTRY = " · `N differ`: the row is that of the modes named first, N modes have other counts"

#: What an entry's name has room for, however wide the numbers are.
SHORTEST_NAME = 24


def lines_of(rows: Sequence[Row]) -> int:
    """Lines of the table's body: a heading for each backend and the rows."""
    return len({row.place[0] for row in rows}) + len(rows)


def fitting(rows: Sequence[Row], room: int) -> tuple[list[Row], int]:
    """Rows for `room` lines, and how many entries had to be left out.

    Modes that behave alike share a row.  Where that is not enough each entry has one row, that of eager mode, which
    says how many modes differ.  Where even that is not, the last entry of the backend that has most is left out, and so
    on; entries with a new finding go last.
    """
    chosen = folded(rows)
    if lines_of(chosen) > room:
        chosen = by_entry(chosen)
    left_out = 0
    while chosen and lines_of(chosen) + bool(left_out) > room:
        entries = Counter(row.place[0] for row in chosen)
        least = max(
            range(len(chosen)), key=lambda index: (not chosen[index].new, entries[chosen[index].place[0]], index)
        )
        del chosen[least]
        left_out += 1
    return chosen, left_out


def table(record: RunRecord, rows: Sequence[Row], wide: bool, width: int) -> Table:
    """Implementation × case family; names are cut so that the numbers have room in `width`."""
    families = list(dict.fromkeys(check.family for check in record.checks))
    main = families if wide else [family for family in MAIN_FAMILIES if family in families]
    others = [family for family in families if family not in main]
    agree = any(row.agreement.checks for row in rows)
    headings = [*map(_short, main), *(["others"] if others else []), *(["agree"] if agree else [])]
    headings += ["ULP", "contract", "labels"]
    columns = [_cells(row, main, others, agree) for row in rows]
    taken = sum(max(map(len, column)) + 1 for column in zip(headings, *columns, strict=True))
    made = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), show_edge=False, header_style="bold")
    made.add_column("implementation", no_wrap=True)
    for heading in headings:
        made.add_column(heading, justify="right", no_wrap=True)
    backend = ""
    for row, cells in zip(rows, columns, strict=True):
        if row.place[0] != backend:
            backend = row.place[0]
            made.add_row(f"[bold]{escape(backend)}[/]")
        made.add_row("  " + escape(row_name(row, max(width - taken - 3, SHORTEST_NAME))), *cells)
    return made


def _cells(row: Row, main: Sequence[str], others: Sequence[str], agree: bool) -> list[str]:
    cells = [_cell(row.cells.get(family)) for family in main]
    if others:
        cells.append(_cell(_sum(row.cells.get(family) for family in others)))
    if agree:
        cells.append(agreement_text(row.agreement))
    return [*cells, error_text(row.worst_ulp), error_text(row.worst_contract), row.out_of_range or "-"]


def _short(family: str) -> str:
    return family.removesuffix("-labels").removesuffix("-predictions").removesuffix("-values")


def row_name(row: Row, room: int = 1_000) -> str:
    """Entry without `nn.functional.` and the like, its device unless that is the CPU, and its modes in brackets.

    Where there is no room the modes are counted, and the middle of the entry is left out.
    """
    _, entry, device = row.place
    name = entry.replace("nn.functional.", "").replace("compat.v1.", "")
    name += "" if device == "cpu" else f"/{device}"
    modes = modes_text(row, room - len(name))
    left = room - len(modes) - 1
    if len(name) > left + 1:
        name = f"{name[: left // 2]}…{name[len(name) - (left - left // 2) :]}"
    return name + modes


def modes_text(row: Row, room: int = 1_000) -> str:
    """The modes of a row in brackets; nothing for eager mode alone, and their number where there is no room."""
    if row.modes == (BASE_MODE,) and not row.differing:
        return ""
    differing = f"; {len(row.differing)} differ" if row.differing else ""
    named = f"  ({', '.join(row.modes)}{differing})"
    if len(named) <= room or len(row.modes) == 1:
        return named
    return f"  ({row.modes[0]} and {len(row.modes) - 1} more{differing})"


def _sum(cells: Iterator[Cell | None]) -> Cell:
    return reduce(Cell.plus, (cell for cell in cells if cell is not None), Cell())


def agreement_text(cell: Cell) -> str:
    """Checks in which a mode does as the plain call does / such checks."""
    return f"{cell.conforms}/{cell.checks}" if cell.checks else "-"


def _cell(cell: Cell | None) -> str:
    return cell_text(cell) if cell is not None and cell.checks else "-"


def cell_text(cell: Cell) -> str:
    """conforms+by-contract/checks; +Nf by a documented formula, +Nr rejected as expected."""
    formula = f"+{cell.by_formula}f" if cell.by_formula else ""
    rejected = f"+{cell.rejects}r" if cell.rejects else ""
    return f"{cell.conforms}+{cell.by_contract}{formula}{rejected}/{cell.checks}"


def error_text(value: float | None) -> str:
    """An error in ULP for a narrow column."""
    return "-" if value is None else f"{value:.2f}" if value < 100 else f"{value:.2g}"
