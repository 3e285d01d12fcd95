"""Smaller inputs that show the same: fewer elements, fewer options, shorter decimals.

Candidates are judged as any run is (`run.execute`), all of a report's in one go, so that each framework is started
once.  A candidate shows the same where its finding has the cause and the class of the original.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations, product
from typing import Any, NamedTuple

import msgspec
import numpy as np

from conformance.judge.verdicts import Finding, Judged
from conformance.known.record import Record
from conformance.numbers.formats import FORMATS, Format, Tensor, decode
from conformance.numbers.literals import bits_of, text_of
from conformance.plan.cases import OPTIONS, Case, Element, Suite
from conformance.plan.inputs import Inputs
from conformance.plan.plan import Plan
from conformance.plan.requests import Request
from conformance.pool.backend import Backend, Opened
from conformance.pool.pool import Pool
from conformance.quantities import AGREEMENT, BEHAVIOUR
from conformance.record.record import RunRecord
from conformance.repro.finding import Target
from conformance.run import run as runs

#: Most elements of one request: tensors of up to this length are padded to it where lengths cost a compilation
#: (`Runtime.sizes`), so that more would cost more.
CANDIDATES = 64

#: Of a check that is about all elements at once so many are tried.
MEMBERS = 4

#: Of at most so many elements that are reduced, all single ones and pairs are tried.
FEW = 8

#: An error that is far beyond the budget convinces; beyond this many ULP a larger one convinces no more.
CONVINCING = 1000.0

NAMES = ("prediction", "label", *OPTIONS)

#: The largest power of ten that float64 has.
LARGEST_POWER = 308

#: Labels, weights and factors that a reader need not think about, the simplest first.
PLAIN = {"label": ("0", "1", "0.5"), "weight": ("1", "0.5", "2"), "pos_weight": ("1", "2", "0.5")}

#: Predictions that everybody meets, by form.
EVERYDAY = {"probabilities": ("0.5", "0.1", "0.9", "0.001", "1e-7", "1e-20"), "logits": ("1", "-1", "20", "-20")}


@dataclass(frozen=True)
class Small:
    """A case of few elements that shows the finding, and how it was judged; `index` is the element to look at.

    A script has so many `copies` of that element in its tensors.
    """

    target: Target
    request: Request
    index: int
    shown: Judged
    copies: int = 1

    @property
    def case(self) -> Case:
        """The case."""
        return self.request.case

    @property
    def element(self) -> str:
        """The element to look at."""
        return self.shown.elements[self.index]

    @property
    def finding(self) -> Finding:
        """The finding of that element."""
        found = (one for one in self.shown.findings if one.element == self.element)
        return next(one for one in found if _same(one, self.target))

    @property
    def got(self) -> float:
        """The number that came back; NaN where it is none."""
        bits, dtype = self.shown.bits[self.index], self.shown.result_dtype
        return _value(int(bits, 16), FORMATS[dtype]) if bits else math.nan

    @property
    def documented(self) -> float | None:
        """What the documentation gives in place of the exact value, where it gives another number."""
        values, exact = self.shown.contract_values, self.shown.ideal[self.index]
        found = values[self.index] if values else None
        return None if found is None or found == exact or not math.isfinite(found) else found

    @property
    def what(self) -> str:
        """What is wrong there (`verdicts.Finding.what`)."""
        return self.finding.what


class Shrunk(NamedTuple):
    """For each target small cases that show it, the simplest first, the original among them.

    `opened` are the backends as they were opened, `record` and `suite` what the run of all candidates was made of.
    """

    smalls: dict[Target, list[Small]]
    opened: dict[str, Opened]
    record: RunRecord
    suite: Suite


def shrink(pool: Pool, backends: Sequence[Backend], targets: Sequence[Target], options: runs.Options) -> Shrunk:
    """Run the candidates of all targets."""
    requests: list[Request] = []
    about: dict[str, Target] = {}
    for number, one in enumerate(targets):
        for place, case in enumerate(smaller(one)):
            named = msgspec.structs.replace(case, id=f"repro/n{number}-{place}")
            requests += _requests(one, named)
            about[named.id] = one
    suite = Suite.of("repro", *{one.case.id: one.case for one in requests}.values())
    plan = Plan(
        suite=suite, implementations=tuple({one.implementation: None for one in requests}), requests=tuple(requests)
    )
    done = runs.execute(pool, backends, plan, Record(), options)
    found: dict[Target, list[Small]] = {one: [] for one in targets}
    plainly: set[tuple[str, str]] = set()
    for check in done.checks:
        one = about[check.request.case.id]
        if check.quantity == one.quantity and check.request.implementation == one.implementation:
            found[one] += _shown(one, check)
        elif check.quantity == one.quantity:
            plainly |= {(check.request.case.id, finding.element) for finding in check.findings}

    def order(small: Small) -> tuple[Any, ...]:
        """A mode is shown where the plain call is right, if that is anywhere."""
        return (small.case.id, small.element) in plainly, *_simplicity(small)

    return Shrunk({one: sorted(found[one], key=order) for one in targets}, done.opened, done.record, suite)


def _requests(target: Target, case: Case) -> Iterator[Request]:
    """What has to be run to see a finding: all calls where it is about all, and the plain call beside a mode."""
    one, quantities = target.implementation, [target.quantity]
    if target.quantity in (*BEHAVIOUR, AGREEMENT):
        quantities[:0] = [name for name in case.numeric if name in one.quantities]
    inputs = Inputs(case, target.dtype)
    made = Request("repro", one, inputs, tuple(quantities), target.request.presentations)
    yield made
    if target.plain is not None and target.plain != one:
        plain = tuple(name for name in quantities if name != AGREEMENT and name in target.plain.quantities)
        if plain:
            yield replace(made, implementation=target.plain, quantities=plain)


def _shown(target: Target, check: Judged) -> Iterator[Small]:
    """What of a check of candidates shows the target, each element as a case of its own."""
    for finding in check.findings:
        if _same(finding, target):
            yield Small(target, check.request, check.elements.index(finding.element), check)


def _same(finding: Finding, target: Target) -> bool:
    """Whether a finding is the same mistake: its cause and class, of which a result of 0 is an inaccurate one."""
    sized = {finding.what, target.what} <= {"zero", "inaccurate"}
    return finding.cause == target.cause and (finding.what == target.what or sized)


def _simplicity(small: Small) -> tuple[Any, ...]:
    """What is sorted by: ordinary numbers, a result that convinces, 0 above all, few options and elements, short.

    Nobody is moved by a mistake at 1e-45 where there is one at 0.001.
    """
    check, case = small.shown, small.case
    error = check.scaled[small.index] if small.index < len(check.scaled) else math.nan
    weak = (small.what != "zero", -min(error, CONVINCING) if error == error else 0.0)
    elements = case.elements if not alone(small.request) else (element_at(small),)
    texts = [text for one in elements for text in texts_of(one)]
    options = len(case.options) + len(case.parameters) + len(case.dtypes_of)
    return _subnormal(small.request, texts), weak, options, len(elements), sum(map(_length, texts)), texts


def _subnormal(request: Request, texts: Sequence[str]) -> bool:
    """Whether a number is so small that its dtype, or float32, has fewer digits for it."""
    fmt = FORMATS[request.dtype]
    least = 2.0 ** max(fmt.emin, FORMATS["float32"].emin)
    return any(0 < abs(_value(bits_of(text, fmt), fmt)) < least for text in texts)


def _value(bits: int, fmt: Format) -> float:
    """The number of a bit pattern, infinities and NaN included."""
    return float(decode(Tensor(fmt.name, np.array([bits], dtype=fmt.storage)))[0])


def _length(text: str) -> float:
    """How long a number looks: a zero at its end, as in 20, counts half, and anything but 0 and 1 a little more."""
    digits = text.lstrip("-")
    round_off = len(digits) - len(digits.rstrip("0")) if digits.isdigit() else 0
    return len(digits) - 0.5 * round_off + (text not in ("0", "1")) * 0.5 + text.startswith("-") * 0.25


def alone(request: Request) -> bool:
    """Whether each element of a request is judged by itself."""
    return request.case.reduction == "none" and not request.presentations


def element_at(small: Small) -> Element:
    """The element that a small case of elements by themselves is about: the plainest where it is about all."""
    named = [one for one in small.case.elements if one.id == small.element]
    return min(named or small.case.elements, key=lambda one: sum(map(_length, texts_of(one))))


def texts_of(element: Element) -> list[str]:
    """The numbers of an element as they are written."""
    return [getattr(element, name) for name in ("prediction", "label", *element.options)]


def smaller(target: Target) -> Iterator[Case]:
    """Cases to try: for elements by themselves all candidates at once, for a reduction of them fewer elements."""
    case = msgspec.structs.replace(target.case, grid=None, dtypes=(target.dtype,))
    if not alone(target.request):
        yield case
        for few in () if case.presentations else _fewer(case.elements):
            yield msgspec.structs.replace(case, elements=few)
        return
    named = target.element.partition(".")[0]  # a leg of a relation belongs to its element
    elements = [one for one in case.elements if target.element == "all" or one.id in (target.element, named)]
    if target.quantity == AGREEMENT:  # its cause is of all inputs together, and other ones may change it
        yield msgspec.structs.replace(case, elements=tuple(elements[:MEMBERS]))
    for dropped in ((),) if target.bound else _subsets(case.options):
        own = {name: dtype for name, dtype in case.dtypes_of.items() if name not in dropped}
        candidates = tuple(elements) if target.bound else _candidates(elements[:MEMBERS], target, dropped)
        kept = (own,) if target.bound else _with_none(own)
        for parameters, dtypes_of in product(_with_none(case.parameters), kept):
            yield msgspec.structs.replace(case, elements=candidates, parameters=parameters, dtypes_of=dtypes_of)


def _with_none(chosen: Mapping[str, str]) -> tuple[Mapping[str, str], ...]:
    """Nothing, and what is chosen where that is something."""
    return ({}, chosen) if chosen else ({},)


def _fewer(elements: Sequence[Element]) -> Iterator[tuple[Element, ...]]:
    """Some elements of a few: each, each two, and all but one."""
    if 1 < len(elements) <= FEW:
        yield from ((one,) for one in elements)
        yield from combinations(elements, 2)
        yield from combinations(elements, len(elements) - 1)


def _subsets(options: Sequence[str]) -> Iterator[tuple[str, ...]]:
    """Which options to leave out: all, each, none."""
    for kept in product((False, True), repeat=len(options)):
        yield tuple(name for name, keep in zip(options, kept, strict=True) if not keep)


def _candidates(elements: Sequence[Element], target: Target, dropped: Sequence[str]) -> tuple[Element, ...]:
    """Up to CANDIDATES elements, the given ones first; all set the same options."""
    made: dict[tuple[str | None, ...], Element] = {}
    for one in elements:
        numbers = [
            (None,) if text is None or name in dropped else _numbers(name, text, target)
            for name in NAMES
            for text in (getattr(one, name),)
        ]
        ordered = sorted(product(*map(enumerate, numbers)), key=lambda row: sum(place for place, _ in row))
        for row in ordered[: CANDIDATES // len(elements)]:
            texts = tuple(text for _, text in row)
            inputs = dict(zip(NAMES, texts, strict=True))
            made.setdefault(texts, Element(id=f"c{len(made)}", expect=one.expect, **inputs))  # type: ignore[arg-type]
    return tuple(made.values())


def _numbers(name: str, text: str, target: Target) -> tuple[str, ...]:
    """A number and simpler ones: the shortest decimal of its bits, fewer digits, plain ones that the call may get."""
    one = target.implementation
    everyday = EVERYDAY[one.form] if target.quantity != AGREEMENT else ()
    plain = everyday if name == "prediction" else PLAIN[name]
    if (name == "label" and one.labels == "hard") or (name == "weight" and one.masks):
        return tuple(dict.fromkeys((text, *(number for number in plain if number in ("0", "1")))))
    dtype = target.case.dtypes_of.get(name, target.dtype)
    if dtype not in FORMATS:
        return tuple(dict.fromkeys((text, "0", "1")))
    fmt = FORMATS[dtype]
    shortest = text_of(bits_of(text, fmt), fmt)
    value = float(shortest)
    found = [shortest]
    if math.isfinite(value) and value:
        rounded = [float(f"{value:.{digits}g}") for digits in (3, 2, 1)]
        rounded.append(math.copysign(10.0 ** min(round(math.log10(abs(value))), LARGEST_POWER), value))
        found += [_plain(one) for one in rounded if math.isfinite(one)]
    return tuple(dict.fromkeys((*found, *plain)))


def _plain(value: float) -> str:
    """A number as somebody would write it: 20 and not 20.0."""
    return f"{value:.17g}" if value == int(value) and abs(value) < 1e6 else repr(value)
