"""tf-keras losses.BinaryCrossentropy: the loss in float16 is NaN where it is 1.023.

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
    return tf_keras.losses.BinaryCrossentropy()(label, prediction, sample_weight=None)

prediction = tf.constant([*([0.300048828125, 0.60009765625, 0.7001953125] * 33334)[:100000]], dtype=tf.float16)
label = tf.constant([*([1.0, 0.0, 0.300048828125] * 33334)[:100000]], dtype=tf.float16)
result = loss(prediction, label)
got = result.numpy().item()
# Exactly, the mean of -(y*log(p) + (1 - y)*log(1 - p)).
expected = 1.0234881939636018  # 0x1.06035280ea703p+0
documented = 1.023487907409392  # 0x1.06034db22cc0bp+0
error = min(abs(got - expected) / 2.0**-10, abs(got - documented) / 2.0**-10)  # in ULP of float16
print("tf_keras", tf_keras.__version__, "tensorflow", tf.__version__, "Python", sys.version.split()[0])
print(f"got {got!r}, expected {expected!r}, documented {documented!r}, error {error:.3g} ULP")
if not error <= 5:
    print("MISMATCH: the loss in float16 is NaN where it is 1.023")
    sys.exit(1)
print("MATCH: the result is within rounding of the expected value")
