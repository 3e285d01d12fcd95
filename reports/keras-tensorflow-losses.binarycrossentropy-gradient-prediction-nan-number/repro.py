"""keras-tensorflow losses.BinaryCrossentropy: the gradient by the prediction in float32 is a number where it is NaN.

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

def gradient(function, variable):
    with tf.GradientTape() as tape:
        tape.watch(variable)
        result = function(variable)
    return tape.gradient(result, variable, unconnected_gradients="zero")

def loss(prediction, label):
    return keras.losses.BinaryCrossentropy(from_logits=False, reduction='none')(keras.ops.expand_dims(label, -1), keras.ops.expand_dims(prediction, -1), sample_weight=None)

prediction = tf.constant([float("nan")], dtype=tf.float32)  # nan = 0x7fc00000
label = tf.constant([0.0], dtype=tf.float32)  # 0 = 0x00000000
result = gradient(lambda prediction: loss(prediction, label), prediction)
got = result.numpy().item()
# No value, at p = nan, y = 0: an input is NaN.
expected = float("nan")
print("keras", keras.__version__, "tensorflow", tf.__version__, "Python", sys.version.split()[0])
print(f"got {got!r}, expected {expected!r}")
if got == got:
    print("MISMATCH: the gradient by the prediction in float32 is a number where it is NaN")
    sys.exit(1)
print("MATCH: the result is within rounding of the expected value")
