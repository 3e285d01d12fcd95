"""A history for a terminal and as one self-contained HTML page, which needs neither a network nor JavaScript."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from rich.console import Console
from rich.markup import escape
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from conformance.judge.harm import Harm
from conformance.judge.verdicts import VERDICTS
from conformance.record import record as records
from conformance.record.compare import Side, compare
from conformance.record.history import History, Past, Point, Series
from conformance.render.comparison import models_of, place_of
from conformance.render.pages import page
from conformance.render.plots import DRAWN, LARGE, SMALL, Plot, plot
from conformance.render.scoreboard import error_text
from conformance.render.text import UNBOUNDED
from conformance.render.wrapping import wrap

#: Width of the tables where standard output is no terminal: wide enough for every verdict.
WIDTH = 200

#: What stands for a count that a run does not tell; never 0.
UNKNOWN = "–"


@dataclass(frozen=True)
class Row:
    """A run in the table of one backend: a cell for each of its columns."""

    day: str
    versions: str
    cells: tuple[str, ...]
    note: str


@dataclass(frozen=True, kw_only=True)
class Section:
    """All that is shown of one backend."""

    name: str
    caption: str
    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    plot: Plot
    implementations: tuple[Plot, ...]


def columns(series: Series) -> tuple[str, ...]:
    """The verdicts that a series has, conforms and by-contract always, problems by harm, outcomes and worst errors."""
    seen = {verdict for point in series.points if point for verdict in point.verdicts}
    verdicts = [one for one in VERDICTS if one in seen or one in ("conforms", "by-contract")]
    return (*verdicts, *(harm.word for harm in _harms(series)), "new", "fixed", *(f"worst {name}" for name in DRAWN))


def _harms(series: Series) -> list[Harm]:
    """The harms that problems of a series do, the worst first."""
    return [harm for harm in Harm if any(point is not None and point.harmed(harm) for point in series.points)]


def rows(history: History, series: Series) -> tuple[Row, ...]:
    """A row for each run, oldest first."""
    names = columns(series)
    return tuple(
        Row(
            run.ends.header.started[:16].replace("T", " "),
            run.versions(series.name),
            _cells(point, names, _harms(series)),
            _note(run),
        )
        for run, point in zip(history.runs, series.points, strict=True)
    )


def _cells(point: Point | None, names: tuple[str, ...], harms: Sequence[Harm]) -> tuple[str, ...]:
    if point is None:
        return (UNKNOWN,) * len(names)
    counts = [str(point.verdicts.get(name, 0)) for name in names if name in VERDICTS]
    counts += [UNKNOWN if (count := point.harmed(harm)) is None else str(count) for harm in harms]
    counts += [str(point.outcomes.get(name, 0)) for name in ("new", "fixed")]
    return (*counts, *(error_text(point.worst.get(name)) for name in DRAWN))


def _note(run: Past) -> str:
    return ", ".join(run.marks)


def tables(history: History, last: int) -> Iterator[Table]:
    """For a terminal: a table of the `last` runs of each backend that has counts."""
    for series in history.by_backend():
        table = Table(title=f"[bold]{escape(series.name)}[/]", title_justify="left", box=None, header_style="bold")
        table.add_column("run")
        table.add_column("versions")
        for name in columns(series):
            table.add_column(name, justify="right")
        table.add_column("")
        for row in rows(history, series)[-last:]:
            table.add_row(row.day, escape(row.versions) or UNKNOWN, *row.cells, f"[bold red]{escape(row.note)}[/]")
        yield table


def shown(history: History, last: int, console: Console) -> None:
    """Print the tables; where a table does not fit, a block for each run that names what it counts."""
    unbounded = console.options.update(max_width=UNBOUNDED)
    for series, table in zip(history.by_backend(), tables(history, last), strict=True):
        if Measurement.get(console, unbounded, table).maximum <= console.width:
            console.print(table)
            continue
        console.print(f"[bold]{escape(series.name)}[/]", highlight=False)
        for row in rows(history, series)[-last:]:
            for line in wrap(_line(row, columns(series)), console.width):
                console.print(line, highlight=False, soft_wrap=True)


def _line(row: Row, names: Sequence[str]) -> Text:
    """A run in one line: what it counts, without zeros but those of what is new and fixed."""
    counts = [
        f"{name} {cell}" for name, cell in zip(names, row.cells, strict=True) if cell != "0" or name in ("new", "fixed")
    ]
    told = Text(f"{row.day}  {row.versions or UNKNOWN}: {', '.join(counts)}")
    return told.append(f", {row.note}", "bold red") if row.note else told


def models(history: History, last: int) -> Iterator[str]:
    """What changed in formulas and arithmetics from each of the `last` comparable runs to the next.

    Records are read whole for it.  Raises InputError where one is damaged.
    """
    comparable = [one for one in history.runs if not one.marks][-last:]
    sides = (Side(one.ends.header.started[:16].replace("T", " "), records.read(one.ends.file)) for one in comparable)
    for before, after in pairwise(sides):
        for one in models_of(compare(before, after)):
            yield f"{before.name} → {after.name}: {place_of(one)}: {one.sentence}"


def render(history: History) -> str:
    """The whole page."""
    sections = tuple(_section(history, series) for series in history.by_backend())
    complete = sum(not run.interrupted for run in history.runs)
    return page(
        "history.html.j2",
        history=history,
        sections=sections,
        complete=complete,
        verdicts=VERDICTS,
        quantities=DRAWN,
    )


def _section(history: History, series: Series) -> Section:
    made, names = rows(history, series), columns(series)

    def tip(index: int) -> str:
        row = made[index]
        counts = [f"{name} {cell}" for name, cell in zip(names, row.cells, strict=True) if cell not in ("0", UNKNOWN)]
        return " · ".join([row.day, row.versions or "not in this run", *counts, *([row.note] if row.note else [])])

    return Section(
        name=series.name,
        caption=_caption(history, series),
        columns=names,
        rows=made,
        plot=plot(history, series, LARGE, tip),
        implementations=tuple(plot(history, one, SMALL) for one in history.by_implementation(series.name)),
    )


def _caption(history: History, series: Series) -> str:
    """The newest comparable counts in words, with what changed since those before them."""
    known = [(run, point) for run, point in zip(history.runs, series.points, strict=True) if point and not run.marks]
    if not known:
        return "No run of it is comparable with the newest complete one."
    run, point = known[-1]
    before = known[-2][1] if len(known) > 1 else point
    words = []
    for name in VERDICTS:
        count, old = point.verdicts.get(name, 0), before.verdicts.get(name, 0)
        if count or old:
            words.append(f"{name} {count}{f' ({count - old:+d})' if count != old else ''}")
    since = f", against {known[-2][0].ends.header.started[:10]}" if len(known) > 1 else ""
    return f"{run.versions(series.name)} on {run.ends.header.started[:10]}: {', '.join(words)}{since}."
