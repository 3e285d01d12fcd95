"""Reports: for each target the smallest script that was seen to fail in a clean interpreter."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import groupby

from conformance.adapters.declaration import BASE_MODE
from conformance.errors import InputError
from conformance.known.problem import Opening, Problem
from conformance.pool.backend import Backend, Opened
from conformance.pool.pool import Pool
from conformance.repro import clean, script, snippet, sources
from conformance.repro.blame import Blame, Diagnoser
from conformance.repro.clean import Ran
from conformance.repro.finding import Target
from conformance.repro.script import Script
from conformance.repro.shrink import CANDIDATES, Small, alone, shrink
from conformance.repro.snippet import Snippet
from conformance.repro.sources import Source
from conformance.run import run as runs

#: Small cases whose scripts are run before a target is given up.
TRIES = 3

#: Seconds that a script may take: importing a framework and compiling a call.
LIMIT = 180.0


@dataclass(frozen=True, kw_only=True)
class Reproducer:
    """A script, the case that it is about, and how it ran; versions and switches are those of the suite's worker.

    `snippet` is its call in few lines, `blame` which step diagnosis finds at fault, where there are such.
    """

    target: Target
    small: Small
    script: Script
    ran: Ran
    opened: Opened
    snippet: Snippet | None = None
    blame: Blame | None = None


@dataclass(frozen=True)
class Failed:
    """Why there is no script for a target."""

    target: Target
    why: str


Outcome = Reproducer | Failed


@dataclass(frozen=True)
class Asked:
    """What a report is to be about: findings, the best first, and the problem whose mechanism must show.

    It begins with the `opening`, where it is about all of a problem and a person wrote one.
    """

    targets: Sequence[Target]
    problem: Problem | None = None
    opening: Opening | None = None


def reproduce(
    pool: Pool,
    backends: Sequence[Backend],
    asked: Sequence[Asked],
    options: runs.Options,
    diagnoser: Diagnoser,
    tell: Callable[[str], None] = lambda line: None,
) -> list[Outcome]:
    """For each report the script of the first target that has one, or why none has; `tell` gets a line for each.

    A target of which diagnosis knows the step that is to blame comes before one of which it does not, unless the
    problem names that one; one whose mechanism is not the problem's is left out.
    """
    targets = [one for each in asked for one in each.targets]
    shrunk = shrink(pool, backends, targets, options)
    tried = {one: _tried(shrunk.smalls[one]) for one in targets}
    texts = _texts(pool, backends, [small for group in tried.values() for small in group])
    interpreters = {backend.name: backend.interpreter for backend in backends}

    def made(each: Asked) -> Outcome:
        found: Outcome | None = None
        for small, blame in _in_order(each, tried, lambda small: diagnoser.blame(small, shrunk)):
            one = small.target
            name = one.implementation.adapter
            found = _first(small, blame, each.opening, texts[id(small)], interpreters[name], shrunk.opened[name])
            if isinstance(found, Reproducer):
                break
        found = found or Failed(each.targets[0], _why_none(each, tried, shrunk.opened))
        tell(f"{found.target.name}: {found.why if isinstance(found, Failed) else found.script.title}")
        return found

    with ThreadPoolExecutor(max_workers=max(pool.jobs, 1)) as threads:  # each waits for a process of its own
        return list(threads.map(made, asked))


def _in_order(
    asked: Asked, tried: Mapping[Target, Sequence[Small]], blamed: Callable[[Small], Blame | None]
) -> Iterator[tuple[Small, Blame | None]]:
    """The small cases whose scripts are run: of plain calls, and then of modes, first those that diagnosis knows."""
    for _, targets in groupby(asked.targets, lambda one: one.implementation.mode == BASE_MODE):
        unknown: list[tuple[Small, Blame | None]] = []
        for target in targets:
            named = asked.problem is not None and target.name == asked.problem.shown_by
            for small in tried[target]:
                blame = blamed(small)
                if blame is None and not named:
                    unknown.append((small, None))
                elif blame is None or blame.is_of(asked.problem):
                    yield small, blame
        yield from unknown


def _why_none(asked: Asked, tried: Mapping[Target, Sequence[Small]], opened: Mapping[str, Opened]) -> str:
    name = asked.targets[0].implementation.adapter
    if opened[name].absent or opened[name].failed:
        return f"backend {name} cannot be used: {opened[name].absent or opened[name].failed}"
    if any(tried[one] for one in asked.targets):
        return "what was tried shows another mistake than the problem tells"
    return "it does not show here: neither the original inputs nor simpler ones gave it again"


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


def _first(
    small: Small,
    blame: Blame | None,
    opening: Opening | None,
    text: list[Source] | InputError,
    interpreter: str,
    opened: Opened,
) -> Outcome:
    """The script of a small case, if it shows the mismatch."""
    target = small.target
    if isinstance(text, InputError):
        return Failed(target, text.message)
    try:
        made = script.compose(small, text)
    except InputError as error:
        return Failed(target, error.message)
    ran = clean.run(made.text, interpreter, LIMIT)
    if not ran.shows:
        return Failed(target, f"the script does not show it (exit code {ran.code}): {ran.output.strip()[-300:]}")
    short = (
        snippet.snippet(small, text, interpreter, LIMIT)
        if opening is None
        else snippet.opening(opening, interpreter, LIMIT)
    )
    return Reproducer(
        target=target,
        small=small,
        script=made,
        ran=ran,
        opened=opened,
        snippet=short,
        blame=blame,
    )
