"""keras-jax losses.binary_crossentropy: the second derivative by the prediction in float16 is NaN where it is 1.002.

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

prediction = jnp.array([float.fromhex("0x1.064p-10")], dtype=jnp.float16)  # 0.001 = 0x1419
label = jnp.array([0.0], dtype=jnp.float16)  # 0 = 0x0000
result = jax.grad(lambda prediction: jax.grad(lambda prediction: loss(prediction, label).sum())(prediction).sum())(prediction)
got = result.item()
# Exactly, 1/(1 - p)**2, at p = 0.001, y = 0.
expected = 1.0020038151523267  # 0x1.008352708be5ap+0
ulp = 2.0**-10  # of float16 at the expected value
error = abs(got - expected) / ulp
print("keras", keras.__version__, "jax", jax.__version__, "Python", sys.version.split()[0])
print(f"got {got!r}, expected {expected!r}, error {error:.3g} ULP")
if not error <= 4:
    print("MISMATCH: the second derivative by the prediction in float16 is NaN where it is 1.002")
    sys.exit(1)
print("MATCH: the result is within rounding of the expected value")
