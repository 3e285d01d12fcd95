"""Verdicts, findings and causes: what one check can be, and what mistakes have in common."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from conformance.plan.requests import Request
from conformance.pool.observation import Observation
from conformance.quantities import QUANTITIES, RELATION

#: Verdicts from best to worst; a check has the worst of its elements.  `recorded` is what `expect: observe` gives.
VERDICTS = (
    "conforms",
    "recorded",
    "by-contract",
    "rejects",
    "unsupported",
    "undecided",
    "deviates",
    "timed-out",
    "crashed",
)
SEVERITY = {name: rank for rank, name in enumerate(VERDICTS)}

#: Verdicts that need no record.
EXPECTED = frozenset({"conforms", "recorded", "by-contract", "rejects"})


@dataclass(frozen=True, slots=True)
class Finding:
    """An element of a check that is neither conforming nor rejecting as expected.

    `what` is a class of `measurement.CLASSES` or one of: raised, accepted, unsupported, crashed, timed-out,
    result-dtype, result-shape, changed, differs (the same call again), field (a contract's field does not show).
    `cause` groups findings over elements, dtypes, modes and versions.  `detail` is the exception, or the observed
    dtype, shape or inputs.
    """

    element: str
    verdict: str
    what: str
    cause: str
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """One check with its verdict.

    `elements` are what findings are about (`Request.element_names`), `bits` the patterns that came back (hexadecimal,
    "" where nothing came), `scaled` and `plain` the errors against the ideal in ULP of `result_dtype`, `contract` the
    error against the nearest reading of the contract and `contract_values` that reading's value (None where it was not
    needed), `ideal` the ideal rounded to float64; NaN where no number applies.  Of several places of one element the
    worst one is told.  `verdicts` has one entry for each element; `formula` names the elements that are by-contract
    only because the counted error of a documented formula allows it.
    """

    request: Request
    quantity: str
    verdict: str
    elements: tuple[str, ...]
    verdicts: tuple[str, ...]
    bits: tuple[str, ...] = ()
    scaled: tuple[float, ...] = ()
    plain: tuple[float, ...] = ()
    contract: tuple[float, ...] = ()
    contract_values: tuple[float | None, ...] = ()
    budget: tuple[float, ...] = ()
    ideal: tuple[float, ...] = ()
    result_dtype: str = ""
    formula: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()
    details: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def id(self) -> str:
        """The check's id."""
        return self.request.check_id(self.quantity)


class Element(NamedTuple):
    """What is said of one element of a check.

    `what` is the class of what is wrong, `region` where its inputs lie, `detail` what a finding tells in words.
    """

    name: str
    verdict: str
    what: str = ""
    region: str = "any"
    detail: str = ""


def judged(
    request: Request,
    quantity: str,
    elements: Sequence[Element],
    details: Iterable[str] | None = None,
    result_dtype: str = "",
) -> Judged:
    """The check of its elements: it has the worst of their verdicts, and a finding for each that needs a record.

    `details` are those of the elements unless others are given.
    """
    verdicts = tuple([one.verdict for one in elements])
    told = [one.detail for one in elements if one.detail] if details is None else details
    return Judged(
        request=request,
        quantity=quantity,
        verdict=max(verdicts, key=SEVERITY.__getitem__),
        elements=tuple([one.name for one in elements]),
        verdicts=verdicts,
        result_dtype=result_dtype,
        findings=tuple([finding(request, quantity, one) for one in elements if one.verdict not in EXPECTED]),
        details=tuple(dict.fromkeys(told)),
    )


def finding(request: Request, quantity: str, one: Element) -> Finding:
    """An element that is not as it should be, with its cause."""
    return Finding(one.name, one.verdict, one.what, cause(request, quantity, one.region, one.what), one.detail)


#: Signature of a finding in its cause: what distinguishes one mistake from another, not how far it went.
SIGNATURE = {
    "nan": "non-finite",
    "infinite": "non-finite",
    "zero": "inaccurate",
    "raised": "raises",
    "accepted": "accepts",
}


def cause(request: Request, quantity: str, region: str, what: str) -> str:
    """backend/entry/quantity/region/signature: the same for every version, CPU, dtype, mode, case and element.

    A relation or a disagreement of modes keeps its own quantity.  Otherwise an exception, or the lack of one, is about
    acceptance, whichever quantity met it; so is the end of a process, which, like dtype, shape and changed inputs, does
    not depend on where the inputs lie.
    """
    own = QUANTITIES[quantity].own_cause
    if quantity == RELATION:
        quantity = f"relation-{request.case.relation}"
    if what in ("raised", "accepted", "unsupported") and not own:
        quantity = "acceptance"
    if what in ("crashed", "timed-out"):
        quantity, region = "acceptance", "any"
    if what in ("result-dtype", "result-shape", "changed", "differs"):
        region = "any"
        quantity = quantity if own else {"changed": "inputs-unchanged", "differs": "repeatable"}.get(what, what)
    return f"{request.implementation.family}/{quantity}/{region}/{SIGNATURE.get(what, what)}"


def verdict_of(expect: str, seen: Observation, problem: str, what: str, by_contract: bool) -> tuple[str, str]:
    """The table of expectation × observation: (verdict, class)."""
    if seen.kind in ("crashed", "timed-out"):
        return seen.kind, seen.kind
    if expect == "observe":
        return "recorded", ""
    if seen.kind == "raised":
        if not seen.control:
            return "unsupported", "unsupported"
        return ("deviates", "raised") if expect == "value" else ("rejects", "")
    if expect == "reject":
        return "deviates", "accepted"
    if problem:
        return "deviates", problem
    if what == "ok":
        return "conforms", ""
    if by_contract:
        return "by-contract", ""
    return ("undecided" if what == "undecided" else "deviates"), what


def detail_of(seen: Observation) -> str:
    """The exception, or how a process ended; "" for a result."""
    if seen.kind == "raised":
        return f"{seen.type}: {seen.message}"
    return seen.message
