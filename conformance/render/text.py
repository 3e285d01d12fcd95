"""A run for a terminal: scoreboard, findings by cause, closing line; at most two screens unless more is asked for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import reduce

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from conformance.cases import ALL_DTYPES
from conformance.record import BackendLine, RunRecord, ToleranceLine
from conformance.summary import CauseSummary, Cell, Example, Row, by_entry, causes, diverse, folded, scoreboard

#: Two screens of 50 lines.
LINES = 100

#: The families that the question is about have a column each; the others share one unless `--wide`.
MAIN_FAMILIES = ("hard-labels", "soft-labels", "out-of-range-labels", "extreme-predictions")

LEGEND = (
    "cells: conforms + by-contract (f: by a printed formula; r: rejected as expected) / checks · ULP: worst of the "
    "values, against the ideal and against the nearer of ideal and contract (budget 4) · labels: those outside [0, 1]"
    " · modes with the same counts share a row (all of them: --wide); agree: checks in which they do as eager mode does"
)

#: What the legend adds where there is no room for modes that differ from each other.
ONE_ROW_AN_ENTRY = " · `N differ`: the row is that of the modes named first, N modes have other counts"

#: Lines that the findings get at least: their heading, six findings, and what was left out.
FOR_FINDINGS = 23

#: Longest name on the scoreboard; where modes would make it longer, they are counted instead of named.
LONGEST_NAME = 52

#: What a quick run is worth.
QUICK = "A quick run proves nothing: it only looks for what is obvious."

STYLE = {"new": "bold red", "fixed": "bold yellow", "recorded": "cyan"}


def render(
    record: RunRecord, console: Console, wide: bool = False, everything: bool = False, settings: str = ""
) -> None:
    """Print a whole run, `wide` with a row for every mode and a column for every family, within LINES otherwise.

    `everything` shows all findings; `settings` are the options that a command needs to find the same implementations.
    """
    start, end = list(head(record)), list(closing(record))
    every = scoreboard(record)
    legend = LEGEND + ONE_ROW_AN_ENTRY
    used = sum(_height(console, line) for line in (*start, legend)) + len(end) + 1
    rows, left_out = (every, 0) if wide else fitting(every, LINES - used - FOR_FINDINGS)
    for line in start:
        console.print(line, highlight=False)
    console.print(scoreboard_table(record, rows, wide))
    if left_out:
        console.print(f"… and {left_out} more entries: `bce-conformance show --wide`", highlight=False)
    console.print(legend if any(row.differing for row in rows) else LEGEND, style="dim", highlight=False)
    used += _table_lines(rows) + bool(left_out)
    for line in findings(record, LINES - used if not everything else 1_000_000, settings):
        console.print(line, highlight=False, soft_wrap=True)
    for line in end:
        console.print(line, highlight=False, soft_wrap=True)


def _height(console: Console, line: str) -> int:
    return len(console.render_lines(console.render_str(line)))


def _table_lines(rows: Sequence[Row]) -> int:
    """Lines of the scoreboard's body: a heading for each backend and the rows."""
    return len({row.place[0] for row in rows}) + len(rows)


def fitting(rows: Sequence[Row], room: int) -> tuple[list[Row], int]:
    """Rows for `room` lines, and how many entries had to be left out.

    Modes that behave alike share a row.  Where that is not enough each entry has one row, that of eager mode, which
    says how many modes differ; where even that is not, entries are left out from the end, those without a new finding
    first.
    """
    chosen = folded(rows)
    if _table_lines(chosen) > room:
        chosen = by_entry(chosen)
    left_out = 0
    while chosen and _table_lines(chosen) + bool(left_out) > room:
        plain = [index for index, row in enumerate(chosen) if not row.new]
        del chosen[plain[-1] if plain else -1]
        left_out += 1
    return chosen, left_out


def head(record: RunRecord) -> Iterator[str]:
    """What was run, on what."""
    header = record.header
    ran = len({check.implementation for check in record.checks})
    cases = len({check.case for check in record.checks})
    yield (
        f"[bold]bce-conformance {header.suite}[/] · {ran} implementations · {cases} cases · "
        f"{len(record.checks)} checks of {header.planned} planned · "
        f"{sum(header.not_offered.values())} not offered"
    )
    if quick := quick_text(record):
        yield f"[yellow]quick run[/]: {quick}"
    yield escape(" · ".join(_versions(line) for line in header.backends if line.versions))
    for line in header.backends:
        if line.absent is not None:
            yield f"[yellow]absent[/] {line.name}: {escape(line.absent)}"
        if line.failed is not None:
            yield f"[bold red]failed[/] {line.name}: {escape(line.failed)}"
    if record.interrupted:
        yield "[bold red]INTERRUPTED: this run has no end; what follows is what was seen until then[/]"


def quick_text(record: RunRecord) -> str:
    """What part of the checks a quick run covers and what it is worth; "" for another run."""
    header = record.header
    if "quick" not in header.filters.get("preset", ()):
        return ""
    whole = header.planned + header.skipped
    return f"{100 * header.planned / whole:.1f} % of all {whole} planned checks. {QUICK}"


def not_judged_text(record: RunRecord) -> str:
    """How many checks have no verdict or none that says anything, for each reason; all of them, also where it is 0."""
    header, footer = record.header, record.footer
    reasons = ", ".join(f"{reason} {count}" for reason, count in header.not_offered.items())
    unsupported = footer.verdicts.get("unsupported", 0) if footer else 0
    absent, not_run = (footer.absent, footer.not_run) if footer else (0, 0)
    return (
        f"{unsupported} unsupported, {absent} absent, {not_run - absent} not run, "
        f"{sum(header.not_offered.values())} not offered{f' ({reasons})' if reasons else ''}, "
        f"{header.skipped} skipped by the filters"
    )


def _versions(line: BackendLine) -> str:
    named = " ".join(f"{name} {version}" for name, version in line.versions.items() if name != "numpy")
    named = named or f"numpy {line.versions.get('numpy', '')}"
    text = named if line.name in named else f"{line.name}: {named}"
    return text if line.pinned else f"{text} (not the pinned versions)"


def scoreboard_table(record: RunRecord, rows: Sequence[Row], wide: bool) -> Table:
    """Implementation × case family."""
    families = list(dict.fromkeys(check.family for check in record.checks))
    main = families if wide else [family for family in MAIN_FAMILIES if family in families]
    others = [family for family in families if family not in main]
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), show_edge=False, header_style="bold")
    table.add_column("implementation", no_wrap=True)
    for family in main:
        table.add_column(_short(family), justify="right", no_wrap=True)
    if others:
        table.add_column("others", justify="right", no_wrap=True)
    agree = any(row.agreement.checks for row in rows)
    for name in (*(("agree",) if agree else ()), "ULP", "contract", "labels"):
        table.add_column(name, justify="right", no_wrap=True)
    backend = ""
    for row in rows:
        if row.place[0] != backend:
            backend = row.place[0]
            table.add_row(f"[bold]{escape(backend)}[/]")
        cells = [_cell(row.cells.get(family)) for family in main]
        if others:
            cells.append(_cell(_sum(row.cells.get(family) for family in others)))
        if agree:
            cells.append(agreement_text(row.agreement))
        table.add_row(
            "  " + escape(row_name(row)),
            *cells,
            error_text(row.worst_ulp),
            error_text(row.worst_contract),
            row.out_of_range or "-",
        )
    return table


def _short(family: str) -> str:
    return family.removesuffix("-labels").removesuffix("-predictions").removesuffix("-values")


def row_name(row: Row) -> str:
    """Entry without `nn.functional.` and the like, its device unless that is the CPU, and its modes in brackets."""
    _, entry, device = row.place
    name = entry.replace("nn.functional.", "").replace("compat.v1.", "")
    name += "" if device == "cpu" else f"/{device}"
    return name + modes_text(row, LONGEST_NAME - len(name))


def modes_text(row: Row, room: int = 1_000) -> str:
    """The modes of a row in brackets; nothing for eager mode alone, and their number where there is no room."""
    if row.modes == ("eager",) and not row.differing:
        return ""
    differing = f"; {len(row.differing)} differ" if row.differing else ""
    named = f"  ({', '.join(row.modes)}{differing})"
    if len(named) <= room:
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


def findings(record: RunRecord, lines: int, settings: str = "") -> Iterator[str]:
    """New findings first, all of them if they fit; then fixed ones; then a choice of the recorded ones."""
    summaries = causes(record)
    by_outcome = {name: [one for one in summaries if one.outcome == name] for name in ("new", "fixed", "recorded")}
    yield ""
    yield (
        "[bold]Findings by cause[/]: "
        + ", ".join(f"{len(found)} {name}" for name, found in by_outcome.items())
        + f" (elements: {', '.join(f'{_elements(found)} {name}' for name, found in by_outcome.items())})"
    )
    room = max(lines - 5, 3)
    for name, found in by_outcome.items():
        shown = found[: room // 3] if name == "new" else diverse(found, room // 3)
        for one in shown:
            yield from finding(one, settings)
        room -= 3 * len(shown)
        if len(shown) < len(found):
            yield f"… and {len(found) - len(shown)} more {name} causes: `bce-conformance show --all`"


def _elements(found: Sequence[CauseSummary]) -> int:
    return sum(one.elements for one in found)


def finding(one: CauseSummary, settings: str = "") -> Iterator[str]:
    """Three lines on one cause."""
    dtypes = " ".join(dtype for dtype in ALL_DTYPES if dtype in one.dtypes)
    known = f" · {one.kind}" if one.kind else ""
    yield f"[{STYLE[one.outcome]}]{one.outcome}[/] {escape(one.cause)} · {one.elements} elements in {dtypes}{known}"
    example = one.example
    if example is None:
        yield f"    recorded in deviations/{escape(one.cause)}.yaml, not seen here: fixed upstream?"
        return
    yield "    " + escape(example_text(example))
    link = f" · {one.links[0]}" if one.links else f" · unreported: {one.reason}" if one.reason else ""
    yield f"    {escape(example.command)}{escape(settings)}{escape(link)}"


def example_text(example: Example) -> str:
    """One element: exact inputs in decimal and hexadecimal, got, ideal, contract, error."""
    inputs = " ".join(
        f"{name}={decimal}" if " " in bits else f"{name}={decimal} (0x{bits})"
        for name, (decimal, bits) in example.inputs.items()
    )
    parts = [f"{example.case}#{example.element} {example.dtype} {example.quantity}: {inputs}"]
    if example.got[1]:
        parts.append(f"got {example.got[0]} (0x{example.got[1]})")
    else:
        parts.append(example.what if not example.detail else example.detail)
    if example.ideal:
        parts.append(f"ideal {example.ideal}")
    if example.contract:
        parts.append(f"contract {example.contract}")
    if example.ulp is not None:
        parts.append(f"{example.ulp:.3g} ULP")
    if example.note:
        parts.append(example.note)
    return ", ".join(parts)


def closing(record: RunRecord) -> Iterator[str]:
    """The last lines: counts by verdict, what did not run, and the outcome."""
    footer = record.footer
    yield ""
    if footer is None:
        yield "[bold red]interrupted[/]: no outcome"
        return
    yield "verdicts: " + ", ".join(f"{count} {name}" for name, count in footer.verdicts.items())
    yield f"not judged: {not_judged_text(record)}"
    counts = dict.fromkeys(("as expected", "recorded", "new", "fixed"), 0) | footer.outcomes
    outcome = ", ".join(f"{count} {name}" for name, count in counts.items())
    words = {0: "[green]as expected[/]", 1: "[bold red]NOT as expected[/]"}
    word = words.get(footer.exit, "[bold red]the suite failed: not everything was run[/]")
    if footer.restarts:
        yield f"workers replaced after a crash, a time-out or a change of state: {escape(', '.join(footer.restarts))}"
    missing = f", {footer.not_run} not run" if footer.not_run else ""
    yield f"outcomes: {outcome}{missing} · {footer.seconds:.1f} s · {word}"


def tolerance_table(lines: Sequence[ToleranceLine]) -> Table:
    """The tolerance report."""
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold")
    for name in ("implementation", "dtype", "family", "quantity"):
        table.add_column(name, no_wrap=True)
    for name in ("points", "budget", "worst ULP", "rtol (atol=0)", "atol (rtol=0)"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("no tolerance")
    for line in lines:
        table.add_row(
            escape(line.implementation.removesuffix("/eager/cpu")),
            line.dtype,
            line.family,
            line.quantity,
            str(line.points),
            f"{line.budget:g}",
            error_text(line.worst_ulp),
            "none" if line.rtol is None else f"{line.rtol:.3g}",
            "none" if line.atol is None else f"{line.atol:.3g}",
            ", ".join(f"{count} {what}" for what, count in line.no_tolerance.items()) or "-",
        )
    return table
