"""Grouping causes for people: one report for each problem and project that shows it.

A cause that no problem explains is a report of its own.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from conformance.ids import CauseId, backend_of
from conformance.known.problem import Problem
from conformance.known.record import Record
from conformance.quantities import BEHAVIOUR, NUMERIC, PROBE, REDUCTION, RELATION
from conformance.record.summary import CauseSummary
from conformance.repro.projects import project_of

#: Causes of a group whose examples are tried before it is left without a script.
TRIED = 4

#: What a script shows by one number comes before what needs a shape, a dtype, or several calls.
_RANK = {name: rank for rank, name in enumerate((*NUMERIC, *BEHAVIOUR, PROBE, REDUCTION, RELATION))}


@dataclass(frozen=True)
class Group:
    """Causes that share a report, the plainest first, and the problem that explains them."""

    name: str
    causes: tuple[CauseSummary, ...]
    problem: Problem | None = None

    @property
    def links(self) -> tuple[str, ...]:
        """Where it is known upstream."""
        return self.problem.urls if self.problem is not None else ()


def problem_of(one: CauseSummary, known: Record) -> Problem | None:
    """The problem that explains a cause: as the run says, or as the record says today of most of its elements."""
    if one.problem in known.problems:
        return known.problems[one.problem]
    sizes: dict[str, int] = {}
    for row in known.rows:
        if row.cause == one.cause and row.problem in known.problems:
            sizes[row.problem] = sizes.get(row.problem, 0) + len(row.elements)
    return known.problems[max(sizes, key=lambda name: sizes[name])] if sizes else None


def grouped(summaries: Sequence[CauseSummary], known: Record) -> list[Group]:
    """The causes as groups, in the order of their first."""
    groups: dict[tuple[str, str], list[CauseSummary]] = {}
    problems: dict[tuple[str, str], Problem | None] = {}
    for one in summaries:
        problem = problem_of(one, known)
        project = project_of(f"{CauseId.parse(one.cause).family}/")
        key = (problem.id, project.name if project else backend_of(one.cause)) if problem else ("", one.cause)
        groups.setdefault(key, []).append(one)
        problems[key] = problem
    names: set[str] = set()
    several = Counter(name for name, _ in groups)
    return [
        Group(_free(_name(key, several[key[0]] > 1), names), tuple(members), problems[key])
        for key, members in groups.items()
    ]


def representatives(group: Group) -> list[CauseSummary]:
    """The causes of a group whose examples are tried, in this order.

    Those of which a script is simple come first, those of ordinary inputs, those that are about accuracy, and those
    that are seen most.
    """

    def rank(one: CauseSummary) -> tuple[int, bool, bool, int]:
        cause = CauseId.parse(one.cause)
        return _effort(one), cause.region != "ordinary", cause.signature != "inaccurate", -one.elements

    return sorted(group.causes, key=rank)[:TRIED]


def _effort(one: CauseSummary) -> int:
    """How much a script of its example has to show; of a number somewhere in a tensor there is none."""
    quantity = one.example.quantity if one.example is not None else ""
    somewhere = "/shapes/" in one.cause and quantity in NUMERIC
    return len(_RANK) if somewhere else _RANK.get(quantity, len(_RANK))


def _owns(cause: str, link: str) -> bool:
    """Whether the link leads to the project whose implementation shows the cause."""
    project = project_of(f"{CauseId.parse(cause).family}/")
    return project is not None and link.startswith(f"https://github.com/{project.repository}/")


def _name(key: tuple[str, str], several: bool) -> str:
    """The name of a folder: of the problem, with the project where several have it, or of the cause."""
    problem, other = key
    return folder_name(f"{problem}-{other}" if several and problem else problem or other)


def folder_name(text: str) -> str:
    """`text` as the name of a folder, whatever it holds: lower case letters, digits, `-`, `_` and `.`, never hidden."""
    return re.sub(r"[^a-z0-9._-]+", "-", text.lower()).strip("-.")[:100] or "report"


def _free(name: str, taken: set[str]) -> str:
    """`name`, with a number where it is taken."""
    number = 1
    while (chosen := name if number == 1 else f"{name}-{number}") in taken:
        number += 1
    taken.add(chosen)
    return chosen


def near(cause: str, known: Record) -> list[Problem]:
    """Problems with a link that explain causes much like `cause`, the most alike first, one for each link.

    Alike are causes of one entry point that differ in quantity, region or signature alone, and those that differ in the
    entry point alone, with a link to the project that `cause` is about.
    """
    own = CauseId.parse(cause)
    found: dict[str, tuple[int, Problem]] = {}
    for other, name in {(row.cause, row.problem) for row in known.rows if row.problem in known.problems}:
        theirs, one = CauseId.parse(other), known.problems[name]
        entry, backend = theirs.entry == own.entry, theirs.backend == own.backend
        same = sum(mine == each for mine, each in zip(own[2:], theirs[2:], strict=True))
        score = 4 * entry + 2 * same + backend
        if not one.links or other == cause or same + entry < ALIKE or not (entry or _owns(cause, one.urls[0])):
            continue
        if score > found.get(one.urls[0], (0, one))[0]:
            found[one.urls[0]] = (score, one)
    return [one for _, one in sorted(found.values(), key=lambda pair: (-pair[0], pair[1].id))][:3]


#: So many of entry point, quantity, region and signature two causes have in common that are alike.
ALIKE = 3
