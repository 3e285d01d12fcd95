"""`docs/problems.md`: every known problem, the most harmful first: what to write instead, who has it and who knows.

What a problem is stands in its file, `known/PROBLEM.yaml`; who has it is what is recorded, and the harm that of the
kept runs.
"""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import get_args

from conformance.ids import CauseId
from conformance.judge.harm import Harm
from conformance.known.problem import Advice, Problem, Upstream
from conformance.known.record import Place, load
from conformance.known.recorded import Row
from conformance.numbers.formats import FORMATS
from conformance.record.harms import harms
from conformance.record.problems import problems
from conformance.render.markdown import cell, code
from tools.renew import ROOT, kept_run

PAGE = "docs/problems.md"
RUNS = ("pinned", "modes")

#: Entry points of one backend that are named; of the others the page has the number.
NAMED = 3

#: Links of a problem that are shown.
LINKED = 3

#: Columns of a line, where it can be broken.
WIDTH = 100

#: What became of telling somebody, by the advice of a problem.
TOLD: dict[Advice, str] = {"file": "to be filed", "comment": "known upstream", "noise": "to be left"}

_HEAD = """\
# Known problems

Every problem of the versions in `constraints.txt`, the most [harmful](harm.md) first.
Each has its name, whether upstream is to be told, what to write instead today, and who has it.
Its file `known/NAME.yaml` says why, and what would mend it ([what is known](known.md)).
The harm is the worst of the plain calls, and of all modes of three losses; a problem of other modes has none here.
This page is made by `make renew`.
"""


def page() -> str:
    """The page as Markdown."""
    known = load((Place(ROOT / "known", ROOT / "results" / "recorded"),))
    of: dict[str, list[Row]] = {}
    for row in known.rows:
        of.setdefault(row.problem, []).append(row)
    harm = _harms()
    advices = get_args(Advice)
    order = sorted(known.problems.values(), key=lambda one: (-harm.get(one.id, -1), advices.index(one.advice), one.id))
    counts = Counter(one.advice for one in known.problems.values())
    said = ", ".join(f"{counts[advice]} {TOLD[advice]}" for advice in advices)
    lines = [_HEAD, f"{len(order)} problems: {said}.", ""]
    for found, members in groupby(order, key=lambda one: harm.get(one.id)):
        lines += [f"## {found.word.capitalize() if found is not None else 'Other modes'}", ""]
        for one in members:
            lines += [*_block(one, of[one.id]), ""]
    return "\n".join(lines)


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


def _block(problem: Problem, rows: Sequence[Row]) -> Iterator[str]:
    """A heading and a list for one problem."""
    yield f"### {cell(problem.title)}"
    yield ""
    links = ", ".join([*map(_link, problem.links[:LINKED]), *_more(len(problem.links) - LINKED)])
    yield from _item(f"{code(problem.id)}, {problem.kind}, {TOLD[problem.advice]}{': ' if links else ''}{links}")
    if problem.workaround:
        yield f"- instead: {cell(problem.workaround)}"  # in one line: a formula broken before its minus is a list
    for entries in _entries(dict.fromkeys(one.cause for one in rows)):
        yield from _item(entries)
    yield from _item(_extent(rows))


def _item(said: str) -> list[str]:
    """An item of a list, broken between words."""
    return textwrap.wrap(
        said, WIDTH, initial_indent="- ", subsequent_indent="  ", break_long_words=False, break_on_hyphens=False
    )


def _entries(causes: Iterable[str]) -> Iterator[str]:
    """The entry points of each backend, some by name."""
    of: dict[str, dict[str, None]] = {}
    for cause in causes:
        one = CauseId.parse(cause)
        of.setdefault(one.backend, {})[one.entry] = None
    for backend, entries in of.items():
        yield f"{backend}: {', '.join([*map(code, list(entries)[:NAMED]), *_more(len(entries) - NAMED)])}"


def _more(count: int) -> list[str]:
    return [f"{count} more"] if count > 0 else []


def _extent(rows: Sequence[Row]) -> str:
    dtypes = {one.dtype for one in rows}
    modes = dict.fromkeys(mode for one in rows for mode in one.modes)
    return f"in {', '.join(name for name in FORMATS if name in dtypes)}; {', '.join(modes)}"


def _link(link: Upstream) -> str:
    owner, name, _, number = link.url.removeprefix("https://github.com/").split("/")[:4]
    return f"[{owner}/{name}#{number}]({link.url}) {link.state}"
