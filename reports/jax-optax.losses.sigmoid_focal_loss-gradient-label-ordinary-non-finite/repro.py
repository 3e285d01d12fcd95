"""jax optax.losses.sigmoid_focal_loss: the gradient by the label in float16 is NaN where it is 20.

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

prediction = jnp.array([-20.0], dtype=jnp.float16)  # -20 = 0xcd00
label = jnp.array([float.fromhex("0x1p-23")], dtype=jnp.float16)  # 1e-07 = 0x0002
result = jax.jvp(lambda label: loss(prediction, label), (label,), (jnp.ones_like(label),))[1]
got = result.item()
# Exactly, -z, at z = -20, y = 1e-07.
expected = 20.0  # 0x1.4p+4
ulp = 2.0**-6  # of float16 at the expected value
error = abs(got - expected) / ulp
print("jax", jax.__version__, "optax", optax.__version__, "Python", sys.version.split()[0])
print(f"got {got!r}, expected {expected!r}, error {error:.3g} ULP")
if not error <= 4:
    print("MISMATCH: the gradient by the label in float16 is NaN where it is 20")
    sys.exit(1)
print("MATCH: the result is within rounding of the expected value")
