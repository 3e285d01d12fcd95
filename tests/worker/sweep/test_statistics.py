"""What parts of a sweep give together."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from conformance.worker.sweep import statistics
from conformance.worker.sweep.statistics import Statistics
from tests.builders import deterministic

PLACES = st.tuples(st.integers(0, 5), st.integers(0, 3))


@st.composite
def some_statistics(draw: Any) -> Statistics:
    """Statistics of a few results, equal errors among them."""
    made = Statistics()
    made.points = draw(st.integers(0, 9))
    made.ordinals = draw(st.lists(st.integers(0, 9), min_size=4, max_size=4))
    for _ in range(draw(st.integers(0, 4))):
        column, binade = draw(st.sampled_from(statistics.COLUMNS)), draw(st.sampled_from(["+0", "-0", "+s"]))
        made.add_worst(column, binade, draw(st.sampled_from([0.75, 1.0, 2.5])), draw(PLACES), draw(st.integers(0, 3)))
    for name in draw(st.lists(st.sampled_from(statistics.FIRSTS))):
        made.add_first(name, draw(st.sampled_from("+-")), draw(PLACES))
    made.add_class("nan", draw(st.integers(0, 2)))
    made.raised = draw(st.none() | st.tuples(st.integers(0, 5), st.just(0), st.text(max_size=2)).map(list))
    made.dtypes = {draw(st.sampled_from(["float16", "float32"])): draw(st.integers(1, 9))}
    return made


@deterministic
@given(some_statistics(), some_statistics(), some_statistics())
def test_merging_is_associative_and_commutative(one: Statistics, two: Statistics, three: Statistics) -> None:
    """The order in which shards are done does not matter."""
    merged = statistics.merged
    assert merged(one, two).to_wire() == merged(two, one).to_wire()
    assert merged(merged(one, two), three).to_wire() == merged(one, merged(two, three)).to_wire()
