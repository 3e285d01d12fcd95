"""One plan under each setting of the environment that backends declare."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace

from conformance.errors import InputError
from conformance.known.record import Record
from conformance.plan.cases import Suite
from conformance.plan.plan import Plan
from conformance.pool.backend import Backend
from conformance.record.record import RunRecord
from conformance.record.settings import Row, compare
from conformance.run import run as runs

#: A setting as a key: its variables in the order of their names.
Key = tuple[tuple[str, str], ...]


def chosen(backends: Sequence[Backend], suite: Suite, options: runs.Options) -> tuple[list[Backend], Plan]:
    """The backends that the filters leave and that have settings, and what is planned for them."""
    plan = runs.filtered(backends, suite, options)
    names = {request.implementation.adapter for request in plan.requests}
    if not any(one.settings for one in backends if one.name in names):
        raise InputError(f"none of {', '.join(sorted(names))} declares settings of its environment")
    plan = runs.planned([one for one in backends if one.settings], suite, options)
    names = {request.implementation.adapter for request in plan.requests}
    return [one for one in backends if one.name in names], plan


def run(
    chosen: Sequence[Backend],
    plan: Plan,
    known: Record,
    options: runs.Options,
    tell: Callable[[str], None],
) -> dict[Key, RunRecord]:
    """One record for each setting, of all backends that have it; the default settings come first.

    `tell` is given a setting as its variables, and the backends that run under it, before they do.
    """
    records: dict[Key, RunRecord] = {}
    absent: set[str] = set()
    for setting, members in _by_setting(chosen).items():
        present = [backend for backend in members if backend.name not in absent]
        if not present:
            continue
        tell(f"{setting_text(dict(setting))}: {', '.join(one.name for one in present)}")
        records[setting] = _run_one(present, plan, known, options, dict(setting))
        absent |= {line.name for line in records[setting].header.backends if line.absent is not None}
        if records[setting].interrupted:
            break
    return records


def _by_setting(chosen: Sequence[Backend]) -> dict[Key, list[Backend]]:
    """The backends of each setting: first settings first, so that each backend's default comes before its others."""
    groups: dict[Key, list[Backend]] = {}
    for position in range(max(len(backend.settings) for backend in chosen)):
        for backend in chosen:
            if position < len(backend.settings):
                groups.setdefault(key_of(backend.settings[position]), []).append(backend)
    return groups


def key_of(setting: dict[str, str]) -> Key:
    """A setting as a key."""
    return tuple(sorted(setting.items()))


def _run_one(
    backends: Sequence[Backend], plan: Plan, known: Record, options: runs.Options, setting: dict[str, str]
) -> RunRecord:
    names = {backend.name for backend in backends}
    part = replace(plan, requests=tuple(one for one in plan.requests if one.implementation.adapter in names))
    under = replace(options, environment=options.environment | setting)
    with runs.open_pool(under) as pool:
        return runs.execute(pool, backends, part, known, under).record


def rows(chosen: Sequence[Backend], records: Mapping[Key, RunRecord]) -> Iterator[Row]:
    """What each setting of each backend changes, its default, the first of them, included; those that were run."""
    for backend in chosen:
        first = records.get(key_of(backend.settings[0]))
        for setting in backend.settings:
            under = records.get(key_of(setting))
            if first is not None and under is not None:
                yield compare(backend.name, setting, first, under)


def setting_text(setting: dict[str, str]) -> str:
    """A setting as one would write it before a command."""
    return " ".join(f"{name}={value!r}" if " " in value else f"{name}={value}" for name, value in setting.items()) or (
        "default"
    )
