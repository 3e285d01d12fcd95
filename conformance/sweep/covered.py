"""What a certificate says that was covered: `Certificate.covered`, made from a sweep and read back.

Labels other than single ones stand there as the first and the last of a range, and of samples as all of [0, 1].
"""

from __future__ import annotations

import re
from typing import Any

from conformance.errors import InputError
from conformance.numbers.formats import FORMATS
from conformance.sweep.spec import Spec
from conformance.worker.sweep import space
from conformance.worker.sweep.shard import Labels, Pairs, Samples, Single
from conformance.worker.sweep.space import Range, position_of

#: What readers need.
COVERED = frozenset(("predictions", "of", "first", "last", "labels", "pairs", "samples", "points"))


def covered(spec: Spec) -> dict[str, Any]:
    """What a sweep covers."""
    whole, labels = spec.whole, spec.whole.labels
    start, stop = (0, spec.size) if isinstance(labels, Samples) else (whole.start, whole.stop)
    first, last = _ends(start, stop, whole.dtype)
    return {
        "predictions": whole.stop - whole.start,
        "of": spec.size,
        "first": first,
        "last": last,
        **_labels(labels, whole.dtype),
        "points": spec.points,
        "shards": len(spec.shards()),
    }


def _labels(labels: Labels, dtype: str) -> dict[str, Any]:
    samples = seed = 0
    if isinstance(labels, Single):
        shown = [hexadecimal(one, dtype) for one in labels.bits]
    elif isinstance(labels, Pairs):
        shown = _ends(labels.start, labels.stop, dtype)
    else:
        shown = _ends(0, space.labels_in_unit(dtype), dtype)
        samples, seed = labels.count, labels.seed
    return {"labels": shown, "pairs": not isinstance(labels, Single), "samples": samples, "seed": seed}


def _ends(start: int, stop: int, dtype: str) -> list[str]:
    """The bit patterns at the first and the last of some positions."""
    return [hexadecimal(space.prediction_bits(one, dtype), dtype) for one in (start, stop - 1)]


def hexadecimal(bits: int, dtype: str) -> str:
    """A bit pattern as certificates have it."""
    return f"{bits:0{FORMATS[dtype].width // 4}x}"


def must_be_bits(name: str, found: object, dtype: str) -> None:
    """Raises ValueError for what is no bit pattern of a dtype, as certificates have it."""
    width = FORMATS[dtype].width // 4
    if not isinstance(found, str) or re.fullmatch(f"[0-9a-f]{{{width}}}", found) is None:
        raise ValueError(f"{name} must be {width} hexadecimal digits (got {found!r})")


def must_be_covered(told: dict[str, Any], dtype: str) -> None:
    """Raises ValueError where it is not told, in such words as `covered` has, what was covered."""
    for end in ("first", "last"):
        must_be_bits(f"covered.{end}", told[end], dtype)
    for name in ("predictions", "of", "points", "samples", *(["seed"] if told["samples"] else [])):
        value = told.get(name)
        if isinstance(value, bool) or not isinstance(value, int) or value < 0:
            raise ValueError(f"covered.{name} must be a whole number (got {value!r})")
    labels = told["labels"]
    if not isinstance(labels, list) or len(labels) < (2 if told["pairs"] else 1):
        raise ValueError(f"covered.labels must be a list, of pairs the first and the last (got {labels!r})")
    for label in labels:
        must_be_bits("covered.labels", label, dtype)


def ranges(told: dict[str, Any], dtype: str) -> tuple[Range, Labels]:
    """Positions, or numbers of samples, and labels that were covered.  Raises InputError where that is not told."""
    try:
        first, last = (position_of(int(told[end], 16), dtype) for end in ("first", "last"))
        bits = tuple(int(label, 16) for label in told["labels"])
        labels: Labels = Single(bits)
        if told["samples"]:
            labels = Samples(told["samples"], told["seed"])
        elif told["pairs"]:
            labels = Pairs(position_of(bits[0], dtype), position_of(bits[1], dtype) + 1)
        count = told["predictions"]
    except (IndexError, KeyError, TypeError, ValueError) as error:
        raise InputError(f"does not tell what was covered: {error!r}") from None
    start, stop = (0, labels.count) if isinstance(labels, Samples) else (first, last + 1)
    if stop - start != count:
        raise InputError(f"covers {count} predictions, but from first to last there are {stop - start}")
    return (start, stop), labels
