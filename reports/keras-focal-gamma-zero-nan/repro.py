"""keras-jax losses.binary_focal_crossentropy: the gradient by the prediction in float32 is NaN where it is 1.

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
    return keras.losses.binary_focal_crossentropy(keras.ops.expand_dims(label, -1), keras.ops.expand_dims(prediction, -1), from_logits=False, gamma=0.0)

prediction = jnp.array([float.fromhex("0x1.79ca1p-67")], dtype=jnp.float32)  # 1e-20 = 0x1e3ce508
label = jnp.array([0.0], dtype=jnp.float32)  # 0 = 0x00000000
result = jax.grad(lambda prediction: loss(prediction, label).sum())(prediction)
got = result.item()
# Exactly, 1/(1 - p), at p = 1e-20, y = 0.
expected = 1.0  # 0x1p+0
documented = 0.0  # 0x0p+0
error = min(abs(got - expected) / 2.0**-23, abs(got - documented) / 2.0**-149)  # in ULP of float32
print("keras", keras.__version__, "jax", jax.__version__, "Python", sys.version.split()[0])
print(f"got {got!r}, expected {expected!r}, documented {documented!r}, error {error:.3g} ULP")
if not error <= 4:
    print("MISMATCH: the gradient by the prediction in float32 is NaN where it is 1")
    sys.exit(1)
print("MATCH: the result is within rounding of the expected value")
