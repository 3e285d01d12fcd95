"""tf-keras losses.BinaryFocalCrossentropy[from_logits]: the loss in float32 is 0 where it is 8.757e-27.

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
    return tf_keras.losses.BinaryFocalCrossentropy(gamma=2.0, apply_class_balancing=False, from_logits=True, reduction='none')(tf.expand_dims(label, -1), tf.expand_dims(prediction, -1), sample_weight=None)

prediction = tf.constant([-20.0], dtype=tf.float32)  # -20 = 0xc1a00000
label = tf.constant([0.0], dtype=tf.float32)  # 0 = 0x00000000
result = loss(prediction, label)
got = result.numpy().item()
# Exactly, y*softplus(-z) + (1 - y)*softplus(z); softplus(x) = log(1 + exp(x)); times (1 - p_t)**2, where p_t is the probability of the label (a focal loss), at z = -20, y = 0.
expected = 8.756510717575235e-27  # 0x1.5ae1918b98888p-87
ulp = 2.0**-110  # of float32 at the expected value
error = abs(got - expected) / ulp
print("tf_keras", tf_keras.__version__, "tensorflow", tf.__version__, "Python", sys.version.split()[0])
print(f"got {got!r}, expected {expected!r}, error {error:.3g} ULP")
if not error <= 4:
    print("MISMATCH: the loss in float32 is 0 where it is 8.757e-27")
    sys.exit(1)
print("MATCH: the result is within rounding of the expected value")
