"""jax optax.losses.sigmoid_focal_loss: the second derivative by the prediction in float16 is NaN where it is 0.0009102.

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

prediction = jnp.array([7.0], dtype=jnp.float16)  # 7 = 0x4700
label = jnp.array([0.99951171875], dtype=jnp.float16)  # 0.9995 = 0x3bff
result = jax.grad(lambda prediction: jax.grad(lambda prediction: loss(prediction, label).sum())(prediction).sum())(prediction)
got = result.item()
# Exactly, sigmoid(z)*sigmoid(-z); sigmoid(x) = 1/(1 + exp(-x)), at z = 7, y = 0.9995.
expected = 0.0009102211801218265  # 0x1.dd37d19b22b21p-11
ulp = 2.0**-21  # of float16 at the expected value
error = abs(got - expected) / ulp
print("jax", jax.__version__, "optax", optax.__version__, "Python", sys.version.split()[0])
print(f"got {got!r}, expected {expected!r}, error {error:.3g} ULP")
if not error <= 4:
    print("MISMATCH: the second derivative by the prediction in float16 is NaN where it is 0.0009102")
    sys.exit(1)
print("MATCH: the result is within rounding of the expected value")
