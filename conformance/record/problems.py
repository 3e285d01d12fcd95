"""The recorded findings of a run, summed up by the problems that explain them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from conformance.adapters.declaration import BASE_MODE
from conformance.ids import ImplementationId
from conformance.judge.harm import Harm
from conformance.record.harms import Harms
from conformance.record.kinds import TOGETHER, TOLD, Kind, Kinds, kinds
from conformance.record.record import CheckLine, FindingLine, ProblemLine, RunRecord
from conformance.record.summary import PLAINEST, Example, example, quantity_rank

#: Kinds of input that no everyday call has.
ASIDE = frozenset({Kind.OPTIONS, Kind.OUTSIDE, Kind.EXTREME})

#: The kinds from the plainest to the least plain.
_KINDS = {kind: place for place, kind in enumerate(Kind)}


@dataclass(frozen=True, kw_only=True)
class ProblemSummary:
    """A problem in a run: how much of it there is, the harm that it does, and an example.

    The example is a plain call in float32 on finite inputs without options where there is one, and else the worst.

    `entries` are backend/entry.  `tier` is how far from what training does the worst harm shows: 0 in a loss or
    gradient of 32 or 64 bits, 1 in one of 16, 2 elsewhere.

    What no problem explains is summed up by its cause, which then is the title.
    """

    line: ProblemLine
    elements: int
    checks: int
    dtypes: tuple[str, ...]
    entries: tuple[str, ...]
    harms: dict[Harm, int]
    tier: int
    example: Example

    @property
    def worst(self) -> Harm:
        """The worst harm that it does."""
        return max(self.harms)

    @property
    def order(self) -> tuple[int, bool, int, int, int, str]:
        """The worst harm first, in it what is to be reported, in that what training meets; then by entry points."""
        left = self.line.advice == "noise" or self.line.kind == "by-design"
        return -self.worst, left, self.tier, -len(self.entries), -self.elements, self.line.problem

    @property
    def explained(self) -> bool:
        """Whether somebody wrote down what it is."""
        return bool(self.line.title)


class _Gathered:
    """What is known of a problem while its findings are read."""

    def __init__(self, line: ProblemLine) -> None:
        self.line = line
        self.elements = 0
        self.checks: dict[str, None] = {}
        self.dtypes: dict[str, None] = {}
        self.entries: dict[str, None] = {}
        self.harms: Counter[Harm] = Counter()
        self.tiers: dict[Harm, int] = {}
        self.plainest: tuple[tuple[float, ...], CheckLine, FindingLine] | None = None

    def add(self, check: CheckLine, finding: FindingLine, harm: Harm, kind: Kind) -> None:
        self.elements += 1
        self.checks[check.id] = None
        self.dtypes[check.dtype] = None
        one = ImplementationId.parse(check.implementation)
        self.entries[one.family] = None
        self.harms[harm] += 1
        tier = 2 if kind in ASIDE or check.quantity not in TOLD else 1 if kind is Kind.NARROW else 0
        self.tiers[harm] = min(tier, self.tiers.get(harm, tier))
        # What a person calls and trains in comes first, as titles say it; there the worst harm, or else of the rest.
        rank = (
            one.mode != BASE_MODE,
            check.quantity not in TOLD,
            finding.element == TOGETHER,
            kind in ASIDE or check.dtype != PLAINEST[0],
            -harm,
            _KINDS[kind],
            PLAINEST.index(check.dtype),
            quantity_rank(check.quantity),
            finding.what == "inaccurate",
            len(finding.element),
        )
        if self.plainest is None or rank < self.plainest[0]:
            self.plainest = rank, check, finding

    def summary(self, record: RunRecord) -> Iterator[ProblemSummary]:
        if self.plainest is not None:
            _, check, finding = self.plainest
            yield ProblemSummary(
                line=self.line,
                elements=self.elements,
                checks=len(self.checks),
                dtypes=tuple(one for one in PLAINEST if one in self.dtypes),
                entries=tuple(self.entries),
                harms=dict(sorted(self.harms.items(), reverse=True)),
                tier=self.tiers[max(self.harms)],
                example=example(record, check, finding),
            )


def problems(record: RunRecord, weighed: Harms) -> list[ProblemSummary]:
    """A summary for each problem with recorded findings, in their `order`.

    `weighed` is the harm of all findings.  Those without a problem, as older records have them, are summed up by their
    causes.
    """
    known: dict[tuple[str, str], Kinds] = {}
    found: dict[str, _Gathered] = {}
    for check in record.checks:
        for finding in check.findings:
            if finding.outcome != "recorded":
                continue
            key = check.case, check.dtype
            if key not in known:
                known[key] = kinds(record.inputs_by_case[key])
            name = finding.problem or finding.cause
            if name not in found:
                found[name] = _Gathered(record.problem_of(finding) or ProblemLine(problem=name, title="", kind=""))
            harm = weighed[check.id, finding.element]
            found[name].add(check, finding, harm, known[key].of(check, finding.element))
    made = [summary for one in found.values() for summary in one.summary(record)]
    return sorted(made, key=lambda one: one.order)
