"""The results of a record as arrays: which rows, which options, which are left out."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

from conformance.diagnosis.results import groups, reductions
from conformance.plan.cases import Case, Suite
from conformance.record.record import CheckLine, FindingLine, InputsLine, RunRecord
from tests import builders, records

ONE, HALF, TWO = "3f800000", "3f000000", "40000000"


def _inputs(case: str, **fields: Any) -> InputsLine:
    known: dict[str, Any] = {
        "family": "small",
        "flags": (),
        "form": "logits",
        "reduction": "none",
        "dtype": "float32",
        "elements": ("a", "b"),
        "inputs": {"prediction": (ONE, TWO), "label": (HALF, ONE)},
        "ideal": {"value": ("0x1p0", "inf")},
    }
    return InputsLine(case=case, **{**known, **fields})


def _check(case: str, **fields: Any) -> CheckLine:
    known: dict[str, Any] = {
        "family": "small",
        "implementation": "one/loss/eager/cpu",
        "dtype": "float32",
        "quantity": "value",
        "verdict": "conforms",
        "outcome": "as expected",
        "elements": ("a", "b"),
        "bits": (ONE, TWO),
        "result_dtype": "float32",
    }
    return CheckLine(id=f"{case}::one", case=case, **{**known, **fields})


def _record(inputs: tuple[InputsLine, ...], *checks: CheckLine) -> RunRecord:
    return dataclasses.replace(records.run(), inputs=inputs, checks=checks)


def _suite(*cases: Case) -> Suite:
    return Suite.of("small", *cases)


def _case(name: str, **fields: Any) -> Case:
    return builders.case(("1", "0.5"), ("2", "1"), name=name, form="logits", **fields)


def _finding(**fields: Any) -> FindingLine:
    known: dict[str, Any] = {"outcome": "new", "verdict": "deviates", "what": "inaccurate", "cause": "one/loss"}
    return FindingLine(element="a", **{**known, **fields})


def _wrong(**fields: Any) -> CheckLine:
    return _check("small/x", verdict="deviates", verdicts=("deviates", "conforms"), **fields)


def test_a_wrong_result_is_held_against_what_the_contract_gives() -> None:
    """Of an implementation that documents a clip the clip is no mistake."""
    check = _wrong(findings=(_finding(contract="0x1.8p0"),), bits=(TWO, TWO))
    (part,) = groups(_record((_inputs("small/x"),), check), _suite(_case("small/x")))[0].parts
    assert part.wrong.tolist() == [True, False]
    assert part.ideal.tolist() == [1.5, math.inf]
    assert part.condition.tolist() == [1.0, 1.0]


def test_a_wrong_result_is_held_against_what_is_exact_where_that_is_nearer() -> None:
    """PyTorch documents a gradient of 0 where the exact one is infinite, and gives 1e12."""
    check = _wrong(findings=(_finding(contract="0x0p0"),), bits=(TWO, TWO))
    (part,) = groups(_record((_inputs("small/x"),), check), _suite(_case("small/x")))[0].parts
    assert part.ideal.tolist() == [1.0, math.inf]


def test_the_condition_is_that_by_which_the_judge_told_the_error() -> None:
    """Plain errors are larger than condition-scaled ones as an ULP of the natural terms is larger."""
    check = _wrong(findings=(_finding(),), ulp=(8.0, 0.0), plain_ulp=(32.0, 0.0))
    (part,) = groups(_record((_inputs("small/x"),), check), _suite(_case("small/x")))[0].parts
    assert part.condition.tolist() == [4.0, 1.0]


def test_a_result_stands_beside_its_inputs() -> None:
    """Rows are those of the elements that were called, in their order."""
    (group,) = groups(
        _record((_inputs("small/x"),), _check("small/x", elements=("b",), bits=(TWO,))), _suite(_case("small/x"))
    )
    (part,) = group.parts
    assert part.table.inputs["z"][part.rows].tolist() == [2.0]
    assert part.table.inputs["y"][part.rows].tolist() == [1.0]
    assert part.got.tolist() == [2.0]


def test_parameters_are_those_of_the_suite() -> None:
    """A record has none: two cases with the same inputs are two tables."""
    suite = _suite(_case("small/x"), _case("small/y", parameters={"label_smoothing": "0.1"}))
    record = _record((_inputs("small/x"), _inputs("small/y")), _check("small/x"), _check("small/y"))
    (group,) = groups(record, suite)
    assert [part.table.options.label_smoothing for part in group.parts] == [None, "0.1"]


def test_a_case_that_the_suite_lacks_is_left_out() -> None:
    """Its parameters are not known."""
    assert groups(_record((_inputs("small/z"),), _check("small/z")), _suite(_case("small/x"))) == []


def test_a_tensor_of_another_dtype_is_decoded_by_it() -> None:
    """Integers stand as they are."""
    line = _inputs("small/x", inputs={"prediction": (ONE, TWO), "label": ("1", "0")}, dtypes={"label": "int64"})
    (group,) = groups(_record((line,), _check("small/x")), _suite(_case("small/x")))
    assert group.parts[0].table.inputs["y"].tolist() == [1.0, 0.0]


def test_of_a_sum_the_gradients_of_its_elements_are_taken_and_of_a_mean_none() -> None:
    """The value of a reduction is no result of one element."""
    gradients = {"quantity": "gradient-prediction"}
    for reduction, expected in (("sum", ["gradient-prediction"]), ("mean", [])):
        line = _inputs("small/x", reduction=reduction, ideal={"value": ("0x1p0",)})
        whole = _check("small/x", elements=("all",), bits=(ONE,))
        found = groups(_record((line,), whole, _check("small/x", **gradients)), _suite(_case("small/x")))
        assert [one.quantity for one in found] == expected


def test_a_reduction_is_one_row_with_the_inputs_of_all_elements() -> None:
    """Its formula has a term for each of them."""
    line = _inputs("small/x", reduction="mean", ideal={"value": ("0x1p0",)})
    whole = _check("small/x", elements=("all",), bits=(TWO,))
    (group,) = reductions(_record((line,), whole), _suite(_case("small/x")))
    (part,) = group.parts
    assert group.reduced
    assert {name: of.tolist() for name, of in part.table.inputs.items()} == {
        "z0": [1.0],
        "y0": [0.5],
        "z1": [2.0],
        "y1": [1.0],
    }
    assert (part.table.options.reduction, part.table.options.terms) == ("mean", 2)
    assert (part.got.tolist(), part.ideal.tolist()) == ([2.0], [1.0])


def test_a_derivative_of_a_mean_is_that_of_one_of_as_many_elements() -> None:
    """1/n is a factor of the formula of each."""
    line = _inputs("small/x", reduction="mean", ideal={"gradient-prediction": ("0x1p0", "0x1p1")})
    (group,) = reductions(_record((line,), _check("small/x", quantity="gradient-prediction")), _suite(_case("small/x")))
    (part,) = group.parts
    assert part.table.options.share == 2
    assert part.table.inputs["z"][part.rows].tolist() == [1.0, 2.0]
    assert part.ideal.tolist() == [1.0, 2.0]


def test_weighted_reductions_are_groups_of_their_own() -> None:
    """A weighted mean is divided by the number of elements or by the sum of the weights."""
    weighted = {"inputs": {"prediction": (ONE, TWO), "label": (HALF, ONE), "weight": (ONE, ONE)}}
    lines = (_inputs("small/x", reduction="mean"), _inputs("small/y", reduction="mean", **weighted))
    checks = (_check(name, elements=("all",), bits=(ONE,)) for name in ("small/x", "small/y"))
    found = reductions(_record(lines, *checks), _suite(_case("small/x"), _case("small/y")))
    assert [[part.table.options.weight for part in one.parts] for one in found] == [[False], [True]]


def test_a_narrower_label_is_told_from_one_of_the_dtype() -> None:
    """1 - y of a float16 may be rounded to float16 before it meets a float32."""
    halves = _inputs(
        "small/x", inputs={"prediction": (ONE, TWO), "label": ("3800", "3c00")}, dtypes={"label": "float16"}
    )
    (group,) = groups(_record((halves,), _check("small/x")), _suite(_case("small/x")))
    assert [part.table.options.narrower for part in group.parts] == [(("y", "float16"),)]


def test_an_exact_value_that_is_none_is_told_from_one_that_the_record_lacks() -> None:
    """Where NaN is right a NaN is no mistake; where nothing is known nothing is said."""
    record = _record(
        (_inputs("small/x", ideal={"value": ("0x1p0", "nan")}), _inputs("small/y", ideal={})),
        _check("small/x"),
        _check("small/y"),
    )
    (group,) = groups(record, _suite(_case("small/x"), _case("small/y")))
    (part,) = group.parts
    assert [repr(float(one)) for one in part.table.ideal["value"]] == ["1.0", "nan", "nan", "nan"]
    assert part.table.has_ideal["value"].tolist() == [True, True, False, False]
