"""What is wrong, in a few words."""

from __future__ import annotations

from conformance.numbers.measurement import CLASSES
from conformance.quantities import AGREEMENT, NUMERIC, REDUCTION
from conformance.render.narrate import QUANTITIES
from conformance.repro.shrink import Small, alone, element_at

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
        return f"this does not hold {where}: {request.relation.claim}"
    if what in ("result-dtype", "result-shape", "changed", "differs"):
        return f"the call {small.finding.detail}"
    if what not in CLASSES or not check.ideal:
        kind = f" with {small.finding.detail.partition(':')[0]}" if what in ("raised", "unsupported") else ""
        return f"{where} {_end(what)}{kind}: {inputs_in_short(small)}"
    quantity = small.target.quantity if small.target.quantity in NUMERIC else "value"
    return f"{QUANTITIES[quantity]} {where} {_wrong(small, check.ideal[small.index], check.scaled[small.index])}"


def inputs_in_short(small: Small) -> str:
    """The inputs in short: their shapes where those are what is special about them."""
    request = small.request
    for presentation in request.presentations:
        shapes = ", ".join(f"{name} of shape {presentation.shape_of(name)}" for name in request.inputs.tensors)
        return shapes if request.case.reduction == "none" else f"the {request.case.reduction} of {shapes}"
    if not alone(request):
        return f"the {request.case.reduction} of {len(request.case.elements)} elements"
    element = element_at(small)
    return ", ".join(f"{name} {getattr(element, name)}" for name in ("prediction", "label", *element.options))


def _end(what: str) -> str:
    return ENDS.get(what, what)


def _wrong(small: Small, ideal: float, error: float) -> str:
    exact = "NaN" if ideal != ideal else f"{ideal + 0.0:.4g}"  # without the sign of a zero
    size = f"{error:.0f}" if error < 1e4 else f"{error:.1e}"
    if small.what == "inaccurate" and ideal == 0:  # a ULP of 0 is that of the smallest number, and tells nothing
        return f"is {small.got:.4g} where it is 0"
    if small.what in ("finite", "number") and small.documented is not None:
        return f"is {small.got:.6g} where it is {exact}, or {small.documented:.6g} as documented"
    return {
        "nan": f"is NaN where it is {exact}",
        "number": "is a number where it is NaN",
        "infinite": f"is infinite where it is {exact}",
        "finite": f"is finite where it is {exact}",
        "sign": f"has the wrong sign where it is {exact}",
        "zero": f"is 0 where it is {exact}",
        "flushed": f"is flushed to 0 where it is {exact}",
    }.get(small.what, f"is off by {size} ULP where it is {exact}")


def quoted(small: Small) -> str:
    """The same between double quotes of Python."""
    return words(small).replace('"', "'").replace("\\", "/")
