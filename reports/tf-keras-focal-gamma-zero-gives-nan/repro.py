"""tf-keras losses.BinaryFocalCrossentropy: the gradient by the prediction in float32 is NaN where it is 1.

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
    return tf_keras.losses.BinaryFocalCrossentropy(gamma=0.0, apply_class_balancing=False, reduction='none')(tf.expand_dims(label, -1), tf.expand_dims(prediction, -1), sample_weight=None)

prediction = tf.constant([float.fromhex("0x1.79ca1p-67")], dtype=tf.float32)  # 1e-20 = 0x1e3ce508
label = tf.constant([0.0], dtype=tf.float32)  # 0 = 0x00000000
result = gradient(lambda prediction: loss(prediction, label), prediction)
got = result.numpy().item()
# Exactly, 1/(1 - p), at p = 1e-20, y = 0.
expected = 1.0  # 0x1p+0
documented = 0.0  # 0x0p+0
error = min(abs(got - expected) / 2.0**-23, abs(got - documented) / 2.0**-149)  # in ULP of float32
print("tf_keras", tf_keras.__version__, "tensorflow", tf.__version__, "Python", sys.version.split()[0])
print(f"got {got!r}, expected {expected!r}, documented {documented!r}, error {error:.3g} ULP")
if not error <= 4:
    print("MISMATCH: the gradient by the prediction in float32 is NaN where it is 1")
    sys.exit(1)
print("MATCH: the result is within rounding of the expected value")
