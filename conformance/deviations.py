"""Recorded deviations: what is known to deviate in the pinned environment, why, and exactly how.

One file per cause, `deviations/<cause id>.yaml`.  A recorded deviation is a strict expected failure: an element that
fails differently fails the run, one that no longer deviates is reported as fixed.
"""

from __future__ import annotations

import datetime
import operator
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.version import InvalidVersion, Version

from conformance import yamlfile
from conformance.cases import DType, Link, Text
from conformance.errors import InputError, at
from conformance.measurement import CLASSES
from conformance.plan import BEHAVIOUR, QUANTITIES, Implementation, Plan, Request, matches
from conformance.verdicts import EXPECTED, Judged

Kind = Literal["bug", "by-design", "unsupported"]
Cause = Annotated[str, Meta(pattern=r"^[a-z0-9-]+/[^/\s]+/[a-z_-]+/[a-z]+/[a-z-]+$")]
Day = Annotated[str, Meta(pattern=r"^\d{4}-\d{2}-\d{2}$")]
#: What a finding can be (`judge.Finding.what`).
WHATS = (
    *(name for name in CLASSES if name != "ok"),
    *("raised", "accepted", "unsupported", "crashed", "timed-out"),
    *("result-dtype", "result-shape", "changed", "differs", "field"),
)
#: One of WHATS, several joined by `|`, or the largest error in ULP with which an element may be inaccurate.
EXPECTATION = (
    rf"^(({'|'.join(WHATS)})(\|({'|'.join(WHATS)}))*|[0-9]+(\.[0-9]+)?(e\+?([0-9]{{1,2}}|[12][0-9]{{2}}|30[0-8]))?)$"
)
Expected = Annotated[str, Meta(extra_json_schema={"pattern": EXPECTATION})]


class Selector(Struct, frozen=True, forbid_unknown_fields=True):
    """Which elements deviate, and how: every one named here must.

    `implementation` is a glob; `modes` narrows it to execution modes that deviate alike.  `sometimes` names elements
    that deviate only under some instruction sets.
    """

    implementation: str
    case: str
    dtype: DType
    quantities: tuple[str, ...]
    elements: dict[str, Expected]
    sometimes: tuple[str, ...] = ()
    modes: tuple[str, ...] = ()

    def selects(self, request: Request) -> bool:
        """Whether `request` is one that this selector is about."""
        return request.case.id == self.case and request.dtype == self.dtype and self._takes(request.implementation)

    def _takes(self, one: Implementation) -> bool:
        """By id or glob; with `modes` by entry, mode and device, since brackets of an entry would be a glob's."""
        if not self.modes:
            return matches((self.implementation,), one.id)
        family, _, device = self.implementation.rsplit("/", 2)
        return (one.family, one.device) == (family, device) and one.mode in self.modes


class Deviation(Struct, frozen=True, forbid_unknown_fields=True):
    """One file: a cause and all that is expected of it.

    A link is owed, or the word `unreported` as the only link together with a reason.
    """

    id: Cause
    title: Text
    kind: Kind
    checked: Day
    selectors: tuple[Selector, ...]
    links: tuple[Link, ...] = ()
    unreported: bool = False
    reason: Text | None = None
    versions: dict[str, str] = {}
    environment: dict[str, str] = {}

    def applies(self, versions: dict[str, str], environment: dict[str, Any]) -> bool:
        """Whether the record is about a backend with these versions and switches."""
        if any(str(environment.get(key)) != value for key, value in self.environment.items()):
            return False
        return all(_contains(spec, versions.get(package, "0")) for package, spec in self.versions.items())


_COMPARE = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
}


def _contains(spec: str, version: str) -> bool:
    """Whether `version` lies in `spec`, by plain order of versions.

    PEP 440 leaves nightlies and release candidates out of `<2.13` and `>=2.13` alike; here every version lies in
    exactly one of two adjacent ranges.  The local part (`+cpu`) does not count.
    """
    try:
        public = Version(Version(version).public)
    except InvalidVersion:
        return False
    return all(_COMPARE[one.operator](public, Version(one.version)) for one in SpecifierSet(spec))


def _is_range(spec: str) -> bool:
    """Whether `_contains` can tell what lies in `spec`; with a local part (`==2.13.0+cpu`) nothing would."""
    try:
        return all(one.operator in _COMPARE and Version(one.version).local is None for one in SpecifierSet(spec))
    except (InvalidSpecifier, InvalidVersion):
        return False


@dataclass(frozen=True)
class Record:
    """All recorded deviations, by their folder or file."""

    folder: Path
    deviations: tuple[Deviation, ...]


def default_folder() -> Path:
    """`./deviations` inside a checkout, else what the package holds."""
    if Path("deviations").is_dir() and Path("cases/flags.yaml").is_file():
        return Path("deviations")
    packaged = Path(__file__).parent / "data" / "deviations"
    return packaged if packaged.is_dir() else Path(__file__).parent.parent / "deviations"


def load(folders: Sequence[Path]) -> Record:
    """Read every deviation file of `folders` (or single files).

    Raises InputError with file and line for anything that is not one.
    """
    found: dict[str, Deviation] = {}
    for folder in folders:
        if not folder.exists():
            raise InputError(f"{folder}: no such file or folder")
        for file in sorted(folder.rglob("*.yaml")) if folder.is_dir() else [folder]:
            one = _load_file(file)
            if one.id in found:
                raise at(file, 1, f"deviation {one.id} is recorded twice")
            found[one.id] = one
    return Record(folders[0] if folders else Path(), tuple(found.values()))


def _load_file(file: Path) -> Deviation:
    one, lines = yamlfile.load(file, Deviation)
    if not one.links and not (one.unreported and one.reason):
        raise at(file, 1, f"{one.id}: must have links, or `unreported: true` with a reason")
    try:
        datetime.date.fromisoformat(one.checked)
    except ValueError:
        raise at(file, lines[("checked",)], f"checked must be a day (got {one.checked!r})") from None
    for package, spec in one.versions.items():
        if not _is_range(spec):
            here = lines[("versions", package)]
            wanted = f"{', '.join(_COMPARE)} and versions without * and local part"
            raise at(file, here, f"{package}: not a version range of {wanted} (got {spec!r})")
    for index, selector in enumerate(one.selectors):
        here = lines[("selectors", index)]
        strange = [name for name in selector.quantities if name not in QUANTITIES]
        if strange:
            raise at(file, here, f"quantity {strange[0]!r} is not one of {', '.join(QUANTITIES)}")
        for name, wanted in selector.elements.items():
            if not re.match(EXPECTATION, wanted):
                line = lines[("selectors", index, "elements", name)]
                raise at(file, line, f"{name}: must be an error in ULP or one of {', '.join(WHATS)} (got {wanted!r})")
        for name in selector.sometimes:
            if name not in selector.elements:
                raise at(file, here, f"`sometimes` names {name!r}, which is not in `elements`")
    return one


def unmatched(record: Record, plan: Plan) -> Iterator[str]:
    """A line for each selector, or element of one, that matches nothing in a complete plan."""
    requests: dict[tuple[str, str], list[Request]] = {}
    for request in plan.requests:
        requests.setdefault((request.case.id, request.dtype), []).append(request)
    for one in record.deviations:
        for selector in one.selectors:
            found = [r for r in requests.get((selector.case, selector.dtype), ()) if selector.selects(r)]
            if not found:
                yield f"{one.id}: {selector.implementation} {selector.case} {selector.dtype} matches no request"
                continue
            known = {name for r in found for name in r.element_names} | {"all"}
            for mode in selector.modes:
                if all(r.implementation.mode != mode for r in found):
                    yield f"{one.id}: {selector.case} is not planned in mode {mode!r} in {selector.dtype}"
            for element in selector.elements:
                if element not in known:
                    yield f"{one.id}: {selector.case} has no element {element!r} in {selector.dtype}"
            for quantity in selector.quantities:
                if not any(quantity in r.quantities for r in found):
                    yield f"{one.id}: {quantity} is not planned for {selector.implementation} {selector.case}"


Outcome = Literal["as expected", "recorded", "new", "fixed"]


@dataclass(frozen=True)
class Match:
    """An element of a check held against the record."""

    check: Judged
    element: str
    outcome: Outcome
    cause: str
    verdict: str
    what: str
    deviation: Deviation | None = None
    note: str = ""
    detail: str = ""


@dataclass(frozen=True)
class _Entry:
    deviation: Deviation
    expected: str
    sometimes: bool


class Matcher:
    """Holds judged checks against a record."""

    def __init__(self, record: Record, backends: dict[str, tuple[dict[str, str], dict[str, Any]]]) -> None:
        self._selectors: dict[tuple[str, str], list[tuple[Deviation, Selector]]] = {}
        for one in record.deviations:
            backend = one.id.split("/")[0]
            if not one.applies(*backends.get(backend, ({}, {}))):
                continue
            for selector in one.selectors:
                self._selectors.setdefault((selector.case, selector.dtype), []).append((one, selector))

    def match(self, check: Judged) -> list[Match]:
        """What is not plainly as expected about a check: recorded, new or fixed elements."""
        entries = self._entries(check)
        matches = []
        for finding in check.findings:
            known = entries.get(finding.element, [])
            entry = next((one for one in known if one.deviation.id == finding.cause), known[0] if known else None)
            note = _differs(entry, check, finding.element, finding.what, finding.cause) if entry else ""
            if entry is not None:
                known.remove(entry)
            matches.append(
                Match(
                    check,
                    finding.element,
                    "recorded" if entry and not note else "new",
                    finding.cause,
                    finding.verdict,
                    finding.what,
                    entry.deviation if entry else None,
                    note,
                    finding.detail,
                )
            )
        matches.extend(
            Match(check, element, "fixed", entry.deviation.id, check.verdict, entry.expected, entry.deviation)
            for element, left in entries.items()
            for entry in left
            if not entry.sometimes and not _looked_at_in_part(check)
        )
        return matches

    def _entries(self, check: Judged) -> dict[str, list[_Entry]]:
        """What is recorded of each element of a check; two causes may claim one element."""
        entries: dict[str, list[_Entry]] = {}
        for deviation, selector in self._selectors.get((check.request.case.id, check.request.dtype), ()):
            if check.quantity in selector.quantities and selector.selects(check.request):
                for element, wanted in selector.elements.items():
                    if element in check.elements or check.elements == ("all",):
                        entry = _Entry(deviation, wanted, element in selector.sometimes)
                        entries.setdefault(element, []).append(entry)
        return entries


def _looked_at_in_part(check: Judged) -> bool:
    """Whether a check of behaviour, which is about every call of a request, was left fewer calls by the filters."""
    offered = [one for one in check.request.case.numeric if one in check.request.implementation.quantities]
    return check.quantity in BEHAVIOUR and not set(offered) <= set(check.request.quantities)


def _differs(entry: _Entry, check: Judged, element: str, what: str, cause: str) -> str:
    """How a finding differs from what is recorded; "" where it does not."""
    if cause != entry.deviation.id:
        return f"recorded as {entry.deviation.id}"
    if not entry.expected[0].isdigit():
        return "" if what in entry.expected.split("|") else f"recorded as {entry.expected}, now {what}"
    if what not in ("inaccurate", "zero", "sign"):
        return f"recorded as inaccurate up to {entry.expected} ULP, now {what}"
    error = check.scaled[check.elements.index(element)]
    return "" if error <= float(entry.expected) else f"{error:.6g} ULP, recorded at most {entry.expected}"


def outcome_of(matches: Sequence[Match], check: Judged) -> Outcome:
    """The outcome of a check: the worst of its elements."""
    seen = {match.outcome for match in matches}
    ranked: tuple[Outcome, ...] = ("new", "fixed", "recorded")
    for outcome in ranked:
        if outcome in seen:
            return outcome
    assert check.verdict in EXPECTED
    return "as expected"


def json_schema() -> dict[str, Any]:
    """JSON Schema of a deviation file; a bound may stand unquoted."""
    schema = msgspec.json.schema(Deviation)
    schema["$defs"]["Selector"]["properties"]["elements"]["additionalProperties"]["type"] = ["string", "number"]
    return schema
