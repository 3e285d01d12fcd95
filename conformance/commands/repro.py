"""`bce-conformance repro`: from a finding to a script of the framework alone, and a report for its project."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import get_args

import click

from conformance.commands.options import RUN_FILE, Asked, suite_options
from conformance.errors import InputError
from conformance.ids import backend_of
from conformance.known import deviations
from conformance.known.deviations import Deviation, Kind
from conformance.plan import cases
from conformance.plan.plan import Filters, matches
from conformance.pool.pool import Backend, Pool
from conformance.record import record as records
from conformance.record.record import RunRecord
from conformance.record.summary import CauseSummary
from conformance.repro import finding as findings
from conformance.repro import folder, groups, index, issue, proofs
from conformance.repro.extent import Row, extents, merged
from conformance.repro.finding import Target
from conformance.repro.groups import Group
from conformance.repro.report import Failed, Outcome, Reproducer, reproduce
from conformance.run import asked as words
from conformance.run import kept
from conformance.run import run as runs

#: Where `--all` writes.
REPORTS = Path("reports")


@click.command()
@click.argument("what", metavar="[RUN | CASE | CASE_FILE]", required=False)
@click.argument("which", metavar="[FINDING | IMPLEMENTATION]", default="")
@click.option("--all", "everything", is_flag=True, help="A report for every new finding of the run, by cause.")
@click.option("--kind", type=click.Choice(get_args(Kind)), help="With --all: every finding recorded as that, instead.")
@click.option(
    "--with",
    "others",
    multiple=True,
    type=RUN_FILE,
    metavar="RUN",
    help="With --all: another run, of other modes for one (repeatable).",
)
@click.option("--output", type=click.Path(path_type=Path, file_okay=False), help="Folder to write into.")
@click.option("--force", is_flag=True, help="Overwrite files that are there.")
@click.option("--deviations", "extra", multiple=True, type=click.Path(path_type=Path), help="More recorded deviations.")
@suite_options
def repro(
    what: str | None,
    which: str,
    everything: bool,
    kind: str | None,
    others: tuple[Path, ...],
    output: Path | None,
    force: bool,
    extra: tuple[Path, ...],
    asked: Asked,
) -> None:
    """Write a script that shows a finding with the framework alone (repro.py), and a report of it (issue.md).

    Without arguments it is about the first finding of the last run.
    A FINDING is a cause, a check, or a check with `#` and an element.
    Only a script that was seen to fail in a clean interpreter is written; nothing is ever posted.
    """
    if (kind or others) and not everything:
        raise InputError("--kind and --with are for many reports", "say --all")
    suite, options = asked.suite(), asked.options
    recorded = {one.id: one for one in deviations.load((deviations.default_folder(), *extra)).deviations}
    with runs.open_pool(options) as pool:
        backends = runs.discover(pool, options)
        record, suite, wanted = _record(what, which, suite, pool, backends, options)
        work = _Work(
            record=joined(record, [records.read(file) for file in others]),
            suite=suite,
            backends=backends,
            pool=pool,
            options=options,
            recorded=recorded,
        )
        if everything:
            _write_all(work, kind, output or REPORTS, force)
        else:
            _write_one(work, wanted, output or Path(), force)


def joined(record: RunRecord, others: Sequence[RunRecord]) -> RunRecord:
    """A record with the inputs, causes and checks of others added."""
    every = (record, *others)
    return replace(
        record,
        inputs=tuple(line for one in every for line in one.inputs),
        checks=tuple(line for one in every for line in one.checks),
        causes=tuple(line for one in every for line in one.causes),
    )


@dataclass(frozen=True, kw_only=True)
class _Work:
    """What reports are made of."""

    record: RunRecord
    suite: cases.Suite
    backends: tuple[Backend, ...]
    pool: Pool
    options: runs.Options
    recorded: dict[str, Deviation]

    def target(self, summary: CauseSummary) -> Target:
        """The example of a cause."""
        return self._target(*findings.example_of(self.record, summary))

    def kind(self, summary: CauseSummary) -> str:
        """What a cause is recorded as: today, or when the run was made."""
        known = self.recorded.get(summary.cause)
        return known.kind if known is not None else summary.kind

    def others(self, group: Group, tried: Sequence[Target]) -> list[Target]:
        """Further findings of a group, of other cases than those `tried`."""
        causes = [one.cause for one in group.causes]
        cases = {one.located.case.id for one in tried}
        found: dict[str, Target] = {}
        for check, finding in findings.findings(self.record):
            if finding.cause in causes and check.case not in cases:
                found.setdefault(check.case, self._target(check, finding))
        return list(found.values())[: groups.TRIED]

    def near(self, group: Group) -> list[Deviation]:
        """Recorded causes with a link that are much like a group without one."""
        return [] if group.known else groups.near(group.causes[0].cause, self.recorded)

    def wanted(self, name: str) -> Target:
        """The finding of that name."""
        return self._target(*findings.chosen(self.record, name))

    def _target(self, check: records.CheckLine, finding: records.FindingLine) -> Target:
        known = [one for backend in self.backends for one in backend.implementations]
        return findings.target(check, finding, self.suite, known)

    def files(self, group: Group, made: Reproducer, rows: dict[str, list[Row]], into: Path) -> dict[Path, str]:
        """The files of a report."""
        known = self.recorded.get(made.target.cause)
        machine = self.record.header.machine
        told = ", ".join(str(machine.get(name, "")) for name in ("system", "architecture", "processor"))
        causes = [one.cause for one in group.causes]
        contracts = {one.id: one.contract for backend in self.backends for one in backend.implementations}
        own = [cause for cause in causes if cause.startswith(f"{made.target.implementation.adapter}/")]
        proved = proofs.proofs(own, contracts, proofs.folder())
        reason = (known.reason or "") if known else ""
        text = issue.render(
            issue.Issue(
                group=group,
                made=made,
                rows=merged(rows, causes),
                proofs=proved,
                near=self.near(group),
                reason=reason,
                machine=told,
            )
        )
        return {into / "repro.py": made.script.text, into / "issue.md": text}


def _write_one(work: _Work, wanted: str, output: Path, force: bool) -> None:
    target = work.wanted(wanted)
    summary = next(one for one in findings.seen(work.record) if one.cause == target.cause)
    known = work.recorded.get(target.cause)
    for one in (known, *([] if known and known.links else groups.near(target.cause, work.recorded))):
        if one is not None and one.links:
            click.echo(f"{'known' if one is known else 'much like'} {one.links[0]}: {one.title}")
    folder.check(dict.fromkeys((output / "repro.py", output / "issue.md"), ""), force)
    (made,) = reproduce(work.pool, work.backends, [[target]], work.options)
    if isinstance(made, Failed):
        raise InputError(f"no script: {made.why}")
    (group,) = groups.grouped([summary], work.recorded)
    files = work.files(group, made, extents(work.record), output)
    folder.write(files, force)
    click.echo(made.ran.output.rstrip())
    for file in files:
        click.echo(f"wrote {file}")


def _write_all(work: _Work, kind: str | None, output: Path, force: bool) -> None:
    summaries = [
        one
        for one in findings.seen(work.record)
        if (work.kind(one) == kind if kind else one.outcome == "new")
        and matches(work.options.filters.backend, backend_of(one.cause))
    ]
    if not summaries:
        raise InputError(f"the run has no {'finding of kind ' + kind if kind else 'new finding'}")
    found = groups.grouped(summaries, work.recorded)
    folder.check({output / "README.md": "", **{output / one.name / "repro.py": "" for one in found}}, force)
    rows = extents(work.record)
    entries = [index.Entry(group, made, work.near(group)) for group, made in _reproduced(work, found)]
    files: dict[Path, str] = {}
    for one in entries:
        if isinstance(one.made, Reproducer):
            files |= work.files(one.group, one.made, rows, output / one.group.name)
    files[output / "README.md"] = index.render(entries, datetime.datetime.now(datetime.UTC).date().isoformat())
    folder.write(files, force)
    click.echo(f"wrote {len(files)} files into {output}")


def _reproduced(work: _Work, found: Sequence[Group]) -> list[tuple[Group, Outcome]]:
    """Each group with a script of one of its examples; where none of them has one, of another finding."""
    tried = [[work.target(cause) for cause in groups.representatives(group)] for group in found]
    made = reproduce(work.pool, work.backends, tried, work.options, click.echo)
    failed = [place for place, one in enumerate(made) if isinstance(one, Failed)]
    further = {place: others for place in failed if (others := work.others(found[place], tried[place]))}
    again = reproduce(work.pool, work.backends, list(further.values()), work.options, click.echo)
    for place, one in zip(further, again, strict=True):
        if isinstance(one, Reproducer):
            made[place] = one
    return list(zip(found, made, strict=True))


def _record(
    what: str | None,
    which: str,
    suite: cases.Suite,
    pool: Pool,
    backends: tuple[Backend, ...],
    options: runs.Options,
) -> tuple[RunRecord, cases.Suite, str]:
    """The record to choose from, the suite that it is about, and what is wanted of it.

    That of a file, or for a case and an implementation that of a run of both.
    """
    file = kept.named(what) if what is not None else kept.LAST
    if what is None or (file.is_file() and file.suffix not in cases.CASE_FILES):
        return records.read(file), suite, which
    suite = suite.only(what)
    known = [one for backend in backends for one in backend.implementations]
    if not which:
        raise InputError(
            "a case needs an implementation beside it", "`bce-conformance list implementations` shows them"
        )
    one = words.implementation(which, known)
    filters = Filters(
        backend=(one.adapter,),
        implementation=(one.id,),
        case=tuple(each.case.id for each in suite.cases),
        dtype=options.filters.dtype,
        quantity=options.filters.quantity,
    )
    narrowed = replace(options, filters=filters)
    plan = runs.planned(backends, suite, narrowed)
    done = runs.execute(pool, backends, plan, deviations.Record(Path(), ()), narrowed)
    return done.record, suite, ""
