"""Bodies of scripts about relations: what must hold between results whatever they are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from typing import Any

import msgspec
import numpy as np

from conformance.adapters.writing import filled
from conformance.errors import InputError
from conformance.judge import expected
from conformance.numbers.formats import FORMATS, decode, encode, ulp
from conformance.numbers.literals import float_of, text_of
from conformance.numbers.measurement import BUDGET
from conformance.plan.inputs import Inputs
from conformance.plan.presentations import Presentation
from conformance.plan.requests import Request
from conformance.repro import tensors
from conformance.repro.one_call import start, verdict, versions
from conformance.repro.shrink import Small
from conformance.repro.sources import Asked, Source
from conformance.repro.two_calls import SAME
from conformance.worker.variants import logits_of, probabilities_of

#: When a statement does not hold, and what it says, by its sense.
BROKEN = {
    "equal": "not abs(residual) <= bound",
    "not-below": "not residual >= -bound",
    "differ": "abs(residual) <= bound",
}
CLAIMED = {"equal": "0", "not-below": "not negative", "differ": "not 0"}


def stated(small: Small, request: Request, sources: Sequence[Source]) -> list[str]:
    """A linear statement about results of one call on several elements."""
    held, source = request.relation, sources[0]
    assert held is not None
    (group,) = request.inputs.groups
    statement = group.statement
    (ideal,) = expected.compute(list(expected.ideal_points([(request.inputs, held.quantity)])))
    fmt = FORMATS[small.shown.result_dtype or request.dtype]
    bound = float(np.abs([float(one) for one in statement.coefficients]) @ (BUDGET * ulp(ideal.scale, fmt)))
    terms = [_term(one, f"got[{place}]") for place, one in enumerate(statement.coefficients)]
    constant = [] if not statement.constant else [_term(statement.constant, "")]
    return [
        *start(request, source),
        f"got = {filled(source.numbers, result=source.result)}",
        f"# {held.claim}: exactly, this is {CLAIMED[statement.sense]}.",
        f"residual = {' '.join((*terms, *constant)).removeprefix('+ ')}",
        f"bound = {tensors.real(bound)}, {BUDGET:g} ULP of {fmt.name} for each result",
        versions(sources),
        'print(f"got {got}, residual {residual:.6g}, bound {bound:.3g}")',
        *verdict(small, BROKEN[statement.sense], "the relation holds within rounding"),
    ]


def _term(factor: Fraction, name: str) -> str:
    """A term of a sum with its sign."""
    size = f"{float(abs(factor))!r}"
    text = size if not name else name if abs(factor) == 1 else f"{size} * {name}"
    return f"{'-' if factor < 0 else '+'} {text}"


# -- two calls that must give the same -------------------------------------------------------------------------------


def without_options(small: Small, request: Request) -> list[tuple[str, Request]]:
    """The same call with prediction and label alone."""
    names = dict.fromkeys(request.case.options)
    plain = [msgspec.structs.replace(one, **names) for one in request.case.elements]
    return [("other", _with(request, elements=tuple(plain)))]


def counterpart(small: Small, request: Request) -> list[tuple[str, Request]]:
    """The call on the probabilities of the logits, rounded to their dtype."""
    other = small.target.counterpart
    if other is None:
        raise InputError(f"{small.target.name}: there is no counterpart to compare with")
    made = probabilities_of(request.inputs.tensors["prediction"])
    elements = [
        msgspec.structs.replace(one, prediction=_literal(bits, made.dtype))
        for one, bits in zip(request.case.elements, made.bits.tolist(), strict=True)
    ]
    changed = _with(request, form=other.form, elements=tuple(elements), relation=None)
    return [("other", replace(changed, implementation=other))]


def _literal(bits: int, dtype: str) -> str:
    text = text_of(bits, FORMATS[dtype])
    return text if text.strip("-") in ("nan", "inf") else float_of(bits, FORMATS[dtype]).hex()


def _with(request: Request, **fields: Any) -> Request:
    case = msgspec.structs.replace(request.case, **fields)
    return replace(request, inputs=Inputs(case, request.dtype))


def same(small: Small, request: Request, sources: Sequence[Source]) -> list[str]:
    """Two calls whose results must be equal within the bound of both."""
    source, other = sources
    ((_, second),) = without_options(small, request) if request.case.options else counterpart(small, request)
    arguments = ", ".join(other.arguments)
    first = start(request, source)
    return [
        *first,
        f"got = {filled(source.number, result=source.result)}",
        *(line for line in tensors.lines(second, other) if line not in first),
        f"expected = {filled(other.number, result=f'other({arguments})')}",
        *_within(small, "expected"),
        versions(sources),
        'print(f"got {got!r}, the other call gives {expected!r}, bound {bound:.3g}")',
        *verdict(small, f"not ({SAME})", "both calls agree within rounding"),
    ]


def _within(small: Small, other: str) -> list[str]:
    """The bound that the suite found; where a result is no number there is none."""
    bound = small.finding.detail.rpartition("bound ")[2] if "bound " in small.finding.detail else "0.0"
    return [f"bound = {float(bound)!r}  # the rounding that both results may have"]


# -- what a layer produced -------------------------------------------------------------------------------------------


def of_sigmoid(asked: Asked) -> Asked:
    """The call on what a sigmoid layer hands out."""
    return asked._replace(producer="sigmoid")


def of_softmax(asked: Asked) -> Asked:
    """The call on what a softmax layer hands out: a column for each of the two classes."""
    shape = (len(asked.request.inputs.elements), 2)
    request = replace(asked.request, presentations=(Presentation("softmax", shape),))
    return asked._replace(request=request, producer="softmax")


def produced(small: Small, request: Request, sources: Sequence[Source]) -> list[str]:
    """What a layer handed out against a copy of it."""
    source = sources[0]
    inputs = request.inputs.tensors
    logits = logits_of(inputs["prediction"])
    label, size = inputs["label"], len(request.inputs.elements)
    shape: tuple[int, ...] = (size,)
    if small.request.relation is not None and "softmax" in small.request.relation.variants:
        values = decode(label)
        label, shape = encode(np.stack([1.0 - values, values], axis=-1), label.dtype), (size, 2)
    made = {"logits": (logits, (size,)), "label": (label, shape)}
    lines = [f"{name} = {tensors.written(source, tensor, dims)}" for name, (tensor, dims) in made.items()]
    copied = filled(source.tensor, numbers=f"*{filled(source.numbers, result='prediction')}", dtype=request.dtype)
    return [
        *lines,
        f"prediction = {source.produced}",
        f"got = {filled(source.numbers, result=source.result)}",
        f"prediction = {copied}  # the same numbers in another tensor",
        f"expected = {filled(source.numbers, result=source.result)}",
        versions(sources),
        'print(f"got {got}, with a copy of the prediction {expected}")',
        *verdict(small, "got != expected", "both calls agree"),
    ]
