"""Infinities, NaN, zeros, shapes and options."""

from __future__ import annotations

import numpy as np
import pytest

import reference
from reference import bce
from tests.reference import digest, samples
from tests.reference.measure import QUANTITIES

pytestmark = pytest.mark.filterwarnings("error")

INF, NAN = np.inf, np.nan
LOSS, DX, DY, D2 = QUANTITIES
P, Z = reference.FORMS

#: form, quantity, prediction, label, options, expected. Documented in docs/reference.md.
TABLE = [
    # the loss by logits
    (Z, LOSS, INF, 1.0, {}, 0.0),
    (Z, LOSS, -INF, 0.0, {}, 0.0),
    (Z, LOSS, INF, 0.0, {}, INF),
    (Z, LOSS, -INF, 1.0, {}, INF),
    (Z, LOSS, INF, 0.3, {}, INF),
    (Z, LOSS, -INF, 0.3, {}, INF),
    (Z, LOSS, INF, 2.0, {}, -INF),
    (Z, LOSS, -INF, -2.0, {}, -INF),
    (Z, LOSS, -INF, 0.3, {"pos_weight": 0.0}, 0.0),
    (Z, LOSS, INF, 0.3, {"weight": 0.0}, NAN),
    (Z, LOSS, INF, 1.0, {"weight": 0.0}, 0.0),
    (Z, LOSS, 800.0, 1.0, {"weight": INF}, INF),
    (Z, LOSS, INF, 1.0, {"weight": INF}, NAN),
    (Z, LOSS, 1e308, 2.0, {}, -1e308),
    (Z, LOSS, -1e308, 2.0, {}, INF),
    (Z, LOSS, 1.0, INF, {}, NAN),
    (Z, LOSS, 1.0, -INF, {}, NAN),
    # the loss by probabilities
    (P, LOSS, 0.0, 0.0, {}, 0.0),
    (P, LOSS, -0.0, 0.0, {}, 0.0),
    (P, LOSS, 1.0, 1.0, {}, 0.0),
    (P, LOSS, 0.0, 1.0, {}, INF),
    (P, LOSS, 1.0, 0.0, {}, INF),
    (P, LOSS, -0.0, 0.5, {}, INF),
    (P, LOSS, 1.0, 2.0, {}, -INF),
    (P, LOSS, 0.0, 1.0, {"pos_weight": 0.0}, 0.0),
    (P, LOSS, 0.0, 1.0, {"weight": 0.0}, NAN),
    (P, LOSS, 0.0, 1.0, {"log_clamp": -100.0}, 100.0),
    (P, LOSS, 1.0, 0.0, {"log_clamp": -100.0}, 100.0),
    (P, LOSS, 0.0, 0.0, {"log_clamp": -100.0}, 0.0),
    (P, LOSS, np.nextafter(1.0, 2.0), 0.5, {}, NAN),
    (P, LOSS, -5e-324, 0.5, {}, NAN),
    (P, LOSS, INF, 0.5, {}, NAN),
    # dL/dz
    (Z, DX, INF, 0.25, {}, 0.75),
    (Z, DX, -INF, 0.25, {}, -0.25),
    (Z, DX, INF, 1.0, {}, 0.0),
    (Z, DX, -INF, 0.0, {}, 0.0),
    (Z, DX, 0.0, 0.25, {}, 0.25),
    (Z, DX, -0.0, 0.25, {}, 0.25),
    (Z, DX, 0.0, 0.5, {}, 0.0),
    (Z, DX, 1.0, INF, {}, -INF),
    # dL/dp
    (P, DX, 0.0, 0.0, {}, 1.0),
    (P, DX, -0.0, 0.0, {}, 1.0),
    (P, DX, 1.0, 1.0, {}, -1.0),
    (P, DX, 0.0, 1.0, {}, -INF),
    (P, DX, 0.0, 0.5, {}, -INF),
    (P, DX, -0.0, 0.5, {}, -INF),
    (P, DX, 1.0, 0.5, {}, INF),
    (P, DX, 0.0, -2.0, {}, INF),
    (P, DX, 1.0, 2.0, {}, -INF),
    (P, DX, 0.0, 0.25, {"pos_weight": 0.0}, 0.75),
    (P, DX, 0.0, 1.0, {"log_clamp": -100.0}, 0.0),
    (P, DX, 0.0, 0.25, {"log_clamp": -100.0}, 0.75),
    (P, DX, 1.0, 0.25, {"log_clamp": -100.0}, -0.25),
    (P, DX, 1.5, 0.5, {}, NAN),
    (P, DX, 0.5, INF, {}, -INF),
    # dL/dy
    (Z, DY, INF, 0.5, {}, -INF),
    (Z, DY, -INF, 0.5, {}, INF),
    (Z, DY, -INF, 0.5, {"pos_weight": 0.0}, 0.0),
    (Z, DY, INF, 0.5, {"pos_weight": 3.0}, -INF),
    (Z, DY, 1.0, NAN, {}, NAN),
    (P, DY, 0.0, 0.5, {}, INF),
    (P, DY, 1.0, 0.5, {}, -INF),
    (P, DY, 0.5, 0.5, {}, 0.0),
    (P, DY, 0.0, 0.5, {"pos_weight": 0.0}, 0.0),
    (P, DY, -0.5, 0.5, {}, NAN),
    # second derivatives
    (Z, D2, INF, 0.5, {}, 0.0),
    (Z, D2, 0.0, 0.5, {}, 0.25),
    (P, D2, 0.0, 0.5, {}, INF),
    (P, D2, 0.0, 0.0, {}, 1.0),
    (P, D2, 1.0, 1.0, {}, 1.0),
    (P, D2, 1.0, 2.0, {}, -INF),
    (P, D2, 0.0, 1.0, {"log_clamp": -100.0}, 0.0),
    (P, D2, 2.0, 1.0, {}, NAN),
]


@pytest.mark.parametrize(("form", "quantity", "prediction", "label", "options", "expected"), TABLE)
def test_special_values_follow_the_table(form, quantity, prediction, label, options, expected):
    """Zero coefficients annihilate infinite terms, the rest is extended-real arithmetic."""
    result = reference.FUNCTIONS[quantity](form, prediction, label, **options)
    np.testing.assert_array_equal(result.hi, expected)
    if not np.isfinite(expected):
        assert result.lo == 0.0
        assert result.bound == 0.0
        np.testing.assert_array_equal(result.scale, abs(expected))


@pytest.mark.parametrize("quantity", QUANTITIES)
@pytest.mark.parametrize("form", reference.FORMS)
@pytest.mark.parametrize("position", range(4))
def test_nan_in_gives_nan_out(form, quantity, position):
    """A NaN prediction, label, weight or pos_weight gives NaN, next to an undisturbed neighbour."""
    arguments = [np.array([x, x]) for x in (0.25, 0.5, 2.0, 3.0)]
    undisturbed = reference.FUNCTIONS[quantity](form, *arguments).hi
    arguments[position][0] = NAN
    got = reference.FUNCTIONS[quantity](form, *arguments).hi
    assert np.isnan(got[0])
    assert got[1] == undisturbed[1]


@pytest.mark.parametrize("quantity", QUANTITIES)
@pytest.mark.parametrize("form", reference.FORMS)
def test_special_values_do_not_disturb_their_neighbours(form, quantity):
    """A chunk with infinities and NaN gives the same bits elsewhere as a chunk without."""
    random = np.random.RandomState(21)
    x = samples.predictions(form, 400, random)
    y = samples.labels_inside(x.size, random)
    alone = reference.FUNCTIONS[quantity](form, x, y)
    extra = np.array([NAN, INF, -INF, 0.0, 1.0])
    mixed = reference.FUNCTIONS[quantity](form, np.concatenate([x, extra]), np.concatenate([y, [0.5] * 5]))
    for a, b in zip(alone, mixed, strict=True):
        assert np.array_equal(a, b[: x.size])


def test_results_have_the_same_bits_on_every_platform():
    """One digest of all results on a fixed sample; python -m tests.reference.digest checks it without pytest."""
    assert digest.digest() == digest.EXPECTED


@pytest.mark.parametrize("quantity", QUANTITIES)
@pytest.mark.parametrize("form", reference.FORMS)
def test_no_floating_point_condition_escapes(form, quantity):
    """Even where the caller turned every NumPy warning into an exception."""
    x = np.array([*digest.SPECIAL, 1e-320, 0.5, 1e308, -1e308])
    with np.errstate(all="raise"):
        for y in (0.0, 1.0, 0.5, 2.0, 1e308, 1e-320, INF, NAN):
            reference.FUNCTIONS[quantity](form, x, y, weight=1e300, pos_weight=1e300)


@pytest.mark.parametrize("quantity", QUANTITIES)
@pytest.mark.parametrize("form", reference.FORMS)
def test_inputs_are_never_modified_or_returned(form, quantity):
    """Read-only inputs are accepted; the result shares no memory with them."""
    arrays = [np.array([0.25, 0.75, 0.0]), np.array([0.0, 0.5, 1.0]), np.array([1.0, 2.0, 0.0]), np.ones(3)]
    for array in arrays:
        array.flags.writeable = False
    result = reference.FUNCTIONS[quantity](form, *arrays)
    for part in result:
        assert part.flags.writeable
        assert not any(np.shares_memory(part, array) for array in arrays)


@pytest.mark.parametrize("quantity", QUANTITIES)
@pytest.mark.parametrize("form", reference.FORMS)
@pytest.mark.parametrize(
    ("shapes", "expected"),
    [
        (((), ()), ()),
        (((0,), ()), (0,)),
        (((3,), (0, 1)), (0, 3)),
        (((3, 1), (4,)), (3, 4)),
        (((), (2, 3)), (2, 3)),
        (((1, 1), (1,)), (1, 1)),
        (((2, 1), (1, 3), (2, 1, 1)), (2, 2, 3)),
        (((4,), (4,), (), (1,)), (4,)),
    ],
)
def test_shapes_broadcast(form, quantity, shapes, expected):
    """Also 0-d and empty ones; every part is a float64 array of the broadcast shape with the values of its elements."""
    random = np.random.RandomState(23)
    arrays = [random.random_sample(shape) for shape in shapes]
    result = reference.FUNCTIONS[quantity](form, *arrays)
    broadcast = np.broadcast_arrays(*arrays)
    for part in result:
        assert isinstance(part, np.ndarray)
        assert part.dtype == np.float64
        assert part.shape == expected
    for index in np.ndindex(*expected):
        single = reference.FUNCTIONS[quantity](form, *[array[index] for array in broadcast]).hi
        assert result.hi[index] == single


def test_results_do_not_depend_on_position_or_chunk(monkeypatch):
    """The same element gives the same bits in every chunk, order and memory layout."""
    random = np.random.RandomState(24)
    z, y = samples.logits(600, random)[:400].reshape(20, 20), random.random_sample((20, 20))
    whole = reference.gradient_prediction("logits", z, y)
    assert np.array_equal(reference.gradient_prediction("logits", z.T, y.T).hi, whole.hi.T)
    assert np.array_equal(reference.gradient_prediction("logits", z[::-2], y[::-2]).lo, whole.lo[::-2])
    monkeypatch.setattr(bce, "CHUNK", 7)
    for a, b in zip(reference.gradient_prediction("logits", z, y), whole, strict=True):
        assert np.array_equal(a, b)


@pytest.mark.parametrize("quantity", QUANTITIES)
def test_exchanging_the_classes_mirrors_the_logits(quantity):
    """L(z, y) = L(-z, 1 - y): bit for bit, where 1 - y is exact."""
    random = np.random.RandomState(25)
    z, y = samples.logits(1000, random), 0.0
    y = random.randint(0, 65, z.size) / 64.0
    sign = -1.0 if quantity in (DX, DY) else 1.0
    left, right = reference.FUNCTIONS[quantity](Z, z, y), reference.FUNCTIONS[quantity](Z, -z, 1.0 - y)
    assert np.array_equal(left.hi, sign * right.hi)
    assert np.array_equal(left.lo, sign * right.lo)


@pytest.mark.parametrize(
    ("form", "options", "message"),
    [
        ("probs", {}, "'form' must be one of"),
        (Z, {"log_clamp": -100.0}, "form 'probabilities' only"),
        (Z, {"epsilon": 1e-7}, "form 'probabilities' only"),
        (P, {"epsilon": -1e-7}, "'epsilon' must be finite and not negative"),
        (P, {"epsilon": NAN}, "'epsilon' must be finite and not negative"),
        (P, {"log_clamp": NAN}, "'log_clamp' must be a number below infinity"),
    ],
)
def test_options_that_make_no_sense_are_refused(form, options, message):
    """With a message that names the option, the requirement and the value."""
    with pytest.raises(ValueError, match=message):
        reference.loss(form, 0.5, 0.5, **options)


@pytest.mark.parametrize(
    ("prediction", "label", "expected"),
    [
        ([0.5, 0.5], [0.0, 1.0], "0.6931472"),
        ([0.5, 0.5], [-2.0, 2.0], "0.6931472"),
        ([0.3], [2.0], "2.0512707"),
        ([0.3], [-2.0], "-1.3379208"),
    ],
)
def test_the_printed_numbers_of_the_question_come_out(prediction, label, expected):
    """The mean loss rounds to the digits that were printed, at the decimal inputs."""
    mean = reference.exact_mean(reference.loss(P, prediction, label))
    assert f"{float(mean.hi):.7f}" == expected
