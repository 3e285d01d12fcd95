"""Why, in one line: for causes of a run one sentence each, short enough to stand below a finding.

A sentence is about the very result that a cause is shown by, held against what is documented for it where that is not
the exact value.  There is none where no model is identified, and none where the formulas that survive blame different
things: a few results are given by many formulas.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from decimal import Decimal
from functools import partial
from typing import NamedTuple

from conformance.diagnosis.diagnosis import Example, example_at
from conformance.diagnosis.identify import Fit, Identified
from conformance.diagnosis.of_run import identified_of, suite_of
from conformance.diagnosis.sentence import sentence
from conformance.formulas.expression import Expression, ordered, substitute, var
from conformance.formulas.text import text
from conformance.plan.cases import Suite
from conformance.quantities import NUMERIC
from conformance.record.record import RunRecord
from conformance.record.summary import CauseSummary, causes
from conformance.record.summary import Example as Shown

#: What stands before a sentence.
WORD = "why: "

#: Characters of a sentence: two lines of a terminal of 80 columns, less WORD and an indent of 4.
LENGTH = 2 * 80 - len(WORD) - 4

#: Characters of an expression in a sentence, the most that leave it within LENGTH.
_LENGTHS = range(80, 20, -4)


#: New causes of a run whose reasons are looked for in a file of it.
EXPLAINED = 8


def of_new(record: RunRecord) -> dict[str, str]:
    """The sentences of the first EXPLAINED new causes of a run."""
    new = [one for one in causes(record) if one.outcome == "new"]
    return sentences(record, new[:EXPLAINED])


def sentences(record: RunRecord, asked: Iterable[CauseSummary], suite: Suite | None = None) -> dict[str, str]:
    """The sentence of each of the causes of `record` that are `asked` for and have one.

    `suite` has the cases of the run, of which a record does not have the parameters; without it they are read from
    where the run had them.  An implementation and quantity takes about a second: ask for causes that are shown.
    """
    wanted = {one.cause: Result.of(one.example) for one in asked if one.example is not None}
    known = examples(record, wanted.values(), suite)
    return {cause: brief(known[result]) for cause, result in wanted.items() if result in known}


class Result(NamedTuple):
    """One result in a run."""

    implementation: str
    quantity: str
    dtype: str
    case: str
    element: str

    @classmethod
    def of(cls, shown: Shown) -> Result:
        """The result that a cause is shown by."""
        return cls(shown.implementation, shown.quantity, shown.dtype, shown.case, shown.element)


def examples(record: RunRecord, asked: Iterable[Result], suite: Suite | None = None) -> dict[Result, Example]:
    """Who is to blame for each of the results that are `asked` for, where that is known."""
    wanted = [one for one in asked if one.quantity in NUMERIC]
    suite = suite or (suite_of(record) if wanted else None)
    if suite is None:
        return {}
    known: dict[tuple[str, str], tuple[Identified, ...]] = {}
    found = {}
    for one in wanted:
        key = one.implementation, one.quantity
        if key not in known:
            known[key] = identified_of(record, suite, one.implementation, (one.quantity,))
        groups = (of for of in known[key] if of.group.dtype == one.dtype)
        told = (example_of(of, one.case, one.element) for of in groups)
        example = next(filter(None, told), None)
        if example is not None:
            found[one] = example
    return found


def brief(example: Example) -> str:
    """The sentence of an example within LENGTH: parts of long expressions are left out, then what followed."""
    said = example.sentence
    for found in (example.found, example.found[:1]):
        for length in _LENGTHS:
            if len(said) <= LENGTH:
                return said
            said = sentence(example.guilt, found, partial(short, length=length))
    return said


def example_of(identified: Identified, case: str, element: str) -> Example | None:
    """What all formulas that survive blame for one result: the same mechanism, and the same numbers.

    Of arithmetics under which a formula gives the same results the plainest speaks.
    """
    for number, row in _places(identified, case, element):
        formulas: dict[Expression, Fit] = {}
        for fit in identified.survivors:
            formulas.setdefault(fit.candidates[number].expression, fit)
        found = [
            example_at(identified.group, fit, number, row) if fit.where[number][row] else None
            for fit in formulas.values()
        ]
        if found and len({_blamed(one) for one in found}) == 1:
            return found[0]
    return None


def _places(identified: Identified, case: str, element: str) -> Iterator[tuple[int, int]]:
    """Part and row of a result that is wrong, and of which the record has the exact value."""
    for number, part in enumerate(identified.group.parts):
        told = part.table.has_ideal.get(identified.group.quantity)
        if told is None:
            continue
        for row, place in enumerate(part.rows):
            if part.wrong[row] and told[place] and part.table.names[place] == (case, element):
                yield number, row


def _blamed(example: Example | None) -> tuple[str, ...]:
    if example is None:
        return ()
    first = example.found[0]
    return first.mechanism.name, _told(first.exact), _told(first.rounded)


def _told(value: object) -> str:
    """A number with the digits that results in 16 bits have at most: one more cast changes the others."""
    return f"{value:.5g}" if isinstance(value, Decimal) else str(value)


def short(x: Expression, length: int) -> str:
    """An expression in `length` characters, or as few as one operation has: what lies deepest is left out first."""
    heights: dict[Expression, int] = {}
    for node in ordered(x):
        heights[node] = 1 + max((heights[one] for one in node.args), default=0)
    said = text(x)
    for depth in range(heights[x] - 1, 0, -1):
        if len(said) <= length:
            break
        said = text(_cut(x, depth))
    return said


def _cut(x: Expression, depth: int) -> Expression:
    """`x` with an ellipsis for each part that lies `depth` operations deep, unless it is an input or a constant."""
    level = [x]
    for _ in range(depth):
        level = [one for node in level for one in node.args]
    return substitute(x, {node: var("…") for node in level if node.args})
