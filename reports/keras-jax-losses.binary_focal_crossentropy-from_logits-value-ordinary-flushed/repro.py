"""keras-jax losses.binary_focal_crossentropy[from_logits]: the loss in float16 is flushed to 0 where it is 4.54e-05.

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

prediction = jnp.array([-10.0], dtype=jnp.float16)  # -10 = 0xc900
label = jnp.array([0.0], dtype=jnp.float16)  # 0 = 0x0000
result = loss(prediction, label)
got = result.item()
# Exactly, log(1 + exp(z)), at z = -10, y = 0.
expected = 4.539889921686465e-05  # 0x1.7cd564c9e0d19p-15
ulp = 2.0**-24  # of float16 at the expected value
error = abs(got - expected) / ulp
print("keras", keras.__version__, "jax", jax.__version__, "Python", sys.version.split()[0])
print(f"got {got!r}, expected {expected!r}, error {error:.3g} ULP")
if not error <= 4 or got == 0:
    print("MISMATCH: the loss in float16 is flushed to 0 where it is 4.54e-05")
    sys.exit(1)
print("MATCH: the result is within rounding of the expected value")
