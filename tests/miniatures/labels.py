"""Labels that are changed, or checked otherwise than is documented."""

from __future__ import annotations

from typing import Any

import numpy as np

from conformance.contracts import DomainCheck
from conformance.diagnosis.vocabulary import Mechanism
from tests.miniatures.base import Logits, Probabilities
from tests.miniatures.registry import wrong
from tests.miniatures.right import SOURCE

CHECKS_LABEL = (DomainCheck("label", "ValueError", SOURCE),)


@wrong()
class ClipsLabels(Probabilities):
    """Labels are clipped to [0, 1]: the question's suspicion."""

    mechanism = (Mechanism.UNDOCUMENTED_CLAMP,)

    def label(self, label: Any, **parameters: float) -> Any:
        return np.clip(label, 0.0, 1.0)


@wrong()
class RoundsLabels(Probabilities):
    """Soft labels are rounded to hard ones."""

    mechanism = (Mechanism.WRONG_TERM,)

    def label(self, label: Any, **parameters: float) -> Any:
        return np.round(label)


@wrong()
class CastsLabelsToInt(Probabilities):
    """Labels are cast to integers, so that every soft label is 0."""

    mechanism = (Mechanism.WRONG_TERM,)

    def label(self, label: Any, **parameters: float) -> Any:
        return np.where(np.isfinite(label), np.trunc(label), label)


@wrong()
class AbsoluteLabels(Logits):
    """A label loses its sign."""

    mechanism = (Mechanism.WRONG_TERM,)

    def label(self, label: Any, **parameters: float) -> Any:
        return np.abs(label)


@wrong(rare=True)
class NaNLabelIsZero(Probabilities):
    """A label NaN, as of a missing value, is taken for 0."""

    mechanism = (Mechanism.MISSING_CHECK,)

    def label(self, label: Any, **parameters: float) -> Any:
        return np.where(np.isnan(label), 0.0, label)


@wrong(rare=True)
class NaNLabelIsMasked(Logits):
    """An element whose label is NaN has the loss 0."""

    mechanism = (Mechanism.MISSING_CHECK,)

    def value(self, x: Any, y: Any, w: Any, q: Any) -> Any:
        return np.where(np.isnan(y), 0.0, super().value(x, y, w, q))


@wrong()
class PixelLabels(Logits):
    """Labels above 1 are divided by 255."""

    mechanism = (Mechanism.WRONG_TERM,)

    def label(self, label: Any, **parameters: float) -> Any:
        return np.where(label > 1, label / 255.0, label)


@wrong(report="pytorch/pytorch#15262")
class AcceptsLabels(Probabilities):
    """Documents a check of the label and does not check it."""

    contract = CHECKS_LABEL


class ChecksLabels(Probabilities):
    """Checks the label by a method of its own."""

    contract = CHECKS_LABEL

    def outside(self, label: Any) -> Any:
        """Which labels are refused."""
        return (label < 0) | (label > 1)

    def check(self, prediction: Any, label: Any, weight: Any, pos_weight: Any) -> None:
        super().check(prediction, label, weight, pos_weight)
        if self.outside(label).any():
            raise ValueError("labels must lie between 0 and 1")


@wrong()
class ChecksOneSide(ChecksLabels):
    """The check of the label finds what is below 0 and not what is above 1."""

    def outside(self, label: Any) -> Any:
        return label < 0


@wrong(rare=True)
class ChecksWithTolerance(ChecksLabels):
    """The check of the label tolerates 1e-6 beyond the bounds."""

    def outside(self, label: Any) -> Any:
        return (label < -1e-6) | (label > 1 + 1e-6)


@wrong()
class ChecksStrictly(ChecksLabels):
    """The check of the label refuses 1 itself."""

    def outside(self, label: Any) -> Any:
        return (label < 0) | (label >= 1)


@wrong(rare=True)
class ChecksSignBit(ChecksLabels):
    """The check of the label refuses -0, which equals 0."""

    def outside(self, label: Any) -> Any:
        return np.signbit(label) | (label > 1)


@wrong(rare=True)
class ChecksMean(ChecksLabels):
    """The check of the label looks at the mean of the labels."""

    def outside(self, label: Any) -> Any:
        return super().outside(np.mean(label.astype(np.float64)))


@wrong()
class RaisesAnotherType(ChecksLabels):
    """The check of the label raises a TypeError where a ValueError is documented."""

    def check(self, prediction: Any, label: Any, weight: Any, pos_weight: Any) -> None:
        try:
            super().check(prediction, label, weight, pos_weight)
        except ValueError as error:
            raise TypeError(str(error)) from None


@wrong(report="pytorch/pytorch#193757")
class AcceptsPredictions(Probabilities):
    """Documents a check of the prediction and does not check it."""

    contract = (DomainCheck("prediction", "ValueError", SOURCE),)
