"""keras-jax losses.binary_crossentropy[from_logits]: the loss in float32 is NaN where it is 0.

Exits with 1 where the mismatch shows, with 0 where it does not, and with 125 where it cannot be told.
"""
import sys

def cannot_tell(kind, error, traceback):
    print(f"cannot tell: {kind.__name__}: {error}")
    sys.exit(125)

sys.excepthook = cannot_tell
import os
os.environ["KERAS_BACKEND"] = "jax"
import keras
import jax
import jax.numpy as jnp
jax.config.update("jax_enable_x64", True)

def loss(prediction, label):
    return keras.losses.binary_crossentropy(keras.ops.expand_dims(label, -1), keras.ops.expand_dims(prediction, -1), from_logits=True)

prediction = jnp.array([float("inf")], dtype=jnp.float32)  # inf = 0x7f800000
label = jnp.array([1.0], dtype=jnp.float32)  # 1 = 0x3f800000
result = loss(prediction, label)
got = result.item()
# Exactly, log(1 + exp(-z)), at z = inf, y = 1.
expected = 0.0  # 0x0p+0
ulp = 2.0**-149  # of float32 at the expected value
error = abs(got - expected) / ulp
print("keras", keras.__version__, "jax", jax.__version__, "Python", sys.version.split()[0])
print(f"got {got!r}, expected {expected!r}, error {error:.3g} ULP")
if not error <= 4:
    print("MISMATCH: the loss in float32 is NaN where it is 0")
    sys.exit(1)
print("MATCH: the result is within rounding of the expected value")
