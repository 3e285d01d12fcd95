"""Keras 3 on each of its backends: TensorFlow, PyTorch, JAX, NumPy and OpenVINO.

Each adapter is the runtime of the framework underneath with Keras on top, in an interpreter of its own: Keras chooses
its backend once, when it is imported.  Its functions run eagerly and under the compiler of the backend; on NumPy and
OpenVINO, which Keras does not differentiate, only values are offered.

Read: the docstrings of Keras 3.15.1 and, where they are silent, its source (src/ops/nn.py, src/losses/losses.py,
src/losses/loss.py, src/backend/*/nn.py).
"""

from __future__ import annotations

from conformance.adapters import Adapter
from conformance.adapters.keras.entries import implementations
from conformance.adapters.keras.runtime import (
    KerasJaxRuntime,
    KerasNumPyRuntime,
    KerasOpenVINORuntime,
    KerasTensorFlowRuntime,
    KerasTorchRuntime,
)

adapters = [
    Adapter("keras-tensorflow", implementations("tensorflow"), backend=KerasTensorFlowRuntime()),
    Adapter("keras-torch", implementations("torch"), backend=KerasTorchRuntime()),
    Adapter("keras-jax", implementations("jax"), backend=KerasJaxRuntime()),
    Adapter("keras-numpy", implementations("numpy"), backend=KerasNumPyRuntime()),
    Adapter("keras-openvino", implementations("openvino"), backend=KerasOpenVINORuntime()),
]
