"""Every check of `cases/` as a pytest item, by the same plan, workers and judge as `bce-conformance run`.

The requests of all selected items run once, before the first item; an item then looks up its verdict.  A recorded
deviation is an expected failure with its link as reason; it is strict where the backend has the pinned versions.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest

from conformance.adapters.declaration import BASE_MODE
from conformance.known.record import default_place, load, place
from conformance.plan import cases
from conformance.plan.filters import Filters
from conformance.plan.plan import Plan
from conformance.plan.requests import Request
from conformance.pool.backend import Backend
from conformance.record import record
from conformance.record.record import CheckLine, RunRecord
from conformance.record.spelled import Asked, explain
from conformance.record.summary import causes
from conformance.run import asked as words
from conformance.run import kept
from conformance.run import run as runs
from conformance.run.told import Told

# A worker of xdist is told of a terminal of 80 columns, which none of the commands that tests type writes to.
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.pop("COLUMNS", None)

#: Filters and settings, named as on the command line: (option, whether it repeats, help).
OPTIONS = (
    ("--adapter", True, "adapter file"),
    ("--python", True, "BACKEND=INTERPRETER"),
    ("--backend", True, "backends to run (glob)"),
    ("--implementation", True, "implementations (glob)"),
    ("--mode", True, "execution modes (glob); without it eager"),
    ("--case", True, "cases (glob on the id or the family)"),
    ("--flag", True, "cases with this flag (glob)"),
    ("--dtype", True, "dtypes of the inputs"),
    ("--quantity", True, "quantities"),
    ("--known", True, "a record of your own, too"),
)


def pytest_addoption(parser: pytest.Parser) -> None:
    """The filters of `bce-conformance run`."""
    group = parser.getgroup("bce-conformance")
    for name, _, text in OPTIONS:
        group.addoption(name, action="append", default=[], dest=f"bce_{name[2:]}", help=text)
    group.addoption(
        "--timeout-request", type=float, default=60.0, dest="bce_timeout", help="CPU seconds of one request"
    )
    group.addoption("--memory", dest="bce_memory", help="what a worker may hold, such as 2GB; without it no limit")
    group.addoption("--worker-jobs", type=int, default=None, dest="bce_jobs", help="workers at once")
    group.addoption("--output", type=Path, dest="bce_output", help="copy the run record there (.jsonl.gz)")
    group.addoption(
        "--whole-run", type=Path, dest="bce_whole_run", help="run record that tests go by which need a whole run"
    )
    group.addoption(
        "--require-all-backends", action="store_true", dest="bce_require", help="an absent backend fails its checks"
    )
    group.addoption(
        "--strict-known", action="store_true", dest="bce_strict", help="what no longer deviates fails anywhere"
    )


def pytest_configure(config: pytest.Config) -> None:
    """Refuse -n for checks: every xdist process would import all frameworks and run all requests."""
    checks = config.stash[SESSION] = Checks(config)
    if getattr(config.option, "numprocesses", None) and checks.named_in(config.args):
        raise pytest.UsageError(
            "-n is refused for the checks of cases/, which run in one process per backend already (see --worker-jobs); "
            "`pytest tests -n 2` runs the other tests in two"
        )


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """A case file of the suite holds items; `flags.yaml` and other YAML files do not."""
    checks = parent.config.stash[SESSION]
    if file_path.suffix == ".yaml" and file_path.resolve() in checks.files:
        return CaseFile.from_parent(parent, path=file_path)  # type: ignore[no-any-return]  # pytest's factory is untyped
    return None


def pytest_collectstart(collector: pytest.Collector) -> None:
    """Say that the plan is made, which takes seconds, when the first case file needs it."""
    if isinstance(collector, CaseFile):
        collector.config.stash[SESSION].announce()


@pytest.fixture(scope="session")
def whole_run(request: pytest.FixtureRequest) -> RunRecord | None:
    """The record of this session's run, or of --whole-run, where it holds every check of the suite, else None."""
    return request.config.stash[SESSION].whole()


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop(session: pytest.Session) -> None:
    """Run the requests of all selected checks at once."""
    if not session.config.option.collectonly and not session.testsfailed:
        session.config.stash[SESSION].run([item for item in session.items if isinstance(item, Check)])


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> bool | None:
    """Report a check in one phase: without fixtures it needs no other, and three take 20 s more for 100,000 checks."""
    if not isinstance(item, Check):
        return None
    told = item.ihook
    told.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
    call = pytest.CallInfo.from_call(item.runtest, "call", reraise=KeyboardInterrupt)
    report = told.pytest_runtest_makereport(item=item, call=call)
    told.pytest_runtest_logreport(report=report)
    told.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
    return True


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """New and fixed causes, and where the record is."""
    done = config.stash[SESSION].done
    if done is None:
        return
    terminalreporter.section("bce-conformance")
    for one in causes(done.record):
        if one.outcome != "recorded":
            terminalreporter.write_line(f"{one.outcome}: {one.cause} ({one.elements} elements)")
    for line in done.record.footer.lost if done.record.footer else ():
        terminalreporter.write_line(f"not run: {line}")
    terminalreporter.write_line(f"run record: {kept.LAST}")


class Checks:
    """The plan of this session, and the run once it was made."""

    def __init__(self, config: pytest.Config) -> None:
        self.config = config
        self.folder = config.rootpath / "cases"
        self.suite = cases.load_suite(self.folder)
        self.files = {located.file.resolve() for located in self.suite.cases}
        self.done: runs.Run | None = None
        self.lines: dict[str, CheckLine] = {}
        self.announced = False
        self._planned: tuple[tuple[Backend, ...], Plan] | None = None

    @property
    def options(self) -> runs.Options:
        """The options of a run, from those of pytest."""
        given = self.config.option
        filters = Filters(
            backend=tuple(given.bce_backend),
            implementation=tuple(given.bce_implementation),
            case=tuple(given.bce_case),
            flag=tuple(given.bce_flag),
            dtype=tuple(given.bce_dtype),
            quantity=tuple(given.bce_quantity),
            mode=words.modes(tuple(given.bce_mode), tuple(given.bce_implementation)),
        )
        return runs.Options(
            filters=filters,
            adapters=words.adapter_files(Path(file) for file in given.bce_adapter),
            interpreters=words.interpreters(given.bce_python),
            timeout=words.timeout(given.bce_timeout),
            jobs=given.bce_jobs,
            strict=given.bce_strict,
            sample=True,
            memory=words.memory(given.bce_memory),
        )

    def plan(self) -> Plan:
        """The plan, made once."""
        if self._planned is None:
            with runs.open_pool(self.options) as pool:
                backends = runs.discover(pool, self.options)
            self._planned = backends, runs.planned(backends, self.suite, self.options)
        return self._planned[1]

    @cached_property
    def places(self) -> dict[str, cases.Located]:
        """Each case by its id, with the file and line where it stands."""
        return {located.case.id: located for located in self.suite.cases}

    @cached_property
    def requests(self) -> dict[Path, dict[str, list[Request]]]:
        """The planned requests by case file and case, in the order of the plan."""
        file_of = {case: located.file.resolve() for case, located in self.places.items()}
        found: dict[Path, dict[str, list[Request]]] = {}
        for request in self.plan().requests:
            found.setdefault(file_of[request.case.id], {}).setdefault(request.case.id, []).append(request)
        return found

    def announce(self) -> None:
        """Say, once, that the plan is made; not where only ids are wanted."""
        if not self.announced and not self.config.option.collectonly:
            self.say(f"planning the checks of {len(self.suite.cases)} cases")
        self.announced = True

    def say(self, text: str) -> None:
        """A line of its own in what pytest prints, where it prints anything; capturing is off between items."""
        reporter = self.config.pluginmanager.get_plugin("terminalreporter")
        if reporter is not None:
            reporter.write_line(f"bce-conformance: {text}")
            reporter.flush()

    def run(self, items: list[Check]) -> None:
        """Run the requests that `items` need."""
        if not items or self._planned is None:
            return
        backends, plan = self._planned
        wanted = {id(item.request): item.request for item in items}
        whole = len(wanted) == len(plan.requests)  # a part of the checks is not worth the time of a sample
        chosen = replace(plan, requests=tuple(wanted.values()))
        options = replace(self.options, sample=self.options.sample and whole)
        known = load((default_place(), *(place(Path(one)) for one in self.config.option.bce_known)))
        with runs.open_pool(self.options) as pool:
            self.done = runs.execute(Told(pool, self.say), backends, chosen, known, options)
        file = kept.keep(self.done.record)
        if self.config.option.bce_output is not None:
            self.config.option.bce_output.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, self.config.option.bce_output)
        self.lines = {line.id: line for line in self.done.record.checks}
        if self.done.record.interrupted:
            raise KeyboardInterrupt

    def whole(self) -> RunRecord | None:
        """What was run in this session, or before it into the file of --whole-run, where that is the default run."""
        file = self.config.option.bce_whole_run
        before = record.read(file) if file is not None and file.exists() else None
        found = self.done.record if self.done is not None else before
        if found is None or found.footer is None or found.footer.not_run:
            return None
        plain = found.header.filters == {"mode": [BASE_MODE]}  # the plan of a run without filters
        return found if plain and found.header.planned == self.plan().checks else None

    def named_in(self, arguments: list[str]) -> bool:
        """Whether paths of a command line, node ids among them, lead to case files."""
        paths = [(self.config.invocation_params.dir / one.partition("::")[0]).resolve() for one in arguments]
        folder = self.folder.resolve()
        return any(folder.is_relative_to(path) or path.is_relative_to(folder) for path in paths)

    def strict(self, backend: str) -> bool:
        """Whether a recorded deviation that no longer shows fails for `backend`."""
        assert self.done is not None
        pinned = {line.name for line in self.done.record.header.backends if line.pinned}
        return self.config.option.bce_strict or backend in pinned


SESSION = pytest.StashKey[Checks]()


class CaseFile(pytest.File):
    """A case file: the checks of its cases."""

    def collect(self) -> Iterable[pytest.Collector]:
        """Its cases that are planned, in order."""
        planned = self.config.stash[SESSION].requests
        for case, members in planned.get(self.path.resolve(), {}).items():
            yield CaseNode.from_parent(self, name=case, requests=members)


class CaseNode(pytest.Collector):
    """A case: its checks, named implementation/dtype/quantity (`::` inside a name would confuse --lf)."""

    def __init__(self, *, requests: list[Request], **arguments: Any) -> None:
        super().__init__(**arguments)
        self.requests = requests

    def collect(self) -> Iterator[pytest.Item]:
        """Items in the order of the plan."""
        for request in self.requests:
            for quantity in request.quantities:
                name = f"{request.implementation.id}/{request.dtype}/{quantity}"
                yield Check.from_parent(self, name=name, request=request, quantity=quantity)


class Check(pytest.Item):
    """One check."""

    def __init__(self, *, request: Request, quantity: str, **arguments: Any) -> None:
        super().__init__(**arguments)
        self.request = request
        self.check_id = request.check_id(quantity)

    def runtest(self) -> None:
        """Look up the verdict: skip what was not run, expect what is recorded, fail what is new."""
        checks = self.config.stash[SESSION]
        assert checks.done is not None
        adapter = self.request.implementation.adapter
        line = checks.lines.get(self.check_id)
        if line is None:
            opened = checks.done.opened.get(adapter)
            absent = opened.why_not(self.request) if opened is not None else None
            if absent is None or self.config.option.bce_require:
                raise NotRun(f"{self.check_id} was not run")
            pytest.skip(f"{adapter} is absent: {absent}")
        if line.outcome == "new" or (line.outcome == "fixed" and checks.strict(adapter)):
            raise NotAsExpected(line, checks.done.record.header.asked)
        if line.outcome == "recorded":
            pytest.xfail(self._reason(line, checks.done))

    def _reason(self, line: CheckLine, done: runs.Run) -> str:
        return "; ".join(" ".join((one.title, *one.urls)) for one in done.record.problems_in(line))

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """What deviates, element by element, and a command that shows it; no source lines, which cost 80 ms each."""
        if isinstance(excinfo.value, (NotAsExpected, pytest.xfail.Exception, pytest.skip.Exception)):
            return str(excinfo.value)
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, int, str]:
        """File, line and id of the case."""
        return self.path, self.config.stash[SESSION].places[self.request.case.id].line - 1, self.check_id


class NotRun(Exception):
    """A check that was planned has no result: the harness failed."""


class NotAsExpected(AssertionError):
    """A check with a new or a fixed finding."""

    def __init__(self, line: CheckLine, asked: Asked) -> None:
        lines = [f"{line.id}: {line.verdict}, {line.outcome}"]
        for finding in line.findings:
            position = line.elements.index(finding.element) if finding.element in line.elements else 0
            error = line.ulp[position] if position < len(line.ulp) else None
            bits = line.bits[position] if position < len(line.bits) else ""
            lines.append(
                f"  {finding.outcome} {finding.element}: {finding.what}, got 0x{bits or '-'}"
                f"{'' if error is None else f', {error:.6g} ULP'} {finding.note} [{finding.cause}]"
            )
            if finding.outcome == "fixed":
                lines.append("  recorded but not seen: fixed upstream? then remove it from the record")
        lines += [f"  {text}" for text in line.details]
        lines.append(f"  {explain(line.case, line.implementation, line.dtype, asked)}")
        super().__init__("\n".join(lines))


if any(name in sys.modules for name in ("torch", "tensorflow", "jax", "keras")):
    raise RuntimeError("a framework is loaded in the parent process, where its settings could reach the reference")
