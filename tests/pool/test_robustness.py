"""Implementations, adapter files and interpreters that misbehave: the run ends, and nobody else pays for it."""

from __future__ import annotations

import math
import os
import platform
import shutil
import signal
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path

import msgspec
import numpy as np
import pytest

from conformance.errors import InputError
from conformance.judge.judge import Judge
from conformance.judge.verdicts import EXPECTED, Judged
from conformance.numbers import formats
from conformance.numbers.soundness import flushes_to_zero
from conformance.plan.plan import Plan, make_plan
from conformance.pool.backend import Backend, Opened
from conformance.pool.observation import Observed
from conformance.pool.pool import Pool
from conformance.pool.service import PATIENCE
from tests.builders import case, suite

pytestmark = pytest.mark.slow

ADAPTERS = Path(__file__).parents[1] / "data" / "adapters"

#: Two requests for every implementation, so that something remains to be run after the first.
CASES = (
    case(("0.5", "1"), ("0.25", "0"), name="small/first", quantities=("value",)),
    case(("0.75", "0.5"), name="small/second", quantities=("value",)),
)

FAILING = {
    "hangs": ("timed-out", "no answer, asleep for 1 s"),
    "hangs_ignoring_signals": ("timed-out", "no answer, asleep for 1 s"),
    "aborts": ("crashed", "the process was ended by SIGABRT"),
    "segfaults": ("crashed", "the process was ended by SIGSEGV"),
    "exits": ("crashed", "the process exited with status 3"),
    "exits_with_zero": ("crashed", "the process exited with status 0"),
    "babbles_in_the_pipe": ("crashed", "wrote into the pipe of the suite"),
    "closes_everything": ("crashed", "the process exited with status 1"),
    "leaves_a_child": ("crashed", "the process was ended by SIGABRT"),
    "forks_and_aborts": ("crashed", "the process was ended by SIGABRT"),
    "system_exit": ("unsupported", "SystemExit: 5"),
    "keyboard_interrupt": ("unsupported", "KeyboardInterrupt"),
    "escapes": ("unsupported", "Escape: out of here"),
    "unspeakable": ("unsupported", "Unspeakable"),
    "surrogates": ("unsupported", "ValueError: half a character: ?"),
    "recursion": ("unsupported", "RecursionError"),
}

#: Implementation -> the quantities that deviate, with the class.
DEVIATING = {
    "mutates": {"inputs-unchanged": "changed"},
    "mutates_label": {"inputs-unchanged": "changed"},
    "wrong_shape": {"result-shape": "result-shape"},
    "one_short": {"value": "result-shape", "result-shape": "result-shape"},
    "wrong_dtype": {"value": "result-dtype", "result-dtype": "result-dtype"},
    "complex_numbers": {"value": "result-dtype", "result-dtype": "result-dtype"},
    "text": {"value": "result-dtype", "result-dtype": "result-dtype"},
    "none": {"value": "result-dtype", "result-dtype": "result-dtype", "result-shape": "result-shape"},
    "python_list": {"value": "result-dtype", "result-dtype": "result-dtype", "result-shape": "result-shape"},
    "objects": {"value": "result-dtype", "result-dtype": "result-dtype", "result-shape": "result-shape"},
    "structured": {"value": "result-dtype", "result-dtype": "result-dtype"},
}

RIGHT = ("first", "chatters", "closes_standard_output", "warns", "changes_folder", "last")


def processes_with(token: str) -> list[int]:
    """Processes other than this one that have inherited the token in their environment."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if token.encode() in (folder / "environ").read_bytes() and int(folder.name) != os.getpid():
                found.append(int(folder.name))
        except OSError:
            continue
    return found


@pytest.fixture(scope="module")
def token() -> Iterator[str]:
    """A word in the environment of every process that a test here starts."""
    word = uuid.uuid4().hex
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BCE_TEST_TOKEN", word)
        yield word


class Ran:
    """What a pool gave for some adapter files."""

    def __init__(
        self,
        *files: str,
        timeout: float = 1.0,
        interpreters: dict[str, str] | None = None,
        memory: int | None = None,
    ) -> None:
        self.opened: dict[str, Opened] = {}
        with tempfile.TemporaryFile() as log:
            self.pool = Pool(log=log, timeout=timeout, interpreters=interpreters or {}, memory=memory)
            try:
                found = self.pool.discover([ADAPTERS / file for file in files])
                mine = {Path(file).stem for file in files}
                self.backends = tuple(one for one in found if one.name in mine)
                self.plan = self.planned()
                self.observed: list[dict[str, Observed] | None] = [None] * len(self.plan.requests)
                self.prepare()
                self.pool.run(self.backends, self.plan.requests, self.on_opened, self.on_observed)
            finally:
                self.pool.stop()
            log.seek(0)
            self.log = log.read()
        self.checks = Judge(self.plan.requests).judge(self.observed)

    def planned(self) -> Plan:
        """Both cases on every implementation."""
        return make_plan(suite(*CASES), [one for backend in self.backends for one in backend.implementations])

    def prepare(self) -> None:
        """What a test does before the run."""

    def on_opened(self, backend: Backend, opened: Opened) -> None:
        """Keep it."""
        self.opened[backend.name] = opened

    def on_observed(self, index: int, observed: dict[str, Observed]) -> None:
        """Keep it, and refuse a second observation of a request."""
        assert self.observed[index] is None
        self.observed[index] = observed

    def of(self, entry: str, quantity: str | None = None) -> list[Judged]:
        """Checks of an implementation."""
        return [
            check
            for check in self.checks
            if check.request.implementation.entry == entry and quantity in (None, check.quantity)
        ]


@pytest.fixture(scope="module")
def ran(token: str) -> Ran:
    """The wayward adapter beside the orderly one."""
    return Ran("wayward.py", "orderly.py")


def test_every_request_is_observed_once(ran: Ran) -> None:
    """The run ends with an observation of every request, however many workers fell."""
    assert all(one is not None for one in ran.observed)
    assert len(ran.checks) == ran.plan.checks == len(ran.plan.requests) * 6


def test_every_way_of_misbehaving_is_expected_here(ran: Ran) -> None:
    """No function of the adapter file is left without a verdict below."""
    (backend,) = (one for one in ran.backends if one.name == "wayward")
    assert {one.entry for one in backend.implementations} == {*FAILING, *DEVIATING, *RIGHT}


EMPTY = """
import os
import numpy as np
from conformance.adapters import Adapter, Implementation

def loss(prediction, label):
    if prediction.size == 0:
        os.abort()
    p, y = prediction.astype(np.float64), label.astype(np.float64)
    return (-(y * np.log(p) + (1 - y) * np.log1p(-p))).astype(prediction.dtype)

adapters = [Adapter("empty", [Implementation("loss", "probabilities", loss, dtypes=("float32",))], "numpy")]
"""


def test_a_presentation_that_ends_the_process_is_the_only_one_that_crashes(tmp_path: Path, token: str) -> None:
    """Of an empty tensor between others, each of which has its own verdict."""
    file = tmp_path / "empty.py"
    file.write_text(EMPTY)
    one = case(("0.5", "1"), ("0.25", "0"), name="small/sizes", quantities=("value",), present=("3", "0", "7"))
    with tempfile.TemporaryFile() as log:
        pool = Pool(log=log, timeout=10.0)
        try:
            backends = tuple(each for each in pool.discover([file]) if each.name == "empty")
            plan = make_plan(suite(one), backends[0].implementations)
            seen: list[dict[str, Observed] | None] = [None] * len(plan.requests)
            pool.run(backends, plan.requests, lambda *_: None, seen.__setitem__)
        finally:
            pool.stop()
    (check,) = (each for each in Judge(plan.requests).judge(seen) if each.quantity == "value")
    assert dict(zip(check.elements, check.verdicts, strict=True)) == {
        "n3": "conforms",
        "n0": "crashed",
        "n7": "conforms",
    }


@pytest.mark.parametrize("entry", FAILING)
def test_the_culprit_gets_its_verdict(ran: Ran, entry: str) -> None:
    """A time-out, a crash with its signal or status, an exception with its type: in both requests."""
    wanted, message = FAILING[entry]
    checks = ran.of(entry, "value")
    assert [check.verdict for check in checks] == [wanted] * 2
    assert wanted not in EXPECTED
    for check in checks:
        assert any(message in detail for detail in check.details), check.details


@pytest.mark.parametrize("entry", DEVIATING)
def test_a_wrong_result_deviates_in_what_is_wrong_with_it(ran: Ran, entry: str) -> None:
    """Only the quantities that are wrong deviate, with their class."""
    found = {
        check.quantity: finding.what
        for check in ran.of(entry)
        if check.verdict != "conforms"
        for finding in check.findings
    }
    assert found == DEVIATING[entry]


@pytest.mark.parametrize("entry", RIGHT)
def test_neighbours_and_chatterers_conform(ran: Ran, entry: str) -> None:
    """What returns the right result is judged as without its neighbours, also after all of them."""
    assert [(check.verdict, check.quantity) for check in ran.of(entry) if check.verdict != "conforms"] == []
    assert len(ran.of(entry)) == 12


def test_another_adapter_is_not_disturbed(ran: Ran) -> None:
    """The orderly adapter, in a process of its own, conforms in everything."""
    assert {check.verdict for check in ran.of("loss")} == {"conforms"}
    assert ran.opened["orderly"].absent is None


def test_chatter_goes_to_the_log(ran: Ran) -> None:
    """Standard output, standard error and raw bytes of an implementation end in the log of the workers."""
    assert b"to standard error" in ran.log
    assert bytes(range(256)) in ran.log


def test_a_warning_is_recorded(ran: Ran) -> None:
    """A warning is no failure; it is told with its category."""
    assert ran.of("warns", "value")[0].warnings == ("UserWarning: a warning of the framework",)


def test_every_replacement_of_a_worker_is_recorded(ran: Ran) -> None:
    """A record says which requests brought a worker down."""
    culprits = {restart.split("::")[1].split("/")[1] for restart in ran.pool.restarts}
    assert culprits == {entry for entry, (verdict, _) in FAILING.items() if verdict in ("crashed", "timed-out")}


def test_observations_can_be_written_as_json(ran: Ran) -> None:
    """No message of an exception, however odd, stops a record from being written."""
    for check in ran.checks:
        msgspec.json.encode([check.details, check.warnings])


def test_no_process_is_left_behind(ran: Ran, token: str) -> None:
    """Workers, and what implementations started in them, have ended."""
    assert processes_with(token) == []


def test_the_search_for_processes_finds_one(token: str) -> None:
    """The test above can fail: a process that is alive is found."""
    with subprocess.Popen(["sleep", "600"]) as process:
        try:
            assert processes_with(token) == [process.pid]
        finally:
            process.kill()


def test_a_persistent_offender_is_given_up() -> None:
    """After some crashes the remaining requests of an implementation are not tried, and its neighbours' are."""

    class Longer(Ran):
        def planned(self) -> Plan:
            more = [case(("0.5", "1"), name=f"small/{n}", quantities=("value",)) for n in ("a", "b", "c", "d", "e")]
            chosen = [
                one
                for backend in self.backends
                for one in backend.implementations
                if one.entry in ("first", "exits", "last")
            ]
            return make_plan(suite(*more), chosen)

    longer = Longer("wayward.py")
    exits = longer.of("exits", "value")
    assert all("status 3" in check.details[0] for check in exits)
    tried = [check for check in exits if "not tried" not in check.details[0]]
    assert (len(exits), len(tried)) == (5, PATIENCE)
    assert {check.verdict for check in exits} == {"crashed"}
    assert all(check.verdict == "conforms" for entry in ("first", "last") for check in longer.of(entry))


def test_a_worker_that_is_killed_while_idle_is_replaced(token: str) -> None:
    """A worker that dies between two requests costs a restart and no verdict."""

    class Killing(Ran):
        killed = 0

        def planned(self) -> Plan:
            # Two shapes, so that each request has a call of its own, and the first has ended before the second begins.
            pair = [case(("0.5", "1"), name=f"small/{n}", quantities=("value",), present=(n,)) for n in ("2", "3")]
            return make_plan(suite(*pair), [one for backend in self.backends for one in backend.implementations])

        def on_observed(self, index: int, observed: dict[str, Observed]) -> None:
            super().on_observed(index, observed)
            (worker,) = self.pool.alive
            worker.process.send_signal(signal.SIGKILL)
            os.waitid(os.P_PID, worker.process.pid, os.WEXITED | os.WNOWAIT)  # it has ended, and is not reaped
            self.killed += 1

    killing = Killing("orderly.py", timeout=30.0)
    assert killing.killed == 2
    assert {check.verdict for check in killing.checks} == {"conforms"}
    assert len(killing.pool.restarts) == 1
    assert processes_with(token) == []


# -- adapter files and interpreters ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("file", "words"),
    [
        ("raises.py", ["raises.py", "RuntimeError: this file cannot be imported"]),
        ("empty.py", ["empty.py", "must define `adapters`"]),
        ("leaves.py", ["leaves.py", "status 7"]),
        ("broken.py", ["broken.py", "SyntaxError"]),
        ("twice.py", ["twice.py", "'loss/eager/cpu' twice"]),
        ("taken.py", ["two adapters are called 'numpy'"]),
        ("invented.py", ["invented.py", "'excuse' is not one of"]),
        ("nowhere.py", ["nowhere.py", "FileNotFoundError"]),
    ],
)
def test_a_bad_adapter_file_is_named_with_what_is_wrong(token: str, file: str, words: list[str]) -> None:
    """Nothing is run, the InputError names file and mistake, and no process is left."""
    with pytest.raises(InputError) as caught:
        Ran(file)
    for word in words:
        assert word in str(caught.value)
    assert processes_with(token) == []


def test_an_absent_framework_is_told_with_its_reason() -> None:
    """An ImportError of the framework makes the backend absent; its requests are not observed."""
    absent = Ran("absent.py")
    assert absent.opened["absent"].absent == "ModuleNotFoundError: No module named 'a_framework_that_nobody_has'"
    assert set(absent.observed) == {None}
    assert absent.checks == []


def test_an_interpreter_that_does_not_exist_is_bad_input(token: str) -> None:
    """--python with a wrong path is named; the other backends' workers end."""
    with pytest.raises(InputError, match=r"interpreter '/no/such/python' cannot be started: No such file"):
        Ran("orderly.py", interpreters={"orderly": "/no/such/python"})
    assert processes_with(token) == []


def test_an_interpreter_that_is_no_python_is_a_failure_and_no_absence() -> None:
    """A program that ends without a word is told with its exit status; only an ImportError makes a backend absent."""
    false = shutil.which("false")
    assert false is not None
    opened = Ran("orderly.py", interpreters={"orderly": false}).opened["orderly"]
    assert opened.absent is None
    assert opened.failed == "the process exited with status 1"


def test_an_interpreter_for_an_unknown_backend_is_bad_input() -> None:
    """--python with a backend that does not exist is named."""
    with pytest.raises(InputError, match="--python names 'ordely'"):
        Ran("orderly.py", interpreters={"ordely": "python3"})


# -- flush-to-zero -----------------------------------------------------------------------------------------------

FLUSH = """
#include <xmmintrin.h>
void flush_to_zero(void) { _mm_setcsr(_mm_getcsr() | 0x8040); }
"""


@pytest.fixture(scope="module")
def flush_library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A C function that sets the flush bits of the calling thread."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None or platform.machine() not in ("x86_64", "AMD64"):
        pytest.skip("needs a C compiler and x86-64 to switch to flush-to-zero")
    folder = tmp_path_factory.mktemp("flush")
    (folder / "flush.c").write_text(FLUSH)
    subprocess.run([compiler, "-shared", "-fPIC", "-o", folder / "flush.so", folder / "flush.c"], check=True)
    return folder / "flush.so"


class Tiny(Ran):
    """A run of one case with a subnormal result."""

    def planned(self) -> Plan:
        """The plan of that case."""
        tiny = case(("1e-40", "0"), name="small/tiny", quantities=("value",))
        every = [one for backend in self.backends for one in backend.implementations]
        return make_plan(suite(tiny), every)


def test_flush_to_zero_in_a_worker_does_not_reach_the_judge(
    flush_library: Path, monkeypatch: pytest.MonkeyPatch, token: str
) -> None:
    """A worker that flushes deviates as flushed; the parent's arithmetic and other adapters stay gradual."""
    monkeypatch.setenv("BCE_FLUSH", str(flush_library))

    tiny = Tiny("flushing.py", "orderly.py", timeout=30.0)
    (check,) = tiny.of("flushes", "value")
    assert [finding.what for finding in check.findings] == ["flushed"]
    assert {check.verdict for check in tiny.of("loss")} == {"conforms"}
    assert tiny.opened["flushing"].environment["flush-to-zero"] is False
    assert not flushes_to_zero()
    smallest = formats.decode(formats.Tensor("float32", np.array([1], dtype=np.uint32)))
    assert smallest.tolist() == [math.ldexp(1, -149)]


def test_the_next_implementation_does_not_inherit_flush_to_zero(
    flush_library: Path, monkeypatch: pytest.MonkeyPatch, token: str
) -> None:
    """The culprit is told by what it changed, and its worker is replaced: its honest neighbour conforms."""
    monkeypatch.setenv("BCE_FLUSH", str(flush_library))

    tiny = Tiny("flushing.py", timeout=30.0)
    assert {check.verdict for check in tiny.of("honest")} == {"conforms"}
    (unchanged,) = tiny.of("flushes", "inputs-unchanged")
    assert [finding.what for finding in unchanged.findings] == ["changed"]
    assert "floating-point state" in unchanged.findings[0].detail
