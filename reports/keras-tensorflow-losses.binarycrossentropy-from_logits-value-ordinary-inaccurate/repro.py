"""keras-tensorflow losses.BinaryCrossentropy[from_logits]: the loss in float32 is off by 6456 ULP where it is 1.041.

Exits with 1 where the mismatch shows, with 0 where it does not, and with 125 where it cannot be told.
"""
import sys

def cannot_tell(kind, error, traceback):
    print(f"cannot tell: {kind.__name__}: {error}")
    sys.exit(125)

sys.excepthook = cannot_tell
import os
os.environ["KERAS_BACKEND"] = "tensorflow"
import keras
import tensorflow as tf

def loss(prediction, label):
    return keras.losses.BinaryCrossentropy(from_logits=True)(keras.ops.expand_dims(label, -1), keras.ops.expand_dims(prediction, -1), sample_weight=None)

prediction = tf.constant([*([-0.5, 0.75, 1.0] * 33334)[:100000]], dtype=tf.float32)
label = tf.constant([*([1.0, 0.0, float.fromhex("0x1.333334p-2")] * 33334)[:100000]], dtype=tf.float32)
result = tf.function(lambda prediction, label: loss(prediction, label), autograph=False, jit_compile=True)(prediction, label)
got = result.numpy().item()
# Exactly, the mean of y*softplus(-z) + (1 - y)*softplus(z); softplus(x) = log(1 + exp(x)).
expected = 1.0414025487017222  # 0x1.0a995b80a51b1p+0
ulp = 2.0**-23  # of float32 at the expected value
error = abs(got - expected) / ulp
print("keras", keras.__version__, "tensorflow", tf.__version__, "Python", sys.version.split()[0])
print(f"got {got!r}, expected {expected!r}, error {error:.3g} ULP")
if not error <= 30:
    print("MISMATCH: the loss in float32 is off by 6456 ULP where it is 1.041")
    sys.exit(1)
print("MATCH: the result is within rounding of the expected value")
