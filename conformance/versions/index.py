"""Released versions of a package: from the package index that pip is set up for, and from folders of wheels.

Read is the simple repository API: PEP 503 (HTML), PEP 691 (JSON), PEP 592 (yanked files), PEP 700 (sizes).
Settings are pip's own (`pip config list`), which `uv` does not read, so that they are handed on to it.
"""

from __future__ import annotations

import ast
import os
import subprocess
import sys
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.tags import Tag, compatible_tags, cpython_tags
from packaging.utils import (
    InvalidSdistFilename,
    InvalidWheelFilename,
    canonicalize_name,
    parse_sdist_filename,
    parse_wheel_filename,
)
from packaging.version import Version

from conformance.errors import InputError

#: The index that pip takes where nothing else is set, as pip itself has it.
DEFAULT_INDEX = "from pip._internal.models.index import PyPI; print(PyPI.simple_url)"

JSON = "application/vnd.pypi.simple.v1+json"

#: Seconds that an answer of the index may take.
LIMIT = 60.0


class File(Struct, frozen=True, rename="kebab"):
    """A file of a release: what the index says about it.  `size` (bytes) and `upload_time` are None where not told."""

    filename: str
    requires_python: str | None = None
    size: int | None = None
    yanked: bool | str = False
    upload_time: str | None = None

    @property
    def version(self) -> Version | None:
        """The version that its name tells; None where that is no name of a distribution."""
        try:
            if self.filename.endswith(".whl"):
                return parse_wheel_filename(self.filename)[1]
            return parse_sdist_filename(self.filename)[1]
        except (InvalidWheelFilename, InvalidSdistFilename):
            return None

    def fits(self, python: str) -> bool:
        """Whether it can be installed on this machine with a Python (major.minor); of a source archive: its Python."""
        if self.requires_python:
            try:
                if not SpecifierSet(self.requires_python).contains(f"{python}.99"):  # any patch release will do
                    return False
            except InvalidSpecifier:
                pass  # pip installs it, too
        if not self.filename.endswith(".whl"):
            return True
        return not tags(python).isdisjoint(parse_wheel_filename(self.filename)[3])


class Project(Struct, frozen=True):
    """What the index says about a package."""

    files: tuple[File, ...]


@dataclass(frozen=True)
class Release:
    """One released version and its files."""

    version: Version
    files: tuple[File, ...]

    def unusable(self, python: str) -> str:
        """Why it is not installed on a Python, or ""."""
        fitting = [one for one in self.files if one.fits(python)]
        if not fitting:
            return f"no file for Python {python} on this machine"
        if all(one.yanked is not False for one in fitting):
            reason = next((one.yanked for one in fitting if isinstance(one.yanked, str) and one.yanked), "")
            return f"yanked: {' '.join(reason.split())[:120]}" if reason else "yanked"
        return ""

    @property
    def day(self) -> str:
        """The day (ISO 8601) on which the index got its first file; "" where that is not told."""
        return min((one.upload_time[:10] for one in self.files if one.upload_time), default="")

    def size(self, python: str) -> int | None:
        """Bytes of the wheel that fits, the smallest if there are several; None where that is not known."""
        sizes = [one.size for one in self.files if one.fits(python) and one.filename.endswith(".whl")]
        return min((size for size in sizes if size is not None), default=None)


@cache
def tags(python: str) -> frozenset[Tag]:
    """Tags of wheels that a CPython (major.minor) takes on this machine."""
    major, minor = (int(part) for part in python.split("."))
    return frozenset([*cpython_tags((major, minor)), *compatible_tags((major, minor), interpreter=f"cp{major}{minor}")])


@dataclass(frozen=True)
class Settings:
    """Where packages come from; `certificates` is a file of certificate authorities, "" for those of the system."""

    index: str = ""
    extra: tuple[str, ...] = ()
    folders: tuple[str, ...] = ()
    certificates: str = ""
    constraints: tuple[str, ...] = ()

    def for_uv(self, environment: Mapping[str, str]) -> dict[str, str]:
        """Variables of uv that mean the same; one that is set already stays as it is."""
        wanted = {
            "UV_DEFAULT_INDEX": self.index,
            "UV_INDEX": " ".join(self.extra),
            "UV_INDEX_STRATEGY": "unsafe-best-match" if self.extra else "",  # which is what pip does
            "UV_FIND_LINKS": ",".join(self.folders),
            "UV_CONSTRAINT": " ".join(self.constraints),
            "SSL_CERT_FILE": self.certificates,
        }
        return {name: value for name, value in wanted.items() if value and name not in environment}


def settings(environment: Mapping[str, str] = os.environ) -> Settings:
    """The settings of pip, from its files and variables; an index that uv has been given comes first.

    Raises InputError where neither tells of an index.
    """
    found = parse_settings(_pip("-m", "pip", "--disable-pip-version-check", "config", "list"))
    named = environment.get("UV_DEFAULT_INDEX") or environment.get("UV_INDEX_URL") or found.index
    index = named or _pip("-c", DEFAULT_INDEX).strip()
    if not index:
        raise InputError("no package index is known, since there is no pip here", "name one in UV_DEFAULT_INDEX")
    return replace(found, index=index)


def _pip(*words: str) -> str:
    """What this interpreter prints when it is asked about its pip; "" where it has none."""
    return subprocess.run([sys.executable, *words], capture_output=True, text=True, check=False).stdout


def parse_settings(text: str) -> Settings:
    """The settings in the output of `pip config list`: a variable comes before `install`, that before `global`."""
    found: dict[str, str] = {}
    for section in ("global", "install", ":env:"):
        for line in text.splitlines():
            name, separator, value = line.partition("=")
            if separator and name.startswith(f"{section}."):
                found[name.removeprefix(f"{section}.").strip(".")] = _unquoted(value)
    several = {name: tuple(value.split()) for name, value in found.items()}
    return Settings(
        found.get("index-url", ""),
        several.get("extra-index-url", ()),
        several.get("find-links", ()),
        found.get("cert", ""),
        several.get("constraint", ()),
    )


def _unquoted(value: str) -> str:
    try:
        return str(ast.literal_eval(value))
    except (ValueError, SyntaxError):
        return value


@dataclass
class Index:
    """Answers which versions there are, and remembers it."""

    settings: Settings = field(default_factory=Settings)
    _releases: dict[str, tuple[Release, ...]] = field(default_factory=dict)

    def releases(self, package: str) -> tuple[Release, ...]:
        """Releases in ascending order.  Raises InputError where there is none, or where the index cannot be reached."""
        name = canonicalize_name(package)
        if name not in self._releases:
            files: dict[Version, dict[str, File]] = {}
            for file in self._files(name):
                version = file.version
                if version is None:
                    continue
                known = files.setdefault(version, {}).setdefault(file.filename, file)
                if known.size is None:  # a page in HTML tells no sizes
                    files[version][file.filename] = file
            if not files:
                raise InputError(f"the package index knows no release of {name}", "check the name")
            self._releases[name] = tuple(Release(one, tuple(files[one].values())) for one in sorted(files))
        return self._releases[name]

    def _files(self, name: str) -> Iterator[File]:
        for folder in self.settings.folders:
            yield from _in_folder(folder, name)
        for url in (*self.settings.extra, self.settings.index):
            yield from _answer(url, name, self.settings.certificates)


def _in_folder(folder: str, name: str) -> Iterator[File]:
    """Distributions of a package in a folder on this machine; a link to a page elsewhere is left to uv."""
    path = Path(urllib.parse.urlsplit(folder).path if folder.startswith("file:") else folder)
    for file in sorted(path.iterdir()) if path.is_dir() else ():
        one = File(file.name, size=0)  # nothing is downloaded
        if one.version is not None and canonicalize_name(file.name.split("-")[0]) == name:
            yield one


def _answer(url: str, name: str, certificates: str) -> Sequence[File]:
    """The files that one index has of a package; none where it does not know the package."""
    import ssl

    address = f"{url.rstrip('/')}/{name}/"
    if address.startswith("file:"):
        address += "index.html"
    request = urllib.request.Request(address, headers={"Accept": f"{JSON}, text/html;q=0.1"})
    context = ssl.create_default_context(cafile=certificates or None) if address.startswith("https:") else None
    try:
        with urllib.request.urlopen(request, timeout=LIMIT, context=context) as stream:
            kind, body = stream.headers.get_content_type(), stream.read()
    except urllib.error.HTTPError as error:
        if error.code == 404:
            return ()
        raise InputError(f"the package index answered {error.code} for {name}", "try again later") from None
    except (OSError, ValueError) as error:
        if isinstance(getattr(error, "reason", None), FileNotFoundError) or address.startswith("file:"):
            return ()
        raise InputError(
            f"the package index cannot be reached for {name}", "check the network and pip's settings"
        ) from None
    return parse(body, kind)


def parse(body: bytes, kind: str) -> tuple[File, ...]:
    """The files in an answer of an index.  Raises InputError where it is no answer of one."""
    if kind != "text/html":
        try:
            return msgspec.json.decode(body, type=Project).files
        except msgspec.MsgspecError as error:
            raise InputError(f"the package index gave no answer that PEP 691 knows: {error}") from None
    page = _Page()
    page.feed(body.decode("utf-8", "replace"))
    return tuple(page.files)


class _Page(HTMLParser):
    """The links of a page as PEP 503 has them."""

    def __init__(self) -> None:
        super().__init__()
        self.files: list[File] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, Any]]) -> None:
        """Take a link."""
        values = dict(attrs)
        if tag == "a" and values.get("href"):
            name = urllib.parse.unquote(urllib.parse.urlsplit(values["href"]).path.rpartition("/")[2])
            yanked = (values["data-yanked"] or "") if "data-yanked" in values else False
            self.files.append(File(name, values.get("data-requires-python"), None, yanked))
