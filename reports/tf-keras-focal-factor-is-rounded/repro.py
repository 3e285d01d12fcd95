"""tf-keras losses.BinaryFocalCrossentropy[from_logits]: the loss in float32 is off by 9.8e+04 ULP where it is 4.599e-05.

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
    return tf_keras.losses.BinaryFocalCrossentropy(gamma=0.0, apply_class_balancing=False, from_logits=True, reduction='none')(tf.expand_dims(label, -1), tf.expand_dims(prediction, -1), sample_weight=None)

prediction = tf.constant([10.0], dtype=tf.float32)  # 10 = 0x41200000
label = tf.constant([float.fromhex("0x1.fffffep-1")], dtype=tf.float32)  # 0.99999994 = 0x3f7fffff
result = loss(prediction, label)
got = result.numpy().item()
# Exactly, y*softplus(-z) + (1 - y)*softplus(z); softplus(x) = log(1 + exp(x)), at z = 10, y = 0.99999994.
expected = 4.599494566461855e-05  # 0x1.81d564c9e0d19p-15
ulp = 2.0**-38  # of float32 at the expected value
error = abs(got - expected) / ulp
print("tf_keras", tf_keras.__version__, "tensorflow", tf.__version__, "Python", sys.version.split()[0])
print(f"got {got!r}, expected {expected!r}, error {error:.3g} ULP")
if not error <= 4:
    print("MISMATCH: the loss in float32 is off by 9.8e+04 ULP where it is 4.599e-05")
    sys.exit(1)
print("MATCH: the result is within rounding of the expected value")
