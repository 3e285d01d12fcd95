"""keras-tensorflow losses.binary_crossentropy: the loss in float16 is flushed to 0 where it is 1.192e-07.

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
    return keras.losses.binary_crossentropy(keras.ops.expand_dims(label, -1), keras.ops.expand_dims(prediction, -1), from_logits=False)

prediction = tf.constant([float.fromhex("0x1p-23")], dtype=tf.float16)  # 1e-07 = 0x0002
label = tf.constant([0.0], dtype=tf.float16)  # 0 = 0x0000
result = loss(prediction, label)
got = result.numpy().item()
# Exactly, -log(1 - p), at p = 1e-07, y = 0.
expected = 1.1920929665620916e-07  # 0x1.0000010000015p-23
ulp = 2.0**-24  # of float16 at the expected value
error = abs(got - expected) / ulp
print("keras", keras.__version__, "tensorflow", tf.__version__, "Python", sys.version.split()[0])
print(f"got {got!r}, expected {expected!r}, error {error:.3g} ULP")
if not error <= 4 or got == 0:
    print("MISMATCH: the loss in float16 is flushed to 0 where it is 1.192e-07")
    sys.exit(1)
print("MATCH: the result is within rounding of the expected value")
