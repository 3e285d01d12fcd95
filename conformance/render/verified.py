"""What became of certificates that were done again, in words."""

from __future__ import annotations

from collections.abc import Iterator

from conformance.render.narrate import counted
from conformance.sweep.verify import Verified


def lines(name: str, one: Verified) -> Iterator[str]:
    """A line about a certificate, and one for each thing that is wrong."""
    if one.contradictions:
        yield f"{name}: contradicts itself"
        yield from (f"    {text}" for text in one.contradictions)
    elif one.absent is not None:
        yield f"{name}: not verified: {one.absent}"
    else:
        word = "as certified" if not one.differences else "differs elsewhere" if one.elsewhere else "differs"
        done = f"{one.largest} largest errors" + (f", {one.points:,} results of its sweep" if one.points else "")
        other = "; judged by other files of the suite" if one.other_code else ""
        yield f"{name}: {word} ({done}{other})"
        yield from (f"    {text}" for text in one.differences)
        yield from (f"    made elsewhere: {text}" for text in one.elsewhere if one.differences)


def summary(found: dict[str, Verified], sampled: int, chooser: str) -> str:
    """How many hold, and parts of how many were swept again, by whose choice."""
    wrong = sum(one.fails for one in found.values())
    absent = sum(one.absent is not None and not one.fails for one in found.values())
    elsewhere = sum(bool(one.elsewhere) and not one.fails for one in found.values())
    held = len(found) - wrong - absent - elsewhere
    return (
        f"{counted(len(found), 'certificate')}: {held} as certified, {wrong} wrong, {elsewhere} made elsewhere, "
        f"{absent} not verified; parts of {sampled} swept again, by {chooser[:12]}"
    )
