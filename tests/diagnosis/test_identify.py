"""Which model gives a group of results, where the results were made by a known one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from conformance.diagnosis.identify import Models, identify, identify_all
from conformance.diagnosis.results import Group, Part, Table
from conformance.formulas.arithmetic import arithmetics
from conformance.formulas.catalogue import MISTAKES, Options
from conformance.formulas.expression import absolute, exp, var

Floats = NDArray[np.float64]


def _inputs() -> tuple[Floats, Floats]:
    rng = np.random.default_rng(3)
    z = np.concatenate([rng.uniform(-40, 40, 150), [0.0, -100.0, 100.0, 20.0, -20.0]])
    y = np.concatenate([rng.integers(0, 2, 100), rng.uniform(0, 1, 50), [0.0, 1.0, 0.5, 1.0, 0.0]])
    return np.asarray(z, np.float32).astype(np.float64), np.asarray(y, np.float32).astype(np.float64)


def group(got: Floats) -> Group:
    """Results of a loss of logits in float32; what is off by more than 4 ULP of the exact value is wrong."""
    z, y = _inputs()
    exact = np.maximum(z, 0) * (1 - y) + np.maximum(-z, 0) * y + np.log1p(np.exp(-np.abs(z)))
    wrong = ~(np.abs(got - exact) <= 4 * np.spacing(exact.astype(np.float32)))
    names = tuple(("case", str(k)) for k in range(z.size))
    table = Table(
        form="logits",
        dtype="float32",
        options=Options(),
        inputs={"z": z, "y": y},
        ideal={"value": exact},
        has_ideal={"value": np.ones(z.size, bool)},
        names=names,
    )
    part = Part(
        table=table,
        rows=np.arange(z.size),
        got=got,
        ideal=exact,
        condition=np.ones(z.size),
        wrong=wrong,
        causes=("",) * z.size,
    )
    return Group(
        implementation="one", dtype="float32", result_dtype="float32", quantity="value", form="logits", parts=(part,)
    )


def _f(x: Floats) -> Floats:
    return np.asarray(x, np.float32).astype(np.float64)


def torch_like() -> Floats:
    """(1 - y)*z - (min(z, 0) - log1p(exp(-|z|))), each step in float32 by NumPy."""
    z, y = (one.astype(np.float32) for one in _inputs())
    log_sigmoid = np.minimum(z, np.float32(0)) - _log1p_exp(z)
    return ((np.float32(1) - y) * z - log_sigmoid).astype(np.float64)


def _log1p_exp(z: NDArray[np.float32]) -> NDArray[np.float32]:
    e = np.exp(-np.abs(z.astype(np.float64))).astype(np.float32)
    return np.log1p(e.astype(np.float64)).astype(np.float32)


def test_the_formula_that_made_the_results_survives() -> None:
    """Bit for bit, wrong results too, which are off by millions of ULP."""
    found = identify(group(torch_like()))
    best = found.survivors[0]
    assert best.name == "(1 - y)*z - log_sigmoid(z)"
    assert best.equal == best.explained == best.total
    assert best.wrong > 0


def test_results_of_no_formula_are_unidentified() -> None:
    """The nearest is named with what it explains, and does not survive."""
    rng = np.random.default_rng(4)
    got = _f(torch_like() * (1 + 1e-3 * rng.uniform(-1, 1, _inputs()[0].size)))
    found = identify(group(got))
    assert not found
    assert found.nearest is not None
    assert found.nearest.explained < found.nearest.total


@pytest.mark.parametrize("step", [-1, 1])
def test_last_bits_of_elementary_functions_hide_no_formula(step: int) -> None:
    """Another library rounds exp and log1p otherwise: results leave the emulation and stay in the reach."""
    z, y = (one.astype(np.float32) for one in _inputs())
    log1p = np.nextafter(_log1p_exp(z), np.float32(step * np.inf))
    got = ((np.float32(1) - y) * z - (np.minimum(z, np.float32(0)) - log1p)).astype(np.float64)
    found = identify(group(got))
    assert "(1 - y)*z - log_sigmoid(z)" in [name for one in found.survivors for name in one.names]


def test_wrong_results_that_a_formula_does_not_explain_are_not_named_for_the_right_ones() -> None:
    """All right results are those of the formula, and the wrong ones have nothing to do with it."""
    z, y = _inputs()
    exact = _f(np.maximum(z, 0) * (1 - y) + np.maximum(-z, 0) * y + np.log1p(np.exp(-np.abs(z))))
    got = exact.copy()
    got[:6] = _f(exact[:6] * 1.5 + 1)
    assert not identify(group(got))


def test_a_mean_is_told_by_the_models_of_its_elements() -> None:
    """Another formula that gives the few results of a mean as well is none of them; without elements there is none."""
    elements = group(torch_like())
    z, y = _inputs()
    at = np.flatnonzero(z < -10)[:2]
    mean = np.array([np.float32(torch_like()[at].astype(np.float32).sum(dtype=np.float32)) / np.float32(2)])
    exact = np.array([elements.parts[0].ideal[at].mean()])
    table = replace(
        elements.parts[0].table,
        options=Options(reduction="mean", terms=2),
        inputs={name + str(k): of[one : one + 1] for k, one in enumerate(at) for name, of in (("z", z), ("y", y))},
        ideal={"value": exact},
        has_ideal={"value": np.ones(1, bool)},
        names=(("case", "all"),),
    )
    whole = replace(
        elements.parts[0],
        table=table,
        rows=np.arange(1),
        got=mean.astype(np.float64),
        ideal=exact,
        condition=np.ones(1),
        wrong=np.ones(1, bool),
        causes=("",),
    )
    reduced = replace(elements, parts=(whole,))
    (_, found) = identify_all([elements, reduced])
    assert found.survivors[0].candidates[0].of == "(1 - y)*z - log_sigmoid(z)"
    (alone,) = identify_all([reduced])
    assert not alone


def test_the_cost_grows_with_the_reach() -> None:
    """A result that is the emulation costs nothing, and one more in the reach at least a bit."""
    best = identify(group(torch_like())).survivors[0]
    moved = torch_like()
    moved[0] = np.nextafter(np.float32(moved[0]), np.float32(np.inf))
    other = identify(group(moved)).survivors[0]
    assert best.cost == 0
    assert other.cost >= 1


def test_models_are_evaluated_with_flushing_only_where_a_step_is_subnormal() -> None:
    """exp(-100) is subnormal in float32 and 0 where it is flushed; without it both are one evaluation."""
    z, y, models = var("z"), var("y"), Models()
    (table,) = (part.table for part in group(torch_like()).parts)
    flushed = next(one for one in arithmetics("float32", "float32") if one.name == "each step, flushed")
    with_exp, without = exp(-absolute(z)), (1 - y) * z
    assert models.point(table, without, flushed) is models.point(table, without, flushed.unflushed)
    at = table.inputs["z"] == 100
    assert models.point(table, with_exp, flushed)[at].tolist() == [0.0]
    assert models.point(table, with_exp, flushed.unflushed)[at] > 0


def test_formulas_that_no_result_can_tell_apart_stand_the_shorter_first() -> None:
    """1 + (c - 1)*y is 1 where a case has no weight of positives."""
    names = [fit.names for fit in identify(group(torch_like())).survivors]
    assert names[0] == ("(1 - y)*z - log_sigmoid(z)",)
    assert ("(1 - y)*z + (1 + (c - 1)*y)*(log1p(exp(-|z|)) + max(-z, 0))",) in names


def clipped_labels() -> Floats:
    """What the loss is of labels not outside [0, 1], in float64, rounded once; every tenth label is 2."""
    z, y = _inputs()
    y = np.clip(np.where(np.arange(y.size) % 10 == 0, 2.0, y), 0, 1)
    return _f(y * np.logaddexp(0, -z) + (1 - y) * np.logaddexp(0, z))


def with_labels_outside(got: Floats) -> Group:
    """The results for labels of which every tenth is 2."""
    plain = group(got)
    (part,) = plain.parts
    z, y = _inputs()
    y = np.where(np.arange(y.size) % 10 == 0, 2.0, y)
    exact = y * np.logaddexp(0, -z) + (1 - y) * np.logaddexp(0, z)
    wrong = ~(np.abs(got - exact) <= 4 * np.spacing(np.abs(exact).astype(np.float32)))
    table = replace(part.table, inputs={"z": z, "y": y}, ideal={"value": exact})
    return replace(plain, parts=(replace(part, table=table, ideal=exact, wrong=wrong),))


def test_a_formula_that_is_not_the_loss_is_named_where_none_of_the_loss_gives_the_results() -> None:
    """Labels are clipped: of the formulas of the loss none explains what the others are told by."""
    found = identify(with_labels_outside(clipped_labels()))
    assert found.survivors[0].name == "labels not outside [0, 1]"


def test_a_formula_that_is_not_the_loss_is_not_named_where_one_of_the_loss_gives_the_results() -> None:
    """No label is outside [0, 1], so that a clip of labels is not seen."""
    names = {name for fit in identify(group(torch_like())).survivors for name in fit.names}
    assert not names & {one.name for one in MISTAKES}


def test_a_result_that_a_model_refutes_costs_more_where_it_is_wrong() -> None:
    """A right one needs the input of a branch, a wrong one what the branch gives as well."""
    costs = []
    for wrong in (False, True):
        got = torch_like()
        got[3] += 1.0
        one = group(got)
        (part,) = one.parts
        mask = part.wrong.copy()
        mask[3] = wrong
        marked = replace(one, parts=(replace(part, wrong=mask),))
        costs.append(min(fit.cost for fit in identify(marked).survivors))
    assert costs == [33.0, 66.0]
