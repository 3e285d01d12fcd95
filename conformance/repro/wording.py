"""What is wrong, in a few words."""

from __future__ import annotations

from conformance.adapters import NUMERIC
from conformance.measurement import CLASSES
from conformance.plan import AGREEMENT, REDUCTION
from conformance.repro.shrink import Small

#: Numeric quantities in words.
QUANTITIES = {
    "value": "the loss",
    "gradient-prediction": "the gradient by the prediction",
    "gradient-label": "the gradient by the label",
    "gradient-weight": "the gradient by the weight",
    "gradient-pos_weight": "the gradient by pos_weight",
    "second-derivative": "the second derivative by the prediction",
}

#: Findings that are about how a call ends.
ENDS = {
    "raised": "valid inputs are rejected",
    "unsupported": "valid inputs are refused",
    "accepted": "inputs are accepted that must be rejected",
    "result-dtype": "another dtype comes back",
    "result-shape": "another shape comes back",
    "crashed": "the process ends",
    "timed-out": "the call does not end",
}


def words(small: Small) -> str:
    """What is wrong, in a few words."""
    check, what, request = small.shown, small.what, small.request
    assert check is not None
    where = f"in {request.dtype}"
    if small.target.quantity == AGREEMENT:
        return f"{request.implementation.mode} mode does not do what the plain call does ({_end(what)}) {where}"
    if small.target.quantity == REDUCTION:
        return f"the {request.case.reduction} is not that of the unreduced losses {where}"
    if request.relation is not None:
        return f"{request.relation.claim} does not hold {where}"
    if what in ("result-dtype", "result-shape", "changed", "differs"):
        return f"the call {small.finding.detail}"
    if what not in CLASSES or not check.ideal:
        return f"{where} {_end(what)}"
    quantity = small.target.quantity if small.target.quantity in NUMERIC else "value"
    subject = f"{QUANTITIES[quantity]} {where}"
    return f"{subject} {_wrong(what, check.ideal[small.index], check.scaled[small.index])}"


def _end(what: str) -> str:
    return ENDS.get(what, what)


def _wrong(what: str, ideal: float, error: float) -> str:
    exact = f"{ideal:.4g}"
    size = f"{error:.0f}" if error < 1e4 else f"{error:.1e}"
    return {
        "nan": f"is NaN where it is {exact}",
        "number": "is a number where it is NaN",
        "infinite": f"is infinite where it is {exact}",
        "finite": f"is finite where it is {exact}",
        "sign": f"has the wrong sign where it is {exact}",
        "zero": f"is 0 where it is {exact}",
        "flushed": f"is flushed to 0 where it is {exact}",
    }.get(what, f"is off by {size} ULP where it is {exact}")


def quoted(small: Small) -> str:
    """The same between double quotes of Python."""
    return words(small).replace('"', "'").replace("\\", "/")
