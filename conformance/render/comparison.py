"""A comparison of two runs as text, Markdown (for a pull request) or JSON."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from itertools import islice
from types import MappingProxyType
from typing import Any, NamedTuple

import msgspec
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from conformance.diagnosis.changed import ModelChange, Results, model_changes
from conformance.errors import Exit
from conformance.ids import CheckId
from conformance.numbers.formats import FORMATS
from conformance.numbers.literals import text_of
from conformance.record.compare import KINDS, Change, Comparison, Drift, FailOn, Side
from conformance.record.moves import Moves, moves
from conformance.render import moves as said
from conformance.render.markdown import cell, code, row
from conformance.render.scoreboard import error_text

#: Rows of each part that text and Markdown show unless all are asked for; JSON holds all.
SHOWN = 20

#: Results of which it is found out whether another formula gives them, unless all changes are asked for: 10 seconds.
IDENTIFIED = 20

#: What changes of models are called.
MODELS = "another formula or arithmetic"

#: The colour of a move's first line.
WAYS = {"worse": "bold red", "better": "green", "otherwise": "yellow"}

STYLE = {"deviating": "bold red", "conforming": "green", "behaviour": "yellow"}

#: Width of the report where standard output is not a terminal.
WIDTH = 180


class Compared(NamedTuple):
    """What changed from a baseline, and what of it counts as a regression."""

    found: Comparison
    limits: FailOn

    @property
    def exit(self) -> Exit:
        """1 where there is a regression."""
        return Exit.NOT_AS_EXPECTED if self.found.regressions(self.limits) else Exit.AS_EXPECTED

    @property
    def headline(self) -> str:
        """Whether the run is as its baseline, and what makes it fail."""
        return f"{'NOT as the baseline' if self.exit else 'as the baseline'}: {verdict(*self)}"


class Failing(NamedTuple):
    """One thing that makes a comparison fail: its name, what happened, and the case that it is about, if any."""

    title: str
    lines: tuple[str, ...]
    case: str = ""


def failing(found: Comparison, fail_on: FailOn) -> Iterator[Failing]:
    """Everything that makes a comparison fail, as `Comparison.regressions` counts it."""
    wanted = {"deviating": True, "conforming": fail_on.conforming, "behaviour": fail_on.behaviour}
    for change in found.changes:
        if wanted[change.kind]:
            title = f"{KINDS[change.kind]} since the baseline: {change.implementation} {change.quantity}"
            yield Failing(title, tuple(line.strip() for line in _change(change)), CheckId.parse(change.example).case)
    if found.lost and not fail_on.allow_missing:
        title = f"{len(found.lost)} checks or elements of the baseline are missing"
        yield Failing(
            title, (*found.lost[:SHOWN], *([f"and {len(found.lost) - SHOWN} more"] if found.lost[SHOWN:] else []))
        )
    for one in found.drifts:
        if fail_on.drift is not None and one.rise > fail_on.drift:
            title = f"drift beyond {fail_on.drift:g} ULP since the baseline: {one.implementation} {one.quantity}"
            yield Failing(title, (" · ".join(_drift_cells(one)),), CheckId.parse(one.where.rpartition("#")[0]).case)
    if found.interrupted(fail_on):
        yield Failing("the run was interrupted", ("what follows is what it saw until then",))


def text(
    found: Comparison,
    fail_on: FailOn,
    console: Console,
    everything: bool = False,
) -> None:
    """Print a comparison for a terminal: what it means in sentences, then check by check."""
    limit = None if everything else SHOWN
    models = models_of(found, everything)
    answer(found, moves(found.old, found.new, found.both), models, console, limit)
    for kind, name in KINDS.items():
        changes = found.of(kind)
        if changes:
            console.print(f"\n[{STYLE[kind]}]{_title(name, changes)}[/]", highlight=False)
        for change in changes[:limit]:
            for line in _change(change):
                console.print(escape(line), highlight=False, soft_wrap=True)
        _more(console, changes, limit)
    if found.drifts:
        console.print(f"\n[bold]{_drift_title(found.drifts)}[/]", highlight=False)
        console.print(_drift_table(found.drifts[:limit]))
        _more(console, found.drifts, limit)
    if models:
        console.print(f"\n[bold]{MODELS}[/]", highlight=False)
    for one in models:
        console.print(f"  {escape(place_of(one))}", highlight=False, soft_wrap=True)
        console.print(f"    {escape(one.sentence)}", highlight=False, soft_wrap=True)
    for title, names in _remainders(found):
        if names:
            console.print(f"\n[bold]{len(names)} {title}[/]", highlight=False)
        for name in names[:limit]:
            console.print(f"  {escape(name)}", highlight=False, soft_wrap=True)
        _more(console, names, limit)
    console.print()
    console.print(escape(outcome(found, fail_on)), highlight=False, soft_wrap=True)


def answer(
    found: Comparison,
    moved: Moves,
    models: Sequence[ModelChange],
    console: Console,
    limit: int | None = SHOWN,
    releases: said.Releases = MappingProxyType({}),
) -> None:
    """Print what a comparison means: the sentence, the kinds of input, what was compared, and every move.

    `releases` are those with which results changed, where they are known (`render.moves.told`).
    """
    console.print(f"[bold]{escape(said.sentence(moved))}[/]", highlight=False, soft_wrap=True)
    for line in (said.by_kind(moved), "", *_head(found)):
        console.print(escape(line), highlight=False, soft_wrap=True)
    for title, *rest in islice(said.lines(moved, found.old, found.new, models, releases), limit):
        console.print(
            f"\n[{WAYS.get(title.partition(':')[0], 'bold')}]{escape(title)}[/]", highlight=False, soft_wrap=True
        )
        for line in rest:
            console.print(escape(f"    {line}"), highlight=False, soft_wrap=True)
    _more(console, moved.found, limit)
    for line in said.searches(moved, found.old, found.new, releases)[:limit]:
        console.print(escape(f"\nwhich release: {line}"), highlight=False, soft_wrap=True)


def models_of(found: Comparison, everything: bool = False) -> list[ModelChange]:
    """What is computed otherwise in the new run: of the first IDENTIFIED results that differ, or of all."""
    differing = islice(dict.fromkeys(_differing(found)), None if everything else IDENTIFIED)
    return model_changes(found.old.record, found.new.record, differing)


def _differing(found: Comparison) -> Iterator[Results]:
    """Those with changes first, then those that drifted, the largest rise first."""
    for change in found.changes:
        yield from (Results(change.implementation, change.quantity, dtype) for dtype in change.dtypes)
    yield from (Results(one.implementation, one.quantity, one.dtype) for one in found.drifts)


def place_of(one: ModelChange) -> str:
    """The results that a change of a model is about."""
    return f"{one.implementation} {one.quantity} in {' '.join(one.dtypes)}"


def _more(console: Console, rows: Sequence[object], limit: int | None) -> None:
    if limit is not None and len(rows) > limit:
        console.print(f"… and {len(rows) - limit} more: --all", highlight=False)


def _head(found: Comparison) -> Iterator[str]:
    """What was compared: files, versions that differ, what makes a comparison doubtful."""
    for word, side in (("old", found.old), ("new", found.new)):
        header = side.record.header
        yield f"{word}: {side.name}, {header.started}, {len(side.record.checks)} checks, suite {header.suite}"
        if side.record.interrupted:
            yield f"INTERRUPTED: the {word} run has no end; what follows is what it saw until then"
    yield from _versions(found)
    old, new = found.old.record.header, found.new.record.header
    if old.cases != new.cases:
        yield "the cases are not the same: a check may have changed with its case"
    if old.machine.get("processor") != new.machine.get("processor"):
        yield f"processor: {old.machine.get('processor')} -> {new.machine.get('processor')}; last bits may depend on it"
    if found.left_out:
        yield f"{found.left_out} checks of the old run are outside the filters"
    yield f"{found.compared} checks compared"


def _versions(found: Comparison) -> Iterator[str]:
    """Backends whose versions differ; one that the new run was not asked for is no difference."""
    before, after = found.old.versions, found.new.versions
    for backend in after if found.left_out else dict.fromkeys((*before, *after)):
        was, now = before.get(backend, "not run"), after.get(backend, "not run")
        if was != now:
            yield f"{backend}: {was} -> {now}"


def _title(name: str, changes: Sequence[Change]) -> str:
    return f"{name}: {sum(one.elements for one in changes)} elements in {len(changes)} groups"


def _drift_title(drifts: Sequence[Drift]) -> str:
    changed, total = sum(one.changed for one in drifts), sum(one.elements for one in drifts)
    return f"numeric drift: {changed} of {total} elements; condition-scaled error in ULP"


def _change(change: Change) -> Iterator[str]:
    yield f"  {change.implementation} {change.quantity} · {change.elements} elements in {' '.join(change.dtypes)}"
    old = told(change.old, change.old_bits, change.old_dtype)
    yield f"    {old} -> {told(change.new, change.new_bits, change.new_dtype)}"
    yield f"    {change.example}" + (f" · {change.cause}" if change.cause else "")


def _place(where: str) -> str:
    """The case and the element of "check id#element"; "" where there is none."""
    check, _, element = where.rpartition("#")
    return f"{CheckId.parse(check).case}#{element}" if where else ""


def told(words: str, bits: str, dtype: str) -> str:
    """What happened, with the number of `dtype` that came back where its bits are known."""
    return f"{words} {text_of(int(bits, 16), FORMATS[dtype])} (0x{bits})" if bits and dtype in FORMATS else words


def _drift_table(drifts: Sequence[Drift]) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold")
    for name in ("implementation", "dtype", "quantity"):
        table.add_column(name)
    for name in ("elements", "max", "p99", "largest rise"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("at")
    for cells in map(_drift_cells, drifts):
        table.add_row(*(escape(one) for one in cells))
    return table


def _drift_cells(one: Drift) -> tuple[str, ...]:
    return (
        one.implementation,
        one.dtype,
        one.quantity,
        f"{one.changed}/{one.elements}",
        f"{error_text(one.old_max)} -> {error_text(one.new_max)}",
        f"{error_text(one.old_p99)} -> {error_text(one.new_p99)}",
        error_text(one.rise),
        _place(one.where),
    )


def _remainders(found: Comparison) -> Iterator[tuple[str, tuple[str, ...]]]:
    yield "checks or elements only in the old run (lost)", found.lost
    yield "checks or elements only in the new run", found.added


def outcome(found: Comparison, fail_on: FailOn) -> str:
    """The last line: what changed in numbers, and whether that is a regression."""
    counts = [f"{sum(one.elements for one in found.of(kind))} {name}" for kind, name in KINDS.items()]
    counts.append(f"{sum(one.changed for one in found.drifts)} drifted")
    counts += [f"{len(found.lost)} lost", f"{len(found.added)} added"]
    return f"{', '.join(counts)} · {verdict(found, fail_on)}"


def verdict(found: Comparison, fail_on: FailOn) -> str:
    """Whether that is a regression; what is failed on and is better, or no worse, is a change."""
    failing = found.regressions(fail_on)
    if not failing:
        return "no regression"
    worse = found.regressions(replace(fail_on, behaviour=False, conforming=False))
    return f"{'REGRESSION' if worse else 'CHANGED'}: {', '.join(failing)}"


def markdown(found: Comparison, fail_on: FailOn) -> str:
    """A comparison for a pull request: the outcome first, long tables folded."""
    return "\n".join(_markdown(found, fail_on)) + "\n"


def _markdown(found: Comparison, fail_on: FailOn) -> Iterator[str]:
    moved = moves(found.old, found.new, found.both)
    models = models_of(found)
    yield f"**{cell(said.sentence(moved))}**"
    yield ""
    yield cell(said.by_kind(moved))
    yield ""
    for title, *rest in islice(said.lines(moved, found.old, found.new, models, {}), SHOWN):
        yield f"- {cell(title)}"
        yield from (f"  - {cell(line)}" for line in rest)
    if len(moved.found) > SHOWN:
        yield f"- and {len(moved.found) - SHOWN} more"
    yield from (f"- which release: {code(line)}" for line in said.searches(moved, found.old, found.new, {})[:SHOWN])
    yield ""
    yield f"**{cell(outcome(found, fail_on))}**"
    yield ""
    for line in _head(found):
        yield f"- {cell(line)}"
    for kind, name in KINDS.items():
        changes = found.of(kind)
        if changes:
            heading = ("implementation", "quantity", "elements", "old", "new", "example")
            rows = [_markdown_change(one) for one in changes[:SHOWN]]
            yield from _folded(_title(name, changes), heading, rows, len(changes))
    if found.drifts:
        columns = ("implementation", "dtype", "quantity", "elements", "max", "p99", "largest rise", "at")
        drift_rows = [[cell(one) for one in _drift_cells(drift)] for drift in found.drifts[:SHOWN]]
        yield from _folded(_drift_title(found.drifts), columns, drift_rows, len(found.drifts))
    if models:
        rows = [[cell(place_of(one)), cell(one.sentence)] for one in models]
        yield from _folded(MODELS, ("results", "what changed"), rows, len(models))
    for title, names in _remainders(found):
        if names:
            yield from _folded(f"{len(names)} {title}", ("check",), [[cell(one)] for one in names[:SHOWN]], len(names))


def _markdown_change(one: Change) -> list[str]:
    return [
        cell(one.implementation),
        one.quantity,
        f"{one.elements} in {' '.join(one.dtypes)}",
        cell(told(one.old, one.old_bits, one.old_dtype)),
        cell(told(one.new, one.new_bits, one.new_dtype)),
        cell(one.example),
    ]


def _folded(title: str, heading: Sequence[str], rows: Sequence[list[str]], count: int) -> Iterator[str]:
    yield ""
    yield f"<details{' open' if count <= SHOWN else ''}><summary>{title}</summary>"
    yield ""
    yield row(list(heading))
    yield row(["---"] * len(heading))
    yield from (row(one) for one in rows)
    if count > len(rows):
        yield ""
        yield f"… and {count - len(rows)} more."
    yield ""
    yield "</details>"


def json(found: Comparison, fail_on: FailOn) -> str:
    """A comparison as one JSON document; nothing is left out but models beyond IDENTIFIED."""
    return msgspec.json.format(msgspec.json.encode(document(found, fail_on)), indent=2).decode() + "\n"


def document(found: Comparison, fail_on: FailOn) -> dict[str, Any]:
    """The document as plain data."""
    regressions = found.regressions(fail_on)
    return {
        "old": _side(found.old),
        "new": _side(found.new),
        "numbers": said.document(moves(found.old, found.new, found.both)),
        "compared": found.compared,
        "left_out": found.left_out,
        "changes": [asdict(one) for one in found.changes],
        "drifts": [asdict(one) for one in found.drifts],
        "models": [asdict(one) for one in models_of(found)],
        "lost": list(found.lost),
        "added": list(found.added),
        "regressions": list(regressions),
        "regression": bool(regressions),
    }


def _side(side: Side) -> dict[str, Any]:
    header = side.record.header
    return {
        "name": side.name,
        "suite": header.suite,
        "started": header.started,
        "cases": header.cases,
        "checks": len(side.record.checks),
        "interrupted": side.record.interrupted,
        "versions": side.versions,
        "machine": header.machine,
    }
