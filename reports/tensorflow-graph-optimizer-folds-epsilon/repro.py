"""tensorflow compat.v1.losses.log_loss: the loss in float32 is off by 5.8e+05 ULP where it is 16.64.

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

prediction = tf.constant([float.fromhex("0x1.fffffep-1")], dtype=tf.float32)  # 0.99999994 = 0x3f7fffff
label = tf.constant([0.0], dtype=tf.float32)  # 0 = 0x00000000
result = tf.function(lambda prediction, label: loss(prediction, label), autograph=False)(prediction, label)
got = result.numpy().item()
# Exactly, -log(1 - p), at p = 0.99999994, y = 0.
expected = 16.635532333438686  # 0x1.0a2b23f3bab73p+4
documented = 15.650566049751477  # 0x1.f4d16fe472419p+3
error = min(abs(got - expected) / 2.0**-19, abs(got - documented) / 2.0**-20)  # in ULP of float32
print("tensorflow", tf.__version__, "Python", sys.version.split()[0])
print(f"got {got!r}, expected {expected!r}, documented {documented!r}, error {error:.3g} ULP")
if not error <= 4:
    print("MISMATCH: the loss in float32 is off by 5.8e+05 ULP where it is 16.64")
    sys.exit(1)
print("MATCH: the result is within rounding of the expected value")
