"""A run that takes minutes says what it is doing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import count

import pytest

from conformance.plan.requests import Request
from conformance.pool.backend import Backend, Opened
from conformance.pool.observation import Observed
from conformance.run.told import EVERY, Told
from tests.builders import case, implementation, request

CASE = case(("0.5", "1"))


@dataclass
class Fake:
    """An executor that opens its backends and observes nothing of each request, in order."""

    opened: dict[str, Opened]
    here: bool = False
    restarts: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)

    def run(
        self,
        backends: Sequence[Backend],
        requests: Sequence[Request],
        on_opened: Callable[[Backend, Opened], None],
        on_observed: Callable[[int, dict[str, Observed]], None],
    ) -> None:
        """Answer at once."""
        for backend in backends:
            on_opened(backend, self.opened[backend.name])
        for index in range(len(requests)):
            on_observed(index, {})

    def stop(self) -> None:
        """Nothing is under way."""


def told(clock: Callable[[], float] = lambda: 0.0, answers: int = 2, **opened: Opened) -> list[str]:
    """The lines of a run of some requests to each backend, which is opened as given."""
    backends = [
        Backend(name=name, source=f"{name}.py", interpreter="python", implementations=(implementation(adapter=name),))
        for name in opened
    ]
    requests = [request(CASE, one.implementations[0]) for one in backends for _ in range(answers)]
    lines: list[str] = []
    Told(Fake(opened), lines.append, clock).run(backends, requests, lambda *_: None, lambda *_: None)
    return lines


def test_the_first_line_says_what_is_asked_of_whom() -> None:
    """It comes before a framework is imported, which takes seconds."""
    assert told(b=Opened(), a=Opened())[0] == "4 requests to a, b"


def test_a_backend_is_told_when_it_opens_and_when_it_has_answered() -> None:
    """Two lines for each, however many requests it answers, and one when judging starts."""
    assert told(answers=1000, a=Opened())[1:] == [
        "a is open",
        "a has answered, 1,000 of 1,000 requests are answered",
        "judging what came back",
    ]


@pytest.mark.parametrize(
    ("opened", "line"),
    [
        (Opened(absent="No module named 'a'"), "a is absent: No module named 'a'"),
        (Opened(failed="it crashed"), "a is not opened: it crashed"),
    ],
)
def test_why_a_backend_is_not_asked_is_told(opened: Opened, line: str) -> None:
    """Whoever waits for it need not wait for the end."""
    assert line in told(a=opened)


def test_how_far_a_run_has_come_is_told_now_and_then() -> None:
    """On a clock that is read once for each answer, a line comes when EVERY seconds have passed, and not before."""
    ticks = count(step=EVERY / 2)
    lines = told(lambda: next(ticks), answers=20, a=Opened())
    assert 3 <= sum(" of 20 requests are answered" in line for line in lines) <= 10


def test_what_comes_back_is_handed_on() -> None:
    """Every opening and every answer reaches whoever asked."""
    opened: list[str] = []
    answered: list[int] = []
    backend = Backend(name="a", source="a.py", interpreter="python", implementations=(implementation(adapter="a"),))
    run = Told(Fake({"a": Opened()}), lambda _: None)
    run.run(
        [backend],
        [request(CASE, backend.implementations[0])] * 3,
        lambda one, _: opened.append(one.name),
        lambda index, _: answered.append(index),
    )
    assert (opened, answered) == (["a"], [0, 1, 2])


def test_what_cost_a_worker_and_what_was_lost_is_handed_on() -> None:
    """A run reads both from its executor when it ends."""
    fake = Fake({}, restarts=["a case"], lost=["another one"])
    assert (Told(fake, print).restarts, Told(fake, print).lost) == (["a case"], ["another one"])
