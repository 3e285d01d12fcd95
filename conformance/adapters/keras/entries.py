"""The entry points of Keras, the modes that they are run in, and what each one is declared to do."""

from __future__ import annotations

from typing import Any, Callable, Dict, List, Tuple

from conformance.adapters import Call, Implementation
from conformance.adapters.keras.calls import function_loss, object_loss, ops_loss
from conformance.adapters.keras.contracts import (
    DOCS,
    cast,
    mean_of_all,
    mean_of_last_axis,
    mean_of_weights,
    of_focal_logits,
    of_logits,
    of_probabilities,
)
from conformance.adapters.keras.runtime import DEVICE
from conformance.contracts import Contract

#: The modes of each backend: eager, and the compilers that Keras itself uses there (`jit_compile`).
MODES = {
    "tensorflow": ("eager", "function", "xla"),
    "torch": ("eager", "compile"),
    "jax": ("eager", "jit"),
    "numpy": ("eager",),
    "openvino": ("eager",),
}

#: The entry points that are also run under torch.compile.
COMPILED = ("ops.binary_crossentropy", "losses.binary_crossentropy")

LOSSES = DOCS + "losses/probabilistic_losses/#"


def implementations(backend: str) -> List[Implementation]:
    """Every entry point on probabilities and on logits, in every mode of `backend` that runs it."""
    return [
        implementation
        for mode in MODES[backend]
        for implementation in _in_mode(backend, mode)
        if _runs(backend, mode, implementation.entry.replace("[from_logits]", ""))
    ]


def _runs(backend: str, mode: str, entry: str) -> bool:
    """Whether a mode runs an entry point: where that takes long, those stand for the others that show something else.

    torch.compile takes seconds for each loss, dtype and rank, jax.jit tenths of a second, OpenVINO as long for each
    result that is read; the elementwise operation and the function that `Model.compile` makes of "binary_crossentropy"
    go through them.  JAX compiles every primitive that it runs op by op, and the object of the focal loss has the most.
    """
    if mode in ("compile", "jit") or backend == "openvino":
        return entry in COMPILED
    return (backend, mode, entry) != ("jax", "eager", "losses.BinaryFocalCrossentropy")


def _in_mode(backend: str, mode: str) -> List[Implementation]:
    where: Dict[str, Any] = {"mode": mode, "device": DEVICE if backend in ("tensorflow", "torch", "jax") else "cpu"}
    plain = (of_probabilities(backend), of_logits(backend))
    focal = (of_probabilities(backend), of_focal_logits(backend))
    smoothing, of_focal = ("label_smoothing",), ("gamma", "alpha", "label_smoothing")
    function, focal_function = LOSSES + "binary_crossentropy-function", LOSSES + "binary_focal_crossentropy-function"
    loss, focal_loss = LOSSES + "binarycrossentropy-class", LOSSES + "binaryfocalcrossentropy-class"
    return (
        _pair("ops.binary_crossentropy", ops_loss, plain, link=DOCS + "ops/nn/#binarycrossentropy-function", **where)
        + _pair(
            "losses.binary_crossentropy",
            lambda from_logits: function_loss("binary_crossentropy", from_logits),
            plain,
            (mean_of_last_axis(function),),
            reductions=("none", "mean"),
            parameters=smoothing,
            link=function,
            main=backend == "openvino",  # where the class is not run
            **where,
        )
        + _pair(
            "losses.BinaryCrossentropy",
            lambda from_logits: object_loss("BinaryCrossentropy", from_logits),
            plain,
            (cast(loss), mean_of_all(loss)),
            reductions=("none", "mean", "sum"),
            options=("weight",),
            parameters=smoothing,
            link=loss,
            main=True,
            **where,
        )
        + _pair(
            "losses.BinaryCrossentropy[mean_with_sample_weight]",
            lambda from_logits: object_loss("BinaryCrossentropy", from_logits, "mean_with_sample_weight"),
            plain,
            (cast(loss), mean_of_weights(loss)),
            reductions=("mean",),
            options=("weight",),
            parameters=smoothing,
            link=loss,
            **where,
        )
        + _pair(
            "losses.binary_focal_crossentropy",
            lambda from_logits: function_loss("binary_focal_crossentropy", from_logits),
            focal,
            (mean_of_last_axis(focal_function),),
            reductions=("none", "mean"),
            parameters=of_focal,
            link=focal_function,
            **where,
        )
        + _pair(
            "losses.BinaryFocalCrossentropy",
            lambda from_logits: object_loss("BinaryFocalCrossentropy", from_logits),
            focal,
            (cast(focal_loss), mean_of_all(focal_loss)),
            reductions=("none", "mean", "sum"),
            parameters=of_focal,
            link=focal_loss,
            **where,
        )
    )


def _pair(
    entry: str,
    call: Callable[[bool], Call],
    of_form: Tuple[Contract, Contract],
    contract: Contract = (),
    **declared: Any,
) -> List[Implementation]:
    """One entry point on probabilities and, `call(from_logits=True)`, on logits; `contract` holds for both."""
    of_logits = entry + "[from_logits]"
    of_probabilities, of_logit = of_form
    return [
        Implementation(
            entry,
            "probabilities",
            call(False),
            contract=of_probabilities + contract,
            counterpart=of_logits,
            **declared,
        ),
        Implementation(of_logits, "logits", call(True), contract=of_logit + contract, counterpart=entry, **declared),
    ]
