"""What a search found, in words."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from conformance.judge.verdicts import Judged
from conformance.numbers import literals
from conformance.numbers.formats import FORMATS
from conformance.numbers.literals import text_of
from conformance.plan.inputs import Inputs
from conformance.record import spelled
from conformance.record.spelled import Asked
from conformance.render import narrate
from conformance.search.hunt import Found
from conformance.search.options import Call
from conformance.search.target import Target


def worst(target: Target, found: Found, asked: Asked) -> str:
    """A finding in words: exact inputs, results, ideal, error, and a command that shows it again."""
    checks = target.checks(np.array([found.prediction]), np.array([found.label]))
    fmt = FORMATS[target.dtype]
    inputs = [
        f"{name}={text_of(bits, fmt)} (0x{bits:0{fmt.width // 4}x})"
        for name, value in (("prediction", found.prediction), ("label", found.label))
        for bits in (literals.bits_of(float(value).hex(), fmt),)
    ]
    lines = [f"{found.what or 'worst'}: {target.dtype} {target.quantity} at {' '.join(inputs)}"]
    for check in checks:
        wide = FORMATS.get(check.result_dtype)
        bits = check.bits[0] if check.bits else ""
        got = f"{text_of(int(bits, 16), wide)} (0x{bits})" if bits and wide else "; ".join(check.details)
        error = check.scaled[0] if check.scaled else float("nan")
        lines.append(
            f"    {check.request.implementation.id}: got {got}, ideal {check.ideal[0]:.9g}"
            + (f", {error:.6g} ULP" if error == error else "")
        )
    if len(checks) > 1:
        lines.append(f"    apart by {found.ulp:.6g} ULP of the ideal")
    prediction, label = (_short(value, fmt) for value in (found.prediction, found.label))
    names, form = tuple(one.id for one in target.implementations), target.form
    lines.append(f"    {spelled.try_numbers(names, form, prediction, label, target.dtype, asked)}")
    return "\n".join(lines)


def _short(value: float, fmt: Any) -> str:
    return text_of(literals.bits_of(float(value).hex(), fmt), fmt)


def call(call: Call, check: Judged) -> Iterator[str]:
    """A call in lines: what it sets, its exact inputs, ideal and error of each result."""
    request = check.request
    settings = [*(f"{name}={value}" for name, value in call.parameters.items()), f"reduction={call.reduction}"]
    settings += [f"presented as {call.presentation}"] if call.presentation else []
    yield f"worst: {request.dtype} {check.quantity} of {request.implementation.id}, {', '.join(settings)}"
    inputs = Inputs(request.case, request.dtype)
    for index in range(len(inputs.elements)):
        yield f"    {narrate.exact_inputs(inputs, index)}"
    for name, error, ideal in zip(check.elements, check.scaled, check.ideal, strict=True):
        yield f"    {name}: ideal {ideal:.9g}, {error:.6g} ULP"
