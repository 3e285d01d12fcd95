"""tf-keras losses.BinaryCrossentropy[from_logits]: the sum is not that of the unreduced losses in float16.

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
    return tf_keras.losses.BinaryCrossentropy(from_logits=True, reduction='sum')(tf.expand_dims(label, -1), tf.expand_dims(prediction, -1), sample_weight=None)

def unreduced(prediction, label):
    return tf_keras.losses.BinaryCrossentropy(from_logits=True, reduction='none')(tf.expand_dims(label, -1), tf.expand_dims(prediction, -1), sample_weight=None)

import math
prediction = tf.constant([2000.0, 0.0, 0.0, -0.5, 0.5, 1.0], dtype=tf.float16)
label = tf.constant([0.0, 0.0, 1.0, 0.0, 1.0, 1.0], dtype=tf.float16)
got = loss(prediction, label).numpy().item()
terms = unreduced(prediction, label).numpy().tolist()
expected = math.fsum(terms)  # the exact sum of the losses themselves
bound = 0.501  # what summation and one rounding may cost, docs/reference.md of bce-conformance
print("tf_keras", tf_keras.__version__, "tensorflow", tf.__version__, "Python", sys.version.split()[0])
print(f"got {got!r}, expected {expected!r}, error {abs(got - expected):.3g}, bound {bound:.3g}")
if not (got == expected or abs(got - expected) <= bound or (got != got and expected != expected)):
    print("MISMATCH: the sum is not that of the unreduced losses in float16")
    sys.exit(1)
print("MATCH: the result is that of its terms")
