"""Faults of the loss itself: its dtype, its formula, what it lets the gradient be, and the number that was seen.

Exact losses and gradients are those of `reference`; what a framework's formula gives comes from its model, rounded
step by step (`formulas`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from decimal import Decimal
from typing import TYPE_CHECKING

import numpy as np

import reference
from conformance.checkup.arriving import mixed, terms
from conformance.checkup.batch import Batch, Exact, Finding
from conformance.checkup.frameworks import FRAMEWORKS, KERAS_CLIP, Framework, Model
from conformance.formulas.arithmetic import EACH, Arithmetic, arithmetics, rounded
from conformance.formulas.catalogue import Candidate, Options, candidates
from conformance.formulas.evaluate import emulation
from conformance.judge.harm import DECIDING, DRIFTING, MISLEADING
from conformance.numbers.formats import FORMATS

if TYPE_CHECKING:
    from conformance.numbers.arrays import Floats, Index, Mask

#: Elements on which formulas are evaluated: all of a batch, or the most extreme and as many evenly over the rest.
MODELLED = 1 << 16
#: Elements up to which an unexplained number is looked for among all formulas of the catalogue.
SEARCHED = 1 << 12
#: Half a unit of the fourth decimal, which is what Keras prints (progbar.py, 3.15).
DECIMAL = 0.5e-4
#: Relative distance at which a number is another one printed in four digits, and at which it is that in float32.
PRINTED, SAME = 5e-4, 2e-6
#: A loss within this part of its floor cannot fall any more.
AT_FLOOR = 0.02


def of_loss(exact: Exact) -> Iterator[Finding]:
    """Faults that do not need to know which number was seen, but in 16 bits."""
    yield from _sixteen_bits(exact)
    yield from _bounds(exact)
    spoken = FRAMEWORKS.get(exact.batch.framework)
    model = spoken.models.get(exact.batch.form) if spoken is not None else None
    if spoken is not None and model is not None:
        yield from _model(exact, spoken, model)


def computed_in(batch: Batch) -> str:
    """The dtype of the steps: under autocast the loss of logits is computed in float32."""
    return "float32" if batch.autocast and batch.form == "logits" else batch.dtype


# ------------------------------------------------------------------------------------------------------------ dtypes


def _sixteen_bits(exact: Exact) -> Iterator[Finding]:
    """What overflows in a narrow format: the loss of an element, their sum, and the number of elements."""
    batch, each = exact.batch, exact.each
    spoken = FRAMEWORKS.get(batch.framework)
    if batch.autocast and batch.form == "probabilities" and spoken is not None and spoken.autocast:
        yield Finding("autocast", "certain", f"{batch.framework} {spoken.autocast}; it takes logits there")
    dtype = computed_in(batch)
    largest = float(FORMATS[dtype].largest)
    if FORMATS[dtype].width > 16:
        return
    above = np.isfinite(each) & (np.abs(each) > largest)
    if above.any():
        first = int(np.argmax(above))
        says = f"the loss at {batch.place(first)} is {each[first]:.5g}, more than the largest {dtype}, {largest:.5g}"
        yield Finding("overflow-16-bit", "certain", says)
    elif np.isfinite(exact.total) and abs(exact.total) > largest:
        infinite = batch.seen is not None and not np.isfinite(batch.seen).all()
        says = f"the sum of {each.size} losses is {exact.total:.5g}, more than the largest {dtype}, {largest:.5g}"
        if batch.reduction == "sum":
            yield Finding("sum-16-bit", "certain", says)
        elif batch.reduction != "none" and infinite:
            yield Finding("sum-16-bit", "likely", f"{says}: a mean that adds up in {dtype} is infinite")
    if spoken is not None and spoken.counted and batch.reduction in ("", "mean") and each.size >= largest + 16:
        says = f"{each.size} elements are more than the largest {dtype}, {largest:.5g}: the mean is divided by infinity"
        yield Finding("sum-16-bit", "certain", says)


def _bounds(exact: Exact) -> Iterator[Finding]:
    """Probabilities of exactly 0 or 1: where they are wrong, and where a clip was meant to keep them off."""
    batch = exact.batch
    if batch.form != "probabilities":
        return
    p, y = batch.x, batch.y
    wrong = ((p == 0) & (y > 0)) | ((p == 1) & (y < 1))
    if wrong.any():
        first = int(np.argmax(wrong))
        says = (
            f"{int(wrong.sum())} of {p.size} probabilities are exactly 0 or 1 and wrong (the first at "
            f"{batch.place(first)}: p = {p[first]:g}, y = {y[first]:g}): their loss is infinite unless it is clipped, "
            "and the sigmoid that made them has the derivative p*(1 - p) = 0, so that nothing is learnt from them"
        )
        yield Finding("saturated", "certain", says)
    epsilon = batch.epsilon
    if epsilon is None:
        return
    fmt = FORMATS[batch.dtype]
    high, low = (float(rounded(np.array(one), fmt)) for one in (1 - epsilon, epsilon))
    reached = (p == 1) if high == 1 else np.zeros_like(wrong)
    if low == 0:
        reached = reached | (p == 0)
    if reached.any():
        lost = f"1 - {epsilon:g} is 1" if high == 1 else f"{epsilon:g} is 0"
        says = (
            f"{lost} in {batch.dtype}, so a clip by {epsilon:g} does not keep {int(reached.sum())} of {p.size} "
            f"probabilities off (the first at {batch.place(int(np.argmax(reached)))}): 0*log(0) is NaN there"
        )
        yield Finding("one-minus-eps", "certain", says)


# ------------------------------------------------------------------------------------------------------------ models


def _chosen(batch: Batch) -> Index:
    """The elements on which a formula is evaluated."""
    x = batch.x
    if x.size <= MODELLED:
        return np.arange(x.size)
    size = np.abs(x if batch.form == "logits" else x - 0.5)
    extreme = np.argpartition(size, -MODELLED // 2)[-MODELLED // 2 :]
    return np.union1d(extreme, np.linspace(0, x.size - 1, MODELLED // 2).astype(np.intp))


def _arithmetic(batch: Batch, spoken: Framework | None) -> Arithmetic:
    dtype = computed_in(batch)
    name = spoken.arithmetic.get(dtype, EACH) if spoken is not None else EACH
    return {one.name: one for one in arithmetics(dtype, dtype)}[name]


def _evaluated(
    batch: Batch, found: Iterable[Candidate], chosen: Index, spoken: Framework | None
) -> Iterator[tuple[str, Floats]]:
    """What formulas give at some elements, by their names."""
    names = {"prediction": "z" if batch.form == "logits" else "p", "label": "y", "weight": "w", "pos_weight": "c"}
    inputs = {short: flat[chosen] for long, short in names.items() if (flat := batch.flat(long)) is not None}
    with np.errstate(all="ignore"):
        evaluation = emulation(inputs, _arithmetic(batch, spoken))
        for one in found:
            yield one.name, np.broadcast_to(evaluation.of(one.expression), chosen.shape)


def _of_formula(batch: Batch, quantity: str, name: str, chosen: Index, spoken: Framework | None) -> Floats | None:
    """What the formula of a name gives; None where it does not have the options of the batch."""
    found = [one for one in candidates(batch.form, quantity, _options(batch)) if one.name == name]
    return next((value for _, value in _evaluated(batch, found, chosen, spoken)), None)


def _options(batch: Batch) -> Options:
    smoothing = repr(batch.label_smoothing) if batch.label_smoothing else None
    return Options(weight=batch.weight is not None, pos_weight=batch.pos_weight is not None, label_smoothing=smoothing)


def _model(exact: Exact, spoken: Framework, model: Model) -> Iterator[Finding]:
    """What the framework's formula makes of this batch: NaN, another loss, a gradient that is lost."""
    batch = exact.batch
    chosen = _chosen(batch)
    said = f"{model.entry} ({spoken.version})"
    value = _of_formula(batch, "value", model.value, chosen, spoken)
    if value is not None:
        found = list(_value(exact, chosen, value, said, spoken, model))
        yield from found
        if any(one.fault != "clip" for one in found):  # its gradient is wrong for the same reason
            return
    slope = _of_formula(batch, "gradient-prediction", model.gradient, chosen, spoken)
    if slope is not None:
        yield from _slope(batch, chosen, slope, said, model)


def _value(exact: Exact, chosen: Index, value: Floats, said: str, spoken: Framework, model: Model) -> Iterator[Finding]:
    batch, ideal = exact.batch, exact.each[chosen]
    if batch.seen is not None and right(exact):  # by whatever formula
        return
    finite = np.isfinite(ideal)
    largest = float(FORMATS[computed_in(batch)].largest)
    bad = finite & ~np.isfinite(value) & (np.abs(ideal) <= largest)
    if bad.any():
        fault = "one-minus-eps" if spoken.clipped and batch.form == "probabilities" else "nan-formula"
        says = f"{said} gives {_at(batch, chosen, bad, value)}, where the loss is {ideal[np.argmax(bad)]:.4g}"
        if fault == "one-minus-eps":
            says += f": 1 - {spoken.clipped:g} is 1 in {batch.dtype}, and 0*log(0) is NaN; "
            says += f"known/{model.problems['value']}.yaml"
        yield Finding(fault, "certain", says)
        return
    got, wanted = (
        float(np.mean(value[finite])) if finite.any() else 0.0,
        float(np.mean(ideal[finite]) if finite.any() else 0),
    )
    if abs(got - wanted) <= max(_drift(batch) * abs(wanted), DECIMAL):
        return
    apart = finite & (np.abs(value - ideal) > np.maximum(_drift(batch) * np.abs(ideal), DECIMAL))
    clipped = spoken.clipped and batch.form == "probabilities" and bool(apart.any())
    first = int(np.argmax(np.where(finite, np.abs(value - ideal), -1)))
    says = f"{said} gives a mean of {got:.4g}, where the exact one is {wanted:.4g}: {int(apart.sum())} of {ideal.size} "
    says += (
        f"elements are off, most at {_at(batch, chosen, np.arange(ideal.size) == first, value)}, not {ideal[first]:.4g}"
    )
    problem = model.problems.get("value", "")
    known = f"; known/{problem}.yaml" if problem and not clipped else ""
    yield Finding("clip" if clipped else "known", "certain", says + known)


def _slope(batch: Batch, chosen: Index, slope: Floats, said: str, model: Model) -> Iterator[Finding]:
    """What reaches the network: the gradient by the logit, that by a probability times p*(1 - p)."""
    x, y, smoothing = batch.x[chosen], batch.y[chosen], batch.label_smoothing or None
    weight, factor = (None if one is None else one[chosen] for one in map(batch.flat, ("weight", "pos_weight")))
    with np.errstate(all="ignore"):
        ideal = reference.gradient_prediction(batch.form, x, y, weight, factor, label_smoothing=smoothing).hi
        bad = np.isfinite(ideal) & np.isnan(slope)
        if bad.any():
            says = (
                f"the gradient of {said} is {_at(batch, chosen, bad, slope)}, where it is {ideal[np.argmax(bad)]:.4g}"
            )
            problem = model.problems.get("nan", "")
            yield Finding("nan-formula", "certain", f"{says}; known/{problem}.yaml" if problem else says)
            return
        through = 1.0 if batch.form == "logits" else x * (1 - x)
        ideal, slope = ideal * through, slope * through
        known = np.isfinite(ideal) & np.isfinite(slope)
    lost = known & (slope == 0) & (np.abs(ideal) >= DECIDING["logits"])
    if lost.any():
        says = f"{int(lost.sum())} of {lost.size} elements are wrong and pass no gradient: that of {said} is "
        yield Finding(
            "saturated",
            "certain",
            says + f"{_at(batch, chosen, lost, slope)}, where it is {ideal[np.argmax(lost)]:.4g}",
        )
        return
    apart, size = float(np.abs(slope - ideal)[known].sum()), float(np.abs(ideal)[known].sum())
    if known.any() and apart > MISLEADING * size and apart > DRIFTING * known.sum():
        problem = model.problems.get("gradient", "")
        says = f"the gradient of {said} is off by {apart / size:.1%} of its size in this batch"
        yield Finding("known", "certain", f"{says}; known/{problem}.yaml" if problem else says)


def _at(batch: Batch, chosen: Index, bad: Mask, got: Floats) -> str:
    """`nan at [3], p = 1, y = 1`: the result at the first of some elements."""
    here = int(np.argmax(bad))
    x, y = batch.x, batch.y
    index = int(chosen[here])
    name = "z" if batch.form == "logits" else "p"
    return f"{got[here]:.4g} at {batch.place(index)}, {name} = {x[index]:.6g}, y = {y[index]:.6g}"


def _drift(batch: Batch) -> float:
    """Relative error of a loss that is called wrong: 0.1 %, and 1 % in 16 bits, which have three digits."""
    return MISLEADING if FORMATS[computed_in(batch)].width <= 16 else DRIFTING


# -------------------------------------------------------------------------------------------------- the number seen


def expected(exact: Exact) -> Floats:
    """What the training should have seen: one number, or one for each element."""
    seen = exact.batch.seen
    if exact.batch.reduction == "none" or (seen is not None and seen.size == exact.each.size > 1):
        return exact.each
    return np.array(exact.total if exact.batch.reduction == "sum" else exact.mean)


def right(exact: Exact) -> bool:
    """Whether the number seen is the exact one: to 0.1 %, or four decimals; an infinite one where it is infinite."""
    seen = exact.batch.seen
    assert seen is not None  # only then one asks
    wanted = expected(exact)
    printed = _half_digit(float(seen.ravel()[0])) if seen.size == 1 else 0.0
    with np.errstate(invalid="ignore"):
        off = np.abs(seen.ravel() - wanted)
        near = off <= np.maximum(_drift(exact.batch) * np.abs(wanted) + DECIMAL, printed)
        near |= seen.ravel() == wanted
    return bool((near | (np.isnan(wanted) & np.isnan(seen.ravel()))).all())


def _half_digit(seen: float) -> float:
    """Half a unit of the last digit that a number has: 0.69 may stand for 0.6931."""
    return 0.5 * 10.0 ** int(Decimal(repr(seen)).as_tuple().exponent) if np.isfinite(seen) else 0.0


def of_seen(exact: Exact, innocent: bool) -> Iterator[Finding]:
    """Why the number seen is not the exact one; `innocent` where what came in is a reason already."""
    batch = exact.batch
    if batch.seen is None or right(exact):
        return
    if batch.seen.size > 1:
        yield from _of_each(exact)
        return
    seen = float(batch.seen.ravel()[0])
    wanted = float(np.mean(expected(exact)))
    if not np.isfinite(seen):
        if np.isfinite(wanted) and not innocent:
            yield _not_finite(exact, seen)
        return
    others = [one for one in _others(exact) if np.isfinite(one[2])]
    matching = [one for one in others if abs(seen - one[2]) <= max(PRINTED * abs(one[2]), 1e-6)]
    if matching:
        fault, words, value = min(matching, key=lambda one: abs(seen - one[2]))
        alone = all(one[0] == fault for one in matching)
        grade = "certain" if alone and abs(seen - value) <= SAME * abs(value) else "likely"
        says = f"the loss seen is {seen:.6g}, where it is {wanted:.6g}: {value:.6g} is {words}"
        yield Finding(fault, grade, says)  # type: ignore[arg-type]  # one of the two
    elif not innocent:
        yield _unexplained(exact, seen, wanted)


def _of_each(exact: Exact) -> Iterator[Finding]:
    """Losses of the elements beside exact ones."""
    assert exact.batch.seen is not None  # only then one asks
    seen, wanted = exact.batch.seen.ravel(), exact.each
    with np.errstate(invalid="ignore"):
        off = np.abs(seen - wanted)
    off = np.where(seen == wanted, 0, np.where(np.isnan(off), np.inf, off))
    apart = off > _drift(exact.batch) * np.abs(wanted) + DECIMAL
    worst = int(np.argmax(off))
    says = f"{int(apart.sum())} of {seen.size} losses are not the exact ones, most at {exact.batch.place(worst)}: seen "
    yield Finding("differs", "certain", f"{says}{seen[worst]:.6g}, exact {wanted[worst]:.6g}")


#: (fault, words, value)
Other = tuple[str, str, float]


def _others(exact: Exact) -> Iterator[Other]:
    """Numbers that are taken for the loss by mistake."""
    batch, mean, total = exact.batch, exact.mean, exact.total
    yield (
        "reduction",
        "the sum" if batch.reduction != "sum" else "the mean",
        mean if batch.reduction == "sum" else total,
    )
    rows = batch.prediction.shape[0] if batch.prediction.ndim > 1 else batch.prediction.size
    if rows != batch.prediction.size:
        yield "reduction", f"the sum divided by the {rows} rows", total / rows
    x, y = batch.x, exact.smoothed
    with np.errstate(all="ignore"):
        at1, at0 = terms(batch.form, x)
        yield from _other_weights(exact, y, at1, at0)
        yield from _other_inputs(exact, x, y, at1, at0)
    yield "differs", "the loss in bits, by the logarithm of base 2", mean / np.log(2)
    yield "differs", "the loss with the wrong sign", -mean
    if exact.floor > DECIMAL:
        yield (
            "differs",
            f"the loss less the entropy of the labels, {exact.floor:.4g} (a divergence)",
            mean - exact.floor,
        )


def _other_weights(exact: Exact, y: Floats, at1: Floats, at0: Floats) -> Iterator[Other]:
    """Weights and pos_weight left out, used twice, or divided by."""
    batch = exact.batch
    weight, factor = batch.flat("weight"), batch.flat("pos_weight")
    if weight is not None:
        if weight.sum():
            yield "weights", "the sum divided by that of the weights", exact.total / float(weight.sum())
        plain = mixed(at1 if factor is None else factor * at1, at0, y)
        yield "weights", "the mean without the weights", float(np.mean(plain))
        yield "weights", "the mean with the weights applied twice", float(np.mean(weight * exact.each))
    if factor is not None:
        plain = mixed(at1, at0, y)
        yield "weights", "the mean without pos_weight", float(np.mean(plain if weight is None else weight * plain))


def _other_inputs(exact: Exact, x: Floats, y: Floats, at1: Floats, at0: Floats) -> Iterator[Other]:
    """Another form of the prediction, other labels; without weights, whose place in a mistake nobody knows."""
    p = x if exact.batch.form == "probabilities" else 1 / (1 + np.exp(-x))
    yield "second-sigmoid", "the loss of a second sigmoid", float(np.mean(mixed(*terms("logits", p), y)))
    if exact.batch.form == "logits":
        clip = rounded(np.clip(x, KERAS_CLIP, 1 - KERAS_CLIP), FORMATS[exact.batch.dtype])
        clipped = terms("probabilities", clip)  # which hides what the inputs are
        words = "the loss of the logits taken for probabilities and clipped"
        yield "logits-as-probabilities", words, float(np.mean(mixed(*clipped, y)))
    else:
        exchanged = float(np.mean(mixed(*terms("probabilities", y), x)))
        yield "differs", "the loss with prediction and label exchanged", exchanged
    yield "differs", "the loss with labels 0 and 1 exchanged", float(np.mean(mixed(at1, at0, 1 - y)))
    if x.size > 1:
        share = float(np.mean(y))
        each = (1 - share) * float(np.mean(at0)) + share * float(np.mean(at1))
        yield "shape", "the mean over every prediction with every label: shapes (n,) and (n, 1)", each
    if exact.batch.label_smoothing:
        yield "differs", "the loss without label smoothing", float(np.mean(mixed(at1, at0, exact.batch.y)))


def _not_finite(exact: Exact, seen: float) -> Finding:
    """NaN or infinity where the loss is a number."""
    batch = exact.batch
    chosen = _chosen(batch)
    textbook = {"logits": "sigmoid, log and log(1 - s)", "probabilities": "log and log(1 - p)"}[batch.form]
    told = f"the loss seen is {seen:g}, where it is {exact.mean:.6g}"
    value = _of_formula(batch, "value", textbook, chosen, FRAMEWORKS.get(batch.framework))
    if value is not None and not np.isfinite(value).all():
        says = f"{told}: the textbook formula, {textbook}, gives {_at(batch, chosen, ~np.isfinite(value), value)}"
        return Finding("nan-formula", "likely", says)
    return Finding("differs", "certain", f"{told}: no finite loss of these inputs is lost by the usual formulas")


def _unexplained(exact: Exact, seen: float, wanted: float) -> Finding:
    """A formula of the catalogue that gives what was seen, or nothing."""
    batch = exact.batch
    says = f"the loss seen is {seen:.6g}, where it is {wanted:.6g}"
    if seen < 0 <= exact.each.min():
        says += ", and no loss of these inputs is negative"
    elif seen < exact.floor - DECIMAL and batch.reduction != "sum":
        says += f", and no prediction gets below {exact.floor:.4g} with these labels"
    if exact.each.size <= SEARCHED:
        found = [
            one for known in (False, True) for one in candidates(batch.form, "value", _options(batch), mistaken=known)
        ]
        for name, value in _evaluated(batch, found, _chosen(batch), FRAMEWORKS.get(batch.framework)):
            mean = float(np.mean(value))
            if abs(seen - mean) <= PRINTED * abs(mean):
                return Finding("differs", "likely", f"{says}: {mean:.6g} is what this formula gives: {name}")
    return Finding("differs", "certain", f"{says}; none of the usual mistakes gives that")
