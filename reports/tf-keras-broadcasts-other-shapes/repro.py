"""tf-keras backend.binary_crossentropy: in float32 inputs are accepted that must be rejected: prediction of shape (1,), label of shape (4,).

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
    return tf_keras.backend.binary_crossentropy(label, prediction, from_logits=False)

prediction = tf.constant([float.fromhex("0x1.333334p-2")], dtype=tf.float32)  # 0.3 = 0x3e99999a
label = tf.constant([1.0, 0.0, float.fromhex("0x1.333334p-2"), 1.0], dtype=tf.float32)
print("tf_keras", tf_keras.__version__, "tensorflow", tf.__version__, "Python", sys.version.split()[0])
try:
    print('got', loss(prediction, label))
except Exception as error:
    print(f"got {type(error).__name__}: {error}")
    print("MATCH: the inputs are rejected")
    sys.exit(0)
print("MISMATCH: in float32 inputs are accepted that must be rejected: prediction of shape (1,), label of shape (4,)")
sys.exit(1)
