"""Six words for what a wrong result does, each where its definition says so."""

from __future__ import annotations

import math

import numpy as np
import pytest

from conformance.judge.harm import Harm, beyond_use, harms, of_dtype, worst

INF, NAN = math.inf, math.nan


def of(got: float, exact: float, dtype: str = "float32", quantity: str = "value", form: str = "logits") -> str:
    """The word for one result."""
    return Harm(harms(np.array([got]), np.array([exact]), dtype, quantity, form)[0]).word


def test_the_words_are_ordered_from_breaks_to_refuses() -> None:
    """Whoever sorts findings by harm has the worst first, and every word has a sentence."""
    assert [one.word for one in sorted(Harm, reverse=True)] == [
        "breaks",
        "misleads",
        "drifts",
        "last digits",
        "edge",
        "refuses",
    ]
    assert all(one.meaning.endswith(".") and ". " not in one.meaning for one in Harm)


def test_the_worst_of_none_is_none() -> None:
    """An implementation without findings has no harm at all."""
    assert worst([]) is None
    assert worst([Harm.EDGE, Harm.MISLEADS, Harm.DRIFTS]) is Harm.MISLEADS


@pytest.mark.parametrize(("got", "exact"), [(NAN, 1.0), (INF, 20.0), (NAN, INF), (-INF, INF), (0.5, NAN), (INF, NAN)])
def test_what_is_not_finite_in_place_of_a_number_breaks_and_so_does_a_number_for_nan(got: float, exact: float) -> None:
    """One NaN in a batch makes all weights NaN; a number for log(-0.5) hides that logits came for probabilities."""
    assert of(got, exact) == "breaks"


def test_a_number_where_the_loss_is_infinite_misleads() -> None:
    """100 for -log(0): training goes on, by a loss of the right sign and no size.  2^130 is infinite in float32."""
    assert of(100.0, INF) == "misleads"
    assert of(1e12, 2.0**130, "float32", "gradient-prediction") == "misleads"
    assert of(1e12, 2.0**130, "float64", "gradient-prediction") == "misleads"


def test_an_infinity_for_what_the_dtype_does_not_hold_is_no_infinity_for_a_number() -> None:
    """2^130 rounds to infinity in float32, and is a number in float64."""
    assert of(INF, 2.0**130, "float32") == "last digits"
    assert of(INF, 2.0**130, "float64") == "breaks"
    assert of(-INF, 2.0**130, "float32") == "breaks"


@pytest.mark.parametrize("quantity", ["gradient-prediction", "gradient-label", "second-derivative"])
def test_a_derivative_of_the_wrong_sign_breaks(quantity: str) -> None:
    """A step in its direction makes the loss larger."""
    assert of(0.25, -0.25, "float32", quantity) == "breaks"


def test_a_wrong_sign_that_is_as_good_as_0_is_weighed_like_0() -> None:
    """2^-30 is below half an ULP of 1 in float32."""
    assert of(2.0**-30, -0.25, "float32", "gradient-prediction") == "misleads"
    assert of(2.0**-30, -(2.0**-29), "float32", "gradient-prediction") == "drifts"


def test_a_negative_loss_misleads() -> None:
    """The value alone moves no weight."""
    assert of(-0.5, 0.5) == "misleads"


def test_a_gradient_of_0_for_a_prediction_on_the_wrong_side_breaks() -> None:
    """|sigmoid(z) - y| is 1/2 where prediction and hard label part; below it, 0 is a size like any other."""
    assert of(0.0, -1.0, "float32", "gradient-prediction") == "breaks"
    assert of(0.0, 0.5, "float32", "gradient-prediction") == "breaks"
    assert of(0.0, 0.49, "float32", "gradient-prediction") == "misleads"
    assert of(0.0, -INF, "float32", "gradient-prediction") == "breaks"
    assert of(0.0, -1.0, "float32", "gradient-label") == "misleads"


def test_of_probabilities_a_gradient_of_1_belongs_to_a_right_prediction() -> None:
    """-1/p for label 1: it is -1 at p = 1, where nothing is to be learned, and -2 at p = 1/2."""
    assert of(0.0, -1.0, "float32", "gradient-prediction", "probabilities") == "misleads"
    assert of(0.0, -2.0, "float32", "gradient-prediction", "probabilities") == "breaks"


@pytest.mark.parametrize(
    ("got", "word"), [(1.0101, "misleads"), (1.0099, "drifts"), (1.0011, "drifts"), (1.0009, "last digits")]
)
def test_beside_losses_of_1_the_relative_error_decides(got: float, word: str) -> None:
    """Cut at 1 % and at 0.1 %."""
    assert of(got, 1.0) == word
    assert of(100 * got, 100.0) == word


def test_a_small_loss_that_is_lost_is_not_seen_in_a_batch() -> None:
    """exp(-20) lost from log1p in float32 is 2e-9, and 4 ULP of 1 are 4.8e-7; in float64 the batch shows it."""
    assert of(0.0, 2.06e-9, "float32") == "drifts"
    assert of(0.0, 4.7e-7, "float32") == "drifts"
    assert of(0.0, 4.9e-7, "float32") == "misleads"
    assert of(0.0, 2.06e-9, "float64") == "misleads"


def test_what_the_budget_allows_elsewhere_in_a_binade_neither_drifts_nor_misleads() -> None:
    """4 ULP are up to 3.1 % in bfloat16, so an error of 2 % there is of the last digits."""
    assert of(1.02, 1.0, "bfloat16") == "last digits"
    assert of(102.0, 100.0, "bfloat16") == "last digits"
    assert of(1.04, 1.0, "bfloat16") == "misleads"
    assert of(1.003, 1.0, "float16") == "last digits"
    assert of(1.006, 1.0, "float16") == "drifts"


def test_a_subnormal_number_that_is_lost_is_an_edge_and_one_that_is_invented_is_not() -> None:
    """2^-140 is subnormal in float32 and no number of float64's edge; float16 has no edge below."""
    assert of(0.0, 2.0**-140, "float32") == "edge"
    assert of(0.693, 2.0**-140, "float32") == "misleads"
    assert of(NAN, 2.0**-140, "float32") == "breaks"
    assert of(0.0, 2.0**-140, "float64") == "drifts"
    assert of(0.0, 2.0**-20, "float16") == "drifts"


def test_inputs_beyond_use_are_infinite_nan_subnormal_or_larger_than_float16_holds() -> None:
    """65504 is the largest number of float16; float16's own subnormal numbers are in use, 0 as well."""
    values = np.array([INF, -INF, NAN, 65505.0, -65505.0, 65504.0, 255.0, 0.0, -0.0, 2.0**-126, 2.0**-127])
    assert beyond_use(values, "float32").tolist() == [True] * 5 + [False] * 5 + [True]
    assert beyond_use(values, "float64").tolist() == [True] * 5 + [False] * 6
    assert not beyond_use(np.array([2.0**-24]), "float16").any()


def test_another_dtype_is_weighed_by_what_its_rounding_loses() -> None:
    """A wider one loses nothing, bfloat16 0.4 %, and what is no number of these formats is no loss."""
    assert of_dtype("float64", "float16") is Harm.LAST_DIGITS
    assert of_dtype("float32", "float64") is Harm.LAST_DIGITS
    assert of_dtype("bfloat16", "float32") is Harm.DRIFTS
    assert of_dtype("float8_e5m2", "float32") is Harm.MISLEADS
    assert of_dtype("int64", "float32") is Harm.BREAKS


def test_a_larger_error_is_never_less_harmful() -> None:
    """Results move away from exact values of all sizes that float32 holds as normal numbers, upwards."""
    for exact in 2.0 ** np.arange(-126, 100, 7.0):
        steps = exact * 2.0 ** np.arange(-20, 20.0)
        assert (np.diff(harms(exact + steps, np.full(steps.shape, exact), "float32", "value", "logits")) >= 0).all()
