"""tensorflow nn.weighted_cross_entropy_with_logits: in float32 inputs are accepted that must be rejected: prediction of shape (3,), label of shape (3,), pos_weight of shape (4, 3).

Exits with 1 where the mismatch shows, with 0 where it does not, and with 125 where it cannot be told.
"""
import sys

def cannot_tell(kind, error, traceback):
    print(f"cannot tell: {kind.__name__}: {error}")
    sys.exit(125)

sys.excepthook = cannot_tell
import tensorflow as tf

def loss(prediction, label, pos_weight):
    return tf.nn.weighted_cross_entropy_with_logits(labels=label, logits=prediction, pos_weight=pos_weight)

prediction = tf.constant([-0.5, 0.75, 1.0], dtype=tf.float32)
label = tf.constant([1.0, 0.0, float.fromhex("0x1.333334p-2")], dtype=tf.float32)
pos_weight = tf.reshape(tf.constant([2.0, 0.5, 3.0, 2.0, 0.5, 3.0, 2.0, 0.5, 3.0, 2.0, 0.5, 3.0], dtype=tf.float32), (4, 3))
print("tensorflow", tf.__version__, "Python", sys.version.split()[0])
try:
    print('got', loss(prediction, label, pos_weight))
except Exception as error:
    print(f"got {type(error).__name__}: {error}")
    print("MATCH: the inputs are rejected")
    sys.exit(0)
print("MISMATCH: in float32 inputs are accepted that must be rejected: prediction of shape (3,), label of shape (3,), pos_weight of shape (4, 3)")
sys.exit(1)
