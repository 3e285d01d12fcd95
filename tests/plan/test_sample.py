"""The sample of inputs: even over the bit patterns, the same in every run, outside everything that is judged."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest

from conformance.adapters import ALL_DTYPES
from conformance.known.record import default_place, load
from conformance.numbers.formats import FORMATS
from conformance.numbers.literals import bits_of
from conformance.plan import sample
from conformance.plan.cases import Suite, default_folder, load_suite
from conformance.plan.filters import Filters
from conformance.run import run as runs
from conformance.run.run import Options
from tests.builders import implementation

FORMS = ("logits", "probabilities")


def ordinals(form: str, dtype: str, part: str) -> list[int]:
    """Ordinals of the predictions of one part, for the label 0, in their order."""
    inputs = sample.sampled(form, dtype, False)  # type: ignore[arg-type]
    fmt = FORMATS[dtype]
    sign = 1 << (fmt.width - 1)
    found = []
    for element in inputs.elements:
        if element.id.startswith(part) and element.id.endswith("-y0"):
            bits = bits_of(element.prediction, fmt)
            found.append(bits if bits < sign else sign - bits)
    return found


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("dtype", ALL_DTYPES)
def test_all_patterns_of_the_domain_are_sampled_evenly(form: str, dtype: str) -> None:
    """Both ends are there, and no gap is wider than twice the even distance."""
    found = ordinals(form, dtype, "all")
    fmt = FORMATS[dtype]
    last = bits_of("max" if form == "logits" else "1", fmt)
    first = -last if form == "logits" else 0
    assert (found[0], found[-1], len(found)) == (first, last, sample.POINTS)
    even = Fraction(last - first, sample.POINTS - 2)
    assert all(0 <= later - earlier <= 2 * even + 1 for earlier, later in pairwise(found))


@pytest.mark.parametrize("dtype", ALL_DTYPES)
def test_the_low_bits_of_a_sample_are_not_a_pattern(dtype: str) -> None:
    """A stride by a power of two would see one low bit only: here both are seen."""
    found = ordinals("logits", dtype, "all")
    assert {one & 1 for one in found[1:-1]} == {0, 1}


@pytest.mark.parametrize("dtype", ALL_DTYPES)
def test_logits_are_sampled_on_both_sides_where_the_loss_bends(dtype: str) -> None:
    """The part holds as many negative logits as positive ones, of magnitudes from 2^-10 to 2^7."""
    inputs = sample.sampled("logits", dtype, False)
    values = [float.fromhex(one.prediction) for one in inputs.elements if one.id.startswith("bend")]
    assert sorted({abs(one) for one in values})[0] == 2.0**-10
    assert max(values) == -min(values) == 2.0**7
    assert sum(one < 0 for one in values) == len(values) // 2


@pytest.mark.parametrize("dtype", ALL_DTYPES)
def test_probabilities_are_sampled_towards_one(dtype: str) -> None:
    """The distances from 1 reach from the last neighbour of 1 to a half."""
    inputs = sample.sampled("probabilities", dtype, False)
    values = [float.fromhex(one.prediction) for one in inputs.elements if one.id.startswith("bend")]
    assert min(values) == 0.5
    assert max(values) == 1 - 2.0 ** -FORMATS[dtype].precision
    assert all(np.diff(values[: sample.POINTS]) >= 0)


def test_hard_labels_alone_are_sampled_where_only_they_mean_a_loss() -> None:
    """An entry point for hard labels gets no others."""
    (request,) = sample.requests([implementation(labels="hard", dtypes=("float32",))], Filters())
    assert {one.label for one in request.inputs.elements} == set(sample.HARD)


@pytest.mark.parametrize("chosen", [Filters(case=("hard-labels",)), Filters(flag=("saturated",)), Filters().quick()])
def test_a_run_of_chosen_cases_has_no_sample(chosen: Filters) -> None:
    """The sample belongs to a run of all cases."""
    assert sample.requests([implementation()], chosen) == ()
    assert sample.requests([implementation()], Filters())


def test_filters_of_dtype_quantity_and_mode_hold_for_the_sample() -> None:
    """Nothing is measured that was not asked for."""
    both = [implementation(), implementation(entry="other", mode="compile")]
    found = sample.requests(both, Filters(dtype=("float16",), quantity=("value",), mode=("eager",)))
    assert [(one.implementation.entry, one.dtype, one.quantities) for one in found] == [("loss", "float16", ("value",))]


def test_a_sample_is_recorded_beside_the_checks_and_counts_nowhere() -> None:
    """A run with a sample has the checks, tallies, tolerances and outcome of one without, and lines of the sample."""
    records = []
    for wanted in (False, True):
        options = Options(filters=Filters(backend=("numpy",), dtype=("float16",), quantity=("value",)), sample=wanted)
        with runs.open_pool(options) as pool:
            backends = runs.discover(pool, options)
            plan = runs.planned(backends, _suite(), options)
            known = load((default_place(),))
            records.append(runs.execute(pool, backends, plan, known, options).record)
    without, with_sample = records
    assert without.samples == ()
    assert with_sample.checks == without.checks
    assert (with_sample.tallies, with_sample.tolerances) == (without.tallies, without.tolerances)
    assert with_sample.header.planned == without.header.planned
    assert with_sample.footer is not None
    assert with_sample.footer.outcomes == without.footer.outcomes  # type: ignore[union-attr]
    assert {one.quantity for one in with_sample.samples} == {"value"}
    for line in with_sample.samples:
        inputs = with_sample.inputs_by_case[line.case, line.dtype]
        assert len(line.bits) == len(line.ulp) == len(inputs.elements) == len(inputs.ideal["value"])


def _suite() -> Suite:
    return load_suite(default_folder())


def test_no_family_of_cases_has_the_name_of_the_sample() -> None:
    """Its lines could not be told apart."""
    assert all(one.family != sample.FAMILY for one in _suite().cases)
