"""keras-tensorflow ops.binary_crossentropy: this does not hold in float32: what a softmax layer produced has the loss of a copy of it.

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
    return keras.ops.binary_crossentropy(label, prediction, from_logits=False)

logits = tf.constant([float.fromhex("-0x1.193ea8p+1")], dtype=tf.float32)
label = tf.reshape(tf.constant([1.0, 0.0], dtype=tf.float32), (1, 2))
prediction = keras.ops.softmax(keras.ops.stack([keras.ops.zeros_like(logits), logits], axis=-1), axis=-1)
got = loss(prediction, label).numpy().tolist()
prediction = tf.constant([*prediction.numpy().tolist()], dtype=tf.float32)  # the same numbers in another tensor
expected = loss(prediction, label).numpy().tolist()
print("keras", keras.__version__, "tensorflow", tf.__version__, "Python", sys.version.split()[0])
print(f"got {got}, with a copy of the prediction {expected}")
if got != expected:
    print("MISMATCH: this does not hold in float32: what a softmax layer produced has the loss of a copy of it")
    sys.exit(1)
print("MATCH: both calls agree")
