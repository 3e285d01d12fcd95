"""Reports of a run's findings: what they are made of, and the files of one and of many."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import msgspec

from conformance.errors import InputError
from conformance.ids import backend_of
from conformance.judge.harm import Harm
from conformance.known.problem import Advice, Problem
from conformance.known.record import Record
from conformance.plan import cases
from conformance.plan.filters import matches
from conformance.pool.backend import Backend
from conformance.pool.pool import Pool
from conformance.record.files import write_lines
from conformance.record.harms import Harms, harms
from conformance.record.record import InputsLine, RunRecord
from conformance.render.narrate import counted
from conformance.repro import finding as findings
from conformance.repro import groups, index, issue, proofs
from conformance.repro.blame import Diagnoser
from conformance.repro.extent import extent
from conformance.repro.finding import Target
from conformance.repro.groups import Found, Group
from conformance.repro.neighbours import Neighbour, neighbours
from conformance.repro.report import Asked, Failed, Reproducer, reproduce
from conformance.repro.representative import ranked, representatives, worst
from conformance.repro.shrink import element_at
from conformance.run import run as runs

#: The file of a report.  Its script stands in it, whole; many reports have no second copy of theirs.
REPORT = "issue.md"

#: Is given lines about what is going on.
Tell = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class Job:
    """What reports are made of."""

    record: RunRecord
    suite: cases.Suite
    backends: tuple[Backend, ...]
    pool: Pool
    options: runs.Options
    known: Record

    @cached_property
    def found(self) -> list[Found]:
        """The findings of the run, with the problems that explain them today."""
        return list(groups.explained(self.record, self.known))

    @cached_property
    def harms(self) -> Harms:
        """The harm of each."""
        with findings.as_written():
            return harms(self.record)

    @cached_property
    def diagnoser(self) -> Diagnoser:
        """Tells which step is to blame, by the results of the run."""
        return Diagnoser(self.record, self.suite)

    def asked(self, group: Group) -> Asked:
        """What a report of a group is tried with."""
        known = [one for backend in self.backends for one in backend.implementations]
        chosen = representatives(group, self.harms, self.record.inputs_by_case)
        targets = [
            replace(findings.target(one.check, one.finding, self.suite, known), bound=group.is_bound(one))
            for one in chosen
        ]
        return Asked(
            targets, group.problem, group.problem.opening if group.problem is not None and group.whole else None
        )

    def near(self, group: Group) -> list[Problem]:
        """Problems with a link whose findings are much like those of a group that none explains."""
        return [] if group.problem is not None else groups.near(group.causes[0], self.known)

    def wanted(self, name: str) -> Group:
        """The findings of that name: of a problem, a cause, a check or one of its elements; of the first cause for "".

        Raises InputError with near names where there is none.
        """
        of_problem = [one for one in self.found if name and one.problem == name]
        if of_problem:
            made = groups.grouped(of_problem, self.known)
            return max(made, key=lambda one: (worst(one, self.harms), len(one.found)))
        if name in self.known.problems:
            raise InputError(f"the run has no finding of problem {name}", "its entries tell which run would show it")
        check, finding = findings.chosen(self.record, name)
        if name in ("", finding.cause):
            found_of = [one for one in self.found if one.finding.cause == finding.cause]
        else:
            found_of = [one for one in self.found if one.finding is finding and one.check is check]
        if not found_of:
            raise InputError(f"{finding.cause}: within the budget of the least numbers, which is no finding today")
        first = next(ranked(Group("", tuple(found_of)), self.harms, self.record.inputs_by_case))
        same = tuple(one for one in found_of if one.problem == first.problem)
        return Group(groups.folder_name(finding.cause), same, self.known.problems.get(first.problem), whole=False)

    def _harm(self, group: Group, target: Target) -> Harm:
        """That of the finding that a script shows; of a check that is told as a whole, its worst."""
        own = {one.finding.element: self.harms[one.check.id, one.finding.element] for one in group.found
               if one.check.id == target.check}  # fmt: skip
        return own.get(target.element, max(own.values(), default=worst(group, self.harms)))

    def report(self, group: Group, made: Reproducer, beside: Sequence[Neighbour]) -> str:
        """A report, in which its script stands whole."""
        machine = self.record.header.machine
        told = ", ".join(str(machine.get(name, "")) for name in ("system", "architecture", "processor"))
        target = made.target
        found = proofs.proofs(
            [target.cause], {target.implementation.id: target.implementation.contract}, proofs.folder()
        )
        label = float(element_at(made.small).label)
        return issue.render(
            issue.Issue(
                group=group,
                made=made,
                rows=extent(one[:2] for one in group.found),
                proofs=[one.text for one in found if one.dtype == target.dtype and one.label == label],
                near=self.near(group),
                neighbours=beside,
                harm=self._harm(group, made.target),
                worst=worst(group, self.harms),
                machine=told,
            )
        )


def write_one(job: Job, name: str, output: Path, force: bool, tell: Tell) -> None:
    """Write the report of one finding into a folder.  Raises InputError where no script shows it."""
    group = job.wanted(name)
    for one in (group.problem, *job.near(group)):
        if one is not None and one.links:
            tell(f"{'known' if one is group.problem else 'much like'} {one.urls[0]}: {one.title}")
    check_files(dict.fromkeys((output / "repro.py", output / REPORT), ""), force)
    asked = job.asked(group)
    (made,) = reproduce(job.pool, job.backends, [asked], job.options, job.diagnoser)
    if isinstance(made, Failed):
        raise InputError(f"no script: {made.why}")
    (beside,) = neighbours(job.pool, job.backends, [made], job.options)
    files = {output / "repro.py": made.script.text, output / REPORT: job.report(group, made, beside)}
    write_files(files, force)
    tell(made.ran.output.rstrip())
    for file in files:
        tell(f"wrote {file}")


def write_all(job: Job, advice: Collection[Advice], output: Path, force: bool, tell: Tell) -> None:
    """Write a report for each problem of some advice and project, or for each new cause where none is named.

    The index lists them all, and with an advice the problems that are left alone.
    """
    taken = [one for one in job.found if matches(job.options.filters.backend, backend_of(one.finding.cause))]
    found = [one for one in groups.grouped(taken, job.known) if _is_asked(one, advice)]
    if not found:
        raise InputError(f"the run has no {'finding of advice ' + ' or '.join(advice) if advice else 'new finding'}")
    check_files({output / "README.md": "", **{output / one.name / REPORT: "" for one in found}}, force)
    asked = [job.asked(group) for group in found]
    made = reproduce(job.pool, job.backends, asked, job.options, job.diagnoser, tell)
    scripts = [one for one in made if isinstance(one, Reproducer)]
    beside = dict(zip(map(id, scripts), neighbours(job.pool, job.backends, scripts, job.options), strict=True))
    entries = [
        index.Entry(group, one, worst(group, job.harms), job.near(group))
        for group, one in zip(found, made, strict=True)
    ]
    files: dict[Path, str] = {}
    for one in entries:
        if isinstance(one.made, Reproducer):
            files[output / one.group.name / REPORT] = job.report(one.group, one.made, beside[id(one.made)])
    day = datetime.datetime.now(datetime.UTC).date().isoformat()
    files[output / "README.md"] = index.render(entries, _left(job) if advice else (), day)
    write_files(files, force)
    tell(f"wrote {counted(len(files), 'file')} into {output}")


def _is_asked(group: Group, advice: Collection[Advice]) -> bool:
    return _advice(group) in advice if advice else group.problem is None


def _left(job: Job) -> list[Problem]:
    """The problems of the backends in question that nobody is to be told of."""
    wanted = job.options.filters.backend
    shown = {row.problem for row in job.known.rows if matches(wanted, row.id.backend)}
    return [one for name, one in job.known.problems.items() if name in shown and one.advice == "noise"]


def _advice(group: Group) -> Advice | None:
    return group.problem.advice if group.problem is not None else None


def joined(record: RunRecord, others: Sequence[RunRecord]) -> RunRecord:
    """A record with the inputs, problems and checks of others added; a case has the exact values of all."""
    every = (record, *others)
    inputs: dict[tuple[str, str], InputsLine] = {}
    for line in (line for one in every for line in one.inputs):
        key = line.case, line.dtype
        inputs[key] = (
            msgspec.structs.replace(line, ideal={**inputs[key].ideal, **line.ideal}) if key in inputs else line
        )
    return replace(
        record,
        inputs=tuple(inputs.values()),
        checks=tuple(line for one in every for line in one.checks),
        problems=tuple({line.problem: line for one in every for line in one.problems}.values()),
    )


def check_files(files: Mapping[Path, str], force: bool) -> None:
    """Raises InputError where a file is there already, or where a link leads elsewhere."""
    for file in files:
        if file.is_symlink() or file.parent.is_symlink():
            raise InputError(f"{file}: is a link, which is not followed", "remove it, or name another folder")
        if file.exists() and not force:
            raise InputError(f"{file}: is there already", "name another folder with --output, or say --force")


def write_files(files: Mapping[Path, str], force: bool) -> None:
    """Write all files, or none where one must not be written (`check_files`)."""
    check_files(files, force)
    for file, text in files.items():
        write_lines([text.rstrip("\n").encode()], file)
