"""The runtime of PyTorch: tensors, layouts, devices and settings."""

from __future__ import annotations

import contextlib
import importlib
import os
from typing import Any, Dict, Iterator, Tuple

import numpy as np

from conformance.adapters import (
    ALL_DTYPES,
    OBSERVED_DTYPES,
    VARIABLE,
    Arguments,
    Implementation,
    Runtime,
    threads,
    where_cpu_has,
)
from conformance.adapters.expressions import Expression
from conformance.adapters.torch.calls import framework, two_classes
from conformance.adapters.torch.modes import DECLARED, DEVICE, DEVICES, MODES, WRITTEN
from conformance.numbers.formats import FORMATS, Tensor


class TorchRuntime(Runtime):
    """Tensors on DEVICE, one thread unless BCE_THREADS says otherwise, derivatives as the mode has them.

    An adapter that uses it on another device than the CPU declares `device=DEVICE` for its implementations.
    """

    packages: Tuple[str, ...] = ("torch", "numpy")
    cost = 1
    chunk = 1 << 17
    modes = DECLARED

    devices: Tuple[str, ...] = tuple(DEVICES)
    observed = OBSERVED_DTYPES

    settings = (
        {},
        {"ATEN_CPU_CAPABILITY": "default"},
        *where_cpu_has("avx2", ATEN_CPU_CAPABILITY="avx2"),
        *where_cpu_has("avx512vl", ATEN_CPU_CAPABILITY="avx512"),
        {"BCE_THREADS": "2"},
        {"BCE_ONEDNN": "0"},
    )

    layouts: Tuple[str, ...] = ("contiguous", "strided", "transposed", "offset", "broadcast")

    producers: Tuple[str, ...] = ("sigmoid", "softmax")

    written = WRITTEN

    def dtype_written(self, dtype: str) -> Any:
        return Expression("torch.%s" % dtype)

    def open(self) -> None:
        torch = framework()
        if DEVICE != "cpu" and not _available(DEVICE):
            raise ImportError("no %s device" % DEVICE)
        torch.set_num_threads(threads())
        if os.environ.get("BCE_ONEDNN") == "0":
            torch.backends.mkldnn.set_flags(False)

    @contextlib.contextmanager
    def borrowed(self) -> Iterator[None]:
        torch = framework()
        number, distribution = torch.get_num_threads(), torch.distributions.Distribution
        checked = getattr(distribution, "_validate_args", __debug__)  # there is no public way to ask
        try:
            with super().borrowed():
                yield
        finally:
            torch.set_num_threads(number)
            distribution.set_default_validate_args(checked)

    def dtypes(self) -> Tuple[str, ...]:
        return tuple(one for one in ALL_DTYPES if one != "float64") if DEVICE == "mps" else ALL_DTYPES

    def environment(self) -> Dict[str, Any]:
        torch = framework()
        # torch.backends.cpu is and its get_cpu_capability came with torch 2: older versions do not say.
        capability = getattr(getattr(torch.backends, "cpu", None), "get_cpu_capability", None)
        onednn = getattr(torch.backends, "mkldnn", None)
        return {
            "device": torch.cuda.get_device_name() if DEVICE == "cuda" else DEVICE,
            "cpu-capability": capability() if capability is not None else "unknown",
            "threads": torch.get_num_threads(),
            "onednn-available": onednn is not None and bool(onednn.is_available()),
            "onednn-enabled": getattr(onednn, "enabled", "unknown"),
        }

    def tensor(self, tensor: Tensor) -> Any:
        return self.arrange(tensor, "contiguous")

    def bits(self, native: Any) -> Tensor:
        torch = framework()
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

    def quantities(self, implementation: Implementation) -> Tuple[str, ...]:
        """Those of the mode, of arguments that the loss has; hard labels and masks are no variables."""
        variables = {"", "prediction", *(() if implementation.masks else implementation.options)}
        if implementation.labels != "hard":
            variables.add("label")
        return tuple(one for one in MODES[implementation.mode].quantities if VARIABLE[one] in variables)

    def evaluate(self, implementation: Implementation, quantity: str, arguments: Arguments) -> Any:
        # The first torch.compile switches the checks of torch.distributions off for the whole process
        # (torch/_dynamo/eval_frame.py, TorchPatcher.patch): what follows would depend on what ran before.
        framework().distributions.Distribution.set_default_validate_args(__debug__)
        return MODES[implementation.mode].execute(implementation, quantity, arguments)

    def arrange(self, tensor: Tensor, layout: str) -> Any:
        torch = framework()
        own = np.array(tensor.bits)  # torch shares memory with the array it is given: a copy of its own
        if tensor.dtype not in FORMATS:
            return _laid_out(torch.from_numpy(own).to(DEVICES[DEVICE]), layout)
        # The integer of the same width is a detour that keeps every bit, NaN payloads included.
        integers = torch.from_numpy(own.view(np.dtype("int%d" % FORMATS[tensor.dtype].width))).to(DEVICES[DEVICE])
        return _laid_out(integers, layout).view(getattr(torch, tensor.dtype))

    def produce(self, producer: str, logits: Any) -> Any:
        torch = framework()
        if producer == "sigmoid":
            return torch.sigmoid(logits)
        return torch.softmax(two_classes(torch.zeros_like(logits), logits), -1)


def _available(device: str) -> bool:
    torch = framework()
    if device == "tpu":
        importlib.import_module("torch_xla")  # ImportError where there is none
        return True
    return bool(torch.cuda.is_available() if device == "cuda" else torch.backends.mps.is_available())


def _laid_out(plain: Any, layout: str) -> Any:
    """`plain` in another layout; memory beside its elements is full of ones, which as a floating-point number is NaN.

    Raises ValueError where a tensor cannot lie so.
    """
    torch = framework()
    if layout == "strided":
        return torch.stack((plain, torch.full_like(plain, -1)), -1)[..., 0]
    if layout == "transposed":
        if plain.dim() < 2:
            raise ValueError("a transposed tensor has at least two axes (got shape %s)" % (tuple(plain.shape),))
        axes = tuple(reversed(range(plain.dim())))
        return plain.permute(axes).contiguous().permute(axes)
    if layout == "offset":
        return torch.cat((plain.new_full((1,), -1), plain.reshape(-1)))[1:].view(plain.shape)
    if layout == "broadcast":
        first = plain.reshape(-1)[:1]
        if not first.numel() or not bool((plain == first).all()):
            raise ValueError("all elements of a broadcast tensor are one")
        return first.view((1,) * plain.dim()).expand(plain.shape)
    return plain
