"""What certificates say that was covered."""

from __future__ import annotations

import pytest

from conformance.errors import InputError
from conformance.sweep.covered import COVERED, covered, ranges
from conformance.sweep.spec import Spec
from conformance.worker.sweep import space
from conformance.worker.sweep.shard import Labels, Pairs, Samples, Shard, Single

KINDS: dict[str, tuple[Labels, int, int]] = {
    "single labels": (Single((0, 0x3C00)), 31000, 33000),
    "pairs with labels in [0, 1]": (Pairs(0, space.labels_in_unit("float16")), 0, 63488),
    "pairs with all labels": (Pairs(0, space.size("logits", "float16")), 31743, 31745),
    "samples": (Samples(30000, seed=7), 0, 30000),
}


def spec(labels: Labels, start: int, stop: int) -> Spec:
    """A sweep of one implementation."""
    whole = Shard(
        implementations=("loss/eager/cpu",),
        form="logits",
        quantity="value",
        dtype="float16",
        start=start,
        stop=stop,
        labels=labels,
        chunk=64,
    )
    return Spec(backend="numpy", whole=whole, step=1024)


@pytest.mark.parametrize("kind", KINDS)
def test_what_was_covered_is_read_back(kind: str) -> None:
    """Of each kind of labels; bit patterns stand in a certificate, and positions in a sweep."""
    labels, start, stop = KINDS[kind]
    told = covered(spec(labels, start, stop))
    assert ranges(told, "float16") == ((start, stop), labels)
    assert told.keys() >= COVERED


def test_the_words_of_a_certificate_are_those_of_older_ones() -> None:
    """Certificates that are kept were written so, and are compared byte for byte."""
    labels, start, stop = KINDS["pairs with labels in [0, 1]"]
    assert covered(spec(labels, start, stop)) == {
        "predictions": 63488,
        "of": 63488,
        "first": "0000",
        "last": "fbff",
        "labels": ["0000", "3c00"],
        "pairs": True,
        "samples": 0,
        "seed": 0,
        "points": 63488 * 15361,
        "shards": 62 * 4,
    }


@pytest.mark.parametrize("field", ["labels", "samples", "seed", "first"])
def test_a_certificate_that_does_not_tell_what_was_covered_is_bad_input(field: str) -> None:
    """Told as that, and not as an error of the program."""
    labels, start, stop = KINDS["samples"]
    told = covered(spec(labels, start, stop))
    del told[field]
    with pytest.raises(InputError, match="does not tell what was covered"):
        ranges(told, "float16")
