"""`docs/harm-table.md`: what the wrong results of the kept run do, by project and entry point."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator

from conformance.ids import CheckId, ImplementationId
from conformance.judge.harm import Harm
from conformance.record.harms import Harms, documented, harms
from conformance.repro.projects import project_of
from tools.renew import kept_run

PAGE = "docs/harm-table.md"
RUN = "pinned"

#: Columns, worst first.
WORDS = sorted(Harm, reverse=True)


def page() -> str:
    """The page as Markdown."""
    record = kept_run(RUN)
    found, excused = harms(record), documented(record)
    return "\n".join(
        [
            "# Harm, counted",
            "",
            f"Elements of the run in `results/{RUN}.jsonl.gz`"
            " by what their results do to a training ([the words](harm.md)).",
            "First findings, then, after a plus sign, results that the documentation excuses.",
            "An element counts once for each quantity and dtype, so what is wrong in one place counts as often as it is"
            " asked for.",
            "This page is made by `make renew`.",
            "",
            "## By project",
            "",
            *table("project", found, excused, _project),
            "",
            "## By entry point",
            "",
            *table("entry point", found, excused, _entry),
            "",
        ]
    )


def table(of: str, found: Harms, excused: Harms, row: Callable[[str], str]) -> Iterator[str]:
    """Lines of a table with a row for each name that `row` gives implementations."""
    rows: dict[str, Counter[tuple[Harm, bool]]] = {}
    for is_excused, harms_ in ((False, found), (True, excused)):
        for (check, _), harm in harms_.items():
            rows.setdefault(row(CheckId.parse(check).implementation), Counter())[harm, is_excused] += 1
    total = sum(rows.values(), Counter())
    yield f"| {of} | " + " | ".join(one.word for one in WORDS) + " |"
    yield "| --- |" + " ---: |" * len(WORDS)
    for name, counts in (*sorted(rows.items()), ("all", total)):
        yield f"| {name} | " + " | ".join(_cell(counts, one) for one in WORDS) + " |"


def _cell(counts: Counter[tuple[Harm, bool]], harm: Harm) -> str:
    plain, excused = counts[harm, False], counts[harm, True]
    return f"{plain or ''}" + (f" + {excused}" if excused else "")


def _project(implementation: str) -> str:
    project = project_of(implementation)
    return "formulas of textbooks" if project is None else project.name


def _entry(implementation: str) -> str:
    return ImplementationId.parse(implementation).family.replace("_", r"\_").replace("[", r"\[")


def files() -> dict[str, str]:
    """The page."""
    return {PAGE: page()}
