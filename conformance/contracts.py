"""What an implementation documents, in a closed vocabulary.

A contract is a tuple of fields.  Each field quotes its source and can be refuted by a probe (`cases/contracts.yaml`).
No callables and no free text that changes a verdict: what these fields cannot say is a recorded deviation.

Worker-side code: standard library only, Python 3.7 on.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import Any, Dict, Optional, Tuple, Type


@dataclass(frozen=True)
class Source:
    """Where a framework states what a field says: its words, the page or file, and the versions they hold for."""

    quote: str
    link: str
    versions: str = ""


@dataclass(frozen=True)
class Clip:
    """The prediction is clipped to [low, high] before any logarithm.

    `low` and `high` are literals of the real bounds.  In the computing dtype either neighbour of a bound counts,
    provided that it lies strictly inside (0, 1).
    """

    low: str
    high: str
    source: Source
    name: str = "clip"


@dataclass(frozen=True)
class LogClamp:
    """Every logarithm is replaced by max(log, bound)."""

    bound: float
    source: Source
    name: str = "log_clamp"


@dataclass(frozen=True)
class Epsilon:
    """`value` is added inside both logarithms: log(p + value) and log(1 - p + value)."""

    value: float
    source: Source
    name: str = "epsilon"


@dataclass(frozen=True)
class DomainCheck:
    """A `checked` input ("prediction" or "label") outside [0, 1] raises the exception type `raises`."""

    checked: str
    raises: str
    source: Source
    name: str = "domain_check"


@dataclass(frozen=True)
class FlushToZero:
    """Subnormal results are replaced by zero."""

    source: Source
    name: str = "ftz"


@dataclass(frozen=True)
class DenormalsAreZero:
    """Subnormal inputs are read as zero."""

    source: Source
    name: str = "daz"


@dataclass(frozen=True)
class Accumulation:
    """Reductions accumulate in `dtype`."""

    dtype: str
    source: Source
    name: str = "accumulation"


@dataclass(frozen=True)
class Reduction:
    """Without an option the result is reduced over `axes` ("all" or "last") and divided by `divisor`."""

    axes: str
    divisor: str
    source: Source
    name: str = "reduction"

    def __post_init__(self) -> None:
        """ValueError for another word than those that have a meaning."""
        for key, known in (("axes", ("all", "last")), ("divisor", ("elements", "weights"))):
            if getattr(self, key) not in known:
                raise ValueError(
                    "contract field 'reduction': %s must be one of %s (got %r)"
                    % (key, ", ".join(known), getattr(self, key))
                )


@dataclass(frozen=True)
class CastsTo:
    """All inputs are cast to `dtype` first, and the result has that dtype."""

    dtype: str
    source: Source
    name: str = "casts_to"


@dataclass(frozen=True)
class Formula:
    """The documentation prints the formula `formula`, a key of `reference.formulas.FORMULAS`."""

    formula: str
    source: Source
    name: str = "formula"


Contract = Tuple[Any, ...]

VOCABULARY: Dict[str, Type[Any]] = {
    cls.name: cls
    for cls in (
        Clip,
        LogClamp,
        Epsilon,
        DomainCheck,
        FlushToZero,
        DenormalsAreZero,
        Accumulation,
        Reduction,
        CastsTo,
        Formula,
    )
}


def find(contract: Contract, name: str) -> Optional[Any]:
    """The first field called `name`, or None."""
    for field in contract:
        if field.name == name:
            return field
    return None


def divisor(contract: Contract, masks: bool) -> str:
    """What a mean is documented to divide by; without a word the number of elements, but for masks of those kept."""
    documented = find(contract, "reduction")
    return str(documented.divisor) if documented is not None else "weights" if masks else "elements"


def probed(contract: Contract, probe: str) -> Optional[Any]:
    """The field that `probe` ("name" or "name:value of its first attribute") is about, or None."""
    name, _, value = probe.partition(":")
    for field in contract:
        if field.name == name and (not value or getattr(field, fields(field)[0].name) == value):
            return field
    return None


def to_wire(contract: Contract) -> Any:
    """The contract as JSON-ready dictionaries."""
    return [asdict(field) for field in contract]


def from_wire(items: Any) -> Contract:
    """The inverse of `to_wire`.

    Raises ValueError that names the field where a name, a key or the source is not of the vocabulary.
    """
    contract = []
    for item in items:
        item = dict(item)
        name = item.pop("name", None)
        if name not in VOCABULARY:
            raise ValueError("contract field %r is not one of %s" % (name, ", ".join(sorted(VOCABULARY))))
        cls = VOCABULARY[name]
        known = {field.name for field in fields(cls)}
        unknown = sorted(set(item) - known)
        if unknown:
            raise ValueError("contract field %r has no key %r (it has %s)" % (name, unknown[0], ", ".join(known)))
        try:
            item["source"] = Source(**item["source"])
            contract.append(cls(**item))
        except (KeyError, TypeError) as error:
            raise ValueError("contract field %r: %s" % (name, error)) from error
    return tuple(contract)
