"""A run as Markdown, for a pull request or a report: which entry points are good for what, problems, counts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.text import Text

from conformance.diagnosis.why import WORD, of_new
from conformance.record.harms import harms
from conformance.record.problems import ProblemSummary, problems
from conformance.record.record import BackendLine, RunRecord
from conformance.record.summary import CauseSummary, causes, folded, scoreboard
from conformance.render import answer
from conformance.render.characters import clean
from conformance.render.narrate import counted
from conformance.render.scoreboard import MAIN_FAMILIES, agreement_text, cell_text, error_text, modes_text
from conformance.render.text import example_text, exit_word, not_judged_text, quick_text


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
    weighed = harms(record)
    found_problems = problems(record, weighed)
    if record.footer is not None:
        yield f"**{Text.from_markup(exit_word(record.footer)).plain}**: {_known_line(found_problems, record)}."
        yield ""
    yield from _answer(answer.answered(record, weighed), record)
    yield from _problems([one for one in found_problems if one.explained])
    yield from ("## Where, and the counts", "")
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


def _known_line(found: Sequence[ProblemSummary], record: RunRecord) -> str:
    return cell(Text.from_markup(answer.known_line(found, record)).plain)


def _answer(rows: Sequence[answer.Row], record: RunRecord) -> Iterator[str]:
    """A row for each entry point that people use, the best first, with what most is to be said of it."""
    if not rows:
        return
    yield from ("## Which entry point is good for what, the best first", "")
    yield row(["entry point", *(kind.word for kind in answer.COLUMNS), "most to be said of it"])
    yield row(["---"] * (len(answer.COLUMNS) + 2))
    for one in rows:
        line = record.problems_by_id.get(one.said.problem)
        yield row(
            [
                cell_code(one.name),
                *(cell(one.words[kind]) for kind in answer.COLUMNS),
                cell(line.title if line else None),
            ]
        )
    for said in answer.legend(rows, answer.COLUMNS):
        yield from ("", f"{cell(said)}.")
    yield ""


def _problems(found: Sequence[ProblemSummary]) -> Iterator[str]:
    """A row for each known problem, the worst harm first."""
    if not found:
        return
    yield from (f"## {counted(len(found), 'known problem')}, the worst first", "")
    yield row(["harm", "problem", "write instead", "known upstream"])
    yield row(["---"] * 4)
    for one in found:
        line = one.line
        yield row([one.worst.word, cell(line.title), cell(line.workaround), cell(" ".join(line.urls))])
    yield ""


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
    yield row(["cause", "elements", "example", "show it again", "problem"])
    yield row(["---"] * 5)
    for cause in found:
        yield row(
            [
                cell_code(cause.cause),
                str(cause.elements),
                cell(_example(cause, why.get(cause.cause, ""))),
                cell_code(cause.example.command) if cause.example else "",
                cell(" ".join([cause.title, *cause.links]) or cause.reason),
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
