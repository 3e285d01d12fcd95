"""The number that a training saw beside the exact one, and beside those that are taken for it by mistake."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from conformance.checkup.batch import DECIMAL, Exact, Finding, drift, mixed, terms
from conformance.checkup.frameworks import CLIP, FRAMEWORKS
from conformance.checkup.losses import Modelled, at, chosen_of, evaluated, of_formula, options_of
from conformance.formulas.arithmetic import rounded
from conformance.formulas.catalogue import candidates
from conformance.numbers.formats import FORMATS

if TYPE_CHECKING:
    from conformance.numbers.arrays import Floats

#: Elements up to which an unexplained number is looked for among all formulas of the catalogue.
SEARCHED = 1 << 12
#: Relative distance at which a number is another one printed in four digits, and at which it is that in float32.
PRINTED, SAME = 5e-4, 2e-6
#: Exponents of what a gradient scaler multiplies by, 2^16 at first, and of the steps over which gradients are summed.
SCALES, STEPS = range(8, 25), range(1, 6)
#: Amounts of label smoothing in use: 0.1 is that of Inception and of most examples.
SMOOTHINGS = (0.01, 0.05, 0.1, 0.2)
#: Exponent and weight of the focal loss in its paper (arXiv:1708.02002), and of most that were written since.
GAMMA, ALPHA = 2.0, 0.25


class Other(NamedTuple):
    """A number that is taken for the loss by mistake: its fault, what it is, and the number."""

    fault: str
    words: str
    value: float


def of_seen(exact: Exact, modelled: Modelled | None, innocent: bool) -> Iterator[Finding]:
    """Why the number seen is not the exact one; `innocent` where a reason was found already."""
    batch = exact.batch
    if batch.seen is None or exact.right:
        return
    if batch.seen.size > 1:
        yield from _of_each(exact)
        return
    seen, wanted = float(batch.seen.ravel()[0]), float(np.mean(exact.expected))
    if modelled is not None and modelled.explains and innocent:
        return
    if not np.isfinite(seen):
        if np.isfinite(wanted) and not innocent:
            yield _not_finite(exact, seen)
        return
    with np.errstate(all="ignore"):
        others = [one for one in _others(exact, seen) if np.isfinite(one.value)]
    if innocent:  # 0 is what much else makes
        others = [one for one in others if one.value]
    matching = [one for one in others if abs(seen - one.value) <= max(PRINTED * abs(one.value), 1e-6)]
    if modelled is not None and modelled.explains:
        says = f"the loss seen is {seen:.6g}, where it is {wanted:.6g}: {modelled.said} gives that"
        yield Finding("differs", "certain", says)
    elif matching:
        best = min(matching, key=lambda one: abs(seen - one.value))
        alone = all(one.fault == best.fault for one in matching)
        certain = alone and abs(seen - best.value) <= SAME * abs(best.value)
        says = f"the loss seen is {seen:.6g}, where it is {wanted:.6g}: {best.value:.6g} is {best.words}"
        yield Finding(best.fault, "certain" if certain else "likely", says)
    elif not innocent:
        yield _unexplained(exact, seen, wanted)


def _of_each(exact: Exact) -> Iterator[Finding]:
    """Losses of the elements beside exact ones."""
    assert exact.batch.seen is not None  # only then one asks
    seen, wanted = exact.batch.seen.ravel(), exact.each
    with np.errstate(invalid="ignore"):
        off = np.abs(seen - wanted)
    off = np.where(seen == wanted, 0, np.where(np.isnan(off), np.inf, off))
    apart = off > drift(exact.batch) * np.abs(wanted) + DECIMAL
    worst = int(np.argmax(off))
    says = f"{int(apart.sum())} of {seen.size} losses are not the exact ones, most at {exact.batch.place(worst)}: seen "
    yield Finding("differs", "certain", f"{says}{seen[worst]:.6g}, exact {wanted[worst]:.6g}")


def _others(exact: Exact, seen: float) -> Iterator[Other]:
    """Numbers that are taken for the loss by mistake."""
    batch, mean = exact.batch, exact.mean
    yield from _other_reductions(exact, seen)
    y = exact.smoothed
    at1, at0 = terms(batch.form, batch.x)
    yield from _other_weights(exact, y, at1, at0)
    yield from _other_inputs(exact, at1, at0)
    yield from _other_losses(exact, y, at1, at0)
    yield Other("differs", "the loss in bits, by the logarithm of base 2", mean / np.log(2))
    yield Other("differs", "the loss by the logarithm of base 10", mean / np.log(10))
    yield Other("differs", "the loss with the wrong sign", -mean)
    if exact.floor > DECIMAL:
        less = mean - exact.floor
        yield Other("differs", f"the loss less the entropy of the labels, {exact.floor:.4g} (a divergence)", less)


def _other_reductions(exact: Exact, seen: float) -> Iterator[Other]:
    """Sums for means, means of means, and what a scaler or the accumulation of gradients makes of a mean."""
    batch, mean, total = exact.batch, exact.mean, exact.total
    if batch.reduction == "sum":
        yield Other("reduction", "the mean", mean)
    else:
        yield Other("reduction", "the sum", total)
    rows, size = batch.prediction.shape[0] if batch.prediction.ndim > 1 else 1, batch.prediction.size
    if 1 < rows < size:
        yield Other("reduction", f"the sum divided by the {rows} rows", total / rows)
        yield Other("reduction", f"the mean times the {rows} rows", mean * rows)
    yield Other("reduction", f"the mean divided by the {size} elements once more", mean / size)
    if batch.reduction != "sum" and mean and np.isfinite(mean):
        power = np.log2(abs(seen / mean)) if seen else 0.0
        whole = round(float(power)) if np.isfinite(power) else 0
        if whole in SCALES:
            yield Other("reduction", f"{2**whole} times the mean, as a gradient scaler makes it", mean * 2.0**whole)
        if -whole in STEPS and abs(seen - mean * 2.0**whole) <= SAME * abs(seen):
            words = f"the mean divided by {2**-whole}, as where gradients of {2**-whole} batches are summed"
            yield Other("reduction", words, mean * 2.0**whole)


def _other_weights(exact: Exact, y: Floats, at1: Floats, at0: Floats) -> Iterator[Other]:
    """Weights and pos_weight left out, used twice, divided by, or given to the other label."""
    batch = exact.batch
    weight, factor = batch.flat("weight"), batch.flat("pos_weight")
    if weight is not None:
        if weight.sum():
            yield Other("weights", "the sum divided by that of the weights", exact.total / float(weight.sum()))
            count = int(np.count_nonzero(weight))
            yield Other("weights", f"the sum divided by the {count} weights that are not 0", exact.total / count)
        plain = mixed(at1 if factor is None else factor * at1, at0, y)
        yield Other("weights", "the mean without the weights", float(np.mean(plain)))
        yield Other("weights", "the mean with the weights applied twice", float(np.mean(weight * exact.each)))
    if factor is not None:
        plain, turned = mixed(at1, at0, y), mixed(at1, factor * at0, y)
        if weight is not None:
            plain, turned = weight * plain, weight * turned
        yield Other("weights", "the mean without pos_weight", float(np.mean(plain)))
        yield Other("weights", "the mean with pos_weight given to label 0", float(np.mean(turned)))


def _other_inputs(exact: Exact, at1: Floats, at0: Floats) -> Iterator[Other]:
    """Another form of the prediction, other labels; without weights, whose place in a mistake nobody knows."""
    batch, x, y = exact.batch, exact.batch.x, exact.smoothed
    p = _probability(batch.form, x)
    yield Other("second-sigmoid", "the loss of a second sigmoid", float(np.mean(mixed(*terms("logits", p), y))))
    if batch.form == "logits":
        clip = rounded(np.clip(x, CLIP, 1 - CLIP), FORMATS[batch.dtype])  # which hides what the inputs are
        words = "the loss of the logits taken for probabilities and clipped"
        yield Other("logits-as-probabilities", words, float(np.mean(mixed(*terms("probabilities", clip), y))))
    else:
        if batch.epsilon is not None:
            added = -np.log(x + batch.epsilon), -np.log1p(batch.epsilon - x)
            clip = np.clip(x, batch.epsilon, 1 - batch.epsilon)
            words = f"the loss with {batch.epsilon:g} added to what logarithms are taken of"
            yield Other("clip", words, float(np.mean(mixed(*added, y))))
            words = f"the loss of probabilities clipped by {batch.epsilon:g}"
            yield Other("clip", words, float(np.mean(mixed(*terms("probabilities", clip), y))))
        turned = float(np.mean(mixed(*terms("probabilities", y), x)))
        yield Other("exchanged", "the loss with prediction and label exchanged", turned)
    yield Other("differs", "the loss with labels 0 and 1 exchanged", float(np.mean(mixed(at1, at0, 1 - y))))
    if x.size > 1:
        share = float(np.mean(y))
        each = (1 - share) * float(np.mean(at0)) + share * float(np.mean(at1))
        yield Other("shape", "the mean over every prediction with every label: shapes (n,) and (n, 1)", each)
    if batch.label_smoothing:
        yield Other("differs", "the loss without label smoothing", float(np.mean(mixed(at1, at0, batch.y))))
    elif exact.floor == 0:
        for amount in SMOOTHINGS:
            smooth = float(np.mean(mixed(at1, at0, y * (1 - amount) + amount / 2)))
            yield Other("differs", f"the loss with label smoothing {amount:g}", smooth)


def _other_losses(exact: Exact, y: Floats, at1: Floats, at0: Floats) -> Iterator[Other]:
    """Other losses of the same numbers."""
    batch = exact.batch
    if not ((y >= 0) & (y <= 1)).all():
        return
    p = _probability(batch.form, batch.x)
    wrong = y * (1 - p) + (1 - y) * p
    focal = wrong**GAMMA * mixed(at1, at0, y)
    yield Other("differs", f"the focal loss with gamma {GAMMA:g}", float(np.mean(focal)))
    weighted = float(np.mean(focal * (y * ALPHA + (1 - y) * (1 - ALPHA))))
    yield Other("differs", f"the focal loss with gamma {GAMMA:g} and alpha {ALPHA:g}", weighted)
    yield Other("differs", "the mean squared error of the probabilities", float(np.mean((p - y) ** 2)))
    yield Other("differs", "the mean absolute error of the probabilities", float(np.mean(np.abs(p - y))))
    yield Other("differs", "the term of label 1 alone, -y*log(p)", float(np.mean(mixed(at1, 0 * p, y))))
    yield Other("differs", "the term of label 0 alone, -(1 - y)*log(1 - p)", float(np.mean(mixed(0 * p, at0, y))))
    shape = batch.prediction.shape
    if shape[-1:] == (1,) or len(shape) == 1:
        yield Other("softmax-of-one", "the softmax cross entropy of one column, which is 0 for all inputs", 0.0)
    elif len(shape) > 1:
        x = batch.prediction
        top = x.max(-1, keepdims=True)
        logarithms = x - top - np.log(np.exp(x - top).sum(-1, keepdims=True)) if batch.form == "logits" else np.log(x)
        total = -float(np.sum(np.where(y == 0, 0, y * logarithms.ravel())))
        words = "the categorical cross entropy of each row, of whose classes one excludes the others"
        yield Other("differs", words, total * shape[-1] / batch.prediction.size)


def _probability(form: str, x: Floats) -> Floats:
    return x if form == "probabilities" else 1 / (1 + np.exp(-x))


def _not_finite(exact: Exact, seen: float) -> Finding:
    """NaN or infinity where the loss is a number."""
    batch = exact.batch
    chosen, _ = chosen_of(exact)
    textbook = {"logits": "sigmoid, log and log(1 - s)", "probabilities": "log and log(1 - p)"}[batch.form]
    told = f"the loss seen is {seen:g}, where it is {exact.mean:.6g}"
    value = of_formula(batch, "value", textbook, chosen, FRAMEWORKS.get(batch.framework))
    if value is not None and not np.isfinite(value).all():
        says = f"{told}: the textbook formula, {textbook}, gives {at(batch, chosen, ~np.isfinite(value), value)}"
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
        chosen, _ = chosen_of(exact)
        found = [
            one for known in (False, True) for one in candidates(batch.form, "value", options_of(batch), mistaken=known)
        ]
        for name, value in evaluated(batch, found, chosen, FRAMEWORKS.get(batch.framework)):
            mean = float(np.mean(value))
            if abs(seen - mean) <= PRINTED * abs(mean):
                return Finding("differs", "likely", f"{says}: {mean:.6g} is what this formula gives: {name}")
    says += "; none of the usual mistakes gives that. Is it of the same batch, with the same dropout"
    return Finding(
        "differs", "certain", says + (", and without a penalty of weights or another term?" if seen > wanted else "?")
    )
