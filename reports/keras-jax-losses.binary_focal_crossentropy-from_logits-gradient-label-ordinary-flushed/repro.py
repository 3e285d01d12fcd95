"""keras-jax losses.binary_focal_crossentropy[from_logits]: the gradient by the label in float32 is flushed to 0 where it is -1.401e-45.

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
    return keras.losses.binary_focal_crossentropy(keras.ops.expand_dims(label, -1), keras.ops.expand_dims(prediction, -1), from_logits=True, gamma=0.0)

prediction = jnp.array([float.fromhex("0x1p-149")], dtype=jnp.float32)  # 1e-45 = 0x00000001
label = jnp.array([0.0], dtype=jnp.float32)  # 0 = 0x00000000
result = jax.grad(lambda label: loss(prediction, label).sum())(label)
got = result.item()
# Exactly, -z, at z = 1e-45, y = 0.
expected = -1.401298464324817e-45  # -0x1p-149
ulp = 2.0**-149  # of float32 at the expected value
error = abs(got - expected) / ulp
print("keras", keras.__version__, "jax", jax.__version__, "Python", sys.version.split()[0])
print(f"got {got!r}, expected {expected!r}, error {error:.3g} ULP")
if not error <= 4 or got == 0:
    print("MISMATCH: the gradient by the label in float32 is flushed to 0 where it is -1.401e-45")
    sys.exit(1)
print("MATCH: the result is within rounding of the expected value")
