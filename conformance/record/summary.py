"""What a run record says, condensed: the scoreboard and the findings by cause.  Every renderer shows these."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import cache

from conformance.adapters.declaration import BASE_MODE
from conformance.ids import CauseId, ImplementationId, backend_of
from conformance.judge.harm import MISLEADING, Harm
from conformance.numbers.formats import FORMATS, decode_hexadecimal
from conformance.numbers.literals import text_of
from conformance.plan.domain import REGIONS
from conformance.quantities import AGREEMENT, LAST, NUMERIC, QUANTITIES
from conformance.record.harms import Harms, harms
from conformance.record.record import CheckLine, FindingLine, InputsLine, RunRecord
from conformance.record.spelled import Asked, explain

#: Inputs of every call; the others are options.
PLAIN_INPUTS = ("prediction", "label")

#: Formats from the one that most people train in to the one that fewest do.
PLAINEST = ("float32", "float16", "bfloat16", "float64", "float8_e5m2")


@dataclass(kw_only=True)
class Cell:
    """Counts of checks, never added up; `by_formula` are those by-contract by a documented formula's error alone."""

    conforms: int = 0
    by_contract: int = 0
    by_formula: int = 0
    rejects: int = 0
    checks: int = 0
    verdicts: dict[str, int] = field(default_factory=dict)

    def add(self, check: CheckLine) -> None:
        """Count one check."""
        self.checks += 1
        self.verdicts[check.verdict] = self.verdicts.get(check.verdict, 0) + 1
        self.conforms += check.verdict == "conforms"
        formula = bool(check.formula)
        self.by_contract += check.verdict == "by-contract" and not formula
        self.by_formula += check.verdict == "by-contract" and formula
        self.rejects += check.verdict == "rejects"

    def plus(self, other: Cell) -> Cell:
        """The counts of both."""
        verdicts = Counter(self.verdicts) + Counter(other.verdicts)
        numbers = {name: getattr(self, name) + getattr(other, name) for name in _COUNTS}
        return Cell(**numbers, verdicts=dict(verdicts))


#: The counts of a Cell that are numbers.
_COUNTS = ("conforms", "by_contract", "by_formula", "rejects", "checks")


@dataclass(kw_only=True)
class Row:
    """One implementation on the scoreboard, or several modes of one entry that `folded` or `by_entry` put together.

    `worst_ulp` is the largest condition-scaled error of values inside the domain against the ideal, `worst_contract`
    that against the nearer of ideal and contract; None where nothing was measured.
    `out_of_range` tells what happens to labels outside [0, 1]: rejects, accepts, mixed, or "" where untested.
    `modes` are those that the row is about; `differing` are modes of the same entry that it says nothing about.
    `agreement` counts the checks whether a mode does as the plain call does; `cells` leave them out, since the plain
    call has none.
    """

    implementation: str
    cells: dict[str, Cell] = field(default_factory=dict)
    worst_ulp: float | None = None
    worst_contract: float | None = None
    out_of_range: str = ""
    new: int = 0
    recorded: int = 0
    fixed: int = 0
    agreement: Cell = field(default_factory=Cell)
    modes: tuple[str, ...] = ()
    differing: tuple[str, ...] = ()

    @property
    def place(self) -> tuple[str, str, str]:
        """Backend, entry and device: what the modes of one entry have in common."""
        one = ImplementationId.parse(self.implementation)
        return one.backend, one.entry, one.device

    def alike(self, other: Row) -> bool:
        """Whether it is the same entry with the same counts of verdicts in every family and the same labels column."""
        return self._behaviour() == other._behaviour()

    def _behaviour(self) -> tuple[object, ...]:
        disagreement = self.agreement.verdicts | {"conforms": 0}
        return self.place, self.cells, self.out_of_range, disagreement

    def with_mode(self, other: Row) -> Row:
        """This row as that of both: counts are alike, the ULP columns show the worst, findings are added up."""
        return replace(
            self,
            worst_ulp=_largest(self.worst_ulp, (other.worst_ulp,)),
            worst_contract=_largest(self.worst_contract, (other.worst_contract,)),
            new=self.new + other.new,
            recorded=self.recorded + other.recorded,
            fixed=self.fixed + other.fixed,
            agreement=self.agreement.plus(other.agreement),
            modes=self.modes + other.modes,
        )


def folded(rows: Sequence[Row]) -> list[Row]:
    """One row for all modes of an entry that behave alike, in the place of the first of them."""
    kept: list[Row] = []
    for row in rows:
        same = next((index for index, other in enumerate(kept) if other.alike(row)), None)
        if same is None:
            kept.append(row)
        else:
            kept[same] = kept[same].with_mode(row)
    return kept


def by_entry(rows: Sequence[Row]) -> list[Row]:
    """One row for each entry: the one that eager mode is in, or else its first; the other modes are only named."""
    groups: dict[tuple[str, str, str], list[Row]] = {}
    for row in rows:
        groups.setdefault(row.place, []).append(row)
    chosen = []
    for members in groups.values():
        shown = next((row for row in members if BASE_MODE in row.modes), members[0])
        others = tuple(mode for row in members if row is not shown for mode in row.modes)
        chosen.append(replace(shown, differing=others, new=sum(row.new for row in members)))
    return chosen


def scoreboard(record: RunRecord) -> list[Row]:
    """One row for each implementation that was run, in the order of the header."""
    rows = {
        one.id: Row(implementation=one.id, modes=(ImplementationId.parse(one.id).mode,))
        for one in record.header.implementations
    }
    outside: dict[str, list[CheckLine]] = {}
    for check in record.checks:
        row = rows[check.implementation]
        cell = row.agreement if check.quantity == AGREEMENT else row.cells.setdefault(check.family, Cell())
        cell.add(check)
        row.new += check.outcome == "new"
        row.recorded += check.outcome == "recorded"
        row.fixed += check.outcome == "fixed"
        if check.quantity == "value":
            row.worst_ulp = _largest(row.worst_ulp, check.ulp)
            row.worst_contract = _largest(row.worst_contract, check.contract_ulp or check.ulp)
        if _about_labels_outside(check):
            outside.setdefault(check.implementation, []).append(check)
    for name, checks in outside.items():
        rows[name].out_of_range = answers_outside(record, checks)
    return [row for row in rows.values() if row.cells or row.agreement.checks]


def _largest(old: float | None, values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return max([*known, old or 0.0]) if known else old


def _about_labels_outside(check: CheckLine) -> bool:
    return check.quantity == "acceptance" and check.family == "out-of-range-labels"


def answers_outside(record: RunRecord, checks: Iterable[CheckLine]) -> str:
    """What happens to labels outside [0, 1] in some checks: rejects, accepts, mixed, or "" where that is not tested."""
    seen = {answer for check in checks if _about_labels_outside(check) for answer in _answers(check, record)}
    return seen.pop() if len(seen) == 1 else "mixed" if seen else ""


def _answers(check: CheckLine, record: RunRecord) -> set[str]:
    """rejects or accepts, over the elements whose label lies outside [0, 1]."""
    inputs = record.inputs_by_case[check.case, check.dtype]
    dtype = inputs.dtypes.get("label", inputs.dtype)
    outside = [not 0.0 <= float(_decimal(bits, dtype)) <= 1.0 for bits in inputs.inputs["label"]]
    verdicts = check.verdicts or (check.verdict,) * len(check.elements)
    if len(verdicts) != len(outside):
        return {"rejects" if verdicts[0] == "rejects" else "accepts"} if any(outside) else set()
    return {"rejects" if v == "rejects" else "accepts" for v, out in zip(verdicts, outside, strict=True) if out}


@dataclass(frozen=True, kw_only=True)
class Example:
    """One element of a finding, spelled out; `parameters` are numbers of its whole call, `command` shows it again."""

    case: str
    element: str
    implementation: str
    dtype: str
    quantity: str
    what: str
    inputs: dict[str, tuple[str, str]]
    parameters: dict[str, str]
    got: tuple[str, str]
    ideal: str
    contract: str
    ulp: float | None
    detail: str
    note: str
    command: str


@dataclass(kw_only=True)
class CauseSummary:
    """All elements of a run with one cause, one outcome and one problem; what is said of that, if it is known.

    `example` is the one that does the worst, and of several the plainest; `touching` holds, by the name of each option
    and parameter with which there are others, the one of those.  `harm` is the worst of all, and `in_sight` whether a
    number is wrong by more than is lost in a batch of ordinary losses, as that of another formula is.
    """

    cause: str
    outcome: str
    elements: int = 0
    checks: int = 0
    dtypes: dict[str, None] = field(default_factory=dict)
    implementations: dict[str, None] = field(default_factory=dict)
    worst_ulp: float | None = None
    example: Example | None = None
    touching: dict[str, Example] = field(default_factory=dict)
    harm: Harm = Harm.REFUSES
    in_sight: bool = False
    problem: str = ""
    title: str = ""
    kind: str = ""
    links: tuple[str, ...] = ()
    reason: str = ""
    _ranks: dict[str, tuple[int, ...]] = field(default_factory=dict)

    @property
    def others(self) -> dict[str, Example]:
        """Those of `touching` that are not the example itself, each once."""
        told = [] if self.example is None else [self.example]
        found: dict[str, Example] = {}
        for name, one in self.touching.items():
            if one not in told:
                told.append(one)
                found[name] = one
        return found


def causes(record: RunRecord) -> list[CauseSummary]:
    """Findings by cause: new ones first, then fixed, then recorded, each in the order of `_rank_cause`."""
    found: dict[tuple[str, str, str], CauseSummary] = {}
    weighed = harms(record)
    for check in record.checks:
        positions = {element: index for index, element in enumerate(check.elements)}
        for finding in check.findings:
            one = found.get(_key(finding)) or found.setdefault(_key(finding), _summary(finding, record))
            _add(one, check, finding, positions.get(finding.element, 0), record, weighed)
        for key in set(map(_key, check.findings)):
            found[key].checks += 1
    order = {"new": 0, "fixed": 1, "recorded": 2}
    return sorted(found.values(), key=lambda one: (order[one.outcome], *_rank_cause(one)))


def _add(
    one: CauseSummary, check: CheckLine, finding: FindingLine, position: int, record: RunRecord, weighed: Harms
) -> None:
    one.elements += 1
    one.dtypes[check.dtype] = None
    one.implementations[check.implementation] = None
    error = check.ulp[position] if position < len(check.ulp) else None
    if error is not None:
        one.worst_ulp = max(one.worst_ulp or 0.0, error)
    if finding.outcome == "fixed":
        return
    line = record.inputs_by_case[check.case, check.dtype]
    text = inputs_at(line, finding.element)
    harm = weighed[check.id, finding.element]
    one.harm = max(one.harm, harm)
    in_sight = harm >= Harm.MISLEADS and _in_sight(check, finding, position, line)
    one.in_sight |= in_sight
    # What does the worst, a formula that is another before digits that are lost; then that of which something can be
    # told, a single element in the dtype most people train in, a plain failure, the plainest numbers: the best example.
    rank = (
        -harm,
        0 if in_sight else 1,
        0 if finding.note else 1,
        0 if finding.detail or any(check.bits[position : position + 1]) else 1,
        0 if finding.element in line.elements else 1,
        PLAINEST.index(check.dtype),
        quantity_rank(check.quantity),
        0 if finding.what != "inaccurate" else 1,
        sum(len(decimal) for decimal, _ in text.values()),
    )
    for name in ("", *(name for name in text if name not in PLAIN_INPUTS), *line.parameters):
        if name in one._ranks and rank >= one._ranks[name]:
            continue
        one._ranks[name] = rank
        example = _example(check, finding, position, line, text, error, record.header.asked)
        if name:
            one.touching[name] = example
        else:
            one.example = example


def _ideal(check: CheckLine, finding: FindingLine, position: int, line: InputsLine) -> str:
    """The exact value where a finding is, in hexadecimal; "" where there is none."""
    numeric = "value" if check.quantity == "contract" else check.quantity
    known = line.ideal.get(numeric, ()) if numeric in NUMERIC else ()
    return finding.ideal or (known[position] if position < len(known) else "")


def _in_sight(check: CheckLine, finding: FindingLine, position: int, line: InputsLine) -> bool:
    """Whether the error is above 1 % of the value, and of 1 where that is less: it shows beside ordinary losses.

    So 0 for a loss of 2e-9 is not in sight whatever the dtype is, which is where it differs from `Harm.MISLEADS`.
    """
    ideal = _ideal(check, finding, position, line)
    if not ideal or not any(check.bits[position : position + 1]) or check.result_dtype not in FORMATS:
        return False
    exact = float.fromhex(ideal)
    (got,) = decode_hexadecimal([check.bits[position]], check.result_dtype)
    return not abs(got - exact) <= MISLEADING * max(1.0, abs(exact))


def example(record: RunRecord, check: CheckLine, finding: FindingLine) -> Example:
    """A finding of a check, spelled out."""
    line = record.inputs_by_case[check.case, check.dtype]
    position = check.elements.index(finding.element) if finding.element in check.elements else 0
    error = check.ulp[position] if position < len(check.ulp) else None
    text = inputs_at(line, finding.element)
    return _example(check, finding, position, line, text, error, record.header.asked)


def inputs_at(line: InputsLine, element: str) -> dict[str, tuple[str, str]]:
    """(decimal, hexadecimal) of each input at an element, or of all elements where it is none of them."""
    return _inputs_text(line, line.elements.index(element) if element in line.elements else None)


def _inputs_text(line: InputsLine, position: int | None) -> dict[str, tuple[str, str]]:
    """(decimal, hexadecimal) of each input at an element, or of all elements."""
    found = {}
    for name, bits in line.inputs.items():
        dtype = line.dtypes.get(name, line.dtype)
        if position is not None:
            found[name] = (_decimal(bits[position], dtype), bits[position])
        else:
            found[name] = (f"[{', '.join(_decimal(one, dtype) for one in bits)}]", " ".join(bits))
    return found


@cache  # the same few inputs stand in every finding
def _decimal(bits: str, dtype: str) -> str:
    return text_of(int(bits, 16), FORMATS[dtype]) if dtype in FORMATS else str(int(bits, 16))


def _example(
    check: CheckLine,
    finding: FindingLine,
    position: int,
    line: InputsLine,
    text: dict[str, tuple[str, str]],
    error: float | None,
    asked: Asked,
) -> Example:
    bits = check.bits[position] if position < len(check.bits) else ""
    fmt = FORMATS.get(check.result_dtype)
    got = (text_of(int(bits, 16), fmt), bits) if bits and fmt else ("", "")
    ideal = _ideal(check, finding, position, line)
    return Example(
        case=check.case,
        element=finding.element,
        implementation=check.implementation,
        dtype=check.dtype,
        quantity=check.quantity,
        what=finding.what,
        inputs=text,
        parameters=line.parameters,
        got=got,
        ideal=number(ideal) if ideal else "",
        contract=number(finding.contract) if finding.contract not in ("", ideal) else "",
        ulp=error,
        detail=finding.detail or (check.details[0] if check.details and len(check.elements) == 1 else ""),
        note=finding.note,
        command=explain(check.case, check.implementation, check.dtype, asked),
    )


def number(hexadecimal: str) -> str:
    """A hexadecimal float64 with at most nine significant digits, enough for a reader and for any float32."""
    return f"{float.fromhex(hexadecimal):.9g}"


def _key(finding: FindingLine) -> tuple[str, str, str]:
    return finding.cause, finding.outcome, finding.problem


def _summary(finding: FindingLine, record: RunRecord) -> CauseSummary:
    """The summary of the findings that are like this one, with nothing added yet."""
    one = CauseSummary(cause=finding.cause, outcome=finding.outcome)
    line = record.problem_of(finding)
    if line is not None:
        one.problem, one.title, one.kind, one.links, one.reason = (
            line.problem,
            line.title,
            line.kind,
            line.urls,
            line.why,
        )
    return one


def quantity_rank(quantity: str) -> int:
    """The place of a cause's quantity; a relation's has the relation in its name."""
    return QUANTITIES[quantity].order if quantity in QUANTITIES else LAST


def _rank_cause(one: CauseSummary) -> tuple[int, bool, int, int, int, int, str]:
    """Bugs, numbers of another formula, harm, values before gradients, what no tolerance covers, plain inputs."""
    cause = CauseId.parse(one.cause)
    kind = ("bug", "by-design", "unsupported", "").index(one.kind)
    loud = {"non-finite": 0, "inaccurate": 1, "sign": 1, "finite": 2, "field": 3, "flushed": 4}
    where = REGIONS.index(cause.region)
    what = quantity_rank(cause.quantity), loud.get(cause.signature, 2), where
    return kind, not one.in_sight, -one.harm, *what, one.cause


def diverse(summaries: Iterable[CauseSummary], count: int) -> list[CauseSummary]:
    """`count` of `summaries`, taking turns between backends so that none is crowded out."""
    queues: dict[str, list[CauseSummary]] = {}
    for one in summaries:
        queues.setdefault(backend_of(one.cause), []).append(one)
    chosen: list[CauseSummary] = []
    while len(chosen) < count and any(queues.values()):
        for queue in queues.values():
            if queue and len(chosen) < count:
                chosen.append(queue.pop(0))
    return chosen
