"""keras-jax losses.binary_crossentropy: the loss in float64 is off by 1.7e+07 ULP where it is 0.1054.

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
    return keras.losses.binary_crossentropy(keras.ops.expand_dims(label, -1), keras.ops.expand_dims(prediction, -1), from_logits=False)

prediction = jnp.array([0.1], dtype=jnp.float64)  # 0.1 = 0x3fb999999999999a
label = jnp.array([0.0], dtype=jnp.float64)  # 0 = 0x0000000000000000
result = loss(prediction, label)
got = result.item()
# Exactly, -log(1 - p), at p = 0.1, y = 0.
expected = 0.10536051565782631  # 0x1.af8e8210a415ep-4
ulp = 2.0**-56  # of float64 at the expected value
error = abs(got - expected) / ulp
print("keras", keras.__version__, "jax", jax.__version__, "Python", sys.version.split()[0])
print(f"got {got!r}, expected {expected!r}, error {error:.3g} ULP")
if not error <= 4:
    print("MISMATCH: the loss in float64 is off by 1.7e+07 ULP where it is 0.1054")
    sys.exit(1)
print("MATCH: the result is within rounding of the expected value")
