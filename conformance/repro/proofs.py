"""How far an error goes over every input of a dtype, where a sweep has found out: what its certificate says."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from conformance.contracts import Contract
from conformance.ids import CauseId, ImplementationId
from conformance.numbers.formats import FORMATS
from conformance.numbers.literals import float_of
from conformance.numbers.measurement import BUDGET
from conformance.render.narrate import QUANTITIES
from conformance.repro.projects import called
from conformance.shipped import shipped
from conformance.sweep import named
from conformance.sweep.certificate import Certificate, Result

#: Regions of inputs that sweeps cover: finite predictions, labels in [0, 1].
SWEPT = ("ordinary", "saturated")

#: Fields of a contract that change numbers, so that a certificate has a column for it.
READINGS = frozenset(("clip", "log_clamp", "epsilon", "casts_to"))


class Proof(NamedTuple):
    """What a certificate says of the results in a dtype for a label, or for every label, in words."""

    dtype: str
    label: float | None
    text: str


def folder() -> Path:
    """Where certificates are, of the checkout or the copy that the package holds."""
    return shipped("results/certificates")


def proofs(causes: Collection[str], contracts: Mapping[str, Contract], place: Path) -> list[Proof]:
    """One for each certificate and label that shows one of the causes, in the order of the files' names.

    `contracts` are those of all implementations by id.  Raises InputError for a file in `place` that is no certificate.
    """
    wanted: dict[tuple[str, str], set[str]] = {}
    for cause in causes:
        one = CauseId.parse(cause)
        if one.region in SWEPT:
            wanted.setdefault((one.family, one.quantity), set()).add(one.signature)
    found: dict[Proof, None] = {}
    for kept in named.of_folder(place) if wanted else ():
        swept = kept.certificate
        for result in swept.results:
            family = ImplementationId.parse(result.implementation).family
            signatures = wanted.get((family, swept.quantity), set()) & SHOWS.keys()
            contract = contracts.get(result.implementation)
            if contract is not None and any(SHOWS[name](result, contract) for name in signatures):
                found[Proof(swept.dtype, result.label_value, _line(swept, result))] = None
    return list(found)


def _inaccurate(result: Result, contract: Contract) -> bool:
    """Whether results miss both the exact value and what is documented by more than the budget."""
    if any(one.name in READINGS for one in contract) and "contract" not in result.worst:
        return False  # every result is the documented one, correctly rounded
    worst = result.worst.get("contract") or result.worst.get("scaled")
    return worst is not None and worst.ulp > BUDGET


def _counted(*classes: str) -> Callable[[Result, Contract], bool]:
    return lambda result, contract: any(result.classes.get(name) for name in classes)


#: Classes of results in words.
CLASSES = {
    "nan": "NaN",
    "sign": "of the wrong sign",
    "finite": "finite where the exact value is not",
    "infinite": "infinite where the exact value is not",
}

#: When a result of a certificate shows a cause of a signature.
SHOWS: dict[str, Callable[[Result, Contract], bool]] = {
    "inaccurate": _inaccurate,
    "flushed": _inaccurate,
    "sign": _counted("sign"),
    "non-finite": _counted("nan", "infinite"),
    "finite": _counted("finite"),
}


def _line(one: Certificate, result: Result) -> str:
    what = f"every finite {one.dtype}" if one.kind == "proof" else f"{one.covered['predictions']:,} {one.dtype}"
    predictions = "prediction" if one.kind == "proof" else "predictions"
    label = "every label" if result.label_value is None else f"label {result.label_value:g}"
    told = "; ".join(_told(one, result))
    return f"{called(result.implementation)}, {QUANTITIES[one.quantity]}, {what} {predictions}, {label}: {told}"


def _told(one: Certificate, result: Result) -> Iterator[str]:
    worst = result.worst.get("scaled") or result.worst.get("ideal")
    if worst is not None:
        yield f"at most {worst.ulp:.3g} ULP off the exact value, at {_number(worst.prediction, one.dtype)}"
    for name, what in (("4 ulp", "more than 4 ULP off"), ("zero", "0 where the exact value is not")):
        ends = [result.firsts[side + name]["prediction"] for side in "-+" if side + name in result.firsts]
        if ends and worst is not None and worst.ulp > BUDGET:
            yield f"{what} first at {' and '.join(_number(end, one.dtype) for end in ends)}, going out from 0"
    for name, count in result.classes.items():
        yield f"{CLASSES.get(name, name)} for {count:,} of {result.points:,}"


def _number(bits: str, dtype: str) -> str:
    return f"{float_of(int(bits, 16), FORMATS[dtype]):.6g} (0x{bits})"
