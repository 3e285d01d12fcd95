"""Reports of a run's findings: what they are made of, and the files of one and of many."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from conformance.errors import InputError
from conformance.ids import backend_of
from conformance.known.problem import Problem
from conformance.known.record import Record
from conformance.plan import cases
from conformance.plan.filters import matches
from conformance.pool.backend import Backend
from conformance.pool.pool import Pool
from conformance.record import record as records
from conformance.record.record import RunRecord
from conformance.record.summary import CauseSummary
from conformance.repro import finding as findings
from conformance.repro import folder, groups, index, issue, proofs
from conformance.repro.extent import Row, extents, merged
from conformance.repro.finding import Target
from conformance.repro.groups import Group
from conformance.repro.report import Failed, Outcome, Reproducer, reproduce
from conformance.run import run as runs

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

    def target(self, summary: CauseSummary) -> Target:
        """The example of a cause."""
        return self._target(*findings.example_of(self.record, summary))

    def kind(self, summary: CauseSummary) -> str:
        """What a cause is recorded as: today, or when the run was made."""
        known = groups.problem_of(summary, self.known)
        return known.kind if known is not None else summary.kind

    def others(self, group: Group, tried: Sequence[Target]) -> list[Target]:
        """Further findings of a group, of other cases than those `tried`."""
        causes = [one.cause for one in group.causes]
        cases = {one.case.id for one in tried}
        found: dict[str, Target] = {}
        for check, finding in findings.findings(self.record):
            if finding.cause in causes and check.case not in cases:
                found.setdefault(check.case, self._target(check, finding))
        return list(found.values())[: groups.TRIED]

    def near(self, group: Group) -> list[Problem]:
        """Problems with a link whose findings are much like those of a group without one."""
        return [] if group.links else groups.near(group.causes[0].cause, self.known)

    def wanted(self, name: str) -> Target:
        """The finding of that name."""
        return self._target(*findings.chosen(self.record, name))

    def _target(self, check: records.CheckLine, finding: records.FindingLine) -> Target:
        known = [one for backend in self.backends for one in backend.implementations]
        return findings.target(check, finding, self.suite, known)

    def files(self, group: Group, made: Reproducer, rows: dict[str, list[Row]], into: Path) -> dict[Path, str]:
        """The files of a report."""
        machine = self.record.header.machine
        told = ", ".join(str(machine.get(name, "")) for name in ("system", "architecture", "processor"))
        causes = [one.cause for one in group.causes]
        contracts = {one.id: one.contract for backend in self.backends for one in backend.implementations}
        own = [cause for cause in causes if cause.startswith(f"{made.target.implementation.adapter}/")]
        proved = proofs.proofs(own, contracts, proofs.folder())
        text = issue.render(
            issue.Issue(
                group=group,
                made=made,
                rows=merged(rows, causes),
                proofs=proved,
                near=self.near(group),
                machine=told,
            )
        )
        return {into / "repro.py": made.script.text, into / "issue.md": text}


def write_one(job: Job, wanted: str, output: Path, force: bool, tell: Tell) -> None:
    """Write the report of one finding into a folder.  Raises InputError where no script shows it."""
    target = job.wanted(wanted)
    summary = next(one for one in findings.seen(job.record) if one.cause == target.cause)
    (group,) = groups.grouped([summary], job.known)
    for one in (group.problem, *job.near(group)):
        if one is not None and one.links:
            tell(f"{'known' if one is group.problem else 'much like'} {one.urls[0]}: {one.title}")
    folder.check(dict.fromkeys((output / "repro.py", output / "issue.md"), ""), force)
    (made,) = reproduce(job.pool, job.backends, [[target]], job.options)
    if isinstance(made, Failed):
        raise InputError(f"no script: {made.why}")
    files = job.files(group, made, extents(job.record), output)
    folder.write(files, force)
    tell(made.ran.output.rstrip())
    for file in files:
        tell(f"wrote {file}")


def write_all(job: Job, kind: str | None, output: Path, force: bool, tell: Tell) -> None:
    """Write a report for each new finding, or for each of a kind, and a list of them; what has no script is listed."""
    summaries = [
        one
        for one in findings.seen(job.record)
        if (job.kind(one) == kind if kind else one.outcome == "new")
        and matches(job.options.filters.backend, backend_of(one.cause))
    ]
    if not summaries:
        raise InputError(f"the run has no {'finding of kind ' + kind if kind else 'new finding'}")
    found = groups.grouped(summaries, job.known)
    folder.check({output / "README.md": "", **{output / one.name / "repro.py": "" for one in found}}, force)
    rows = extents(job.record)
    entries = [index.Entry(group, made, job.near(group)) for group, made in _reproduced(job, found, tell)]
    files: dict[Path, str] = {}
    for one in entries:
        if isinstance(one.made, Reproducer):
            files |= job.files(one.group, one.made, rows, output / one.group.name)
    files[output / "README.md"] = index.render(entries, datetime.datetime.now(datetime.UTC).date().isoformat())
    folder.write(files, force)
    tell(f"wrote {len(files)} files into {output}")


def _reproduced(job: Job, found: Sequence[Group], tell: Tell) -> list[tuple[Group, Outcome]]:
    """Each group with a script of one of its examples; where none of them has one, of another finding."""
    tried = [[job.target(cause) for cause in groups.representatives(group)] for group in found]
    made = reproduce(job.pool, job.backends, tried, job.options, tell)
    failed = [place for place, one in enumerate(made) if isinstance(one, Failed)]
    further = {place: others for place in failed if (others := job.others(found[place], tried[place]))}
    again = reproduce(job.pool, job.backends, list(further.values()), job.options, tell)
    for place, one in zip(further, again, strict=True):
        if isinstance(one, Reproducer):
            made[place] = one
    return list(zip(found, made, strict=True))


def joined(record: RunRecord, others: Sequence[RunRecord]) -> RunRecord:
    """A record with the inputs, problems and checks of others added."""
    every = (record, *others)
    return replace(
        record,
        inputs=tuple(line for one in every for line in one.inputs),
        checks=tuple(line for one in every for line in one.checks),
        problems=tuple({line.problem: line for one in every for line in one.problems}.values()),
    )
