"""tensorflow compat.v1.losses.log_loss: the mean is not that of the unreduced losses in float64.

Exits with 1 where the mismatch shows, with 0 where it does not, and with 125 where it cannot be told.
"""
import sys

def cannot_tell(kind, error, traceback):
    print(f"cannot tell: {kind.__name__}: {error}")
    sys.exit(125)

sys.excepthook = cannot_tell
import tensorflow as tf

def loss(prediction, label):
    return tf.compat.v1.losses.log_loss(labels=label, predictions=prediction, weights=1.0, reduction=tf.compat.v1.losses.Reduction.SUM_OVER_BATCH_SIZE)

def unreduced(prediction, label):
    return tf.compat.v1.losses.log_loss(labels=label, predictions=prediction, weights=1.0, reduction=tf.compat.v1.losses.Reduction.NONE)

import math
prediction = tf.constant([*([0.3, 0.6, 0.7] * 33334)[:100000]], dtype=tf.float64)
label = tf.constant([*([1.0, 0.0, 0.3] * 33334)[:100000]], dtype=tf.float64)
got = tf.function(lambda prediction, label: loss(prediction, label), autograph=False, jit_compile=True)(prediction, label).numpy().item()
terms = unreduced(prediction, label).numpy().tolist()
expected = math.fsum(terms) / len(terms)  # the exact mean of the losses themselves
bound = 1.58e-06  # what summation and one rounding may cost, docs/reference.md of bce-conformance
print("tensorflow", tf.__version__, "Python", sys.version.split()[0])
print(f"got {got!r}, expected {expected!r}, error {abs(got - expected):.3g}, bound {bound:.3g}")
if not (got == expected or abs(got - expected) <= bound or (got != got and expected != expected)):
    print("MISMATCH: the mean is not that of the unreduced losses in float64")
    sys.exit(1)
print("MATCH: the result is that of its terms")
