"""The script of a reproducer: the framework's own call, exact inputs, what is expected, and a comparison.

It imports the framework alone.  Whatever a framework said stands in it as a string, never as code.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from conformance.errors import InputError
from conformance.numbers.measurement import CLASSES
from conformance.plan.inputs import Inputs
from conformance.plan.presentations import Presentation
from conformance.plan.requests import Request
from conformance.quantities import AGREEMENT, NUMERIC, REDUCTION, RELATION
from conformance.repro import one_call, related_calls, two_calls
from conformance.repro.shrink import Small, alone, element_at
from conformance.repro.sources import Asked, Source
from conformance.repro.wording import words

TEMPLATES = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"),
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    keep_trailing_newline=True,
)


@dataclass(frozen=True)
class Script:
    """A reproducer: what it shows in a few words, and its text."""

    title: str
    text: str


#: The lines of a script after its imports and functions.
Body = Callable[[Small, Request, Sequence[Source]], list[str]]


@dataclass(frozen=True)
class Form:
    """A kind of script: its body, and the calls beside the one of the finding that it needs.

    `others` are further calls with the names of their functions; one without a name is another mode's.  `first` changes
    what is asked of the finding's own call.
    """

    body: Body
    others: Callable[[Small, Request], list[tuple[str, Request]]] = lambda small, request: []
    first: Callable[[Asked], Asked] = lambda asked: asked


FORMS: dict[str, Form] = {
    "raised": Form(one_call.rejected),
    "unsupported": Form(one_call.rejected),
    "accepted": Form(one_call.accepted),
    "result-dtype": Form(one_call.another_dtype),
    "result-shape": Form(one_call.another_shape),
    "differs": Form(one_call.repeated),
    "crashed": Form(one_call.ended),
    "timed-out": Form(one_call.ended),
    "number": Form(one_call.number),
    AGREEMENT: Form(two_calls.agreement, two_calls.plain_call),
    REDUCTION: Form(two_calls.reduction, two_calls.unreduced_call),
    RELATION: Form(related_calls.stated),
}

#: By the variant of the call that a relation compares with: see `worker.variants.VARIANTS`.
VARIANTS: dict[str, Form] = {
    "absent": Form(related_calls.same, related_calls.without_options),
    "counterpart": Form(related_calls.same, related_calls.counterpart),
    "sigmoid": Form(related_calls.produced, first=related_calls.of_sigmoid),
    "softmax": Form(related_calls.produced, first=related_calls.of_softmax),
}


def form_of(small: Small) -> Form:
    """The kind of script that shows `small`.  Raises InputError where there is none."""
    quantity, what = small.target.quantity, small.what
    relation = small.request.relation
    names = relation.variants[:1] if relation is not None else ()
    kind = "number" if what in CLASSES and small.shown.ideal else what
    found = VARIANTS.get(names[0]) if names else FORMS.get(quantity) or FORMS.get(kind)
    if found is None:
        raise InputError(
            f"{small.target.name}: there is no script for a finding of {quantity} ({', '.join(names) or what})"
        )
    return found


def single(small: Small) -> Request:
    """The request that a script makes: of elements by themselves the one that it is about, in as many copies."""
    if not alone(small.request):
        return small.request
    made = with_case(small.request, elements=(element_at(small),))
    if small.copies == 1:
        return made
    return replace(made, presentations=(Presentation(str(small.copies), (small.copies,)),))


def with_case(request: Request, **fields: object) -> Request:
    """The request of a case in which `fields` differ."""
    case = msgspec.structs.replace(request.case, **fields)
    return replace(request, inputs=Inputs(case, request.dtype))


def calls(small: Small) -> list[Asked]:
    """What has to be known as text to write the script of `small`: its own call first."""
    form, request, quantity = form_of(small), single(small), numeric(small)
    others = [Asked(other, quantity) for _, other in form.others(small, request)]
    return [form.first(Asked(request, quantity)), *others]


def compose(small: Small, sources: Sequence[Source]) -> Script:
    """The script that shows `small`, whose `calls` are `sources`.  Raises InputError where there is no such script."""
    form, request = form_of(small), single(small)
    others = zip(form.others(small, request), sources[1:], strict=True)
    functions = [("loss", sources[0]), *((name, source) for (name, _), source in others if name)]
    title = ascii_only(f"{request.implementation.family.replace('/', ' ')}: {words(small)}")
    text = TEMPLATES.get_template("repro.py.j2").render(
        title=title.replace("\\", "/").replace('"', "'"),
        modules=dict.fromkeys(line for source in sources for line in source.modules),
        helpers=dict.fromkeys(helper for source in sources for helper in source.helpers),
        functions=functions,
        body=[ascii_only(line) for line in form.body(small, request, sources)],
    )
    return Script(title, text)


def ascii_only(text: str) -> str:
    """`text` as every terminal shows it; it has no end of line."""
    return "".join(one if one.isprintable() and one.isascii() else "?" for one in text.replace("·", "*"))


def numeric(small: Small) -> str:
    """The numeric quantity that a script computes."""
    relation = small.request.relation
    if relation is not None:
        return relation.quantity
    if small.target.quantity in NUMERIC:
        return small.target.quantity
    detail = small.finding.detail
    return next((one for one in NUMERIC if detail.startswith((f"{one} ", f"{one}:"))), "value")
