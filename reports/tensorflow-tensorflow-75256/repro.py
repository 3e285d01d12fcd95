"""tensorflow compat.v1.losses.sigmoid_cross_entropy: the loss in float32 is NaN where it is inf.

Exits with 1 where the mismatch shows, with 0 where it does not, and with 125 where it cannot be told.
"""
import sys

def cannot_tell(kind, error, traceback):
    print(f"cannot tell: {kind.__name__}: {error}")
    sys.exit(125)

sys.excepthook = cannot_tell
import tensorflow as tf

def loss(prediction, label):
    return tf.compat.v1.losses.sigmoid_cross_entropy(multi_class_labels=label, logits=prediction, weights=1.0, label_smoothing=0, reduction=tf.compat.v1.losses.Reduction.NONE)

prediction = tf.constant([float("inf")], dtype=tf.float32)  # inf = 0x7f800000
label = tf.constant([0.0], dtype=tf.float32)  # 0 = 0x00000000
result = loss(prediction, label)
got = result.numpy().item()
# Exactly, log(1 + exp(z)), at z = inf, y = 0.
expected = float("inf")
print("tensorflow", tf.__version__, "Python", sys.version.split()[0])
print(f"got {got!r}, expected {expected!r}")
if got != expected:
    print("MISMATCH: the loss in float32 is NaN where it is inf")
    sys.exit(1)
print("MATCH: the result is within rounding of the expected value")
