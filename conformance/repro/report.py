"""Reports: for each target the smallest script that was seen to fail in a clean interpreter."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

from conformance.errors import InputError
from conformance.pool.backend import Backend, Opened
from conformance.pool.pool import Pool
from conformance.repro import clean, script, sources
from conformance.repro.clean import Ran
from conformance.repro.finding import Target
from conformance.repro.script import Script
from conformance.repro.shrink import CANDIDATES, Small, alone, shrink
from conformance.repro.sources import Source
from conformance.run import run as runs

#: Small cases whose scripts are run before a target is given up.
TRIES = 3

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


Outcome = Reproducer | Failed


def reproduce(
    pool: Pool,
    backends: Sequence[Backend],
    groups: Sequence[Sequence[Target]],
    options: runs.Options,
    tell: Callable[[str], None] = lambda line: None,
) -> list[Outcome]:
    """For each group of targets the script of the first that has one, or why none has; `tell` gets a line for each."""
    targets = [one for group in groups for one in group]
    shrunk = shrink(pool, backends, targets, options)
    tried = {one: _tried(shrunk[one][0]) for one in targets}
    texts = _texts(pool, backends, [small for group in tried.values() for small in group])
    interpreters = {backend.name: backend.interpreter for backend in backends}

    def made(group: Sequence[Target]) -> Outcome:
        for one in group:
            name = one.implementation.adapter
            found = _first(one, tried[one], texts, interpreters[name], shrunk[one][1][name])
            if isinstance(found, Reproducer):
                break
        tell(f"{one.name}: {found.why if isinstance(found, Failed) else found.script.title}")
        return found

    with ThreadPoolExecutor(max_workers=max(pool.jobs, 1)) as threads:  # each waits for a process of its own
        return list(threads.map(made, groups))


def _tried(smalls: Sequence[Small]) -> list[Small]:
    """The simplest cases; where the suite pads tensors, the first one also with its element so often.

    A framework may compute a single number by other instructions than a vector full.
    """
    first = list(smalls[:TRIES])
    padded = first and alone(first[0].request) and first[0].request.implementation.few_shapes
    return [*first, replace(first[0], copies=CANDIDATES)] if padded else first


#: The calls of a small case as text, or why it has none.
Texts = dict[int, list[Source] | InputError]


def _texts(pool: Pool, backends: Sequence[Backend], smalls: Sequence[Small]) -> Texts:
    """The text of all calls of all cases, by the identity of the case."""
    asked: list[tuple[int, sources.Asked]] = []
    found: Texts = {}
    for small in smalls:
        try:
            asked += [(id(small), one) for one in script.calls(small)]
            found[id(small)] = []
        except InputError as error:
            found[id(small)] = error
    for (key, _), text in zip(asked, sources.ask(pool, backends, [one for _, one in asked]), strict=True):
        so_far = found[key]
        if isinstance(text, InputError):
            found[key] = text
        elif not isinstance(so_far, InputError):
            so_far.append(text)
    return found


def _first(target: Target, smalls: Sequence[Small], texts: Texts, interpreter: str, opened: Opened) -> Outcome:
    """The first small case whose script shows the mismatch."""
    if opened.absent or opened.failed:
        reason = opened.absent or opened.failed
        return Failed(target, f"backend {target.implementation.adapter} cannot be used: {reason}")
    why = "it does not show here: neither the original inputs nor simpler ones gave it again"
    for small in smalls:
        text = texts[id(small)]
        if isinstance(text, InputError):
            return Failed(target, text.message)
        try:
            made = script.compose(small, text)
        except InputError as error:
            return Failed(target, error.message)
        ran = clean.run(made.text, interpreter, LIMIT)
        if ran.shows:
            return Reproducer(target, small, made, ran, opened)
        why = f"the script does not show it (exit code {ran.code}): {ran.output.strip()[-300:]}"
        if ran.code == clean.CANNOT_TELL:
            break  # other numbers would not help
    return Failed(target, why)
