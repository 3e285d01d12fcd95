"""Choosing a finding of a run record, and what it is about in the suite at hand.

A record is untrusted: of it only names are taken, and each must be one that the suite or an adapter knows.  Inputs,
options and calls are those of the suite.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from conformance.adapters.declaration import BASE_MODE, Declaration
from conformance.errors import InputError, did_you_mean
from conformance.ids import CauseId, CheckId, ImplementationId
from conformance.plan.cases import Case, Suite
from conformance.plan.inputs import Inputs
from conformance.plan.presentations import Presentation
from conformance.plan.requests import Request
from conformance.quantities import BEHAVIOUR, NUMERIC, QUANTITIES
from conformance.record.record import CheckLine, FindingLine, RunRecord
from conformance.record.summary import CauseSummary, causes
from conformance.run.asked import implementation as named


@dataclass(frozen=True, eq=False, kw_only=True)
class Target:
    """What a reproducer is to show: one element of one check, and what is wrong with it.

    `what` and `cause` are those of `verdicts.Finding`.  `element` is an element of the case, a presentation, or "all".
    `plain` is the same entry point in its plain mode, `counterpart` the one that takes the other form of prediction in
    the same mode, where there are such.  What is `bound` is about the numbers, options and dtypes of its case: with
    others it may be another mistake.
    """

    case: Case
    family: str
    implementation: Declaration
    dtype: str
    quantity: str
    element: str
    what: str
    cause: str
    plain: Declaration | None = None
    counterpart: Declaration | None = None
    bound: bool = False

    @property
    def check(self) -> str:
        """The id of the check."""
        return str(CheckId(self.case.id, self.implementation.id, self.dtype, self.quantity))

    @property
    def request(self) -> Request:
        """The request that the finding is of, with the presentation that it is about where there are any."""
        inputs = Inputs(self.case, self.dtype)
        presentations = tuple(one for one in self.case.presentations if self._presented(one))
        return Request(self.family, self.implementation, inputs, (self.quantity,), presentations)

    def _presented(self, one: Presentation) -> bool:
        offered = one.layout in self.implementation.layouts and (one.few or not self.implementation.few_shapes)
        return one.name == self.element or (self.element == "all" and offered)

    @property
    def name(self) -> str:
        """The check's id and the element."""
        return f"{self.request.check_id(self.quantity)}#{self.element}"


def chosen(record: RunRecord, wanted: str) -> tuple[CheckLine, FindingLine]:
    """The finding that `wanted` names: a cause, a check, or a check and `#` with an element; the first one for "".

    Of several findings the one that is told as example.  Raises InputError with near names where nothing matches.
    """
    summaries = seen(record)
    if not summaries:
        raise InputError("the run has no finding", "every check is as expected, and nothing that is recorded showed")
    if not wanted:
        return example_of(record, summaries[0])
    for one in summaries:
        if one.cause == wanted:
            return example_of(record, one)
    check_id, _, element = wanted.partition("#")
    for check, finding in findings(record):
        if check.id == check_id and element in ("", finding.element):
            return check, finding
    known = [one.cause for one in summaries]
    if check_id.count("::") == 3:
        known = [f"{check.id}#{finding.element}" for check, finding in findings(record)]
    raise InputError(f"no finding of the run is called {wanted!r}", did_you_mean(wanted, known))


def seen(record: RunRecord) -> list[CauseSummary]:
    """The causes that showed in a run, new ones first.  Raises InputError where the record contradicts itself."""
    with as_written():
        found = [one for one in causes(record) if one.outcome != "fixed"]
    for one in found:
        check_cause(one.cause)
    return found


def check_cause(cause: str) -> None:
    """Raises InputError for what is not backend/entry/quantity/region/signature."""
    if cause.count("/") != len(CauseId._fields) - 1:
        raise InputError(f"the record has a cause that no run writes: {cause[:80]!r}", "make another run")


@contextlib.contextmanager
def as_written() -> Iterator[None]:
    """Raises InputError where a record turns out not to be one that a run writes."""
    try:
        yield
    except (KeyError, ValueError, IndexError, TypeError) as error:
        raise InputError(
            f"the record has inputs, dtypes or names that no run writes ({type(error).__name__})", "make another run"
        ) from None


def findings(record: RunRecord) -> Iterator[tuple[CheckLine, FindingLine]]:
    """All findings of a record that showed, with their checks."""
    for check in record.checks:
        for finding in check.findings:
            if finding.outcome != "fixed":
                yield check, finding


def example_of(record: RunRecord, summary: CauseSummary) -> tuple[CheckLine, FindingLine]:
    """The finding that a summary tells as its example."""
    shown = summary.example
    for check, finding in findings(record):
        same = shown is None or (
            (check.case, check.implementation, check.dtype, check.quantity, finding.element)
            == (shown.case, shown.implementation, shown.dtype, shown.quantity, shown.element)
        )
        if finding.cause == summary.cause and same:
            return check, finding
    raise InputError(f"the record has no finding of {summary.cause!r}")


def target(check: CheckLine, finding: FindingLine, suite: Suite, known: Sequence[Declaration]) -> Target:
    """What a finding of a record is about.  Raises InputError for a name that suite and adapters do not know."""
    located = suite.find(check.case)
    implementation = named(check.implementation, known)
    if check.dtype not in located.case.dtypes:
        raise InputError(f"case {check.case} has no dtype {check.dtype!r}", f"it has {', '.join(located.case.dtypes)}")
    if check.quantity not in QUANTITIES:
        raise InputError(f"there is no quantity {check.quantity!r}", did_you_mean(check.quantity, list(QUANTITIES)))
    own = ImplementationId.parse(implementation.id)
    by_id = {one.id: one for one in known}
    plain = by_id.get(str(own._replace(mode=BASE_MODE)))
    counterpart = by_id.get(str(own._replace(entry=implementation.counterpart)))
    # A value that came back in another dtype or shape is shown by that dtype or shape.
    told = finding.what if finding.what in BEHAVIOUR and check.quantity in NUMERIC else check.quantity
    made = Target(
        case=located.case,
        family=located.family,
        implementation=implementation,
        dtype=check.dtype,
        quantity=told,
        element=finding.element,
        what=finding.what,
        cause=finding.cause,
        plain=plain,
        counterpart=counterpart,
    )
    names = [one.name for one in located.case.presentations] or list(made.request.element_names)
    if finding.element not in (*names, "all"):
        raise InputError(f"case {check.case} has no element {finding.element!r}", did_you_mean(finding.element, names))
    return made
