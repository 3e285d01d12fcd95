"""A run as Markdown: scoreboard and findings, for a pull request or a report."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from conformance.diagnosis.why import WORD, of_new
from conformance.record.record import BackendLine, RunRecord
from conformance.record.summary import CauseSummary, causes, folded, scoreboard
from conformance.render.characters import clean
from conformance.render.narrate import counted
from conformance.render.scoreboard import MAIN_FAMILIES, agreement_text, cell_text, error_text, modes_text
from conformance.render.text import example_text, not_judged_text, quick_text


def render(record: RunRecord) -> str:
    """The whole document."""
    return "\n".join(_lines(record)) + "\n"


def _lines(record: RunRecord) -> Iterator[str]:
    yield f"# bce-conformance {record.header.suite}"
    yield ""
    if record.interrupted:
        yield "**Interrupted: this run has no end.**"
        yield ""
    if quick := quick_text(record):
        yield f"**Quick run**: {quick}"
        yield ""
    for line in record.header.backends:
        yield f"- {line.name}: {_state(line)}{'' if line.pinned else ' (not pinned)'}"
    yield ""
    yield from _scoreboard(record)
    every = causes(record)
    for outcome in ("new", "fixed", "recorded"):
        if found := [one for one in every if one.outcome == outcome]:
            yield from ("", f"## {counted(len(found), f'{outcome} cause')}", "", *_causes(record, found))
    if record.footer is not None:
        yield ""
        yield "Outcomes: " + ", ".join(f"{count} {name}" for name, count in record.footer.outcomes.items()) + "."
        yield f"Not judged: {not_judged_text(record)}."


def _state(line: BackendLine) -> str:
    """The versions of a backend, or why it was not run."""
    if line.absent:
        return f"absent: {cell(line.absent)}"
    if line.failed:
        return f"failed: {cell(line.failed)}"
    return ", ".join(f"{name} {version}" for name, version in line.versions.items())


def _scoreboard(record: RunRecord) -> Iterator[str]:
    families = list(dict.fromkeys(check.family for check in record.checks))
    families.sort(key=lambda family: MAIN_FAMILIES.index(family) if family in MAIN_FAMILIES else len(MAIN_FAMILIES))
    yield row(["implementation", *families, "agree", "worst ULP", "against contract", "labels outside [0, 1]"])
    yield row(["---"] * (len(families) + 5))
    for one in folded(scoreboard(record)):
        counts = [cell_text(found) if (found := one.cells.get(family)) else "-" for family in families]
        rest = [agreement_text(one.agreement), error_text(one.worst_ulp), error_text(one.worst_contract)]
        yield row([f"{cell_code(one.implementation)}{modes_text(one)}", *counts, *rest, one.out_of_range or "-"])
    yield ""
    yield "Cells: conforms + by-contract (f: by a printed formula; r: rejected as expected) / checks."
    yield "Modes with the same counts share a row; agree: checks in which they do as eager mode does."


def _causes(record: RunRecord, found: Sequence[CauseSummary]) -> Iterator[str]:
    why = of_new(record)
    yield row(["cause", "elements", "example", "show it again", "link or reason"])
    yield row(["---"] * 5)
    for cause in found:
        yield row(
            [
                cell_code(cause.cause),
                str(cause.elements),
                cell(_example(cause, why.get(cause.cause, ""))),
                cell_code(cause.example.command) if cause.example else "",
                cell(" ".join(cause.links) or cause.reason),
            ]
        )


def _example(cause: CauseSummary, why: str) -> str:
    told = example_text(cause.example) if cause.example else "not seen"
    return f"{told}; {WORD}{why}" if why else told


def row(cells: list[str]) -> str:
    """One row of a table."""
    return "| " + " | ".join(cells) + " |"


def code(text: str) -> str:
    """Text as code: a backtick, which would end it, is shown as an apostrophe."""
    return f"`{text.replace('`', chr(39))}`"


def cell_code(text: str) -> str:
    """Text as code in a cell, which a bar would end even there."""
    return code(text).replace("|", "\\|")


def cell(text: str | None) -> str:
    """Text of a framework as the content of a cell: nothing in it can end the cell or become markup."""
    escaped = clean(text or "").replace("\\", "\\\\").replace("|", "\\|").replace("\n", " ").replace("\r", " ")
    for character in "`*_<>[]&~":
        escaped = escaped.replace(character, "\\" + character)
    return escaped
