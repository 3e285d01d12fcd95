"""The entry points of TensorFlow, and what each one is declared to do."""

from __future__ import annotations

from typing import Any, Iterable, List, Tuple

from conformance.adapters import Call, Implementation, whole
from conformance.adapters.tensorflow import modes
from conformance.adapters.tensorflow.calls import (
    log_loss,
    sigmoid_cross_entropy,
    sigmoid_cross_entropy_with_logits,
    softmax_cross_entropy_with_logits,
    weighted_cross_entropy_with_logits,
)
from conformance.adapters.tensorflow.contracts import DOCS, LOG_EPSILON, SIGMOID_FORMULA, WEIGHTED_FORMULA
from conformance.adapters.tensorflow.runtime import DEVICE
from conformance.contracts import Contract


def in_modes(
    modes: Iterable[str],
    entry: str,
    form: str,
    call: Call,
    reductions: Tuple[str, ...] = ("none",),
    contract: Contract = (),
    **declared: Any,
) -> List[Implementation]:
    """One entry point in each of `modes`, on the chosen device."""
    return [
        Implementation(
            entry,
            form,
            call,
            # One element at a time there is nothing to reduce.
            reductions=("none",) if mode == "vmap" else reductions,
            contract=contract,
            mode=mode,
            device=DEVICE,
            **declared,
        )
        for mode in modes
    ]


def implementations() -> List[Implementation]:
    """Every entry point in every mode."""
    every = whole(modes.MODES)
    return (
        in_modes(
            every,
            "nn.sigmoid_cross_entropy_with_logits",
            "logits",
            sigmoid_cross_entropy_with_logits,
            contract=(SIGMOID_FORMULA,),
            link=DOCS + "nn/sigmoid_cross_entropy_with_logits",
        )
        + in_modes(
            every,
            "nn.weighted_cross_entropy_with_logits",
            "logits",
            weighted_cross_entropy_with_logits,
            options=("pos_weight",),
            contract=(WEIGHTED_FORMULA,),
            link=DOCS + "nn/weighted_cross_entropy_with_logits",
        )
        + in_modes(
            every,
            "nn.softmax_cross_entropy_with_logits",
            "logits",
            softmax_cross_entropy_with_logits,
            link=DOCS + "nn/softmax_cross_entropy_with_logits",
        )
        + in_modes(
            every,
            "compat.v1.losses.log_loss",
            "probabilities",
            log_loss,
            options=("weight",),
            reductions=("none", "mean", "sum"),
            contract=(LOG_EPSILON,),
            link=DOCS + "compat/v1/losses/log_loss",
            counterpart="compat.v1.losses.sigmoid_cross_entropy",
        )
        + in_modes(
            every,
            "compat.v1.losses.sigmoid_cross_entropy",
            "logits",
            sigmoid_cross_entropy,
            options=("weight",),
            parameters=("label_smoothing",),
            reductions=("none", "mean", "sum"),
            # "Creates a cross-entropy loss using tf.nn.sigmoid_cross_entropy_with_logits": its documentation applies.
            contract=(SIGMOID_FORMULA,),
            link=DOCS + "compat/v1/losses/sigmoid_cross_entropy",
            counterpart="compat.v1.losses.log_loss",
        )
    )
