"""Faults of what comes into a loss: numbers, shapes, labels, weights, and the form of the prediction.

The loss is innocent of all of them.  A sentence says how many elements, which numbers, and where the first one is.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

import reference
from conformance.checkup.batch import Batch, Finding, together
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
                yield Finding(fault if name == "prediction" or fault == "nan-in" else "nan-in", "certain", says)


def _shape(batch: Batch) -> Iterator[Finding]:
    """Shapes that differ: what is broadcast, what does not fit, and two columns for one label."""
    wanted = batch.prediction.shape
    label = batch.label.shape
    if label != wanted and batch.label.size > 1:
        if len(wanted) == len(label) + 1 and wanted == (*label, 2):
            says = (
                f"predictions of shape {wanted} have two columns for each label of shape {label}: scores of 2 classes"
            )
            yield Finding("two-columns", "certain", says)
        else:
            yield Finding("shape", "certain", _mismatch(batch))
    for name in ("weight", "pos_weight"):
        array = batch.inputs.get(name)
        if array is not None and array.shape != wanted and array.size > 1:
            try:
                fits = np.broadcast_shapes(array.shape, wanted) == wanted
            except ValueError:
                fits = False
            if not fits:
                says = f"{name} of shape {array.shape} does not fit predictions of shape {wanted}"
                yield Finding("shape", "certain", says)


def _mismatch(batch: Batch) -> str:
    """Labels of another shape, and what becomes of them."""
    count = together(batch)
    says = f"labels of shape {batch.label.shape} against predictions of shape {batch.prediction.shape}"
    if not count:
        return f"{says} do not fit"
    says += f" make {count} losses of {batch.prediction.size}"
    if batch.form and batch.label.size == batch.prediction.size:
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


def terms(form: str, x: Floats) -> tuple[Floats, Floats]:
    """The losses at label 1 and at label 0, in plain float64: numbers of mistakes are compared in six digits."""
    return (np.logaddexp(0, -x), np.logaddexp(0, x)) if form == "logits" else (-np.log(x), -np.log1p(-x))


def mixed(at1: Floats, at0: Floats, label: Floats) -> Floats:
    """The losses at labels between; a term whose factor is 0 is 0."""
    return np.where(label == 0, 0, label * at1) + np.where(label == 1, 0, (1 - label) * at0)


def _labels(batch: Batch) -> Iterator[Finding]:
    """Labels outside [0, 1], and what they look like."""
    label = batch.label.ravel()
    with np.errstate(invalid="ignore"):
        outside = (label < 0) | (label > 1)
    outside &= np.isfinite(label)
    if not outside.any():
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
    kind = np.dtype(batch.kinds["label"]).kind if hasattr(np, batch.kinds["label"]) else "f"
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
        elif name == "weight" and not values.any():
            says = f"all {values.size} weights are 0: the loss is 0, and 0/0 = NaN if it is divided by their sum"
            yield Finding("weights-zero", "certain", says)


def _form(batch: Batch) -> Iterator[Finding]:
    """Probabilities that are none, and logits that look like probabilities."""
    flat = batch.prediction.ravel()
    flat = flat[np.isfinite(flat)]
    if flat.size:
        yield from _no_probabilities(batch, flat) if batch.form == "probabilities" else _no_logits(batch, flat)


def _no_probabilities(batch: Batch, flat: Floats) -> Iterator[Finding]:
    low, high = float(flat.min()), float(flat.max())
    if low >= 0 and high <= 1:
        if flat.size >= AT_BOUND and low == high == 1 and _both(batch):
            yield Finding("softmax-of-one", "likely", f"all {flat.size} predictions are 1: a softmax of one output is")
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
    """Values that crowd at 0 or 1 and never cross: a fresh network's logits do not do that."""
    low, high = float(flat.min()), float(flat.max())
    if low < 0 or high > 1 or flat.size < AT_BOUND:
        return
    at0 = int(np.count_nonzero((flat > 0) & (flat <= MARGIN))) * (np.count_nonzero(flat == 0) < MARGIN * flat.size)
    at1 = int(np.count_nonzero((flat >= 1 - MARGIN) & (flat <= 1)))
    crowded = (at0 >= AT_BOUND and high > 0.5) or (at1 >= AT_BOUND and low < 0.5)
    if low == high == 1 and _both(batch):
        yield Finding("softmax-of-one", "likely", f"all {flat.size} predictions are 1: a softmax of one output is")
    elif crowded:
        floor0, floor1 = (float(reference.loss("logits", one, one).hi) for one in (0.0, 1.0))
        yield Finding(
            "second-sigmoid",
            "likely",
            f"all {flat.size} logits lie in [0, 1], {at0} of them within {MARGIN} of 0 and {at1} of 1, none beyond: "
            f"they look like probabilities, of which a logit loss takes a second sigmoid; it cannot fall below "
            f"{floor1:.4f} at label 1 and {floor0:.4f} at label 0",
        )


def _both(batch: Batch) -> bool:
    """Whether there are labels of both kinds."""
    return bool((batch.label > 0.5).any() and (batch.label < 0.5).any())
