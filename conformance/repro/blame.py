"""Which step is to blame for what a script shows, by diagnosis: its mechanism, where it is wrong, and what mends it.

The formula is told by all results of the call in the run; the result of the script is one more of them.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from decimal import Decimal

from conformance.diagnosis.diagnosis import Example
from conformance.diagnosis.identify import Identified
from conformance.diagnosis.of_run import identified_of
from conformance.diagnosis.remedy import cures, remedies
from conformance.diagnosis.why import example_of
from conformance.diagnosis.window import Where, where_wrong
from conformance.formulas.exact import PartlyExact
from conformance.formulas.expression import Expression
from conformance.formulas.text import text
from conformance.known.problem import Problem
from conformance.plan.cases import Suite
from conformance.quantities import NUMERIC
from conformance.record.record import CheckLine, RunRecord
from conformance.repro.shrink import Shrunk, Small, alone

#: Labels for which it is told where a formula is wrong.
LABELS = (0.0, 1.0)


@dataclass(frozen=True, kw_only=True)
class Mended:
    """A formula in place of the one that is to blame, what it gives for the inputs of the script, and why it is right.

    `differentiated`: it is the loss, and the framework's own differentiation does the rest.
    """

    formula: str
    gives: Decimal
    why: str
    differentiated: bool


@dataclass(frozen=True, kw_only=True)
class Blame:
    """What diagnosis says of a script: of `total` results of the call the formula gives `explained`.

    `where` its results are wrong, by label; none where a label has none, or results have another dtype than inputs.
    """

    example: Example
    explained: int
    total: int
    where: tuple[Where, ...]
    mended: Mended | None

    def is_of(self, problem: Problem | None) -> bool:
        """Whether what happened is what the problem says that happens; a problem may leave that open."""
        return problem is None or not problem.mechanism or self.example.mechanism.value in problem.mechanism


class Diagnoser:
    """Looks for who is to blame, with the results of a run."""

    def __init__(self, record: RunRecord, suite: Suite) -> None:
        self._record = record
        self._suite = suite
        self._checks: dict[tuple[str, str], list[CheckLine]] = defaultdict(list)
        for check in record.checks:
            self._checks[check.implementation, check.quantity].append(check)

    def blame(self, small: Small, shrunk: Shrunk) -> Blame | None:
        """Who is to blame for the result of a small case; None where no formula gives it, or where it is no number.

        Of the formulas that the results do not tell apart all must blame the same.
        """
        implementation, quantity = small.target.implementation.id, small.target.quantity
        if quantity not in NUMERIC or not alone(small.request):
            return None
        tried = [one for one in shrunk.record.checks if (one.case, one.quantity) == (small.case.id, quantity)]
        lines = [one for one in shrunk.record.inputs if one.case == small.case.id]
        record = replace(
            self._record,
            checks=(*self._checks[implementation, quantity], *tried),
            inputs=(*self._record.inputs, *lines),
        )
        suite = replace(self._suite, cases=(*self._suite.cases, shrunk.suite.find(small.case.id)))
        for one in identified_of(record, suite, implementation, (quantity,)):
            example = example_of(one, small.case.id, small.element)
            if example is not None:
                return _blame(one, example)
        return None


def _blame(identified: Identified, example: Example) -> Blame:
    group, model = identified.group, identified.survivors[0]
    found = tuple(filter(None, (where_wrong(group, model, label) for label in LABELS)))
    plain = found[0].curve.expression if found else None
    return Blame(
        example=example,
        explained=model.explained,
        total=model.total,
        where=found if group.dtype == group.result_dtype else (),
        mended=None if plain is None else _mended(plain, group.form, group.quantity, example),
    )


def _mended(plain: Expression, form: str, quantity: str, example: Example) -> Mended | None:
    """The first remedy that is right for the inputs of the example."""
    of = example.guilt.evaluation
    for one in remedies(plain, form, quantity):
        if cures(one, example.guilt):
            gives = PartlyExact(of.steps.of(one.derived("plain")), of.inputs).result()
            return Mended(formula=text(one.formula), gives=gives, why=one.why, differentiated=one.differentiated)
    return None
