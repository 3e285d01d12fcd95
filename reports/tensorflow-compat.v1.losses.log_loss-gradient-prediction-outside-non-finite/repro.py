"""tensorflow compat.v1.losses.log_loss: the gradient by the prediction in float32 is NaN where it is -inf.

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
    return tf.compat.v1.losses.log_loss(labels=label, predictions=prediction, weights=1.0, reduction=tf.compat.v1.losses.Reduction.NONE)

prediction = tf.constant([1.0], dtype=tf.float32)  # 1 = 0x3f800000
label = tf.constant([float("inf")], dtype=tf.float32)  # inf = 0x7f800000
result = along(lambda prediction: loss(prediction, label), prediction)
got = result.numpy().item()
# Exactly, (p - y)/(p*(1 - p)), at p = 1, y = inf.
expected = float("-inf")
print("tensorflow", tf.__version__, "Python", sys.version.split()[0])
print(f"got {got!r}, expected {expected!r}")
if got != expected:
    print("MISMATCH: the gradient by the prediction in float32 is NaN where it is -inf")
    sys.exit(1)
print("MATCH: the result is within rounding of the expected value")
