"""Grouping causes for people: one report for what one person would fix, not for each element, dtype or quantity.

Causes with one recorded link share a report; of those that nobody reported, causes of one project with the same
recorded reason, up to its first colon or semicolon: what follows is said of single causes.  A cause that is not
recorded is a report of its own.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from conformance.ids import CauseId, backend_of
from conformance.known.deviations import Deviation
from conformance.quantities import BEHAVIOUR, NUMERIC, PROBE, REDUCTION, RELATION
from conformance.record.summary import CauseSummary
from conformance.repro.projects import project_of

#: Causes of a group whose examples are tried before it is left without a script.
TRIED = 4

#: What a script shows by one number comes before what needs a shape, a dtype, or several calls.
_RANK = {name: rank for rank, name in enumerate((*NUMERIC, *BEHAVIOUR, PROBE, REDUCTION, RELATION))}

#: An issue or pull request of GitHub.
_THREAD = re.compile(r"https://github\.com/([\w.-]+)/([\w.-]+)/(?:issues|pull)/(\d+)\Z")


@dataclass(frozen=True)
class Group:
    """Causes that share a report, the plainest first; `links` and `reason` are what is recorded of the first."""

    name: str
    causes: tuple[CauseSummary, ...]
    links: tuple[str, ...] = ()
    reason: str = ""

    @property
    def known(self) -> bool:
        """Whether there is an upstream report of it."""
        return bool(self.links)


def grouped(summaries: Sequence[CauseSummary], recorded: dict[str, Deviation]) -> list[Group]:
    """The causes as groups, in the order of their first; `recorded` is the record of deviations by cause."""
    groups: dict[tuple[str, ...], list[CauseSummary]] = {}
    for one in summaries:
        groups.setdefault(_key(one.cause, recorded.get(one.cause)), []).append(one)
    names: set[str] = set()
    made = []
    for key, members in groups.items():
        ordered = sorted(members, key=lambda one: not _owns(one.cause, key[0]))
        known = recorded.get(ordered[0].cause)
        name = _free(_name(ordered[0].cause, known), names)
        made.append(Group(name, tuple(ordered), known.links if known else (), (known.reason or "") if known else ""))
    return made


def representatives(group: Group) -> list[CauseSummary]:
    """The causes of a group whose examples are tried, in this order.

    Those of the project that its link leads to come first, then those of which a script is simple, those of ordinary
    inputs, those that are about accuracy, those for the reason that most have, since a cause may have a second one, and
    those that are seen most.
    """
    link = group.links[0] if group.known else ""
    ((common, _),) = Counter(_first_clause(one.reason) for one in group.causes).most_common(1)

    def rank(one: CauseSummary) -> tuple[bool, int, bool, bool, bool, int]:
        cause = CauseId.parse(one.cause)
        special = cause.region != "ordinary", cause.signature != "inaccurate", _first_clause(one.reason) != common
        return (not _owns(one.cause, link), _effort(one), *special, -one.elements)

    return sorted(group.causes, key=rank)[:TRIED]


def _first_clause(reason: str) -> str:
    """The reason that causes share: what follows a colon or a semicolon is said of single ones."""
    return reason.partition(";")[0].partition(": ")[0]


def _effort(one: CauseSummary) -> int:
    """How much a script of its example has to show; of a number somewhere in a tensor there is none."""
    quantity = one.example.quantity if one.example is not None else ""
    somewhere = "/shapes/" in one.cause and quantity in NUMERIC
    return len(_RANK) if somewhere else _RANK.get(quantity, len(_RANK))


def _key(cause: str, known: Deviation | None) -> tuple[str, ...]:
    if known is None:
        return ("", cause)
    if known.links:
        return (known.links[0],)
    project = project_of(f"{CauseId.parse(cause).family}/")
    return (project.name if project else backend_of(cause), _first_clause(known.reason or cause))


def _owns(cause: str, link: str) -> bool:
    """Whether the link leads to the project whose implementation shows the cause."""
    project = project_of(f"{CauseId.parse(cause).family}/")
    return project is not None and link.startswith(f"https://github.com/{project.repository}/")


def _name(cause: str, known: Deviation | None) -> str:
    """The name of a folder: of the upstream report, or of the cause."""
    thread = _THREAD.match(known.links[0]) if known and known.links else None
    return folder_name(f"{thread[1]}-{thread[2]}-{thread[3]}" if thread else cause)


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


def near(cause: str, recorded: dict[str, Deviation]) -> list[Deviation]:
    """Recorded causes with a link that are much like `cause`, the most alike first, one for each link.

    Alike are causes of one entry point that differ in quantity, region or signature alone, and those that differ in the
    entry point alone, with a link to the project that `cause` is about.
    """
    own = CauseId.parse(cause)
    found: dict[str, tuple[int, Deviation]] = {}
    for one in recorded.values():
        theirs = CauseId.parse(one.id)
        entry, backend = theirs.entry == own.entry, theirs.backend == own.backend
        same = sum(mine == other for mine, other in zip(own[2:], theirs[2:], strict=True))
        score = 4 * entry + 2 * same + backend
        if not one.links or one.id == cause or same + entry < ALIKE or not (entry or _owns(cause, one.links[0])):
            continue
        if score > found.get(one.links[0], (0, one))[0]:
            found[one.links[0]] = (score, one)
    return [one for _, one in sorted(found.values(), key=lambda pair: -pair[0])][:3]


#: So many of entry point, quantity, region and signature two causes have in common that are alike.
ALIKE = 3
