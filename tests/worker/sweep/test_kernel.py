"""What a shard finds against judging every result by itself."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import reference
from conformance.numbers.formats import FORMATS, Tensor, decode, encode
from conformance.numbers.measurement import CODE, Limits, measure
from conformance.worker import session as worker
from conformance.worker.sweep import kernel, screen, space, statistics
from conformance.worker.sweep.shard import Pairs, Shard, Single
from conformance.worker.sweep.statistics import UNMEASURED, Statistics

ADAPTER = "tests/data/adapters/sweepable.py"
LABELS = (0.0, 1.0, 0.5, 0.3)

pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")


@pytest.fixture(scope="module")
def session() -> Any:
    """A worker's session on the losses of the tests, in this process."""
    made = worker.Session(worker.load(ADAPTER))
    made.open("sweepable")
    return made


def shard(name: str, dtype: str = "float16", quantity: str = "value", **fields: Any) -> Shard:
    """A shard of everything that one loss has."""
    labels = tuple(int(one) for one in encode(np.array(LABELS), dtype).bits)
    given_fields: dict[str, Any] = {
        "implementations": (f"{name}/eager/cpu",),
        "form": "logits",
        "quantity": quantity,
        "dtype": dtype,
        "start": 0,
        "stop": space.size("logits", dtype),
        "labels": Single(labels),
        "chunk": 4096,
    } | fields
    return Shard(**given_fields)


def swept(session: Any, one: Shard) -> dict[str, Statistics]:
    """The statistics of the one implementation of a shard, by label."""
    (found,) = kernel.run(session.runtime, session.implementations, one).values()
    return {label: statistics.from_wire(item) for label, item in found.items()}


def by_itself(session: Any, one: Shard, label: int) -> dict[str, Any]:
    """What `measurement.measure` and the double-double reference say of every result: the oracle."""
    fmt = FORMATS[one.dtype]
    half = space.size("logits", one.dtype) // 2
    positions = np.arange(one.start, one.stop)
    bits = np.where(positions < half, positions, positions - half + (1 << (fmt.width - 1))).astype(fmt.storage)
    prediction = Tensor(one.dtype, bits)
    labels = Tensor(one.dtype, np.full(bits.shape, label, dtype=fmt.storage))
    implementation = session.implementations[one.implementations[0]]
    natives = {"prediction": session.runtime.tensor(prediction), "label": session.runtime.tensor(labels)}
    got = session.runtime.bits(session.runtime.evaluate(implementation, one.quantity, natives))
    exact = reference.FUNCTIONS[one.quantity]("logits", decode(prediction), decode(labels))
    limits = Limits(*(np.full(bits.shape, number) for number in (fmt.precision, fmt.emin, fmt.emax)))
    measured = measure(decode(got), exact, limits)
    nearest = decode(encode(exact.hi, one.dtype))
    counted = ~np.isin(measured.code, [CODE[name] for name in UNMEASURED]) & (decode(got) != nearest)
    worst: dict[str, float] = {}
    scaled: dict[str, float] = {}
    for start, stop, _ in space.pieces("logits", one.dtype, one.start, one.stop):
        part = slice(start - one.start, stop - one.start)
        for column, of in ((worst, measured.plain), (scaled, measured.scaled)):
            errors = of[part][counted[part]]
            if errors.size and errors.max() > 0.5:
                column[space.binade(start, one.dtype)] = float(errors.max())
    classes = {name: int(np.count_nonzero(measured.code == CODE[name])) for name in UNMEASURED}
    return {
        "worst": worst,
        "scaled": scaled,
        "classes": {name: count for name, count in classes.items() if count},
        "exact": int(np.count_nonzero(decode(got) == nearest)),
        "undecided": int(np.count_nonzero(np.abs(measured.plain - 0.5) < 2**-20)),
        "far": [int(at) for at in positions[counted & (measured.plain > statistics.FAR)]],
    }


@pytest.mark.parametrize("quantity", ["value", "gradient-prediction"])
@pytest.mark.parametrize(
    "name", ["right", "next_up", "at_the_boundary", "not_a_number", "negated", "flushed", "no_tail"]
)
def test_a_sweep_finds_what_judging_every_result_finds(session: Any, name: str, quantity: str) -> None:
    """Same maximum in every binade, same classes, same number of correctly rounded results, same first far one."""
    one = shard(name, quantity=quantity)
    for label, found in swept(session, one).items():
        expected = by_itself(session, one, int(label, 16))
        assert {binade: item[0] for binade, item in found.worst["ideal"].items()} == pytest.approx(
            expected["worst"], rel=2**-20
        ), label
        assert found.classes == expected["classes"]
        assert abs(found.ordinals[0] - expected["exact"]) <= expected["undecided"]
        assert found.points == sum(found.ordinals) == one.stop - one.start
        half = one.stop // 2
        for sign, places in (
            ("+", [at for at in expected["far"] if at < half]),
            ("-", [at for at in expected["far"] if at >= half]),
        ):
            assert found.firsts.get(sign + "4 ulp", [None])[0] == (places[0] if places else None)


@pytest.mark.parametrize(("dtype", "start"), [("float32", 160 << 23), ("float16", 22 << 10)])
@pytest.mark.parametrize("name", ["truncated", "next_up"])
def test_counts_do_not_depend_on_how_a_sweep_is_cut(session: Any, name: str, dtype: str, start: int) -> None:
    """The loss of a large logit is 3/4 of it, which is often the middle of two numbers: the even one is right."""
    stop = start + 10 * 1024
    label = int(encode(np.array(0.25), dtype).bits)
    whole = shard(name, dtype, start=start, stop=stop, labels=Single((label,)))
    (expected,) = swept(session, whole).values()
    assert expected.ordinals[0] == by_itself(session, whole, label)["exact"]
    for chunk in (100, 1000):
        parts = [
            whole._replace(start=start, stop=start + 777, chunk=chunk),
            whole._replace(start=start + 777, chunk=chunk),
        ]
        found = [one for part in parts for one in swept(session, part).values()]
        assert [sum(each) for each in zip(*(one.ordinals for one in found), strict=True)] == expected.ordinals


@pytest.mark.parametrize("label", [2.0, -1.0, 60000.0])
def test_a_label_outside_the_domain_is_judged_where_terms_cancel(session: Any, label: float) -> None:
    """Same maxima, plain and condition-scaled, as the double-double reference gives."""
    bits = int(encode(np.array(label), "float16").bits)
    one = shard("no_tail", labels=Single((bits,)))
    (found,) = swept(session, one).values()
    expected = by_itself(session, one, bits)
    for column in ("ideal", "scaled"):
        measured = {binade: item[0] for binade, item in found.worst[column].items()}
        assert measured == pytest.approx(expected["worst" if column == "ideal" else column], rel=2**-14)
    assert found.classes == expected["classes"]


def test_the_argument_of_a_maximum_has_that_error(session: Any) -> None:
    """The result at the position that is told is the one that is told, and the farthest off."""
    one = shard("no_tail")
    found = swept(session, one)[one.labels.names[3]]
    error, position, label, got = max(found.worst["ideal"].values())
    alone = one._replace(start=position, stop=position + 1, labels=Single((label,)))
    again = swept(session, alone)[f"{label:x}"].worst["ideal"]
    assert list(again.values()) == [[error, position, label, got]]


def test_a_flushed_result_is_no_error_where_flushing_is_accepted(session: Any) -> None:
    """The column `flushed` has nothing for a loss whose only fault it is, and `ideal` has."""
    one = shard("flushed")
    found = swept(session, one)[one.labels.names[1]]
    assert max(item[0] for item in found.worst["ideal"].values()) > 500
    assert found.worst["flushed"] == {}


def test_a_call_that_raises_is_a_result_of_its_own(session: Any) -> None:
    """The sweep goes on, and the calls that raised are counted with the first message."""
    one = shard("refused")
    found = swept(session, one)[one.labels.names[0]]
    assert found.classes == {"raised": 1024}
    assert found.raised is not None
    assert found.raised[2] == "ValueError: no fives, please"
    assert found.points == one.stop


@pytest.mark.parametrize("chunk", [64, 1000, 4096, 1 << 17])
def test_a_sweep_does_not_depend_on_the_length_of_a_call(session: Any, chunk: int) -> None:
    """The losses here compute element by element."""
    assert kernel.run(session.runtime, session.implementations, shard("no_tail", chunk=chunk)) == kernel.run(
        session.runtime, session.implementations, shard("no_tail")
    )


@pytest.mark.parametrize("quantity", ["value", "gradient-prediction"])
@pytest.mark.parametrize("first", [0x3000, 0x3BF8])
@pytest.mark.parametrize("chunk", [2048, 4096])
def test_pairs_are_the_same_as_their_labels_one_by_one(session: Any, first: int, quantity: str, chunk: int) -> None:
    """The maxima, counts and first inputs of a range of labels are those of all labels together."""
    labels = range(first, first + 9)
    all_of_them = Pairs(labels.start, labels.stop)
    pairs = swept(session, shard("no_tail", quantity=quantity, labels=all_of_them, chunk=chunk))["pairs"]
    single = swept(session, shard("no_tail", quantity=quantity, labels=Single(tuple(labels))))
    together = Statistics()
    for one in single.values():
        together = statistics.merged(together, one)
    assert pairs.to_wire() == together.to_wire()


@pytest.mark.parametrize("chunk", [1 << 10, 1 << 13, 1 << 17])
@pytest.mark.parametrize("name", ["no_tail", "truncated"])
def test_of_equal_errors_the_first_prediction_is_told_however_pairs_are_cut(
    session: Any, name: str, chunk: int
) -> None:
    """Large logits have the same error in many binades and with many labels."""
    pairs = shard(name, labels=Pairs(0x3000, 0x3028), start=16 << 10, stop=31 << 10)
    whole = kernel.run(session.runtime, session.implementations, pairs._replace(chunk=1 << 16))
    assert kernel.run(session.runtime, session.implementations, pairs._replace(chunk=chunk)) == whole


@pytest.mark.parametrize(
    "names", [("right", "right_again"), ("right", "no_tail"), ("right", "later"), ("no_tail", "refused")]
)
def test_an_implementation_is_judged_as_if_it_were_alone(session: Any, names: tuple[str, str]) -> None:
    """Whether it has the results of another one everywhere, nowhere, or up to some place; or raises."""
    together = shard(names[0])._replace(implementations=tuple(f"{name}/eager/cpu" for name in names))
    found = kernel.run(session.runtime, session.implementations, together)
    for name in names:
        alone = kernel.run(session.runtime, session.implementations, shard(name))
        assert found[f"{name}/eager/cpu"] == alone[f"{name}/eager/cpu"]


def test_an_error_that_flushing_does_not_excuse_counts_beside_a_larger_one_that_it_does(session: Any) -> None:
    """Small labels have flushed results; the other ones, of the same binade of logits, are one pattern off."""
    start = space.size("logits", "float16") // 2 + (18 << 10)
    pairs = shard("flushed_else_next_up", labels=Pairs(0, 600), start=start, stop=start + 1024, chunk=1 << 16)
    (found,) = swept(session, pairs).values()
    (flushed,) = found.worst["flushed"].values()
    (ideal,) = found.worst["ideal"].values()
    assert 1.0 < flushed[0] < 3.0 < 500.0 < ideal[0]
    whole = kernel.run(session.runtime, session.implementations, pairs._replace(chunk=1 << 20))
    assert kernel.run(session.runtime, session.implementations, pairs) == whole


def test_an_error_at_a_power_of_two_is_that_of_the_binade_below(session: Any) -> None:
    """A gradient that is 2^-25 for all small logits is wrong by most at 2^-53, whose gradient is just below 2^-55."""
    start = (127 - 53) << 23
    half = Single((int(encode(np.array(0.5), "float32").bits),))
    one = shard("coarse", "float32", "gradient-prediction", start=start, stop=start + (1 << 14), labels=half)
    (found,) = swept(session, one).values()
    error, position, *_ = found.worst["ideal"]["+-53"]
    assert (position, error) == (start, pytest.approx((2.0**-25 - 2.0**-55) / 2.0**-79))


@pytest.mark.slow
def test_a_screened_sweep_is_an_unscreened_one(session: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """On 2^24 inputs of a wrong implementation: the maxima of every binade, the counts, the first inputs."""
    half = space.size("logits", "float32") // 2
    part = shard("no_tail", "float32", start=half + 0x3F800000, stop=half + 0x3F800000 + (1 << 22), chunk=1 << 15)
    screened = kernel.run(session.runtime, session.implementations, part)
    monkeypatch.setattr(screen, "screened", lambda adding, bits: False)
    assert kernel.run(session.runtime, session.implementations, part) == screened
    found = screened["no_tail/eager/cpu"]
    assert sum(one["points"] for one in found.values()) == 1 << 24
    assert all(one["worst"]["ideal"] for one in found.values())


def test_a_process_that_flushes_subnormal_numbers_voids_its_shard(
    session: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What NumPy computes is compared with what it computed before."""
    monkeypatch.setattr(kernel, "_DIGEST", "another")
    with pytest.raises(kernel.Voided, match="NumPy no longer computes"):
        kernel.run(session.runtime, session.implementations, shard("right", stop=10))
