"""A run that says what it is doing, line by line: without that pytest would print nothing before its end."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from conformance.plan.requests import Request
from conformance.pool.backend import Backend, Opened
from conformance.pool.observation import Observed
from conformance.pool.pool import Executor

#: Seconds between two lines that only say how far a run has come: few in a log, and nobody who watches waits longer.
EVERY = 5.0


@dataclass(frozen=True)
class Told:
    """An executor with a line for each backend that opens or has answered everything, and others now and then.

    `say` is called by one thread at a time, as `on_opened` and `on_observed` are; `now` is a clock in seconds.
    """

    executor: Executor
    say: Callable[[str], None]
    now: Callable[[], float] = time.monotonic

    @property
    def here(self) -> bool:
        """As the executor says."""
        return self.executor.here

    @property
    def restarts(self) -> list[str]:
        """As the executor says."""
        return self.executor.restarts

    @property
    def lost(self) -> list[str]:
        """As the executor says."""
        return self.executor.lost

    def run(
        self,
        backends: Sequence[Backend],
        requests: Sequence[Request],
        on_opened: Callable[[Backend, Opened], None],
        on_observed: Callable[[int, dict[str, Observed]], None],
    ) -> None:
        """Run as the executor does."""
        far = _Far(Counter(one.implementation.adapter for one in requests), self.say, self.now)

        def opened(backend: Backend, what: Opened) -> None:
            on_opened(backend, what)
            far.opened(backend.name, what)

        def observed(index: int, what: dict[str, Observed]) -> None:
            on_observed(index, what)
            far.answered(requests[index].implementation.adapter)

        far.starts()
        self.executor.run(backends, requests, opened, observed)
        self.say("judging what came back")

    def stop(self) -> None:
        """As the executor does."""
        self.executor.stop()


class _Far:
    """How far a run has come."""

    def __init__(self, left: Counter[str], say: Callable[[str], None], now: Callable[[], float]) -> None:
        self.left = left
        self.all = left.total()
        self.say = say
        self.now = now
        self.said = now()

    def starts(self) -> None:
        self._say(f"{self.all:,} requests to {', '.join(sorted(self.left))}")

    def opened(self, name: str, what: Opened) -> None:
        missing = what.absent or what.failed
        state = "is open" if missing is None else f"is {'absent' if what.absent else 'not opened'}: {missing}"
        self._say(f"{name} {state}")

    def answered(self, name: str) -> None:
        self.left[name] -= 1
        if not self.left[name]:
            self._say(f"{name} has answered, {self._answered()}")
        elif self.now() >= self.said + EVERY:
            self._say(self._answered())

    def _answered(self) -> str:
        return f"{self.all - self.left.total():,} of {self.all:,} requests are answered"

    def _say(self, text: str) -> None:
        self.said = self.now()
        self.say(text)
