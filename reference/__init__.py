"""Expected values of binary cross-entropy: pure NumPy float64, no framework, no I/O.

This is the only place where expected values are computed. `loss`, its gradients and `second_derivative`, which
`FUNCTIONS` holds by their quantities, give a `Reference` (hi, lo, bound, scale); `exact_sum` and `exact_mean` reduce
one, `reduction_bound` says how far a sum in floating-point arithmetic may be from that.
Definitions and measured accuracy: docs/reference.md.
"""

from __future__ import annotations

from reference.bce import (
    FUNCTIONS,
    Reference,
    gradient_label,
    gradient_pos_weight,
    gradient_prediction,
    gradient_weight,
    loss,
    second_derivative,
)
from reference.operands import FORMS
from reference.reductions import as_reference, exact_mean, exact_sum, exact_total, reduction_bound

__all__ = [
    "FORMS",
    "FUNCTIONS",
    "Reference",
    "as_reference",
    "exact_mean",
    "exact_sum",
    "exact_total",
    "gradient_label",
    "gradient_pos_weight",
    "gradient_prediction",
    "gradient_weight",
    "loss",
    "reduction_bound",
    "second_derivative",
]
