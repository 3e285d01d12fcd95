"""How each entry point did on each kind of input: the worst that a run found there, and the problem behind it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from conformance.adapters.declaration import BASE_MODE
from conformance.ids import ImplementationId
from conformance.judge.harm import Harm
from conformance.record.harms import Harms, documented
from conformance.record.kinds import TOLD, Kind, Kinds, kinds
from conformance.record.record import CheckLine, RunRecord

#: Kinds that every training meets.
TRAINING = (Kind.EVERYDAY, Kind.SOFT, Kind.CONFIDENT, Kind.GRADIENT)

#: The verdict of what is only observed (`expect: observe` of a case).
OBSERVED = "recorded"

#: The word of a kind of which nothing was asked.
NOTHING = "-"

#: Words of a cell that are shorter than those of a harm.
SHORT = {Harm.LAST_DIGITS: "digits", Harm.BREAKS: "BREAKS"}

#: What follows the harm of a cell that only the documentation excuses.
EXCUSED = "*"


@dataclass(kw_only=True)
class Grade:
    """What a run found of one entry point on one kind of input.

    `found` is the worst harm of a finding, `documented` the worst of what only the documentation excuses; None of none.
    `problems` counts the findings of the worst harm by problem, `excused` the elements with the worst documented one.
    """

    elements: int = 0
    rejected: int = 0
    found: Harm | None = None
    documented: Harm | None = None
    excused: int = 0
    problems: Counter[str] = field(default_factory=Counter)

    @property
    def word(self) -> str:
        """As a person reads it."""
        if self.found is not None and self.found >= (self.documented or Harm.REFUSES):
            return SHORT.get(self.found, self.found.word)
        if self.documented is not None:
            return SHORT.get(self.documented, self.documented.word) + EXCUSED
        return NOTHING if not self.elements else "rejects" if self.rejected == self.elements else "ok"

    @property
    def rank(self) -> float:
        """The larger the worse; what is documented is better than the same undocumented."""
        found = -1.0 if self.found is None else float(self.found)
        return max(found, -1.0 if self.documented is None else self.documented - 0.5)

    def excuse(self, harm: Harm) -> None:
        """Count an element that only the documentation excuses."""
        if self.documented is None or harm > self.documented:
            self.documented, self.excused = harm, 0
        self.excused += harm == self.documented

    def add(self, harm: Harm, problem: str) -> None:
        """Count a finding."""
        if self.found is None or harm > self.found:
            self.found, self.problems = harm, Counter()
        if harm == self.found:
            self.problems[problem] += 1


class Said(NamedTuple):
    """A problem: how far from what every training does it shows, and its harm there (negative, the worst first)."""

    tier: int
    harm: int
    problem: str


@dataclass(frozen=True)
class Graded:
    """One implementation with its grades, by kind."""

    implementation: str
    grades: dict[Kind, Grade]

    @property
    def words(self) -> tuple[str, ...]:
        """A word for each kind."""
        return tuple(self.grades[kind].word for kind in Kind)

    @property
    def said(self) -> Said:
        """What most is to be said of it: the problem, or the cause, of most findings where they do most harm.

        What training does comes before what 16 bits do, and that before what weights, shapes and labels outside do.
        """
        for tier, some in enumerate((TRAINING, (Kind.NARROW,), (Kind.OPTIONS, Kind.OUTSIDE))):
            grade = max((self.grades[kind] for kind in some), key=lambda one: one.found or Harm.REFUSES)
            if grade.found is not None and grade.found >= max(Harm.DRIFTS, grade.documented or Harm.DRIFTS):
                return Said(tier, -grade.found, grade.problems.most_common(1)[0][0])
        return Said(3, 0, "")

    @property
    def order(self) -> tuple[bool, list[float], list[float]]:
        """The larger the worse: cannot train; then what every training meets and the rest, each the worst first."""
        ranks = ([self.grades[kind].rank for kind in Kind if (kind in TRAINING) is wanted] for wanted in (True, False))
        training, rest = (sorted(one, reverse=True) for one in ranks)
        return not all(self.grades[kind].elements for kind in TRAINING), training, rest


def grades(record: RunRecord, implementations: Sequence[str], weighed: Harms) -> list[Graded]:
    """The grades of some implementations, the best first: by what every training meets, then by the rest.

    `weighed` is the harm of all findings.
    """
    found = {name: {kind: Grade() for kind in Kind} for name in implementations}
    excused = documented(record)
    known: dict[tuple[str, str], Kinds] = {}
    for check in record.checks:
        if check.implementation not in found or check.quantity not in TOLD:
            continue
        key = check.case, check.dtype
        if key not in known:
            known[key] = kinds(record.inputs_by_case[key])
        _count(found[check.implementation], check, known[key], weighed, excused)
    made = [Graded(name, own) for name, own in found.items()]
    return sorted(made, key=lambda one: one.order)


def _count(own: dict[Kind, Grade], check: CheckLine, known: Kinds, harmed: Harms, excused: Harms) -> None:
    verdicts = check.verdicts or (check.verdict,) * len(check.elements)
    for element, verdict in zip(check.elements, verdicts, strict=True):
        if verdict == OBSERVED:
            continue
        grade = own[known.of(check, element)]
        grade.elements += 1
        grade.rejected += verdict == "rejects"
        excuse = excused.get((check.id, element))
        if excuse is not None and excuse > Harm.LAST_DIGITS:
            grade.excuse(excuse)
    for finding in check.findings:
        if (harm := harmed.get((check.id, finding.element))) is not None:
            own[known.of(check, finding.element)].add(harm, finding.problem or finding.cause)


def entries(record: RunRecord) -> list[str]:
    """The implementations that people use: of each backend those that its adapter calls `main`, or all if none is one.

    Of the modes of an entry point it is the plain one, or the first that was run.
    """
    ran = {check.implementation for check in record.checks}
    lines = [line for line in record.header.implementations if line.id in ran]
    places: dict[tuple[str, str, str], str] = {}
    for line in sorted(lines, key=lambda one: ImplementationId.parse(one.id).mode != BASE_MODE):
        one = ImplementationId.parse(line.id)
        places.setdefault((one.backend, one.entry, one.device), line.id)
    plain = set(places.values())
    chosen = [line for line in lines if line.id in plain]
    backends = {ImplementationId.parse(line.id).backend for line in chosen if line.main}
    return [line.id for line in chosen if line.main or ImplementationId.parse(line.id).backend not in backends]
