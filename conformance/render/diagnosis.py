"""A diagnosis for a person: what is wrong and why, the formula, one input step by step, where, who else, a remedy."""

from __future__ import annotations

import io
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from conformance.diagnosis.diagnosis import Diagnosis, Example, same_formula
from conformance.diagnosis.guilty import Row
from conformance.diagnosis.remedy import Remedy, cures, remedies
from conformance.diagnosis.window import Window, windows
from conformance.formulas.catalogue import Options
from conformance.formulas.text import text, written
from conformance.plan.cases import Suite
from conformance.record.record import RunRecord
from conformance.render import narrate

#: Width where standard output is no terminal.
WIDTH = 100


@dataclass(frozen=True, kw_only=True)
class Page:
    """What is told of one quantity of an implementation: the dtypes with the same formula, the first one in full."""

    diagnoses: tuple[Diagnosis, ...]
    windows: tuple[Window, ...] = ()
    labels: tuple[float, ...] = ()
    others: tuple[str, ...] = ()
    remedies: tuple[Remedy, ...] = field(default=())

    @property
    def first(self) -> Diagnosis:
        """The one that is told in full."""
        return self.diagnoses[0]


def pages(found: Sequence[Diagnosis], record: RunRecord, suite: Suite) -> Iterator[Page]:
    """A page for each quantity and formula; what is unidentified has one of its own."""
    told: dict[tuple[str, ...], list[Diagnosis]] = {}
    for one in found:
        model = one.model
        names = (one.group.dtype, one.group.result_dtype) if model is None else model.names
        told.setdefault((one.group.quantity, *names), []).append(one)
    for alike in told.values():
        yield _page(alike, record, suite)


def _page(diagnoses: list[Diagnosis], record: RunRecord, suite: Suite) -> Page:
    """With where the formula is wrong, who else has it and what helps, in the dtype that people use most."""
    diagnoses.sort(key=lambda one: ("float32", "float64", "bfloat16", "float16").index(one.group.dtype))
    first = diagnoses[0]
    model = first.model
    if model is None:
        return Page(diagnoses=tuple(diagnoses))
    group = first.group
    plain = [
        candidate.expression
        for part, candidate in zip(group.parts, model.candidates, strict=True)
        if part.table.options == Options()
    ]
    if not plain:
        return Page(diagnoses=tuple(diagnoses), others=tuple(same_formula(first, record, suite)))
    return Page(
        diagnoses=tuple(diagnoses),
        windows=tuple(
            window
            for label in LABELS
            for window in windows(plain[0], model.arithmetic, group.form, group.quantity, label)
        ),
        labels=LABELS,
        others=tuple(same_formula(first, record, suite)),
        remedies=remedies(plain[0], group.form, group.quantity),
    )


#: Labels for which it is told where a formula is wrong.
LABELS = (0.0, 1.0)


def render(page: Page, console: Console) -> None:
    """Print a page."""
    for part in _parts(page):
        console.print(part)


def document(pages: Sequence[Page], width: int = WIDTH) -> str:
    """The pages as plain text."""
    written_to = io.StringIO()
    console = Console(width=width, color_system=None, force_terminal=False, file=written_to)
    for page in pages:
        render(page, console)
    return "\n".join(line.rstrip() for line in written_to.getvalue().splitlines()) + "\n"


def _parts(page: Page) -> Iterator[RenderableType]:
    one = page.first
    dtypes = ", ".join(map(_dtype, page.diagnoses))
    yield Text(f"{one.group.implementation}: {narrate.QUANTITIES[one.group.quantity]}, {dtypes}", style="bold")
    if one.model is None:
        yield from _unidentified(one)
        return
    for dtype, example in _told(page):
        yield Padding(Text(f"{example.mechanism.value} ({dtype}): {example.sentence}."), (1, 2, 0, 2))
    yield Padding(_facts(page), (1, 0, 0, 2))
    if one.examples:
        yield Padding(_steps(one.examples[0]), (1, 0, 1, 2))


def _dtype(one: Diagnosis) -> str:
    """Of the inputs, and of the results where that is another."""
    group = one.group
    return group.dtype if group.dtype == group.result_dtype else f"{group.dtype} with results in {group.result_dtype}"


def _told(page: Page) -> list[tuple[str, Example]]:
    """One example for each mechanism, with the dtype in which it is met first."""
    found: dict[str, tuple[str, Example]] = {}
    for one in page.diagnoses:
        for example in one.examples:
            found.setdefault(example.mechanism.value, (_dtype(one), example))
    return list(found.values())


def _unidentified(one: Diagnosis) -> Iterator[RenderableType]:
    near = one.identified.nearest
    said = f"unidentified: {one.wrong} results are wrong, and no formula of the catalogue gives them all"
    if near is not None:
        said += f"; the nearest, {near.name}, explains {near.explained} of {near.total}, which is no diagnosis"
    yield Padding(Text(said + "."), (1, 2, 1, 2))


def _facts(page: Page) -> Table:
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
    also = [each for each in one.identified.survivors if each is not model]
    if also:
        said = [
            each.arithmetic.name if each.names == model.names else f"{each.name}, {each.arithmetic.name}"
            for each in also[:3]
        ]
        more = f" and {len(also) - 3} more" if len(also) > 3 else ""
        _row(facts, "or", f"{'; '.join(said)}{more}: the results do not tell them apart")
    for label in page.labels:
        _row(facts, "wrong", f"{_dtype(one)}, {where(label, [each for each in page.windows if each.label == label])}")
    if page.others:
        _row(facts, "also", ", ".join(page.others))
    for name, remedy in _remedies(page):
        _row(facts, name, remedy)
    return facts


def _row(facts: Table, name: str, said: str) -> None:
    """A line of facts; brackets in formulas are no markup."""
    facts.add_row(name, Text(said))


def where(label: float, found: Sequence[Window]) -> str:
    """Where a formula is wrong for a label, and where it is worst."""
    if not found:
        return f"label {label:g}: nowhere that was tried"
    said = [f"{_range(one)}, at worst {_size(one.error)} at {_near(one.worst)}" for one in found[:3]]
    more = f", and in {len(found) - 3} more places" if len(found) > 3 else ""
    return f"label {label:g}: {'; '.join(said)}{more}"


def _size(error: float) -> str:
    return "lost" if error == float("inf") else f"{error:.3g} ULP"


def _near(x: float) -> str:
    """A prediction with as many digits as an end is known to; next to 1 the distance from it."""
    return f"1 - {1 - x:.3g}" if 0 < 1 - x < NEXT_TO_ONE else f"{x:.4g}"


#: How near to 1 a prediction is told by its distance.
NEXT_TO_ONE = 1e-3


def _range(one: Window) -> str:
    if one.from_first and one.to_last:
        return "everywhere"
    if one.from_first:
        return f"up to about {_near(one.high)}"
    if one.to_last:
        return f"from about {_near(one.low)} on"
    return f"from about {_near(one.low)} to {_near(one.high)}"


def _remedies(page: Page) -> Iterator[tuple[str, str]]:
    """The first remedy that is right where the first example is wrong, and which of the mechanisms told it cures."""
    told = [example for _, example in _told(page)]
    for one in page.remedies:
        cured = [example.mechanism.value for example in told if cures(one, example.guilt)]
        if told and told[0].mechanism.value in cured:
            how = " and its derivative by the framework" if one.differentiated else ""
            yield "remedy", f"{text(one.formula)}{how}: {one.why}"
            left = [example.mechanism.value for example in told if example.mechanism.value not in cured]
            yield "", f"cures {', '.join(cured)}" + (f"; not {', '.join(left)}" if left else "")
            return
    yield "remedy", "none is known"


def _steps(example: Example) -> Group:
    where = ", ".join(f"{name} = {value:.9g}" for name, value in example.guilt.evaluation.inputs.items())
    steps = Table(box=None, pad_edge=False, header_style="dim")
    for name in ("step", "exact", "as rounded", "error"):
        steps.add_column(name, justify="left" if name == "step" else "right", overflow="fold")
    for row in example.rows:
        if isinstance(row.exact, bool) or row.step.op == "const":
            continue
        mark = "→ " if row.guilty else "  "
        steps.add_row(
            Text(mark + textwrap.shorten(text(row.step.shown), 60, placeholder=" …")),
            _shown(row.exact),
            _shown(row.rounded),
            _error(row),
            style="bold" if row.guilty else "",
        )
    title = f"{example.case}#{example.element}: {where}, every step in ULP of its own format; → is to blame"
    return Group(Text(title, style="dim"), steps)


def _shown(x: Decimal | bool) -> str:
    value = float(x)
    return f"{value:.9g}"


def _error(row: Row) -> str:
    return "0" if row.error == 0 else "lost" if row.error == float("inf") else f"{row.error:.3g}"
