"""Implementations called in this process: for a callable of the user's own, which cannot travel to another one.

It is the exception to the rule that a framework has a process of its own.  A callable that hangs or crashes takes this
process with it; the judge is protected by a thread of its own (`run.execute`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack

from conformance.adapters import Adapter, Runtime
from conformance.numbers.formats import Tensor
from conformance.plan.requests import Request
from conformance.pool.backend import Backend, Opened
from conformance.pool.observation import Observed, observed
from conformance.worker.session import Session


class InProcess:
    """Runs the requests of one adapter here, one after the other, in the thread that asks.  An `Executor`.

    What the framework's switches were before, they are again afterwards (`Runtime.borrowed`).
    """

    here = True

    def __init__(self, adapter: Adapter) -> None:
        self.restarts: list[str] = []
        self.lost: list[str] = []
        self.backend = Backend.from_wire(adapter.declaration(), source=f"of backend {adapter.name}")
        self.runtime = adapter.runtime
        self._adapter = adapter

    def run(
        self,
        backends: Sequence[Backend],
        requests: Sequence[Request],
        on_opened: Callable[[Backend, Opened], None],
        on_observed: Callable[[int, dict[str, Observed]], None],
    ) -> None:
        """Run `requests`.  Raises KeyboardInterrupt, which a session takes for an observation like any other."""
        with ExitStack() as stack:
            session = _Borrower([self._adapter], stack)
            opened = Opened.from_answer(session.open(self._adapter.name))
            on_opened(self.backend, opened)
            for index, request in ((index, one) for index, one in enumerate(requests) if opened.has(one)):
                tensors = list(request.inputs.tensors.values())
                answer, results = session.evaluate(request.message(request.calls), tensors)
                # Copies: a result may share memory with what the callable writes into when it is called again.
                found = observed(answer, [Tensor(one.dtype, one.bits.copy()) for one in results])
                if any(one.type == "KeyboardInterrupt" for seen in found.values() for one in seen):
                    raise KeyboardInterrupt
                on_observed(index, found)

    def stop(self) -> None:
        """Nothing is left under way once `run` has ended."""


class _Borrower(Session):
    """A session that gives the framework back as it was when `stack` ends."""

    def __init__(self, adapters: list[Adapter], stack: ExitStack) -> None:
        super().__init__(adapters)
        self._stack = stack

    def start(self, runtime: Runtime) -> None:
        """Borrow the framework."""
        self._stack.enter_context(runtime.borrowed())
