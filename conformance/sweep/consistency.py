"""Whether a certificate agrees with itself: counts with ranges, largest errors with each other and with Arb.

No framework is needed for that, so it holds for every version and processor.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

from conformance.contracts import Contract
from conformance.errors import HarnessError
from conformance.numbers.formats import FORMATS
from conformance.sweep import confirm
from conformance.sweep.certificate import ROUNDING, Certificate, Result, Worst, maxima, rounded_up
from conformance.sweep.parts import swept
from conformance.sweep.spec import Spec
from conformance.worker.sweep import sampling, space
from conformance.worker.sweep.shard import Samples, Single
from conformance.worker.sweep.space import position_of

#: How far the error in ULP of another version of Arb may be, as a share of it: the last bits of a float64.
ARB = 2.0**-40


def contradictions(one: Certificate, contracts: Mapping[str, Contract]) -> Iterator[str]:
    """What in a certificate cannot be, in words; `contracts` by id of the implementation."""
    spec = swept(one)
    points = sum(result.points for result in one.results)
    if spec.points != one.covered["points"] or spec.points + _found_by_search(spec) != points:
        yield f"has {points} results and covers {one.covered['points']}, but its ranges make {spec.points}"
    if (one.kind == "proof") != spec.proof or one.covered["of"] != spec.size:
        yield f"is a {one.kind} of {one.covered['predictions']} predictions of {one.covered['of']}"
    names = set(one.covered["labels"]) if isinstance(spec.whole.labels, Single) else set(spec.whole.labels.names)
    for result in one.results:
        told = f"{result.implementation}, label {result.label}: "
        if result.label not in names:
            yield told + "is no label that is covered"
            continue
        for text in _of_result(one, result, contracts.get(result.implementation)):
            yield told + text


def _found_by_search(spec: Spec) -> int:
    """How many results there are of inputs that a search tried around samples, which `Spec.points` leaves out."""
    tried, whole = 0, spec.whole
    if not isinstance(whole.labels, Samples):
        return 0
    for start, stop in space.chunks(whole.start, whole.stop, whole.chunk):
        known = stop - start
        for _ in range(sampling.ROUNDS):
            near = min(known, sampling.KEPT) * sampling.NEIGHBOURS
            known = min(known, sampling.KEPT) + near
            tried += near
    return tried * len(whole.implementations)


def _of_result(one: Certificate, result: Result, contract: Contract | None) -> Iterator[str]:
    # Samples of a class have no distance; in a sweep only calls that raised have none.
    other = sum(result.classes.values()) if one.covered["samples"] else result.classes.get("raised", 0)
    if min(result.ordinals) < 0 or sum(result.ordinals) + other != result.points:
        yield f"{result.points} results, but their distances count {sum(result.ordinals)}, and {other} have none"
    for column, worst in result.worst.items():
        by_binade = maxima(result, column)
        binade = space.binade(position_of(int(worst.prediction, 16), one.dtype), one.dtype)
        if by_binade.get(binade) != rounded_up(worst.ulp):
            yield f"the largest error ({column}) is {worst.ulp}, but that of its binade is {by_binade.get(binade)}"
        elif max(by_binade.values()) > ROUNDING * worst.ulp:
            yield f"the largest error ({column}) is {worst.ulp}, but a binade has {max(by_binade.values())}"
        if column != "contract" or contract is not None:
            yield from _by_arb(one, result, column, worst, contract or ())
    if extra := set(result.binades) - set(result.worst):
        yield f"has binades of {', '.join(sorted(extra))}, but no largest error"


def _by_arb(one: Certificate, result: Result, column: str, worst: Worst, contract: Contract) -> Iterator[str]:
    question = confirm.Question(one.form, one.quantity, FORMATS[one.dtype], FORMATS[result.dtype], contract)
    bits = [int(text, 16) for text in (worst.prediction, worst.label, worst.got)]
    try:
        found = confirm.confirm(question, column, bits[0], bits[1], bits[2], worst.ulp)
    except HarnessError as error:
        yield error.message
        return
    if not math.isclose(found.error, worst.ulp, rel_tol=ARB) or found.hi.hex() != worst.exact:
        yield f"{column}: Arb says {found.error} ULP from {found.hi.hex()}, not {worst.ulp} from {worst.exact}"
