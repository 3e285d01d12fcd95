"""Faults of what comes into a loss: numbers, shapes, labels, weights, and the form of the prediction.

The loss is innocent of all of them.  A sentence says how many elements, which numbers, and where the first one is.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from math import prod
from typing import TYPE_CHECKING

import numpy as np

import reference
from conformance.checkup.batch import Batch, Finding, mixed, terms, together
from conformance.checkup.frameworks import FRAMEWORKS
from conformance.numbers.formats import FORMATS

if TYPE_CHECKING:
    from conformance.numbers.arrays import Floats, Mask

#: Labels that stick out by less are in [0, 1] but for rounding: 2^-10 is the distance of float16 numbers above 1.
ROUNDING = 2.0**-10

#: Largest pixel, and the largest number of classes that labels are taken to count: those of ImageNet.
PIXEL, CLASSES = 255, 1000

#: Two-sided evidence that predictions are bounded by 0 and 1: so many lie within a margin of a bound and none beyond
#: it.  Where a density goes on through the bound, each is beyond with probability 1/2: 2^-16 by chance.
AT_BOUND, MARGIN = 16, 0.05


def arriving(batch: Batch) -> Iterator[Finding]:
    """The faults, in the order in which one would mend them."""
    for look in (_not_finite, _shape, _labels, _label_dtype, _weights, _form):
        yield from look(batch)


def _told(batch: Batch, bad: Mask, name: str, what: str) -> str:
    """How many elements are what, and where: `12 of 64 labels are NaN, the first at [3]`."""
    count, place = int(np.count_nonzero(bad)), batch.place(int(np.argmax(bad)), name)
    if bad.size == 1:
        return f"the {name} is {what}"
    if count == 1:
        return f"1 of {bad.size} {_PLURAL[name]} is {what}, at {place}"
    return f"{count} of {bad.size} {_PLURAL[name]} are {what}, the first at {place}"


_PLURAL = {"prediction": "predictions", "label": "labels", "weight": "weights", "pos_weight": "numbers of pos_weight"}


def _not_finite(batch: Batch) -> Iterator[Finding]:
    """NaN and infinities that came in."""
    for name, array in batch.inputs.items():
        values = array.ravel()
        if np.isfinite(values).all():
            continue
        for fault, bad, word in (
            ("nan-in", np.isnan(values), "NaN"),
            ("infinity-in", np.isinf(values), "infinite"),
        ):
            if bad.any():
                says = f"{_told(batch, bad, name, word)}, before the loss is computed: the loss is innocent"
                if name == "label" and fault == "nan-in" and not bad.all():
                    yield Finding("labels-nan", "certain", f"{says}; NaN is what a missing value is read as")
                else:
                    yield Finding(fault if name == "prediction" else "nan-in", "certain", says)


def _shape(batch: Batch) -> Iterator[Finding]:
    """Shapes that differ: what is broadcast, what does not fit, and columns for one label."""
    wanted, label = batch.prediction.shape, batch.label.shape
    spoken = FRAMEWORKS.get(batch.framework)
    strict = spoken is not None and spoken.shapes.startswith("refuses")
    if label != wanted and (batch.label.size > 1 or (strict and batch.prediction.size > 1)):
        yield _columns(batch) or Finding("shape", "certain", _mismatch(batch))
    for name in ("weight", "pos_weight"):
        array = batch.inputs.get(name)
        if array is not None and array.shape != wanted and array.size > 1:
            yield from _shape_of_weights(batch, name, array.shape)


def _columns(batch: Batch) -> Finding | None:
    """Scores of classes, of which a label names one."""
    wanted, label = batch.prediction.shape, batch.label
    if len(wanted) < 2 or label.shape not in (wanted[:-1], (*wanted[:-1], 1)) or wanted[-1] < 2:
        return None
    says = f"predictions of shape {wanted} have {wanted[-1]} columns for each label of shape {label.shape}: "
    if wanted[-1] == 2:
        with np.errstate(invalid="ignore"):
            summed = np.abs(batch.prediction.sum(-1) - 1) <= ROUNDING
        softmax = bool(summed.all()) and bool((batch.prediction >= 0).all())
        says += "a softmax of 2 classes" if softmax else "scores of 2 classes"
        return Finding("softmax-columns" if softmax else "two-columns", "certain", says)
    values = np.unique(label)
    if len(values) > 2 and values[0] >= 0 and values[-1] < wanted[-1] and bool((values == np.rint(values)).all()):
        says += f"numbers of {wanted[-1]} classes, where the loss takes yes or no for each"
        return Finding("one-hot", "certain", says, {"classes": float(wanted[-1])})
    return None


def _shape_of_weights(batch: Batch, name: str, shape: tuple[int, ...]) -> Iterator[Finding]:
    """Weights that do not fit, or fit each other and make more losses than there are predictions."""
    wanted = batch.prediction.shape
    try:
        together = np.broadcast_shapes(shape, wanted)
    except ValueError:
        together = ()
    if together == wanted:
        return
    says = f"{name} of shape {shape} does not fit predictions of shape {wanted}"
    if together:
        says = f"{name} of shape {shape} against predictions of shape {wanted} makes {prod(together)} losses"
    if name == "pos_weight":
        fault, says = "pos-weight-shape", f"{says}: it is one number, or one for each column"
    elif shape == (2,):
        fault, says = "class-weights", f"{says}: two numbers look like one for each class"
    elif shape == wanted[:1]:
        fault, says = "weight-rows", f"{says}: there is one for each row"
    else:
        fault = "weight-shape"
    yield Finding(fault, "certain", says, {"axes": float(len(wanted) - 1)})


def _mismatch(batch: Batch) -> str:
    """Labels of another shape, and what becomes of them."""
    count, size = together(batch), batch.prediction.size
    says = f"labels of shape {batch.label.shape} against predictions of shape {batch.prediction.shape}"
    if not count:
        return f"{says} do not fit"
    if count == size:
        says += f": each label is used for {size // batch.label.size} predictions"
    else:
        says += f" make {count} losses of {size}"
    if batch.form and batch.label.size == size:
        aligned, each = crossed(batch)
        says += f", mean {each:.4g}, where element by element it is {aligned:.4g}"
    spoken = FRAMEWORKS.get(batch.framework)
    return f"{says}; {batch.framework} {spoken.shapes}" if spoken is not None and spoken.shapes else says


def squeezed(batch: Batch) -> Batch:
    """The batch as a framework sees it that fits trailing axes of length 1, and weights of rows."""
    spoken = FRAMEWORKS.get(batch.framework)
    if spoken is None or spoken.shapes:
        return batch
    shape, label, weight = batch.prediction.shape, batch.label, batch.weight
    if label.shape in ((*shape, 1), shape[:-1]) and label.size == batch.prediction.size:
        label = label.reshape(shape)
    if weight is not None and shape and weight.shape == shape[:-1]:
        weight = weight[..., np.newaxis]
    return replace(batch, label=label, weight=weight)


def crossed(batch: Batch) -> tuple[float, float]:
    """The mean loss of each prediction with its own label, and with all labels: the loss is linear in the label."""
    flat, label = batch.prediction.ravel(), batch.label.ravel()
    with np.errstate(all="ignore"):
        at1, at0 = terms(batch.form, flat)
        share = float(np.mean(label))
        each = float((1 - share) * np.mean(at0) + share * np.mean(at1))
        return float(np.mean(mixed(at1, at0, label))), each


def _labels(batch: Batch) -> Iterator[Finding]:
    """Labels outside [0, 1], and what they look like."""
    label = batch.label.ravel()
    with np.errstate(invalid="ignore"):
        outside = (label < 0) | (label > 1)
    outside &= np.isfinite(label)
    if batch.label.shape == batch.prediction.shape:
        outside &= batch.counted
    if not outside.any():
        yield from _divided_twice(label)
        return
    distinct = np.unique(label[np.isfinite(label)])
    fault, grade, why, values = _kind_of_labels(distinct)
    low, high = f"{distinct[0]:g}", f"{distinct[-1]:g}"
    says = f"{_told(batch, outside, 'label', 'not in [0, 1]')}; labels are from {low} to {high}: {why}"
    if batch.form and batch.prediction.size == label.size:
        worst = int(np.argmax(np.where(outside, np.abs(label), -1)))
        with np.errstate(all="ignore"):
            loss = float(reference.loss(batch.form, batch.prediction.ravel()[worst], label[worst]).hi)
        says += f"; at {batch.place(worst)} the loss of label {label[worst]:g} is {loss:.4g}"
    yield Finding(fault, "certain" if grade else "likely", says, values)


def _divided_twice(label: Floats) -> Iterator[Finding]:
    """Labels 0 and 1, or pixels, of which a loader that expects 0 to 255 has made 0 to 1/255."""
    high = float(np.max(label, initial=0, where=np.isfinite(label)))
    if not 0 < high <= (1 + ROUNDING) / PIXEL:
        return
    steps = np.unique(label[np.isfinite(label)]) * PIXEL
    whole = np.abs(steps * PIXEL - np.rint(steps * PIXEL)) <= ROUNDING * np.maximum(1, steps * PIXEL)
    flags = set(np.round(steps, 2).tolist())
    if flags in ({1.0}, {0.0, 1.0}) or (len(steps) >= AT_BOUND and bool(whole.all())):
        says = (
            f"labels are from {float(label.min()):.4g} to {high:.4g} = 1/{1 / high:.0f}: divided by 255 once too often"
        )
        yield Finding("labels-twice", "likely", says)


def _kind_of_labels(distinct: Floats) -> tuple[str, bool, str, dict[str, float]]:
    """The fault, whether its numbers prove it, why, and what the remedy needs."""
    low, high = float(distinct[0]), float(distinct[-1])
    whole = bool((distinct == np.rint(distinct)).all())
    values = set(distinct[:4].tolist()) if len(distinct) <= 4 else set()
    scale = {"low": low, "width": high - low or 1.0, "top": high}
    if low >= -ROUNDING and high <= 1 + ROUNDING:
        return "labels-rounded", True, "they stick out by rounding", scale
    if values and values <= {-1.0, 1.0}:
        return "labels-minus-one", 1.0 in values, "-1 stands for no, where 0 is meant", scale
    if whole and values - {0.0, 1.0} == {low} and low < 0 and values & {0.0, 1.0}:
        return "labels-mask", False, f"{low:g} looks like a mask beside 0 and 1", {"mask": low}
    if whole and values - {0.0, 1.0} == {high} and {0.0, 1.0} <= values and high >= 9:
        return "labels-mask", False, f"{high:g} looks like a mask beside 0 and 1", {"mask": high}
    if len(values) <= 2 and low == 0 and high > 1 and values:
        return "labels-scaled", True, f"{high:g} stands for yes, where 1 is meant", scale
    if low == high and low > 1:
        return "labels-scaled", False, f"{high:g} stands for yes, where 1 is meant", scale
    if whole and low >= 0 and high == PIXEL:
        return "labels-scaled", True, "pixels that were not divided by 255", scale
    if whole and low >= 0 and 100 < high < PIXEL and len(distinct) > high / 8:
        return "labels-scaled", False, "pixels that were not divided by 255", scale | {"top": float(PIXEL)}
    if whole and low >= 0 and high < CLASSES:
        return "labels-classes", False, "numbers of classes, not yes or no", {"class": high}
    return "labels-outside", True, "they have to be scaled to [0, 1]", scale


def _label_dtype(batch: Batch) -> Iterator[Finding]:
    """Integer and bool labels, where the framework does not take them; unsigned ones have no negative."""
    kind = batch.kind_of("label")
    spoken = FRAMEWORKS.get(batch.framework)
    said = f"labels have dtype {batch.kinds['label']}"
    if kind in "iub" and spoken is not None and spoken.integers:
        yield Finding("labels-integer", "certain", f"{said}; {batch.framework} {spoken.integers}")
    elif kind == "u" and batch.seen is not None and bool((batch.seen < 0).any()):
        says = f"{said}, in which -1 is {np.iinfo(batch.kinds['label']).max}: -y*log(p) has the wrong sign"
        yield Finding("labels-integer", "likely", says)


def _weights(batch: Batch) -> Iterator[Finding]:
    """Negative weights, and weights that are all 0."""
    for name in ("weight", "pos_weight"):
        array = batch.inputs.get(name)
        if array is None:
            continue
        values = array.ravel()
        with np.errstate(invalid="ignore"):
            negative = values < 0
        if negative.any():
            worst = float(np.nanmin(values))
            says = f"{_told(batch, negative, name, 'negative')}, down to {worst:g}: a mistake is rewarded there"
            yield Finding("weights-negative", "certain", says)
        elif name == "weight" and not values.any() and (batch.seen is None or not np.isfinite(batch.seen).all()):
            says = f"all {values.size} weights are 0: the loss is 0, and 0/0 = NaN if it is divided by their sum"
            yield Finding("weights-zero", "certain", says)


def _form(batch: Batch) -> Iterator[Finding]:
    """Probabilities that are none, and logits that look like something else."""
    flat = batch.x[batch.counted & np.isfinite(batch.x)]
    if not flat.size:
        return
    exchanged = _exchanged(batch, flat)
    if exchanged is not None:
        yield exchanged
    else:
        yield from _no_probabilities(batch, flat) if batch.form == "probabilities" else _no_logits(batch, flat)


def _exchanged(batch: Batch, flat: Floats) -> Finding | None:
    """Predictions that are all 0 or 1, and labels that are not: the arguments in the other framework's order."""
    label = batch.label.ravel()
    label = label[np.isfinite(label)]
    hard = bool(((flat == 0) | (flat == 1)).all())
    if not hard or flat.size < AT_BOUND or len(np.unique(label)) <= AT_BOUND:
        return None
    low, high = float(label.min()), float(label.max())
    says = (
        f"all {flat.size} predictions are 0 or 1, and labels from {low:.4g} to {high:.4g} are not: they look exchanged"
    )
    return Finding("exchanged", "likely", says)


def _no_probabilities(batch: Batch, flat: Floats) -> Iterator[Finding]:
    low, high = float(flat.min()), float(flat.max())
    if low >= 0 and high <= 1:
        if flat.size >= AT_BOUND and low == high == 1 and _both(batch):
            yield Finding("softmax-of-one", "likely", f"all {flat.size} predictions are 1: a softmax of one output is")
        return
    if _log_probabilities(flat):
        yield _of_logarithms(flat)
        return
    outside = np.isfinite(batch.x) & ((batch.x < 0) | (batch.x > 1))
    told = f"{_told(batch, outside, 'prediction', 'no probability')}; predictions are from {low:.4g} to {high:.4g}"
    unit = 8 * 2 * FORMATS[batch.dtype].unit_roundoff  # a few roundings next to 1
    if low >= -unit and high <= 1 + unit:
        yield Finding("probability-rounded", "certain", f"{told}: they stick out by rounding")
    elif low >= 0 and 20 < high <= 100:
        yield Finding("percent", "likely", f"{told}: they look like percent")
    else:
        says = f"{told}: the loss of a probability is given logits"
        if batch.fits:
            with np.errstate(all="ignore"):
                says += f", whose mean loss is {float(np.mean(mixed(*terms('logits', batch.x), batch.y))):.4g}"
        yield Finding("logits-as-probabilities", "certain", says)


def _no_logits(batch: Batch, flat: Floats) -> Iterator[Finding]:
    """Values that crowd at a bound and never cross it: a fresh network's logits do not do that."""
    low, high = float(flat.min()), float(flat.max())
    zeros = int(np.count_nonzero(flat == 0))
    if flat.size < AT_BOUND:
        return
    if low == high == 1 and _both(batch):
        yield Finding("softmax-of-one", "likely", f"all {flat.size} predictions are 1: a softmax of one output is")
    elif low >= 0 and high <= 1 and _crowded(flat, low, high):
        yield _of_second_sigmoid(flat)
    elif _log_probabilities(flat):
        yield _of_logarithms(flat)
    elif (
        low >= -1 and high <= 1 and low < -0.5 < 0.5 < high and _near(np.abs(flat), 1) >= max(AT_BOUND, flat.size / 10)
    ):
        says = (
            f"all {flat.size} logits lie in [-1, 1], {_near(np.abs(flat), 1)} of them within {MARGIN} of a bound, none "
        )
        says += f"beyond: they look like those of a tanh, whose loss cannot fall below {LEAST:.4g}"
        yield Finding("tanh", "likely", says)
    elif low == 0 < high and zeros >= max(AT_BOUND, MARGIN * flat.size):
        says = (
            f"{zeros} of {flat.size} logits are exactly 0 and none is negative: they look like those of a ReLU, whose "
        )
        yield Finding("relu", "likely", f"{says}loss cannot fall below {np.log(2):.4g} at label 0")


#: The loss of logit 1 at label 1, log(1 + 1/e).
LEAST = float(reference.loss("logits", 1.0, 1.0).hi)


def _near(flat: Floats, bound: float) -> int:
    """How many values lie within a margin of a bound, and not beyond it."""
    return int(np.count_nonzero((flat >= bound - MARGIN) & (flat <= bound)))


def _crowded(flat: Floats, low: float, high: float) -> bool:
    """Whether many values lie at 0 or at 1; but not those of a ReLU, which are 0."""
    at0 = int(np.count_nonzero((flat > 0) & (flat <= MARGIN))) * (np.count_nonzero(flat == 0) < MARGIN * flat.size)
    return (at0 >= AT_BOUND and high > 0.5) or (_near(flat, 1) >= AT_BOUND and low < 0.5)


def _of_second_sigmoid(flat: Floats) -> Finding:
    at0 = _near(-flat, 0)
    return Finding(
        "second-sigmoid",
        "likely",
        f"all {flat.size} logits lie in [0, 1], {at0} of them within {MARGIN} of 0 and {_near(flat, 1)} of 1, none "
        f"beyond: they look like probabilities, of which a logit loss takes a second sigmoid; it cannot fall below "
        f"{LEAST:.4f} at label 1 and {np.log(2):.4f} at label 0",
    )


def _log_probabilities(flat: Floats) -> bool:
    """Whether values crowd below 0, go far below, and none is above."""
    return flat.size >= AT_BOUND and flat.min() < -1 and flat.max() <= 0 and _near(flat, 0) >= AT_BOUND


def _of_logarithms(flat: Floats) -> Finding:
    says = f"all {flat.size} predictions are at most 0, {_near(flat, 0)} of them within {MARGIN} of it, none above: "
    says += f"they look like logarithms of probabilities, from {float(flat.min()):.4g} on"
    return Finding("log-probability", "likely", says)


def _both(batch: Batch) -> bool:
    """Whether there are labels of both kinds."""
    return bool((batch.label > 0.5).any() and (batch.label < 0.5).any())
