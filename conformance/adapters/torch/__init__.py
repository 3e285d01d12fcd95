"""PyTorch: its losses, run eagerly, compiled, exported, scripted, traced, vectorized, forward and under autocast.

Environment variables of a worker: BCE_DEVICE (cpu, cuda, mps or tpu), BCE_THREADS (1) and BCE_ONEDNN (0 switches it
off).

Read: the docstrings of torch 2.13.0 (torch/nn/functional.py, torch/nn/modules/loss.py, torch/distributions) and
docs/source/amp.md of the same version.
"""

from __future__ import annotations

from conformance.adapters import Adapter
from conformance.adapters.torch.entries import implementations
from conformance.adapters.torch.runtime import TorchRuntime

adapters = [Adapter("torch", implementations(), backend=TorchRuntime())]
