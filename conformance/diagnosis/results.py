"""The results of a run as arrays: for each implementation, dtype and quantity, what it gave for which inputs.

Inputs are the same for every implementation of a form and dtype, so they stand in one `Table`, and a `Group` holds
places in it: a formula is evaluated once for all implementations.  Tensors with a dtype of their own are decoded by it;
an arithmetic rounds them to what it computes with.

Left out is what is no elementwise formula of a loss: the value of a reduction over several elements, a gradient of a
mean, and what is told of other shapes.  A gradient of a sum is that of its elements.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

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
    tables = _Tables({one.case.id: one.case.parameters for one in suite.cases})
    for line in record.inputs:
        if (line.case, line.dtype) in asked:
            tables.add(line)
    tables.finish()
    parts: dict[_Key, dict[Table, list[_Found]]] = defaultdict(lambda: defaultdict(list))
    for check in checks:
        found = tables.find(check)
        if found is None:
            continue
        table, rows, places = found
        result = check.result_dtype or check.dtype
        if result not in FORMATS:
            continue
        key = _Key(check.implementation, check.dtype, result, check.quantity, table.form)
        parts[key][table].append((rows, check, places))
    return [
        Group(**key._asdict(), parts=tuple(_part(table, found) for table, found in one.items()))
        for key, one in parts.items()
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
    """The tables of a run, while they grow."""

    def __init__(self, parameters: Mapping[str, Mapping[str, object]]) -> None:
        self.parameters = parameters
        self.lines: dict[tuple[str, str, Options], list[InputsLine]] = defaultdict(list)
        self.places: dict[tuple[str, str], tuple[Table, dict[str, int]]] = {}
        self.sums: set[tuple[str, str]] = set()

    def add(self, line: InputsLine) -> None:
        """Take in a case, unless it is a mean of several losses, or none of the suite."""
        several = line.reduction != "none" and len(line.elements) > 1
        if line.case not in self.parameters or line.dtype not in FORMATS or (several and line.reduction != "sum"):
            return
        if several:
            self.sums.add((line.case, line.dtype))
        known = {name: str(value) for name, value in self.parameters[line.case].items()}
        beside = tuple((_NAMES[name], _beside(line.dtype, one)) for name, one in sorted(line.dtypes.items()))
        options = Options(
            weight="weight" in line.inputs,
            pos_weight="pos_weight" in line.inputs,
            beside=tuple((name, one) for name, one in beside if one),
            **known,
        )
        self.lines[line.form, line.dtype, options].append(line)

    def finish(self) -> None:
        """Make the tables of what was taken in."""
        for (form, dtype, options), lines in self.lines.items():
            inputs = {
                (_NAMES.get(name) or _PREDICTION[form]): np.concatenate(
                    [decode_hexadecimal(one.inputs[name], one.dtypes.get(name, dtype)) for one in lines]
                )
                for name in lines[0].inputs
            }
            texts = {
                quantity: [text for one in lines for text in _of_elements(one, quantity)]
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
                self.places[one.case, dtype] = table, {e: start + k for k, e in enumerate(one.elements)}
                start += len(one.elements)

    def find(self, check: CheckLine) -> tuple[Table, Index, list[int]] | None:
        """The table of a check, the rows of its elements, and their places in the check."""
        place = check.case, check.dtype
        found = self.places.get(place)
        if (
            found is None
            or len(check.bits) != len(check.elements)
            or (place in self.sums and check.quantity == "value")
        ):
            return None
        table, rows = found
        places = [k for k, one in enumerate(check.elements) if one in rows and check.bits[k]]
        if not places:
            return None
        return table, np.array([rows[check.elements[k]] for k in places], np.int64), places


def _beside(prediction: str, dtype: str) -> str:
    """What an operation on an input of `dtype` alone gives, as in `Options.beside`; empty where `prediction` holds it.

    Integers of 32 bits and more are as wide as float64: NumPy's promotion
    (https://numpy.org/doc/stable/reference/arrays.promotion.html), where others take them for the prediction's dtype.
    """
    own, other = FORMATS[prediction], FORMATS.get("float64" if dtype in ("int32", "int64") else dtype)
    if other is None or (other.precision <= own.precision and other.emax <= own.emax):
        return ""
    return "step" if other.precision >= own.precision and other.emax >= own.emax else "other"


def _of_elements(line: InputsLine, quantity: str) -> tuple[str, ...]:
    """The exact values of a quantity for each element: empty where the record has none, or one for all."""
    ideal = line.ideal.get(quantity, ())
    return ideal if len(ideal) == len(line.elements) else ("",) * len(line.elements)
