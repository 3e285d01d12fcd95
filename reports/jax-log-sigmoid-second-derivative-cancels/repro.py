"""jax-x32 optax.sigmoid_binary_cross_entropy: the second derivative by the prediction in float32 is 0 where it is 2.061e-09.

Exits with 1 where the mismatch shows, with 0 where it does not, and with 125 where it cannot be told.
"""
import sys

def cannot_tell(kind, error, traceback):
    print(f"cannot tell: {kind.__name__}: {error}")
    sys.exit(125)

sys.excepthook = cannot_tell
import jax
import jax.numpy as jnp
jax.config.update("jax_enable_x64", False)
import optax

def loss(prediction, label):
    return optax.losses.sigmoid_binary_cross_entropy(prediction, label)

prediction = jnp.array([20.0], dtype=jnp.float32)  # 20 = 0x41a00000
label = jnp.array([0.0], dtype=jnp.float32)  # 0 = 0x00000000
result = jax.grad(lambda prediction: jax.grad(lambda prediction: loss(prediction, label).sum())(prediction).sum())(prediction)
got = result.item()
# Exactly, sigmoid(z)*sigmoid(-z); sigmoid(x) = 1/(1 + exp(-x)), at z = 20, y = 0.
expected = 2.061153613941849e-09  # 0x1.1b48654b9f942p-29
ulp = 2.0**-52  # of float32 at the expected value
error = abs(got - expected) / ulp
print("jax", jax.__version__, "optax", optax.__version__, "Python", sys.version.split()[0])
print(f"got {got!r}, expected {expected!r}, error {error:.3g} ULP")
if not error <= 4:
    print("MISMATCH: the second derivative by the prediction in float32 is 0 where it is 2.061e-09")
    sys.exit(1)
print("MATCH: the result is within rounding of the expected value")
