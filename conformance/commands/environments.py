"""`bce-conformance environments`: the same plan under several settings of the workers' environment."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace

import click
import numpy as np
from rich.console import Console
from rich.table import Table

from conformance.commands.options import Asked, suite_options
from conformance.errors import Exit, InputError
from conformance.ids import backend_of
from conformance.known import deviations
from conformance.numbers.formats import FORMATS, Tensor, decode, ulp
from conformance.plan.cases import Suite
from conformance.plan.plan import Plan
from conformance.pool.pool import Backend
from conformance.record.record import CheckLine, RunRecord
from conformance.render import markdown
from conformance.render.scoreboard import error_text
from conformance.run import run as runs

#: A setting as a key: its variables in the order of their names.
Key = tuple[tuple[str, str], ...]

COLUMNS = ("setting", "the runtime reports", "checks", "results", "other bits", "share", "verdicts", "worst ULP", "new")

LEGEND = (
    "against the default setting, the first line of each backend: results with other bits, verdicts that differ, the "
    "largest difference in ULP of the larger (+N: N turned finite, infinite, NaN or none), deviations that are new"
)


@dataclass(kw_only=True)
class Row:
    """One backend under one setting, against its default setting.

    `checks` and `results` (elements of numeric checks) are those that were seen under both settings; `bits` results
    and `verdicts` checks differ.  `worst_ulp` is the largest difference of two finite results in ULP of the larger;
    `turned` counts results that became finite, infinite, NaN, of another dtype or none and were something else.
    `reports` are the switches that the runtime says to have changed, `new` the checks that have a new deviation and had
    none.
    """

    backend: str
    setting: dict[str, str]
    state: str = ""
    reports: dict[str, str] = field(default_factory=dict)
    checks: int = 0
    results: int = 0
    bits: int = 0
    verdicts: int = 0
    worst_ulp: float = 0.0
    turned: int = 0
    new: list[str] = field(default_factory=list)

    @property
    def share(self) -> float:
        """The part of the results that has other bits."""
        return self.bits / self.results if self.results else 0.0


@click.command()
@suite_options
@click.option(
    "--format", "form", type=click.Choice(["text", "json", "markdown"]), default="text", show_default=True,
    help="Form of the output.",
)  # fmt: skip
def environments(form: str, asked: Asked) -> None:
    """Run the same checks under each setting of the environment that a backend declares, and compare.

    A setting is a choice of instruction set, threads or library that should change no result.  Exit code 0 unless a
    check has a new deviation that it has not under the default setting, the first of each backend.
    """
    suite, options = asked.suite(), asked.options
    with runs.open_pool(options) as pool:
        backends = runs.discover(pool, options)
    chosen, plan = _chosen(backends, suite, options)
    records = _run_all(chosen, plan, options)
    rows = list(_rows(chosen, records))
    _show(rows, form)
    if any(one.footer is None for one in records.values()):
        sys.exit(130)
    failed = any(one.footer is not None and one.footer.exit == Exit.HARNESS_FAILED for one in records.values())
    new = any(row.new for row in rows)
    sys.exit(int(Exit.HARNESS_FAILED if failed else Exit.NOT_AS_EXPECTED if new else Exit.AS_EXPECTED))


def _chosen(backends: Sequence[Backend], suite: Suite, options: runs.Options) -> tuple[list[Backend], Plan]:
    """The backends that the filters leave and that have settings, and what is planned for them."""
    plan = runs.filtered(backends, suite, options)
    names = {request.implementation.adapter for request in plan.requests}
    if not any(one.settings for one in backends if one.name in names):
        raise InputError(f"none of {', '.join(sorted(names))} declares settings of its environment")
    plan = runs.planned([one for one in backends if one.settings], suite, options)
    names = {request.implementation.adapter for request in plan.requests}
    return [one for one in backends if one.name in names], plan


def _run_all(chosen: Sequence[Backend], plan: Plan, options: runs.Options) -> dict[Key, RunRecord]:
    """One record for each setting, of all backends that have it; the default settings come first."""
    known = deviations.load((deviations.default_folder(),))
    records: dict[Key, RunRecord] = {}
    absent: set[str] = set()
    for setting, members in _by_setting(chosen).items():
        present = [backend for backend in members if backend.name not in absent]
        if not present:
            continue
        click.echo(f"{setting_text(dict(setting))}: {', '.join(one.name for one in present)}", err=True)
        records[setting] = _run_one(present, plan, known, options, dict(setting))
        absent |= {line.name for line in records[setting].header.backends if line.absent is not None}
        if records[setting].interrupted:
            break
    return records


def _by_setting(chosen: Sequence[Backend]) -> dict[Key, list[Backend]]:
    """The backends of each setting: first settings first, so that each backend's default comes before its others."""
    groups: dict[Key, list[Backend]] = {}
    for position in range(max(len(backend.settings) for backend in chosen)):
        for backend in chosen:
            if position < len(backend.settings):
                groups.setdefault(key_of(backend.settings[position]), []).append(backend)
    return groups


def key_of(setting: dict[str, str]) -> Key:
    """A setting as a key."""
    return tuple(sorted(setting.items()))


def _run_one(
    backends: Sequence[Backend], plan: Plan, known: deviations.Record, options: runs.Options, setting: dict[str, str]
) -> RunRecord:
    names = {backend.name for backend in backends}
    part = replace(plan, requests=tuple(one for one in plan.requests if one.implementation.adapter in names))
    under = replace(options, environment=options.environment | setting)
    with runs.open_pool(under) as pool:
        return runs.execute(pool, backends, part, known, under).record


def _rows(chosen: Sequence[Backend], records: dict[Key, RunRecord]) -> Iterator[Row]:
    for backend in chosen:
        first = records.get(key_of(backend.settings[0]))
        for setting in backend.settings:
            under = records.get(key_of(setting))
            if first is not None and under is not None:
                yield compare(backend.name, setting, first, under)


def compare(backend: str, setting: dict[str, str], before: RunRecord, after: RunRecord) -> Row:
    """What `setting` changes in the checks of `backend`: `before` is a run without it, `after` one with it."""
    row = Row(backend=backend, setting=setting)
    switches = [{line.name: line for line in record.header.backends}.get(backend) for record in (before, after)]
    if switches[1] is not None:
        row.state = switches[1].absent or switches[1].failed or ""
    if switches[0] is not None and switches[1] is not None and not row.state:
        old, new = switches[0].environment, switches[1].environment
        row.reports = {name: str(value) for name, value in new.items() if old.get(name) != value}
    known = {line.id: line for line in before.checks}
    for line in after.checks:
        if backend_of(line.implementation) == backend and line.id in known:
            _count(row, known[line.id], line)
    return row


def _count(row: Row, before: CheckLine, after: CheckLine) -> None:
    row.checks += 1
    row.verdicts += before.verdict != after.verdict
    if after.outcome == "new" and before.outcome != "new":
        row.new.append(after.id)
    if before.result_dtype != after.result_dtype or len(before.bits) != len(after.bits):
        count = max(len(before.bits), len(after.bits))
        row.results, row.bits, row.turned = row.results + count, row.bits + count, row.turned + count
        return
    other = [pair for pair in zip(before.bits, after.bits, strict=True) if pair[0] != pair[1]]
    row.results += len(after.bits)
    row.bits += len(other)
    if other and before.result_dtype in FORMATS:
        worst, turned = distance(other, before.result_dtype)
        row.worst_ulp, row.turned = max(row.worst_ulp, worst), row.turned + turned


def distance(pairs: Sequence[tuple[str, str]], dtype: str) -> tuple[float, int]:
    """The largest difference of two finite results in ULP of the larger, and how many pairs differ in class.

    The classes are finite, plus infinity, minus infinity, NaN, and no result at all.
    """
    whole = [pair for pair in pairs if all(pair)]
    fmt = FORMATS[dtype]
    columns = ([int(pair[side], 16) for pair in whole] for side in (0, 1))
    old, new = (decode(Tensor(dtype, np.array(bits, dtype=fmt.storage))) for bits in columns)
    finite = np.isfinite(old) & np.isfinite(new)
    same = finite | (old == new) | (np.isnan(old) & np.isnan(new))
    with np.errstate(over="ignore"):
        larger = np.maximum(np.abs(old[finite]), np.abs(new[finite]))
        error = np.abs(old[finite] - new[finite]) / ulp(larger, fmt)
    return float(error.max(initial=0.0)), len(pairs) - int(same.sum())


def setting_text(setting: dict[str, str]) -> str:
    """A setting as one would write it before a command."""
    return " ".join(f"{name}={value!r}" if " " in value else f"{name}={value}" for name, value in setting.items()) or (
        "default"
    )


def _show(rows: Sequence[Row], form: str) -> None:
    if form == "json":
        document = [asdict(row) | {"share": row.share} for row in rows]
        click.echo(json.dumps(document, indent=2))
        return
    if form == "markdown":
        click.echo(markdown.row(["backend", *COLUMNS]))
        click.echo(markdown.row(["---"] * (len(COLUMNS) + 1)))
        for row in rows:
            click.echo(markdown.row([row.backend, *(markdown.cell(text) for text in _cells(row))]))
        return
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for name in COLUMNS:
        table.add_column(name, justify="left" if name in COLUMNS[:2] else "right", no_wrap=name not in COLUMNS[:2])
    for index, row in enumerate(rows):
        if index == 0 or rows[index - 1].backend != row.backend:
            table.add_row(row.backend, style="bold")
        setting, *rest = _cells(row)
        table.add_row(f"  {setting}", *rest)
    console = Console(width=None if sys.stdout.isatty() else 140)
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
