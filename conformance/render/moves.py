"""What changed in the numbers from one run to another, in sentences: does it matter, where, and what to do next."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from conformance.adapters.declaration import BASE_MODE
from conformance.diagnosis.changed import ModelChange
from conformance.ids import ImplementationId
from conformance.judge.harm import Harm
from conformance.numbers.formats import FORMATS
from conformance.numbers.literals import text_of
from conformance.record.compare import Side
from conformance.record.kinds import TOGETHER, Kind
from conformance.record.moves import Came, Move, Moves, Way
from conformance.record.spelled import bisect
from conformance.record.summary import inputs_at
from conformance.render.narrate import QUANTITIES
from conformance.versions.companions import known

#: What was compared, in the plural.
PLURAL = {
    "value": "values",
    "gradient-prediction": "gradients",
    "gradient-label": "gradients by the label",
    "gradient-weight": "gradients by the weight",
    "gradient-pos_weight": "gradients by pos_weight",
    "second-derivative": "second derivatives",
}

#: The kinds of input in a sentence.
INPUTS = {
    Kind.EVERYDAY: "everyday inputs",
    Kind.SOFT: "soft labels",
    Kind.CONFIDENT: "confident predictions",
    Kind.OPTIONS: "weights, shapes and other dtypes",
    Kind.OUTSIDE: "labels or probabilities outside [0, 1]",
    Kind.EXTREME: "infinite, tiny or huge inputs",
}

#: What became of results, after their number.
BECAME = {
    Way.WORSE: "became worse",
    Way.BETTER: "became better",
    Way.OTHERWISE: "changed without being better or worse",
    Way.DIGITS: "changed in the last digits",
}

#: What a result does to a training, in a sentence.
DOES = {
    Harm.BREAKS: "breaks training",
    Harm.MISLEADS: "misleads",
    Harm.DRIFTS: "drifts",
    Harm.LAST_DIGITS: "wrong in its last digits",
    Harm.EDGE: "wrong where no training is",
    Harm.REFUSES: "refused",
}

#: How the inputs of a kind did, in which order they are told.
STATES: dict[Way | None, str] = {
    None: "unchanged",
    Way.DIGITS: "last digits alone",
    Way.BETTER: "better",
    Way.OTHERWISE: "otherwise, no better",
    Way.WORSE: "worse",
}


#: Relative errors from here on are told as how many times the exact number they are.
MANY = 10.0

#: With which release results changed, by the key of their move.
Releases = Mapping[tuple[object, ...], str]


class Ends(NamedTuple):
    """A package whose version differs between two runs."""

    package: str
    old: str
    new: str


def sentence(found: Moves) -> str:
    """The answer in one sentence: how much is the same, bit for bit, and what became of the rest."""
    if not found.inputs:
        return "no number was computed in both runs"
    what = _and([PLURAL[one] for one in found.quantities])
    whose = "your entry point" if found.entries == 1 else f"your {found.entries} entry points"
    said = f"{what} of {whose} are bit-identical in {found.same} of {found.inputs} inputs"
    if found.same == found.inputs:
        return f"{said}: your change is not in the loss"
    counts = [f"{results(found.results(way))} {BECAME[way]}" for way in Way if found.of(way)]
    return f"{said}; {', '.join(counts)}"


def results(count: int) -> str:
    """So many results."""
    return "1 result" if count == 1 else f"{count} results"


def by_kind(found: Moves) -> str:
    """How each kind of input did, those in which nothing moved first."""
    parts = []
    for state, word in STATES.items():
        names = [INPUTS[kind] for kind, way in found.kinds.items() if way is state]
        if names:
            parts.append(f"{word}: {', '.join(names)}")
    return " · ".join(parts)


def told(one: Move, old: Side, new: Side, models: Sequence[ModelChange], releases: Releases) -> list[str]:
    """A move in lines: what happened to what; from which number to which; why, since when, and where it is known.

    `releases` tells with which release results changed, by the key of a move, where that is known.
    """
    lines = [_title(one), f"{_where(one, new)}: {_came(one.old)} → {_came(one.new)}{_exactly(one)}"]
    since = [f"since {releases[one.key]}"] if one.key in releases else []
    if one.way is Way.DIGITS:
        moved = (
            f"{_relative(apart)} in {dtype}, which rounds by {FORMATS[dtype].unit_roundoff:.1e}"
            for dtype, apart in one.furthest.items()
        )
        return [lines[0], f"{lines[1]}; none moved by more than {'; '.join(moved)}", *since]
    lines += [
        each.sentence for each in models if (each.implementation, each.quantity) == (one.implementation, one.quantity)
    ]
    problem = one.new.problem or one.old.problem
    if problem is not None and problem.title:
        lines.append(" ".join((f"{'known' if one.new.problem else 'was'}: {problem.title}", *problem.urls[:1])))
    return [*lines, *since]


def searches(found: Moves, old: Side, new: Side, releases: Releases) -> list[str]:
    """The commands that find the releases: of each implementation for the first that became worse, and better."""
    asked = ((one, changed_package(one.implementation, old, new)) for one in firsts(found) if one.key not in releases)
    return [_search(one, ends, new) for one, ends in asked if ends is not None]


def firsts(found: Moves) -> list[Move]:
    """Of each implementation the first that became worse, and better."""
    first: dict[tuple[str, Way], Move] = {}
    for one in (*found.of(Way.WORSE), *found.of(Way.BETTER)):
        first.setdefault((one.implementation, one.way), one)
    return list(first.values())


def _search(one: Move, ends: Ends, new: Side) -> str:
    subject = one.case if one.element == TOGETHER else f"{one.case}#{one.element}"
    good, bad = (ends.old, ends.new) if one.way is Way.WORSE else (ends.new, ends.old)
    return bisect(subject, one.implementation, one.quantity, one.dtype, good, bad, new.record.header.asked)


def changed_package(implementation: str, old: Side, new: Side) -> Ends | None:
    """The package that brings an implementation, where its version differs; None where that is not known."""
    package = known().brings(implementation)
    if package is None:
        return None
    backend = ImplementationId.parse(implementation).backend
    # A backend calls its package as one imports it: sklearn, tf_keras.
    names = (package, package.replace("-", "_"), backend)
    versions = [
        next((side.packages(backend)[name] for name in names if name in side.packages(backend)), "")
        for side in (old, new)
    ]
    return Ends(package, *versions) if all(versions) and versions[0] != versions[1] else None


def document(found: Moves) -> dict[str, Any]:
    """The same for a program."""
    return {
        "sentence": sentence(found),
        "inputs": found.inputs,
        "identical": found.same,
        "kinds": {kind.word: STATES[way] for kind, way in found.kinds.items()},
        "moves": [_document(one) for one in found.found],
    }


def _document(one: Move) -> dict[str, Any]:
    return {
        "way": one.way.value,
        "implementation": one.implementation,
        "quantity": one.quantity,
        "kind": one.kind.word,
        "dtypes": list(one.dtypes),
        "results": one.results,
        "example": {"case": one.case, "dtype": one.dtype, "element": one.element, "exact": one.exact},
        "old": _document_of(one.old),
        "new": _document_of(one.new),
    }


def _document_of(one: Came) -> dict[str, Any]:
    return {
        "result": _came(one),
        "bits": one.bits,
        "error": None if one.error is None else f"{one.error:.3g}",
        "harm": None if one.harm is None else one.harm.word,
    }


def _title(one: Move) -> str:
    what = f"{one.way.value}: {ImplementationId.parse(one.implementation).family}"
    mode = ImplementationId.parse(one.implementation).mode
    what += "" if mode == BASE_MODE else f" ({mode})"
    extent = f"{results(one.results)} in {' '.join(one.dtypes)}"
    if one.way is Way.DIGITS:
        return f"{what}, {extent}"
    harms = f"{_harm(one.old)} → {_harm(one.new)}"
    return f"{what}, {QUANTITIES[one.quantity]} at {INPUTS[one.kind]}, {extent}: {harms}"


def _harm(one: Came) -> str:
    """What a result does; one that is excused by documentation all the same."""
    if one.harm is None:
        return "right" if one.bits else "refused, as it should be"
    return f"{DOES[one.harm]}{', as documented' if one.told.startswith('by-contract') else ''}"


def _where(one: Move, side: Side) -> str:
    """The exact inputs, or of many their case."""
    name = f"{one.case}#{one.element}"
    line = side.record.inputs_by_case[one.case, one.dtype]
    if one.element not in line.elements:
        return f"{name} ({one.dtype})"
    given = inputs_at(line, one.element)
    plain = ("prediction", "label")
    told = [f"{key} {decimal}" for key, (decimal, _) in given.items() if key in plain or decimal != "1"]
    return f"{', '.join(told)} ({one.dtype}, {name})"


def _came(one: Came) -> str:
    """A result with its relative error; what happened where there is no number."""
    if not one.bits or one.dtype not in FORMATS:
        return one.told
    text = text_of(int(one.bits, 16), FORMATS[one.dtype])
    if one.error is None or one.harm is None:
        return text
    # Of an exact 0 there is no relative error, and the result is the error.
    return text if one.error == float("inf") else f"{text} ({_relative(one.error)} off)"


def _exactly(one: Move) -> str:
    """The exact value, of which a zero has no sign."""
    return f", exactly {float.fromhex(one.exact) + 0.0:.9g}" if one.exact else ""


def _relative(error: float) -> str:
    """A relative error as a person says it: per cent where it is some, else a power of ten or how many times."""
    if error >= MANY:
        return f"{error:.0f} times" if error < 1e6 else f"{error:.1e} times"
    return f"{float(f'{100 * error:.2g}'):g} %" if error >= 1e-3 else f"{error:.1e}"


def _and(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def lines(found: Moves, old: Side, new: Side, models: Sequence[ModelChange], releases: Releases) -> Iterator[list[str]]:
    """All moves in order, each as its lines."""
    for one in found.found:
        yield told(one, old, new, models, releases)
