"""jax scipy.stats.bernoulli.logpmf: the loss in float32 is a number where it is NaN.

Exits with 1 where the mismatch shows, with 0 where it does not, and with 125 where it cannot be told.
"""
import sys

def cannot_tell(kind, error, traceback):
    print(f"cannot tell: {kind.__name__}: {error}")
    sys.exit(125)

sys.excepthook = cannot_tell
import jax
import jax.scipy.stats
import jax.numpy as jnp
jax.config.update("jax_enable_x64", True)

def loss(prediction, label):
    return -jax.scipy.stats.bernoulli.logpmf(label, prediction)

prediction = jnp.array([2.0], dtype=jnp.float32)  # 2 = 0x40000000
label = jnp.array([1.0], dtype=jnp.float32)  # 1 = 0x3f800000
result = loss(prediction, label)
got = result.item()
# No value, at p = 2, y = 1: p = 2 is no probability, and its logarithm, or that of 1 - p, has no value.
expected = float("nan")
print("jax", jax.__version__, "Python", sys.version.split()[0])
print(f"got {got!r}, expected {expected!r}")
if got == got:
    print("MISMATCH: the loss in float32 is a number where it is NaN")
    sys.exit(1)
print("MATCH: the result is within rounding of the expected value")
