"""jax optax.losses.softmax_cross_entropy[two-class]: the loss in float32 is NaN where it is inf.

Exits with 1 where the mismatch shows, with 0 where it does not, and with 125 where it cannot be told.
"""
import sys

def cannot_tell(kind, error, traceback):
    print(f"cannot tell: {kind.__name__}: {error}")
    sys.exit(125)

sys.excepthook = cannot_tell
import jax
import jax.numpy as jnp
jax.config.update("jax_enable_x64", True)
import optax

def loss(prediction, label):
    return optax.losses.softmax_cross_entropy(jnp.stack([jnp.zeros_like(prediction), prediction], axis=-1), jnp.stack([1 - label, label], axis=-1))

prediction = jnp.array([float("inf")], dtype=jnp.float32)  # inf = 0x7f800000
label = jnp.array([0.0], dtype=jnp.float32)  # 0 = 0x00000000
result = loss(prediction, label)
got = result.item()
# Exactly, log(1 + exp(z)), at z = inf, y = 0.
expected = float("inf")
print("jax", jax.__version__, "optax", optax.__version__, "Python", sys.version.split()[0])
print(f"got {got!r}, expected {expected!r}")
if got != expected:
    print("MISMATCH: the loss in float32 is NaN where it is inf")
    sys.exit(1)
print("MATCH: the result is within rounding of the expected value")
