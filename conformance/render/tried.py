"""Numbers that a reader tried, in words: what they are exactly, and what came back."""

from __future__ import annotations

from collections.abc import Iterator

from conformance.numbers import literals
from conformance.numbers.formats import FORMATS
from conformance.plan.plan import Inputs
from conformance.render import narrate
from conformance.run.run import Run

#: More elements than this are judged but not printed one by one.
SHOWN = 8


def inputs_of(inputs: Inputs) -> Iterator[str]:
    """Exact inputs and how their ideals come about; of more than SHOWN elements their number."""
    if len(inputs.elements) > SHOWN:
        yield f"{inputs.dtype}: {len(inputs.elements)} elements"
        return
    form = inputs.case.form
    told = zip(narrate.derivations(inputs), narrate.floors(inputs), narrate.why_nans(inputs), strict=True)
    for index, (derivation, *rest) in enumerate(told):
        yield f"{inputs.dtype} {inputs.elements[index].id}: {narrate.exact_inputs(inputs, index)}"
        yield f"    {narrate.FORMULA[form]}; {derivation}"
        for line in filter(None, rest):
            yield f"    {line}"


def worst(done: Run) -> Iterator[str]:
    """For each implementation and quantity the first non-finite and the worst element."""
    for check in done.checks:
        if not check.bits:
            if check.verdict not in ("conforms", "rejects"):
                yield f"{check.id}: {check.verdict} {'; '.join(check.details)}"
            continue
        fmt = FORMATS.get(check.result_dtype)
        shown = [literals.text_of(int(bits, 16), fmt) if bits and fmt else "" for bits in check.bits]
        first = next((i for i, text in enumerate(shown) if text in ("nan", "inf", "-inf")), None)
        errors = [(error, i) for i, error in enumerate(check.scaled) if error == error]
        worst = max(errors, default=None)
        parts = [f"{check.id}: {check.verdict}"]
        if first is not None:
            parts.append(f"first non-finite {shown[first]} at {check.elements[first]}")
        if worst is not None:
            parts.append(f"worst {worst[0]:.3g} ULP at {check.elements[worst[1]]} (got {shown[worst[1]]})")
        parts += check.details
        yield ", ".join(parts)
        for index in {i for i in (first, worst[1] if worst else None) if i is not None}:
            values = {
                name: float(array[min(index, len(array) - 1)]) for name, array in check.request.inputs.values.items()
            }
            yield f"    {check.elements[index]}: prediction={values['prediction']!r} label={values['label']!r}"
