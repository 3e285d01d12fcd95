"""The results of a run as arrays: for each implementation, dtype and quantity, what it gave for which inputs.

Inputs are the same for every implementation of a form and dtype, so they stand in one `Table`, and a `Group` holds
places in it: a formula is evaluated once for all implementations.  Tensors with a dtype of their own are decoded by it;
an arithmetic rounds them to what it computes with.

A gradient of a sum is that of its elements.  Values of a reduction over several elements and derivatives of a mean have
groups of their own, `reductions`; left out is what is told of other shapes.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from conformance.formulas.catalogue import Options
from conformance.numbers.formats import FORMATS, decode_hexadecimal
from conformance.numbers.measurement import LARGEST
from conformance.plan.cases import Suite
from conformance.quantities import NUMERIC
from conformance.record.record import CheckLine, InputsLine, RunRecord

if TYPE_CHECKING:
    from conformance.numbers.arrays import Floats, Index, Mask

#: Inputs of a record by the names that formulas have for them.
_NAMES = {"label": "y", "weight": "w", "pos_weight": "c"}
_PREDICTION = {"logits": "z", "probabilities": "p"}


@dataclass(frozen=True, eq=False, kw_only=True)
class Table:
    """Inputs of one form, dtype and set of options: a column for each, and the exact values of each quantity."""

    form: str
    dtype: str
    options: Options
    inputs: Mapping[str, Floats]
    ideal: Mapping[str, Floats]
    #: Where the record has an exact value, which may be NaN; elsewhere `ideal` is NaN, too.
    has_ideal: Mapping[str, Mask]
    #: Case and element of each row.
    names: tuple[tuple[str, str], ...]


@dataclass(frozen=True, kw_only=True)
class Part:
    """Results for rows of a table: bits as float64, the verdict of each, and the cause of what is wrong."""

    table: Table
    rows: Index
    got: Floats
    #: What a result is held against: what is exact, or for a wrong one what the contract gives, if that is nearer.
    ideal: Floats
    #: By how much an ULP of the natural terms, in which errors are judged, is larger than one of the exact value.
    condition: Floats
    wrong: Mask
    causes: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Group:
    """What one implementation gave for one quantity in one dtype."""

    implementation: str
    dtype: str
    result_dtype: str
    quantity: str
    form: str
    parts: tuple[Part, ...]

    @property
    def is_wrong(self) -> bool:
        """Whether any of the results is wrong."""
        return any(part.wrong.any() for part in self.parts)

    @property
    def reduced(self) -> bool:
        """Whether the results are of reductions over several elements."""
        return any(part.table.options.reduction or part.table.options.share for part in self.parts)


def groups(
    record: RunRecord,
    suite: Suite,
    quantities: Iterable[str] = NUMERIC,
    *,
    implementation: str | None = None,
    dtype: str | None = None,
) -> list[Group]:
    """The groups of `record`, in its order: all, or those of an `implementation` or of inputs of a `dtype`.

    A record has the inputs of a case and not its parameters (gamma, alpha, label_smoothing): these are in `suite`.
    Results of cases that it does not have are left out.
    """
    return _groups(_Tables, record, suite, quantities, implementation, dtype)


def reductions(
    record: RunRecord,
    suite: Suite,
    quantities: Iterable[str] = NUMERIC,
    *,
    implementation: str | None = None,
    dtype: str | None = None,
) -> list[Group]:
    """The groups of what several elements have together, values of reductions and derivatives of means; as `groups`."""
    return _groups(_Reductions, record, suite, quantities, implementation, dtype)


def _groups(
    kind: type[_Tables],
    record: RunRecord,
    suite: Suite,
    quantities: Iterable[str],
    implementation: str | None,
    dtype: str | None,
) -> list[Group]:
    wanted = frozenset(quantities)
    checks = [
        one
        for one in record.checks
        if one.quantity in wanted
        and one.bits
        and implementation in (None, one.implementation)
        and dtype in (None, one.dtype)
    ]
    asked = {(one.case, one.dtype) for one in checks}
    tables = kind({one.case.id: one.case.parameters for one in suite.cases})
    for line in record.inputs:
        if (line.case, line.dtype) in asked:
            tables.add(line)
    tables.finish()
    parts: dict[tuple[_Key, bool], dict[Table, list[_Found]]] = defaultdict(lambda: defaultdict(list))
    for check in checks:
        found = tables.find(check)
        if found is None:
            continue
        table, rows, places = found
        result = check.result_dtype or check.dtype
        if result not in FORMATS:
            continue
        key = _Key(check.implementation, check.dtype, result, check.quantity, table.form)
        parts[key, kind.apart(table.options)][table].append((rows, check, places))
    return [
        Group(**key._asdict(), parts=tuple(_part(table, found) for table, found in one.items()))
        for (key, _), one in parts.items()
    ]


#: Rows of a table, the check whose results they are, and their places in it.
_Found = tuple["Index", CheckLine, list[int]]


class _Key(NamedTuple):
    implementation: str
    dtype: str
    result_dtype: str
    quantity: str
    form: str


def _part(table: Table, found: list[_Found]) -> Part:
    check = found[0][1]
    rows = np.concatenate([rows for rows, _, _ in found])
    results = [one for _, check, places in found for one in _results(check, places)]
    exact = table.ideal[check.quantity][rows] if check.quantity in table.ideal else np.full(rows.size, np.nan)
    contract = np.array([float.fromhex(one.contract) if one.contract else np.nan for one in results])
    got = decode_hexadecimal([one.bits for one in results], check.result_dtype or check.dtype)
    by_contract = np.array([one.contract != "" for one in results]) & (contract != exact)
    by_contract &= ~(_octaves(got, exact) < _octaves(got, contract))
    return Part(
        table=table,
        rows=rows,
        got=got,
        ideal=np.where(by_contract, contract, exact),
        condition=np.where(by_contract, 1.0, [one.condition for one in results]),
        wrong=np.array([one.wrong for one in results], np.bool_),
        causes=tuple(one.cause for one in results),
    )


def _octaves(got: Floats, value: Floats) -> Floats:
    """How far results are from values, in powers of two; infinite where that does not tell it: of NaN, 0 and signs.

    Infinities stand at the number beyond which errors are not told apart.
    """
    with np.errstate(all="ignore"):
        got, value = (np.clip(one, -LARGEST, LARGEST) for one in (got, value))
        apart = np.abs(np.log2(np.abs(got)) - np.log2(np.abs(value)))
        return np.where(np.isnan(apart) | (np.sign(got) != np.sign(value)), np.inf, apart)


class _Result(NamedTuple):
    bits: str
    wrong: bool
    cause: str
    contract: str
    condition: float


def _results(check: CheckLine, places: list[int]) -> Iterator[_Result]:
    """Results of a check."""
    findings = {one.element: one for one in check.findings}
    plain_ulp = check.plain_ulp or check.ulp
    for place in places:
        finding = findings.get(check.elements[place])
        plain, scaled = (errors[place] if errors else None for errors in (plain_ulp, check.ulp))
        condition = plain / scaled if plain and scaled else 1.0
        if finding is not None and finding.verdict == "deviates":
            yield _Result(check.bits[place], True, finding.cause, finding.contract, condition)
        else:
            yield _Result(check.bits[place], False, "", "", condition)


class _Tables:
    """The tables of a run, while they grow: of elements."""

    def __init__(self, parameters: Mapping[str, Mapping[str, object]]) -> None:
        self.parameters = parameters
        self.lines: dict[tuple[str, str, Options], list[_Rows]] = defaultdict(list)
        self.places: dict[tuple[str, str, bool], tuple[Table, dict[str, int]]] = {}

    @staticmethod
    def apart(options: Options) -> bool:
        """Whether results belong to a group of their own under some options."""
        return False

    def add(self, line: InputsLine) -> None:
        """Take in a case, unless it is none of the suite."""
        if line.case not in self.parameters or line.dtype not in FORMATS:
            return
        for options, rows in self.rows(line):
            self.lines[line.form, line.dtype, options].append(rows)

    def rows(self, line: InputsLine) -> Iterator[tuple[Options, _Rows]]:
        """The rows of a case, unless it is a mean of several losses; of a sum without its value."""
        several = _is_several(line)
        if not several or line.reduction == "sum":
            yield self.options(line), _Rows.of_elements(line, values=not several)

    def options(self, line: InputsLine) -> Options:
        """Those of each element of a case."""
        known: dict[str, Any] = {name: str(value) for name, value in self.parameters[line.case].items()}
        dtypes = [(_NAMES[name], one) for name, one in sorted(line.dtypes.items())]
        beside = tuple((name, _beside(line.dtype, one)) for name, one in dtypes)
        return Options(
            weight="weight" in line.inputs,
            pos_weight="pos_weight" in line.inputs,
            beside=tuple((name, one) for name, one in beside if one),
            narrower=tuple((name, one) for name, one in dtypes if _is_narrower(line.dtype, one)),
            **known,
        )

    def finish(self) -> None:
        """Make the tables of what was taken in."""
        for (form, dtype, options), lines in self.lines.items():
            inputs = {name: np.concatenate([one.inputs[name] for one in lines]) for name in lines[0].inputs}
            texts = {
                quantity: [text for one in lines for text in one.ideal_of(quantity)]
                for quantity in {name for one in lines for name in one.ideal}
            }
            table = Table(
                form=form,
                dtype=dtype,
                options=options,
                inputs=inputs,
                ideal={
                    quantity: np.array([float.fromhex(text or "nan") for text in of]) for quantity, of in texts.items()
                },
                has_ideal={quantity: np.array([bool(text) for text in of]) for quantity, of in texts.items()},
                names=tuple((one.case, element) for one in lines for element in one.elements),
            )
            start = 0
            for one in lines:
                found = table, {e: start + k for k, e in enumerate(one.elements)}
                self.places.update({(one.case, dtype, value): found for value in one.kinds})
                start += len(one.elements)

    def find(self, check: CheckLine) -> tuple[Table, Index, list[int]] | None:
        """The table of a check, the rows of its elements, and their places in the check."""
        found = self.places.get((check.case, check.dtype, check.quantity == "value"))
        if found is None or len(check.bits) != len(check.elements):
            return None
        table, rows = found
        places = [k for k, one in enumerate(check.elements) if one in rows and check.bits[k]]
        if not places:
            return None
        return table, np.array([rows[check.elements[k]] for k in places], np.int64), places


class _Reductions(_Tables):
    """The tables of what several elements have together."""

    @staticmethod
    def apart(options: Options) -> bool:
        """A weighted mean is divided by the number of elements, or by the sum of the weights."""
        return options.weight

    def rows(self, line: InputsLine) -> Iterator[tuple[Options, _Rows]]:
        """A row for the value of a case, and those of its elements, of which derivatives of a mean are told."""
        count = len(line.elements)
        if not _is_several(line) or count > MOST_TERMS:
            return
        options = replace(self.options(line), single=line.dtype == "float64")
        yield replace(options, reduction=line.reduction, terms=count), _Rows.of_whole(line)
        if line.reduction == "mean":
            yield replace(options, share=count), _Rows.of_elements(line, values=False)


#: Elements of a reduction that are looked into: its formula has a term for each.
MOST_TERMS = 16


def _is_several(line: InputsLine) -> bool:
    return line.reduction != "none" and len(line.elements) > 1


@dataclass(frozen=True, kw_only=True)
class _Rows:
    """Rows of a table: one for each element of a case, or one for all; `kinds`, whether of values or of derivatives."""

    case: str
    elements: tuple[str, ...]
    inputs: Mapping[str, Floats]
    ideal: Mapping[str, tuple[str, ...]]
    kinds: tuple[bool, ...]

    @classmethod
    def of_elements(cls, line: InputsLine, *, values: bool) -> _Rows:
        """The inputs of each element, for its derivatives, and for its value under `values`."""
        return cls(
            case=line.case,
            elements=line.elements,
            inputs={_name(line, name): _column(line, name) for name in line.inputs},
            ideal=line.ideal,
            kinds=(False, True) if values else (False,),
        )

    @classmethod
    def of_whole(cls, line: InputsLine) -> _Rows:
        """The inputs of all elements side by side, by their numbers."""
        columns = {name: _column(line, name) for name in line.inputs}
        return cls(
            case=line.case,
            elements=("all",),
            inputs={
                f"{_name(line, name)}{k}": of[k : k + 1]
                for k in range(len(line.elements))
                for name, of in columns.items()
            },
            ideal={quantity: of for quantity, of in line.ideal.items() if quantity == "value"},
            kinds=(True,),
        )

    def ideal_of(self, quantity: str) -> tuple[str, ...]:
        """The exact values of a quantity: empty where the record has none, or one for all elements."""
        ideal = self.ideal.get(quantity, ())
        return ideal if len(ideal) == len(self.elements) else ("",) * len(self.elements)


def _name(line: InputsLine, name: str) -> str:
    return _NAMES.get(name) or _PREDICTION[line.form]


def _column(line: InputsLine, name: str) -> Floats:
    return decode_hexadecimal(line.inputs[name], line.dtypes.get(name, line.dtype))


def _beside(prediction: str, dtype: str) -> str:
    """What an operation on an input of `dtype` alone gives, as in `Options.beside`; empty where `prediction` holds it.

    Integers of 32 bits and more are as wide as float64: NumPy's promotion
    (https://numpy.org/doc/stable/reference/arrays.promotion.html), where others take them for the prediction's dtype.
    """
    own, other = FORMATS[prediction], FORMATS.get("float64" if dtype in ("int32", "int64") else dtype)
    if other is None or (other.precision <= own.precision and other.emax <= own.emax):
        return ""
    return "step" if other.precision >= own.precision and other.emax >= own.emax else "other"


def _is_narrower(prediction: str, dtype: str) -> bool:
    """Whether the format `prediction` holds every number of the format `dtype`, and more."""
    own, other = FORMATS[prediction], FORMATS.get(dtype)
    return other is not None and other.precision < own.precision and other.emax <= own.emax
