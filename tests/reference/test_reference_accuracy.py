"""The reference against interval arithmetic."""

from __future__ import annotations

import math

import flint
import numpy as np
import pytest
from flint import arb

import reference
from tests.reference import oracle, samples
from tests.reference.measure import OPTIONS, QUANTITIES, measure

pytestmark = pytest.mark.filterwarnings("error")

POINTS = 5000

EVERYTHING = [
    (form, quantity, options) for form in reference.FORMS for quantity in QUANTITIES for options in OPTIONS[form]
]


def crossing(function, low, high):
    """Return a float64 next to the zero of function between low and high, by bisection."""
    sign = function(low) > 0
    for _ in range(200):
        middle = 0.5 * (low + high)
        if middle in (low, high):
            break
        low, high = (middle, high) if (function(middle) > 0) == sign else (low, middle)
    return low


@pytest.mark.parametrize(("form", "quantity", "options"), EVERYTHING)
def test_labels_inside_the_unit_interval_are_right_to_half_a_unit(form, quantity, options):
    """The value hi is at most 0.51 ulp off (1 where subnormal), hi + lo within the bound, the scale right to 1e-15."""
    random = np.random.RandomState(11)
    x = samples.predictions(form, POINTS, random)
    errors = measure(form, quantity, x, samples.labels_inside(x.size, random), **options)
    assert errors.normal <= 0.51
    assert errors.subnormal <= 1.0
    assert errors.law <= 2.0
    assert errors.bound <= 1.0
    assert errors.scale <= 1e-15


@pytest.mark.parametrize(("form", "quantity", "options"), EVERYTHING)
def test_labels_outside_the_unit_interval_obey_the_error_law(form, quantity, options):
    """The value hi is at most 0.5 ulp + 2 * 2**-104 * scale off, hi + lo within the bound, the scale right to 1e-15."""
    random = np.random.RandomState(12)
    x = samples.predictions(form, POINTS, random)
    errors = measure(form, quantity, x, samples.labels_outside(x.size, random), **options)
    assert errors.excess <= 0.5 + 1e-6
    assert errors.subnormal <= 1.0
    assert errors.bound <= 1.0
    assert errors.scale <= 1e-15


@pytest.mark.parametrize("quantity", QUANTITIES)
@pytest.mark.parametrize("form", reference.FORMS)
@pytest.mark.parametrize("label", samples.LABELS_INSIDE + samples.LABELS_OUTSIDE)
def test_single_labels_are_right_everywhere(form, quantity, label):
    """The same holds for each label that cases use, on its own sample."""
    random = np.random.RandomState(int(1000 + 100 * label))
    x = samples.predictions(form, POINTS // 4, random)
    errors = measure(form, quantity, x, np.full(x.size, label))
    assert errors.excess <= 0.5 + 1e-6
    assert errors.bound <= 1.0
    assert errors.subnormal <= 1.0


@pytest.mark.parametrize("label", [2.0, -2.0, 1.5, 1.0 + 2.0**-52, -1e-3, -1e-300])
def test_the_error_law_holds_at_zero_crossings_of_the_loss_by_logits(label):
    """For a label outside [0, 1] the loss vanishes at one logit, where the terms cancel to their last bits."""
    end = math.copysign(750.0, label)
    z = crossing(lambda z: float(reference.loss("logits", z, label).hi), 0.0, end)
    x = math.copysign(1.0, z) * samples.neighbourhood(abs(z), 20)
    errors = measure("logits", "value", x, np.full(x.size, label))
    assert errors.excess <= 0.5 + 1e-6
    assert errors.bound <= 1.0
    assert errors.law <= 2.0


@pytest.mark.parametrize("label", [2.0, -2.0, 1.5, 1.0 + 2.0**-52, -1e-3])
def test_the_error_law_holds_at_zero_crossings_of_the_loss_by_probabilities(label):
    """The same for probabilities."""
    low, high = (0.5, 1.0 - 2.0**-53) if label > 1.0 else (1e-300, 0.5)
    p = crossing(lambda p: float(reference.loss("probabilities", p, label).hi), low, high)
    x = samples.neighbourhood(p, 20)
    x = x[x < 1.0]
    errors = measure("probabilities", "value", x, np.full(x.size, label))
    assert errors.excess <= 0.5 + 1e-6
    assert errors.bound <= 1.0


@pytest.mark.parametrize("label", [0.3, 0.7, 0.5 + 2.0**-50, 1e-5, 1.0 - 2.0**-53, 1e-300])
def test_the_error_law_holds_where_the_gradient_vanishes(label):
    """dL/dz vanishes at the logit of the label, dL/dp at the label itself."""
    z = crossing(lambda z: float(reference.gradient_prediction("logits", z, label).hi), -745.0, 745.0)
    x = math.copysign(1.0, z) * samples.neighbourhood(abs(z), 20)
    errors = measure("logits", "gradient-prediction", x, np.full(x.size, label))
    assert errors.excess <= 0.5 + 1e-6
    assert errors.bound <= 1.0
    p = samples.neighbourhood(label, 20)
    p = p[p < 1.0]
    assert measure("probabilities", "gradient-prediction", p, np.full(p.size, label)).normal <= 0.51


@pytest.mark.parametrize("z", [1e-8, 1e-20, 1e-97, 1e-300, 5e-324])
def test_the_gradient_for_label_one_half_keeps_its_relative_accuracy_near_zero(z):
    """dL/dz = tanh(z/2)/2 there: the two natural terms cancel completely, the result must not."""
    x = np.array([z, -z])
    assert measure("logits", "gradient-prediction", x, np.full(2, 0.5)).excess <= 0.5 + 1e-6
    got = reference.gradient_prediction("logits", x, 0.5)
    for value, argument in zip(got.hi, x, strict=True):
        assert (
            oracle.ulp_error(float(value), oracle.exact("logits", "gradient-prediction", float(argument), 0.5)) <= 1.0
        )


@pytest.mark.parametrize("weight", [1e300, 1e-300, 1e308, 5e-324, -3.0])
@pytest.mark.parametrize("quantity", QUANTITIES)
@pytest.mark.parametrize("form", reference.FORMS)
def test_extreme_weights_neither_overflow_nor_underflow_on_the_way(form, quantity, weight):
    """A loss of exp(-800) times a weight of 1e300 is an ordinary number."""
    random = np.random.RandomState(13)
    x = samples.predictions(form, 200, random)
    errors = measure(form, quantity, x, samples.labels_inside(x.size, random), weight=weight, pos_weight=1.0 / 3.0)
    assert max(errors.normal, errors.subnormal) <= 1.0
    assert errors.bound <= 1.0


@pytest.mark.parametrize("names", [(), ("weight",), ("pos_weight",), ("weight", "pos_weight")])
@pytest.mark.parametrize("quantity", QUANTITIES)
@pytest.mark.parametrize("form", reference.FORMS)
def test_operands_from_the_whole_range_obey_the_error_law(form, quantity, names):
    """Label and weights of any binade and sign: results that overflow, underflow or neither, always within the law."""
    random = np.random.RandomState(17)

    def anything(size):
        magnitude = samples.bit_uniform(samples.SMALLEST, samples.LARGEST, size, random)
        return magnitude * random.choice([-1.0, 1.0], size)

    x = samples.predictions(form, 400, random)
    errors = measure(form, quantity, x, anything(x.size), **{name: anything(x.size) for name in names})
    assert errors.excess <= 0.5 + 1e-6
    assert errors.subnormal <= 1.0
    assert errors.bound <= 1.0
    assert errors.scale <= 1e-15


@pytest.mark.parametrize("pos_weight", [0.0, 1.0, 0.5, 1e-300, 1e300, -1.0])
@pytest.mark.parametrize("quantity", QUANTITIES)
@pytest.mark.parametrize("form", reference.FORMS)
def test_every_pos_weight_obeys_the_error_law(form, quantity, pos_weight):
    """Also zero, one and negative ones, for labels inside and outside [0, 1]."""
    random = np.random.RandomState(14)
    x = samples.predictions(form, 200, random)
    y = np.where(random.random_sample(x.size) < 0.5, samples.labels_inside(x.size, random), 2.0)
    errors = measure(form, quantity, x, y, pos_weight=pos_weight)
    assert errors.excess <= 0.5 + 1e-6
    assert errors.bound <= 1.0
    assert errors.scale <= 1e-15


@pytest.mark.parametrize(
    "options",
    [
        {"log_clamp": -100.0},
        {"log_clamp": -1.0},
        {"epsilon": 1e-7},
        {"epsilon": 1e-300},
        {"epsilon": 5e-324},
        {"epsilon": 0.5},
        {"epsilon": 3.0},
        {"epsilon": 1e-12, "log_clamp": -20.0},
    ],
)
@pytest.mark.parametrize("quantity", QUANTITIES)
def test_clamp_and_epsilon_are_right_at_the_ends_too(quantity, options):
    """With a clamp or an epsilon the loss is finite at p = 0 and p = 1; the epsilon is added without rounding."""
    random = np.random.RandomState(15)
    x = np.concatenate([samples.probabilities(300, random), [0.0, 1.0, 1e-45, 3.7e-44]])
    if quantity in ("gradient-prediction", "second-derivative") and "log_clamp" not in options:
        x = np.maximum(x, 1e-150) if options["epsilon"] < 1e-300 else x
        x = np.where(x == 1.0, 0.5, x) if options["epsilon"] < 1e-150 else x
    errors = measure("probabilities", quantity, x, samples.labels_inside(x.size, random), **options)
    assert errors.excess <= 0.5 + 1e-6
    assert errors.bound <= 1.0
    assert errors.scale <= 1e-15


@pytest.mark.parametrize("name", ["float32", "float16", "bfloat16"])
def test_narrow_inputs_are_taken_exactly(name):
    """A float16, bfloat16 or float32 array gives the bits that its exact float64 values give."""
    dtype = pytest.importorskip("ml_dtypes").bfloat16 if name == "bfloat16" else np.dtype(name)
    random = np.random.RandomState(16)
    z, y = (random.standard_normal(500) * 8).astype(dtype), random.random_sample(500).astype(dtype)
    for quantity in QUANTITIES:
        narrow = reference.FUNCTIONS[quantity]("logits", z, y)
        wide = reference.FUNCTIONS[quantity]("logits", z.astype(np.float64), y.astype(np.float64))
        assert all(np.array_equal(a, b) for a, b in zip(narrow, wide, strict=True))
    assert measure("logits", "value", z.astype(np.float64), y.astype(np.float64)).normal <= 0.51


TEXTBOOK = {
    "max(z, 0) - z*y + log1p(exp(-abs(z)))": (
        "logits",
        "value",
        36.7,
        1.0 - 2.0**-53,
        lambda z, y: np.maximum(z, 0) - z * y + np.log1p(np.exp(-np.abs(z))),
        1e4,
    ),
    "logaddexp(0, z) - z*y": ("logits", "value", 36.0, 1.0, lambda z, y: np.logaddexp(0, z) - z * y, 1e4),
    "sigmoid(z) - y": ("logits", "gradient-prediction", 36.0, 1.0, lambda z, y: 1 / (1 + np.exp(-z)) - y, 1e4),
    "log(1 - p)": (
        "probabilities",
        "value",
        1e-17,
        0.0,
        lambda p, y: -(y * np.log(p) + (1 - y) * np.log(1 - p)),
        1e15,
    ),
}


@pytest.mark.parametrize("name", sorted(TEXTBOOK))
def test_textbook_forms_fail_the_comparison(name):
    """Negative control: the comparison that the reference passes must be able to fail."""
    form, quantity, prediction, label, function, at_least = TEXTBOOK[name]
    wrong = float(function(np.float64(prediction), np.float64(label)))
    assert oracle.ulp_error(wrong, oracle.exact(form, quantity, prediction, label)) >= at_least
    x, y = np.array([prediction]), np.array([label])
    right = reference.FUNCTIONS[quantity](form, x, y)
    assert measure(form, quantity, x, y).normal <= 0.51
    assert measure(form, quantity, x, y, got=right._replace(hi=np.array([wrong]))).normal >= at_least


def test_a_reference_that_is_slightly_wrong_fails_the_comparison():
    """Negative control: one unit in hi, a lost lo, a bound too small, a scale off by 1e-14 and a NaN are all seen."""
    x, y = np.array([0.7]), np.array([0.3])
    right = reference.loss("logits", x, y)
    assert measure("logits", "value", x, y, got=right).normal <= 0.51
    assert measure("logits", "value", x, y, got=right._replace(hi=np.nextafter(right.hi, 9))).normal > 0.51
    assert measure("logits", "value", x, y, got=right._replace(lo=right.lo * 0)).bound > 1.0
    assert measure("logits", "value", x, y, got=right._replace(bound=right.bound * 2.0**-30)).bound > 1.0
    assert measure("logits", "value", x, y, got=right._replace(scale=right.scale * (1 + 1e-14))).scale > 1e-15
    assert measure("logits", "value", x, y, got=right._replace(hi=right.hi * np.nan)).normal == np.inf


def test_the_gradient_at_one_half_is_on_its_side_of_a_power_of_two():
    """It is less than z/4 by z^3/48, far below the accuracy of a double-double: the low part is that, to float64."""
    exponents = np.arange(30, 200)
    for sign in (1.0, -1.0):
        z = sign * np.ldexp(1.0, -exponents)
        got = reference.gradient_prediction("logits", z, np.full(z.shape, 0.5))
        np.testing.assert_array_equal(got.hi, z / 4)
        np.testing.assert_allclose(got.lo, -(z**3) / 48, rtol=1e-14)


def test_the_natural_terms_of_the_label_one_half_are_one_half():
    """|A| + |B| = (sigmoid(-z) + sigmoid(z)) / 2, which float64 would round below 1/2, where a ULP is half as large."""
    z = np.linspace(-40, 40, 4001)
    assert set(reference.gradient_prediction("logits", z, np.full(z.shape, 0.5)).scale) == {0.5}


def test_an_oracle_of_fixed_precision_would_lie():
    """At 320 bits the gradient at z = 1e-97, y = 0.5 has no correct bit; the oracle notices and goes on."""
    flint.ctx.prec = 320
    t = (-arb(1e-97)).exp()
    lying = arb(0.5) / (1 + t) - arb(0.5) * t / (1 + t)
    assert lying.rel_accuracy_bits() < 10
    honest = oracle.exact("logits", "gradient-prediction", 1e-97, 0.5)
    assert honest.rel_accuracy_bits() >= oracle.ACCURACY
    assert float(honest.mid()) == 2.5e-98


def test_the_oracle_says_so_when_it_cannot_reach_its_accuracy():
    """A value that cancels at every precision is an error, never an answer."""
    with pytest.raises(oracle.Unreachable):
        oracle.accurate(lambda: arb(2).sqrt() ** 2 - 2)
