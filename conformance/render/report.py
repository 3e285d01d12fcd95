"""A run and certificates as one HTML page that works from disk: the answer first, then problems, plots, every finding.

The page holds all that it shows; a content security policy forbids it every request.  What needs no filter is written
here and can be read without JavaScript; the rest is drawn by `templates/report.js` and `templates/sweeps.js` from the
data of `report_data` and `sweep_data`.
"""

from __future__ import annotations

import base64
import gzip
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib import resources
from itertools import groupby
from typing import Any

import msgspec
from markupsafe import Markup

from conformance.diagnosis.why import WORD, sentences
from conformance.ids import ImplementationId
from conformance.judge.harm import Harm
from conformance.numbers.measurement import BUDGET
from conformance.record.grades import Graded, entries, grades
from conformance.record.harms import Harms, harms
from conformance.record.kinds import Kind
from conformance.record.problems import ProblemSummary, problems
from conformance.record.record import RunRecord
from conformance.record.summary import CauseSummary, Example, by_entry, causes, diverse, folded, scoreboard
from conformance.render.certificate import share
from conformance.render.coloured import Word, graded, key
from conformance.render.maxima import environment_text
from conformance.render.narrate import by_harm, counted
from conformance.render.pages import page
from conformance.render.pictures import Picture, pictures
from conformance.render.report_data import page_data
from conformance.render.scoreboard import error_text, row_name
from conformance.render.sweep_data import Group, groups, rows, sweep_data
from conformance.render.text import example_text, not_judged_text, quick_text
from conformance.sweep.certificate import Certificate

#: How many new causes are told before anything else, and how many fixed ones.
HEADLINES = 8

#: The words of a cell beside those of harm, and what they mean.
OTHER_WORDS = (
    Word("documented", "documented", "right by what the framework documents, and the harm that this does all the same"),
    Word("ok", "ok", "within 4 ULP of the exact value, and as it must be in all else"),
    Word("rejects", "rejects", "raises an exception, as it documents or may"),
)


@dataclass(frozen=True, kw_only=True)
class AnswerRow:
    """One entry point: a word for each kind of input, and the problem that most is to be said of."""

    backend: str
    name: str
    words: tuple[Word, ...]
    problem: str
    title: str


@dataclass(frozen=True, kw_only=True)
class Told:
    """A problem as the page tells it; `who` has it: backends, and their entry points."""

    summary: ProblemSummary
    example: str
    who: tuple[tuple[str, str], ...]
    picture: Picture | None


def render(record: RunRecord | None, certificates: Sequence[Certificate] = ()) -> str:
    """The whole page: of a run, of certificates, or of both."""
    swept = groups(certificates)
    weighed = {} if record is None else harms(record)
    return page(
        "report.html.j2",
        run=None if record is None else _run(record, weighed),
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
        data=_packed(page_data(record, weighed) | {"run": record is not None, "sweeps": sweep_data(swept)}),
    )


def _places(swept: Sequence[Group]) -> dict[str, list[str]]:
    """The commands that repeat sweeps, by backend, versions, switches and processor."""
    found: dict[str, dict[str, None]] = {}
    for one in swept:
        where = f"{one.certificate.backend}: {environment_text(one.certificate)}"
        found.setdefault(where, {})[one.certificate.command] = None
    return {where: list(commands) for where, commands in found.items()}


def _run(record: RunRecord, weighed: Harms) -> dict[str, Any]:
    """What the page tells of a run without its script."""
    found = problems(record, weighed)
    first, others = answers(record, weighed)
    elements = Counter(finding.outcome for check in record.checks for finding in check.findings)
    return {
        "record": record,
        "footer": record.footer,
        "header": record.header,
        "quick": quick_text(record),
        "not_judged": not_judged_text(record),
        "kinds": tuple(Kind),
        "harms": [Word(key(harm), harm.word, harm.meaning) for harm in reversed(Harm)],
        "other_words": OTHER_WORDS,
        "rows": first,
        "others": others,
        "new": counted(elements["new"], "new finding"),
        "fixed": elements["fixed"],
        "known": counted(sum(one.explained for one in found), "known problem"),
        "by_harm": by_harm(one.worst for one in found if one.explained),
        "problems": told(found, pictures(record, found, weighed)),
        "headlines": _headlines(record) if elements["new"] or elements["fixed"] else [],
    }


def told(found: Sequence[ProblemSummary], drawn: dict[str, Picture]) -> list[tuple[Word, list[Told]]]:
    """The problems of a run by the worst harm that each does, the worst first, with their pictures."""
    return [
        (
            Word(key(harm), harm.word, harm.meaning),
            [
                Told(summary=one, example=said(one.example), who=_who(one), picture=drawn.get(one.line.problem))
                for one in members
            ],
        )
        for harm, members in groupby(found, key=lambda one: one.worst)
    ]


def said(example: Example) -> str:
    """What came back at which inputs, and what should have."""
    backend, entry, *_ = example.implementation.split("/")
    inputs = ", ".join(f"{name} {decimal}" for name, (decimal, _) in example.inputs.items())
    came = f"is {example.got[0]}" if example.got[0] else f"was judged as {example.what}"
    owed = f", exactly {example.ideal}" if example.ideal else ""
    detail = f" ({example.detail})" if example.detail else ""
    return f"{backend} {entry} in {example.dtype}, {inputs}: the {example.quantity} {came}{owed}{detail}."


def _who(one: ProblemSummary) -> tuple[tuple[str, str], ...]:
    """The entry points that have a problem; backends that have it in the same ones stand together."""
    of_backend: dict[str, list[str]] = {}
    for entry in one.entries:
        backend, _, name = entry.partition("/")
        of_backend.setdefault(backend, []).append(name)
    alike: dict[tuple[str, ...], list[str]] = {}
    for backend, names in of_backend.items():
        alike.setdefault(tuple(names), []).append(backend)
    return tuple((", ".join(backends), ", ".join(names)) for names, backends in alike.items())


def _headlines(record: RunRecord) -> list[tuple[CauseSummary, str, str]]:
    """Causes of what is new or fixed with an example of each and why, "" where nobody knows."""
    found = causes(replace(record, checks=tuple(one for one in record.checks if one.outcome in ("new", "fixed"))))
    new, fixed = ([one for one in found if one.outcome == outcome] for outcome in ("new", "fixed"))
    shown = (*diverse(new, HEADLINES), *fixed[:HEADLINES])
    why = sentences(record, diverse(new, HEADLINES))
    return [
        (
            one,
            "" if one.example is None else example_text(one.example),
            f"{WORD}{why[one.cause]}" if one.cause in why else "",
        )
        for one in shown
    ]


def _asset(folder: str, name: str) -> Markup:
    """A file of this package, which is put into the page as it is; it must not end the element that holds it."""
    text = resources.files("conformance.render").joinpath(folder, name).read_text(encoding="utf-8")
    if "</script" in text or "</style" in text:
        raise ValueError(f"{name} would end the element that holds it")
    return Markup(text)


def _packed(data: dict[str, Any]) -> str:
    """The data of the page: JSON, compressed, in base64, which nothing in it can end."""
    packed = gzip.compress(msgspec.json.encode(data), compresslevel=7, mtime=0)
    return base64.b64encode(packed).decode("ascii")


def answers(record: RunRecord, weighed: Harms) -> tuple[list[AnswerRow], list[AnswerRow]]:
    """A row for each entry point: those that most people use, the best first, and all others by backend.

    `weighed` is the harm of all findings.
    """
    shown = {row.implementation: row for row in by_entry(folded(scoreboard(record)))}
    main = {(one.backend, one.entry, one.device) for one in map(ImplementationId.parse, entries(record))}
    first: list[AnswerRow] = []
    others: list[AnswerRow] = []
    for one in grades(record, list(shown), weighed):
        row = shown[one.implementation]
        (first if row.place in main else others).append(_row(record, one, row_name(row)))
    return first, sorted(others, key=lambda row: row.backend)


def _row(record: RunRecord, one: Graded, name: str) -> AnswerRow:
    problem = one.said.problem
    line = record.problems_by_id.get(problem)
    return AnswerRow(
        backend=one.implementation.partition("/")[0],
        name=name,
        words=tuple(graded(one.grades[kind]) for kind in Kind),
        problem=problem,
        title=line.title if line else problem,
    )
