"""A run for a terminal: scoreboard, findings by cause, closing line; at most two screens unless more is asked for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import Console
from rich.markup import escape
from rich.measure import Measurement
from rich.table import Table

from conformance.adapters.declaration import PLAIN_CALL
from conformance.diagnosis.why import WORD, sentences
from conformance.ids import backend_of
from conformance.numbers.formats import FORMATS
from conformance.quantities import AGREEMENT
from conformance.record.record import BackendLine, Footer, RunRecord, ToleranceLine
from conformance.record.summary import CauseSummary, Example, causes, diverse, scoreboard
from conformance.render.narrate import ACCEPTED, counted
from conformance.render.scoreboard import LEGEND, ONE_ROW_AN_ENTRY, error_text, fitting, lines_of, table

#: Width of the report where standard output is not a terminal.
WIDTH = 140

#: More columns than any table has.
UNBOUNDED = 100_000

#: Two screens of 50 lines.
LINES = 100

#: Lines that the findings get at least: their heading, four findings, and what was left out.
FOR_FINDINGS = 17

#: What a quick run is worth.
QUICK = "A quick run proves nothing: it only looks for what is obvious."

#: Lines of a finding, at most.
HEIGHT = {"new": 4, "fixed": 3, "recorded": 3}

STYLE = {"new": "bold red", "fixed": "bold yellow", "recorded": "cyan"}


def render(record: RunRecord, console: Console, wide: bool = False, everything: bool = False) -> None:
    """Print a whole run, `wide` with a row for every mode and a column for every family, within LINES otherwise.

    `everything` shows all findings.
    """
    start, end = list(head(record)), list(closing(record))
    every = scoreboard(record)
    legend = LEGEND + ONE_ROW_AN_ENTRY
    used = sum(_height(console, line) for line in (*start, legend)) + len(end) + 1
    rows, left_out = (every, 0) if wide else fitting(every, LINES - used - FOR_FINDINGS)
    for line in start:
        console.print(line, highlight=False)
    _print_whole(console, table(record, rows, wide, console.width))
    if left_out:
        console.print(f"… and {left_out} more entries: `bce-conformance show --wide`", highlight=False)
    console.print(legend if any(row.differing for row in rows) else LEGEND, style="dim", highlight=False)
    used += lines_of(rows) + bool(left_out)
    for line in findings(record, LINES - used if not everything else 1_000_000):
        console.print(line, highlight=False, soft_wrap=True)
    for line in end:
        console.print(line, highlight=False, soft_wrap=True)


def _print_whole(console: Console, made: Table) -> None:
    """Print a table that is not cut: a narrower terminal breaks its lines."""
    width = console.width
    natural = Measurement.get(console, console.options.update(max_width=UNBOUNDED), made).maximum
    console.width = max(width, natural)
    console.print(made)
    console.width = width


def _height(console: Console, line: str) -> int:
    return len(console.render_lines(console.render_str(line)))


def head(record: RunRecord) -> Iterator[str]:
    """What was run, on what."""
    header = record.header
    ran = len({check.implementation for check in record.checks})
    cases = len({check.case for check in record.checks})
    yield (
        f"[bold]bce-conformance {header.suite}[/] · {counted(ran, 'implementation')} · {counted(cases, 'case')} · "
        f"{counted(len(record.checks), 'check')} of {header.planned} planned · "
        f"{sum(header.not_offered.values())} not offered"
    )
    if quick := quick_text(record):
        yield f"[yellow]quick run[/]: {quick}"
    yield escape(" · ".join(_versions(line) for line in header.backends if line.versions))
    yield from caveats(record)


def caveats(record: RunRecord) -> Iterator[str]:
    """What of a run is missing, or differs from where the record was made."""
    header = record.header
    if not header.familiar:
        yield (
            f"[yellow]another processor[/]: the record was made on none with {header.machine['instruction-set']}; "
            "kinds of mistakes are the same there, last digits may differ"
        )
    for line in header.backends:
        if line.absent is not None:
            yield f"[yellow]absent[/] {line.name}: {escape(line.absent)}"
        for dtype, why in line.lacking.items():
            yield f"[yellow]absent[/] {line.name} in {dtype}: {escape(why)}"
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


def named(line: BackendLine) -> str:
    """The versions of a backend, that of NumPy where there is no other."""
    named = " ".join(f"{name} {version}" for name, version in line.versions.items() if name != "numpy")
    return named or f"numpy {line.versions.get('numpy', '')}"


def _versions(line: BackendLine) -> str:
    versions = named(line)
    text = versions if line.name in versions else f"{line.name}: {versions}"
    return text if line.pinned else f"{text} (not the pinned versions)"


def findings(record: RunRecord, lines: int) -> Iterator[str]:
    """New findings first, all of them if they fit, and why; then fixed ones; then a choice of the recorded ones."""
    summaries = causes(record)
    by_outcome = {name: [one for one in summaries if one.outcome == name] for name in ("new", "fixed", "recorded")}
    yield ""
    yield (
        "[bold]Findings by cause[/]: "
        + ", ".join(f"{len(found)} {name}" for name, found in by_outcome.items())
        + f" (elements: {', '.join(f'{_elements(found)} {name}' for name, found in by_outcome.items())})"
    )
    versions = {line.name: named(line) for line in record.header.backends}
    room = max(lines - 5, 3)
    for name, found in by_outcome.items():
        height = HEIGHT[name]
        shown = found[: room // height] if name == "new" else diverse(found, room // height)
        why = sentences(record, shown) if name == "new" else {}
        for one in shown:
            yield from finding(one, versions.get(backend_of(one.cause), ""), why.get(one.cause, ""))
        room -= height * len(shown)
        if len(shown) < len(found):
            yield f"… and {counted(len(found) - len(shown), f'more {name} cause')}: `bce-conformance show --all`"


def _elements(found: Sequence[CauseSummary]) -> int:
    return sum(one.elements for one in found)


def finding(one: CauseSummary, versions: str, why: str = "") -> Iterator[str]:
    """Lines on one cause, as many as HEIGHT; of a fixed one with the `versions` in which it does not show.

    A new one has a line more for each option and parameter with which it shows.
    """
    dtypes = " ".join(dtype for dtype in FORMATS if dtype in one.dtypes)
    size = counted(one.elements, "element")
    known = f" · {one.kind}" if one.kind else ""
    yield f"[{STYLE[one.outcome]}]{one.outcome}[/] {escape(one.cause)} · {size} in {dtypes}{known}"
    example = one.example
    if example is None:
        known = f"{one.title}: " if one.title else ""
        yield f"    {escape(known)}recorded, not seen here: fixed upstream in {escape(versions)}?"
        return
    yield "    " + escape(example_text(example))
    for name, other in one.others.items() if one.outcome == "new" else ():
        yield f"    with {name}: {escape(example_text(other))}"
    if why:
        yield f"    {WORD}{escape(why)}"
    link = f" · {one.links[0]}" if one.links else ""
    yield f"    {escape(example.command)}{escape(link)}"


def example_text(example: Example) -> str:
    """One element: exact inputs in decimal and hexadecimal, got, ideal, contract, error."""
    inputs = " ".join(
        f"{name}={decimal}" if " " in bits else f"{name}={decimal} (0x{bits})"
        for name, (decimal, bits) in example.inputs.items()
    )
    inputs += "".join(f" {name}={number}" for name, number in example.parameters.items())
    parts = [f"{example.case}#{example.element} {example.dtype} {example.quantity}: {inputs}"]
    if example.got[1]:
        parts.append(f"got {example.got[0]} (0x{example.got[1]})")
    if example.what == "accepted" and example.quantity != AGREEMENT:
        return ", ".join([*parts, ACCEPTED, *filter(None, (example.note,))])
    if not example.got[1]:
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
    if footer.restarts:
        why = "a crash, a time-out, a change of state or too much memory"
        yield f"workers replaced after {why}: {escape(', '.join(footer.restarts))}"
    yield from timings(record)
    for line in footer.lost:
        yield f"not run: {escape(line)}"
    yield outcome(footer)


def timings(record: RunRecord) -> Iterator[str]:
    """How many implementations were timed, and what was not; nothing where that was not asked for."""
    if count := timed(record):
        yield f"timed: {counted(count, 'implementation')}; `bce-conformance choose` and the record tell how fast"
    yield from untimed(record)


def timed(record: RunRecord) -> int:
    """How many implementations were timed."""
    return len({line.implementation for line in record.speeds})


def untimed(record: RunRecord) -> Iterator[str]:
    """What was to be timed, and was not."""
    for line in record.footer.untimed if record.footer else ():
        yield f"not timed: {escape(line)}"


def outcome(footer: Footer) -> str:
    """The last line of a run: its outcomes, and what its exit code means."""
    counts = dict.fromkeys(("as expected", "recorded", "new", "fixed"), 0) | footer.outcomes
    told = ", ".join(f"{count} {name}" for name, count in counts.items())
    missing = f", {footer.not_run} not run" if footer.not_run else ""
    return f"outcomes: {told}{missing} · {footer.seconds:.1f} s · {exit_word(footer)}"


def exit_word(footer: Footer) -> str:
    """What the exit code of a run means, with its colour."""
    words = {0: "[green]as expected[/]", 1: "[bold red]NOT as expected[/]"}
    return words.get(footer.exit, "[bold red]the suite failed: not everything was run[/]")


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
            escape(line.implementation.removesuffix(PLAIN_CALL)),
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
