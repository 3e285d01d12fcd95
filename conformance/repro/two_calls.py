"""Bodies of scripts about several results: two modes of one call, a sum and its terms."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import msgspec

from conformance import contracts
from conformance.adapters.writing import filled
from conformance.errors import InputError
from conformance.judge import expected
from conformance.numbers.formats import FORMATS, ulp
from conformance.numbers.measurement import BUDGET
from conformance.plan.inputs import Inputs
from conformance.plan.requests import Request
from conformance.repro.one_call import start, verdict, versions
from conformance.repro.shrink import Small
from conformance.repro.sources import Source

#: When two results are the same within a bound, and NaN is NaN.
SAME = "got == expected or abs(got - expected) <= bound or (got != got and expected != expected)"

# -- two modes -------------------------------------------------------------------------------------------------------


def plain_call(small: Small, request: Request) -> list[tuple[str, Request]]:
    """The same call in the plain mode."""
    plain = small.target.plain
    if plain is None:
        raise InputError(f"{small.target.name}: there is no plain call to compare with")
    return [("", replace(request, implementation=plain))]


def agreement(small: Small, request: Request, sources: Sequence[Source]) -> list[str]:
    """The mode's result against that of the plain call."""
    mode, plain = sources
    if small.what in ("accepted", "raised"):
        return _ends(small, request, mode, plain)
    read = {"result-dtype": mode.dtype, "result-shape": "tuple({result}.shape)"}.get(small.what, mode.numbers)
    wrong = "got != expected"
    more: list[str] = []
    if small.what in ("nan", "infinite", "inaccurate"):
        read = mode.number
        more, wrong = _apart(small, request)
    return [
        *start(request, plain),
        f"expected = {filled(read, result=plain.result)}",
        *(line for line in mode.before if line not in plain.before),
        f"got = {filled(read, result=mode.result)}",
        *more,
        versions(sources),
        'print(f"got {got!r}, plainly {expected!r}")',
        *verdict(small, wrong, "both modes agree"),
    ]


def _apart(small: Small, request: Request) -> tuple[list[str], str]:
    """Lines and the condition of two results that differ by more than twice the budget, or in kind."""
    if len(request.inputs.elements) != 1 or request.presentations:
        raise InputError(f"{small.target.name}: a script compares two modes on single numbers alone")
    quantity = small.finding.detail.partition(":")[0]
    (ideal,) = expected.compute(list(expected.ideal_points([(request.inputs, quantity)])))
    unit = float(ulp(ideal.scale[:1], FORMATS[request.dtype])[0])
    lines = [f"bound = {2 * BUDGET:g} * {unit!r}  # {2 * BUDGET:g} ULP of {request.dtype}: the budgets of both"]
    return lines, f"not ({SAME})"


def _ends(small: Small, request: Request, mode: Source, plain: Source) -> list[str]:
    """One of two modes raises."""
    return [
        *start(request, plain),
        versions([mode, plain]),
        "try:",
        f"    plain = {plain.result}",
        "except Exception as error:",
        "    plain = error",
        *(line for line in mode.before if line not in plain.before),
        "try:",
        f"    result = {mode.result}",
        "except Exception as error:",
        "    result = error",
        'print(f"got {type(result).__name__}: {result}, plainly {type(plain).__name__}: {plain}")',
        *verdict(small, "isinstance(result, Exception) != isinstance(plain, Exception)", "both modes agree"),
    ]


# -- a reduction and its terms ---------------------------------------------------------------------------------------


def unreduced_call(small: Small, request: Request) -> list[tuple[str, Request]]:
    """The same call without its reduction."""
    case = msgspec.structs.replace(request.case, reduction="none")
    return [("unreduced", replace(request, inputs=Inputs(case, request.dtype)))]


def reduction(small: Small, request: Request, sources: Sequence[Source]) -> list[str]:
    """The reduced result against the exact sum or mean of the unreduced ones."""
    if any(len(one.shape) != 1 or one.others for one in request.presentations):
        raise InputError(f"{small.target.name}: a script sums over one axis alone")
    if any(one.size == 0 for one in request.presentations):
        raise InputError(f"{small.target.name}: what the mean of no elements is, people do not agree about")
    if contracts.divisor(request.implementation.contract, request.implementation.masks) != "elements":
        raise InputError(f"{small.target.name}: a script divides by the number of elements alone")
    source, terms = sources
    divided = " / len(terms)" if request.case.reduction == "mean" else ""
    bound = small.finding.detail.rpartition("bound ")[2]
    arguments = ", ".join(terms.arguments)
    return [
        "import math",
        *start(request, source),
        f"got = {filled(source.number, result=source.result)}",
        f"terms = {filled(terms.numbers, result=f'unreduced({arguments})')}",
        f"expected = math.fsum(terms){divided}  # the exact {request.case.reduction} of the losses themselves",
        f"bound = {float(bound)!r}  # what summation and one rounding may cost, docs/reference.md of bce-conformance",
        versions(sources),
        'print(f"got {got!r}, expected {expected!r}, error {abs(got - expected):.3g}, bound {bound:.3g}")',
        *verdict(small, f"not ({SAME})", "the result is that of its terms"),
    ]
