"""The run record: JSON Lines with a header, the inputs of each case, the checks, what sums them up, and a footer.

A file without its footer is an interrupted run, and every reader says so.  Non-finite numbers are strings or bit
patterns; an error that does not apply is null.  Readers accept older schema versions and refuse newer ones by name.

Lines of which a run has thousands are `gc=False`: they hold text, numbers and tuples, none can be part of a cycle, and
the collector, which would look at each of them again and again, took a quarter of the time of reading.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import Any, Literal, get_args

import msgspec
from msgspec import Struct

from conformance import regular
from conformance.adapters.declaration import COMPILED_BEFORE
from conformance.errors import at
from conformance.ids import ImplementationId, backend_of
from conformance.record.consistency import Consistency
from conformance.record.files import lines_of, write_lines
from conformance.record.spelled import Asked

#: Version of this file's structures.  1: first.  2: lines of samples, speeds and tallies.  3: lines of problems.
SCHEMA = 3


class BackendLine(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A backend in the header: versions and switches, or why it is absent, or how opening it failed.

    Of dtypes that it is `lacking`, with the reason, nothing was asked.
    """

    name: str
    versions: dict[str, str] = {}
    environment: dict[str, Any] = {}
    absent: str | None = None
    failed: str | None = None
    pinned: bool = False
    lacking: dict[str, str] = {}


class ImplementationLine(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An implementation in the header, with the contract that it was judged by, and whether its mode is `compiled`.

    `main` are those that most users call; `stage_of` is the mode of which its own is a stage, where it is one.
    """

    id: str
    family: str
    form: str
    contract: list[dict[str, Any]] = []
    link: str = ""
    compiled: bool | None = None
    main: bool = False
    stage_of: str = ""

    @property
    def is_compiled(self) -> bool:
        """Whether the framework makes one program of the call.

        A record that was made before implementations said so tells it by the name of the mode.
        """
        if self.compiled is None:
            return ImplementationId.parse(self.id).mode in COMPILED_BEFORE
        return self.compiled


class Header(Struct, frozen=True, kw_only=True, tag="header", tag_field="type"):
    """First line of a record.

    `planned` checks are left by the filters, which left out `skipped`; neither holds what is `not_offered`.
    Under `strict` a fixed check fails the run whatever the versions are.  `seed` drew the elements that are also called
    alone; `familiar` tells whether the record was made on this instruction set, too, and `problems` how many it knows.
    What was `asked` stands in every command that shows a finding again.
    """

    schema: int
    suite: str
    cases: str
    started: str
    machine: dict[str, Any]
    filters: dict[str, list[str]]
    backends: tuple[BackendLine, ...]
    implementations: tuple[ImplementationLine, ...]
    planned: int
    not_offered: dict[str, int]
    skipped: int = 0
    strict: bool = False
    seed: int = 0
    familiar: bool = True
    problems: int = 0
    asked: Asked = Asked()


class InputsLine(Struct, frozen=True, kw_only=True, gc=False, tag="inputs", tag_field="type"):
    """The exact inputs of a case in one dtype (bit patterns), and the ideal of each quantity, rounded to float64.

    `dtypes` names the tensors that have a dtype of their own; integers stand as they are, in hexadecimal.
    `parameters` are the numbers of the whole call, such as gamma, as the case writes them.
    """

    case: str
    family: str
    flags: tuple[str, ...]
    form: str
    reduction: str
    dtype: str
    elements: tuple[str, ...]
    inputs: dict[str, tuple[str, ...]]
    ideal: dict[str, tuple[str, ...]]
    dtypes: dict[str, str] = {}
    parameters: dict[str, str] = {}


class FindingLine(Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True):
    """An element that is not plainly as expected.

    `contract` is the value (hexadecimal float64) that the nearest reading of the contract gives, `ideal` the exact one
    of a presentation, where it is told of, `detail` what happened in words: the exception, the dtype or shape, where in
    a large tensor.  A recorded finding has the id of its `problem`, if one explains it.
    """

    element: str
    outcome: Literal["recorded", "new", "fixed"]
    verdict: str
    what: str
    cause: str
    note: str = ""
    contract: str = ""
    ideal: str = ""
    detail: str = ""
    problem: str = ""


class LinkLine(Struct, frozen=True, omit_defaults=True):
    """Where a problem is known upstream, in which state, and on which day that was seen."""

    url: str
    state: str = ""
    seen: str = ""


class ProblemLine(Struct, frozen=True, kw_only=True, omit_defaults=True, tag="problem", tag_field="type"):
    """A problem of which the run has recorded findings: what its file says."""

    problem: str
    title: str
    kind: str
    advice: str = ""
    why: str = ""
    remedy: str = ""
    workaround: str = ""
    links: tuple[LinkLine, ...] = ()
    mechanism: tuple[str, ...] = ()

    @property
    def urls(self) -> tuple[str, ...]:
        """Where it is known upstream."""
        return tuple(one.url for one in self.links)


class CauseLine(Struct, frozen=True, omit_defaults=True, tag="cause", tag_field="type"):
    """In records of before there were problems, what was said of one cause: read as a problem of its name."""

    cause: str
    title: str
    kind: str
    links: tuple[str, ...] = ()
    reason: str = ""

    def as_problem(self) -> ProblemLine:
        """The cause as the problem that it is to its findings."""
        links = tuple(LinkLine(link) for link in self.links)
        return ProblemLine(problem=self.cause, title=self.title, kind=self.kind, why=self.reason, links=links)


class CheckLine(Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True, tag="check", tag_field="type"):
    """One check.  `formula` names elements that are by-contract by a documented formula's counted error alone.

    `ulp`, `plain_ulp`, `contract_ulp` and `budget` are in ULP of `result_dtype`, one per element.
    """

    id: str
    case: str
    family: str
    implementation: str
    dtype: str
    quantity: str
    verdict: str
    outcome: Literal["as expected", "recorded", "new", "fixed"]
    elements: tuple[str, ...] = ()
    verdicts: tuple[str, ...] = ()
    bits: tuple[str, ...] = ()
    ulp: tuple[float | None, ...] = ()
    plain_ulp: tuple[float | None, ...] = ()
    contract_ulp: tuple[float | None, ...] = ()
    budget: tuple[float, ...] = ()
    result_dtype: str = ""
    formula: tuple[str, ...] = ()
    findings: tuple[FindingLine, ...] = ()
    details: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


class ToleranceLine(Struct, frozen=True, kw_only=True, gc=False, tag="tolerance", tag_field="type"):
    """What a comparison by tolerance would need: see `tolerances.Tolerance`."""

    implementation: str
    dtype: str
    family: str
    quantity: str
    points: int
    budget: float
    worst_ulp: float | None
    rtol: float | None
    atol: float | None
    no_tolerance: dict[str, int]


class SampleLine(Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True, tag="sample", tag_field="type"):
    """One implementation on a sample of inputs spread evenly over the bit patterns; its inputs line is that of `case`.

    Nothing of it is judged.  The errors are those of a CheckLine, in ULP of `result_dtype`.
    """

    case: str
    implementation: str
    dtype: str
    quantity: str
    bits: tuple[str, ...]
    ulp: tuple[float | None, ...]
    plain_ulp: tuple[float | None, ...] = ()
    contract_ulp: tuple[float | None, ...] = ()
    result_dtype: str = ""
    details: tuple[str, ...] = ()


class SpeedLine(Struct, frozen=True, kw_only=True, tag="speed", tag_field="type"):
    """How long one call on `elements` elements takes: the median of `repeats` interleaved calls, in seconds.

    `direction` is forward (the value) or backward (value and gradient by the prediction, as a training step needs
    them).  The losses are not reduced where the entry point offers that (`speed`).  `memory` is what the process
    needed at its peak beyond what it held before, in bytes; null where the system does not tell.
    """

    implementation: str
    dtype: str
    direction: Literal["forward", "backward"]
    elements: int
    seconds: float
    repeats: int
    memory: int | None


class TallyLine(Struct, frozen=True, kw_only=True, tag="tally", tag_field="type"):
    """What became of an implementation's checks in one dtype: counts, and the worst error of each numeric quantity.

    `worst` holds condition-scaled errors in ULP of the returned dtype, `problems` the worst harm of each, in a word.
    Tallies stand last before the footer, so that a reader of many records need not read the checks.
    """

    implementation: str
    dtype: str
    verdicts: dict[str, int]
    outcomes: dict[str, int]
    worst: dict[str, float]
    problems: dict[str, str] = {}


class Footer(Struct, frozen=True, kw_only=True, tag="footer", tag_field="type"):
    """Last line of a complete record.

    Of the checks that were `not_run`, `absent` are those of absent backends, and of dtypes that one is lacking.
    `untimed` tells what `run --speed` could not time, and why; `lost` which requests needed more memory than a worker
    may hold, so that their checks were not run.
    """

    finished: str
    seconds: float
    verdicts: dict[str, int]
    outcomes: dict[str, int]
    not_run: int
    restarts: tuple[str, ...]
    exit: int
    absent: int = 0
    untimed: tuple[str, ...] = ()
    lost: tuple[str, ...] = ()


Line = (
    Header
    | InputsLine
    | ProblemLine
    | CauseLine
    | CheckLine
    | SampleLine
    | ToleranceLine
    | SpeedLine
    | TallyLine
    | Footer
)


@dataclass(frozen=True, kw_only=True)
class RunRecord:
    """A record as a reader gets it; `footer` is None where the run was interrupted."""

    header: Header
    inputs: tuple[InputsLine, ...]
    checks: tuple[CheckLine, ...]
    problems: tuple[ProblemLine, ...] = ()
    tolerances: tuple[ToleranceLine, ...] = ()
    footer: Footer | None = None
    samples: tuple[SampleLine, ...] = ()
    speeds: tuple[SpeedLine, ...] = ()
    tallies: tuple[TallyLine, ...] = ()

    @property
    def interrupted(self) -> bool:
        """Whether the run did not reach its end."""
        return self.footer is None

    @cached_property
    def strict_backends(self) -> frozenset[str]:
        """Backends in which a fixed check fails the run: those with pinned versions, under `strict` all."""
        return frozenset(line.name for line in self.header.backends if line.pinned or self.header.strict)

    def fails(self, check: CheckLine) -> bool:
        """Whether a check alone gives the run exit code 1."""
        fixed_fails = backend_of(check.implementation) in self.strict_backends
        return check.outcome == "new" or (check.outcome == "fixed" and fixed_fails)

    @cached_property
    def inputs_by_case(self) -> dict[tuple[str, str], InputsLine]:
        """The inputs by case and dtype."""
        return {(line.case, line.dtype): line for line in self.inputs}

    @cached_property
    def problems_by_id(self) -> dict[str, ProblemLine]:
        """The problems by id."""
        return {line.problem: line for line in self.problems}

    def problem_of(self, finding: FindingLine) -> ProblemLine | None:
        """What explains a finding; an older record says that of its cause."""
        return self.problems_by_id.get(finding.problem or finding.cause)

    def problems_in(self, check: CheckLine) -> list[ProblemLine]:
        """What explains the findings of a check, each problem once."""
        found = (self.problem_of(finding) for finding in check.findings)
        return list({line.problem: line for line in found if line is not None}.values())

    def parts(self) -> tuple[Iterator[Line], Iterator[Line]]:
        """All lines in the order of the file: those of the run, and those that sum it up."""
        before = (self.inputs, self.problems, self.checks, self.samples, self.tolerances, self.speeds)
        return chain((self.header,), *before), chain(self.tallies, () if self.footer is None else (self.footer,))


def write(record: RunRecord, file: Path) -> None:
    """Write `record` as JSON Lines: to a temporary file beside `file`, then renamed, so that no half file is left.

    Raises HarnessError where the disk does not take it; the file that was there before stays as it was.
    """
    encoder = msgspec.json.Encoder()
    body, ends = record.parts()
    write_lines(map(encoder.encode, body), file, map(encoder.encode, ends))


def read(file: Path) -> RunRecord:
    """Read a record.

    A missing footer gives an interrupted record, and so does a last line that is cut.  Raises InputError with file and
    line for anything else that is not a record, and for a schema newer than SCHEMA.
    """
    return of_lines(lines_of(file), file)


def of_lines(lines: Iterator[bytes], file: Path) -> RunRecord:
    """The record that lines of `file` are, as `read` has it; errors count the lines from the first of them."""
    known = Consistency(file)
    header = known.fitting(1, header_of(file, next(lines, b"")))
    found: dict[type[Any], list[Any]] = {kind: [] for kind in get_args(Line)}
    decoder = msgspec.json.Decoder(Line)
    cut = False
    for number, line in enumerate(lines, start=2):
        if cut := not line.endswith(b"\n"):
            break
        try:
            decoded = regular.decoded(decoder, line)
        except ValueError as error:
            raise at(file, number, f"is not a line of a run record: {error}") from None
        if found[Footer] or isinstance(decoded, Header):
            raise at(file, number, "a run record has one header, at its start, and one footer, at its end")
        found[type(decoded)].append(known.fitting(number, decoded))
    return RunRecord(
        header=header,
        inputs=tuple(found[InputsLine]),
        checks=tuple(found[CheckLine]),
        problems=(*found[ProblemLine], *(one.as_problem() for one in found[CauseLine])),
        tolerances=tuple(found[ToleranceLine]),
        footer=found[Footer][0] if found[Footer] and not cut else None,
        samples=tuple(found[SampleLine]),
        speeds=tuple(found[SpeedLine]),
        tallies=tuple(found[TallyLine]),
    )


def header_of(file: Path, line: bytes) -> Header:
    """The header that the first line of a record is.  Raises InputError as `read` does."""
    regular.must_be_utf8(file, line)
    _check_schema(file, line)
    try:
        return regular.decoded(_HEADER, line)
    except ValueError as error:
        raise at(file, 1, f"is not a line of a run record: {error}") from None


class _Version(Struct, tag="header", tag_field="type"):
    """A header of whatever schema."""

    schema: Any


_HEADER, _VERSION = msgspec.json.Decoder(Header), msgspec.json.Decoder(_Version)


def _check_schema(file: Path, line: bytes) -> None:
    try:
        version = regular.decoded(_VERSION, line).schema
    except ValueError:
        raise at(
            file, 1, "a run record must start with its header", "is this a file of `bce-conformance run`?"
        ) from None
    if not isinstance(version, int) or version < 1:
        raise at(file, 1, f"schema version must be a positive integer (got {version!r})")
    if version > SCHEMA:
        raise at(
            file,
            1,
            f"schema version {version} is newer than this suite reads (it reads 1 to {SCHEMA})",
            "upgrade bce-conformance",
        )


def schema() -> dict[str, Any]:
    """JSON Schema of one line of a record."""
    return msgspec.json.schema(Line)
