"""tensorflow compat.v1.losses.sigmoid_cross_entropy: the loss in float64 is off by 1.7e+07 ULP where it is 0.6931.

Exits with 1 where the mismatch shows, with 0 where it does not, and with 125 where it cannot be told.
"""
import sys

def cannot_tell(kind, error, traceback):
    print(f"cannot tell: {kind.__name__}: {error}")
    sys.exit(125)

sys.excepthook = cannot_tell
import tensorflow as tf

def loss(prediction, label):
    return tf.compat.v1.losses.sigmoid_cross_entropy(multi_class_labels=label, logits=prediction, weights=1.0, label_smoothing=0, reduction=tf.compat.v1.losses.Reduction.NONE)

prediction = tf.constant([0.0], dtype=tf.float64)  # 0 = 0x0000000000000000
label = tf.constant([0.0], dtype=tf.float64)  # 0 = 0x0000000000000000
result = loss(prediction, label)
got = result.numpy().item()
# Exactly, log(1 + exp(z)), at z = 0, y = 0.
expected = 0.6931471805599453  # 0x1.62e42fefa39efp-1
ulp = 2.0**-53  # of float64 at the expected value
error = abs(got - expected) / ulp
print("tensorflow", tf.__version__, "Python", sys.version.split()[0])
print(f"got {got!r}, expected {expected!r}, error {error:.3g} ULP")
if not error <= 4:
    print("MISMATCH: the loss in float64 is off by 1.7e+07 ULP where it is 0.6931")
    sys.exit(1)
print("MATCH: the result is within rounding of the expected value")
