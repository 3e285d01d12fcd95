"""tf-keras backend.binary_crossentropy: the gradient by the prediction in float32 is a number where it is NaN.

Exits with 1 where the mismatch shows, with 0 where it does not, and with 125 where it cannot be told.
"""
import sys

def cannot_tell(kind, error, traceback):
    print(f"cannot tell: {kind.__name__}: {error}")
    sys.exit(125)

sys.excepthook = cannot_tell
import tensorflow as tf
import tf_keras

def gradient(function, variable):
    with tf.GradientTape() as tape:
        tape.watch(variable)
        result = function(variable)
    return tape.gradient(result, variable, unconnected_gradients="zero")

def loss(prediction, label):
    return tf_keras.backend.binary_crossentropy(label, prediction, from_logits=False)

prediction = tf.constant([float("nan")], dtype=tf.float32)  # nan = 0x7fc00000
label = tf.constant([0.0], dtype=tf.float32)  # 0 = 0x00000000
result = gradient(lambda prediction: loss(prediction, label), prediction)
got = result.numpy().item()
# No value, at p = nan, y = 0: an input is NaN.
expected = float("nan")
print("tf_keras", tf_keras.__version__, "tensorflow", tf.__version__, "Python", sys.version.split()[0])
print(f"got {got!r}, expected {expected!r}")
if got == got:
    print("MISMATCH: the gradient by the prediction in float32 is a number where it is NaN")
    sys.exit(1)
print("MATCH: the result is within rounding of the expected value")
