"""keras-jax losses.BinaryCrossentropy: the loss in float32 is off by 2.7e+06 ULP where it is 1e-07.

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
    return keras.losses.BinaryCrossentropy(from_logits=False, reduction='none')(keras.ops.expand_dims(label, -1), keras.ops.expand_dims(prediction, -1), sample_weight=None)

prediction = jnp.array([float.fromhex("0x1.ad7f2ap-24")], dtype=jnp.float32)  # 1e-07 = 0x33d6bf95
label = jnp.array([0.0], dtype=jnp.float32)  # 0 = 0x00000000
result = loss(prediction, label)
got = result.item()
# Exactly, -log(1 - p), at p = 1e-07, y = 0.
expected = 1.000000061686102e-07  # 0x1.ad7f2b6849ba9p-24
ulp = 2.0**-47  # of float32 at the expected value
error = abs(got - expected) / ulp
print("keras", keras.__version__, "jax", jax.__version__, "Python", sys.version.split()[0])
print(f"got {got!r}, expected {expected!r}, error {error:.3g} ULP")
if not error <= 4:
    print("MISMATCH: the loss in float32 is off by 2.7e+06 ULP where it is 1e-07")
    sys.exit(1)
print("MATCH: the result is within rounding of the expected value")
