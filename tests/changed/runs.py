"""Runs of the suite over a changed framework, by the same way as every other run."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from conformance.known.record import Record, default_place, load
from conformance.plan import cases
from conformance.plan.cases import Suite
from conformance.plan.filters import Filters
from conformance.plan.plan import Plan, make_plan
from conformance.plan.requests import Request
from conformance.pool.backend import Backend
from conformance.record.record import RunRecord
from conformance.run import run as runs
from tests.changed import hook
from tests.changed.registry import Change

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Bench:
    """What all runs have in common: backends, cases and what is recorded."""

    backends: dict[str, Backend]
    suite: Suite
    record: Record

    @classmethod
    def of_this_checkout(cls) -> Bench:
        """The built-in backends, the cases and the record."""
        with runs.open_pool(runs.Options()) as pool:
            backends = {one.name: one for one in runs.discover(pool, runs.Options())}
        return cls(backends, cases.load_suite(ROOT / "cases"), load((default_place(),)))

    def changed(self, change: Change, made: Path) -> RunRecord:
        """The part of the suite that must tell `change`, with the change made."""
        return self._run(self._plan(change), hook.environment(change, made))

    def unchanged(self, changes: Iterable[Change], made: Path) -> RunRecord:
        """All that the runs of `changes` of one backend ask, with the hook in place and nothing changed."""
        plans = [self._plan(one) for one in changes]
        requests = merged(request for plan in plans for request in plan.requests)
        return self._run(replace(plans[0], requests=requests), hook.environment(None, made))

    def _plan(self, change: Change) -> Plan:
        filters = Filters(
            implementation=(change.place.implementation,),
            mode=(change.mode,),
            case=change.case,
            dtype=change.dtype,
            quantity=change.quantity,
            without_flag=("large",),
        )
        return make_plan(self.suite, self.backends[change.place.backend].implementations, filters)

    def _run(self, plan: Plan, environment: dict[str, str]) -> RunRecord:
        options = runs.Options(environment=environment)
        backend = self.backends[plan.requests[0].implementation.adapter]
        with runs.open_pool(options) as pool:
            return runs.execute(pool, (backend,), plan, self.record, options).record


def merged(requests: Iterable[Request]) -> tuple[Request, ...]:
    """Each request once, with every quantity that is asked of it anywhere."""
    once: dict[str, Request] = {}
    for one in requests:
        before = once.get(one.check_id(""), one)
        quantities = tuple(dict.fromkeys((*before.quantities, *one.quantities)))
        once[one.check_id("")] = replace(one, quantities=quantities)
    return tuple(once.values())
