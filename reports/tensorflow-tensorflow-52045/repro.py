"""tensorflow compat.v1.losses.log_loss: the loss in float32 is 15.9424 where it is inf, or 16.1181 as documented.

Exits with 1 where the mismatch shows, with 0 where it does not, and with 125 where it cannot be told.
"""
import sys

def cannot_tell(kind, error, traceback):
    print(f"cannot tell: {kind.__name__}: {error}")
    sys.exit(125)

sys.excepthook = cannot_tell
import tensorflow as tf

def loss(prediction, label):
    return tf.compat.v1.losses.log_loss(labels=label, predictions=prediction, weights=1.0, reduction=tf.compat.v1.losses.Reduction.NONE)

prediction = tf.constant([1.0], dtype=tf.float32)  # 1 = 0x3f800000
label = tf.constant([0.0], dtype=tf.float32)  # 0 = 0x00000000
result = tf.function(lambda prediction, label: loss(prediction, label), autograph=False)(prediction, label)
got = result.numpy().item()
# Exactly, -log(1 - p), at p = 1, y = 0.
expected = float("inf")
documented = 16.11809565095832  # 0x1.01e3b843eaa73p+4
error = abs(got - documented) / 2.0**-19  # in ULP of float32
print("tensorflow", tf.__version__, "Python", sys.version.split()[0])
print(f"got {got!r}, expected {expected!r}, documented {documented!r}, error {error:.3g} ULP")
if got != expected and not error <= 4:
    print("MISMATCH: the loss in float32 is 15.9424 where it is inf, or 16.1181 as documented")
    sys.exit(1)
print("MATCH: the result is within rounding of the expected value")
