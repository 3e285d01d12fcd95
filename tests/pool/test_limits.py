"""Limits of a worker: what counts is its own CPU time, its sleep and its memory, and not what else the machine does."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from types import SimpleNamespace

import pytest

from conformance.errors import InputError
from conformance.plan.plan import Plan, make_plan
from conformance.pool import usage
from conformance.pool.service import PATIENCE
from conformance.pool.usage import SLEEP, Patience, family, resident
from conformance.run.asked import memory
from tests.builders import case, suite
from tests.pool.test_robustness import Ran

#: More than a worker with NumPy holds, and less than what an implementation of `costly.py` takes at once.
MEMORY = 200_000_000


def ran(entries: tuple[str, ...], requests: int = 1, timeout: float = 30.0, memory: int | None = None) -> Ran:
    """What a pool gives for some implementations of `costly.py`, with so many requests for each."""

    class Chosen(Ran):
        def planned(self) -> Plan:
            # Shapes differ, so that every request has a call of its own.
            cases = [
                case(("0.5", "1"), name=f"small/{n}", quantities=("value",), present=(str(n + 2),))
                for n in range(requests)
            ]
            chosen = [one for each in self.backends for one in each.implementations if one.entry in entries]
            return make_plan(suite(*cases), chosen)

    return Chosen("costly.py", timeout=timeout, memory=memory)


def verdicts(one: Ran, entry: str) -> set[str]:
    """The verdicts of an implementation's values."""
    return {check.verdict for check in one.of(entry, "value")}


# -- time ---------------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("entry", ["spins", "spins_in_a_child"])
def test_what_computes_without_end_is_ended_by_its_cpu_time(entry: str) -> None:
    """The time of processes that the worker has started, a compiler for one, counts like its own."""
    one = ran((entry,), timeout=0.5)
    (check,) = one.of(entry, "value")
    assert (check.verdict, check.details) == ("timed-out", ("no answer within 0.5 s of its own CPU time",))


@pytest.mark.slow
def test_what_runs_out_of_time_once_is_tried_again_and_judged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A time-out is called one only where it happens in a new process, too; it costs a worker all the same."""
    monkeypatch.setenv("BCE_ONCE", str(tmp_path / "once"))
    one = ran(("spins_once",), timeout=0.5)
    assert verdicts(one, "spins_once") == {"conforms"}
    assert len(one.pool.restarts) == 1


@pytest.mark.slow
def test_what_takes_longer_than_the_limit_and_uses_little_of_it_is_waited_for() -> None:
    """Three calls of a second each under a limit of one: what a busy machine makes of a call that computes 45 ms."""
    one = ran(("naps",), timeout=1.0)
    assert verdicts(one, "naps") == {"conforms"}
    assert one.pool.restarts == []


def test_a_machine_that_gives_no_core_uses_up_no_limit() -> None:
    """A worker that wants to compute is waited for however long it gets nothing to compute with."""
    patience = Patience(60.0)
    for _ in range(1_000_000):
        patience.add(0.0, awake=True, passed=0.5)
    assert patience.exhausted == ""


@pytest.mark.parametrize(
    ("used", "awake", "passed", "looks", "words"),
    [
        (0.5, True, 0.5, 120, "no answer within 60 s of its own CPU time"),
        (0.0, False, 0.5, 120, "no answer, asleep for 60 s"),
    ],
)
def test_each_limit_is_reached_by_what_it_is_about(
    used: float, awake: bool, passed: float, looks: int, words: str
) -> None:
    """At the limit and not one look before; the message says which one it was."""
    patience = Patience(60.0)
    for _ in range(looks):
        assert patience.exhausted == ""
        patience.add(used, awake, passed)
    assert patience.exhausted == words


def test_what_wakes_only_to_look_and_sleep_again_is_ended_after_ten_limits() -> None:
    """A deadlock with a thread that polls uses too little CPU time for one limit, and too much for the other."""
    patience = Patience(60.0)
    while not patience.exhausted:
        patience.add(0.0, awake=False, passed=0.5)
        patience.add(0.01, awake=True, passed=0.5)
    assert patience.exhausted == "no answer, asleep for 600 s in all"
    assert (patience.asleep, SLEEP) == (600.0, 10)


def test_wall_time_counts_where_a_system_does_not_tell_cpu_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """The message then promises nothing about CPU time."""
    times = iter((10.0, 10.5, 11.0))
    monkeypatch.setattr(usage, "KNOWN", False)
    monkeypatch.setattr(usage, "time", SimpleNamespace(monotonic=lambda: next(times)))
    patience = Patience(1.0)
    assert [patience.look(1) for _ in range(3)] == ["", "", "no answer within 1 s"]


def test_a_child_with_a_session_of_its_own_is_of_the_family() -> None:
    """Some compilers start their helpers so; their time is that of the call, too."""
    with subprocess.Popen(["sleep", "600"], start_new_session=True) as child:
        try:
            assert family(os.getpid()).keys() >= {os.getpid(), child.pid}
        finally:
            child.kill()


def test_a_process_that_is_gone_uses_nothing() -> None:
    """A worker may end between two looks; no exception comes of it."""
    with subprocess.Popen(["true"]) as child:
        child.wait()
    assert (family(child.pid), resident(child.pid)) == ({}, 0)


# -- memory ---------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_what_needs_too_much_memory_has_no_verdict_and_its_neighbours_have_theirs() -> None:
    """It is lost, in one line with the limit, and the worker after it goes on."""
    one = ran(("holds_memory", "right"), requests=2, memory=MEMORY)
    assert one.of("holds_memory") == []
    assert verdicts(one, "right") == {"conforms"}
    assert [line.partition("::")[0] for line in one.pool.lost] == ["small/0", "small/1"]
    assert all(line.endswith("in a new worker it held more than the 200 MB of --memory") for line in one.pool.lost)


@pytest.mark.slow
def test_what_always_needs_too_much_memory_is_given_up() -> None:
    """Every try costs two workers: after some, the rest of an implementation is not tried."""
    one = ran(("holds_memory",), requests=PATIENCE + 2, memory=MEMORY)
    assert len(one.pool.lost) == PATIENCE
    assert one.pool.lost[-1].endswith("; nothing more of costly/holds_memory/eager/cpu is tried")
    assert one.checks == []


@pytest.mark.slow
def test_what_needs_too_much_memory_once_is_tried_again_and_judged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker may have been nearly full before: only what is too much alone is lost."""
    monkeypatch.setenv("BCE_ONCE", str(tmp_path / "once"))
    one = ran(("holds_memory_once",), memory=MEMORY)
    assert verdicts(one, "holds_memory_once") == {"conforms"}
    assert (len(one.pool.restarts), one.pool.lost) == (1, [])


@pytest.mark.slow
def test_a_worker_that_has_grown_over_many_requests_is_replaced() -> None:
    """Compilers keep what they made: that costs a worker now and then, and no check."""
    one = ran(("leaks",), requests=12, memory=MEMORY)
    assert verdicts(one, "leaks") == {"conforms"}
    assert one.pool.restarts
    assert one.pool.lost == []


@pytest.mark.parametrize(("text", "size"), [("2GB", 2_000_000_000), ("1500MB", 1_500_000_000), ("0.5 gb", 500_000_000)])
def test_a_size_is_a_number_and_its_unit(text: str, size: int) -> None:
    """Units are decimal, and may be written in small letters."""
    assert memory(text) == size


def test_a_limit_that_could_not_be_held_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a system does not tell what a process holds, --memory is bad input and not a promise."""
    monkeypatch.setattr(usage, "KNOWN", False)
    with pytest.raises(InputError, match=r"--memory needs /proc, which this system does not have \(got '2GB'\)"):
        memory("2GB")
