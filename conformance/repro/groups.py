"""Grouping findings for people: one report for each problem and project that has it to answer for.

Where one report upstream is commented on, or the problem names the finding that shows it, that is one project: what
others inherit from it is in its report.
Which problem explains a finding is what the record says today of that element.  Findings that no problem explains are
grouped by their cause.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from conformance.ids import CauseId, ImplementationId, backend_of
from conformance.known.problem import Opening, Problem
from conformance.known.record import Record
from conformance.record.record import CheckLine, FindingLine, RunRecord
from conformance.repro.finding import as_written, check_cause
from conformance.repro.projects import project_of
from conformance.run.held import findings, held


class Found(NamedTuple):
    """A finding of a run, its check, and the id of the problem that explains it, "" where none does."""

    check: CheckLine
    finding: FindingLine
    problem: str = ""

    @property
    def name(self) -> str:
        """The check's id and the element."""
        return f"{self.check.id}#{self.finding.element}"


@dataclass(frozen=True)
class Group:
    """Findings that share a report, and the problem that explains them all, if one does.

    They are `whole` where they are all that the problem explains in a project: then its title is theirs.  `project` is
    the name of the one that is told, "" for nobody's.
    """

    name: str
    found: tuple[Found, ...]
    problem: Problem | None = None
    whole: bool = True
    project: str = ""

    @property
    def causes(self) -> list[str]:
        """The causes of the findings, in the order of the run."""
        return list(dict.fromkeys(one.finding.cause for one in self.found))

    @property
    def title(self) -> str:
        """What a person says of them, "" where nobody does."""
        return self.problem.title if self.problem is not None and self.whole else ""

    @property
    def opening(self) -> Opening | None:
        """What a person shows of them first, where a person wrote that."""
        return self.problem.opening if self.problem is not None and self.whole else None

    def is_bound(self, one: Found) -> bool:
        """Whether the problem explains a finding in its case alone: with other options or dtypes it may be another."""
        mode = ImplementationId.parse(one.check.implementation).mode
        claims = [
            each
            for each in (self.problem.explains if self.problem is not None else ())
            if each.takes_cause(CauseId.parse(one.finding.cause))
            and each.takes(one.check.case, one.check.dtype, (mode,))
        ]
        return bool(claims) and all(each.cases for each in claims)

    @property
    def links(self) -> tuple[str, ...]:
        """Where it is known upstream."""
        return self.problem.urls if self.problem is not None else ()


def explained(record: RunRecord, known: Record) -> Iterator[Found]:
    """Every finding of a run with its problem.  Raises InputError where the record is not one that a run writes."""
    with as_written():
        for check, matches in held(record, known):
            ImplementationId.parse(check.implementation)
            # a match for each finding, in order, and then those of what is fixed
            for finding, match in zip(findings(check), matches, strict=False):
                check_cause(finding.cause)
                row = match.row if match.outcome == "recorded" else None
                yield Found(check, finding, row.problem if row is not None and row.problem in known.problems else "")


def grouped(found: Iterable[Found], known: Record) -> list[Group]:
    """The findings as groups, in the order of their first."""
    members = list(found)
    homes = {name: _home(one, members) for name, one in known.problems.items()}
    groups: dict[tuple[str, str, str], list[Found]] = {}
    for one in members:
        cause = one.finding.cause
        told = homes.get(one.problem) or _project_name(CauseId.parse(cause).family)
        key = (one.problem, told or backend_of(cause), "") if one.problem else ("", told, cause)
        groups.setdefault(key, []).append(one)
    names: set[str] = set()
    several = Counter(problem for problem, _, _ in groups)
    return [
        Group(
            name=_free(_name(key, several[key[0]] > 1), names),
            found=tuple(of),
            problem=known.problems.get(key[0]),
            project=key[1],
        )
        for key, of in groups.items()
    ]


def _home(problem: Problem, found: Sequence[Found]) -> str:
    """The one project that is told of a problem; "" where each that has it is.

    It is that of the report that is to be commented on, or of the finding that the problem names, if it has findings.
    """
    projects = {
        project.name: project.repository
        for family in {CauseId.parse(one.finding.cause).family for one in found if one.problem == problem.id}
        if (project := project_of(f"{family}/")) is not None
    }
    if problem.advice == "comment":
        link = problem.links[0].url
        return next((name for name, place in projects.items() if link.startswith(f"https://github.com/{place}/")), "")
    if problem.shown_by is not None:
        name = _project_name(problem.shown_by.split("::")[1])
        return name if name in projects else ""
    return ""


def _project_name(implementation: str) -> str:
    project = project_of(f"{implementation}/")
    return project.name if project is not None else ""


def _name(key: tuple[str, str, str], several: bool) -> str:
    """The name of a folder: of the problem, with the project where several are told, or of the cause."""
    problem, project, cause = key
    return folder_name(f"{problem}-{project}" if several and problem else problem or cause)


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


#: So many of entry point, quantity, region and signature two causes have in common that are alike.
ALIKE = 3


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


def _owns(cause: str, link: str) -> bool:
    """Whether the link leads to the project whose implementation shows the cause."""
    project = project_of(f"{CauseId.parse(cause).family}/")
    return project is not None and link.startswith(f"https://github.com/{project.repository}/")
