"""The table of reports: which are known upstream and which apparently are not, and the causes that each is about."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from conformance.ids import ImplementationId
from conformance.known.problem import Problem
from conformance.render.markdown import cell, cell_code, code, row
from conformance.repro.finding import Target
from conformance.repro.groups import Group
from conformance.repro.issue import address
from conformance.repro.projects import project_of
from conformance.repro.report import Failed, Reproducer


@dataclass(frozen=True)
class Entry:
    """A report of the table: its causes, its script or why it has none, and problems that are much like them."""

    group: Group
    made: Reproducer | Failed
    near: Sequence[Problem] = ()


def render(entries: Sequence[Entry], day: str) -> str:
    """The page, `README.md` of the folder of reports."""
    return "\n".join(_lines(entries, day)) + "\n"


def _lines(entries: Sequence[Entry], day: str) -> Iterator[str]:
    made = [one for one in entries if isinstance(one.made, Reproducer)]
    left = [one for one in entries if isinstance(one.made, Failed)]
    known = sum(bool(one.group.links) for one in made)
    yield "# Reports"
    yield ""
    yield "Made by `bce-conformance repro`; each script was run in a clean interpreter and showed the mismatch."
    yield "Nothing of it is posted by the suite."
    yield ""
    yield f"{len(made)} reports: {known} of what is known upstream, {len(made) - known} apparently unreported."
    yield ""
    yield row(["report", "project", "what", "upstream", "causes", "dtypes", "versions", "verified"])
    yield row(["---"] * 8)
    for one in sorted(made, key=lambda each: (_project(each.made.target), not each.group.links, each.group.name)):
        yield row(_cells(one, day))
    if left:
        yield ""
        yield "## Without a script"
        yield ""
        yield row(["cause", "project", "upstream", "why"])
        yield row(["---"] * 4)
        for one in left:
            target = one.made.target
            yield row([cell_code(target.cause), _project(target), _upstream(one), cell(_why(one.made))])
    yield ""
    yield "## Causes"
    for one in entries:
        yield ""
        yield f"### {one.group.name}"
        yield ""
        yield from (f"- {code(cause.cause)}" for cause in one.group.causes)


def _project(target: Target) -> str:
    project = project_of(target.implementation.id)
    return project.name.partition(" (")[0] if project else "none"


def _upstream(one: Entry) -> str:
    """The upstream reports, or those of what is much like it."""
    near = "".join(f"; much like {address(each.urls[0])}" for each in one.near[:1])
    return " ".join(map(address, one.group.links)) or f"apparently unreported{near}"


def _why(made: Reproducer | Failed) -> str:
    """Why there is no script, without the name of the check before it."""
    return made.why.removeprefix(f"{made.target.name}: ") if isinstance(made, Failed) else ""


def _cells(entry: Entry, day: str) -> list[str]:
    group, one = entry.group, entry.made
    assert isinstance(one, Reproducer)
    dtypes = dict.fromkeys(dtype for cause in group.causes for dtype in cause.dtypes)
    versions = ", ".join(f"{name} {version}" for name, version in one.opened.versions.items() if name != "numpy")
    own = ImplementationId.parse(one.target.implementation.id)
    return [
        f"[report]({group.name}/issue.md) [script]({group.name}/repro.py)",
        _project(one.target),
        f"{cell_code(own.entry)} ({own.backend}): {cell(one.script.title.partition(': ')[2])}",
        _upstream(entry),
        str(len(group.causes)),
        ", ".join(dtypes),
        cell(versions),
        day,
    ]
