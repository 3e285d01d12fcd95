"""Why the results of an implementation are wrong: its formula, the steps to blame on chosen inputs, the mechanism.

A `Diagnosis` is of one implementation, quantity and dtype.  Its examples are inputs with a wrong result whose bits the
formula gives as well, one for each cause that the run tells, the plainest first.  Where no formula is identified there
is no mechanism either.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from conformance.diagnosis.guilty import Guilt, Row, guilty, table
from conformance.diagnosis.identify import Fit, Identified, Models, alike
from conformance.diagnosis.mechanism import Found, mechanisms_of
from conformance.diagnosis.of_run import identified_of
from conformance.diagnosis.results import Group, Part, groups
from conformance.diagnosis.sentence import sentence
from conformance.diagnosis.vocabulary import Mechanism
from conformance.formulas.exact import PartlyExact, Steps
from conformance.formulas.text import text
from conformance.numbers.measurement import BUDGET
from conformance.plan.cases import Suite
from conformance.quantities import NUMERIC
from conformance.record.record import RunRecord

if TYPE_CHECKING:
    from conformance.numbers.arrays import Mask

#: Inputs that are looked into for one cause until one has a mechanism: where libraries differ in a last bit, an
#: emulation can be right where a result is wrong.
TRIES = 4
#: Examples of one group: for each cause one without a right digit and one with some, which lose them elsewhere.
EXAMPLES = 8


@dataclass(frozen=True, kw_only=True)
class Example:
    """One wrong result: where it stands in the run, and who is to blame for it, the largest loss first."""

    case: str
    element: str
    cause: str
    got: float
    guilt: Guilt
    found: tuple[Found, ...]

    @property
    def mechanism(self) -> Mechanism:
        """What happened first of all."""
        return self.found[0].mechanism

    @property
    def sentence(self) -> str:
        """What happened, in words."""
        return sentence(self.guilt, self.found, text)

    @property
    def rows(self) -> tuple[Row, ...]:
        """Every step, exact and as rounded."""
        return table(self.guilt)


class Only(NamedTuple):
    """Which results are told: those of a case, or of its element, or all."""

    case: str = ""
    element: str = ""

    def of(self, part: Part) -> Mask:
        """Which rows of a part are wrong and asked for."""
        if not self.case:
            return part.wrong
        names = [part.table.names[place] for place in part.rows]
        return part.wrong & np.array(
            [case == self.case and self.element in ("", element) for case, element in names], np.bool_
        )


EVERYTHING = Only()


@dataclass(frozen=True)
class Diagnosis:
    """What is known of the results of a group."""

    identified: Identified
    examples: tuple[Example, ...]

    @property
    def group(self) -> Group:
        """The results."""
        return self.identified.group

    @property
    def model(self) -> Fit | None:
        """The model that tells the results best; None where the group is unidentified."""
        return self.identified.survivors[0] if self.identified else None

    @property
    def wrong(self) -> int:
        """How many results are wrong."""
        return sum(int(part.wrong.sum()) for part in self.group.parts)

    @cached_property
    def mechanisms(self) -> tuple[Mechanism, ...]:
        """What happened, the commonest of the examples first."""
        return tuple(one for one, _ in Counter(example.mechanism for example in self.examples).most_common())


def diagnosed(identified: Identified, only: Only = EVERYTHING) -> Diagnosis:
    """The diagnosis of a group whose models are known; its examples are of the results of `only`."""
    if not identified:
        return Diagnosis(identified, ())
    model = identified.survivors[0]
    chosen: dict[tuple[str, bool], Example] = {}
    tried: Counter[tuple[str, bool]] = Counter()
    for one in _wrong_rows(identified.group, model, only):
        kind = one.part.causes[one.row], one.right
        if kind in chosen or tried[kind] >= TRIES or len(chosen) >= EXAMPLES:
            continue
        tried[kind] += 1
        example = example_at(identified.group, model, one.number, one.row)
        if example is not None:
            chosen[kind] = example
    return Diagnosis(identified, tuple(chosen.values()))


def diagnose(
    record: RunRecord,
    suite: Suite,
    implementation: str,
    quantities: Sequence[str] = (),
    dtypes: Sequence[str] = (),
    only: Only = EVERYTHING,
) -> list[Diagnosis]:
    """The diagnoses of the wrong results of one implementation in a run, in the order of the run.

    They are of all `quantities` and `dtypes` where none are named, and of those in which a result is wrong that is
    of `only`, an element: of reductions `why` tells.  Every other result tells the formula as well.
    """
    found = identified_of(record, suite, implementation, quantities or NUMERIC)
    return [
        diagnosed(one, only)
        for one in found
        if not one.group.reduced
        and (not dtypes or one.group.dtype in dtypes)
        and any(only.of(part).any() for part in one.group.parts)
    ]


def same_formula(diagnosis: Diagnosis, record: RunRecord, suite: Suite) -> list[str]:
    """Other implementations whose results in the same quantity and dtype the same model gives as well."""
    if diagnosis.model is None:
        return []
    group, models = diagnosis.group, Models()
    return [
        other.implementation
        for other in groups(record, suite, (group.quantity,), dtype=group.dtype)
        if other.form == group.form
        and other.implementation != group.implementation
        and alike(other, diagnosis.model, models)
    ]


@dataclass(frozen=True)
class _Wrong:
    """One wrong result: the part of its group, the number of that and the row in it; some digits of it are `right`."""

    part: Part
    number: int
    row: int
    right: bool


def _wrong_rows(group: Group, model: Fit, only: Only) -> list[_Wrong]:
    """Every wrong result that is asked for and that the model explains, the plainest inputs first."""
    found = []
    for number, (part, where) in enumerate(zip(group.parts, model.where, strict=True)):
        told = part.table.has_ideal.get(group.quantity, np.zeros(len(part.table.names), np.bool_))[part.rows]
        for row in map(int, np.nonzero(only.of(part) & where & told)[0]):
            found.append((_has_right_digits(part, row), *_plainness(part, row), number, row))
    return [_Wrong(group.parts[number], number, row, right) for right, *_, number, row in sorted(found)]


def _has_right_digits(part: Part, row: int) -> bool:
    """Whether the result is nearer to what is right than half of that."""
    ideal, got = float(part.ideal[row]), float(part.got[row])
    return math.isfinite(got) and abs(got - ideal) < abs(ideal) / 2


def _plainness(part: Part, row: int) -> tuple[bool, bool, int, float]:
    """Numbers before others, labels 0 and 1 before others, then few digits, then a size next to 10."""
    values = {name: float(column[part.rows[row]]) for name, column in part.table.inputs.items()}
    prediction = values.get("z", values.get("p", math.nan))
    if not all(map(math.isfinite, values.values())):
        return True, True, 0, 0.0
    size = abs(math.log10(abs(prediction)) - 1) if prediction else 9.0
    digits = sum(len(f"{value:.9g}".strip("-0.")) for value in values.values())
    soft = any(value not in (0.0, 1.0) for name, value in values.items() if name.startswith("y"))
    return False, soft, digits, size


def example_at(group: Group, model: Fit, number: int, row: int) -> Example | None:
    """The blame for the result in a row of a part, by number; None where the emulation is right, or nobody is found."""
    part = group.parts[number]
    place = part.rows[row]
    inputs = {name: float(column[place]) for name, column in part.table.inputs.items()}
    steps = _steps(model, number, inputs, group.result_dtype)
    try:
        guilt = guilty(steps, float(part.ideal[row]), BUDGET, float(part.condition[row]))
    except ValueError:
        return None
    found = mechanisms_of(guilt, derivative=group.quantity != "value")
    if guilt.unresolved or found[0].mechanism is Mechanism.UNIDENTIFIED:
        return None
    documented = part.ideal[row] != part.table.ideal[group.quantity][place] and not guilt.ideal.is_nan()
    if documented and not guilt.changes and found[0].mechanism is Mechanism.WRONG_TERM:
        # A contract has readings, its bounds in another dtype among them: another value than that of one says little.
        return None
    case, element = part.table.names[place]
    got = float(part.got[row])
    return Example(case=case, element=element, cause=part.causes[row], got=got, guilt=guilt, found=found)


def _steps(model: Fit, number: int, inputs: dict[str, float], dtype: str) -> PartlyExact:
    return PartlyExact(Steps(model.candidates[number].expression, model.arithmetic, dtype), inputs)
