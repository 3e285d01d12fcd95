"""What is wrong with the loss of one batch: `from conformance import doctor, watch`.

`doctor` examines one batch, `watch` keeps the first of a training that has a fault.  NumPy only; no framework is
imported, and a tensor is read by what it says of itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from conformance.checkup.arriving import ROUNDING, arriving, squeezed
from conformance.checkup.batch import DECIMAL, SEEN, Batch, Exact, Finding, mixed, of_arrays, of_file, terms
from conformance.checkup.frameworks import PLAIN, older_or_newer, remedy
from conformance.checkup.losses import Modelled, of_loss
from conformance.checkup.seen import of_seen
from conformance.errors import InputError

#: What a line of a remedy is indented by.
CODE = " " * 6
#: A loss within this part of its floor cannot fall any more.
AT_FLOOR = 0.02
#: Elements from which on a batch says something of its network.
MANY = 16

__all__ = ["CODE", "Finding", "Report", "doctor", "doctor_of_file", "watch"]


@dataclass(frozen=True)
class Report:
    """What was found of a batch, worst first, and what holds of it: `str` of it is what the command prints."""

    batch: Batch
    findings: tuple[Finding, ...]
    exact: Exact | None
    modelled: Modelled | None = None
    inferred: bool = False

    @property
    def healthy(self) -> bool:
        """Whether nothing was found."""
        return not self.findings

    @property
    def faults(self) -> tuple[str, ...]:
        """The names of what was found."""
        return tuple(dict.fromkeys(one.fault for one in self.findings))

    def __str__(self) -> str:
        return "\n".join(self._lines())

    def _lines(self) -> Iterator[str]:
        batch = self.batch
        yield (
            f"{batch.prediction.size} predictions ({batch.form}, {batch.dtype}, shape {batch.prediction.shape}), "
            f"labels {batch.kinds['label']}" + (f", {batch.framework}" if batch.framework else "")
        )
        if self.inferred:
            yield f"{batch.form} by their numbers: say what they are by form, if they are not"
        if batch.version and (other := older_or_newer(batch.framework, batch.version)):
            yield other
        for number, one in enumerate(self.findings, 1):
            yield f"{number}. {one.grade}: {one.fault}: {one.says}"
            yield f"   instead ({batch.framework or PLAIN}):"
            yield from (f"{CODE}{line}" for line in remedy(one.fault, batch.framework, batch.form, one.values))
        if self.exact is not None:
            yield from _facts(self.exact, self.modelled)
            yield from _of_network(self.exact)
        moved = self.modelled.moved() if self.modelled is not None else None
        if self.modelled is not None and moved is not None:
            mean, error = moved
            by = f"{mean:+.2g}" if abs(mean) > 1e-12 else "less than 1e-12"
            yield f"by its formula {self.modelled.said} moves this mean by {by}, and its gradient is off by {error:.1e}"
        if self.healthy:
            yield _clean(self.exact)


def _facts(exact: Exact, modelled: Modelled | None) -> Iterator[str]:
    """What holds of the batch, whether or not it has a fault."""
    batch = exact.batch
    if not np.isfinite(exact.total):
        yield f"exact loss: {exact.total:g}"
    else:
        worst = int(np.argmax(exact.each))
        most, where = float(exact.each[worst]), batch.place(worst)
        yield f"exact loss: mean {exact.mean:.6g}, sum {exact.total:.6g}, largest {most:.4g} at {where}"
        if exact.each.size >= MANY and exact.total / 2 < most and exact.mean > DECIMAL:
            yield f"{most / exact.total:.0%} of it is that of one element of {exact.each.size}: the one at {where}"
    if batch.seen is not None and batch.seen.size == 1:
        seen = f"seen: {float(batch.seen.ravel()[0]):.6g}"
        if exact.masked_mean:
            left, count = int(np.count_nonzero(batch.counted)), exact.each.size
            over = f"the mean over the {left} of weight 1; over all {count} it is {exact.mean:.6g}"
            yield f"{seen}, which is right as {over}"
        elif not exact.right and modelled is not None and modelled.explains:
            yield f"{seen}, which is what {modelled.said} makes of that"
        else:
            yield f"{seen}, which is {'what these inputs make' if exact.right else 'not that'}"
    if exact.floor > 0:
        at = exact.mean - exact.floor <= AT_FLOOR * exact.floor
        fall = "the loss is there and cannot fall" if at else "a loss there cannot fall"
        yield f"floor: labels between 0 and 1 keep the mean above {exact.floor:.4g}; {fall}"


def _of_network(exact: Exact) -> Iterator[str]:
    """What the predictions say of the network that made them."""
    batch, flat = exact.batch, exact.batch.x
    low, high = float(flat.min()), float(flat.max())
    if batch.form == "logits" and flat.size > 1 and low >= 0 and high <= 1:
        yield "all logits lie in [0, 1]: as those of a fresh network may, or because a sigmoid came before the loss"
    if batch.weight is not None or batch.pos_weight is not None:
        return
    if abs(exact.mean - np.log(2)) < 0.01:  # two decimals
        yield "0.69 is log 2, the loss of a network that says p = 1/2: that of one that has learnt nothing yet"
    share = float(np.mean(batch.y))
    if flat.size < MANY or not 0 < share < 1:
        return
    if low == high:
        yield f"all {flat.size} predictions are {low:.6g}: nothing of its inputs reaches the output of the network"
        return
    said = -share * np.log(share) - (1 - share) * np.log1p(-share)
    if high - low <= SPREAD * max(abs(low), abs(high)) and abs(exact.mean - said) <= AT_FLOOR * said:
        yield f"predictions are nearly alike, and the mean is that of saying {share:.3g}, the share of ones, everywhere"


#: Predictions that differ by a smaller part of themselves are nearly alike.
SPREAD = 0.1


def _clean(exact: Exact | None) -> str:
    """The clean bill."""
    if exact is not None and exact.batch.seen is not None:
        return "clean bill: the loss seen is right, and nothing is wrong with what went into it"
    return "clean bill: nothing is wrong with what goes into this loss; give the loss that you saw, too, to judge it"


def doctor(
    prediction: Any, label: Any, *, loss: Any = None, weight: Any = None, pos_weight: Any = None, **asked: Any
) -> Report:
    """Tell what is wrong with the loss of a batch.

    `prediction` and `label` are arrays or tensors of any shape, `loss` is what the training saw: a number, or one for
    each element.  `asked` may name `form` ("logits" or "probabilities"), `framework` (torch, tensorflow, keras, jax or
    numpy, with its version as in torch==2.8 if you like), `dtype`, if another than the prediction's is computed in,
    `reduction` ("none", "mean" or "sum"), `label_smoothing`, the `epsilon` of a clip that you wrote, and `autocast`.
    Without `form` it is inferred from the numbers.

    Raises InputError that names the array or the argument that cannot be taken.
    """
    arrays = {"prediction": prediction, "label": label, "weight": weight, "pos_weight": pos_weight, SEEN: loss}
    return examined(of_arrays(arrays, **_known(asked)))


def doctor_of_file(file: Path, **asked: Any) -> Report:
    """The same of an .npz file with these arrays by name.  Raises InputError that names the file."""
    return examined(of_file(file, **_known(asked)))


def _known(asked: dict[str, Any]) -> dict[str, Any]:
    """What was asked for.  Raises InputError for an argument that there is not."""
    names = ("form", "framework", "dtype", "reduction", "label_smoothing", "epsilon", "autocast")
    for name in asked:
        if name not in names:
            raise InputError(f"doctor takes {', '.join(names)} (got {name!r})")
    return asked


def examined(given: Batch) -> Report:
    """All that is found of a batch."""
    batch = formed(squeezed(given))
    findings = list(arriving(batch))
    exact = modelled = None
    if batch.fits and not any(one.fault in NO_LOSS for one in findings):
        with np.errstate(all="ignore"):
            exact = Exact.of(batch)
            if not any(one.fault in ("logits-as-probabilities", "exchanged") for one in findings):
                modelled = Modelled.of(exact)
                findings += of_loss(exact, modelled)
            findings += of_seen(exact, modelled, bool(findings))
    kept: dict[str, Finding] = {}
    follows = {after for one in findings for after in FOLLOWS.get(one.fault, ())}
    for one in (one for one in findings if one.fault not in follows):
        kept.setdefault(one.fault if one.fault != "nan-in" else one.says, one)
    worst_first = tuple(sorted(kept.values(), key=lambda one: one.grade))
    return Report(batch, worst_first, exact, modelled, inferred=not given.form)


#: Faults that are gone with another one.
FOLLOWS = {
    "one-hot": ("labels-classes", "labels-integer"),
    "exchanged": ("labels-outside",),
    "infinity-in": ("nan-formula",),
}

#: Faults after which there is no loss to speak of.
NO_LOSS = ("nan-in", "labels-nan", "shape", "two-columns", "softmax-columns", "one-hot")


def formed(batch: Batch) -> Batch:
    """The batch with a form: what was said; else logits if a prediction is outside [0, 1], or if the loss seen says so.

    Otherwise predictions are taken for probabilities.
    """
    if batch.form:
        return batch
    with np.errstate(invalid="ignore"):
        outside = bool(((batch.prediction < -ROUNDING) | (batch.prediction > 1 + ROUNDING)).any())
    if outside:
        return replace(batch, form="logits")
    as_logits, as_probabilities = (replace(batch, form=form) for form in ("logits", "probabilities"))
    if batch.seen is not None and batch.fits and _saw(as_logits) and not _saw(as_probabilities):
        return as_logits
    return as_probabilities


def _saw(batch: Batch) -> bool:
    """Whether the loss seen is that of a form, computed plainly."""
    weight, factor = (1.0 if one is None else one for one in map(batch.flat, ("weight", "pos_weight")))
    with np.errstate(all="ignore"):
        at1, at0 = terms(batch.form, batch.x)
        smoothed = batch.y * (1 - batch.label_smoothing) + batch.label_smoothing / 2
        return Exact(batch, weight * mixed(factor * at1, at0, smoothed)).right


def _option(name: str, value: Any) -> str:
    """An argument as the command takes it."""
    flag = f"--{name.replace('_', '-')}"
    return flag if value is True else f"{flag} {value}"


@dataclass
class watch:  # called like a function, as contextlib's are
    """Keep the first batch of a training that has a fault.

        with watch(form="logits", file="batch.npz") as watched:
            for batch in batches:
                ...
                watched(prediction, label, loss=loss)

    `watched` takes the arguments of `doctor`, and returns the report of a batch that it keeps, else None.  It says what
    it found on the way out, and writes the batch to `file`, which `bce-conformance doctor` reads.  After the first it
    looks at no further one.
    """

    asked: dict[str, Any]
    file: Path | None = None
    report: Report | None = None
    seen: int = field(default=0)

    def __init__(self, file: str | Path | None = None, **asked: Any) -> None:
        self.asked, self.file, self.report, self.seen = _known(asked), Path(file) if file else None, None, 0

    def __enter__(self) -> watch:
        return self

    def __call__(self, prediction: Any, label: Any, **given: Any) -> Report | None:
        """Look at one batch."""
        if self.report is not None:
            return None
        self.seen += 1
        report = doctor(prediction, label, **given, **self.asked)
        if report.healthy:
            return None
        self.report = report
        if self.file is not None:
            batch = report.batch
            arrays = {name: one.astype(batch.saved_as(name)) for name, one in batch.inputs.items()}
            if batch.seen is not None:
                arrays[SEEN] = batch.seen
            np.savez(self.file, **arrays)  # type: ignore[arg-type]  # none is called allow_pickle
        return report

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self.report is not None:
            print(f"batch {self.seen}: {self.report}")
            if self.file is not None:
                batch = self.report.batch
                given = {"form": batch.form, "dtype": batch.dtype, **self.asked}
                options = " ".join(_option(name, value) for name, value in given.items() if value)
                print(f"kept: bce-conformance doctor {self.file} {options}")
