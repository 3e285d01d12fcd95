"""What is evaluated: the two forms, the quantities, and the inputs of one evaluation."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from reference.doubledouble import Array

PROBABILITIES = "probabilities"
LOGITS = "logits"
FORMS = (PROBABILITIES, LOGITS)

VALUE = "value"
GRADIENT_PREDICTION = "gradient-prediction"
GRADIENT_LABEL = "gradient-label"
GRADIENT_WEIGHT = "gradient-weight"
GRADIENT_POS_WEIGHT = "gradient-pos_weight"
SECOND_DERIVATIVE = "second-derivative"


class Operands(NamedTuple):
    """Inputs of one evaluation: float64 arrays that broadcast against each other, and numbers that hold for all."""

    prediction: Array
    label: Array
    weight: Array | None
    pos_weight: Array | None
    log_clamp: float | None = None
    epsilon: float | None = None
    label_smoothing: float | None = None
    gamma: int | None = None
    alpha: float | None = None
