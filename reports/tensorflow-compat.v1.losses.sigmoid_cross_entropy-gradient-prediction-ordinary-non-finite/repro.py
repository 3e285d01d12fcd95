"""tensorflow compat.v1.losses.sigmoid_cross_entropy: the gradient by the prediction in float64 is NaN where it is -1e+308.

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
    return tf.compat.v1.losses.sigmoid_cross_entropy(multi_class_labels=label, logits=prediction, weights=1.0, label_smoothing=0, reduction=tf.compat.v1.losses.Reduction.NONE)

prediction = tf.constant([1.0], dtype=tf.float64)  # 1 = 0x3ff0000000000000
label = tf.constant([1e+308], dtype=tf.float64)  # 1e+308 = 0x7fe1ccf385ebc8a0
result = along(lambda prediction: loss(prediction, label), prediction)
got = result.numpy().item()
# Exactly, sigmoid(z) - y; sigmoid(x) = 1/(1 + exp(-x)), at z = 1, y = 1e+308.
expected = -1e+308  # -0x1.1ccf385ebc8ap+1023
ulp = 2.0**971  # of float64 at the expected value
error = abs(got - expected) / ulp
print("tensorflow", tf.__version__, "Python", sys.version.split()[0])
print(f"got {got!r}, expected {expected!r}, error {error:.3g} ULP")
if not error <= 4:
    print("MISMATCH: the gradient by the prediction in float64 is NaN where it is -1e+308")
    sys.exit(1)
print("MATCH: the result is within rounding of the expected value")
