"""NumPy: the textbook formulas, computed in the dtype under test.

They are what people write by hand; none documents a contract, so they are judged against the ideal alone.
"""

from __future__ import annotations

import importlib.util
import os
from typing import Any, Callable, Dict, Tuple

import numpy as np

from conformance.adapters import ALL_DTYPES, LAYOUTS, NUMERIC, Adapter, Arguments, Implementation, Runtime, Setting
from conformance.adapters.writing import Way, Written
from conformance.numbers.formats import FORMATS, Tensor


def dispatched() -> Tuple[Setting, ...]:
    """Settings without the 512-bit and without all optional instruction sets, as far as NumPy would use them here.

    NPY_DISABLE_CPU_FEATURES takes names of dispatched features, which differ between versions (npy_cpu_features.c of
    NumPy; before 1.20 a module does not list them).
    """
    module: Any = getattr(np, "_core", None) or np.core
    umath = module._multiarray_umath
    used = [name for name in getattr(umath, "__cpu_dispatch__", ()) if umath.__cpu_features__.get(name)]
    wide = [name for name in used if name.startswith("AVX512") or name == "X86_V4"]
    return tuple({"NPY_DISABLE_CPU_FEATURES": " ".join(names)} for names in (wide, used) if names)


#: How NumPy's arrays are written; bfloat16 has a name once ml_dtypes is imported.
WRITTEN = Written(
    "np.array([{numbers}], dtype='{dtype}')",
    modules={"np": "import numpy as np", "ml_dtypes": "import ml_dtypes"},
    aliases={"numpy": "np"},
    ways={"eager": Way()},
    number="float({result}.item())",
)


class NumPyRuntime(Runtime):
    """Plain NumPy arrays; bfloat16 by the ml_dtypes package where it is installed."""

    packages = ("numpy",)
    written = WRITTEN
    settings = ({}, *dispatched())
    layouts: Tuple[str, ...] = LAYOUTS
    producers: Tuple[str, ...] = ("sigmoid", "softmax")

    def dtypes(self) -> Tuple[str, ...]:
        return ALL_DTYPES

    def lacking(self) -> Dict[str, str]:
        return {} if _has_bfloat16() else {"bfloat16": "the package ml_dtypes is not installed"}

    def dtype_written(self, dtype: str) -> Any:
        return _bfloat16() if dtype == "bfloat16" else np.dtype(dtype)

    def environment(self) -> Dict[str, Any]:
        return {
            "bfloat16": "ml_dtypes" if _has_bfloat16() else "absent",
            "NPY_DISABLE_CPU_FEATURES": os.environ.get("NPY_DISABLE_CPU_FEATURES", "unset"),
        }

    def tensor(self, tensor: Tensor) -> Any:
        native = _bfloat16() if tensor.dtype == "bfloat16" else np.dtype(tensor.dtype)
        return np.array(tensor.bits).view(native)

    def bits(self, native: Any) -> Tensor:
        if not isinstance(native, (np.ndarray, np.generic)):
            raise TypeError("returned %s, not a NumPy array" % type(native).__name__)
        array = np.asarray(native)
        if array.dtype.hasobject:
            raise TypeError("returned an array of Python objects")
        name = str(array.dtype)
        if name in FORMATS:
            return Tensor(name, np.ascontiguousarray(array).reshape(array.shape).view(FORMATS[name].storage))
        return Tensor(name, array)

    def quantities(self, implementation: Implementation) -> Tuple[str, ...]:
        return tuple(name for name in NUMERIC if name == "value" or name in implementation.derivatives)

    def evaluate(self, implementation: Implementation, quantity: str, arguments: Arguments) -> Any:
        if quantity == "value":
            return implementation.loss(arguments)
        rest = dict(arguments)
        return implementation.derivatives[quantity](rest.pop("prediction"), rest.pop("label"), **rest)

    def arrange(self, tensor: Tensor, layout: str) -> Any:
        """See `Runtime.arrange`.  Raises ValueError where a broadcast is asked of elements that differ."""
        return _LAYOUT[layout](self.tensor(tensor))

    def produce(self, producer: str, logits: Any) -> Any:
        """NumPy has neither function: the textbook sigmoid, and the softmax of (0, z) with its maximum subtracted."""
        with np.errstate(over="ignore", invalid="ignore"):
            if producer == "sigmoid":
                one = _one(logits)
                return one / (one + np.exp(-logits))
            pairs = np.stack([np.zeros_like(logits), logits], axis=-1)
            powers = np.exp(pairs - pairs.max(axis=-1, keepdims=True))
            return powers / powers.sum(axis=-1, keepdims=True)


def _strided(array: Any) -> Any:
    """Every other element along the last axis; the bits between them are all ones, a NaN of every format."""
    if array.ndim == 0:
        return array
    wide = np.empty((*array.shape[:-1], 2 * array.shape[-1]), dtype=array.dtype)
    wide.view(np.uint8)[...] = 0xFF
    wide[..., ::2] = array
    return wide[..., ::2]


def _offset(array: Any) -> Any:
    memory = np.empty(array.size + 1, dtype=array.dtype)
    memory.view(np.uint8)[...] = 0xFF
    memory[1:] = array.ravel()
    return memory[1:].reshape(array.shape)


def _read_only(array: Any) -> Any:
    array.flags.writeable = False
    return array


def _broadcast(array: Any) -> Any:
    if array.size == 0:
        return array
    first = array.ravel()[0]
    if array.tobytes() != first.tobytes() * array.size:
        raise ValueError("one element cannot stand for elements that differ")
    return np.broadcast_to(first, array.shape)


_LAYOUT: Dict[str, Callable[[Any], Any]] = {
    "contiguous": lambda array: array,
    "strided": _strided,
    "reversed": lambda array: np.flip(np.flip(array).copy()),
    "transposed": lambda array: np.ascontiguousarray(array.T).reshape(array.T.shape).T,
    "offset": _offset,
    "read-only": _read_only,
    "broadcast": _broadcast,
}


def _has_bfloat16() -> bool:
    """Whether ml_dtypes is installed; importing it would register its types in whatever process reads declarations."""
    return importlib.util.find_spec("ml_dtypes") is not None


def _bfloat16() -> Any:
    import ml_dtypes

    return np.dtype(ml_dtypes.bfloat16)


def _one(array: Any) -> Any:
    return np.ones((), dtype=array.dtype)


def log_textbook(prediction: Any, label: Any) -> Any:
    """-(y log p + (1 - y) log(1 - p)), as in every textbook."""
    one = _one(prediction)
    return -(label * np.log(prediction) + (one - label) * np.log(one - prediction))


def log_textbook_gradient(prediction: Any, label: Any) -> Any:
    """(p - y) / (p (1 - p)), its derivative by p as it is usually simplified."""
    return (prediction - label) / (prediction * (_one(prediction) - prediction))


def sigmoid_textbook(prediction: Any, label: Any) -> Any:
    """The probability formula applied to 1 / (1 + exp(-z))."""
    one = _one(prediction)
    return log_textbook(one / (one + np.exp(-prediction)), label)


def stable_textbook(prediction: Any, label: Any) -> Any:
    """max(z, 0) - z y + log1p(exp(-|z|)), the usual stable rearrangement."""
    zero = np.zeros((), dtype=prediction.dtype)
    return np.maximum(prediction, zero) - prediction * label + np.log1p(np.exp(-np.abs(prediction)))


def sigmoid_gradient(prediction: Any, label: Any) -> Any:
    """sigmoid(z) - y, the derivative of both logit formulas."""
    one = _one(prediction)
    return one / (one + np.exp(-prediction)) - label


adapters = [
    Adapter(
        "numpy",
        [
            Implementation(
                "log_textbook",
                "probabilities",
                log_textbook,
                derivatives={"gradient-prediction": log_textbook_gradient},
                main=True,
            ),
            Implementation(
                "sigmoid_textbook", "logits", sigmoid_textbook, derivatives={"gradient-prediction": sigmoid_gradient}
            ),
            Implementation(
                "stable_textbook",
                "logits",
                stable_textbook,
                derivatives={"gradient-prediction": sigmoid_gradient},
            ),
        ],
        backend=NumPyRuntime(),
    )
]
