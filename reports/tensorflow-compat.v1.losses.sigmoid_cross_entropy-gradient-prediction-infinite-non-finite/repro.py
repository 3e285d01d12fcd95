"""tensorflow compat.v1.losses.sigmoid_cross_entropy: the gradient by the prediction in float32 is NaN where it is 1.

Exits with 1 where the mismatch shows, with 0 where it does not, and with 125 where it cannot be told.
"""
import sys

def cannot_tell(kind, error, traceback):
    print(f"cannot tell: {kind.__name__}: {error}")
    sys.exit(125)

sys.excepthook = cannot_tell
import tensorflow as tf

def along(function, variable):
    with tf.autodiff.ForwardAccumulator(variable, tf.ones_like(variable)) as accumulator:
        result = function(variable)
    return accumulator.jvp(result, unconnected_gradients="zero")

def loss(prediction, label):
    return tf.compat.v1.losses.sigmoid_cross_entropy(multi_class_labels=label, logits=prediction, weights=1.0, label_smoothing=0, reduction=tf.compat.v1.losses.Reduction.SUM_OVER_BATCH_SIZE)

prediction = tf.constant([float("inf")], dtype=tf.float32)  # inf = 0x7f800000
label = tf.constant([0.0], dtype=tf.float32)  # 0 = 0x00000000
result = along(lambda prediction: loss(prediction, label), prediction)
got = result.numpy().item()
# Exactly, the mean of 1/(1 + exp(-z)), at z = inf, y = 0.
expected = 1.0  # 0x1p+0
ulp = 2.0**-23  # of float32 at the expected value
error = abs(got - expected) / ulp
print("tensorflow", tf.__version__, "Python", sys.version.split()[0])
print(f"got {got!r}, expected {expected!r}, error {error:.3g} ULP")
if not error <= 4:
    print("MISMATCH: the gradient by the prediction in float32 is NaN where it is 1")
    sys.exit(1)
print("MATCH: the result is within rounding of the expected value")
