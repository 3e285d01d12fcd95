"""How long the default run takes, beside what its workers cost alone: `python benchmarks/run_speed.py [BACKEND…]`.

Demand: wall time of the run at most 1.25 × max(slowest worker alone, CPU time of all workers / cores) + 1 s, and plan
and judge together under 1 s for 10,000 checks.  Everything is measured in this one process, since machines differ from
minute to minute; quote the ratios.
"""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from conformance import cases, deviations
from conformance import run as runs
from conformance.judge import Judge
from conformance.observation import Observed
from conformance.plan import Filters, make_plan


def measured(work: Callable[[], Any]) -> tuple[float, float]:
    """(wall seconds, CPU seconds of child processes that ended meanwhile) of a call."""
    cpu = _children()
    wall = time.perf_counter()
    work()
    return time.perf_counter() - wall, _children() - cpu


def _children() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def main(names: tuple[str, ...]) -> int:
    """Print the figures; exit code 1 where a demand is not met."""
    suite = cases.load_suite(cases.default_folder())
    known = deviations.Record(Path(), ())
    options = runs.Options(Filters(backend=names))
    with runs.open_pool(options) as pool:
        backends = runs.discover(pool, options)
        plan = runs.planned(backends, suite, options)
        cores = pool.jobs
    alone = {}
    for name in dict.fromkeys(request.implementation.adapter for request in plan.requests):
        only = runs.Options(Filters(backend=(name,)))
        part = runs.planned(backends, suite, only)

        def serve(part: Any = part, only: runs.Options = only) -> None:
            with runs.open_pool(only) as pool:
                pool.run(backends, part.requests, lambda backend, opened: None, lambda index, seen: None)

        alone[name] = measured(serve)
        print(f"{name:20s} alone: {alone[name][0]:6.1f} s wall, {alone[name][1]:6.1f} s CPU, {part.checks} checks")

    def whole() -> None:
        with runs.open_pool(options) as pool:
            runs.execute(pool, runs.discover(pool, options), plan, known, options)

    wall, _ = measured(whole)
    floor = max(max(w for w, _ in alone.values()), sum(cpu for _, cpu in alone.values()) / cores)
    limit = 1.25 * floor + 1
    print(f"run: {wall:.1f} s on {cores} cores; floor {floor:.1f} s, limit 1.25 x floor + 1 = {limit:.1f} s")

    observed: list[dict[str, Observed] | None] = [None] * len(plan.requests)
    with runs.open_pool(options) as pool:
        pool.run(backends, plan.requests, lambda backend, opened: None, observed.__setitem__)
    clock = time.perf_counter()
    again = make_plan(suite, plan.implementations, options.filters)
    checks = Judge(again.requests).judge(observed)
    seconds = time.perf_counter() - clock
    per = seconds / len(checks) * 10_000
    print(f"plan and judge: {seconds:.2f} s for {len(checks)} checks, {per:.2f} s per 10,000 (limit 1)")
    return 0 if wall <= limit and per < 1 else 1


if __name__ == "__main__":
    sys.exit(main(tuple(sys.argv[1:])))
