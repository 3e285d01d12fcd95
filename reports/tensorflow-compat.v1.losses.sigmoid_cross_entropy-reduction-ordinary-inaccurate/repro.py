"""tensorflow compat.v1.losses.sigmoid_cross_entropy: the mean is not that of the unreduced losses in float64.

Exits with 1 where the mismatch shows, with 0 where it does not, and with 125 where it cannot be told.
"""
import sys

def cannot_tell(kind, error, traceback):
    print(f"cannot tell: {kind.__name__}: {error}")
    sys.exit(125)

sys.excepthook = cannot_tell
import tensorflow as tf

def loss(prediction, label):
    return tf.compat.v1.losses.sigmoid_cross_entropy(multi_class_labels=label, logits=prediction, weights=1.0, label_smoothing=0, reduction=tf.compat.v1.losses.Reduction.SUM_OVER_BATCH_SIZE)

def unreduced(prediction, label):
    return tf.compat.v1.losses.sigmoid_cross_entropy(multi_class_labels=label, logits=prediction, weights=1.0, label_smoothing=0, reduction=tf.compat.v1.losses.Reduction.NONE)

import math
prediction = tf.constant([0.0, 3.0], dtype=tf.float64)  # 0 = 0x0000000000000000, 3 = 0x4008000000000000
label = tf.constant([1.0, 1.0], dtype=tf.float64)  # 1 = 0x3ff0000000000000, 1 = 0x3ff0000000000000
got = loss(prediction, label).numpy().item()
terms = unreduced(prediction, label).numpy().tolist()
expected = math.fsum(terms) / len(terms)  # the exact mean of the losses themselves
bound = 3.98e-16  # what summation and one rounding may cost, docs/reference.md of bce-conformance
print("tensorflow", tf.__version__, "Python", sys.version.split()[0])
print(f"got {got!r}, expected {expected!r}, error {abs(got - expected):.3g}, bound {bound:.3g}")
if not (got == expected or abs(got - expected) <= bound or (got != got and expected != expected)):
    print("MISMATCH: the mean is not that of the unreduced losses in float64")
    sys.exit(1)
print("MATCH: the result is that of its terms")
