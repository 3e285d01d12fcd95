"""The entry points of JAX and Optax, and what each one is declared to do."""

from __future__ import annotations

from typing import Any, Callable, Dict, List, Tuple

from conformance.adapters import Implementation
from conformance.adapters.jax.calls import (
    bernoulli_logpmf,
    formula,
    label_probabilities,
    sigmoid_binary_cross_entropy,
    sigmoid_focal_loss,
    softmax_cross_entropy,
)
from conformance.adapters.jax.runtime import DEVICE

OPTAX = "https://optax.readthedocs.io/en/latest/api/losses.html#optax.losses."
DOCS = "https://docs.jax.dev/en/latest/"

#: entry, form, call, and what else an implementation declares.
ENTRIES: Tuple[Tuple[str, str, Callable[..., Any], Dict[str, Any]], ...] = (
    (
        "optax.sigmoid_binary_cross_entropy",
        "logits",
        sigmoid_binary_cross_entropy,
        {"link": OPTAX + "sigmoid_binary_cross_entropy", "counterpart": "formula"},
    ),
    (
        "optax.losses.sigmoid_focal_loss",
        "logits",
        sigmoid_focal_loss,
        {"link": OPTAX + "sigmoid_focal_loss", "parameters": ("gamma", "alpha")},
    ),
    (
        "optax.losses.softmax_cross_entropy[two-class]",
        "logits",
        softmax_cross_entropy,
        {"link": OPTAX + "softmax_cross_entropy"},
    ),
    (
        "scipy.stats.bernoulli.logpmf",
        "probabilities",
        bernoulli_logpmf,
        {
            "link": DOCS + "_autosummary/jax.scipy.stats.bernoulli.logpmf.html",
            "labels": "hard",
            "counterpart": "optax.sigmoid_binary_cross_entropy",
        },
    ),
    (
        "formula",
        "probabilities",
        formula,
        {"link": DOCS + "_autosummary/jax.numpy.log1p.html", "counterpart": "optax.sigmoid_binary_cross_entropy"},
    ),
    (
        "formula[label_probs]",
        "probabilities",
        label_probabilities,
        {
            "link": DOCS + "automatic-differentiation.html#computing-gradients-in-a-linear-logistic-regression",
            "labels": "hard",
            "counterpart": "optax.sigmoid_binary_cross_entropy",
        },
    ),
)


def implementations(modes: Tuple[str, ...], of: Callable[[str], bool] = lambda entry: True) -> List[Implementation]:
    """The entries that `of` chooses, in all `modes`."""
    return [
        Implementation(entry, form, call, mode=mode, device=DEVICE, **declared)
        for mode in modes
        for entry, form, call, declared in ENTRIES
        if of(entry)
    ]
