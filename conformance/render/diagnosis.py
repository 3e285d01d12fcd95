"""A diagnosis for a person: what is wrong and why, the formula, one input step by step, where, who else, a remedy."""

from __future__ import annotations

import io
import math
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import NamedTuple

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from conformance.diagnosis.diagnosis import EVERYTHING, Diagnosis, Example, Only, same_formula
from conformance.diagnosis.guilty import Row
from conformance.diagnosis.matter import Matter, matter
from conformance.diagnosis.remedy import Remedy, cures, domain, remedies
from conformance.diagnosis.window import End, Points, Where, Window, where_wrong
from conformance.formulas.text import text, written
from conformance.plan.cases import Suite
from conformance.record.record import RunRecord
from conformance.render import narrate
from conformance.render.narrate import counted

#: Width where standard output is no terminal.
WIDTH = 100


class Told(NamedTuple):
    """A diagnosis, and where its results are wrong for the labels that are told and how much that matters."""

    diagnosis: Diagnosis
    where: tuple[Where, ...] = ()
    matters: tuple[Matter, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Page:
    """What is told of one quantity of an implementation: the dtypes with the same formula, the first one in full."""

    told: tuple[Told, ...]
    only: Only = EVERYTHING
    others: tuple[str, ...] = ()
    remedies: tuple[Remedy, ...] = ()

    @property
    def diagnoses(self) -> tuple[Diagnosis, ...]:
        """One for each dtype."""
        return tuple(one.diagnosis for one in self.told)

    @property
    def first(self) -> Diagnosis:
        """The one that is told in full."""
        return self.told[0].diagnosis


def pages(found: Sequence[Diagnosis], record: RunRecord, suite: Suite, only: Only = EVERYTHING) -> Iterator[Page]:
    """A page for each quantity and formula; what is unidentified has one of its own.  `only` is what was asked for."""
    told: dict[tuple[str, ...], list[Diagnosis]] = {}
    for one in found:
        model = one.model
        names = (one.group.dtype, one.group.result_dtype) if model is None else model.names
        told.setdefault((one.group.quantity, *names), []).append(one)
    for alike in told.values():
        yield _page(alike, record, suite, only)


def _page(diagnoses: list[Diagnosis], record: RunRecord, suite: Suite, only: Only) -> Page:
    """With where the formula is wrong, who else has it and what helps, in the dtype that people use most."""
    diagnoses.sort(key=lambda one: ("float32", "float64", "bfloat16", "float16").index(one.group.dtype))
    told = tuple(map(_told_of, diagnoses))
    first, where = diagnoses[0], told[0].where
    if first.model is None:
        return Page(told=told, only=only)
    found = remedies(where[0].curve.expression, first.group.form, first.group.quantity) if where else ()
    return Page(told=told, only=only, others=tuple(same_formula(first, record, suite)), remedies=found)


def _told_of(one: Diagnosis) -> Told:
    """Few results have another dtype than the inputs: of them it is not told where they are wrong."""
    if one.model is None or one.group.dtype != one.group.result_dtype:
        return Told(one)
    where = tuple(filter(None, (where_wrong(one.group, one.model, label) for label in LABELS)))
    return Told(one, where, tuple(filter(None, map(matter, where))))


#: Labels for which it is told where a formula is wrong.
LABELS = (0.0, 1.0)

#: Models that are named beside the one that is told, where the results do not tell them apart.
NAMED = 2


def render(page: Page, console: Console, *, every: bool = False) -> None:
    """Print a page; `every` model that the results do not tell apart is named."""
    for part in _parts(page, every):
        console.print(part)


def document(pages: Sequence[Page], width: int = WIDTH, *, every: bool = False) -> str:
    """The pages as plain text."""
    written_to = io.StringIO()
    console = Console(width=width, color_system=None, force_terminal=False, file=written_to)
    for page in pages:
        render(page, console, every=every)
    return "\n".join(line.rstrip() for line in written_to.getvalue().splitlines()) + "\n"


def _parts(page: Page, every: bool) -> Iterator[RenderableType]:
    one = page.first
    dtypes = ", ".join(map(_dtype, page.diagnoses))
    asked = f", {'#'.join(filter(None, page.only))}" if page.only.case else ""
    yield Text(f"{one.group.implementation}: {narrate.QUANTITIES[one.group.quantity]}, {dtypes}{asked}", style="bold")
    if one.model is None:
        yield from _unidentified(one)
        return
    for dtype, example in _examples(page):
        yield Padding(Text(f"{example.mechanism.value} ({dtype}): {example.sentence}."), (1, 2, 0, 2))
    if not any(each.examples for each in page.diagnoses):
        yield Padding(
            Text("No step is known that makes this wrong: the formula does not give it, or its emulation is right."),
            (1, 2, 0, 2),
        )
    yield Padding(_facts(page, every), (1, 0, 0, 2))
    if one.examples:
        yield Padding(_steps(one.examples[0]), (1, 0, 1, 2))


def _dtype(one: Diagnosis) -> str:
    """Of the inputs, and of the results where that is another."""
    group = one.group
    return group.dtype if group.dtype == group.result_dtype else f"{group.dtype} with results in {group.result_dtype}"


def _examples(page: Page) -> list[tuple[str, Example]]:
    """One example for each mechanism, with the dtype in which it is met first."""
    found: dict[str, tuple[str, Example]] = {}
    for one in page.diagnoses:
        for example in one.examples:
            found.setdefault(example.mechanism.value, (_dtype(one), example))
    return list(found.values())


def _unidentified(one: Diagnosis) -> Iterator[RenderableType]:
    near = one.identified.nearest
    said = f"unidentified: {counted(one.wrong, 'wrong result')}, and no formula of the catalogue gives them all"
    if near is not None:
        said += f"; the nearest, {near.name}, explains {near.explained} of {near.total}, which is no diagnosis"
    yield Padding(Text(said + "."), (1, 2, 1, 2))


def _facts(page: Page, every: bool) -> Table:
    one = page.first
    model = one.model
    assert model is not None
    facts = Table.grid(padding=(0, 2))
    facts.add_column(no_wrap=True, style="dim")
    facts.add_column(overflow="fold")
    marked = [example.found[0].step.shown for example in one.examples[:1] if example.found[0].step is not None]
    _row(facts, "formula", str(written(model.candidates[0].expression, marked)))
    if one.group.quantity != "value":
        _row(facts, "", model.name)
    _row(facts, "", model.candidates[0].source)
    arithmetics: dict[str, list[str]] = {}
    for each in page.diagnoses:
        if each.model is not None:
            arithmetics.setdefault(each.model.arithmetic.name, []).append(_dtype(each))
    for name, of in arithmetics.items():
        _row(facts, "arithmetic", name + (f" ({', '.join(of)})" if len(arithmetics) > 1 else ""))
    for each in page.diagnoses:
        if each.model is not None:
            fits = each.model
            _row(
                facts,
                "fits",
                f"{_dtype(each)}: {fits.explained} of {fits.total} results are reproduced, {fits.equal} of them bit for"
                f" bit; {fits.wrong_explained} of the {fits.wrong} wrong ones are among them",
            )
    also = [
        each.arithmetic.name if each.names == model.names else f"{each.name}, {each.arithmetic.name}"
        for each in one.identified.survivors
        if each is not model
    ]
    shown = also if every else also[:NAMED]
    more = [f"and {len(also) - len(shown)} more"] if len(shown) < len(also) else []
    if also:
        _row(facts, "or", f"{'; '.join(shown + more)}: these inputs do not tell them apart")
    for where in page.told[0].where:
        _row(facts, "wrong", f"{_dtype(one)}, {wrong(where)}")
    for told in page.told:
        if told.matters:
            _row(facts, "matters", f"{_dtype(told.diagnosis)}: {_matter(told)}")
    if page.others:
        _row(facts, "also", ", ".join(page.others))
    for name, remedy in _remedies(page):
        _row(facts, name, remedy)
    return facts


def _row(facts: Table, name: str, said: str) -> None:
    """A line of facts; brackets in formulas are no markup."""
    facts.add_row(name, Text(said))


def wrong(where: Where) -> str:
    """Where results are wrong for a label: by emulation, or only what the run has where that is something else."""
    label = f"label {where.curve.label:g}"
    if not where.agrees:
        return f"{label}: {_recorded(where.recorded)}"
    if not where.windows:
        return f"{label}: nowhere that was tried"
    said = [f"{_range(one)}, at worst {_size(one.error)} at {_near(one.worst)}" for one in where.windows[:3]]
    more = f", and in {len(where.windows) - 3} more places" if len(where.windows) > 3 else ""
    return f"{label}: {'; '.join(said)}{more}"


def _recorded(points: Points) -> str:
    found = points.only(points.wrong)
    said = f"{found.x.size} of the {points.x.size} predictions of the run"
    if not found.x.size:
        return said
    worst = found.only(found.error == found.error.max())
    ends = f", from {_near(found.x.min())} to {_near(found.x.max())}"
    return f"{said}{ends}, at worst {_size(float(worst.error[0]))} at {_near(float(worst.x[0]))}"


def _size(error: float) -> str:
    return "lost" if error == float("inf") else f"{error:.3g} ULP"


def _near(x: float, digits: int = 4) -> str:
    """A prediction; next to 1 the distance from it."""
    return f"1 - {1 - x:.3g}" if 0 < 1 - x < NEXT_TO_ONE else f"{x:.{digits}g}"


#: How near to 1 a prediction is told by its distance.
NEXT_TO_ONE = 1e-3
#: Digits of an end that is a number of the dtype and not one of many: as many as float32 has.
SHARP = 9


def _end(one: End) -> str:
    return _near(one.at, SHARP) if one.sharp else f"about {_near(one.at)}"


def _range(one: Window) -> str:
    if one.low.last and one.high.last:
        return "everywhere"
    if one.low.last:
        return f"up to {_end(one.high)}"
    if one.high.last:
        return f"from {_end(one.low)} on"
    return f"from {_end(one.low)} to {_end(one.high)}"


def _matter(told: Told) -> str:
    """The label with the largest error; how well the loss can be known where the prediction is rounded."""
    group = told.diagnosis.group
    quantity = narrate.QUANTITIES[group.quantity]
    one = max(told.matters, key=lambda each: each.error)
    logits = group.form == "logits"
    said = []
    for words, place in (("is 0 where", one.zero), ("is no number where", one.lost)):
        if place is not None:
            name = "z" if logits else "p"
            model = f": the model says {_percent(place.prediction)} %" if logits and group.quantity == "value" else ""
            at = f"{name} = {_near(place.prediction)}, y = {one.label:g}{model}"
            upto = "up to " if words == "is 0 where" else ""
            said.append(f"{words} {quantity} is {upto}{place.exact:.3g} ({at})")
    if one.at is not None:
        said.append(f"is off by at most {one.error:.3g} (where {quantity} is {one.at.exact:.3g})")
        if logits and group.quantity == "value" and FEW_STEPS <= one.steps <= 1:
            said[-1] += f", never by more than {math.ceil(100 * one.steps) / 100:.2g} ULP of z"
    return "the result " + "; it ".join(said)


#: An error in ULP of the prediction that is worth telling: below it there is another reason why it is small.
FEW_STEPS = 0.01


def _percent(z: float) -> str:
    """sigmoid(z) in per cent."""
    e = math.exp(-abs(z))
    return f"{100 * (e if z < 0 else 1) / (1 + e):.3g}"


def _remedies(page: Page) -> Iterator[tuple[str, str]]:
    """The first remedy that is right where the first example is wrong, and which of the mechanisms told it cures."""
    told = [example for _, example in _examples(page)]
    for one in page.remedies:
        cured = [example.mechanism.value for example in told if cures(one, example.guilt)]
        if told and told[0].mechanism.value in cured:
            how = " and its derivative by the framework" if one.differentiated else ""
            yield "remedy", f"{text(one.formula)}{how}: {one.why}"
            yield from (("", said) for said in _domain(page, one))
            left = [example.mechanism.value for example in told if example.mechanism.value not in cured]
            yield "", f"cures {', '.join(cured)}" + (f"; not {', '.join(left)}" if left else "")
            return
    yield "remedy", "none is known"


def _domain(page: Page, remedy: Remedy) -> Iterator[str]:
    """For which labels and options a remedy is the formula of today in real numbers."""
    assert page.first.model is not None
    found = domain(remedy, page.first.model.names)
    options = {"weight": found.weight, "pos_weight": found.pos_weight}
    having = " and ".join(name for name, formula in options.items() if formula is not None)
    lacking = " or ".join(name for name, formula in options.items() if formula is None)
    labels = "every label" if found.every_label else "labels in [0, 1] only"
    said = [f"with {having}" if having else "", f"not with {lacking}" if lacking else ""]
    yield ", ".join(filter(None, (f"the same function for {labels}", *said)))
    if found.pos_weight is not None:
        yield f"with pos_weight c: {text(found.pos_weight)}"


def _steps(example: Example) -> Group:
    where = ", ".join(f"{name} = {value:.9g}" for name, value in example.guilt.evaluation.inputs.items())
    steps = Table(box=None, pad_edge=False, header_style="dim")
    for name in ("step", "exact", "as rounded", "error"):
        steps.add_column(name, justify="left" if name == "step" else "right", overflow="fold")
    for row in example.rows:
        if isinstance(row.exact, bool) or isinstance(row.rounded, bool) or row.step.op == "const":
            continue
        mark = "→ " if row.guilty else "  "
        steps.add_row(
            Text(mark + textwrap.shorten(text(row.step.shown), 60, placeholder=" …")),
            _shown(row.exact),
            _shown(row.rounded) + (" (flushed)" if row.flushed else ""),
            _error(row),
            style="bold" if row.guilty else "",
        )
    title = f"{example.case}#{example.element}: {where}, every step in ULP of its own format{_arrow(example)}"
    return Group(Text(title, style="dim"), steps)


def _arrow(example: Example) -> str:
    """What an arrow means: its step loses what cannot come back, often with an error that is small in its own ULP."""
    guilty = sum(row.guilty for row in example.rows)
    if not guilty:
        return ""
    which = "→ this step" if guilty == 1 else f"→ these {guilty} steps"
    right = "what the exact formula gives" if example.guilt.by_formula else "right"
    return f"; {which} exact and all others rounded, the result is {right}: what is lost here cannot come back"


def _shown(x: Decimal) -> str:
    """Nine digits, of numbers beyond those of float64, too."""
    value = float(x)
    return f"{x:.9g}" if x.is_finite() and (math.isinf(value) or (x and not value)) else f"{value:.9g}"


def _error(row: Row) -> str:
    return "0" if row.error == 0 else "lost" if row.error == float("inf") else f"{row.error:.3g}"
