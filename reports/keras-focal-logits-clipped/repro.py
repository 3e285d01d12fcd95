"""keras-jax losses.binary_focal_crossentropy[from_logits]: the gradient by the prediction in float32 is 0 where it is 1.

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

prediction = jnp.array([20.0], dtype=jnp.float32)  # 20 = 0x41a00000
label = jnp.array([0.0], dtype=jnp.float32)  # 0 = 0x00000000
result = jax.grad(lambda prediction: loss(prediction, label).sum())(prediction)
got = result.item()
# Exactly, 1/(1 + exp(-z)), at z = 20, y = 0.
expected = 0.9999999979388464  # 0x1.ffffffee4b79bp-1
ulp = 2.0**-24  # of float32 at the expected value
error = abs(got - expected) / ulp
print("keras", keras.__version__, "jax", jax.__version__, "Python", sys.version.split()[0])
print(f"got {got!r}, expected {expected!r}, error {error:.3g} ULP")
if not error <= 4:
    print("MISMATCH: the gradient by the prediction in float32 is 0 where it is 1")
    sys.exit(1)
print("MATCH: the result is within rounding of the expected value")
