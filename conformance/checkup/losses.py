"""Faults of the loss itself: its dtype, its formula, and what it lets the gradient be.

Exact losses and gradients are those of `reference`; what a framework's formula gives comes from its model, rounded
step by step (`formulas`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

import reference
from conformance.checkup.batch import DECIMAL, Batch, Exact, Finding, computed_in, drift, half_digit
from conformance.checkup.frameworks import FRAMEWORKS, Framework, Model, series
from conformance.formulas.arithmetic import EACH, Arithmetic, arithmetics, rounded
from conformance.formulas.catalogue import Candidate, Options, candidates
from conformance.formulas.evaluate import emulation
from conformance.judge.harm import DECIDING, DRIFTING, MISLEADING
from conformance.numbers.formats import FORMATS

if TYPE_CHECKING:
    from conformance.numbers.arrays import Floats, Index, Mask

#: Roundings of a formula and its derivative, in units of which a gradient in 16 bits may be off: about a dozen.
STEPS = 16

#: Predictions of which all are 0 or 1 that are more than a small example.
DECISIONS = 16

#: Elements on which formulas are evaluated: all of a batch, or the most extreme and as many evenly over the rest.
MODELLED = 1 << 16


@dataclass(frozen=True, kw_only=True)
class Modelled:
    """What a framework's formulas give at chosen elements of a batch, and how many elements each stands for.

    `value` and `slope`, the gradient by the prediction, are None where the formula does not have the batch's options.
    """

    exact: Exact
    spoken: Framework
    model: Model
    chosen: Index
    share: Floats
    value: Floats | None
    slope: Floats | None

    @classmethod
    def of(cls, exact: Exact) -> Modelled | None:
        """None where no framework was named, none is known for the form, or the loss seen is not of its formula."""
        batch = exact.batch
        spoken = FRAMEWORKS.get(batch.framework)
        model = spoken.models.get(batch.form) if spoken is not None else None
        if spoken is None or model is None:
            return None
        if batch.version and series(batch.version)[:1] != series(spoken.version)[:1]:
            return None  # Keras 2 is not Keras 3
        chosen, share = chosen_of(exact)
        value = of_formula(batch, "value", model.value, chosen, spoken)
        if value is not None and not np.isfinite(value).all() and _finite(batch.seen) and batch.weight is None:
            return None  # an object that computes in another dtype than the function, or a call of one's own
        slope = of_formula(batch, "gradient-prediction", model.gradient, chosen, spoken)
        return cls(exact=exact, spoken=spoken, model=model, chosen=chosen, share=share, value=value, slope=slope)

    @property
    def said(self) -> str:
        """The entry point and the version whose formula it is."""
        return f"{self.model.entry} ({self.spoken.version})"

    @cached_property
    def ideal(self) -> Floats:
        """The exact losses."""
        return self.exact.each[self.chosen]

    @cached_property
    def gradient(self) -> Floats:
        """The exact gradients by the prediction."""
        batch, smoothing = self.exact.batch, self.exact.batch.label_smoothing or None
        weight, factor = (
            None if one is None else one[self.chosen] for one in map(batch.flat, ("weight", "pos_weight"))
        )
        given = batch.x[self.chosen], batch.y[self.chosen], weight, factor
        with np.errstate(all="ignore"):
            return reference.gradient_prediction(batch.form, *given, label_smoothing=smoothing).hi

    @cached_property
    def slopes(self) -> tuple[Floats, Floats]:
        """What reaches the network, exact and by the formula: by the logit; that by a probability times p*(1 - p)."""
        assert self.slope is not None  # only then one asks
        x = self.exact.batch.x[self.chosen]
        with np.errstate(all="ignore"):
            through = 1.0 if self.exact.batch.form == "logits" else x * (1 - x)
            return self.gradient * through, self.slope * through

    @cached_property
    def explains(self) -> bool:
        """Whether the formula gives the one number that was seen."""
        batch = self.exact.batch
        if self.value is None or batch.seen is None or batch.seen.size != 1 or batch.reduction == "none":
            return False
        total = float(np.sum(self.value * self.share))
        given = total if batch.reduction == "sum" else total / self.exact.each.size
        seen = float(batch.seen.ravel()[0])
        return abs(seen - given) <= max(drift(batch) * abs(given), half_digit(seen))

    def moved(self) -> tuple[float, float] | None:
        """By how much the formula moves the mean loss, and the part of the gradient that is off; None if not finite."""
        if self.value is None or self.slope is None:
            return None
        ideal, slope = self.slopes
        with np.errstate(all="ignore"):
            mean = float(np.sum((self.value - self.ideal) * self.share)) / self.exact.each.size
            size = float(np.sum(np.abs(ideal) * self.share))
            error = float(np.sum(np.abs(slope - ideal) * self.share)) / size if size else 0.0
        return (mean, error) if np.isfinite(mean) and np.isfinite(error) else None


def of_loss(exact: Exact, modelled: Modelled | None) -> Iterator[Finding]:
    """Faults that do not need to know which number was seen, but in 16 bits."""
    yield from _sixteen_bits(exact)
    yield from _bounds(exact)
    if modelled is not None:
        yield from _model(modelled)


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
    wrong = (((p == 0) & (y > 0)) | ((p == 1) & (y < 1))) & batch.counted
    if wrong.any():
        first = int(np.argmax(wrong))
        says = (
            f"{int(wrong.sum())} of {p.size} probabilities are exactly 0 or 1 and wrong (the first at "
            f"{batch.place(first)}: p = {p[first]:g}, y = {y[first]:g}): their loss is infinite unless it is clipped, "
            "and the sigmoid that made them has the derivative p*(1 - p) = 0, so that nothing is learnt from them"
        )
        if p.size >= DECISIONS and bool(((p == 0) | (p == 1)).all()):
            says += "; all predictions are exactly 0 or 1: a threshold or an argmax before the loss has no gradient"
        yield Finding("saturated", "certain", says)
    epsilon = batch.epsilon
    if epsilon is None or _finite(batch.seen):  # log(p + epsilon) is finite
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


def chosen_of(exact: Exact) -> tuple[Index, Floats]:
    """The elements on which a formula is evaluated, and how many elements each stands for.

    All, or the largest and smallest predictions, the largest losses, and as many evenly over the others.
    """
    x, each = exact.batch.x, exact.each
    if x.size <= MODELLED:
        return np.arange(x.size), np.ones(x.size)
    ends = MODELLED // 8
    last = [np.argpartition(x, one)[part] for one, part in ((-ends, np.s_[-ends:]), (ends, np.s_[:ends]))]
    extreme = np.unique(np.concatenate([*last, np.argpartition(np.where(np.isnan(each), 0, each), -ends)[-ends:]]))
    others = np.delete(np.arange(x.size), extreme)
    spread = others[np.linspace(0, others.size - 1, MODELLED // 2).astype(np.intp)]
    share = np.concatenate([np.ones(extreme.size), np.full(spread.size, others.size / spread.size)])
    return np.concatenate([extreme, spread]), share


def _arithmetic(batch: Batch, spoken: Framework | None) -> Arithmetic:
    dtype = computed_in(batch)
    name = spoken.arithmetic.get(dtype, EACH) if spoken is not None else EACH
    return {one.name: one for one in arithmetics(dtype, dtype)}[name]


def evaluated(
    batch: Batch, found: Iterable[Candidate], chosen: Index, spoken: Framework | None
) -> Iterator[tuple[str, Floats]]:
    """What formulas give at some elements, by their names."""
    names = {"prediction": "z" if batch.form == "logits" else "p", "label": "y", "weight": "w", "pos_weight": "c"}
    inputs = {short: flat[chosen] for long, short in names.items() if (flat := batch.flat(long)) is not None}
    with np.errstate(all="ignore"):
        evaluation = emulation(inputs, _arithmetic(batch, spoken))
        for one in found:
            yield one.name, np.broadcast_to(evaluation.of(one.expression), chosen.shape)


def of_formula(batch: Batch, quantity: str, name: str, chosen: Index, spoken: Framework | None) -> Floats | None:
    """What the formula of a name gives; None where it does not have the options of the batch."""
    found = [one for one in candidates(batch.form, quantity, options_of(batch)) if one.name == name]
    return next((value for _, value in evaluated(batch, found, chosen, spoken)), None)


def options_of(batch: Batch) -> Options:
    """The options of the batch, for the catalogue of formulas."""
    smoothing = repr(batch.label_smoothing) if batch.label_smoothing else None
    return Options(weight=batch.weight is not None, pos_weight=batch.pos_weight is not None, label_smoothing=smoothing)


def _model(modelled: Modelled) -> Iterator[Finding]:
    """What the framework's formula makes of this batch: NaN, another loss, a gradient that is lost."""
    if modelled.value is not None:
        found = list(_value(modelled, modelled.value))
        yield from found
        if any(one.fault != "clip" for one in found):  # its gradient is wrong for the same reason
            return
    if modelled.slope is not None:
        yield from _slope(modelled, modelled.slope)


def _value(modelled: Modelled, value: Floats) -> Iterator[Finding]:
    exact, ideal, chosen = modelled.exact, modelled.ideal, modelled.chosen
    batch, spoken, problems = exact.batch, modelled.spoken, modelled.model.problems
    if batch.seen is not None and exact.right:  # by whatever formula
        return
    finite = np.isfinite(ideal)
    bad = finite & ~np.isfinite(value) & (np.abs(ideal) <= float(FORMATS[computed_in(batch)].largest))
    if bad.any():
        fault = "one-minus-eps" if spoken.clipped and batch.form == "probabilities" else "nan-formula"
        says = f"{modelled.said} gives {at(batch, chosen, bad, value)}, where the loss is {ideal[np.argmax(bad)]:.4g}"
        if fault == "one-minus-eps":
            says += f": 1 - {spoken.clipped:g} is 1 in {computed_in(batch)}, and 0*log(0) is NaN; "
            says += f"known/{problems['clip']}.yaml"
        yield Finding(fault, "certain", says)
        return
    off = np.where(finite, value - ideal, 0)
    with np.errstate(invalid="ignore"):
        wanted, moved = (float(np.sum((one * modelled.share)[finite])) / exact.each.size for one in (ideal, off))
    if not finite.any() or abs(moved) <= max(drift(batch) * abs(wanted), DECIMAL):
        return
    apart = np.abs(off) > np.maximum(drift(batch) * np.abs(ideal), DECIMAL)
    first = int(np.argmax(np.abs(off)))
    clipped = _clips(modelled, float(batch.x[chosen[first]]))
    there = at(batch, chosen, np.arange(ideal.size) == first, value)
    says = (
        f"{modelled.said} gives a mean of {wanted + moved:.4g}, where the exact one is {wanted:.4g}: "
        f"{int(apart.sum())} of {ideal.size} elements are off, most at {there}, not {ideal[first]:.4g}"
    )
    problem = problems.get("value", "")
    known = f"; known/{problem}.yaml" if problem and not clipped else ""
    yield Finding("clip" if clipped else "known", "certain", says + known)


def _clips(modelled: Modelled, p: float) -> bool:
    """Whether a framework clips a prediction."""
    bound = modelled.spoken.clipped
    return bool(bound) and modelled.exact.batch.form == "probabilities" and not bound <= p <= 1 - bound


def _slope(modelled: Modelled, slope: Floats) -> Iterator[Finding]:
    batch, chosen, problems = modelled.exact.batch, modelled.chosen, modelled.model.problems
    ideal, reached = modelled.slopes
    bad = np.isfinite(modelled.gradient) & np.isnan(slope)
    if bad.any():
        says = f"the gradient of {modelled.said} is {at(batch, chosen, bad, slope)}, where it is "
        says += f"{modelled.gradient[np.argmax(bad)]:.4g}"
        problem = problems.get("nan", "")
        yield Finding("nan-formula", "certain", f"{says}; known/{problem}.yaml" if problem else says)
        return
    known = np.isfinite(ideal) & np.isfinite(reached)
    lost = known & (reached == 0) & (np.abs(ideal) >= DECIDING["logits"])
    if lost.any():
        says = f"{int(lost.sum())} of {lost.size} elements are wrong and pass no gradient: that of {modelled.said} is "
        says += f"{at(batch, chosen, lost, slope)}, where it is {modelled.gradient[np.argmax(lost)]:.4g}"
        yield Finding("saturated", "certain", says)
        return
    with np.errstate(invalid="ignore"):
        apart, size = (float((one * modelled.share)[known].sum()) for one in (np.abs(reached - ideal), np.abs(ideal)))
    allowed = max(MISLEADING, STEPS * FORMATS[computed_in(batch)].unit_roundoff)
    if known.any() and apart > allowed * size and apart > DRIFTING * modelled.share[known].sum():
        worst = int(np.argmax(np.where(known, np.abs(reached - ideal) * modelled.share, -1)))
        says = f"the gradient of {modelled.said} is off by {apart / size:.1%} of its size in this batch, most at "
        says += f"{batch.place(int(chosen[worst]))}: {slope[worst]:.4g}, where it is {modelled.gradient[worst]:.4g}"
        clipped, problem = _clips(modelled, float(batch.x[chosen[worst]])), problems.get("gradient", "")
        known_as = f"; known/{problem}.yaml" if problem and not clipped else ""
        yield Finding("clip" if clipped else "known", "certain", says + known_as)


def _finite(seen: Floats | None) -> bool:
    return seen is not None and bool(np.isfinite(seen).all())


def at(batch: Batch, chosen: Index, bad: Mask, got: Floats) -> str:
    """`nan at [3], p = 1, y = 1`: the result at the first of some elements."""
    here = int(np.argmax(bad))
    x, y = batch.x, batch.y
    index = int(chosen[here])
    name = "z" if batch.form == "logits" else "p"
    number = f"{x[index]:.6g}"
    if name == "p" and number == "1" and x[index] < 1:
        number = f"1 - {1 - x[index]:.3g}"
    return f"{got[here]:.4g} at {batch.place(index)}, {name} = {number}, y = {y[index]:.6g}"
