"""tf-keras backend.binary_crossentropy: the loss in float16 is 15.25 where it is inf, or 15.3332 as documented.

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

prediction = tf.constant([0.0], dtype=tf.float16)  # 0 = 0x0000
label = tf.constant([1.0], dtype=tf.float16)  # 1 = 0x3c00
result = loss(prediction, label)
got = result.numpy().item()
# Exactly, -log(p), at p = 0, y = 1.
expected = float("inf")
documented = 15.333238903433024  # 0x1.eaa9e4a1fffdep+3
error = abs(got - documented) / 2.0**-7  # in ULP of float16
print("tf_keras", tf_keras.__version__, "tensorflow", tf.__version__, "Python", sys.version.split()[0])
print(f"got {got!r}, expected {expected!r}, documented {documented!r}, error {error:.3g} ULP")
if got != expected and not error <= 4:
    print("MISMATCH: the loss in float16 is 15.25 where it is inf, or 15.3332 as documented")
    sys.exit(1)
print("MATCH: the result is within rounding of the expected value")
