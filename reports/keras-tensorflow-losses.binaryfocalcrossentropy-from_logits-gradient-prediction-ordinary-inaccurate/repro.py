"""keras-tensorflow losses.binary_focal_crossentropy[from_logits]: the gradient by the prediction in float32 is 0 where it is 2.627e-26.

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
    return keras.losses.binary_focal_crossentropy(keras.ops.expand_dims(label, -1), keras.ops.expand_dims(prediction, -1), from_logits=True, gamma=2.0)

prediction = tf.constant([-20.0], dtype=tf.float32)  # -20 = 0xc1a00000
label = tf.constant([0.0], dtype=tf.float32)  # 0 = 0x00000000
result = gradient(lambda prediction: loss(prediction, label), prediction)
got = result.numpy().item()
# Exactly, sigmoid(z) - y; sigmoid(x) = 1/(1 + exp(-x)); times (1 - p_t)**2, where p_t is the probability of the label (a focal loss), at z = -20, y = 0.
expected = 2.6269532107604424e-26  # 0x1.04292d2133272p-85
ulp = 2.0**-108  # of float32 at the expected value
error = abs(got - expected) / ulp
print("keras", keras.__version__, "tensorflow", tf.__version__, "Python", sys.version.split()[0])
print(f"got {got!r}, expected {expected!r}, error {error:.3g} ULP")
if not error <= 4:
    print("MISMATCH: the gradient by the prediction in float32 is 0 where it is 2.627e-26")
    sys.exit(1)
print("MATCH: the result is within rounding of the expected value")
