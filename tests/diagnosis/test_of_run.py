"""Groups of one implementation taken together: it has one source."""

from __future__ import annotations

import numpy as np

from conformance.diagnosis.identify import Fit, Identified
from conformance.diagnosis.of_run import agreed
from conformance.diagnosis.results import Group, Part, Table
from conformance.formulas.arithmetic import arithmetics
from conformance.formulas.catalogue import Options


def group(dtype: str, result: str, size: int, quantity: str = "value") -> Group:
    """`size` results."""
    nothing = np.zeros(size)
    table = Table(
        form="logits",
        dtype=dtype,
        options=Options(),
        inputs={"z": nothing, "y": nothing},
        ideal={},
        has_ideal={},
        names=(("case", "a"),) * size,
    )
    part = Part(
        table=table,
        rows=np.arange(size),
        got=nothing,
        ideal=nothing,
        condition=nothing,
        wrong=np.ones(size, bool),
        causes=("cause",) * size,
    )
    return Group(
        implementation="a/b/c/d", dtype=dtype, result_dtype=result, quantity=quantity, form="logits", parts=(part,)
    )


def identified(of: Group, *formulas: str) -> Identified:
    """What survives in a group, the best first."""
    fits = tuple(
        Fit(
            names=(name,),
            arithmetic=arithmetics(of.dtype, of.result_dtype)[0],
            candidates=(),
            total=1,
            equal=1,
            explained=1,
            wrong=1,
            wrong_equal=1,
            wrong_explained=1,
            cost=0.0,
            wrong_cost=0.0,
            where=(),
        )
        for name in formulas
    )
    return Identified(of, fits, fits[0] if fits else None)


def survivors(*found: Identified) -> list[list[str]]:
    """The formulas that are left of each group."""
    return [[fit.name for fit in one.survivors] for one in agreed(found)]


def test_a_formula_that_survives_in_every_dtype_is_the_one_in_each() -> None:
    """Where 1e-12 is 0, max((1 - p)*p, 1e-12) and (1 - p)*p are one formula."""
    single = identified(group("float32", "float32", 200), "with the limit")
    half = identified(group("float16", "float16", 200), "without", "with the limit")
    assert survivors(single, half) == [["with the limit"], ["with the limit"]]


def test_few_results_in_another_dtype_have_no_formula_of_their_own() -> None:
    """Seven results are given by many formulas, and by the source only as by all others."""
    most = identified(group("float32", "float32", 200), "source")
    few = identified(group("float32", "float64", 7), "another", "one more")
    assert survivors(most, few) == [["source"], []]


def test_a_dtype_with_code_of_its_own_keeps_its_formula() -> None:
    """Of a formula that survives in one dtype alone, as many results tell as of another one in another."""
    single = identified(group("float32", "float32", 200), "kernel of float32")
    half = identified(group("bfloat16", "bfloat16", 150), "kernel of bfloat16")
    assert survivors(single, half) == [["kernel of float32"], ["kernel of bfloat16"]]


def test_quantities_do_not_vote_on_each_other() -> None:
    """The formula of a loss and that of its gradient may have the same name."""
    value = identified(group("float32", "float32", 200), "b", "a")
    gradient = identified(group("float32", "float32", 500, "gradient-prediction"), "a")
    assert survivors(value, gradient) == [["b", "a"], ["a"]]


def test_what_is_unidentified_stays_unidentified() -> None:
    """In whichever dtype most results are."""
    assert survivors(identified(group("float32", "float32", 3)), identified(group("float64", "float64", 2), "a")) == [
        [],
        ["a"],
    ]
