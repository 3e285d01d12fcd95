"""What a shard is about, and how that travels."""

from __future__ import annotations

import json

import pytest

from conformance.worker.sweep.shard import LABEL_STEP, Labels, Pairs, Samples, Shard, Single

KINDS: dict[str, tuple[Labels, int]] = {
    "single": (Single((0, 0x3C00, 0x3800)), 3),
    "pairs": (Pairs(10, 3 * LABEL_STEP), 3 * LABEL_STEP - 10),
    "samples": (Samples(1 << 30, seed=7), 1),
}


def shard(labels: Labels) -> Shard:
    """A hundred predictions of two implementations."""
    return Shard(
        implementations=("loss/eager/cpu", "other/eager/cpu"),
        form="logits",
        quantity="value",
        dtype="float16",
        start=300,
        stop=400,
        labels=labels,
        chunk=64,
    )


@pytest.mark.parametrize("kind", KINDS)
def test_a_shard_arrives_as_it_was_sent(kind: str) -> None:
    """By JSON, which has lists for tuples; the kind of its labels with it."""
    sent = shard(KINDS[kind][0])
    assert Shard.from_wire(json.loads(json.dumps(sent.to_wire()))) == sent
    assert [*sent.to_wire()["labels"]] == [kind]


def test_labels_of_two_kinds_are_never_equal() -> None:
    """Two numbers are a range or samples with their seed: what was swept again is kept by what it is about."""
    assert Pairs(3, 7) != Samples(3, seed=7)


@pytest.mark.parametrize("kind", KINDS)
def test_parts_of_labels_have_all_of_their_results(kind: str) -> None:
    """Each prediction has a result for each label, whatever shards they are cut into; a sample has one."""
    labels, each = KINDS[kind]
    assert sum(part.each for part in labels.parts()) == labels.each == each
    assert shard(labels).points == 100 * 2 * each
