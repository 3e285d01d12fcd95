"""Expected values of binary cross-entropy: pure NumPy float64, no framework, no I/O.

This is the only place where expected values are computed. `loss`, `gradient_prediction`, `gradient_label` and
`second_derivative` give a `Reference` (hi, lo, bound, scale); `exact_sum` and `exact_mean` reduce one.
`reference.plain` has the same quantities in plain float64. Definitions and measured accuracy: docs/reference.md.
"""

from __future__ import annotations

from reference.bce import Reference, gradient_label, gradient_prediction, loss, second_derivative
from reference.reductions import as_reference, exact_mean, exact_sum
from reference.special import FORMS

__all__ = [
    "FORMS",
    "Reference",
    "as_reference",
    "exact_mean",
    "exact_sum",
    "gradient_label",
    "gradient_prediction",
    "loss",
    "second_derivative",
]
