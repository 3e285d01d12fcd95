"""Case files: scenarios as data.  They hold no expected numbers: the reference computes those.

`cases/flags.yaml` defines the flags, every other `cases/**/*.yaml` one family of cases.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
import numpy as np
from msgspec import Meta, Struct

from conformance import yamlfile
from conformance.adapters import ALL_DTYPES, PARAMETERS
from conformance.contracts import VOCABULARY
from conformance.errors import InputError, at, did_you_mean
from conformance.numbers import literals
from conformance.plan import presentations
from conformance.plan.presentations import Presentation
from conformance.plan.relations import RELATIONS
from conformance.quantities import NUMERIC, QUANTITIES
from conformance.shipped import shipped
from reference.bce import check_parameters

SLUG = r"^[a-z][a-z0-9]*([-./][a-z0-9]+)*$"

Slug = Annotated[str, Meta(pattern=SLUG, max_length=80, description="stable id: lower case letters, digits, - . /")]
Number = Annotated[str, Meta(description="an exact literal, rounded once to the tensor's dtype", max_length=200)]
Shape = Annotated[str, Meta(description="a presentation, or an exact literal where it is one length", max_length=100)]
Text = Annotated[str, Meta(min_length=8)]
Link = Annotated[str, Meta(pattern=r"^https://\S+$")]
DType = Literal["float64", "float32", "float16", "bfloat16", "float8_e5m2"]
Form = Literal["probabilities", "logits"]
Expect = Literal["value", "reject", "either", "observe"]
Reduction = Literal["none", "mean", "sum"]
Numeric = Literal[
    "value", "gradient-prediction", "gradient-label", "gradient-weight", "gradient-pos_weight", "second-derivative"
]
#: dtypes that a label or an option may have whatever the prediction's is.
OtherDType = Literal[
    "float64", "float32", "float16", "bfloat16", "bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32"
]

#: Tensors that may have a dtype of their own, and numbers that a case may set.
OtherTensor = Annotated[str, Meta(pattern=r"^(label|weight|pos_weight)$")]
Parameter = Annotated[str, Meta(pattern=rf"^({'|'.join(PARAMETERS)})$")]

#: A contract's field, or a field with the value of its first attribute: `domain_check:label`.
Probe = Annotated[str, Meta(pattern=rf"^({'|'.join(sorted(VOCABULARY))})(:[a-z0-9-]+)?$")]

OPTIONS = ("weight", "pos_weight")

#: A quantity by an option is left out where a case does not set that option.
BY_OPTION = {one.name: one.variable for one in QUANTITIES.values() if one.variable in OPTIONS}

_INTEGER = re.compile(r"\s*-?\d{1,19}\s*\Z")
_ENDLESS = ("inf", "nan")


class Element(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One exact input of a case."""

    id: Slug
    prediction: Number
    label: Number
    weight: Number | None = None
    pos_weight: Number | None = None
    dtypes: tuple[DType, ...] | None = None
    expect: Expect | None = None

    @property
    def options(self) -> tuple[str, ...]:
        """Names of the options that this element sets."""
        return tuple(name for name in OPTIONS if getattr(self, name) is not None)


class Grid(Struct, frozen=True, forbid_unknown_fields=True):
    """Every prediction with every label; the element's id is `PREDICTION-LABEL`."""

    prediction: dict[Slug, Number]
    label: dict[Slug, Number]

    def expanded(self) -> tuple[Element, ...]:
        """The elements, predictions in the outer loop."""
        return tuple(
            Element(id=f"{p_name}-{y_name}", prediction=prediction, label=label)
            for p_name, prediction in self.prediction.items()
            for y_name, label in self.label.items()
        )


class Historical(Struct, frozen=True, forbid_unknown_fields=True):
    """A number that was printed once: the reference must round to it under the contract of that time."""

    value: Number
    contract: Literal["keras-clip"]
    dtype: DType
    source: Text


class Case(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One scenario: exact inputs, options, dtypes, expectation, and why it exists."""

    id: Slug
    why: Text
    form: Form
    flags: tuple[Slug, ...]
    elements: tuple[Element, ...] = ()
    grid: Grid | None = None
    dtypes: tuple[DType, ...] = ALL_DTYPES  # type: ignore[assignment]  # the same words, not spelled out there
    expect: Expect | None = None
    reduction: Reduction = "none"
    quantities: tuple[Numeric, ...] = NUMERIC  # type: ignore[assignment]  # the same words, not spelled out there
    spec: Link | None = None
    historical: Historical | None = None
    probe: Probe | None = None
    #: How the elements are handed over (`presentations`); without it as one tensor of one dimension.
    present: tuple[Shape, ...] = ()
    #: dtypes of tensors that do not have the prediction's.
    dtypes_of: dict[OtherTensor, OtherDType] = {}
    parameters: dict[Parameter, Number] = {}
    #: What must hold between results (`relations`); then nothing else of the case is judged.
    relation: Literal[tuple(RELATIONS)] | None = None  # type: ignore[valid-type]  # the names are known at run time
    #: What the ideal mean divides by: a weight that masks an element takes it out of the count, too.
    divisor: Literal["elements", "weights"] = "elements"
    #: Globs on execution modes; others are not planned.
    modes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Append the grid's elements to those that are written out."""
        if self.grid is not None:
            msgspec.structs.force_setattr(self, "elements", (*self.elements, *self.grid.expanded()))

    @property
    def options(self) -> tuple[str, ...]:
        """Options that the case sets; all elements set the same ones."""
        return self.elements[0].options

    @property
    def numeric(self) -> tuple[str, ...]:
        """Its quantities, without those by an option that it does not set."""
        return tuple(one for one in self.quantities if one not in BY_OPTION or BY_OPTION[one] in self.options)

    @property
    def presentations(self) -> tuple[Presentation, ...]:
        """`present` taken apart."""
        return presentations.parse(self.present)


class CaseFile(Struct, frozen=True, forbid_unknown_fields=True):
    """A file of one family."""

    family: Slug
    title: Text
    cases: tuple[Case, ...]


class Flag(Struct, frozen=True, forbid_unknown_fields=True):
    """What a flag of a case means."""

    meaning: Text
    links: tuple[Link, ...] = ()


class FlagFile(Struct, frozen=True, forbid_unknown_fields=True):
    """`cases/flags.yaml`."""

    flags: dict[Slug, Flag]


@dataclass(frozen=True)
class Located:
    """A case with its family and place."""

    case: Case
    family: str
    file: Path
    line: int


@dataclass(frozen=True)
class Suite:
    """All cases, in the order of file names and lines."""

    folder: Path
    cases: tuple[Located, ...]
    flags: dict[str, Flag]
    digest: str = field(repr=False, default="")

    @classmethod
    def of(cls, family: str, *cases: Case) -> Suite:
        """A suite of cases that stand in no file."""
        return cls(Path(), tuple(Located(one, family, Path(f"{family}.yaml"), 1) for one in cases), {})

    @property
    def families(self) -> dict[str, None]:
        """Family names in order."""
        return dict.fromkeys(located.family for located in self.cases)

    def find(self, case_id: str) -> Located:
        """The case called `case_id`.  Raises InputError that names the nearest ids."""
        for located in self.cases:
            if located.case.id == case_id:
                return located
        raise InputError(f"no case is called {case_id!r}", did_you_mean(case_id, [one.case.id for one in self.cases]))

    def only(self, what: str) -> Suite:
        """The suite with one case, by its id, or with those of a case file, which may be anywhere.

        Raises InputError where there is no such case or file.
        """
        file = Path(what)
        located = load_files([file], self.flags) if file.suffix in CASE_FILES else (self.find(what),)
        return replace(self, cases=located)


#: How the name of a case file ends; no id of a case does.
CASE_FILES = (".yaml", ".yml")

#: Folder of the worst cases that sweeps have found (`sweep.corpus`), which are no cases of a suite.
WORST = "worst"


def default_folder() -> Path:
    """`./cases` inside a checkout of the suite, else the cases that the package holds."""
    checkout = Path("cases")
    if (checkout / "flags.yaml").is_file():
        return checkout
    return shipped("cases")


def load_suite(folder: Path) -> Suite:
    """Read and check every case file below `folder`, the corpus of worst cases left out.

    Raises InputError at the first mistake: unknown key, duplicate id, wrong type, unknown flag, no number.
    """
    files = sorted(file for file in folder.rglob("*.yaml") if file.parent != folder / WORST)
    flag_file = folder / "flags.yaml"
    if not files or not flag_file.is_file():
        raise InputError(f"{folder}: must hold flags.yaml and case files", "name the folder with --cases")
    flags = load_flags(flag_file)
    located = load_files([file for file in files if file != flag_file], flags)
    return Suite(folder, located, flags, _digest(folder, files))


def load_flags(file: Path) -> dict[str, Flag]:
    """The flags that a `flags.yaml` defines."""
    return yamlfile.load(file, FlagFile)[0].flags


def load_files(files: Sequence[Path], flags: dict[str, Flag]) -> tuple[Located, ...]:
    """The cases of some files, each id once; raises InputError at the first mistake."""
    seen: dict[str, Located] = {}
    for file in files:
        for one in _load_file(file, flags):
            if one.case.id in seen:
                first = seen[one.case.id]
                raise at(file, one.line, f"duplicate case id {one.case.id!r}, first at {first.file}:{first.line}")
            seen[one.case.id] = one
    return tuple(seen.values())


def _load_file(file: Path, flags: dict[str, Flag]) -> Iterator[Located]:
    content, lines = yamlfile.load(file, CaseFile)
    for index, case in enumerate(content.cases):
        path: tuple[str | int, ...] = ("cases", index)
        for position, flag in enumerate(case.flags):
            if flag not in flags:
                line = lines[(*path, "flags", position)]
                raise at(file, line, f"flag {flag!r} is not defined in flags.yaml", did_you_mean(flag, list(flags)))
        _check_elements(case, file, lines, path)
        yield Located(case, content.family, file, lines[(*path, "id")])


def _check_elements(case: Case, file: Path, lines: yamlfile.Lines, path: tuple[str | int, ...]) -> None:
    here = lines[path]
    for name, number, line in _numbers(case, lines, path):
        try:
            literals.check(number)
        except literals.LiteralError as error:
            raise at(file, line, f"{case.id}: {name}: {error}") from None
    elements = case.elements
    if not elements:
        raise at(file, here, f"{case.id}: must have elements or a grid")
    ids = [element.id for element in elements]
    double = [name for name in ids if ids.count(name) > 1]
    if double:
        raise at(file, here, f"{case.id}: duplicate element id {double[0]!r}")
    if any(element.options != elements[0].options for element in elements):
        raise at(file, here, f"{case.id}: all elements must set the same options")
    for element in elements:
        strange = [dtype for dtype in element.dtypes or () if dtype not in case.dtypes]
        if strange:
            raise at(file, here, f"{case.id}: element {element.id!r} has dtype {strange[0]}, which the case has not")
    _check_presentation(case, file, here)
    _check_kinds(case, file, here)
    _check_relation(case, file, here)
    if case.reduction != "none" and any(element.dtypes or element.expect for element in elements):
        raise at(file, here, f"{case.id}: elements of a reduced case cannot have dtypes or expect of their own")


def _check_presentation(case: Case, file: Path, here: int) -> None:
    try:
        found = case.presentations
    except presentations.PresentationError as error:
        raise at(file, here, f"{case.id}: {error}") from None
    for one in found:
        strange = [name for name, _ in one.others if name != "label" and name not in case.options]
        if strange:
            raise at(file, here, f"{case.id}: {one.name!r} gives a shape to {strange[0]}, which the case does not set")
    if found and any(element.dtypes or element.expect for element in case.elements):
        raise at(file, here, f"{case.id}: elements of a presented case cannot have dtypes or expect of their own")
    if found and case.reduction != "none" and case.quantities != ("value",):
        raise at(file, here, f"{case.id}: a reduced presentation has the value alone; write `quantities: [value]`")


def _check_kinds(case: Case, file: Path, here: int) -> None:
    """Integer tensors hold integers, parameters are numbers that the reference takes."""
    for name, dtype in case.dtypes_of.items():
        if name != "label" and name not in case.options:
            raise at(file, here, f"{case.id}: dtypes_of names {name}, which the case does not set")
        if dtype in ALL_DTYPES:
            continue
        low, high = (0, 1) if dtype == "bool" else (int(np.iinfo(dtype).min), int(np.iinfo(dtype).max))
        for element in case.elements:
            number = getattr(element, name)
            if not _INTEGER.match(number) or not low <= int(number) <= high:
                where = f"{case.id}: {element.id}.{name}"
                raise at(file, here, f"{where} must be an integer from {low} to {high} for {dtype} (got {number!r})")
    try:
        numbers = {name: float(literals.rational(number)) for name, number in case.parameters.items()}
        for quantity in case.numeric:
            check_parameters(quantity, **{name: numbers.get(name) for name in PARAMETERS})
    except ValueError as error:  # of which LiteralError is one
        raise at(file, here, f"{case.id}: parameters: {error}") from None
    if case.divisor == "weights" and "weight" not in case.options:
        raise at(file, here, f"{case.id}: a mean over the weights needs a weight in its elements")
    if case.reduction != "none" and any(quantity in BY_OPTION for quantity in case.numeric):
        raise at(file, here, f"{case.id}: a reduced case has no gradient by an option; name its `quantities`")


def _check_relation(case: Case, file: Path, here: int) -> None:
    """A relation has finite elements of the dtype under test, and holds for the plain loss alone."""
    if case.relation is None:
        return
    if case.present or case.reduction != "none" or case.probe or case.dtypes_of or case.parameters:
        raise at(
            file,
            here,
            f"{case.id}: a case with a relation has neither presentations, nor reduction, nor probe, nor dtypes_of, "
            "nor parameters",
        )
    numbers = {one.id: (one.prediction, one.label, one.weight or "") for one in case.elements}
    endless = [name for name, texts in numbers.items() if any(word in text for text in texts for word in _ENDLESS)]
    if endless:
        raise at(file, here, f"{case.id}: a relation needs finite inputs ({endless[0]} has others)")
    if "pos_weight" in case.options and not RELATIONS[case.relation].one_call:
        raise at(file, here, f"{case.id}: {case.relation} does not hold with a pos_weight")


def _numbers(case: Case, lines: yamlfile.Lines, path: tuple[str | int, ...]) -> Iterator[tuple[str, str, int]]:
    for index, element in enumerate(case.elements):
        for name in ("prediction", "label", *element.options):
            if (*path, "elements", index, name) in lines:  # the others are the grid's
                yield f"{element.id}.{name}", getattr(element, name), lines[(*path, "elements", index, name)]
    if case.grid is not None:
        for axis in ("prediction", "label"):
            for key, number in getattr(case.grid, axis).items():
                yield f"grid.{axis}.{key}", number, lines[(*path, "grid", axis, key)]


def _digest(folder: Path, files: list[Path]) -> str:
    """SHA-256 over names and bytes of all case files: which cases a record is about."""
    total = hashlib.sha256()
    for file in files:
        total.update(file.relative_to(folder).as_posix().encode() + b"\0" + file.read_bytes() + b"\0")
    return total.hexdigest()


def json_schema() -> dict[str, Any]:
    """JSON Schema of a case file.  A literal may stand unquoted, so that a number is as good as a string."""
    schema = msgspec.json.schema(CaseFile)
    schema["$id"] = "https://bce-conformance.invalid/schema/cases.json"
    _allow_numbers(schema)
    return schema


def _allow_numbers(node: Any) -> None:
    if isinstance(node, dict):
        if "an exact literal" in node.get("description", ""):
            node["type"] = ["string", "number"]
        for child in node.values():
            _allow_numbers(child)
    elif isinstance(node, list):
        for child in node:
            _allow_numbers(child)
