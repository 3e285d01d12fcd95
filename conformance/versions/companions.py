"""The sets of packages that are known to work together: `conformance/data/companions.yaml`, typed."""

from __future__ import annotations

from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path

from msgspec import Struct, field
from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

from conformance import yamlfile
from conformance.errors import InputError, at
from conformance.shipped import PACKAGE

DATA = PACKAGE / "data" / "companions.yaml"


class Companions(Struct, frozen=True, forbid_unknown_fields=True):
    """What versions in a range need beside themselves, on which Python (major.minor), and why."""

    versions: str
    python: str
    why: str
    link: str
    packages: tuple[str, ...] = field(default=(), name="with")

    def beside(self, version: Version) -> tuple[Requirement, ...]:
        """The companions of a version, whose number stands for `{version}`."""
        return tuple(Requirement(text.replace("{version}", str(version))) for text in self.packages)

    def holds(self, version: Version) -> bool:
        """Whether the set is for `version`; candidates and nightlies are in the range that their number is in."""
        return SpecifierSet(self.versions).contains(Version(version.base_version), prereleases=True)


class Package(Struct, frozen=True, forbid_unknown_fields=True):
    """The implementations that a package brings (globs on ids), and its sets."""

    implementations: tuple[str, ...]
    sets: tuple[Companions, ...] = ()


class Known(Struct, frozen=True, forbid_unknown_fields=True):
    """The whole file: distributions that each backend needs, packages by canonical name, and what belongs together.

    `called` tells what others call a backend.
    """

    backends: dict[str, tuple[str, ...]]
    packages: dict[str, Package]
    families: tuple[tuple[str, ...], ...] = ()
    called: dict[str, str] = {}

    def backend(self, word: str) -> str:
        """The backend, or glob of backends, that a word means: what others call one is understood."""
        return word if word in self.backends else self.called.get(word.lower(), word)

    def replaced(self, names: frozenset[str]) -> frozenset[str]:
        """The packages of which companions give way to those of these names: they and their families."""
        return names.union(*(family for family in self.families if names.intersection(family)))

    def companions(self, package: str, version: Version) -> Companions | None:
        """The set for a version of a package, if one is known."""
        sets = self.packages[package].sets if package in self.packages else ()
        return next((one for one in sets if one.holds(version)), None)

    def runnable(self, installed: frozenset[str], package: str = "") -> tuple[str, ...]:
        """The backends whose distributions are all `installed`; with `package` those alone that have to do with it."""
        return tuple(
            name
            for name, needed in self.backends.items()
            if installed.issuperset(needed) and (not package or package in needed or package not in self._needed)
        )

    def lacking(self, installed: frozenset[str], package: str) -> dict[str, list[str]]:
        """The backends of a package that do not run where it is `installed`, and the distributions that they lack."""
        needed = {name: of for name, of in self.backends.items() if package in of}
        return {name: [one for one in of if one not in installed] for name, of in needed.items() if {*of} - installed}

    @property
    def _needed(self) -> frozenset[str]:
        return frozenset(name for needed in self.backends.values() for name in needed)

    def package_of(self, implementation: str) -> str:
        """The package that brings an implementation.  Raises InputError where the file does not know one."""
        found = self.brings(implementation)
        if found is None:
            raise InputError(f"no package is known to bring {implementation!r}", "name one by --package")
        return found

    def brings(self, implementation: str) -> str | None:
        """The package that brings an implementation; None where the file does not know one."""
        for name, package in self.packages.items():
            if any(fnmatchcase(implementation, pattern) for pattern in package.implementations):
                return name
        return None


@cache
def known() -> Known:
    """The shipped sets."""
    return load(DATA)


def load(file: Path) -> Known:
    """Read a file of sets.  Raises InputError with file and line."""
    found, lines = yamlfile.load(file, Known)
    for name, package in found.packages.items():
        if canonicalize_name(name) != name:
            raise at(file, lines["packages", name], f"must be a canonical name (got {name!r})")
        for index, one in enumerate(package.sets):
            line = lines["packages", name, "sets", index]
            try:
                SpecifierSet(one.versions)
                one.beside(Version("1.0"))
            except (InvalidSpecifier, InvalidRequirement) as error:
                raise at(file, line, f"{name}: {error}") from None
    return found
