"""tf-keras backend.binary_crossentropy: the loss in float32 is 0 where it is 1e-07.

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

prediction = tf.constant([float.fromhex("0x1.ad7f2ap-24")], dtype=tf.float32)  # 1e-07 = 0x33d6bf95
label = tf.constant([0.0], dtype=tf.float32)  # 0 = 0x00000000
result = loss(prediction, label)
got = result.numpy().item()
# Exactly, -log(1 - p), at p = 1e-07, y = 0.
expected = 1.000000061686102e-07  # 0x1.ad7f2b6849ba9p-24
documented = 1.168609746833225e-15  # 0x1.50d42e0000003p-50
error = min(abs(got - expected) / 2.0**-47, abs(got - documented) / 2.0**-73)  # in ULP of float32
print("tf_keras", tf_keras.__version__, "tensorflow", tf.__version__, "Python", sys.version.split()[0])
print(f"got {got!r}, expected {expected!r}, documented {documented!r}, error {error:.3g} ULP")
if not error <= 4:
    print("MISMATCH: the loss in float32 is 0 where it is 1e-07")
    sys.exit(1)
print("MATCH: the result is within rounding of the expected value")
