"""The table of reports: which are known upstream and which apparently are not, and the causes that each is about."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from conformance.render.markdown import cell, cell_code, code, row
from conformance.repro.groups import Group
from conformance.repro.issue import address
from conformance.repro.projects import project_of
from conformance.repro.report import Failed, Reproducer

#: A report of the table: its causes, and its script or why it has none.
Entry = tuple[Group, Reproducer | Failed]


def render(entries: Sequence[Entry], day: str) -> str:
    """The page, `README.md` of the folder of reports."""
    return "\n".join(_lines(entries, day)) + "\n"


def _lines(entries: Sequence[Entry], day: str) -> Iterator[str]:
    made = [(group, one) for group, one in entries if isinstance(one, Reproducer)]
    left = [(group, one) for group, one in entries if isinstance(one, Failed)]
    known = sum(group.known for group, _ in made)
    yield "# Reports"
    yield ""
    yield "Made by `bce-conformance repro`; each script was run in a clean interpreter and showed the mismatch."
    yield "Nothing of it is posted by the suite."
    yield ""
    yield f"{len(made)} reports: {known} of what is known upstream, {len(made) - known} apparently unreported."
    yield ""
    yield row(["report", "project", "what", "upstream", "causes", "dtypes", "versions", "verified"])
    yield row(["---"] * 8)
    for group, one in sorted(made, key=lambda pair: (_project(pair[1]), not pair[0].known, pair[0].name)):
        yield row(_cells(group, one, day))
    if left:
        yield ""
        yield "## Without a script"
        yield ""
        for group, failed in left:
            links = " ".join(map(address, group.links))
            yield f"- {code(failed.target.cause)} {links}: {cell(failed.why)}"
    yield ""
    yield "## Causes"
    for group, _ in entries:
        yield ""
        yield f"### {group.name}"
        yield ""
        yield from (f"- {code(cause.cause)}" for cause in group.causes)


def _project(one: Reproducer) -> str:
    project = project_of(one.target.implementation.id)
    return project.name.partition(" (")[0] if project else "none"


def _cells(group: Group, one: Reproducer, day: str) -> list[str]:
    dtypes = dict.fromkeys(dtype for cause in group.causes for dtype in cause.dtypes)
    versions = ", ".join(f"{name} {version}" for name, version in one.opened.versions.items() if name != "numpy")
    upstream = " ".join(map(address, group.links)) or "apparently unreported"
    return [
        f"[{group.name}]({group.name}/issue.md) [script]({group.name}/repro.py)",
        _project(one),
        f"{cell_code(one.target.implementation.entry)}: {cell(one.script.title.partition(': ')[2])}",
        upstream,
        str(len(group.causes)),
        ", ".join(dtypes),
        cell(versions),
        day,
    ]
