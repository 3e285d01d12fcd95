"""Of at least 10^6 results of each framework, every one lies in the reach of the formula that the framework has."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from conformance.formulas.arithmetic import Arithmetic
from conformance.formulas.evaluate import reach
from conformance.formulas.expression import (
    Expression,
    absolute,
    cast,
    clip,
    const,
    exp,
    ge,
    log,
    log1p,
    maximum,
    minimum,
    var,
    where,
)
from conformance.numbers.formats import FORMATS, Tensor, decode, encode

pytestmark = pytest.mark.slow

_z, _p, _y = var("z"), var("p"), var("y")
#: Results of each formula and dtype.
COUNT = 200_000

#: What each framework computes, with the function `value(name, prediction, label)` of tensors; without a framework's
#: name since each is run in a process of its own.
TORCH = """
import torch, torch.nn.functional as F
def tensor(bits, dtype):
    signed = bits.view("int%d" % (8 * bits.itemsize))
    return torch.from_numpy(signed).view(getattr(torch, dtype))
def value(name, x, y):
    x = x.requires_grad_()
    loss = (F.binary_cross_entropy_with_logits if "logits" in name else F.binary_cross_entropy)(x, y, reduction="none")
    return torch.autograd.grad(loss.sum(), x)[0] if "gradient" in name else loss.detach()
def bits(t):
    return t.view({8: torch.int64, 4: torch.int32, 2: torch.int16}[t.element_size()]).numpy()
"""
TENSORFLOW = """
import tensorflow as tf
def tensor(bits, dtype):
    return tf.bitcast(tf.constant(bits.view("i%d" % bits.itemsize)), getattr(tf, dtype))
def value(name, x, y):
    if "logits" in name:
        return tf.nn.sigmoid_cross_entropy_with_logits(labels=y, logits=x)
    return tf.keras.backend.binary_crossentropy(y, x)
def bits(t):
    return tf.bitcast(t, getattr(tf, "int%d" % (8 * t.dtype.size))).numpy()
"""
JAX = """
import os
os.environ["JAX_PLATFORMS"] = "cpu"
import jax, jax.numpy as jnp, optax
jax.config.update("jax_enable_x64", True)
def tensor(bits, dtype):
    return jax.lax.bitcast_convert_type(jnp.asarray(bits), getattr(jnp, dtype))
def value(name, x, y):
    return (jax.jit(optax.sigmoid_binary_cross_entropy) if "jit" in name else optax.sigmoid_binary_cross_entropy)(x, y)
def bits(t):
    return np.asarray(jax.lax.bitcast_convert_type(t, getattr(jnp, "uint%d" % (8 * t.dtype.itemsize))))
"""
DRIVER = """
import sys, numpy as np
%s
given = np.load(sys.argv[1])
found = {}
for key in given["asked"]:
    name, dtype = str(key).split("/")
    kind = "z" if "logits" in name else "p"
    found[str(key)] = bits(value(name, tensor(given[kind + dtype], dtype), tensor(given["y" + dtype], dtype)))
np.savez(sys.argv[2], **found)
"""


def _torch_logits() -> Expression:
    return (1 - _y) * _z - (minimum(_z, 0) - log1p(exp(-absolute(_z))))


def _tensorflow_logits() -> Expression:
    positive = ge(_z, 0)
    return (where(positive, _z, 0) - _z * _y) + log1p(exp(where(positive, -_z, _z)))


def _optax() -> Expression:
    def log_sigmoid(x: Expression) -> Expression:
        return -(maximum(-x, 0) + log1p(exp(-absolute(-x))))

    return (-_y) * log_sigmoid(_z) - (1 - _y) * log_sigmoid(-_z)


def _torch_probabilities() -> Expression:
    return (_y - 1) * maximum(log1p(-_p), -100) - _y * maximum(log(_p), -100)


def _torch_probabilities_gradient() -> Expression:
    """The constant is a float in every dtype: aten/src/ATen/native/cpu/BinaryOpsKernel.cpp of PyTorch 2.13."""
    return (_p - _y) / maximum((1 - _p) * _p, cast("float32", const("1e-12")))


def _keras() -> Expression:
    epsilon = const("1e-7")
    q = clip(_p, epsilon, 1 - epsilon)
    return -(_y * log(q + epsilon) + (1 - _y) * log((1 - q) + epsilon))


FORMULAS: dict[str, tuple[str, dict[str, Callable[[], Expression]], tuple[str, ...], bool]] = {
    "torch": (
        TORCH,
        {
            "logits": _torch_logits,
            "logits-gradient": lambda: 1 / (1 + exp(-_z)) - _y,
            "probabilities": _torch_probabilities,
            "probabilities-gradient": _torch_probabilities_gradient,
        },
        ("float32", "float64"),
        False,
    ),
    "tensorflow": (
        TENSORFLOW,
        {"logits": _tensorflow_logits, "probabilities": _keras},
        ("float32", "float64", "float16"),
        True,
    ),
    "jax": (JAX, {"logits": _optax, "logits-jit": _optax}, ("float32", "float64", "bfloat16"), True),
}


def inputs() -> dict[str, NDArray[np.float64]]:
    """Logits over all magnitudes that matter, probabilities close to 0 and to 1, labels hard and soft."""
    rng = np.random.default_rng(20)
    z = rng.choice([-1.0, 1.0], COUNT) * np.exp(rng.uniform(-90, 7, COUNT))
    z[: COUNT // 2] = rng.uniform(-120, 120, COUNT // 2)
    z[:8] = [0.0, -0.0, np.inf, -np.inf, np.nan, 88.7, -103.9, 1e-42]
    p = rng.uniform(0, 1, COUNT)
    near = np.exp(rng.uniform(-100, -1, COUNT // 2))
    p[: COUNT // 2] = np.where(rng.integers(0, 2, COUNT // 2) == 1, near, 1 - near)
    p[:4] = [0.0, -0.0, 1.0, 1e-42]
    y = np.where(rng.integers(0, 2, COUNT) == 1, rng.uniform(0, 1, COUNT), rng.integers(0, 2, COUNT))
    return {"z": z, "p": p, "y": y}


@pytest.mark.parametrize("framework", FORMULAS)
def test_every_result_lies_in_the_reach(framework: str, tmp_path: Path) -> None:
    """Arithmetic is that of each step; XLA may fuse a product and a sum, and both flush what is subnormal."""
    code, formulas, dtypes, flush = FORMULAS[framework]
    asked = [f"{name}/{dtype}" for name in formulas for dtype in dtypes]
    given: dict[str, Any] = {"asked": np.array(asked)}
    for name, values in inputs().items():
        for dtype in dtypes:
            fmt = FORMATS[dtype]
            wide = values if dtype == "float64" else values.astype(np.float32).astype(np.float64)
            given[name + dtype] = encode(wide, dtype).bits.astype(fmt.storage)
    np.savez(tmp_path / "given.npz", **given)
    command = [sys.executable, "-c", DRIVER % code, str(tmp_path / "given.npz"), str(tmp_path / "found.npz")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    if "ModuleNotFoundError" in done.stderr:
        pytest.skip(f"{framework} is not installed")
    assert done.returncode == 0, done.stderr[-2000:]
    found = np.load(tmp_path / "found.npz")
    outside, total = {}, 0
    for key in asked:
        name, dtype = key.split("/")
        arithmetic = Arithmetic(
            name="each step",
            inputs=dtype,
            step=dtype,
            inside=dtype,
            result=dtype,
            flush=flush,
            daz=flush,
            fused="jit" in name,
        )
        columns = {one: decode(Tensor(dtype, given[one + dtype])) for one in ("z", "p", "y")}
        got = decode(Tensor(dtype, found[key].view(FORMATS[dtype].storage)))
        inside = reach(formulas[name](), columns, arithmetic).holds(got)
        total += inside.size
        if not inside.all():
            at = np.flatnonzero(~inside)
            outside[key] = len(at), [(*(float(columns[one][k]) for one in "zpy"), float(got[k])) for k in at[:3]]
    assert not outside
    assert total >= 10**6
