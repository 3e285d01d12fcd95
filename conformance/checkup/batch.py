"""A batch that a training met, as it was handed to the loss, and what can be found about it.  Raises InputError."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from conformance.checkup.frameworks import FRAMEWORKS
from conformance.errors import InputError, did_you_mean, understood
from conformance.formulas.arithmetic import rounded
from conformance.judge.harm import DRIFTING, MISLEADING
from conformance.numbers.formats import FORMATS, Tensor, decode
from conformance.plan import own_numbers
from conformance.plan.cases import OPTIONS
from reference import FORMS, loss

if TYPE_CHECKING:
    from conformance.numbers.arrays import Floats, Mask

Grade = Literal["certain", "likely"]

#: What a training calls the loss of a batch, beside the arrays that go into it.
SEEN = "loss"
#: How the losses of elements become one number.
REDUCTIONS = ("none", "mean", "sum")

#: Kinds of NumPy's dtypes that hold real numbers: floating point, signed, unsigned, bool.
_REAL = "fiub"

#: Largest batch: that of eight images of 1024 x 1024 with two channels, and some 3 GB of float64 on the way.
LARGEST = 1 << 24

#: Half a unit of the fourth decimal, which is what Keras prints (progbar.py, 3.15).
DECIMAL = 0.5e-4


@dataclass(frozen=True)
class Finding:
    """A fault of a batch.

    `grade` is certain where the numbers prove what is said, else likely; `says` holds these numbers and the place in
    the batch, `values` what the lines of its remedy are filled with.
    """

    fault: str
    grade: Grade
    says: str
    values: Mapping[str, float] | None = None


@dataclass(frozen=True, kw_only=True)
class Batch:
    """What went into a loss and, if it is known, what came out.

    Arrays hold the numbers as float64 in the shapes in which they were given; `kinds` has the dtypes that they had.
    `dtype` is that in which the loss was computed, `seen` the loss that the training saw: one number, or one for each
    element.  `form` and `reduction` are "" where nobody said what the prediction is, and how `seen` came to be; so is
    `version`, that of the framework.
    """

    prediction: Floats
    label: Floats
    weight: Floats | None
    pos_weight: Floats | None
    seen: Floats | None
    kinds: Mapping[str, str]
    dtype: str
    form: str
    framework: str
    version: str
    reduction: str
    label_smoothing: float
    epsilon: float | None
    autocast: bool

    @cached_property
    def inputs(self) -> dict[str, Floats]:
        """The arrays that were given, by name."""
        arrays = {name: getattr(self, name) for name in ("prediction", "label", *OPTIONS)}
        return {name: one for name, one in arrays.items() if one is not None}

    @property
    def fits(self) -> bool:
        """Whether each input has the prediction's shape, or is broadcast to it: a loss of each element exists."""
        shape = self.prediction.shape
        return all(_broadcast(one.shape, shape) == shape for one in self.inputs.values())

    def flat(self, name: str) -> Floats | None:
        """An input as one number for each prediction, in order; None where it was not given.  Needs `fits`."""
        array = self.inputs.get(name)
        return None if array is None else np.broadcast_to(array, self.prediction.shape).ravel()

    @property
    def x(self) -> Floats:
        """The predictions in order."""
        return self.prediction.ravel()

    @cached_property
    def y(self) -> Floats:
        """The label of each prediction.  Needs `fits`."""
        return np.broadcast_to(self.label, self.prediction.shape).ravel()

    @property
    def counted(self) -> Mask:
        """The predictions whose weight is not 0: what is masked is nobody's fault."""
        weight = self.flat("weight") if self.fits else None
        return np.ones(self.prediction.size, bool) if weight is None else np.not_equal(weight, 0)

    @property
    def masked(self) -> bool:
        """Whether the weights are a mask: 0 and 1, and both."""
        return self.weight is not None and set(np.unique(self.weight.ravel()[:LARGEST]).tolist()) == {0.0, 1.0}

    def kind_of(self, name: str) -> str:
        """The kind of an input's dtype, in one letter as NumPy has them: f for all that it does not know."""
        try:
            return np.dtype(self.kinds[name]).kind
        except TypeError:
            return "f"

    def saved_as(self, name: str) -> str:
        """The dtype in which an input is kept: its own, or one of NumPy's that holds it."""
        try:
            return np.dtype(self.kinds[name]).name if self.kinds[name] != "bfloat16" else "float32"
        except TypeError:
            return "float32"

    def place(self, index: int, name: str = "prediction") -> str:
        """Where the element of a flat index is: `[3]`, or `[1, 0]` in two dimensions."""
        return str([int(one) for one in np.unravel_index(index, self.inputs[name].shape)])


def of_file(file: Path, **asked: Any) -> Batch:
    """The batch that an .npz file holds: `prediction`, `label`, optional `weight`, `pos_weight` and `loss`."""
    try:
        return of_arrays(own_numbers.read(file, (*OPTIONS, SEEN)), **asked)
    except InputError as error:
        if error.message.startswith(f"{file}:"):
            raise
        raise InputError(f"{file}: {error.message}", error.hint) from None


def of_arrays(
    arrays: Mapping[str, Any],
    *,
    form: str = "",
    framework: str = "",
    dtype: str = "",
    reduction: str = "",
    label_smoothing: float = 0.0,
    epsilon: float | None = None,
    autocast: bool = False,
) -> Batch:
    """A batch of arrays, or tensors of a framework, by name.  Raises InputError that names the array or argument."""
    form, dtype = _among("form", form, FORMS), _among("dtype", dtype, tuple(FORMATS))
    reduction = _among("reduction", reduction, REDUCTIONS)
    framework, _, version = framework.partition("==")
    framework = _among("framework", framework, tuple(FRAMEWORKS))
    if not 0 <= label_smoothing <= 1 or 0 < label_smoothing < 2.0**-500:  # what reference.loss takes
        raise InputError(f"label_smoothing must be a number from 0 to 1 (got {label_smoothing!r})")
    if epsilon is not None and not 0 < epsilon < 0.5:
        raise InputError(f"epsilon must be a number between 0 and 0.5 (got {epsilon!r})")
    numbers = {name: _numbers(name, array, dtype) for name, array in arrays.items() if array is not None}
    kinds = {name: kind for name, (_, kind) in numbers.items()}
    used = dtype or (kinds["prediction"] if kinds["prediction"] in FORMATS else "float32")
    values = {name: value for name, (value, _) in numbers.items()}
    for name in ("prediction", "label"):
        if not values[name].size:
            raise InputError(f"{name} must have at least 1 element (got shape {values[name].shape})")
    seen = values.get(SEEN)
    if seen is not None and seen.size not in (1, values["prediction"].size):
        wanted = values["prediction"].size
        raise InputError(f"{SEEN} must be 1 number, or 1 for each of {wanted} predictions (got {seen.size})")
    with np.errstate(over="ignore"):
        prediction = rounded(values["prediction"], FORMATS[used])
    return Batch(
        prediction=prediction,
        label=values["label"],
        weight=values.get("weight"),
        pos_weight=values.get("pos_weight"),
        seen=seen,
        kinds=kinds,
        dtype=used,
        form=form,
        framework=framework,
        version=version,
        reduction=reduction,
        label_smoothing=label_smoothing,
        epsilon=epsilon,
        autocast=autocast,
    )


def _among(name: str, word: str, known: Sequence[str]) -> str:
    meant = understood(word, known)
    if word and meant not in known:
        raise InputError(f"{name} must be one of {', '.join(known)} (got {word!r})", did_you_mean(word, list(known)))
    return meant


def _numbers(name: str, array: Any, dtype: str) -> tuple[Floats, str]:
    """An array or tensor as float64, and the dtype that it had."""
    if isinstance(array, np.ma.MaskedArray):
        raise InputError(f"{name} must be an array without a mask of its own", "give ~array.mask as weight")
    kind = getattr(array, "dtype", "")
    kind = str(getattr(kind, "name", kind)).rpartition(".")[2]  # torch.float32, tf.float32, np.dtype("float32")
    for step in ("detach", "cpu", *(["float"] if kind == "bfloat16" else [])):  # a tensor that is no array by itself
        array = getattr(array, step, lambda array=array: array)()
    try:
        try:
            found = np.asarray(array)
        except (TypeError, ValueError):  # a scalar of bfloat16 gives NumPy no array, but a scalar
            found = np.asarray(getattr(array, "numpy", lambda: array)())
    except (TypeError, ValueError, RuntimeError) as error:
        said = " ".join(str(error).split())[:200]
        hint = "in a compiled function there are no numbers yet: call it outside"
        raise InputError(
            f"{name} must be an array of real numbers (got {type(array).__name__}: {said})", hint
        ) from None
    if found.dtype.kind == "V" and found.dtype.itemsize == 2 and not found.dtype.names:
        # What NumPy makes of bfloat16 when it is saved.
        if dtype != "bfloat16" and found.dtype.name != "bfloat16":
            raise InputError(f"{name} holds 2 bytes a number without a dtype", "say --dtype bfloat16 if that is meant")
        return decode(Tensor("bfloat16", found.view(np.uint16))), "bfloat16"
    if found.dtype.kind not in _REAL:
        raise InputError(f"{name} must hold real numbers (got dtype {found.dtype})", "save it as floats")
    if found.size > LARGEST:
        raise InputError(f"{name} must hold at most {LARGEST} numbers (got {found.size})", "give a part of the batch")
    with np.errstate(over="ignore"):  # of a long double
        return found.astype(np.float64), kind or found.dtype.name


def _broadcast(*shapes: tuple[int, ...]) -> tuple[int, ...]:
    """The shape that arrays have together; () where they have none, unless all are scalars."""
    try:
        return np.broadcast_shapes(*shapes)
    except ValueError:
        return (-1,)


def together(batch: Batch) -> int:
    """How many losses prediction and label make if they are broadcast; 0 where they cannot be."""
    shape = _broadcast(batch.prediction.shape, batch.label.shape)
    return 0 if shape == (-1,) else prod(shape)


@dataclass(frozen=True)
class Exact:
    """Exact losses of the elements of a batch whose shapes fit, in order, with all options."""

    batch: Batch
    each: Floats

    @classmethod
    def of(cls, batch: Batch) -> Exact:
        """By `reference.loss`."""
        weight, factor, smoothing = batch.flat("weight"), batch.flat("pos_weight"), batch.label_smoothing or None
        return cls(batch, loss(batch.form, batch.x, batch.y, weight, factor, label_smoothing=smoothing).hi)

    @cached_property
    def total(self) -> float:
        """Their sum: of float64 numbers, pairwise, so right to some 2^-50 of the sum of sizes."""
        with np.errstate(all="ignore"):
            return float(np.sum(self.each))

    @property
    def mean(self) -> float:
        """Their mean over all elements."""
        return self.total / self.each.size

    @cached_property
    def smoothed(self) -> Floats:
        """The labels, smoothed."""
        return self.batch.y * (1 - self.batch.label_smoothing) + self.batch.label_smoothing / 2

    @cached_property
    def floor(self) -> float:
        """The least mean that any prediction reaches with these labels and weights; 0 for labels 0 and 1."""
        batch = self.batch
        y = self.smoothed
        soft = (y > 0) & (y < 1)
        if not soft.any() or not ((y >= 0) & (y <= 1)).all():  # beyond, there is no least loss
            return 0.0
        y = y[soft]
        weight, factor = (1.0 if one is None else one[soft] for one in map(batch.flat, ("weight", "pos_weight")))
        with np.errstate(all="ignore"):
            best = factor * y / (factor * y + (1 - y))  # where the derivative of the loss by p is 0
            at1, at0 = terms("probabilities", best)
            return float(np.sum(weight * mixed(factor * at1, at0, y))) / soft.size

    @property
    def expected(self) -> Floats:
        """What the training should have seen: one number, or one for each element."""
        seen, kind = self.batch.seen, self.batch.reduction
        if kind == "none" or (seen is not None and seen.size == self.each.size > 1):
            return self.each
        return np.array(self.total if kind == "sum" else self.mean)

    @cached_property
    def right(self) -> bool:
        """Whether the number seen is the exact one: to 0.1 %, or four decimals; infinite where that is."""
        return self._near(self.expected) or self.masked_mean

    @cached_property
    def masked_mean(self) -> bool:
        """Whether the number seen is the mean over what a mask of 0 and 1 leaves, and not over all elements."""
        batch = self.batch
        if not batch.masked or batch.reduction not in ("", "mean") or self._near(self.expected):
            return False
        return self._near(np.array(self.total / np.count_nonzero(batch.counted)))

    def _near(self, wanted: Floats) -> bool:
        assert self.batch.seen is not None  # only then one asks
        seen = self.batch.seen.ravel()
        printed = half_digit(float(seen[0])) if seen.size == 1 else 0.0
        with np.errstate(invalid="ignore"):
            allowed = np.maximum(drift(self.batch) * np.abs(wanted) + DECIMAL, printed)
            near = np.isfinite(wanted) & (np.abs(seen - wanted) <= allowed)
            near |= seen == wanted
        return bool((near | (np.isnan(wanted) & np.isnan(seen))).all())


def computed_in(batch: Batch) -> str:
    """The dtype of the steps: float32 under autocast, for the forms of which a framework does that."""
    spoken = FRAMEWORKS.get(batch.framework)
    forms = ("logits",) if spoken is None else spoken.autocasts
    return "float32" if batch.autocast and batch.form in forms else batch.dtype


def drift(batch: Batch) -> float:
    """Relative error of a loss that is called wrong: 0.1 %, and 1 % in 16 bits, which have three digits."""
    return MISLEADING if FORMATS[computed_in(batch)].width <= 16 else DRIFTING


def half_digit(seen: float) -> float:
    """Half a unit of the last digit that a number has: 0.69 may stand for 0.6931.

    0 for what has less than two decimals or digits: 0.5 is a number, and not another one that was printed so.
    """
    half = 0.5 * 10.0 ** int(Decimal(repr(seen)).as_tuple().exponent) if seen and np.isfinite(seen) else 0.0
    return half if half <= max(0.005, 0.01 * abs(seen)) else 0.0


def terms(form: str, x: Floats) -> tuple[Floats, Floats]:
    """The losses at label 1 and at label 0, in plain float64: numbers of mistakes are compared in six digits."""
    if form == "probabilities":
        return -np.log(x), -np.log1p(-x)
    tail = np.log1p(np.exp(-np.abs(x)))
    return np.maximum(-x, 0) + tail, np.maximum(x, 0) + tail


def mixed(at1: Floats, at0: Floats, label: Floats) -> Floats:
    """The losses at labels between; a term whose factor is 0 is 0."""
    return np.where(label == 0, 0, label * at1) + np.where(label == 1, 0, (1 - label) * at0)
