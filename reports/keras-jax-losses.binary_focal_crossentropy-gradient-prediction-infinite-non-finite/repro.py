"""keras-jax losses.binary_focal_crossentropy: the gradient by the prediction in float32 is NaN where it is -inf.

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

prediction = jnp.array([1.0], dtype=jnp.float32)  # 1 = 0x3f800000
label = jnp.array([float("inf")], dtype=jnp.float32)  # inf = 0x7f800000
result = jax.grad(lambda prediction: loss(prediction, label).sum())(prediction)
got = result.item()
# Exactly, (p - y)/(p*(1 - p)), at p = 1, y = inf.
expected = float("-inf")
documented = 0.0  # 0x0p+0
error = abs(got - documented) / 2.0**-149  # in ULP of float32
print("keras", keras.__version__, "jax", jax.__version__, "Python", sys.version.split()[0])
print(f"got {got!r}, expected {expected!r}, documented {documented!r}, error {error:.3g} ULP")
if got != expected and not error <= 4:
    print("MISMATCH: the gradient by the prediction in float32 is NaN where it is -inf")
    sys.exit(1)
print("MATCH: the result is within rounding of the expected value")
