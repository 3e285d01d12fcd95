"""Words of a page with the colour that they have: colour means harm, and a word always stands beside it."""

from __future__ import annotations

from typing import NamedTuple

from conformance.judge.harm import Harm
from conformance.record.grades import Grade


class Word(NamedTuple):
    """A word with its classes in the style sheet, and a note: of how many elements it is, or what it means."""

    key: str
    text: str
    note: str = ""


#: The class of what only the documentation excuses.
DOCUMENTED = "documented"


def key(harm: Harm) -> str:
    """The class of a harm in the style sheet and in the script of a page."""
    return harm.word.replace(" ", "-")


def graded(grade: Grade) -> Word:
    """What an entry point does with one kind of input: its worst harm, or that there is none, and of how many elements.

    What only the documentation excuses says the harm that it does all the same, in its colour, marked as documented.
    """
    if grade.found is not None and grade.rank == grade.found:
        return Word(key(grade.found), grade.found.word, f"{grade.problems.total()} of {grade.elements}")
    if grade.documented is not None:
        said = f"{grade.documented.word}, documented"
        return Word(f"{key(grade.documented)} {DOCUMENTED}", said, f"{grade.excused} of {grade.elements}")
    if not grade.elements:
        return Word("untested", "–")
    if grade.rejected == grade.elements:
        return Word("rejects", "rejects", str(grade.elements))
    return Word("ok", "ok", str(grade.elements))
