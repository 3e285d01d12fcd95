"""tensorflow compat.v1.losses.log_loss: in float32 inputs are accepted that must be rejected: prediction of shape (1,), label of shape (4,).

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

prediction = tf.constant([float.fromhex("0x1.333334p-2")], dtype=tf.float32)  # 0.3 = 0x3e99999a
label = tf.constant([1.0, 0.0, float.fromhex("0x1.333334p-2"), 1.0], dtype=tf.float32)
print("tensorflow", tf.__version__, "Python", sys.version.split()[0])
try:
    print('got', tf.function(lambda prediction, label: loss(prediction, label), autograph=False, input_signature=[tf.TensorSpec(None, one.dtype) for one in (prediction, label,)])(prediction, label))
except Exception as error:
    print(f"got {type(error).__name__}: {error}")
    print("MATCH: the inputs are rejected")
    sys.exit(0)
print("MISMATCH: in float32 inputs are accepted that must be rejected: prediction of shape (1,), label of shape (4,)")
sys.exit(1)
