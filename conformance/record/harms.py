"""The harm of every finding of a run, and of every element that only its documentation excuses (docs/harm.md).

Results of one dtype, quantity and form are weighed at once.  Where a record holds no exact value (presentations,
probes, relations), its size is taken as 1 and the error from the ULP that were counted, at most twice too large.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from conformance.judge.harm import Harm, beyond_use, of_dtype, within_budget
from conformance.judge.harm import harms as weighed
from conformance.numbers.formats import FORMATS, decode_hexadecimal
from conformance.numbers.measurement import BUDGET
from conformance.quantities import RELATION, RESULT_DTYPE, VALUE
from conformance.record.record import CheckLine, InputsLine, RunRecord

#: An element of a check: the check's id and the element's name.
Place = tuple[str, str]
Harms = dict[Place, Harm]

#: These break whatever the inputs are: a process that ends, a shape that no batch has, inputs written over.
ANYWHERE = frozenset({"crashed", "timed-out", "result-shape", "changed"})

#: These break at inputs that training meets: what is valid is refused, or what is not is accepted in silence.
ORDINARILY = frozenset({"raised", "accepted"})

#: What the judges say of two numbers (of agreement, repeatable, reduction), and of a relation and of a dtype.
_TWO = re.compile(
    r"(?:(?P<quantity>[\w-]+): )?(?:.* alone gave |got )?(?P<got>\S+),"
    r" (?:plainly|among others|its own unreduced results give) (?P<owed>[^\s,]+)"
)
_RESIDUAL = re.compile(r"residual (?P<residual>\S+), bound (?P<bound>\S+)")
_DTYPES = re.compile(r"returned (?P<returned>\w+)(?: for|, plainly) (?P<asked>\w+)")


class Sought(NamedTuple):
    """An element whose harm is asked for: `at` is its place in the check's columns, `what` and `detail` as found."""

    check: CheckLine
    element: str
    at: int | None
    what: str = ""
    detail: str = ""

    def told(self, column: tuple[float | None, ...]) -> float | None:
        """What a column says of it, if anything."""
        return None if self.at is None or self.at >= len(column) else column[self.at]

    @property
    def bits(self) -> str:
        """What came back; "" where nothing comparable did."""
        return "" if self.at is None or self.at >= len(self.check.bits) else self.check.bits[self.at]

    @property
    def dtype(self) -> str:
        """The dtype of its result."""
        return self.check.result_dtype if self.check.result_dtype in FORMATS else self.check.dtype


def harms(record: RunRecord) -> Harms:
    """The harm of every finding, recorded or new; of several about one element the worst."""
    return _Weighing(record).of(_findings(record))


def documented(record: RunRecord) -> Harms:
    """The harm of every element that is by contract and outside the budget of the exact value.

    A relation has no size there: it has the worst that is documented of that implementation in that dtype.
    """
    weighing = _Weighing(record)
    casts = {line.id: field["dtype"] for line in record.header.implementations for field in _casts(line.contract)}
    found: Harms = {}
    relations: list[Sought] = []
    numbers: list[Sought] = []
    for one in _by_contract(record):
        if one.check.quantity == RELATION:
            relations.append(one)
        elif one.check.quantity == RESULT_DTYPE:
            found[one.check.id, one.element] = of_dtype(casts.get(one.check.implementation, ""), one.check.dtype)
        else:
            numbers.append(one)
    found |= weighing.of(numbers)
    least: dict[tuple[str, str], Harm] = {}
    for one in numbers:
        key = one.check.implementation, one.check.dtype
        least[key] = max(least.get(key, Harm.REFUSES), found[one.check.id, one.element])
    for one in relations:
        found[one.check.id, one.element] = least.get((one.check.implementation, one.check.dtype), Harm.LAST_DIGITS)
    return found


def _casts(contract: list[dict[str, str]]) -> Iterator[dict[str, str]]:
    yield from (field for field in contract if field["name"] == "casts_to")


def _findings(record: RunRecord) -> Iterator[Sought]:
    for check in record.checks:
        places = {name: place for place, name in enumerate(check.elements)} if check.findings else {}
        for one in check.findings:
            if one.outcome != "fixed":
                yield Sought(check, one.element, places.get(one.element), one.what, one.detail)


def _by_contract(record: RunRecord) -> Iterator[Sought]:
    for check in record.checks:
        if check.verdict == "by-contract" or "by-contract" in check.verdicts:
            verdicts = check.verdicts or (check.verdict,) * len(check.elements)
            for place, (name, verdict) in enumerate(zip(check.elements, verdicts, strict=True)):
                one = Sought(check, name, place)
                error = one.told(check.ulp)
                within = error is not None and error <= (one.told(check.budget) or BUDGET)
                if verdict == "by-contract" and not within:
                    yield one


class _Kind(NamedTuple):
    """What results have in common that are weighed at once."""

    dtype: str
    quantity: str
    form: str


class _Numbers:
    """Results of one kind: as bits or, where none are kept, as numbers."""

    def __init__(self) -> None:
        self.places: list[Place] = []
        self.bits: list[str] = []
        self.got: list[float] = []
        self.owed: list[float] = []

    def add(self, place: Place, owed: float, *, bits: str = "0", got: float = 0.0) -> None:
        """Take in a result: what came back is either `bits` or `got`."""
        self.places.append(place)
        self.bits.append(bits)
        self.got.append(got)
        self.owed.append(owed)

    def weighed(self, dtype: str, quantity: str, form: str) -> Iterator[tuple[Place, Harm]]:
        """The harm of each."""
        got = decode_hexadecimal(self.bits, dtype) + np.array(self.got)
        codes = weighed(got, np.array(self.owed), dtype, quantity, form)
        yield from zip(self.places, map(Harm, codes.tolist()), strict=True)


class _Weighing:
    """The inputs of a run, and which of them are beyond use."""

    def __init__(self, record: RunRecord) -> None:
        self.inputs = record.inputs_by_case
        self.beyond = {key: _beyond(line) for key, line in self.inputs.items()}

    def of(self, sought: Iterator[Sought] | list[Sought]) -> Harms:
        """The harm of all, by check and element."""
        numbers: dict[_Kind, _Numbers] = defaultdict(_Numbers)
        found: Harms = {}
        for one in sought:
            place = one.check.id, one.element
            harm = self._at_once(one)
            if harm is None:
                self._take(one, place, numbers)
            else:
                found[place] = max(harm, found.get(place, harm))
        for kind, group in numbers.items():
            for place, harm in group.weighed(*kind):
                found[place] = max(harm, found.get(place, harm))
        return found

    def _at_once(self, one: Sought) -> Harm | None:
        """The harm that follows without a number; None where it has to be weighed."""
        if one.what in ANYWHERE:
            return Harm.BREAKS
        if one.what == "unsupported" or (not one.what and not one.bits):
            return Harm.REFUSES
        if self._is_beyond(one):
            return Harm.EDGE
        if one.what in ORDINARILY:
            return Harm.BREAKS
        if one.what == "result-dtype":
            dtypes = _DTYPES.search(one.detail)
            return of_dtype(dtypes["returned"], dtypes["asked"]) if dtypes else Harm.BREAKS
        if one.bits or _TWO.match(one.detail) or _RESIDUAL.match(one.detail):
            return None
        return Harm.BREAKS

    def _is_beyond(self, one: Sought) -> bool:
        """Whether the inputs of an element are beyond use; of what has several elements, whether any are."""
        beyond = self.beyond.get((one.check.case, one.check.dtype), {})
        return beyond[one.element] if one.element in beyond else any(beyond.values())

    def _take(self, one: Sought, place: Place, numbers: dict[_Kind, _Numbers]) -> None:
        """Put a result and what it should be among those of its kind."""
        line = self.inputs[one.check.case, one.check.dtype]
        if one.bits:
            group = numbers[_Kind(one.dtype, one.check.quantity, line.form)]
            exact = _exact(one, line)
            if exact:
                group.add(place, float.fromhex(exact), bits=one.bits)
            else:
                got, owed = _of_size_one(one)
                group.add(place, owed, got=got)
        elif stated := _RESIDUAL.match(one.detail):
            # The bound is a budget: what is exact is at least that divided by the largest relative error within it.
            owed = float(stated["bound"]) / within_budget(one.dtype)
            got = owed + abs(float(stated["residual"]))
            numbers[_Kind(one.dtype, VALUE, line.form)].add(place, owed, got=got)
        elif two := _TWO.match(one.detail):
            group = numbers[_Kind(one.dtype, two["quantity"] or VALUE, line.form)]
            group.add(place, float(two["owed"]), got=float(two["got"]))


def _exact(one: Sought, line: InputsLine) -> str:
    """The exact value of an element as the record has it, "" where it has none."""
    ideal = line.ideal.get(one.check.quantity, ())
    return ideal[one.at] if one.at is not None and len(ideal) == len(one.check.elements) else ""


def _of_size_one(one: Sought) -> tuple[float, float]:
    """A result and what it should be, where only the class of the mistake and the error in ULP are known."""
    if one.what in ("nan", "infinite"):
        return (np.nan if one.what == "nan" else np.inf), 1.0
    if one.what == "number":
        return 1.0, np.nan
    error = one.told(one.check.plain_ulp or one.check.ulp)
    if one.what == "finite" or error is None:
        return 1.0, np.inf
    if one.what == "zero":
        return 0.0, 1.0
    relative = error * 2 * FORMATS[one.dtype].unit_roundoff
    return (1.0 - relative if one.what == "sign" else 1.0 + relative), 1.0


def _beyond(line: InputsLine) -> dict[str, bool]:
    """Which elements of a case are beyond use, because any of their inputs is."""
    found = np.zeros(len(line.elements), np.bool_)
    for name, bits in line.inputs.items():
        dtype = line.dtypes.get(name, line.dtype)
        values = decode_hexadecimal(bits, dtype)
        found |= beyond_use(values, dtype if dtype in FORMATS else line.dtype)
    return dict(zip(line.elements, found.tolist(), strict=True))
