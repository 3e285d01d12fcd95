"""jax scipy.stats.bernoulli.logpmf: the gradient by the prediction in float16 is NaN where it is 1.

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

prediction = jnp.array([float.fromhex("0x1p-23")], dtype=jnp.float16)  # 1e-07 = 0x0002
label = jnp.array([0.0], dtype=jnp.float16)  # 0 = 0x0000
result = jax.grad(lambda prediction: loss(prediction, label).sum())(prediction)
got = result.item()
# Exactly, 1/(1 - p), at p = 1e-07, y = 0.
expected = 1.0000001192093038  # 0x1.000002000004p+0
ulp = 2.0**-10  # of float16 at the expected value
error = abs(got - expected) / ulp
print("jax", jax.__version__, "Python", sys.version.split()[0])
print(f"got {got!r}, expected {expected!r}, error {error:.3g} ULP")
if not error <= 4:
    print("MISMATCH: the gradient by the prediction in float16 is NaN where it is 1")
    sys.exit(1)
print("MATCH: the result is within rounding of the expected value")
