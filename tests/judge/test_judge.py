"""Verdicts: the table of expectation and observation, contracts, and causes that keep their ids."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from conformance.contracts import (
    CastsTo,
    Clip,
    DenormalsAreZero,
    DomainCheck,
    Epsilon,
    FlushToZero,
    Formula,
    LogClamp,
    Reduction,
)
from conformance.judge.verdicts import EXPECTED, VERDICTS, Judged
from conformance.numbers.formats import FORMATS, Tensor
from conformance.numbers.literals import bits_of
from conformance.plan.cases import Case, Element
from conformance.plan.domain import regions
from conformance.plan.inputs import Inputs
from conformance.pool.observation import Observation
from conformance.quantities import BEHAVIOUR
from tests.builders import (
    CRASHED,
    SOURCE,
    TIMED_OUT,
    case,
    implementation,
    judged,
    judged_all,
    raised,
    request,
    returned,
    tensor,
)

CLAMP = LogClamp(-100.0, SOURCE)
CLIP = Clip("1e-7", "0.9999999", SOURCE)

IDEAL, BY_CONTRACT, NEITHER = returned([math.inf]), returned([100.0]), returned([50.0])
RAISED, UNSUPPORTED = raised(), raised("NotImplementedError", "not for this dtype", control=False)

#: Expectation -> verdict and class for each observation of p = 0, y = 1 under a clamp of the logarithm at -100.
TABLE = {
    "value": {
        "ideal": ("conforms", ""),
        "contract": ("by-contract", ""),
        "neither": ("deviates", "finite"),
        "raised": ("deviates", "raised"),
        "unsupported": ("unsupported", "unsupported"),
        "crashed": ("crashed", "crashed"),
        "timed out": ("timed-out", "timed-out"),
    },
    "reject": {
        "ideal": ("deviates", "accepted"),
        "contract": ("deviates", "accepted"),
        "neither": ("deviates", "accepted"),
        "raised": ("rejects", ""),
        "unsupported": ("unsupported", "unsupported"),
        "crashed": ("crashed", "crashed"),
        "timed out": ("timed-out", "timed-out"),
    },
    "either": {
        "ideal": ("conforms", ""),
        "contract": ("by-contract", ""),
        "neither": ("deviates", "finite"),
        "raised": ("rejects", ""),
        "unsupported": ("unsupported", "unsupported"),
        "crashed": ("crashed", "crashed"),
        "timed out": ("timed-out", "timed-out"),
    },
    "observe": {
        "ideal": ("recorded", ""),
        "contract": ("recorded", ""),
        "neither": ("recorded", ""),
        "raised": ("recorded", ""),
        "unsupported": ("recorded", ""),
        "crashed": ("crashed", "crashed"),
        "timed out": ("timed-out", "timed-out"),
    },
}

SEEN = {
    "ideal": IDEAL,
    "contract": BY_CONTRACT,
    "neither": NEITHER,
    "raised": RAISED,
    "unsupported": UNSUPPORTED,
    "crashed": CRASHED,
    "timed out": TIMED_OUT,
}

ROWS = [(expect, seen, *wanted) for expect, row in TABLE.items() for seen, wanted in row.items()]


def whats(check: Judged) -> list[str]:
    """Classes of the findings of a check."""
    return [finding.what for finding in check.findings]


def verdict(asked: Any, *seen: Observation) -> str:
    """The verdict on a request's value."""
    return judged(asked, *seen).verdict


@pytest.mark.parametrize(("expect", "seen", "wanted", "what"), ROWS)
def test_the_table_of_expectation_and_observation(expect: str, seen: str, wanted: str, what: str) -> None:
    """Each row of the design's table, with one element."""
    asked = request(case(("0", "1"), expect=expect), implementation((CLAMP,)))
    check = judged(asked, SEEN[seen])
    assert (check.verdict, check.verdicts) == (wanted, (wanted,))
    assert whats(check) == ([what] if what else [])


@pytest.mark.parametrize(("expect", "seen", "wanted", "what"), ROWS)
def test_the_table_holds_for_an_element_among_others(expect: str, seen: str, wanted: str, what: str) -> None:
    """An element gets its verdict of its own, whatever its neighbours do."""
    elements = (
        Element(id="good", prediction="0.5", label="1"),
        Element(id="probed", prediction="0", label="1", expect=expect),
        Element(id="last", prediction="0.5", label="1"),
    )  # type: ignore[arg-type]
    asked = request(case(elements=elements), implementation((CLAMP,)))
    good = returned([math.log(2)])
    check = judged(asked, good, SEEN[seen], good)
    assert check.verdicts == ("conforms", wanted, "conforms")
    assert check.verdict == wanted
    assert [(finding.element, finding.what) for finding in check.findings] == ([("probed", what)] if what else [])


def test_a_crash_is_never_a_rejection() -> None:
    """Where rejection is expected, a crash and a time-out are still failures."""
    asked = request(case(("0.5", "2"), expect="reject"))
    for seen in (CRASHED, TIMED_OUT):
        assert verdict(asked, seen) not in EXPECTED


def test_the_worst_element_decides() -> None:
    """A check has the worst verdict of its elements, in the order of VERDICTS."""
    asked = request(case(("0.5", "1"), ("0.5", "1"), ("0", "1")), implementation((CLAMP,)))
    good = math.log(2)
    assert verdict(asked, returned([good, good, math.inf])) == "conforms"
    assert verdict(asked, returned([good, good, 100.0])) == "by-contract"
    assert verdict(asked, returned([good, 0.7, 100.0])) == "deviates"
    assert VERDICTS.index("conforms") < VERDICTS.index("by-contract") < VERDICTS.index("deviates")


@pytest.mark.parametrize(
    ("prediction", "label", "form", "wanted"),
    [
        ("0.5", "0.5", "probabilities", "deviates"),
        ("0", "1", "probabilities", "deviates"),
        ("0.5", "2", "probabilities", "rejects"),
        ("0.5", "-0x1p-149", "probabilities", "rejects"),
        ("1.5", "1", "probabilities", "rejects"),
        ("nan", "1", "probabilities", "rejects"),
        ("0.5", "nan", "probabilities", "rejects"),
        ("1.5", "1", "logits", "deviates"),
        ("inf", "1", "logits", "deviates"),
        ("1", "inf", "logits", "rejects"),
    ],
)
def test_without_a_word_of_the_case_only_invalid_input_may_be_rejected(
    prediction: str, label: str, form: str, wanted: str
) -> None:
    """An exception is right for labels or probabilities outside [0, 1] and NaN, and wrong elsewhere."""
    assert verdict(request(case((prediction, label), form=form)), RAISED) == wanted


@pytest.mark.parametrize("checked", ["label", "prediction"])
def test_a_documented_check_must_raise(checked: str) -> None:
    """Where a contract documents a check, accepting what it forbids deviates, and what it does not forbid is free."""
    by = implementation((DomainCheck(checked, "ValueError", SOURCE),))
    forbidden = case(("0.5", "2")) if checked == "label" else case(("1.5", "1"))
    free = case(("1.5", "1")) if checked == "label" else case(("0.5", "2"))
    assert whats(judged(request(forbidden, by), returned([math.nan]))) == ["accepted"]
    assert verdict(request(forbidden, by), raised("ValueError")) == "rejects"
    assert "accepted" not in whats(judged(request(free, by), returned([math.nan])))


def test_a_check_sees_the_input_after_a_documented_cast() -> None:
    """A float64 label that float32 rounds to 1 is inside the domain of a check after a cast to float32."""
    just_outside = case(("0.5", "0x1.0000000000001p0"))
    check = DomainCheck("label", "ValueError", SOURCE)
    uncast = request(just_outside, implementation((check,)), "float64")
    assert whats(judged(uncast, returned([math.log(2)], "float64"))) == ["accepted"]
    cast = request(just_outside, implementation((check, CastsTo("float32", SOURCE))), "float64")
    assert verdict(cast, returned([math.log(2)])) in EXPECTED


# -- contracts ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("dtype", "prediction", "label", "got", "wanted"),
    [
        ("float32", "0", "1", -math.log(1e-7), "by-contract"),
        ("float32", "1", "0", 23 * math.log(2), "by-contract"),  # 1 - 2^-23, a neighbour of 1 - 1e-7
        ("float32", "1", "0", 24 * math.log(2), "by-contract"),  # 1 - 2^-24, the other one
        ("float32", "1", "0", 25 * math.log(2), "deviates"),
        ("float32", "1", "0", math.inf, "conforms"),
        ("float64", "1", "0", -math.log1p(-0.9999999), "by-contract"),
        ("float64", "1", "0", 23 * math.log(2), "deviates"),
        ("float16", "1", "0", math.inf, "conforms"),
        ("float16", "1", "0", 11 * math.log(2), "by-contract"),  # the largest float16 below 1
        ("float16", "1", "1", math.nan, "deviates"),  # 0 * log 0 of a bound that rounded to 1
        ("bfloat16", "1", "0", 8 * math.log(2), "by-contract"),
        ("bfloat16", "1", "1", math.nan, "deviates"),
        ("float16", "0", "1", 23 * math.log(2), "by-contract"),  # both neighbours of 1e-7 are subnormal
        ("float16", "0", "1", 24 * math.log(2), "by-contract"),
        ("float16", "0", "1", 25 * math.log(2), "deviates"),
        ("float16", "1.5", "0", 11 * math.log(2), "by-contract"),
        ("float16", "1.5", "0", math.inf, "deviates"),  # clipped to 1
        ("float16", "1.5", "1", 0.0, "deviates"),  # clipped to 1
    ],
)
def test_a_clip_bound_is_a_neighbour_strictly_inside(
    dtype: str, prediction: str, label: str, got: float, wanted: str
) -> None:
    """Either neighbour of the real bound counts if it lies in (0, 1): a clip that rounds to 1 is no clip."""
    asked = request(case((prediction, label)), implementation((CLIP,)), dtype)
    assert verdict(asked, returned([got], dtype)) == wanted


def test_a_clip_that_rounds_to_one_deviates_where_the_clipped_loss_is_finite() -> None:
    """For y = 0.5 at p = 1 in float16 the ideal is infinite as well, but NaN of inf - inf is neither."""
    asked = request(case(("1", "0.5")), implementation((CLIP,)), "float16")
    assert verdict(asked, returned([math.nan], "float16")) == "deviates"


@pytest.mark.parametrize(
    ("got", "wanted"),
    [
        (-1e7, "conforms"),
        (0.0, "by-contract"),
        (-0.0, "by-contract"),
        (-5e6, "by-contract"),
        (-1.0, "by-contract"),
        (-1.1e7, "deviates"),
        (1.0, "deviates"),
        (math.nan, "deviates"),
        (-math.inf, "deviates"),
    ],
)
def test_at_a_clip_bound_every_subgradient_is_by_contract(got: float, wanted: str) -> None:
    """Between 0 and the one-sided derivative -1/p any value is right at p = 1e-7, nothing beyond is."""
    asked = request(case(("1e-7", "1")), implementation((CLIP,)), quantities=("gradient-prediction",))
    assert verdict(asked, returned([got])) == wanted


@pytest.mark.parametrize(("got", "wanted"), [(0.0, "by-contract"), (-math.inf, "conforms"), (-1e7, "deviates")])
def test_outside_a_clip_the_gradient_is_zero(got: float, wanted: str) -> None:
    """The clipped loss is constant below the bound, so its derivative is 0 and no value between is excused."""
    asked = request(case(("0", "1")), implementation((CLIP,)), quantities=("gradient-prediction",))
    assert verdict(asked, returned([got])) == wanted


def test_inside_a_clip_the_gradient_must_not_vanish() -> None:
    """A clip excuses nothing between its bounds."""
    asked = request(case(("0.5", "1")), implementation((CLIP,)), quantities=("gradient-prediction",))
    assert verdict(asked, returned([0.0])) == "deviates"
    assert verdict(asked, returned([-2.0])) == "conforms"


def test_a_contract_does_not_excuse_another_contract() -> None:
    """A clamp's result is no clip's result."""
    asked = request(case(("0", "1")), implementation((CLIP,)))
    assert verdict(asked, BY_CONTRACT) == "deviates"


def test_without_a_contract_nothing_is_by_contract() -> None:
    """A clamped result of an implementation that documents no clamp deviates."""
    assert verdict(request(case(("0", "1"))), BY_CONTRACT) == "deviates"


def test_a_log_clamp_bounds_the_value_and_not_the_budget() -> None:
    """100 is by contract at p = 0, also weighted by a soft label; what is 5 ULP beside it deviates."""
    by = implementation((CLAMP,))
    step = 2.0**-17
    for got, wanted in [(100.0, "by-contract"), (100.0 + 4 * step, "by-contract"), (100.0 + 5 * step, "deviates")]:
        assert verdict(request(case(("0", "1")), by), returned([got])) == wanted
    assert verdict(request(case(("0", "0.25")), by), returned([25.0])) == "by-contract"


def test_an_epsilon_is_added_inside_the_logarithm() -> None:
    """-log(0 + 1e-7) is by contract, -log(1e-8) is not."""
    asked = request(case(("0", "1")), implementation((Epsilon(1e-7, SOURCE),)))
    assert verdict(asked, returned([-math.log(1e-7)])) == "by-contract"
    assert verdict(asked, returned([-math.log(1e-8)])) == "deviates"


def test_a_documented_cast_is_judged_in_its_dtype() -> None:
    """A float64 probability that float32 rounds to 1 has an infinite loss by contract, in float32."""
    near_one = case(("0x0.ffffffffffp0", "0"))
    by = implementation((CastsTo("float32", SOURCE),))
    asked = request(near_one, by, "float64", ("value", *BEHAVIOUR))
    assert judged(asked, returned([math.inf]), quantity="value").verdict == "by-contract"
    assert judged(asked, returned([math.inf]), quantity="result-dtype").verdict == "by-contract"
    uncast = request(near_one, implementation(), "float64", ("value", *BEHAVIOUR))
    assert judged(uncast, returned([math.inf]), quantity="value").verdict == "deviates"
    assert whats(judged(uncast, returned([math.inf]), quantity="result-dtype")) == ["result-dtype"]


def test_an_undocumented_result_dtype_is_a_finding_of_its_own() -> None:
    """A float64 request that comes back accurate to float32 conforms in value and deviates in dtype."""
    asked = request(case(("0.5", "1")), None, "float64", ("value", *BEHAVIOUR))
    seen = returned([math.log(2)], "float32")
    assert judged(asked, seen, quantity="value").verdict == "conforms"
    check = judged(asked, seen, quantity="result-dtype")
    assert (check.verdict, check.details) == ("deviates", ("returned float32 for float64",))


def test_a_documented_formula_allows_its_counted_error() -> None:
    """max(z,0) - z y + log1p(exp(-|z|)) in float32 is outside the budget at z = 20, y = 1 - 2^-24, and by contract."""
    made = case(("20", "nextafter(1,0)"), form="logits")
    z, y = np.float32(20), np.float32(1 - 2.0**-24)
    printed = float(np.maximum(z, 0) - z * y + np.log1p(np.exp(-np.abs(z))))
    exact = 20 * 2.0**-24 + math.log1p(math.exp(-20))
    formula = implementation((Formula("tf-sigmoid-cross-entropy", SOURCE),), form="logits")
    assert verdict(request(made), returned([exact])) == "conforms"
    assert verdict(request(made), returned([printed])) == "deviates"
    assert verdict(request(made, formula), returned([printed])) == "by-contract"
    assert verdict(request(made, formula), returned([exact])) == "conforms"


@pytest.mark.parametrize("got", [1e-3, -1e-3, math.nan, math.inf])
def test_a_documented_formula_does_not_allow_more_than_that(got: float) -> None:
    """Beyond the counted bound a result deviates, formula or not."""
    made = case(("20", "nextafter(1,0)"), form="logits")
    by = implementation((Formula("tf-sigmoid-cross-entropy", SOURCE),), form="logits")
    assert verdict(request(made, by), returned([got])) == "deviates"


def test_a_documented_formula_does_not_excuse_a_gradient() -> None:
    """The counted bound is one of the value; a gradient is judged as without it."""
    made = case(("20", "1"), form="logits")
    by = implementation((Formula("tf-sigmoid-cross-entropy", SOURCE),), form="logits")
    assert verdict(request(made, by, quantities=("gradient-prediction",)), returned([0.0])) == "deviates"


def test_flush_to_zero_is_by_contract_only_where_documented() -> None:
    """0 for a subnormal loss deviates as flushed, is by contract under `ftz`, and never conforms."""
    made = case(("1e-40", "0"))
    assert whats(judged(request(made), returned([0.0]))) == ["flushed"]
    assert verdict(request(made, implementation((FlushToZero(SOURCE),))), returned([0.0])) == "by-contract"
    assert (
        verdict(request(made), Observation(kind="returned", tensor=Tensor("float32", np.array([71362], np.uint32))))
        == "conforms"
    )


def test_flush_to_zero_does_not_excuse_a_normal_value() -> None:
    """0 for a normal loss deviates, whatever is documented of subnormal ones."""
    asked = request(case(("1e-30", "0")), implementation((FlushToZero(SOURCE), DenormalsAreZero(SOURCE))))
    assert whats(judged(asked, returned([0.0]))) == ["zero"]


def test_denormals_are_zero_reads_a_subnormal_input_as_zero() -> None:
    """The loss of p = 1e-40 with y = 1 is infinite under `daz`, and finite elsewhere."""
    made = case(("1e-40", "1"))
    assert verdict(request(made, implementation((DenormalsAreZero(SOURCE),))), returned([math.inf])) == "by-contract"
    assert verdict(request(made), returned([math.inf])) == "deviates"
    assert verdict(request(made, implementation((FlushToZero(SOURCE),))), returned([math.inf])) == "deviates"


# -- probes ------------------------------------------------------------------------------------------------------

NAIVE = float(np.float32(20) - np.float32(20) * np.float32(1 - 2.0**-24) + np.log1p(np.exp(np.float32(-20))))

#: field, its probe's case, dtype, what shows the field, what does not
PROBES = [
    (CLIP, case(("0", "1"), probe="clip"), "float32", -math.log(1e-7), math.inf),
    (CLIP, case(("1", "0"), probe="clip"), "float16", 11 * math.log(2), math.inf),
    (CLAMP, case(("0", "1"), probe="log_clamp"), "float32", 100.0, math.inf),
    (Epsilon(1e-7, SOURCE), case(("0", "1"), probe="epsilon"), "float32", -math.log(1e-7), math.inf),
    (FlushToZero(SOURCE), case(("1e-40", "0"), probe="ftz"), "float32", 0.0, 1e-40),
    (DenormalsAreZero(SOURCE), case(("1e-40", "1"), probe="daz"), "float32", math.inf, -math.log(1e-40)),
    (CastsTo("float32", SOURCE), case(("0x0.ffffffffffp0", "0"), probe="casts_to"), "float64", math.inf, 27.7),
    (
        Formula("tf-sigmoid-cross-entropy", SOURCE),
        case(("20", "nextafter(1,0)"), form="logits", probe="formula:tf-sigmoid-cross-entropy"),
        "float32",
        NAIVE,
        20 * 2.0**-24 + math.log1p(math.exp(-20)),
    ),
    (
        Reduction("all", "elements", SOURCE),
        case(("0.25", "1"), ("0.25", "1"), probe="reduction", reduction="mean"),
        "float32",
        math.log(4),
        2 * math.log(4),
    ),
]


@pytest.mark.parametrize(
    ("field", "made", "dtype", "shown", "not_shown"), PROBES, ids=[f"{one[0].name}-{one[2]}" for one in PROBES]
)
def test_a_probe_fails_where_the_field_is_not_true(
    field: Any, made: Case, dtype: str, shown: float, not_shown: float
) -> None:
    """What the contract with the field says passes, what it says without the field is a finding."""
    asked = request(made, implementation((field,), form=made.form), dtype, ("contract",))
    result = "float32" if field.name == "casts_to" else dtype
    shape: Any = np.float64 if made.reduction != "none" else np.atleast_1d
    assert verdict(asked, returned(shape(shown), result)) == "by-contract"
    assert verdict(asked, returned(shape(not_shown), dtype)) == "deviates"


@pytest.mark.parametrize(
    ("seen", "wanted"),
    [
        (raised("ValueError"), "by-contract"),
        (raised("TypeError"), "deviates"),
        (raised("ValueError", control=False), "deviates"),
        (returned([math.nan]), "deviates"),
        (CRASHED, "crashed"),
        (TIMED_OUT, "timed-out"),
    ],
)
def test_the_probe_of_a_domain_check_wants_the_documented_exception(seen: Observation, wanted: str) -> None:
    """Another exception type, a rejection of everything or NaN do not show the check; a crash stays a crash."""
    by = implementation((DomainCheck("label", "ValueError", SOURCE),))
    check = judged(request(case(("0.5", "2"), probe="domain_check:label"), by, quantities=("contract",)), seen)
    assert check.verdict == wanted


# -- what came back ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("seen", "quantity", "what"),
    [
        (returned([math.log(2)]), "result-shape", "result-shape"),
        (returned(np.full((2, 1), math.log(2))), "result-shape", "result-shape"),
        (returned(math.log(2)), "result-shape", "result-shape"),
        (returned([math.log(2)] * 3), "value", "result-shape"),
        (returned([math.log(2)]), "value", "result-shape"),
        (returned([]), "value", "result-shape"),
        (returned([math.log(2)] * 2, "float64"), "result-dtype", "result-dtype"),
        (Observation(kind="returned", tensor=Tensor("int64", np.zeros(2, np.int64))), "value", "result-dtype"),
        (Observation(kind="returned", tensor=Tensor("complex64", np.zeros(2, np.complex64))), "value", "result-dtype"),
        (returned([math.log(2)] * 2, changed=("label",)), "inputs-unchanged", "changed"),
    ],
)
def test_what_came_back_wrongly_is_a_finding_of_its_own(seen: Observation, quantity: str, what: str) -> None:
    """Shape, dtype and changed inputs are judged apart from the value."""
    asked = request(case(("0.5", "1"), ("0.5", "0")), None, "float32", ("value", *BEHAVIOUR))
    check = judged(asked, seen, quantity=quantity)
    assert check.verdict == "deviates"
    assert set(whats(check)) == {what}


def test_dropping_the_last_element_is_noticed() -> None:
    """A result one element short is no result for the others either."""
    asked = request(case(*[("0.5", "1")] * 5))
    assert verdict(asked, returned([math.log(2)] * 5)) == "conforms"
    assert whats(judged(asked, returned([math.log(2)] * 4))) == ["result-shape"] * 5


def test_zero_in_place_of_the_last_element_is_noticed() -> None:
    """A loop that stops one short leaves a zero, which is a finding of that element."""
    asked = request(case(*[("0.5", "1")] * 5))
    check = judged(asked, returned([*[math.log(2)] * 4, 0.0]))
    assert [(finding.element, finding.what) for finding in check.findings] == [("e4", "zero")]


def test_a_dropped_nan_is_noticed() -> None:
    """A number where the input is NaN deviates: NaN must not be lost, as by max(x, 0)."""
    asked = request(case(("nan", "1"), ("0.5", "nan"), ("0.5", "1")))
    assert verdict(asked, returned([math.nan, math.nan, math.log(2)])) == "conforms"
    check = judged(asked, returned([0.0, math.log(2), math.log(2)]))
    assert [(finding.element, finding.what) for finding in check.findings] == [("e0", "number"), ("e1", "number")]


def test_a_nan_that_nobody_asked_for_is_noticed() -> None:
    """NaN in place of a number is a class of its own and no small error."""
    assert whats(judged(request(case(("0.5", "1"))), returned([math.nan]))) == ["nan"]


def test_an_element_of_another_shape_does_not_conform() -> None:
    """Called one by one, an element that returns two results has no value, also where NaN is right."""
    asked = request(case(("nan", "1"), ("0.5", "2")))
    assert judged(asked, raised(), returned([1.0, 2.0])).verdicts == ("rejects", "deviates")
    nan = request(case(("0.5", "1"), ("nan", "1")))
    assert judged(nan, returned([math.log(2)]), returned([math.nan] * 2)).verdicts == ("conforms", "deviates")


@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_a_reduction_has_one_result_of_no_dimensions(reduction: str) -> None:
    """The value of a reduced case is a scalar; a tensor of one element is a wrong shape."""
    asked = request(case(("0.5", "1"), ("0.5", "0"), reduction=reduction), None, "float32", ("value", *BEHAVIOUR))
    right = math.log(2) * (2 if reduction == "sum" else 1)
    assert judged(asked, returned(right), quantity="value").verdict == "conforms"
    assert judged(asked, returned(right), quantity="result-shape").verdict == "conforms"
    assert judged(asked, returned([right]), quantity="result-shape").verdict == "deviates"
    assert judged(asked, returned(right / 2), quantity="value").verdict == "deviates"


def test_the_gradient_of_a_mean_is_divided_by_the_number_of_elements() -> None:
    """Each element's gradient is its own divided by n."""
    made = case(("0.5", "1"), ("0.5", "0"), ("0.25", "1"), ("0.5", "1"), reduction="mean")
    asked = request(made, quantities=("gradient-prediction",))
    assert verdict(asked, returned([-0.5, 0.5, -1.0, -0.5])) == "conforms"
    assert verdict(asked, returned([-2.0, 2.0, -4.0, -2.0])) == "deviates"


def test_the_gradient_of_a_mean_over_weights_is_divided_by_their_sum_where_that_is_documented() -> None:
    """Keras' `mean_with_sample_weight` with the weights 1 and 0: the gradient of the one that counts stays whole."""
    elements = (
        Element(id="w1", prediction="0.5", label="1", weight="1"),
        Element(id="w0", prediction="0.5", label="0", weight="0"),
    )
    made = case(elements=elements, reduction="mean")
    whole = returned([-2.0, 0.0])
    documented = implementation((Reduction("all", "weights", SOURCE),))
    assert verdict(request(made, documented, quantities=("gradient-prediction",)), whole) == "by-contract"
    assert verdict(request(made, quantities=("gradient-prediction",)), whole) == "deviates"


def test_a_request_that_was_not_observed_is_not_judged() -> None:
    """What did not run has no verdict, and what ran has."""
    asked = [request(case(("0.5", "1"), name=f"small/{name}")) for name in ("a", "b")]
    checks = judged_all(asked, [None, {"value": (returned([math.log(2)]),)}])
    assert [check.id for check in checks] == ["small/b::stub/loss/eager/cpu::float32::value"]


def test_a_finding_tells_the_bits_that_came_back() -> None:
    """Every element has its pattern in hexadecimal, for a reader to reproduce."""
    check = judged(request(case(("0.5", "1"), ("0", "1"))), returned([math.log(2), math.inf]))
    assert check.bits == ("3f317218", "7f800000")


# -- causes ------------------------------------------------------------------------------------------------------

MANY = [("0", "1"), ("0.5", "1"), ("0.5", "2"), ("nan", "1"), ("0.5", "inf"), ("1", "0.5")]


def causes(cases: list[Case], dtypes: tuple[str, ...], **fields: Any) -> dict[str, set[str]]:
    """Causes by region of an implementation that returns 7 everywhere and 7 NaN as gradients."""
    by = implementation(**fields)
    asked = [request(one, by, dtype, ("value", "gradient-prediction", *BEHAVIOUR)) for one in cases for dtype in dtypes]
    seen = []
    for one in asked:
        count = len(one.inputs.elements)
        value, gradient = returned([7.0] * count, "float64"), returned([math.nan] * count)
        seen.append({"value": (value,), "gradient-prediction": (gradient,)})
    found: dict[str, set[str]] = {}
    for check in judged_all(asked, seen):
        for finding in check.findings:
            found.setdefault(check.request.case.id, set()).add(finding.cause)
    return found


def test_causes_do_not_change_when_a_case_is_added() -> None:
    """A case's causes are the same alone and among others."""
    first, second = case(*MANY, name="small/first"), case(*MANY[:2], name="small/second")
    alone = causes([first], ("float32",))
    assert alone["small/first"]
    assert causes([second, first], ("float32",))["small/first"] == alone["small/first"]


def test_causes_do_not_change_when_a_dtype_is_dropped() -> None:
    """Each dtype of a case finds the same ids."""
    made = case(*MANY)
    both = causes([made], ("float32", "float16"))["small/one"]
    for dtype in ("float32", "float16", "bfloat16"):
        assert causes([made], (dtype,))["small/one"] == both


def test_causes_do_not_change_when_elements_and_cases_are_renamed() -> None:
    """An id is about the input's region, not about names, order, mode or device."""
    renamed = tuple(Element(id=f"other{i}", prediction=p, label=y) for i, (p, y) in enumerate(reversed(MANY)))
    before = causes([case(*MANY)], ("float32",))["small/one"]
    assert causes([case(elements=renamed, name="else/where")], ("float32",))["else/where"] == before
    assert causes([case(*MANY)], ("float32",), mode="compile", device="cuda")["small/one"] == before


def test_causes_of_different_mistakes_differ() -> None:
    """Quantity, region, signature and implementation family each tell causes apart."""
    found = causes([case(*MANY)], ("float32",))["small/one"]
    assert {
        "stub/loss/value/ordinary/inaccurate",
        "stub/loss/value/nan/number",
        "stub/loss/value/saturated/finite",
        "stub/loss/gradient-prediction/ordinary/non-finite",
        "stub/loss/result-dtype/any/result-dtype",
    } <= found
    assert not found & causes([case(*MANY)], ("float32",), entry="other")["small/one"]


@pytest.mark.parametrize("what", ["raised", "accepted"])
def test_acceptance_is_one_cause_whichever_quantity_met_it(what: str) -> None:
    """An exception of the gradient and one of the value are the same cause."""
    made = case(("0.5", "1" if what == "raised" else "2"), expect="reject" if what == "accepted" else None)
    seen = raised() if what == "raised" else returned([7.0])
    quantities = ("value", "gradient-prediction", "acceptance")
    checks = judged_all(
        [request(made, None, "float32", quantities)], [{"value": (seen,), "gradient-prediction": (seen,)}]
    )
    assert len(checks) == 3
    assert len({finding.cause for check in checks for finding in check.findings}) == 1


@pytest.mark.parametrize("dtype", list(FORMATS))
def test_regions_do_not_depend_on_the_dtype(dtype: str) -> None:
    """The same literals lie in the same regions, unless the dtype rounds them elsewhere."""
    wanted = ("saturated", "ordinary", "outside", "nan", "infinite", "saturated")
    assert regions(Inputs(case(*MANY), dtype)) == wanted


def test_inputs_are_rounded_once_into_the_dtype_of_the_request() -> None:
    """The judge's exact inputs are the bits that travelled."""
    inputs = Inputs(case(("0.1", "1e-7")), "bfloat16")
    assert inputs.tensors["prediction"].bits.tolist() == [bits_of("0.1", FORMATS["bfloat16"])]
    assert inputs.values["prediction"].tolist() == [0.10009765625]
    assert tensor([0.1], "bfloat16").bits.tolist() == inputs.tensors["prediction"].bits.tolist()


def test_a_process_that_ends_in_a_presented_call_ends_every_presentation() -> None:
    """The pool has one observation for the whole request then, whatever presentations it had."""
    one = case(("0.5", "1"), present=("3", "scalar"))
    asked = replace(request(one, None, "float32", ("value", "acceptance")), presentations=one.presentations)
    value, acceptance = judged_all([asked], [{"value": (CRASHED,)}])
    assert value.verdicts == ("crashed", "crashed")
    assert acceptance.verdict == "crashed"
