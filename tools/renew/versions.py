"""Keep what other versions did: `python -m tools.renew.versions FOLDER`, then `make renew` for the page.

FOLDER holds runs of `bce-conformance matrix … --output FOLDER`, PACKAGE-VERSION.jsonl.gz, and searches of
`bce-conformance bisect … --format json --output FOLDER/NAME.json`.  All runs are kept in one file, each behind a line
that says of which version it is, and all searches in another, one a line; what has the same name is replaced.  The
package index tells when a version was released.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import Any, Protocol

import msgspec
from msgspec import Struct
from packaging.version import Version

from conformance.errors import ConformanceError, Exit, InputError, at
from conformance.record import record as records
from conformance.record.files import lines_of, write_lines
from conformance.record.record import RunRecord
from conformance.versions.companions import known
from conformance.versions.index import Index, settings
from tools.renew import ROOT

RUNS = ROOT / "results" / "behaviour.jsonl.gz"
SEARCHES = ROOT / "results" / "searches.jsonl"

#: How the file of a run ends.
SUFFIX = ".jsonl.gz"

#: Packages in the order of the page, as they are written in prose.
PACKAGES = {
    "keras": "Keras",
    "tf-keras": "tf_keras (Keras 2)",
    "tensorflow": "TensorFlow",
    "torch": "PyTorch",
    "jax": "JAX",
    "optax": "Optax",
    "scipy": "SciPy",
    "scikit-learn": "scikit-learn",
}


class VersionLine(Struct, frozen=True, tag="version", tag_field="type"):
    """Of which version the record below it is, and the day of its release, as YYYY-MM-DD."""

    package: str
    version: str
    released: str

    @property
    def place(self) -> tuple[int, Version]:
        """Its place in the file."""
        return tuple(PACKAGES).index(self.package), Version(self.version)


class Releases(Protocol):
    """What knows when versions were released."""

    def releases(self, name: str) -> Sequence[Any]:
        """All releases of a package, each with `version` and `day`."""


class _Tagged(Struct):
    type: str


@dataclass(frozen=True)
class Run:
    """One version and its record."""

    package: str
    version: str
    released: str
    record: RunRecord

    @cached_property
    def backends(self) -> tuple[records.BackendLine, ...]:
        """The backends that ran."""
        return tuple(line for line in self.record.header.backends if line.absent is None and line.failed is None)

    @property
    def python(self) -> str:
        """The Python of the worker, as major.minor."""
        return ".".join(str(self.backends[0].environment["python"]).split(".")[:2])

    @property
    def beside(self) -> str:
        """Versions of the other packages that matter."""
        found = dict(pair for line in self.backends for pair in line.versions.items())
        own = self.package.replace("-", "_"), {"scikit-learn": "sklearn"}.get(self.package)
        return ", ".join(f"{name} {version}" for name, version in found.items() if name not in own)

    def own(self) -> Run:
        """What the package itself brings: Optax runs beside every JAX, in a version of its own."""
        own = {one.id: known().package_of(one.id) == self.package for one in self.record.header.implementations}
        checks = tuple(check for check in self.record.checks if own[check.implementation])
        return replace(self, record=replace(self.record, checks=checks))


def runs(file: Path = RUNS) -> dict[str, list[Run]]:
    """The runs of each package, oldest version first.  Raises InputError for a line that has no place in the file."""
    found: dict[str, list[Run]] = {}
    for line, lines in kept(file).items():
        record = records.of_lines(iter(lines), file)
        found.setdefault(line.package, []).append(Run(line.package, line.version, line.released, record).own())
    return found


def searches(file: Path = SEARCHES) -> dict[str, dict[str, Any]]:
    """The searches by name, as `bisect` wrote them.  Raises InputError with the line that is none."""
    found = [_search(line, f"{file}:{number}") for number, line in enumerate(lines_of(file), start=1)]
    return {one.pop("name"): one for one in found}


def _search(data: bytes, where: object, **name: str) -> dict[str, Any]:
    """A search with its name.  Raises InputError, which says where, for what is none."""
    try:
        one = name | msgspec.json.decode(data, type=dict[str, Any])
    except msgspec.MsgspecError as error:
        raise InputError(f"{where}: is not a search: {error}") from None
    if missing := {"name", "package", "first", "last", "outputs"} - one.keys():
        raise InputError(f"{where}: a search must have {', '.join(sorted(missing))}")
    return one


def kept(file: Path) -> dict[VersionLine, list[bytes]]:
    """The lines of each run of a file.  Raises InputError for a line of no version."""
    found: dict[VersionLine, list[bytes]] = {}
    lines: list[bytes] | None = None
    for number, line in enumerate(lines_of(file), start=1):
        try:
            if msgspec.json.decode(line, type=_Tagged).type == "version":
                lines = found.setdefault(msgspec.json.decode(line, type=VersionLine), [])
                continue
        except msgspec.MsgspecError as error:
            raise at(file, number, f"is not a line of a run: {error}") from None
        if lines is None:
            raise at(file, number, "must say of which version the run is that follows")
        lines.append(line)
    return found


def gathered(before: dict[VersionLine, list[bytes]], folder: Path, index: Releases) -> dict[VersionLine, list[bytes]]:
    """The runs that were kept with those of a folder, in order.

    Raises InputError where a file is no record of a whole run, its package is not of the page, or the index does not
    know its version.
    """
    found = {(one.package, one.version): (one, lines) for one, lines in before.items()}
    for file in sorted(folder.glob(f"*{SUFFIX}")):
        if records.read(file).interrupted:
            raise InputError(f"{file}: must have reached its end (it was interrupted)")
        package, _, version = file.name.removesuffix(SUFFIX).rpartition("-")
        if package not in PACKAGES:
            raise InputError(f"{file}: must be PACKAGE-VERSION{SUFFIX} with one of {', '.join(PACKAGES)}")
        day = next((one.day for one in index.releases(package) if str(one.version) == version), None)
        if day is None:
            raise InputError(f"{file}: the package index has no {package} {version}")
        found[package, version] = VersionLine(package, version, day), list(lines_of(file))
    return dict(sorted(found.values(), key=lambda item: item[0].place))


def write_runs(found: dict[VersionLine, list[bytes]], file: Path) -> None:
    """Write runs, each behind its version."""
    write_lines(
        chain.from_iterable(
            (msgspec.json.encode(one), *(line.rstrip(b"\n") for line in lines)) for one, lines in found.items()
        ),
        file,
    )


def write_searches(found: dict[str, dict[str, Any]], files: Iterable[Path], file: Path) -> None:
    """Write searches by name, those of `files` in place of those of the same name.  Raises InputError."""
    new = {one.stem: _search(one.read_bytes(), one, name=one.stem) for one in files}
    write_lines((msgspec.json.encode({"name": name} | one) for name, one in sorted((found | new).items())), file)


def main(words: list[str]) -> int:
    """Keep what a folder holds; the exit code is that of the commands."""
    if len(words) != 1:
        print("usage: python -m tools.renew.versions FOLDER", file=sys.stderr)
        return int(Exit.BAD_INPUT)
    folder = Path(words[0])
    try:
        if not [*folder.glob(f"*{SUFFIX}"), *folder.glob("*.json")]:
            raise InputError(f"{folder}: must hold runs (*{SUFFIX}) or searches (*.json)")
        write_runs(gathered(kept(RUNS), folder, Index(settings())), RUNS)
        write_searches(searches(), sorted(folder.glob("*.json")), SEARCHES)
    except ConformanceError as error:
        print(error, file=sys.stderr)
        return int(error.code)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
