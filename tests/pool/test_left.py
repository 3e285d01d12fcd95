"""Workers that one run of a pool leaves to the next, so that a framework is imported once for several questions."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from conformance.plan.plan import make_plan
from conformance.pool.backend import Backend, Opened
from conformance.pool.observation import Observed
from conformance.pool.pool import Pool
from conformance.run import run as runs
from tests.builders import case, suite

#: Two backends, each of which tells its process when it is opened.
ADAPTER = """
import os
import numpy as np
from conformance.adapters import Adapter, Implementation
from conformance.adapters.numpy import NumPyRuntime

class Runtime(NumPyRuntime):
    def environment(self):
        return {"process": os.getpid()}

def loss(prediction, label):
    return np.abs(prediction - label)

adapters = [Adapter(name, [Implementation("loss", "probabilities", loss)], Runtime()) for name in ("one", "other")]
"""


@pytest.fixture
def pool() -> Iterator[Pool]:
    """A pool as commands have it."""
    with runs.open_pool(runs.Options()) as opened:
        yield opened


@pytest.fixture
def backends(pool: Pool, tmp_path: Path) -> tuple[Backend, ...]:
    """Both backends."""
    (tmp_path / "telling.py").write_text(ADAPTER)
    return tuple(one for one in pool.discover([tmp_path / "telling.py"]) if one.name in ("one", "other"))


def ran(pool: Pool, *backends: Backend) -> dict[str, int]:
    """The process that answered for each backend; each request has a result."""
    opened: dict[str, Opened] = {}
    seen: dict[int, dict[str, Observed]] = {}
    plan = make_plan(suite(case(("0.5", "1"))), [one for backend in backends for one in backend.implementations])
    pool.run(backends, plan.requests, lambda one, what: opened.update({one.name: what}), seen.__setitem__)
    assert all(one.kind == "returned" for what in seen.values() for got in what.values() for one in got)
    assert len(seen) == len(plan.requests) > 0
    return {name: one.environment["process"] for name, one in opened.items()}


def lives(process: int) -> bool:
    """Whether there is such a process."""
    return Path(f"/proc/{process}").exists()


def test_a_run_of_one_backend_leaves_its_worker_to_the_next(pool: Pool, backends: tuple[Backend, ...]) -> None:
    """Also to one that observes a request at a time, and from that on to the next run."""
    first = ran(pool, backends[0])
    with pool.session(backends[0]):
        assert not pool.idle
    assert ran(pool, backends[0]) == first


def test_a_worker_is_left_to_its_own_backend_alone(pool: Pool, backends: tuple[Backend, ...]) -> None:
    """Backends of one adapter file may import different frameworks, or one in different ways."""
    (first,), (second,) = (ran(pool, one).values() for one in backends)
    assert first != second


def test_a_run_of_several_backends_leaves_none(pool: Pool, backends: tuple[Backend, ...]) -> None:
    """All frameworks of a whole run at once would fill the memory."""
    assert not any(map(lives, ran(pool, *backends).values()))


def test_a_worker_that_has_ended_meanwhile_is_not_taken(pool: Pool, backends: tuple[Backend, ...]) -> None:
    """That it ended says nothing of an implementation, which it was not asked for."""
    before = ran(pool, backends[0])
    (idle,) = pool.idle.values()
    idle.worker.kill()
    assert ran(pool, backends[0]) != before
    assert pool.restarts == []


def test_no_worker_outlives_its_pool(pool: Pool, backends: tuple[Backend, ...]) -> None:
    """What was left to nobody ends when the pool is stopped."""
    (process,) = ran(pool, backends[0]).values()
    assert lives(process)
    pool.stop()
    assert not lives(process)
