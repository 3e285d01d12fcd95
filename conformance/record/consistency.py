"""Whether the lines of a run record fit each other: asked once, where a record is read, so that no reader need ask.

A record that parses may still name what no line declares, have lists of different lengths, or numbers that are none.
Each rule is about one kind of line, by the tag that `record` gives it, and about what stood before it; a breach is told
as field, requirement and value.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable
from pathlib import Path
from typing import Any, TypeVar, get_args

from msgspec import Struct

from conformance.contracts import Source
from conformance.errors import at
from conformance.ids import CauseId, ImplementationId
from conformance.judge.verdicts import SEVERITY
from conformance.numbers.formats import FORMATS
from conformance.plan.cases import Form
from conformance.plan.domain import REGIONS
from conformance.quantities import QUANTITIES

T = TypeVar("T", bound=Struct)

#: Lists of a check or sample that have one entry for each element, or none.
EACH = ("verdicts", "bits", "ulp", "plain_ulp", "contract_ulp", "budget")

#: What a prediction is, and what a problem is (docs/known.md), the worst first.
FORMS = get_args(Form)
KINDS = ("bug", "by-design", "unsupported")

#: Digits of the widest bit pattern, of a dtype that is none of FORMATS: 64 bits.
WIDEST = 16

#: Bit patterns of any number of elements, one after the other.
_BITS = re.compile("[0-9a-f]*")


class Contradiction(ValueError):
    """What a line says that cannot be, or that an earlier line does not let it say."""


class Consistency:
    """What the lines of a record in `file` have said so far; `fitting` is told each, the header first."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.implementations: set[str] = set()
        self.inputs: dict[tuple[str, str], int] = {}
        self.planned = 0
        self.checks: set[str] = set()
        self.verdicts: Counter[str] = Counter()
        self._rules: dict[str, Callable[[Any], None]] = {
            "header": self._header,
            "inputs": self._inputs,
            "check": self._check,
            "sample": self._sample,
            "problem": self._problem,
            "tally": self._tally,
            "tolerance": self._measured,
            "speed": self._measured,
            "footer": self._footer,
        }

    def fitting(self, number: int, line: T) -> T:
        """A line that fits those before it.  Raises InputError with file, line and field."""
        try:
            self._hold(line)
        except Contradiction as error:
            raise at(self.file, number, str(error), "was it changed by hand?  make another run") from None
        return line

    def fits(self, line: Struct) -> bool:
        """Whether a line fits those before it."""
        try:
            self._hold(line)
        except Contradiction:
            return False
        return True

    def _hold(self, line: Struct) -> None:
        rule = self._rules.get(str(line.__struct_config__.tag))
        if rule is not None:
            rule(line)

    def _header(self, line: Any) -> None:
        if line.planned < 1:
            raise Contradiction(f"planned must be at least 1 (got {line.planned})")
        if not line.familiar and not isinstance(line.machine.get("instruction-set"), str):
            raise Contradiction(f"machine must have the instruction-set that is not familiar (got {line.machine})")
        if line.skipped < 0:
            raise Contradiction(f"skipped must not be negative (got {line.skipped})")
        _once("backends", [one.name for one in line.backends])
        _once("implementations", [one.id for one in line.implementations])
        for one in line.implementations:
            _parsed("implementations: id", ImplementationId, one.id)
            _known("implementations: form", one.form, FORMS)
            if one.family != ImplementationId.parse(one.id).family:
                raise Contradiction(f"implementations: family must be that of {one.id} (got {one.family!r})")
            _contract(one.id, one.contract)
        self.planned = line.planned
        self.implementations = {one.id for one in line.implementations}

    def _inputs(self, line: Any) -> None:
        _known("dtype", line.dtype, FORMATS)
        _known("form", line.form, FORMS)
        _once("elements", line.elements)
        if (line.case, line.dtype) in self.inputs:
            raise Contradiction(f"the inputs of {line.case} in {line.dtype} stand in an earlier line")
        if line.inputs and (missing := {"prediction", "label"} - line.inputs.keys()):
            raise Contradiction(f"inputs must have {', '.join(sorted(missing))} (got {', '.join(line.inputs)})")
        for name, values in line.inputs.items():
            _as_many(f"inputs.{name}", values, len(line.elements))
            _bits(f"inputs.{name}", values, line.dtypes.get(name, line.dtype))
            if not all(values):
                raise Contradiction(f"inputs.{name} must be bit patterns (got '')")
        for quantity, numbers in line.ideal.items():
            _known("ideal", quantity, QUANTITIES)
            if len(numbers) > len(line.elements):
                raise Contradiction(f"ideal.{quantity} must have at most {len(line.elements)} (got {len(numbers)})")
            for number in numbers:
                _number(f"ideal.{quantity}", number)
        self.inputs[line.case, line.dtype] = len(line.elements)

    def _check(self, line: Any) -> None:
        self._asked(line)
        if line.id != f"{line.case}::{line.implementation}::{line.dtype}::{line.quantity}":
            raise Contradiction(f"id must be made of case, implementation, dtype and quantity (got {line.id!r})")
        if line.id in self.checks:
            raise Contradiction(f"{line.id} stands in an earlier line")
        if line.verdict not in SEVERITY:
            _known("verdict", line.verdict, SEVERITY)
        for name in EACH:
            if values := getattr(line, name):
                _as_many(name, values, len(line.elements))
        _bits("bits", line.bits, line.result_dtype)
        if line.verdicts or line.findings or line.formula:
            _judged(line)
        self.checks.add(line.id)
        self.verdicts[line.verdict] += 1

    def _sample(self, line: Any) -> None:
        self._asked(line)
        count = self.inputs[line.case, line.dtype]
        for name in ("bits", "ulp"):
            _as_many(name, getattr(line, name), count)
        for name in ("plain_ulp", "contract_ulp"):
            if values := getattr(line, name):
                _as_many(name, values, count)
        _bits("bits", line.bits, line.result_dtype)

    def _asked(self, line: Any) -> None:
        """Whether an earlier line declares what a check or a sample is of."""
        self._of(line.implementation)
        if (line.case, line.dtype) not in self.inputs:
            raise Contradiction(f"no line before has the inputs of {line.case} in {line.dtype}")
        if line.quantity not in QUANTITIES:
            _known("quantity", line.quantity, QUANTITIES)

    def _of(self, implementation: str) -> None:
        if implementation not in self.implementations:
            raise Contradiction(f"implementation must be one of the header (got {implementation!r})")

    def _problem(self, line: Any) -> None:
        _known("kind", line.kind, KINDS)

    def _measured(self, line: Any) -> None:
        """What was measured of an implementation in a dtype, beside the checks."""
        self._of(line.implementation)
        _known("dtype", line.dtype, FORMATS)

    def _tally(self, line: Any) -> None:
        self._measured(line)
        _counts("verdicts", line.verdicts)
        for quantity in line.worst:
            _known("worst", quantity, QUANTITIES)

    def _footer(self, line: Any) -> None:
        _counts("verdicts", line.verdicts)
        if line.verdicts != self.verdicts:
            raise Contradiction(f"verdicts must count the checks, {dict(self.verdicts)} (got {line.verdicts})")
        if len(self.checks) > self.planned:
            raise Contradiction(f"of {self.planned} planned checks there must be no more (got {len(self.checks)})")


def _judged(line: Any) -> None:
    """What a check says of single elements."""
    for verdict in line.verdicts:
        _known("verdicts", verdict, SEVERITY)
    for name in line.formula:
        _known("formula", name, line.elements)
    for one in line.findings:
        _finding(line, one)


def _finding(line: Any, one: Any) -> None:
    if line.elements != ("all",):  # what is asked of a whole call may show on one of its elements
        _known("findings: element", one.element, line.elements)
    _known("findings: verdict", one.verdict, SEVERITY)
    _parsed("findings: cause", CauseId, one.cause)
    _known("findings: region of the cause", CauseId.parse(one.cause).region, REGIONS)
    for name in ("contract", "ideal"):
        if number := getattr(one, name):
            _number(f"findings: {name}", number)


def _contract(implementation: str, fields: Iterable[dict[str, Any]]) -> None:
    """Whether each field has a name and a source; which names there are is up to the suite that wrote it."""
    for field in fields:
        source = field.get("source", {})
        if not isinstance(field.get("name"), str) or not isinstance(source, dict):
            raise Contradiction(f"contract of {implementation}: a field must have name and source (got {field!r})")
        for key, value in source.items():
            if key not in Source.__dataclass_fields__ or not isinstance(value, str):
                raise Contradiction(f"contract of {implementation}: source must be text (got {key} {value!r})")


def _parsed(name: str, kind: type[ImplementationId | CauseId], text: str) -> None:
    try:
        kind.parse(text)
    except ValueError:
        raise Contradiction(f"{name} must be {'/'.join(kind._fields)} (got {text!r})") from None


def _known(name: str, value: str, known: Collection[str]) -> None:
    if value not in known:
        raise Contradiction(f"{name} must be one of {', '.join(known)} (got {value!r})")


def _once(name: str, values: Collection[str]) -> None:
    if len(set(values)) < len(values):
        twice = next(value for value, count in Counter(values).items() if count > 1)
        raise Contradiction(f"{name} must name each once (got {twice!r} twice)")


def _as_many(name: str, values: Collection[object], count: int) -> None:
    if len(values) != count:
        raise Contradiction(f"{name} must have {count} entries, one for each element (got {len(values)})")


def _bits(name: str, values: Collection[str], dtype: str) -> None:
    if _BITS.fullmatch("".join(values)) is None:
        wrong = next(value for value in values if _BITS.fullmatch(value) is None)
        raise Contradiction(f"{name} must be bit patterns in hexadecimal (got {wrong!r})")
    digits = FORMATS[dtype].width // 4 if dtype in FORMATS else WIDEST
    if max(map(len, values), default=0) > digits:
        raise Contradiction(f"{name} must have at most {digits} digits (got {max(values, key=len)!r})")


def _number(name: str, text: str) -> None:
    try:
        float.fromhex(text)
    except (ValueError, OverflowError):
        raise Contradiction(f"{name} must be a number in hexadecimal (got {text!r})") from None


def _counts(name: str, counts: dict[str, int]) -> None:
    for verdict, count in counts.items():
        _known(name, verdict, SEVERITY)
        if count < 0:
            raise Contradiction(f"{name} must not be negative (got {verdict} {count})")
