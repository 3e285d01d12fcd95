"""A run and certificates as one HTML page that works from disk: the answer first, then tables, plots, every finding.

The page holds all that it shows; a content security policy forbids it every request.  What needs no filter is written
here and can be read without JavaScript; the rest is drawn by `templates/report.js` and `templates/sweeps.js` from the
data of `report_data` and `sweep_data`.
"""

from __future__ import annotations

import base64
import gzip
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Any

import msgspec
from markupsafe import Markup

from conformance.diagnosis.why import WORD, sentences
from conformance.numbers.measurement import BUDGET
from conformance.record.record import RunRecord
from conformance.record.summary import CauseSummary, Cell, by_entry, causes, diverse, folded, scoreboard
from conformance.render.certificate import share
from conformance.render.maxima import environment_text
from conformance.render.pages import page
from conformance.render.report_data import page_data
from conformance.render.scoreboard import MAIN_FAMILIES, error_text, row_name
from conformance.render.sweep_data import Group, groups, rows, sweep_data
from conformance.render.text import example_text, not_judged_text, quick_text
from conformance.sweep.certificate import Certificate

#: How many causes are told before anything else.
HEADLINES = 8

#: What the four main families are called on the page.
TITLES = {
    "hard-labels": "hard labels",
    "soft-labels": "soft labels",
    "out-of-range-labels": "labels outside [0, 1]",
    "extreme-predictions": "extreme predictions",
}


@dataclass(frozen=True)
class Answer:
    """What an implementation does with one family, in words; `kind`: right, documented, rejects, wrong, untested."""

    kind: str
    text: str
    title: str


@dataclass(frozen=True, kw_only=True)
class AnswerRow:
    """One entry point and its answers."""

    backend: str
    name: str
    modes: tuple[str, ...]
    answers: tuple[Answer, ...]
    worst: str
    new: int


def render(record: RunRecord | None, certificates: Sequence[Certificate] = ()) -> str:
    """The whole page: of a run, of certificates, or of both."""
    swept = groups(certificates)
    return page(
        "report.html.j2",
        run=None if record is None else _run(record),
        certificates=certificates,
        maxima=rows(swept),
        sweeps=swept,
        places=_places(swept),
        share=share,
        error_text=error_text,
        budget=BUDGET,
        style=_asset("templates", "report.css"),
        script=_asset("templates", "sweeps.js") + _asset("templates", "report.js"),
        libraries=[_asset("vendor", "d3.min.js"), _asset("vendor", "plot.umd.min.js")],
        data=_packed(page_data(record) | {"run": record is not None, "sweeps": sweep_data(swept)}),
    )


def _places(swept: Sequence[Group]) -> dict[str, list[str]]:
    """The commands that repeat sweeps, by backend, versions, switches and processor."""
    found: dict[str, dict[str, None]] = {}
    for one in swept:
        where = f"{one.certificate.backend}: {environment_text(one.certificate)}"
        found.setdefault(where, {})[one.certificate.command] = None
    return {where: list(commands) for where, commands in found.items()}


def _run(record: RunRecord) -> dict[str, Any]:
    """What the page tells of a run without its script."""
    found = causes(record)
    return {
        "record": record,
        "footer": record.footer,
        "header": record.header,
        "quick": quick_text(record),
        "not_judged": not_judged_text(record),
        "titles": [TITLES[family] for family in MAIN_FAMILIES],
        "rows": list(answers(record)),
        "counts": {name: sum(one.outcome == name for one in found) for name in ("new", "fixed", "recorded")},
        "headlines": _headlines(record, found),
    }


def _headlines(record: RunRecord, found: Sequence[CauseSummary]) -> list[tuple[CauseSummary, str, str]]:
    """Causes with an example of each and why, "" where nobody knows; other causes of the page have no reason.

    The first new ones, then some recorded bugs of every backend in turn.
    """
    new = [one for one in found if one.outcome == "new"]
    bugs = [one for one in found if one.outcome == "recorded" and one.kind == "bug"]
    shown = (*new[:HEADLINES], *diverse(bugs, HEADLINES))
    why = sentences(record, shown)
    return [
        (one, example_text(one.example), f"{WORD}{why[one.cause]}" if one.cause in why else "")
        for one in shown
        if one.example is not None
    ]


def _asset(folder: str, name: str) -> Markup:
    """A file of this package, which is put into the page as it is; it must not end the element that holds it."""
    text = resources.files("conformance.render").joinpath(folder, name).read_text(encoding="utf-8")
    if "</script" in text or "</style" in text:
        raise ValueError(f"{name} would end the element that holds it")
    return Markup(text)


def _packed(data: dict[str, Any]) -> str:
    """The data of the page: JSON, compressed, in base64, which nothing in it can end."""
    packed = gzip.compress(msgspec.json.encode(data), compresslevel=9, mtime=0)
    return base64.b64encode(packed).decode("ascii")


def answers(record: RunRecord) -> Iterator[AnswerRow]:
    """One row for each entry point, in the order of the scoreboard."""
    for row in by_entry(folded(scoreboard(record))):
        cells = tuple(_answer(row.cells.get(family)) for family in MAIN_FAMILIES)
        yield AnswerRow(
            backend=row.place[0],
            name=row_name(row),
            modes=row.modes,
            answers=cells,
            worst=error_text(row.worst_ulp),
            new=row.new,
        )


def _answer(cell: Cell | None) -> Answer:
    if cell is None or not cell.checks:
        return Answer("untested", "–", "not tested")
    documented = cell.by_contract + cell.by_formula
    wrong = cell.checks - cell.conforms - documented - cell.rejects - cell.verdicts.get("recorded", 0)
    counts = ", ".join(f"{count} {verdict}" for verdict, count in sorted(cell.verdicts.items()))
    title = f"{counts}; {cell.checks} checks"
    if wrong:
        return Answer("wrong", f"{wrong} of {cell.checks} wrong", title)
    if cell.rejects > cell.checks // 2:
        return Answer("rejects", "rejects", title)
    if documented:
        return Answer("documented", f"{documented} by contract", title)
    return Answer("right", "right", title)
