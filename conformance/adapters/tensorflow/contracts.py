"""What the documentation of TensorFlow says of its losses."""

from __future__ import annotations

from conformance.contracts import Epsilon, Formula, Source

DOCS = "https://www.tensorflow.org/api_docs/python/tf/"
VERSIONS = "2.21.0"

SIGMOID_FORMULA = Formula(
    "tf-sigmoid-cross-entropy",
    Source(
        "Hence, to ensure stability and avoid overflow, the implementation uses this equivalent "
        "formulation: max(x, 0) - x * z + log(1 + exp(-abs(x)))",
        DOCS + "nn/sigmoid_cross_entropy_with_logits",
        VERSIONS,
    ),
)

WEIGHTED_FORMULA = Formula(
    "tf-weighted-cross-entropy",
    Source(
        "Setting l = (1 + (q - 1) * z), to ensure stability and avoid overflow, the implementation "
        "uses (1 - z) * x + l * (log(1 + exp(-abs(x))) + max(-x, 0))",
        DOCS + "nn/weighted_cross_entropy_with_logits",
        VERSIONS,
    ),
)

LOG_EPSILON = Epsilon(
    1e-7,
    Source(
        "log_loss(labels, predictions, weights=1.0, epsilon=1e-07, ...) "
        "epsilon: A small increment to add to avoid taking a log of zero.",
        DOCS + "compat/v1/losses/log_loss",
        VERSIONS,
    ),
)
