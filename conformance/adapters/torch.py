"""PyTorch: the two functions of torch.nn.functional, run eagerly on the CPU.

Read: the docstrings of torch 2.13.0 (torch/nn/functional.py, torch/nn/modules/loss.py).
"""

from __future__ import annotations

import importlib
import os
from typing import Any, Dict, Tuple

import numpy as np

from conformance.adapters import VARIABLE, Adapter, Arguments, Implementation, Runtime, threads, where_cpu_has
from conformance.contracts import DomainCheck, LogClamp, Reduction, Source
from conformance.formats import FORMATS, Tensor

DOCS = "https://docs.pytorch.org/docs/2.13/generated/torch.nn."
KERNEL = "https://github.com/pytorch/pytorch/blob/v2.13.0/aten/src/ATen/native/Loss.cpp"
VERSIONS = "2.13.0"


def _torch() -> Any:
    """The framework, imported on first use: a process that only reads declarations must not load it."""
    return importlib.import_module("torch")


class TorchRuntime(Runtime):
    """Tensors on the CPU, one thread, derivatives by torch.autograd.grad."""

    packages: Tuple[str, ...] = ("torch", "numpy")
    cost = 1
    settings = (
        {},
        {"ATEN_CPU_CAPABILITY": "default"},
        *where_cpu_has("avx2", ATEN_CPU_CAPABILITY="avx2"),
        *where_cpu_has("avx512vl", ATEN_CPU_CAPABILITY="avx512"),
        {"BCE_THREADS": "2"},
        {"BCE_ONEDNN": "0"},
    )

    def open(self) -> None:
        _torch().set_num_threads(threads())
        if os.environ.get("BCE_ONEDNN") == "0":
            _torch().backends.mkldnn.enabled = False

    def environment(self) -> Dict[str, Any]:
        torch = _torch()
        # torch.backends.cpu is and its get_cpu_capability came with torch 2: older versions do not say.
        capability = getattr(getattr(torch.backends, "cpu", None), "get_cpu_capability", None)
        onednn = getattr(torch.backends, "mkldnn", None)
        return {
            "cpu-capability": capability() if capability is not None else "unknown",
            "threads": torch.get_num_threads(),
            "onednn-available": onednn is not None and bool(onednn.is_available()),
            "onednn-enabled": getattr(onednn, "enabled", "unknown"),
        }

    def tensor(self, tensor: Tensor) -> Any:
        torch = _torch()
        own = np.array(tensor.bits)  # torch shares memory with the array it is given: a copy of its own
        if tensor.dtype not in FORMATS:
            return torch.from_numpy(own)
        # The integer of the same width is a detour that keeps every bit, NaN payloads included.
        width = FORMATS[tensor.dtype].width
        return torch.from_numpy(own.view(np.dtype("int%d" % width))).view(getattr(torch, tensor.dtype))

    def bits(self, native: Any) -> Tensor:
        torch = _torch()
        if not isinstance(native, torch.Tensor):
            raise TypeError("returned %s, not a torch.Tensor" % type(native).__name__)
        name = str(native.dtype).replace("torch.", "")
        plain = native.detach().cpu().contiguous()
        if name in FORMATS:
            fmt = FORMATS[name]
            return Tensor(name, plain.view(getattr(torch, "int%d" % fmt.width)).numpy().view(fmt.storage))
        if name.startswith("float8"):  # NumPy has no such type
            return Tensor(name, plain.view(torch.uint8).numpy())
        return Tensor(name, plain.numpy())

    def evaluate(self, implementation: Implementation, quantity: str, arguments: Arguments) -> Any:
        if quantity == "value":
            return implementation.loss(arguments)
        name = VARIABLE[quantity]
        # detach: a leaf of its own that shares the storage, so that an in-place change of the input is still seen.
        variable = arguments[name].detach().requires_grad_(True)
        second = quantity == "second-derivative"
        first = _gradient(implementation.loss_of(name, arguments)(variable), variable, second)
        return _gradient(first, variable, False) if second else first


def _gradient(result: Any, variable: Any, again: bool) -> Any:
    """Gradient of the sum of `result` by `variable`; zeros where the result does not depend on it.

    `again` keeps the graph for another derivative.
    """
    torch = _torch()
    if not result.requires_grad:
        return torch.zeros_like(variable)
    (gradient,) = torch.autograd.grad(
        result, variable, grad_outputs=torch.ones_like(result), create_graph=again, allow_unused=True
    )
    return torch.zeros_like(variable) if gradient is None else gradient


def _reduced(reduction: str) -> Dict[str, str]:
    """The argument for `reduction`; "mean" is left out because it is the documented default, which is thus tested."""
    return {} if reduction == "mean" else {"reduction": reduction}


def binary_cross_entropy(prediction: Any, label: Any, reduction: str, weight: Any = None) -> Any:
    """torch.nn.functional.binary_cross_entropy."""
    return _torch().nn.functional.binary_cross_entropy(prediction, label, weight=weight, **_reduced(reduction))


def binary_cross_entropy_with_logits(
    prediction: Any, label: Any, reduction: str, weight: Any = None, pos_weight: Any = None
) -> Any:
    """torch.nn.functional.binary_cross_entropy_with_logits."""
    return _torch().nn.functional.binary_cross_entropy_with_logits(
        prediction, label, weight=weight, pos_weight=pos_weight, **_reduced(reduction)
    )


LOG_CLAMP = LogClamp(
    -100.0,
    Source(
        "Our solution is that BCELoss clamps its log function outputs to be greater than or equal to -100.",
        DOCS + "BCELoss.html",
        VERSIONS,
    ),
)

LABEL_CHECK = DomainCheck(
    "label",
    "RuntimeError",
    Source(
        "Note that the targets y should be numbers between 0 and 1. "
        "(kernel: TORCH_CHECK((target_val >= 0) && (target_val <= 1), "
        '"all elements of target should be between 0 and 1"))',
        KERNEL,
        VERSIONS,
    ),
)

PREDICTION_CHECK = DomainCheck(
    "prediction",
    "RuntimeError",
    Source(
        "input: Tensor of arbitrary shape as probabilities. "
        "(kernel: TORCH_CHECK((input_val >= 0) && (input_val <= 1), "
        '"all elements of input should be between 0 and 1"))',
        KERNEL,
        VERSIONS,
    ),
)


def _mean(page: str) -> Reduction:
    return Reduction(
        "all",
        "elements",
        Source(
            "'mean': the sum of the output will be divided by the number of elements in the output [...] "
            "Default: 'mean'",
            DOCS + page,
            VERSIONS,
        ),
    )


REDUCTIONS = ("none", "mean", "sum")

adapters = [
    Adapter(
        "torch",
        [
            Implementation(
                "nn.functional.binary_cross_entropy",
                "probabilities",
                binary_cross_entropy,
                options=("weight",),
                reductions=REDUCTIONS,
                contract=(LOG_CLAMP, LABEL_CHECK, PREDICTION_CHECK, _mean("BCELoss.html")),
                link=DOCS + "functional.binary_cross_entropy.html",
            ),
            Implementation(
                "nn.functional.binary_cross_entropy_with_logits",
                "logits",
                binary_cross_entropy_with_logits,
                options=("weight", "pos_weight"),
                reductions=REDUCTIONS,
                contract=(_mean("BCEWithLogitsLoss.html"),),
                link=DOCS + "functional.binary_cross_entropy_with_logits.html",
            ),
        ],
        backend=TorchRuntime(),
    )
]
