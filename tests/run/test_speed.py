"""`run --speed`: what is timed, in which order, and what a failure costs.  No test depends on how long a call takes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from conformance.adapters import Implementation as Declared
from conformance.adapters.numpy import NumPyRuntime
from conformance.numbers.formats import decode
from conformance.plan.plan import Plan, make_plan
from conformance.pool.backend import Opened
from conformance.pool.pool import Pool
from conformance.record import record
from conformance.render import jsondoc
from conformance.run import speed
from conformance.worker import timing
from conformance.worker.session import Session
from tests.builders import case, implementation, plan, request, suite

ROOT = Path(__file__).parents[2]
SIZED = ROOT / "tests" / "data" / "adapters" / "sized.py"


# -- the worker's side ------------------------------------------------------------------------------------------------


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """A clock that shows what the test puts into it."""
    now = [0.0]
    monkeypatch.setattr(timing.time, "perf_counter", lambda: now[0])
    return now


@pytest.mark.parametrize(
    ("cost", "calls", "limit", "made"), [(1.0, 5, 10.0, 5), (1.0, 5, 2.5, 3), (9.0, 5, 2.5, 1), (1.0, 0, 9.0, 0)]
)
def test_calls_stop_at_their_number_or_at_the_limit(
    clock: list[float], cost: float, calls: int, limit: float, made: int
) -> None:
    """No call but the first starts after the limit, and every call has its own duration."""

    def once() -> None:
        clock[0] += cost

    assert timing.durations(once, calls, limit) == [cost] * made


def test_the_garbage_collector_rests_while_calls_are_timed() -> None:
    """It is off in the call and on again after one that raises."""
    seen = []

    def once() -> None:
        seen.append(timing.gc.isenabled())
        raise ValueError

    assert timing.gc.isenabled()
    with pytest.raises(ValueError):  # noqa: PT011  # there is no message
        timing.durations(once, 1, 1.0)
    assert seen == [False]
    assert timing.gc.isenabled()


def test_memory_is_the_peak_beyond_what_was_resident(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The peak is set back first; the answer is in bytes, of a status in kB."""
    status, clear = tmp_path / "status", tmp_path / "clear_refs"
    status.write_text("Name:\tx\nVmHWM:\t   9000 kB\nVmRSS:\t   1000 kB\n")
    monkeypatch.setattr(timing, "STATUS", str(status))
    monkeypatch.setattr(timing, "CLEAR_REFS", str(clear))
    assert timing.peak(lambda: status.write_text("VmHWM:\t   1250 kB\nVmRSS:\t   1100 kB\n")) == 250 * 1024
    assert clear.read_text() == timing.RESET_PEAK


def test_memory_is_unknown_where_the_system_does_not_tell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the files of Linux there is no number and no call."""
    monkeypatch.setattr(timing, "CLEAR_REFS", str(tmp_path / "nowhere" / "clear_refs"))
    assert timing.peak(lambda: pytest.fail("called")) is None


def test_memory_of_a_large_array_is_seen() -> None:
    """An array of 64 MB that is freed within the call shows, and shows again where it was freed before."""
    for _ in range(2):
        found = timing.peak(lambda: np.ones(8_000_000))
        if found is None:
            pytest.skip("this system does not tell")
        assert 60e6 < found < 80e6


class Counting(NumPyRuntime):
    """Notes what it is asked for and what it is waited for."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.waited: list[Any] = []

    def evaluate(self, implementation: Declared, quantity: str, arguments: dict[str, Any]) -> Any:
        """As NumPy, noted."""
        self.asked.append(f"{quantity} {arguments['prediction'].size}")
        return super().evaluate(implementation, quantity, arguments)

    def wait(self, native: Any) -> None:
        """Noted."""
        self.waited.append(native)


def session(runtime: Counting, **fields: Any) -> Session:
    """A session of one implementation on a runtime."""
    made = Session("numpy")
    made.runtime = runtime
    one = Declared("loss", "probabilities", lambda prediction, label: prediction + label, **fields)
    made.implementations = {one.key: one}
    return made


def asked(direction: str, **fields: Any) -> dict[str, Any]:
    """The header of a request for a timing."""
    given = {
        "op": "time", "implementation": "loss/eager/cpu", "reduction": "none", "tensors": ["prediction", "label"],
        "elements": 2500, "direction": direction, "first": False, "calls": 1, "limit": 1.0,
    }  # fmt: skip
    return given | fields


@pytest.mark.parametrize(
    ("direction", "quantities"), [("forward", ["value"]), ("backward", ["value", "gradient-prediction"])]
)
def test_a_written_derivative_is_timed_together_with_the_value(direction: str, quantities: list[str]) -> None:
    """A training step needs both; each result is waited for, and the tensor has as many elements as it should."""
    runtime = Counting()
    one = session(runtime, derivatives={"gradient-prediction": lambda prediction, label: label})
    answer = one.time(asked(direction), list(speed.inputs("probabilities", "float32").values()))
    assert runtime.asked == [f"{quantity} 2500" for quantity in quantities]
    assert len(runtime.waited) == 2 + len(quantities), "the two inputs and the results"
    assert len(answer["seconds"]) == 1
    assert answer["memory"] is None


def test_the_first_calls_are_not_timed(monkeypatch: pytest.MonkeyPatch) -> None:
    """One in which a framework may compile, one for its memory."""
    monkeypatch.setattr(timing, "peak", lambda once: (once(), 77)[1])
    runtime = Counting()
    answer = session(runtime).time(
        asked("forward", first=True, calls=0), list(speed.inputs("probabilities", "float32").values())
    )
    assert answer == {"seconds": [], "memory": 77}
    assert len(runtime.asked) == 2


def test_inputs_are_ordinary_and_neighbours_differ() -> None:
    """Distinct probabilities inside (0, 1) or their logits, and both labels for small and large ones."""
    values = {name: decode(tensor) for name, tensor in speed.inputs("probabilities", "float32").items()}
    p, y = values["prediction"], values["label"]
    assert len(set(p.tolist())) == speed.DISTINCT
    assert ((p > 0) & (p < 1)).all()
    assert np.unique(y).tolist() == [0.0, 1.0]
    assert {tuple(pair) for pair in np.stack([p > 0.5, y > 0.5], 1).tolist()} == {
        (False, False), (False, True), (True, False), (True, True),
    }  # fmt: skip
    z = decode(speed.inputs("logits", "float32")["prediction"])
    np.testing.assert_allclose(1 / (1 + np.exp(-z)), p, rtol=1e-6)


# -- the parent's side ------------------------------------------------------------------------------------------------


def a_plan() -> Plan:
    """Two implementations, of which the second has no gradient."""
    by = [implementation(entry="both"), implementation(entry="forward", quantities=("value",))]
    return plan([request(case(("0.5", "1")), one) for one in by])


def test_jobs_are_what_the_plan_calls_and_offers() -> None:
    """Forward for all, backward where there is a gradient, float32 unless dtypes are named."""
    found = [(job.implementation.entry, job.dtype, job.direction) for job in speed.jobs(a_plan())]
    assert found == [("both", "float32", "forward"), ("both", "float32", "backward"), ("forward", "float32", "forward")]
    assert {job.dtype for job in speed.jobs(a_plan(), ("float16", "float64"))} == {"float16", "float64"}
    assert speed.count(a_plan()) == 3 * len(speed.SIZES)


class Scripted:
    """Stands in for the workers: notes who is called, and answers with what a test says a call takes."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, seconds: dict[tuple[str, int], float]) -> None:
        self.calls: list[tuple[str, int, bool]] = []
        self.seconds = seconds
        monkeypatch.setattr(speed._Bench, "ask", self.ask)

    def ask(self, job: Any, size: int, first: bool) -> None:
        """One call of one job."""
        self.calls.append((f"{job.implementation.entry} {job.direction}", size, first))
        if not first:
            job.seconds.append(self.seconds.get((job.implementation.entry, size), 0.001) * (1 + len(job.seconds)))


def measured(sizes: tuple[int, ...] = (10, 1000)) -> speed.Timed:
    """The timings of `a_plan` on a backend that answers nothing itself."""
    with tempfile.TemporaryFile() as log:
        backend = speed.Backend(name="stub", source="stub.py", interpreter="python", implementations=())
        return speed.measure(Pool(log=log), [backend], a_plan(), {"stub": Opened(versions={"stub": "1"})}, sizes=sizes)


def test_rounds_go_over_all_implementations(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody is called twice before all were called once, at every size; the first calls come before all rounds."""
    script = Scripted(monkeypatch, {})
    measured()
    names = ["both forward", "both backward", "forward forward"]
    round_of = lambda size, first: [(name, size, first) for name in names]  # noqa: E731
    expected = []
    for size in (10, 1000):
        expected += round_of(size, True) + speed.ROUNDS * round_of(size, False)
    assert script.calls == expected


def test_the_median_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of calls that take 1 to 5 ms it is 3 ms, and the repeats are told."""
    Scripted(monkeypatch, {})
    line = measured().lines[0]
    assert (line.implementation, line.elements, line.seconds, line.repeats) == ("stub/both/eager/cpu", 10, 0.003, 5)


def test_rounds_end_for_what_has_taken_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """A slow implementation is called less often than the others, which go on."""
    script = Scripted(monkeypatch, {("both", 10): speed.LIMIT})
    measured((10,))
    rounds = [name for name, _, first in script.calls if not first]
    assert {name: rounds.count(name) for name in set(rounds)} == {
        "both forward": 1, "both backward": 1, "forward forward": speed.ROUNDS,
    }  # fmt: skip


def test_what_would_take_too_long_is_not_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Judged by the smaller size: no call, no line, and the reason with the time that was expected."""
    script = Scripted(monkeypatch, {("both", 10): speed.LONGEST / 50})
    found = measured()
    assert [name for name, size, _ in script.calls if size == 1000 and name.startswith("both")] == []
    assert {(line.implementation, line.elements) for line in found.lines} == {
        ("stub/both/eager/cpu", 10), ("stub/forward/eager/cpu", 10), ("stub/forward/eager/cpu", 1000),
    }  # fmt: skip
    assert len(found.untimed) == 2
    assert found.untimed[0].startswith("stub/both/eager/cpu float32 forward 1000 elements: not tried: about ")


@pytest.mark.parametrize("opened", [Opened(absent="ImportError: none"), Opened(failed="it broke")])
def test_an_absent_backend_is_not_timed(monkeypatch: pytest.MonkeyPatch, opened: Opened) -> None:
    """Its absence is told already."""
    script = Scripted(monkeypatch, {})
    with tempfile.TemporaryFile() as log:
        found = speed.measure(Pool(log=log), [], a_plan(), {"stub": opened})
    assert (found, script.calls) == (speed.Timed(), [])


@pytest.mark.slow
def test_a_result_of_jax_is_waited_for() -> None:
    """JAX hands results out before they are computed; after waiting they are there."""
    code = (
        "from conformance.adapters import load_builtin; import jax.numpy as jnp;"
        "runtime = load_builtin('jax')[0].runtime; runtime.open();"
        "result = jnp.sort(jnp.arange(2_000_000)[::-1] * 1.5); runtime.wait(result); print(result.is_ready())"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    if "ModuleNotFoundError" in done.stderr:
        pytest.skip("needs JAX")
    assert (done.returncode, done.stdout) == (0, "True\n"), done.stderr


# -- both together ----------------------------------------------------------------------------------------------------


@pytest.fixture
def sized() -> Iterator[tuple[Pool, Any]]:
    """A pool with the adapter whose losses fail on large tensors; a request may take two seconds."""
    with tempfile.TemporaryFile() as log:
        pool = Pool(log=log, timeout=2.0)
        try:
            yield pool, [one for one in pool.discover([SIZED]) if one.name == "sized"]
        finally:
            pool.stop()


@pytest.mark.slow
def test_a_failure_at_a_size_costs_that_size(sized: tuple[Pool, Any]) -> None:
    """An exception, an end of the process and a time-out have no line at the large size and a reason each."""
    pool, backends = sized
    made = make_plan(suite(case(("0.5", "1"))), [one for backend in backends for one in backend.implementations])
    found = speed.measure(pool, backends, made, {"sized": Opened(versions={"numpy": "1"})}, sizes=(100, 1000))
    assert {(line.implementation.split("/")[1], line.direction, line.elements) for line in found.lines} == {
        ("right", "forward", 100), ("right", "backward", 100), ("right", "forward", 1000), ("right", "backward", 1000),
        ("raises", "forward", 100), ("ends", "forward", 100), ("hangs", "forward", 100),
    }  # fmt: skip
    assert all(line.seconds > 0 and line.repeats >= speed.ROUNDS for line in found.lines)
    assert [text.partition(" elements: ")[2] for text in found.untimed] == [
        "MemoryError: no room for 1000 elements", "the process exited with status 7", "no answer, asleep for 2 s",
    ]  # fmt: skip


@pytest.mark.slow
def test_run_speed_adds_lines_to_the_record(tmp_path: Path) -> None:
    """Every size and direction of what the run is about, with memory where Linux tells it; the run is as expected."""
    words = [
        "run",
        "--implementation",
        "numpy/stable_textbook",
        "--case",
        "hard-labels/logits",
        "--dtype",
        "float32",
        "--speed",
    ]
    done = subprocess.run(
        [sys.executable, "-m", "conformance", *words, "--quantity", "acceptance", "--output", "run.jsonl"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "; 1 timed\n" in done.stdout
    kept = record.read(tmp_path / "run.jsonl")
    shown = json.loads(jsondoc.render(kept))["speeds"]
    assert shown == [json.loads(msgspec.json.encode(line)) for line in kept.speeds]
    assert {(line.direction, line.elements) for line in kept.speeds} == {
        (direction, size) for direction in speed.DIRECTIONS for size in speed.SIZES
    }
    assert {line.implementation for line in kept.speeds} == {"numpy/stable_textbook/eager/cpu"}
    assert kept.footer is not None
    assert kept.footer.untimed == ()
    if timing.peak(lambda: None) is not None:
        memory = [line.memory for line in kept.speeds if line.elements == speed.SIZES[-1]]
        assert all(one is not None and one > 0.9 * 4 * speed.SIZES[-1] for one in memory), "the losses alone: 40 MB"
