"""tf-keras backend.binary_crossentropy[from_logits]: the loss in float32 is a number where it is NaN.

Exits with 1 where the mismatch shows, with 0 where it does not, and with 125 where it cannot be told.
"""
import sys

def cannot_tell(kind, error, traceback):
    print(f"cannot tell: {kind.__name__}: {error}")
    sys.exit(125)

sys.excepthook = cannot_tell
import tensorflow as tf
import tf_keras

def loss(prediction, label):
    return tf_keras.backend.binary_crossentropy(label, prediction, from_logits=True)

prediction = tf.constant([1.0], dtype=tf.float32)  # 1 = 0x3f800000
label = tf.constant([float("inf")], dtype=tf.float32)  # inf = 0x7f800000
result = loss(prediction, label)
got = result.numpy().item()
# No value, at z = 1, y = inf: the terms of the formula are inf - inf or 0*inf.
expected = float("nan")
print("tf_keras", tf_keras.__version__, "tensorflow", tf.__version__, "Python", sys.version.split()[0])
print(f"got {got!r}, expected {expected!r}")
if got == got:
    print("MISMATCH: the loss in float32 is a number where it is NaN")
    sys.exit(1)
print("MATCH: the result is within rounding of the expected value")
