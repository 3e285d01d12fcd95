"""TensorFlow: the cross-entropy functions of tf.nn and tf.compat.v1.losses, in each execution mode.

BCE_DEVICE (cpu, cuda or tpu) chooses the device, BCE_THREADS the number of threads.

Read: the docstrings of TensorFlow 2.21.0 (python/ops/nn_impl.py, nn_ops.py, losses/losses_impl.py).
"""

from __future__ import annotations

from conformance.adapters import Adapter
from conformance.adapters.tensorflow.entries import implementations
from conformance.adapters.tensorflow.runtime import TensorFlowRuntime

adapters = [Adapter("tensorflow", implementations(), backend=TensorFlowRuntime())]
