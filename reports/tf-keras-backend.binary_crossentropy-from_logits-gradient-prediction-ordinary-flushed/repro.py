"""tf-keras backend.binary_crossentropy[from_logits]: the gradient by the prediction in float32 is flushed to 0 where it is -8.194e-40.

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
    return tf_keras.backend.binary_crossentropy(label, prediction, from_logits=True)

prediction = tf.constant([90.0], dtype=tf.float32)  # 90 = 0x42b40000
label = tf.constant([1.0], dtype=tf.float32)  # 1 = 0x3f800000
result = gradient(lambda prediction: loss(prediction, label), prediction)
got = result.numpy().item()
# Exactly, -1/(1 + exp(z)), at z = 90, y = 1.
expected = -8.194012623990515e-40  # -0x1.1d8508fa8246ap-130
ulp = 2.0**-149  # of float32 at the expected value
error = abs(got - expected) / ulp
print("tf_keras", tf_keras.__version__, "tensorflow", tf.__version__, "Python", sys.version.split()[0])
print(f"got {got!r}, expected {expected!r}, error {error:.3g} ULP")
if not error <= 4 or got == 0:
    print("MISMATCH: the gradient by the prediction in float32 is flushed to 0 where it is -8.194e-40")
    sys.exit(1)
print("MATCH: the result is within rounding of the expected value")
