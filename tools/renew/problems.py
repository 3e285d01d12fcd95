"""`docs/problems.md`: every known problem in one line, the most harmful first: who has it, and who knows of it.

What a problem is stands in its file, `known/PROBLEM.yaml`; who has it is what is recorded, and the harm that of the
kept runs.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import get_args

from conformance.ids import CauseId
from conformance.judge.harm import Harm
from conformance.known.problem import Advice, Problem, Upstream
from conformance.known.record import Place, load
from conformance.known.recorded import Row
from conformance.numbers.formats import FORMATS
from conformance.record.harms import harms
from conformance.record.problems import problems
from conformance.render.markdown import cell, code, row
from tools.renew import ROOT, kept_run

PAGE = "docs/problems.md"
RUNS = ("pinned", "modes")

#: Entry points of one backend that a line names; of the others it has the number.
NAMED = 3

#: Links that a line shows.
LINKED = 2

_HEAD = """\
# Known problems

Every problem of the versions in `constraints.txt`, the most [harmful](harm.md) first.
Each name is that of its file in `known/`, which says why, and what would mend it ([what is known](known.md)).
The harm is the worst of the plain calls, and of all modes of three losses; a problem of other modes has none here.
This page is made by `make renew`.
"""


def page() -> str:
    """The page as Markdown."""
    known = load((Place(ROOT / "known", ROOT / "results" / "recorded"),))
    of: dict[str, list[Row]] = {}
    for one in known.rows:
        of.setdefault(one.problem, []).append(one)
    harm = _harms()
    advices = get_args(Advice)
    order = sorted(known.problems.values(), key=lambda one: (-harm.get(one.id, -1), advices.index(one.advice), one.id))
    heading = ["problem", "harm", "who has it", "dtypes and modes", "to do", "upstream"]
    table = [row(heading), row(["---"] * len(heading)), *(row(_cells(one, of[one.id], harm)) for one in order)]
    counts = Counter(one.advice for one in known.problems.values())
    said = (
        f"{len(order)} problems: {counts['file']} to be filed, {counts['comment']} known, {counts['noise']} to be left."
    )
    return "\n".join([_HEAD, said, "", *table, ""])


def files() -> dict[str, str]:
    """The page by its path."""
    return {PAGE: page()}


def _harms() -> dict[str, Harm]:
    """The worst harm of each problem in the kept runs."""
    worst: dict[str, Harm] = {}
    for name in RUNS:
        record = kept_run(name)
        for one in problems(record, harms(record)):
            worst[one.line.problem] = max(one.worst, worst.get(one.line.problem, Harm.REFUSES))
    return worst


def _cells(problem: Problem, rows: Sequence[Row], harm: dict[str, Harm]) -> list[str]:
    found = harm.get(problem.id)
    return [
        f"{code(problem.id)} {cell(problem.title)}",
        found.word if found is not None else "",
        "; ".join(_entries(dict.fromkeys(one.cause for one in rows))),
        _extent(rows),
        problem.advice,
        ", ".join([*map(_link, problem.links[:LINKED]), *_more(len(problem.links) - LINKED)]),
    ]


def _entries(causes: Iterable[str]) -> Iterator[str]:
    """The entry points of each backend, some by name."""
    of: dict[str, dict[str, None]] = {}
    for cause in causes:
        one = CauseId.parse(cause)
        of.setdefault(one.backend, {})[one.entry] = None
    for backend, entries in of.items():
        yield f"{backend}: {', '.join([*map(cell, list(entries)[:NAMED]), *_more(len(entries) - NAMED)])}"


def _more(count: int) -> list[str]:
    return [f"{count} more"] if count > 0 else []


def _extent(rows: Sequence[Row]) -> str:
    dtypes = {one.dtype for one in rows}
    modes = dict.fromkeys(mode for one in rows for mode in one.modes)
    return f"{', '.join(name for name in FORMATS if name in dtypes)}; {', '.join(modes)}"


def _link(link: Upstream) -> str:
    owner, name, _, number = link.url.removeprefix("https://github.com/").split("/")[:4]
    return f"[{owner}/{name}#{number}]({link.url}) {link.state}"
