"""jax optax.losses.sigmoid_focal_loss: the gradient by the label in float32 is 0 where it is -1.2e-38.

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
    return optax.losses.sigmoid_focal_loss(prediction, label, alpha=None, gamma=0.0)

prediction = jnp.array([float.fromhex("0x1.05563cp-126")], dtype=jnp.float32)  # 1.2e-38 = 0x0082ab1e
label = jnp.array([0.0], dtype=jnp.float32)  # 0 = 0x00000000
result = jax.grad(lambda label: loss(prediction, label).sum())(label)
got = result.item()
# Exactly, -z, at z = 1.2e-38, y = 0.
expected = -1.199999978106707e-38  # -0x1.05563cp-126
ulp = 2.0**-149  # of float32 at the expected value
error = abs(got - expected) / ulp
print("jax", jax.__version__, "optax", optax.__version__, "Python", sys.version.split()[0])
print(f"got {got!r}, expected {expected!r}, error {error:.3g} ULP")
if not error <= 4:
    print("MISMATCH: the gradient by the label in float32 is 0 where it is -1.2e-38")
    sys.exit(1)
print("MATCH: the result is within rounding of the expected value")
