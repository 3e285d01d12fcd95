"""Judging two calls of one loss against each other, within the budgets of both.

A mode must do what the entry point does when it is called plainly: exactly in what it rejects, in dtype, shape and
class (a number, NaN, an infinity).  An element that is called alone must give what it gives among others.
Both calls are held against the ideal as well.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from conformance import contracts
from conformance.judge.points import Answer, Points, coarser, points
from conformance.judge.verdicts import EXPECTED, Element, Finding, Judged, detail_of, finding, judged
from conformance.numbers.formats import FORMATS, decode, ulp
from conformance.numbers.measurement import BUDGET
from conformance.pool.observation import Observation, Observed
from conformance.quantities import AGREEMENT
from reference import Reference

Difference = tuple[str, str]


def judge(
    mode: Answer, plain: Answer, ideal: dict[tuple[str, str, str], Reference], regions: tuple[str, ...]
) -> Judged:
    """The check `agreement` of a mode with the plain call; each element tells its first difference."""
    request = mode.request
    differences: dict[int, Difference] = {}
    for call in request.numeric:
        both = call in mode.outcome and call in plain.outcome
        if both and not _identical(mode.outcome[call], plain.outcome[call]):
            exact = ideal[request.case.id, request.dtype, call]
            for index, found in _differences(call, points(mode, call, call), points(plain, call, call), exact):
                differences.setdefault(index, found)
    elements = []
    for index, name in enumerate(request.element_names):
        what, detail = differences.get(index, ("", ""))
        region = regions[index if index < len(regions) else 0]
        elements.append(Element(name, "deviates" if what else "conforms", what, region, detail))
    return judged(request, AGREEMENT, elements)


def call_of(found: Finding) -> str:
    """The call in which the plain call differs, of a finding of `judge`."""
    return found.detail.partition(": ")[0]


def _identical(left: Observed, right: Observed) -> bool:
    """Whether both returned the same tensors, bit for bit: the common case."""
    if len(left) != len(right) or any(one.tensor is None for one in (*left, *right)):
        return False
    return all(
        a.shape == b.shape
        and a.tensor is not None
        and b.tensor is not None
        and a.tensor.dtype == b.tensor.dtype
        and a.positions == b.positions
        and a.tensor.bits.tobytes() == b.tensor.bits.tobytes()
        for a, b in zip(left, right, strict=True)
    )


def _differences(call: str, mode: Points, plain: Points, ideal: Reference) -> Iterator[tuple[int, Difference]]:
    """(index of the element, class and words) of what differs between two modes in one call."""
    places = {name: place for place, name in enumerate(plain.request.element_names)}
    promised = _cast(mode) != _cast(plain)
    same_split = bool(mode.request.presentations) or len(mode.observations) == len(plain.observations)
    for index, name in enumerate(mode.request.element_names):
        if name not in places:
            continue  # a presentation that the plain call is not given
        one = mode.observation(min(index, len(mode.observations) - 1))
        other = plain.observation(min(places[name], len(plain.observations) - 1))
        found = _how(one, other, promised, same_split)
        if found:
            yield index, (found[0], f"{call}: {found[1]}")
    if mode.request.presentations or mode.count != plain.count:
        return  # their values are held against the ideal, position by position
    spread = mode.spread(ideal, mode.request.case.reduction, mode.request.divisor)
    what = _values(mode, plain, spread)
    for point in np.flatnonzero(what != "").tolist():
        owner = int(mode.owner[point])
        yield owner, (str(what[point]), f"{call}: {float(mode.got[point])!r}, plainly {float(plain.got[point])!r}")


def _how(one: Observation, other: Observation, promised: bool, same_split: bool) -> Difference | None:
    """What differs between two observations apart from values; another dtype may be `promised` by a contract."""
    if one.kind in ("crashed", "timed-out") or other.kind in ("crashed", "timed-out"):
        return None  # a finding of its own
    if one.kind != other.kind:
        what = "accepted" if one.kind == "returned" else "raised"
        return what, f"{_word(one)}, plainly {_word(other)}"
    if one.tensor is None or other.tensor is None:
        return None
    if one.tensor.dtype != other.tensor.dtype and not promised:
        return "result-dtype", f"returned {one.tensor.dtype}, plainly {other.tensor.dtype}"
    if same_split and one.shape != other.shape:
        return "result-shape", f"returned shape {one.shape}, plainly {other.shape}"
    return None


def _cast(seen: Points) -> Any:
    return contracts.find(seen.request.implementation.contract, "casts_to")


def _word(seen: Observation) -> str:
    return "accepts" if seen.kind == "returned" else f"raises {detail_of(seen)[:120]}"


def _values(mode: Points, plain: Points, ideal: Reference) -> Any:
    """For each point "" or the class of how two results differ, as strings."""
    a, b = mode.got, plain.got
    coarser = mode.fmt if mode.fmt.precision <= plain.fmt.precision else plain.fmt
    with np.errstate(all="ignore"):
        far = np.abs(a - b) > 2 * BUDGET * ulp(ideal.scale, coarser)
    what = np.where(np.isfinite(a) & np.isfinite(b), np.where(far, "inaccurate", ""), "infinite").astype("U12")
    what[np.isnan(a) != np.isnan(b)] = "nan"
    what[(a == b) | (np.isnan(a) & np.isnan(b)) | ~(mode.present & plain.present)] = ""
    return what


#: An element that gives another result alone than among others: its name, whether beyond the budgets, and in words.
Apart = tuple[str, bool, str]


def apart(checks: Iterable[tuple[Points, Judged, Reference]]) -> list[Apart]:
    """Of a request's checks the elements of combined calls that gave other bits when they were called alone.

    Vector code and the code for the elements that do not fill a vector round differently in many frameworks: within the
    budgets that is told and nothing else.  Beyond them it counts where the element is right among others; where it is
    wrong that is a finding already.
    """
    found: list[Apart] = []
    for check, done, ideal in checks:
        if len(check.observations) == 1 and not check.problem:
            for index, alone in check.observations[0].alone:
                name, right = check.names[index], done.verdicts[index] in ("conforms", "by-contract")
                value = decode(alone).ravel() if alone.dtype == check.dtype and alone.dtype in FORMATS else np.zeros(0)
                scale = float(ideal.scale[index])
                if done.verdicts[index] == "by-contract":  # of what is documented: the exact value may be 0
                    scale = max(scale, abs(float(check.got[index])))
                far = right and not (value.size == 1 and _near(value[0], check, index, scale))
                gave = repr(float(value[0])) if value.size == 1 else "no result"
                words = f"{check.quantity}: {name} alone gave {gave}, among others {float(check.got[index])!r}"
                found.append((name, far, words))
    return found


def _near(alone: float, check: Points, index: int, scale: float) -> bool:
    among = float(check.got[index])
    if np.isnan(alone) or np.isnan(among) or np.isinf(alone) or np.isinf(among):
        return bool(alone == among or (np.isnan(alone) and np.isnan(among)))
    fmt = coarser(check.fmt, check.request.implementation.contract)
    return bool(abs(alone - among) <= 2 * BUDGET * float(ulp(np.asarray(scale), fmt)))


def with_those_apart(repeatable: Judged, found: Sequence[Apart]) -> Judged:
    """The check `repeatable` with the elements that gave another result alone."""
    far = [Element(name, "deviates", "differs", "any", words) for name, beyond, words in found if beyond]
    findings = [finding(repeatable.request, repeatable.quantity, one) for one in far]
    verdict = "deviates" if findings and repeatable.verdict in EXPECTED else repeatable.verdict
    return replace(
        repeatable,
        verdict=verdict,
        findings=(*repeatable.findings, *findings),
        details=(*repeatable.details, *(words for _, _, words in found)),
    )
