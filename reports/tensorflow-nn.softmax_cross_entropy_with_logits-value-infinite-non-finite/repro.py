"""tensorflow nn.softmax_cross_entropy_with_logits: the loss in float32 is NaN where it is inf.

Exits with 1 where the mismatch shows, with 0 where it does not, and with 125 where it cannot be told.
"""
import sys

def cannot_tell(kind, error, traceback):
    print(f"cannot tell: {kind.__name__}: {error}")
    sys.exit(125)

sys.excepthook = cannot_tell
import tensorflow as tf

def loss(prediction, label):
    return tf.nn.softmax_cross_entropy_with_logits(labels=tf.stack([1 - label, label], axis=-1), logits=tf.stack([tf.zeros_like(prediction), prediction], axis=-1))

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
