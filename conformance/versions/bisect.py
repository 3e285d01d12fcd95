"""Which released versions there are to search, what each does, and what the search found."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from packaging.requirements import Requirement
from packaging.version import InvalidVersion, Version

from conformance.errors import InputError
from conformance.record.record import RunRecord
from conformance.versions import behaviour, columns
from conformance.versions.behaviour import Checks, Script
from conformance.versions.build import Builder, Environment, Failure
from conformance.versions.columns import Question
from conformance.versions.companions import Known
from conformance.versions.index import Index
from conformance.versions.ladder import EndUntestable, Found, SameEnds, Untestable, search, steps
from conformance.versions.requirements import Column, column

Behaviour = Checks | Script


@dataclass(frozen=True)
class Range:
    """The versions of a package to search, oldest first, and those passed over with the reason; `good` is one end."""

    package: str
    good: str
    columns: tuple[Column, ...]
    skipped: tuple[tuple[str, str], ...]

    @property
    def versions(self) -> tuple[str, ...]:
        """The versions as text."""
        return tuple(one.version for one in self.columns)


@dataclass(frozen=True)
class Outcome:
    """What a search found, and the environments in which every tested version ran."""

    range: Range
    found: Found[Behaviour]
    environments: dict[str, Environment]

    @property
    def differing(self) -> tuple[tuple[str, str, str], ...]:
        """Other packages whose versions differ between the two environments: (name, before, after)."""
        before, after = (self.environments[one].installed for one in (self.found.last, self.found.first))
        names = sorted(before.packages.keys() | after.packages.keys())
        pairs = [(name, before.packages.get(name, "-"), after.packages.get(name, "-")) for name in names]
        pairs.append(("python", before.python, after.python))
        return tuple(one for one in pairs if one[1] != one[2] and one[0] != self.range.package)


def between(
    package: str, good: str, bad: str, index: Index, known: Known, python: str, extra: tuple[Requirement, ...]
) -> Range:
    """The released versions from one end to the other, both included.

    Candidates and nightlies are passed over unless an end is one.  Raises InputError where an end is no released
    version that can be installed here, or where both are the same.
    """
    releases = {one.version: one for one in index.releases(package)}
    right = _released(package, good, set(releases))
    low, high = sorted((right, _released(package, bad, set(releases))))
    if low == high:
        raise InputError(f"--good and --bad must be two versions (got {low} twice)")
    candidates = low.is_prerelease or high.is_prerelease
    taken, skipped = [], []
    for version, release in releases.items():
        if not low <= version <= high or (version.is_prerelease and not candidates):
            continue
        one = column(package, str(version), known, python, extra)
        why = release.unusable(one.python)
        if why and version in (low, high) and not why.startswith("yanked"):
            raise InputError(f"{one.label} cannot be tested: {why}", "name another end, or another Python by --python")
        if why and version not in (low, high):
            skipped.append((one.version, why))
        else:
            taken.append(one)
    return Range(package, str(right), tuple(taken), tuple(skipped))


def _released(package: str, text: str, versions: set[Version]) -> Version:
    try:
        wanted = Version(text)
    except InvalidVersion:
        raise InputError(f"{text!r} is no version") from None
    if wanted not in versions:
        near = min((one for one in versions if one > wanted), default=max(versions))
        raise InputError(f"{package} {wanted} is no released version", f"one near it is {near}")
    return wanted


def plan(chosen: Range, builder: Builder) -> Iterator[str]:
    """What is about to happen: how many versions and tests, what is passed over, the environments of both ends."""
    count = len(chosen.columns)
    low, high = chosen.columns[0], chosen.columns[-1]
    yield f"{chosen.package}: {count} versions from {low.version} to {high.version}, about {steps(count)} tests"
    for version, why in chosen.skipped:
        yield f"  passed over {version}: {why}"
    for one in (low, high):
        resolved = builder.resolve(one)
        told = resolved.reason if isinstance(resolved, Failure) else resolved.told
        yield f"  {one.label} on Python {one.python} with {' '.join(one.requirements[1:])}: {told}"


#: Gives the environment of a column, or why there is none.
Make = Callable[[Column], Environment | Failure]


def making(builder: Builder) -> Make:
    """What a builder makes, which is asked once for each column."""

    @cache
    def make(one: Column) -> Environment | Failure:
        resolved = builder.resolve(one)
        return resolved if isinstance(resolved, Failure) else builder.build(one, resolved)

    return make


def bisect(
    chosen: Range,
    make: Make,
    behave: Callable[[Column, Environment], Behaviour | Untestable],
    tell: Callable[[str], None],
) -> Outcome:
    """Search a range.  `behave` tells what a version does in its environment, `tell` gets a line about each test.

    Raises InputError where an end cannot be tested or both behave alike.
    """
    known = {one.version: one for one in chosen.columns}
    environments: dict[str, Environment] = {}

    def test(version: str) -> Behaviour | Untestable:
        one = known[version]
        made = make(one)
        if isinstance(made, Failure):
            seen: Behaviour | Untestable = Untestable(made.reason)
        else:
            environments[version] = made
            seen = behave(one, made)
            _must_be_as_told(chosen, version, seen)
        tell(f"{one.label}: {f'passed over: {seen.reason}' if isinstance(seen, Untestable) else words(seen)}")
        return seen

    try:
        found: Found[Behaviour] = search(chosen.versions, test)
    except EndUntestable as error:
        version, why = error.args
        raise InputError(f"{chosen.package} {version} cannot be tested: {why}", "name another end") from None
    except SameEnds:
        low, high = chosen.versions[0], chosen.versions[-1]
        raise InputError(
            f"{chosen.package} {low} and {high} behave alike, so that there is no change to find between them",
            "name other ends; --bits takes a difference in the last bit for one",
        ) from None
    return Outcome(_noted(chosen, found), found, environments)


def _must_be_as_told(chosen: Range, version: str, seen: Behaviour | Untestable) -> None:
    """A script says itself which end is the good one.  Raises InputError where the command line says otherwise."""
    ends = (chosen.versions[0], chosen.versions[-1])
    if isinstance(seen, Script) and version in ends and seen.bad == (version == chosen.good):
        word, state = ("good", "shows") if version == chosen.good else ("bad", "does not show")
        raise InputError(f"{chosen.package} {version} is said to be {word}, but the bug {state} there")


def _noted(chosen: Range, found: Found[Behaviour]) -> Range:
    """The range with what the search itself had to pass over."""
    met = tuple((version, seen.reason) for version, seen in found.tested if isinstance(seen, Untestable))
    return replace(chosen, skipped=tuple(sorted((*chosen.skipped, *met), key=lambda one: Version(one[0]))))


def words(seen: Behaviour) -> str:
    """A behaviour in short: how many elements are in which state, or how a script ended."""
    if isinstance(seen, Script):
        return "the bug shows" if seen.bad else "the bug does not show"
    states = [state for _, state in seen.seen]
    return ", ".join(f"{states.count(one)} × {one}" for one in dict.fromkeys(states))


def of_checks(question: Question, element: str, bits: bool) -> Callable[[Column, Environment], Behaviour | Untestable]:
    """What a version does with the checks that are asked for."""

    def behave(one: Column, environment: Environment) -> Behaviour | Untestable:
        record = columns.run(one, environment, question)
        if isinstance(record, Failure):
            return Untestable(record.reason)
        if record.interrupted:
            raise KeyboardInterrupt
        return behaviour.of_record(record, element, bits)

    return behave


@dataclass(frozen=True)
class Watched:
    """A result that changed: an element of a check, by its id; with `bits` other bits are other behaviour."""

    check: str
    element: str
    bits: bool


class Survey:
    """Searches for many results, for which each version is run once; of some the `runs` are there already."""

    def __init__(
        self,
        chosen: Range,
        builder: Builder,
        question: Question,
        runs: Mapping[Column, RunRecord],
        tell: Callable[[str], None],
    ) -> None:
        self._range = chosen
        self._make = making(builder)
        self._question = question
        self._runs: dict[Column, RunRecord | Failure] = {**runs}
        self._tell = tell

    def search(self, watched: Watched) -> Outcome:
        """The release in which a result changed.  Raises InputError where that cannot be found."""

        def behave(one: Column, environment: Environment) -> Behaviour | Untestable:
            record = self._run(one, environment)
            if isinstance(record, Failure):
                return Untestable(record.reason)
            checks = tuple(check for check in record.checks if check.id == watched.check)
            return behaviour.of_record(replace(record, checks=checks), watched.element, watched.bits)

        return bisect(self._range, self._make, behave, lambda line: None)

    def _run(self, one: Column, environment: Environment) -> RunRecord | Failure:
        if one not in self._runs:
            record = columns.run(one, environment, self._question)
            if isinstance(record, RunRecord) and record.interrupted:
                raise KeyboardInterrupt
            self._runs[one] = record
            self._tell(f"{one.label}: {record.reason if isinstance(record, Failure) else 'tried'}")
        return self._runs[one]


def of_script(script: Path, timeout: float) -> Callable[[Column, Environment], Behaviour | Untestable]:
    """What a version does with a script."""
    return lambda one, environment: behaviour.of_script(environment.interpreter, script, timeout)
