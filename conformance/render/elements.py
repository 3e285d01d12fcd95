"""What implementations return for a few inputs: a verdict for each first, and every element in a table."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from conformance.adapters.declaration import PLAIN_CALL
from conformance.diagnosis.why import WORD
from conformance.judge.verdicts import EXPECTED, SEVERITY, Judged
from conformance.known.problem import Problem
from conformance.numbers.formats import FORMATS, decode_hexadecimal
from conformance.numbers.literals import text_of
from conformance.quantities import NUMERIC
from conformance.render import narrate
from conformance.render.narrate import ACCEPTED
from conformance.render.scoreboard import error_text
from conformance.render.wrapping import wrap
from conformance.run.run import Run

#: What stands before the title of a known problem.
KNOWN = "known: "


class Mark(NamedTuple):
    """What a verdict looks like in front of a name."""

    sign: str
    style: str


_RIGHT, _SAID, _WRONG = Mark("✓", "green"), Mark("–", "yellow"), Mark("✗", "bold red")

MARKS = {
    "conforms": _RIGHT,
    "recorded": _RIGHT,
    "by-contract": Mark("≈", "green"),
    "rejects": _SAID,
    "unsupported": _SAID,
    "undecided": Mark("?", "yellow"),
    "deviates": _WRONG,
    "timed-out": _WRONG,
    "crashed": _WRONG,
}


class Reason(NamedTuple):
    """Why results are wrong, with WORD before it, or ""; and lines about the known problems that explain them."""

    why: str = ""
    known: tuple[str, ...] = ()


#: An implementation, a dtype and a quantity.
Place = tuple[str, str, str]
Reasons = Mapping[Place, Reason]


def known_line(one: Problem) -> str:
    """What is known of a result: the problem, its id, and what a user writes instead where that is known."""
    instead = f" · instead: {one.workaround}" if one.workaround else ""
    return f"{KNOWN}{one.title} ({one.id}){instead}"


@dataclass(frozen=True)
class Block:
    """What is said of one implementation: its worst verdict, and in lines what is not as exact mathematics has it."""

    implementation: str
    verdict: str
    lines: tuple[str, ...]

    def told(self, width: int) -> Iterator[Text]:
        """Its lines, the first with sign and name, none longer than `width`."""
        first, *rest = self.lines
        sign, style = MARKS[self.verdict]
        head = Text.assemble((sign, style), f" {self.implementation.removesuffix(PLAIN_CALL)}  {first}")
        for line in (head, *(Text(f"    {line}") for line in rest)):
            yield from wrap(line, width)


def blocks(run: Run, why: Reasons) -> list[Block]:
    """One block for each implementation that was run, the worst verdicts first."""
    checks: dict[str, list[Judged]] = {}
    for check in run.checks:
        checks.setdefault(check.request.implementation.id, []).append(check)
    found = [_block(name, own, why) for name, own in checks.items()]
    return sorted(found, key=lambda one: -SEVERITY[one.verdict])


def _shorter(found: Iterable[Block]) -> Iterator[Block]:
    """Blocks, each without reasons and problems that the one before it has said."""
    before: tuple[str, ...] = ()
    for one in found:
        lines = (_above(line) if line in before else line for line in one.lines)
        yield replace(one, lines=tuple(dict.fromkeys(lines)))
        before = one.lines


def _above(line: str) -> str:
    """What stands in place of a reason, or of a problem, that the block before has said; another line stays."""
    return next((f"{word}as above" for word in (WORD, KNOWN) if line.startswith(word)), line)


def told(found: Iterable[Block], width: int) -> Iterator[Text]:
    """The lines of blocks for a terminal of `width` columns."""
    for one in _shorter(found):
        yield from one.told(width)


def _block(implementation: str, checks: Sequence[Judged], why: Reasons) -> Block:
    worst = max((check.verdict for check in checks), key=SEVERITY.__getitem__)
    said = sorted((one for check in checks for one in _lines(check, why)), key=lambda one: -SEVERITY[one.verdict])
    known = (line for check in checks for line in why.get(_place(check), Reason()).known)
    lines = tuple(dict.fromkeys([*(one.text for one in said), *known]))
    return Block(implementation, worst, lines or (_right(checks),))


def _place(check: Judged) -> Place:
    return check.request.implementation.id, check.request.dtype, check.quantity


class _Line(NamedTuple):
    verdict: str
    text: str


def _lines(check: Judged, why: Reasons) -> Iterator[_Line]:
    """What is to be said of one check; nothing where it conforms, or is of the dtype or shape that is documented."""
    for index, verdict in enumerate(check.verdicts):
        if MARKS[verdict] == _SAID:
            yield _Line(verdict, f"{_element(check, index, '')}{verdict}: {_detail(check, index)}")
        elif check.bits and verdict not in ("conforms", "recorded"):
            yield _Line(verdict, _number(check, index))
        elif verdict not in EXPECTED:
            yield _Line(verdict, f"{_element(check, index, check.quantity)}{verdict}: {_detail(check, index)}")
    if reason := why.get(_place(check), Reason()).why:
        yield _Line(check.verdict, reason)


def _detail(check: Judged, index: int) -> str:
    details = {finding.element: finding.detail for finding in check.findings}
    return details.get(check.elements[index], "") or "; ".join(check.details)


def _number(check: Judged, index: int) -> str:
    """One element that does not conform: what came back in place of what."""
    where = _element(check, index, _subject(check))
    if any(one.what == "accepted" for one in check.findings if one.element == check.elements[index]):
        return f"{where}{f'{_got(check, index)}, ' if check.bits[index] else ''}{ACCEPTED} ({_dtypes(check)})"
    if not check.bits[index]:
        return f"{where}{check.verdicts[index]}: {_detail(check, index)}"
    got, ideal = _apart(_got(check, index), check.ideal[index])
    if check.verdicts[index] == "by-contract":
        return f"{where}{got} as is documented, exactly {ideal} ({_dtypes(check)})"
    error = check.scaled[index]
    off = f", {error_text(error)} ULP" if error == error else ""
    return f"{where}{got} instead of {ideal} ({_dtypes(check)}{off})"


def _subject(check: Judged) -> str:
    """Which number it is, where it is not the loss."""
    return "" if check.quantity == "value" else narrate.QUANTITIES.get(check.quantity, check.quantity)


def _element(check: Judged, index: int, subject: str) -> str:
    """What a line is about: the element, too, where there are several."""
    words = [subject] if subject else []
    words += [f"at {check.elements[index]}"] if len(check.elements) > 1 else []
    return f"{' '.join(words)}: " if words else ""


def _dtypes(check: Judged) -> str:
    """The dtype of the inputs, and that of the result where it is another."""
    given, made = check.request.dtype, check.result_dtype
    return given if made in (given, "") else f"{given} in, {made} out"


def _got(check: Judged, index: int) -> str:
    fmt = FORMATS.get(check.result_dtype)
    return text_of(int(check.bits[index], 16), fmt) if fmt else check.bits[index]


def _apart(got: str, ideal: float) -> tuple[str, str]:
    """Both numbers with as few digits, three at least, as tell them apart."""
    for digits in range(3, 18):
        pair = f"{float(got):.{digits}g}", f"{ideal:.{digits}g}"
        if pair[0] != pair[1]:
            return pair
    return got, repr(ideal)


def _right(checks: Sequence[Judged]) -> str:
    """What a block says of an implementation that is right: the first number, and how many more there are."""
    numbers = [(check, index) for check in checks for index, bits in enumerate(check.bits) if bits]
    if not numbers:
        return f"{', '.join(dict.fromkeys(check.quantity for check in checks))}: as it should be"
    check, index = numbers[0]
    others = f", {len(numbers)} results in all" if len(numbers) > 1 else ""
    return f"{_element(check, index, _subject(check))}{_got(check, index)} is right ({_dtypes(check)}){others}"


def check_table(run: Run) -> Table:
    """One row for each element of each numeric check of a run, and one for each other check."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for name in ("verdict", "implementation", "dtype", "quantity", "element", "got", "ideal", "documented", "ULP"):
        table.add_column(name, no_wrap=True)
    table.add_column("")
    for check in run.checks:
        for row in _rows(check):
            table.add_row(*(escape(cell) for cell in row))
    return table


def _rows(check: Judged) -> Iterator[tuple[str, ...]]:
    name = check.request.implementation.id.removesuffix(PLAIN_CALL)
    place = (name, check.request.dtype, check.quantity)
    if not check.bits:
        yield check.verdict, *place, "", "", "", "", "", "; ".join(check.details)
        return
    for index, element in enumerate(check.elements):
        bits = check.bits[index]
        contract = check.contract_values[index] if check.contract_values else None
        yield (
            check.verdicts[index],
            *place,
            element,
            _got(check, index) if bits and check.result_dtype in FORMATS else "",
            f"{check.ideal[index]:.9g}",
            "" if contract is None or contract == check.ideal[index] else f"{contract:.9g}",
            error_text(None if check.scaled[index] != check.scaled[index] else check.scaled[index]),
            _detail(check, index) if MARKS[check.verdicts[index]].sign != "✓" else "",
        )


def nans(run: Run) -> frozenset[tuple[str, str]]:
    """(dtype, element) where some implementation returned NaN."""
    return frozenset(
        (check.request.dtype, check.elements[index])
        for check in run.checks
        if check.quantity in NUMERIC and check.bits and check.result_dtype in FORMATS
        for index in np.flatnonzero(
            np.isnan(decode_hexadecimal([bits or "0" for bits in check.bits], check.result_dtype))
        ).tolist()
    )
