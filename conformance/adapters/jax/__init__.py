"""JAX: the losses of Optax, the Bernoulli distribution of jax.scipy and two formulas that are written by hand.

Every entry is run op by op ("eager"), compiled ("jit"), one example at a time ("vmap", compiled) and with forward-mode
derivatives ("jvp").  The adapter "jax-x32" runs JAX as it is without a switch, with 64-bit types off.

Read: the docstrings of Optax 0.2.8 (optax/losses/_classification.py) and JAX 0.10.2 (jax/scipy/stats/bernoulli.py,
docs/automatic-differentiation.md).  They print the definition of each loss and state no clip, clamp, check or order of
evaluation, so no entry has a contract and all are judged against the ideal alone.
"""

from __future__ import annotations

from conformance.adapters import Adapter
from conformance.adapters.jax.entries import implementations
from conformance.adapters.jax.runtime import Jax32Runtime, JaxRuntime

adapters = [
    Adapter("jax", implementations(("eager", "jit", "vmap", "jvp")), backend=JaxRuntime()),
    Adapter(
        "jax-x32",
        # One entry point of each form: without 64-bit types the others show nothing of their own, and they take long.
        implementations(("eager", "jit"), lambda entry: entry in ("optax.sigmoid_binary_cross_entropy", "formula")),
        backend=Jax32Runtime(),
    ),
]
