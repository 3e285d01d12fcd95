"""Workers: one process per adapter, as many at once as there are cores.

Life cycle: spawned -> told its adapters -> opened (the framework is imported) -> answers requests -> closed, or left
idle for the next run of the pool where one backend alone was asked.
A worker that ends, or uses up the time or the memory that it may, is killed and replaced, and what it was asked is
divided, so that only the request that brings the process down is lost.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import msgspec

from conformance.adapters import BUILTIN, load_builtin
from conformance.errors import HarnessError, InputError, did_you_mean
from conformance.plan.filters import matches
from conformance.plan.requests import Request
from conformance.pool.backend import OPEN_LIMIT, Backend, Opened, interpreter_of
from conformance.pool.observation import Observed, anonymous
from conformance.pool.plugins import Plugin, Refusal
from conformance.pool.process import Ended
from conformance.pool.service import Service
from conformance.pool.workers import Workers
from conformance.worker.protocol import Header


class Executor(Protocol):
    """What runs the requests of a plan: `Pool`, or this process where a callable cannot leave it (`inprocess`).

    `here` tells whether implementations are called in this process, `restarts` which requests cost a worker, and
    `lost` which could not be run, with the reason.
    """

    here: bool
    restarts: list[str]
    lost: list[str]

    def run(
        self,
        backends: Sequence[Backend],
        requests: Sequence[Request],
        on_opened: Callable[[Backend, Opened], None],
        on_observed: Callable[[int, dict[str, Observed]], None],
    ) -> None:
        """Run `requests` on their backends; `on_opened` and, with the index, `on_observed` are told what comes back."""

    def stop(self) -> None:
        """End whatever is under way."""


@dataclass(kw_only=True)
class Pool(Workers):
    """Runs requests on backends, `jobs` at once.

    `interpreters` are those of backends, by name or glob, that run in another one than this; `refused` tells after
    `discover` which plugins are of no use.  An `Executor`.
    """

    jobs: int = field(default_factory=lambda: len(os.sched_getaffinity(0)))
    interpreters: dict[str, str] = field(default_factory=dict)
    refused: list[Refusal] = field(default_factory=list)
    here: bool = field(default=False, init=False)

    def discover(self, files: Iterable[Path] = (), plugins: Sequence[Plugin] = ()) -> tuple[Backend, ...]:
        """Every adapter of the built-in modules, `files` and `plugins`; no framework is imported.

        A plugin that cannot be loaded, or whose adapters have names that are taken, goes to `refused`; for a file that
        is an InputError.
        """
        sources = [*BUILTIN, *(str(file) for file in files)]
        with ThreadPoolExecutor(max_workers=max(self.jobs, 1)) as threads:
            plugged = threads.map(self._plugged, plugins)
            found = [backend for group in threads.map(self._declared, sources) for backend in group]
        if double := [name for name, count in Counter(one.name for one in found).items() if count > 1]:
            raise InputError(f"two adapters are called {double[0]!r}", "give the adapter of your file another name")
        for plugin, group in zip(plugins, plugged, strict=True):
            found += self._not_taken(plugin, group, {one.name for one in found})
        names = [one.name for one in found]
        if unknown := [name for name in self.interpreters if not any(matches((name,), one) for one in names)]:
            raise InputError(f"--python names {unknown[0]!r}, which is no backend", did_you_mean(unknown[0], names))
        return tuple(found)

    def run(
        self,
        backends: Sequence[Backend],
        requests: Sequence[Request],
        on_opened: Callable[[Backend, Opened], None],
        on_observed: Callable[[int, dict[str, Observed]], None],
    ) -> None:
        """Run `requests` on their backends.

        `on_opened` and `on_observed` (with the index of the request) are called from worker threads, one at a time.
        """
        queues: dict[str, list[int]] = {backend.name: [] for backend in backends}
        for index, request in enumerate(requests):
            queues[request.implementation.adapter].append(index)
        # Longest first, so that the last worker to end is a short one: importing a framework alone takes seconds.
        order = sorted(
            (backend for backend in backends if queues[backend.name]),
            key=lambda backend: (backend.cost, len(queues[backend.name])),
            reverse=True,
        )

        def serve(backend: Backend) -> None:
            # Where one backend is asked, it may be asked again; the workers of a whole run would fill the memory.
            leaves = len(order) == 1
            Service(self, backend, requests, on_opened, on_observed).run(queues[backend.name], leaves)

        threads = ThreadPoolExecutor(max_workers=max(self.jobs, 1))
        futures = [threads.submit(serve, backend) for backend in order]
        try:
            done, _ = wait(futures, return_when=FIRST_EXCEPTION)
            for future in done:
                future.result()
        except BaseException:
            self.stop()
            raise
        finally:
            threads.shutdown(wait=True, cancel_futures=True)

    @contextlib.contextmanager
    def session(self, backend: Backend) -> Iterator[Callable[[Request], dict[str, Observed]]]:
        """One worker of `backend` that stays open with the block: a function that observes one request after another.

        Raises InputError where the backend is absent, HarnessError where it cannot be opened.
        """
        service = Service(self, backend, (), lambda *_: None, lambda *_: None)
        with service.stack:
            opened = service.begin()
            if opened.absent is not None:
                raise InputError(f"backend {backend.name} is absent: {opened.absent}")
            if opened.failed is not None:
                raise HarnessError(
                    f"backend {backend.name} cannot be opened: {opened.failed}", "see the log of the run"
                )
            yield service.observe
            service.leave(opened)

    def _plugged(self, plugin: Plugin) -> list[Backend]:
        try:
            return self._declared(plugin.source)
        except InputError as error:
            self.refused.append(Refusal(plugin, error.message))
            return []

    def _not_taken(self, plugin: Plugin, group: list[Backend], names: Collection[str]) -> list[Backend]:
        """The backends of a plugin; none where a name of theirs is taken, and it is refused."""
        taken = [one.name for one in group if one.name in names]
        if taken:
            self.refused.append(Refusal(plugin, f"another adapter is called {taken[0]!r}"))
        return [] if taken else group

    def _declared(self, source: str) -> list[Backend]:
        # A worker without variables of its own, of which one is the device, would declare what this process does.
        here = source in BUILTIN and not self.environment
        told = _told_here(source) if here else self._told(source)
        return [Backend.from_wire(item, source, interpreter_of(item["name"], self.interpreters)) for item in told]

    def _told(self, source: str, again: bool = True) -> list[Header]:
        """What the adapters of a source declare, in a process of their own; one more where that is killed."""
        with self.worker(sys.executable, source) as worker:
            try:
                header = worker.receive(OPEN_LIMIT).header
            except Ended as end:
                if again and end.observation.killed:
                    return self._told(source, again=False)
                raise InputError(f"adapter {source}: {end.observation.message}", "see the log of the run") from None
        if header.get("kind") == "refused":
            raise InputError(f"adapter {source}: {header.get('type')}: {anonymous(str(header.get('message')))}")
        try:
            return msgspec.convert(header.get("adapters"), list[Header])
        except msgspec.ValidationError as error:
            raise InputError(f"adapter {source}: its worker declares nothing: {error}") from None


def _told_here(module: str) -> list[Header]:
    """What the adapters of a built-in module declare; it imports its framework when it is opened, not before."""
    try:
        return [one.declaration() for one in load_builtin(module)]
    except ValueError as error:  # of BCE_DEVICE, which is this process's own
        raise InputError(f"adapter {module}: {error}") from None
