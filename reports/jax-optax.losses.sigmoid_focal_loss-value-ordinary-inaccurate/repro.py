"""jax optax.losses.sigmoid_focal_loss: the loss in float64 is off by 14 ULP where it is 9.357e-14.

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
    return optax.losses.sigmoid_focal_loss(prediction, label, alpha=None, gamma=2.0)

prediction = jnp.array([-10.0], dtype=jnp.float64)  # -10 = 0xc024000000000000
label = jnp.array([0.0], dtype=jnp.float64)  # 0 = 0x0000000000000000
result = loss(prediction, label)
got = result.item()
# Exactly, y*softplus(-z) + (1 - y)*softplus(z); softplus(x) = log(1 + exp(x)); times (1 - p_t)**2, where p_t is the probability of the label (a focal loss), at z = -10, y = 0.
expected = 9.356560963849893e-14  # 0x1.a561cdae7f6fbp-44
ulp = 2.0**-96  # of float64 at the expected value
error = abs(got - expected) / ulp
print("jax", jax.__version__, "optax", optax.__version__, "Python", sys.version.split()[0])
print(f"got {got!r}, expected {expected!r}, error {error:.3g} ULP")
if not error <= 4:
    print("MISMATCH: the loss in float64 is off by 14 ULP where it is 9.357e-14")
    sys.exit(1)
print("MATCH: the result is within rounding of the expected value")
