"""keras-jax losses.binary_crossentropy: the loss in float16 is NaN where it is 0.

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

prediction = jnp.array([1.0], dtype=jnp.float16)  # 1 = 0x3c00
label = jnp.array([1.0], dtype=jnp.float16)  # 1 = 0x3c00
result = loss(prediction, label)
got = result.item()
# Exactly, -log(p), at p = 1, y = 1.
expected = 0.0  # 0x0p+0
documented = 0.0004884004981088745  # 0x1.0010015575589p-11
error = min(abs(got - expected) / 2.0**-24, abs(got - documented) / 2.0**-21)  # in ULP of float16
print("keras", keras.__version__, "jax", jax.__version__, "Python", sys.version.split()[0])
print(f"got {got!r}, expected {expected!r}, documented {documented!r}, error {error:.3g} ULP")
if not error <= 4:
    print("MISMATCH: the loss in float16 is NaN where it is 0")
    sys.exit(1)
print("MATCH: the result is within rounding of the expected value")
