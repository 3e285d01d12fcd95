"""Numbers that a reader tried, in words: what they are exactly, and what came back."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

import numpy as np

from conformance.judge.verdicts import Judged
from conformance.numbers import literals
from conformance.numbers.formats import FORMATS, decode_hexadecimal
from conformance.plan.inputs import Inputs
from conformance.render import narrate
from conformance.render.elements import Reason, Reasons
from conformance.render.narrate import counted
from conformance.run.run import Run

#: More elements than this are judged but not printed one by one.
SHOWN = 8


def inputs_of(inputs: Inputs, nans: Collection[tuple[str, str]] = ()) -> Iterator[str]:
    """Exact inputs and how their ideals come about; of more than SHOWN elements their number.

    Of elements among `nans`, (dtype, element), it is told where a NaN can come from.
    """
    if len(inputs.elements) > SHOWN:
        yield f"{inputs.dtype}: {counted(len(inputs.elements), 'element')}"
        return
    words = (narrate.derivations(inputs), narrate.signs(inputs), narrate.floors(inputs), narrate.why_nans(inputs))
    for index, (derivation, sign, floor, nan) in enumerate(zip(*words, strict=True)):
        name = inputs.elements[index].id
        yield f"{inputs.dtype} {name}: {narrate.exact_inputs(inputs, index)}"
        yield f"    {narrate.formula(inputs.case)}; {derivation}"
        for line in filter(None, (sign, floor, nan if (inputs.dtype, name) in nans else "")):
            yield f"    {line}"


def absent(done: Run) -> Iterator[str]:
    """Backends that were not run, and why."""
    for name, opened in done.opened.items():
        if opened.absent is not None or opened.failed is not None:
            yield f"absent {name}: {opened.absent}" if opened.absent else f"failed {name}: {opened.failed}"


def worst(done: Run, why: Reasons) -> Iterator[str]:
    """For each implementation and quantity the first non-finite and the worst element, and why it is wrong."""
    for check in done.checks:
        if check.bits:
            yield from _worst_of(check)
        elif check.verdict not in ("conforms", "rejects"):
            yield f"{check.id}: {check.verdict} {'; '.join(check.details)}"
        reason = why.get((check.request.implementation.id, check.request.dtype, check.quantity), Reason())
        yield from (f"    {line}" for line in (reason.why, *reason.known) if line)


def _worst_of(check: Judged) -> Iterator[str]:
    first = next((index for index, finite in enumerate(_finite(check)) if not finite), None)
    largest = max(((error, index) for index, error in enumerate(check.scaled) if error == error), default=None)
    parts, places = [f"{check.id}: {check.verdict}"], set()
    if first is not None:
        parts.append(f"first non-finite {_shown(check, first)} at {check.elements[first]}")
        places.add(first)
    if largest is not None:
        error, index = largest
        parts.append(f"worst {error:.3g} ULP at {check.elements[index]} (got {_shown(check, index)})")
        places.add(index)
    yield ", ".join([*parts, *check.details])
    if check.request.presentations:  # of which one is many elements: a finding says which of them is the worst
        yield from (f"    {one.element}: {one.detail}" for one in check.findings if one.detail)
        return
    for place in places:
        values = {name: float(array[min(place, len(array) - 1)]) for name, array in check.request.inputs.values.items()}
        yield f"    {check.elements[place]}: prediction={values['prediction']!r} label={values['label']!r}"


def _finite(check: Judged) -> Any:
    """Whether the result at each element is a number; where none came it is not said to be none."""
    if check.result_dtype not in FORMATS:
        return np.ones(len(check.bits), dtype=bool)
    return np.isfinite(decode_hexadecimal([bits or "0" for bits in check.bits], check.result_dtype))


def _shown(check: Judged, index: int) -> str:
    bits, fmt = check.bits[index], FORMATS.get(check.result_dtype)
    return literals.text_of(int(bits, 16), fmt) if bits and fmt else ""
