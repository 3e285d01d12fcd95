"""Judging how a result came back: accepted or not, its dtype and shape, the inputs after the call, the call again."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from conformance import contracts
from conformance.adapters import VARIABLE
from conformance.judge.points import result_shape
from conformance.judge.verdicts import EXPECTED, SEVERITY, Finding, Judged, cause, detail_of, verdict_of
from conformance.numbers.formats import FORMATS
from conformance.plan.requests import Request
from conformance.pool.observation import Observation, Observed

BehaviourVerdict = tuple[str, str, str]


def behaviour(
    request: Request, quantity: str, outcome: dict[str, Observed], expect: tuple[str, ...], regions: tuple[str, ...]
) -> Judged:
    """One quantity of plan.BEHAVIOUR; `expect` and `regions` have one word for each observation of the value."""
    observations = outcome["value"]
    names = request.element_names if len(observations) == len(request.element_names) else ("all",)
    verdicts, findings, details = [], [], []
    for index, observation in enumerate(observations):
        shapes = _shapes(request, index, len(observations) > 1)
        if observation.kind == "returned" and expect[index] == "observe" and quantity in _OBSERVED:
            verdict, what, detail = "recorded", "", ""
        elif observation.kind == "returned":
            verdict, what, detail = _BEHAVIOUR[quantity](request, expect[index], observation, shapes[0])
            if verdict in EXPECTED and (index == 0 or request.presentations):
                derived = _of_derivatives(request, quantity, outcome, index, shapes[1])
                verdict, what, detail = derived or (verdict, what, detail)
        else:
            verdict, what = verdict_of(expect[index], observation, "", "ok", False)
            detail = detail_of(observation)
        verdicts.append(verdict)
        if detail:
            details.append(detail)
        if verdict not in EXPECTED:
            origin = cause(request, quantity, regions[index], what)
            findings.append(Finding(names[index], verdict, what, origin, detail))
    return Judged(
        request=request,
        quantity=quantity,
        verdict=max(verdicts, key=SEVERITY.__getitem__),
        elements=names,
        verdicts=tuple(verdicts),
        findings=tuple(findings),
        details=tuple(dict.fromkeys(details)),
    )


def _shapes(request: Request, index: int, single: bool) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The shape that the value of an observation must have, and that of its derivatives."""
    if request.presentations:
        shape = request.presentations[index].shape
    else:
        shape = (1,) if single else request.inputs.tensors["prediction"].shape
    return result_shape(request, shape, request.case.reduction != "none"), shape


def _acceptance(request: Request, expect: str, seen: Observation, shape: tuple[int, ...]) -> BehaviourVerdict:
    verdict, what = verdict_of(expect, seen, "", "ok", False)
    return verdict, what, ""


def _result_dtype(request: Request, expect: str, seen: Observation, shape: tuple[int, ...]) -> BehaviourVerdict:
    assert seen.tensor is not None
    cast = contracts.find(request.implementation.contract, "casts_to")
    if seen.tensor.dtype in dtypes_of_result(request, "value"):
        return ("conforms" if cast is None or cast.dtype == request.dtype else "by-contract"), "", ""
    return "deviates", "result-dtype", f"returned {seen.tensor.dtype} for {_input_dtypes(request)}"


def _result_dtypes(request: Request) -> set[str]:
    """The prediction's dtype, or for inputs of several floating-point dtypes also the wider of them."""
    floating = [FORMATS[dtype] for dtype in (request.dtype, *request.case.dtypes_of.values()) if dtype in FORMATS]
    return {request.dtype, max(floating, key=lambda fmt: (fmt.emax, fmt.precision)).name}


def _input_dtypes(request: Request) -> str:
    others = "".join(f", {name} {dtype}" for name, dtype in request.case.dtypes_of.items())
    return f"{request.dtype}{others}"


def _result_shape(request: Request, expect: str, seen: Observation, shape: tuple[int, ...]) -> BehaviourVerdict:
    if seen.shape == shape:
        return "conforms", "", ""
    return "deviates", "result-shape", f"returned shape {seen.shape}, expected {shape}"


def _inputs_unchanged(request: Request, expect: str, seen: Observation, shape: tuple[int, ...]) -> BehaviourVerdict:
    if not seen.changed:
        return "conforms", "", ""
    return "deviates", "changed", f"changed its input {', '.join(seen.changed)}"


def _repeatable(request: Request, expect: str, seen: Observation, shape: tuple[int, ...]) -> BehaviourVerdict:
    if not seen.differs:
        return "conforms", "", ""
    return "deviates", "differs", f"{seen.differs} gave another result"


def dtypes_of_result(request: Request, numeric: str) -> set[str]:
    """The dtypes that a value or a derivative may have."""
    cast = contracts.find(request.implementation.contract, "casts_to")
    if numeric != "value":
        other = request.case.dtypes_of.get(VARIABLE[numeric], request.dtype)
        return {request.dtype, cast.dtype if cast else request.dtype, other}
    return {cast.dtype} if cast else _result_dtypes(request)


def shape_of_result(request: Request, numeric: str) -> tuple[int, ...]:
    """The shape that the value must have, or a derivative, of a plain call or of one with a single presentation."""
    value, derivative = _shapes(request, 0, False)
    return value if numeric == "value" else _shape_by(request, numeric, 0, derivative)


def _of_derivatives(
    request: Request, quantity: str, outcome: dict[str, Observed], index: int, shape: tuple[int, ...]
) -> BehaviourVerdict | None:
    """What is wrong with how a derivative came back: its dtype, its shape, or inputs that its call changed."""
    for name, seen in _derivatives(request, outcome, index):
        if seen.tensor is None:
            continue
        if quantity == "result-dtype" and seen.tensor.dtype not in dtypes_of_result(request, name):
            return "deviates", "result-dtype", f"{name} returned {seen.tensor.dtype} for {request.dtype}"
        split = not request.presentations and len(outcome[name]) > 1
        if quantity == "result-shape" and seen.shape != _shape_by(request, name, index, (1,) if split else shape):
            return "deviates", "result-shape", f"{name} returned shape {seen.shape}"
        if quantity == "inputs-unchanged" and seen.changed:
            return "deviates", "changed", f"{name} changed its input {', '.join(seen.changed)}"
    return None


def _derivatives(request: Request, outcome: dict[str, Observed], index: int) -> Iterator[tuple[str, Observation]]:
    """The derivatives that belong to observation `index` of the value; of a plain call all belong to the first."""
    for name in request.numeric:
        if name != "value":
            seen = outcome.get(name, ())
            for one in seen[index : index + 1] if request.presentations else seen:
                yield name, one


def _shape_by(request: Request, name: str, index: int, shape: tuple[int, ...]) -> tuple[int, ...]:
    return request.presentations[index].shape_of(VARIABLE[name]) if request.presentations else shape


#: Where a case only observes, these are as open as the value.
_OBSERVED = ("acceptance", "result-dtype", "result-shape")

_BEHAVIOUR: dict[str, Callable[[Request, str, Observation, tuple[int, ...]], BehaviourVerdict]] = {
    "acceptance": _acceptance,
    "result-dtype": _result_dtype,
    "result-shape": _result_shape,
    "inputs-unchanged": _inputs_unchanged,
    "repeatable": _repeatable,
}
