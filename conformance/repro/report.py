"""Reports: for each target the smallest script that was seen to fail in a clean interpreter."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from conformance import run as runs
from conformance.errors import InputError
from conformance.pool import Backend, Opened, Pool
from conformance.repro import clean, script, sources
from conformance.repro.clean import Ran
from conformance.repro.finding import Target
from conformance.repro.script import Script
from conformance.repro.shrink import Small, shrink

#: Small cases whose scripts are run before a target is given up.
TRIES = 4

#: Seconds that a script may take: importing a framework and compiling a call.
LIMIT = 180.0


@dataclass(frozen=True)
class Reproducer:
    """A script, the case that it is about, and how it ran; versions and switches are those of the suite's worker."""

    target: Target
    small: Small
    script: Script
    ran: Ran
    opened: Opened


@dataclass(frozen=True)
class Failed:
    """Why there is no script for a target."""

    target: Target
    why: str


def reproduce(
    pool: Pool,
    backends: Sequence[Backend],
    groups: Sequence[Sequence[Target]],
    options: runs.Options,
    tell: Callable[[str], None] = lambda line: None,
) -> list[Reproducer | Failed]:
    """For each group of targets the script of the first that has one, or why none has; `tell` gets a line for each."""
    targets = [one for group in groups for one in group]
    shrunk = shrink(pool, backends, targets, options)
    candidates = [(one, small) for one in targets for small in shrunk[one][0][:TRIES]]
    texts = sources.ask(pool, backends, [(script.single(small), script.numeric(small)) for _, small in candidates])
    tried: dict[Target, list[tuple[Small, sources.Source | InputError]]] = {one: [] for one in targets}
    for (one, small), text in zip(candidates, texts, strict=True):
        tried[one].append((small, text))
    interpreters = {backend.name: backend.interpreter for backend in backends}

    def made(group: Sequence[Target]) -> Reproducer | Failed:
        for one in group:
            name = one.implementation.adapter
            found = _first(one, tried[one], interpreters[name], shrunk[one][1][name])
            if isinstance(found, Reproducer):
                break
        tell(f"{one.name}: {found.why if isinstance(found, Failed) else found.script.title}")
        return found

    with ThreadPoolExecutor(max_workers=max(pool.jobs, 1)) as threads:  # each waits for a process of its own
        return list(threads.map(made, groups))


def _first(
    target: Target, candidates: Sequence[tuple[Small, sources.Source | InputError]], interpreter: str, opened: Opened
) -> Reproducer | Failed:
    """The first candidate whose script shows the mismatch."""
    if opened.absent or opened.failed:
        return Failed(
            target, f"backend {target.implementation.adapter} cannot be used: {opened.absent or opened.failed}"
        )
    why = "it does not show here: neither the original inputs nor simpler ones gave it again"
    for small, source in candidates:
        if isinstance(source, InputError):
            return Failed(target, source.message)
        try:
            made = script.compose(small, source)
        except InputError as error:
            return Failed(target, error.message)
        ran = clean.run(made.text, interpreter, LIMIT)
        if ran.shows:
            return Reproducer(target, small, made, ran, opened)
        why = f"the script does not show it (exit code {ran.code}): {ran.output.strip()[-300:]}"
    return Failed(target, why)
