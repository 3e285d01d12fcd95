"""Judging how a result came back: accepted or not, its dtype and shape, the inputs after the call, the call again."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from conformance import contracts
from conformance.judge.points import Answer, result_shape
from conformance.judge.verdicts import EXPECTED, Element, Judged, detail_of, judged, verdict_of
from conformance.numbers.formats import FORMATS
from conformance.plan.requests import Request
from conformance.pool.observation import Observation
from conformance.quantities import (
    ACCEPTANCE,
    INPUTS_UNCHANGED,
    QUANTITIES,
    REPEATABLE,
    RESULT_DTYPE,
    RESULT_SHAPE,
)

BehaviourVerdict = tuple[str, str, str]


def behaviour(answer: Answer, quantity: str, expect: tuple[str, ...], regions: tuple[str, ...]) -> Judged:
    """One quantity of `BEHAVIOUR`; `expect` and `regions` have one word for each observation of the value."""
    request, observations = answer.request, answer.outcome["value"]
    names = request.element_names if len(observations) == len(request.element_names) else ("all",)
    elements = []
    for index, observation in enumerate(observations):
        shapes = _shapes(request, index, len(observations) > 1)
        if observation.kind == "returned" and expect[index] == "observe" and quantity in _OBSERVED:
            verdict, what, detail = "recorded", "", ""
        elif observation.kind == "returned":
            verdict, what, detail = JUDGES[quantity](request, expect[index], observation, shapes[0])
            if verdict in EXPECTED and (index == 0 or request.presentations):
                derived = _of_derivatives(answer, quantity, index, shapes[1])
                verdict, what, detail = derived or (verdict, what, detail)
        else:
            verdict, what = verdict_of(expect[index], observation, "", "ok", False)
            detail = detail_of(observation)
        elements.append(Element(names[index], verdict, what, regions[index], detail))
    return judged(request, quantity, elements)


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
        other = request.case.dtypes_of.get(QUANTITIES[numeric].variable, request.dtype)
        return {request.dtype, cast.dtype if cast else request.dtype, other}
    return {cast.dtype} if cast else _result_dtypes(request)


def shape_of_result(request: Request, numeric: str) -> tuple[int, ...]:
    """The shape that the value must have, or a derivative, of a plain call or of one with a single presentation."""
    value, derivative = _shapes(request, 0, False)
    return value if numeric == "value" else _shape_by(request, numeric, 0, derivative)


def _of_derivatives(answer: Answer, quantity: str, index: int, shape: tuple[int, ...]) -> BehaviourVerdict | None:
    """What is wrong with how a derivative came back: its dtype, its shape, or inputs that its call changed."""
    request = answer.request
    for name, seen in _derivatives(answer, index):
        if seen.tensor is None:
            continue
        if quantity == RESULT_DTYPE and seen.tensor.dtype not in dtypes_of_result(request, name):
            return "deviates", "result-dtype", f"{name} returned {seen.tensor.dtype} for {request.dtype}"
        split = not request.presentations and len(answer.outcome[name]) > 1
        if quantity == RESULT_SHAPE and seen.shape != _shape_by(request, name, index, (1,) if split else shape):
            return "deviates", "result-shape", f"{name} returned shape {seen.shape}"
        if quantity == INPUTS_UNCHANGED and seen.changed:
            return "deviates", "changed", f"{name} changed its input {', '.join(seen.changed)}"
    return None


def _derivatives(answer: Answer, index: int) -> Iterator[tuple[str, Observation]]:
    """The derivatives that belong to observation `index` of the value; of a plain call all belong to the first."""
    request = answer.request
    for name in request.numeric:
        if name != "value":
            seen = answer.outcome.get(name, ())
            for one in seen[index : index + 1] if request.presentations else seen:
                yield name, one


def _shape_by(request: Request, name: str, index: int, shape: tuple[int, ...]) -> tuple[int, ...]:
    return request.presentations[index].shape_of(QUANTITIES[name].variable) if request.presentations else shape


#: Where a case only observes, these are as open as the value.
_OBSERVED = (ACCEPTANCE, RESULT_DTYPE, RESULT_SHAPE)

#: What judges a result that came back, by quantity.
JUDGES: dict[str, Callable[[Request, str, Observation, tuple[int, ...]], BehaviourVerdict]] = {
    ACCEPTANCE: _acceptance,
    RESULT_DTYPE: _result_dtype,
    RESULT_SHAPE: _result_shape,
    INPUTS_UNCHANGED: _inputs_unchanged,
    REPEATABLE: _repeatable,
}
