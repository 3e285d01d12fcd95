"""Recorded deviations: what is known to deviate in the pinned environment, why, and exactly how.

One file per cause, `deviations/<cause id>.yaml`; `match` holds judged checks against them.
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
from conformance.errors import InputError, at
from conformance.ids import CauseId, ImplementationId
from conformance.numbers.formats import FORMATS
from conformance.numbers.measurement import CLASSES
from conformance.plan.cases import DType, Link, Text
from conformance.plan.filters import matches
from conformance.plan.plan import Plan
from conformance.plan.requests import Request
from conformance.quantities import QUANTITIES
from conformance.shipped import shipped

Kind = Literal["bug", "by-design", "unsupported"]
Cause = Annotated[str, Meta(pattern=r"^[a-z0-9-]+/[^/\s]+/[a-z_-]+/[a-z]+/[a-z-]+$")]
Day = Annotated[str, Meta(pattern=r"^\d{4}-\d{2}-\d{2}$")]
#: What a finding can be (`judge.Finding.what`).
WHATS = (
    *(name for name in CLASSES if name != "ok"),
    *("raised", "accepted", "unsupported", "crashed", "timed-out"),
    *("result-dtype", "result-shape", "changed", "differs", "field"),
)
#: The word of a record for a finite number outside the budget, and the classes that it stands for: what a cancelled,
#: saturated or narrow step leaves is inaccurate, 0, flushed or of the other sign as a kernel happens to round, and it
#: is the same mistake.
INEXACT = "inexact"
INEXACT_CLASSES = frozenset({"inaccurate", "zero", "sign", "flushed"})

#: What an element is recorded as: a word, or several joined by `|`.
RECORDED = (INEXACT, *(name for name in WHATS if name not in INEXACT_CLASSES))
EXPECTATION = rf"^({'|'.join(RECORDED)})(\|({'|'.join(RECORDED)}))*$"
Expected = Annotated[str, Meta(extra_json_schema={"pattern": EXPECTATION})]

#: The order of magnitude of the errors of a dtype, in ULP of the returned dtype: the exponent of a power of ten.
Magnitude = Annotated[str, Meta(extra_json_schema={"pattern": "^[0-9]{1,3}$"})]


class Selector(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
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
        return request.case.id == self.case and request.dtype == self.dtype and self.takes(request.implementation.id)

    def takes(self, implementation: str) -> bool:
        """By id or glob; with `modes` by entry, mode and device, since brackets of an entry would be a glob's."""
        if not self.modes:
            return matches((self.implementation,), implementation)
        ours, theirs = ImplementationId.parse(self.implementation), ImplementationId.parse(implementation)
        return theirs.mode in self.modes and theirs == ours._replace(mode=theirs.mode)


class Deviation(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One file: a cause and all that is expected of it.

    A link is owed, or the word `unreported` as the only link together with a reason.  `magnitude` says for each dtype
    of inputs how large the errors of its inexact elements get: one number for all, because how far a mistake goes on
    one element depends on the last digits of a kernel.
    """

    id: Cause
    title: Text
    kind: Kind
    checked: Day
    selectors: tuple[Selector, ...]
    links: tuple[Link, ...] = ()
    unreported: bool = False
    reason: Text | None = None
    magnitude: dict[str, Magnitude] = {}
    versions: dict[str, str] = {}
    environment: dict[str, str] = {}

    @property
    def stem(self) -> str:
        """What its cause has in common with those of other inexact results: all but the signature."""
        return CauseId.parse(self.id).stem

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
    """All recorded deviations, by their folder or file, and the instruction sets of the runs that they are made of."""

    folder: Path
    deviations: tuple[Deviation, ...]
    instruction_sets: frozenset[str] = frozenset()

    def knows(self, instruction_set: str) -> bool:
        """Whether it was made on such a processor, too; a record that does not say where knows all."""
        return not self.instruction_sets or instruction_set in self.instruction_sets


def default_folder() -> Path:
    """`./deviations` inside a checkout, else what the package holds."""
    if Path("deviations").is_dir() and Path("cases/flags.yaml").is_file():
        return Path("deviations")
    return shipped("deviations")


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
    known = frozenset(line for folder in folders for line in instruction_sets(folder))
    return Record(folders[0] if folders else Path(), tuple(found.values()), known)


#: In a folder of deviations, the instruction sets of the machines on which runs were made for it, one a line.
INSTRUCTION_SETS = "instruction-sets.txt"


def instruction_sets(folder: Path) -> tuple[str, ...]:
    """The lines of INSTRUCTION_SETS in a folder; none where there is no such file."""
    file = folder / INSTRUCTION_SETS
    return tuple(file.read_text(encoding="utf-8").splitlines()) if file.is_file() else ()


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
    for dtype, exponent in one.magnitude.items():
        here = lines[("magnitude", dtype)]
        if dtype not in FORMATS:
            raise at(file, here, f"magnitude is of dtypes, one of {', '.join(FORMATS)} (got {dtype!r})")
        if not re.fullmatch(r"[0-9]{1,3}", exponent):
            raise at(file, here, f"magnitude of {dtype} must be the exponent of a power of ten (got {exponent!r})")
    for index, selector in enumerate(one.selectors):
        _check_selector(file, selector, lines, index)
    return one


def _check_selector(file: Path, selector: Selector, lines: yamlfile.Lines, index: int) -> None:
    here = lines[("selectors", index)]
    strange = [name for name in selector.quantities if name not in QUANTITIES]
    if strange:
        raise at(file, here, f"quantity {strange[0]!r} is not one of {', '.join(QUANTITIES)}")
    for name, wanted in selector.elements.items():
        if not re.match(EXPECTATION, wanted):
            line = lines[("selectors", index, "elements", name)]
            raise at(file, line, f"{name}: must be one of {', '.join(RECORDED)}, or several with | (got {wanted!r})")
    for name in selector.sometimes:
        if name not in selector.elements:
            raise at(file, here, f"`sometimes` names {name!r}, which is not in `elements`")


def unmatched(record: Record, plan: Plan) -> Iterator[str]:
    """A line for each selector, or element of one, that matches nothing in a complete plan."""
    requests: dict[tuple[str, str], list[Request]] = {}
    for request in plan.requests:
        requests.setdefault((request.case.id, request.dtype), []).append(request)
    for one in record.deviations:
        for selector in one.selectors:
            planned = requests.get((selector.case, selector.dtype), ())
            yield from (f"{one.id}: {text}" for text in _unmatched(selector, planned))


def _unmatched(selector: Selector, planned: Sequence[Request]) -> Iterator[str]:
    """What of a selector matches none of the requests of its case and dtype, in words."""
    found = [request for request in planned if selector.selects(request)]
    if not found:
        yield f"{selector.implementation} {selector.case} {selector.dtype} matches no request"
        return
    modes = {request.implementation.mode for request in found}
    elements = {name for request in found for name in request.element_names} | {"all"}
    quantities = {name for request in found for name in request.quantities}
    for mode in selector.modes:
        if mode not in modes:
            yield f"{selector.case} is not planned in mode {mode!r} in {selector.dtype}"
    for element in selector.elements:
        if element not in elements:
            yield f"{selector.case} has no element {element!r} in {selector.dtype}"
    for quantity in selector.quantities:
        if quantity not in quantities:
            yield f"{quantity} is not planned for {selector.implementation} {selector.case}"


def json_schema() -> dict[str, Any]:
    """JSON Schema of a deviation file; the exponents of `magnitude` may stand unquoted."""
    schema = msgspec.json.schema(Deviation)
    schema["$defs"]["Deviation"]["properties"]["magnitude"]["additionalProperties"]["type"] = ["string", "integer"]
    return schema
