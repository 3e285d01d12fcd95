"""The list of the runs that are kept, for a terminal."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict

from rich.markup import escape
from rich.table import Table

from conformance.adapters.declaration import BASE_MODE
from conformance.plan.filters import Filters
from conformance.record.ends import Ends
from conformance.record.record import Header
from conformance.render.text import exit_word
from conformance.run.kept import Kept


def table(runs: Iterable[Kept]) -> Table:
    """A row for each run: its number, when it was started, its filters, what came of it, the size of its file."""
    made = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    made.add_column("run", justify="right", no_wrap=True)
    made.add_column("started (UTC)", no_wrap=True)
    made.add_column("filters")
    made.add_column("checks", justify="right", no_wrap=True)
    made.add_column("outcome")
    made.add_column("size", justify="right", no_wrap=True)
    for one in runs:
        cells = _cells(one.ends) if one.ends is not None else ("", "", "", f"[bold red]{escape(one.damage)}[/]")
        made.add_row(one.name, *cells, f"{one.size / 1000:.0f} kB")
    return made


def _cells(run: Ends) -> tuple[str, str, str, str]:
    """When, what, how many checks, and the outcome."""
    start = run.header.started[:16].replace("T", " ")
    what = escape(filters_text(run.header))
    if run.footer is None:
        return start, what, f"of {run.header.planned}", "[bold red]INTERRUPTED[/]"
    counts = ", ".join(f"{count} {name}" for name, count in run.footer.outcomes.items())
    return start, what, str(sum(run.footer.verdicts.values())), f"{counts} · {exit_word(run.footer)}"


def filters_text(header: Header) -> str:
    """The filters of a run in words, without what a run of everything or a quick one has anyway."""
    quick = "preset" in header.filters
    usual = asdict(Filters().quick() if quick else Filters(mode=(BASE_MODE,)))
    own = [f"{name} {', '.join(given)}" for name, given in header.filters.items() if usual.get(name) != tuple(given)]
    return "; ".join([*(["quick"] if quick else []), *own]) or "none"
