"""The table of reports: what the suite would do with each problem, the worst first, and which it would leave alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from conformance.adapters.declaration import BASE_MODE
from conformance.ids import ImplementationId
from conformance.judge.harm import Harm
from conformance.known.problem import Problem
from conformance.render.markdown import cell, cell_code, row
from conformance.repro.finding import Target
from conformance.repro.groups import Group
from conformance.repro.issue import address
from conformance.repro.projects import project_of
from conformance.repro.report import Failed, Reproducer


@dataclass(frozen=True)
class Entry:
    """A report of the table: its findings, its script or why it has none, its harm, problems that are much like it."""

    group: Group
    made: Reproducer | Failed
    harm: Harm
    near: Sequence[Problem] = ()


#: Headings by what the suite would do, in this order; findings that no problem explains are new.
HEADINGS = {
    "file": "File",
    "comment": "Comment on the known one",
    "": "New: no problem explains it",
}


def render(entries: Sequence[Entry], left: Sequence[Problem], day: str) -> str:
    """The page, `README.md` of the folder of reports; `left` are problems that nobody is to be told of."""
    return "\n".join(_lines(entries, left, day)) + "\n"


def _lines(entries: Sequence[Entry], left: Sequence[Problem], day: str) -> Iterator[str]:
    made = sorted((one for one in entries if isinstance(one.made, Reproducer)), key=_rank)
    yield "# Reports"
    yield ""
    yield f"Made by `bce-conformance repro` on {day}; each script showed its mistake in a clean interpreter."
    yield "First what hurts more than most; then by harm, a plain call before a mode, and what shows at most inputs."
    yield "Nothing of it was posted, and nothing is to be posted in bulk: a person reads one, runs it, answers for it."
    for advice, heading in HEADINGS.items():
        members = [one for one in made if _advice(one) == advice]
        if members:
            yield from ("", f"## {heading}", "")
            yield from _told_first(members)
            yield row(["", "what", "project", "harm", "shown by", "step to blame", "upstream"])
            yield row(["---"] * 7)
            yield from (row([str(number), *_cells(one)]) for number, one in enumerate(members, 1))
    failed = [one for one in entries if isinstance(one.made, Failed)]
    if failed:
        yield from ("", "## Without a script", "")
        yield row(["what", "project", "upstream", "why"])
        yield row(["---"] * 4)
        for one in failed:
            yield row([_title(one), _project(one.made.target), _upstream(one), cell(_why(one.made))])
    if left:
        yield from ("", "## Noise: do not file", "")
        for problem in left:
            because = " ".join((problem.because or "").split())
            yield f"- [{cell(problem.title)}](../known/{problem.id}.yaml): {cell(because)}"


def _told_first(members: Sequence[Entry]) -> Iterator[str]:
    """Why some stand before others of a worse harm, a line for each."""
    urgent = [(one, _first(one)) for one in members if _first(one)]
    if urgent:
        yield "What hurts more than most, and is told first:"
        yield ""
        for number, (_, because) in enumerate(urgent, 1):
            yield f"{number}. {cell(because)}"
        yield ""


def _first(one: Entry) -> str:
    """Why it is to be told first, "" where its harm says enough."""
    problem = one.group.problem
    return " ".join(problem.first.split()) if problem is not None and problem.first is not None else ""


def _rank(one: Entry) -> tuple[Any, ...]:
    return (
        not _first(one),
        -one.harm,
        ImplementationId.parse(one.made.target.implementation.id).mode != BASE_MODE,
        -len(one.group.found),
        one.group.name,
    )


def _advice(one: Entry) -> str:
    return one.group.problem.advice if one.group.problem is not None else ""


def _project(target: Target) -> str:
    project = project_of(target.implementation.id)
    return project.name.partition(" (")[0] if project else "none"


def _title(one: Entry) -> str:
    return cell(one.group.title) if one.group.title else cell_code(one.made.target.cause)


def _upstream(one: Entry) -> str:
    """The upstream reports with their states, or those of what is much like it."""
    links = one.group.problem.links if one.group.problem is not None else ()
    near = "".join(f"; much like {address(each.urls[0])}" for each in one.near[:1])
    return ", ".join(f"{address(link.url)} ({link.state})" for link in links) or f"none is known{near}"


def _why(made: Reproducer | Failed) -> str:
    """Why there is no script, without the name of the check before it."""
    return made.why.removeprefix(f"{made.target.name}: ") if isinstance(made, Failed) else ""


def _cells(entry: Entry) -> list[str]:
    group, one = entry.group, entry.made
    assert isinstance(one, Reproducer)
    own = ImplementationId.parse(one.target.implementation.id)
    what = _title(entry) if group.title else cell(one.script.title)
    mode = "" if own.mode == BASE_MODE else f", {own.mode}"
    versions = " ".join(one.opened.versions.get(name, "") for name in list(one.opened.versions)[:1])
    return [
        f"[{what}]({group.name}/issue.md)",
        _project(one.target),
        entry.harm.word,
        f"{cell_code(own.entry)} ({own.backend}{mode}, {one.small.request.dtype}, {cell(versions)})",
        "not checked" if one.blame is None else one.blame.example.mechanism.value,
        _upstream(entry),
    ]
