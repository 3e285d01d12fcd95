"""A problem of a loss of one's own that is known and accepted, and nothing that looks like it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass

from conformance.errors import InputError
from conformance.ids import CauseId
from conformance.judge.harm import Harm
from conformance.record.harms import Harms
from conformance.record.record import CheckLine, FindingLine

#: The words of harm, the mildest first.
HARMS = {harm.word: harm for harm in sorted(Harm)}


@dataclass(frozen=True, kw_only=True)
class Allowed:
    """What is accepted: findings of one cause, in some cases, that do no more than `harm` (docs/harm.md).

    `cause` is the whole word that a report prints, `cases` are ids of cases, or of elements, CASE#ELEMENT.  The same
    cause in another case, or with a worse harm, is another problem.  Raises InputError for a glob, for a harm that is
    none and where no reason is given: a year later nobody would know it.
    """

    cause: str
    cases: Sequence[str]
    harm: str
    reason: str

    def __post_init__(self) -> None:
        """Refuse what names no problem."""
        if isinstance(self.cases, str) or not self.cases:
            raise InputError(f"allow: cases must be a list of ids of cases (got {self.cases!r})")
        for word in (self.cause, *self.cases):
            if any(sign in word for sign in "*?"):
                raise InputError(f"allow: {word!r} is a class, not a problem", "write out what the report names")
        if self.cause.count("/") != len(CauseId._fields) - 1:
            raise InputError(f"allow: cause must be {CauseId.__doc__} as the report names it (got {self.cause!r})")
        if self.harm not in HARMS:
            raise InputError(f"allow: harm must be one of {', '.join(HARMS)} (got {self.harm!r})")
        if not str(self.reason or "").strip():
            raise InputError(f"allow: {self.cause!r} needs a reason (got {self.reason!r})")

    def place_of(self, check: CheckLine, finding: FindingLine, harms: Harms) -> str:
        """Which of `cases` a finding is of, "" where it is not of this problem."""
        if finding.cause != self.cause or harms.get((check.id, finding.element), Harm.REFUSES) > HARMS[self.harm]:
            return ""
        places = (f"{check.case}#{finding.element}", check.case)
        return next((place for place in places if place in self.cases), "")


def checked(allow: Iterable[Allowed]) -> tuple[Allowed, ...]:
    """What is allowed.  Raises InputError for anything but problems."""
    given = (allow,) if isinstance(allow, str) else tuple(allow)
    for one in given:
        if not isinstance(one, Allowed):
            raise InputError(
                f"allow must be a list of Allowed(cause=…, cases=[…], harm=…, reason=…) (got {one!r})",
                "a failure prints the words to copy",
            )
    return given


def unused(allowed: Sequence[Allowed], seen: Collection[tuple[Allowed, str]]) -> Iterator[str]:
    """What was allowed and did not show, in words: a case or, where nothing of it did, all of it."""
    shown = {id(one) for one, _ in seen}
    for one in allowed:
        missing = [case for case in one.cases if not any(it is one and place == case for it, place in seen)]
        if missing:
            yield one.cause if id(one) not in shown else f"{one.cause} in {', '.join(missing)}"
