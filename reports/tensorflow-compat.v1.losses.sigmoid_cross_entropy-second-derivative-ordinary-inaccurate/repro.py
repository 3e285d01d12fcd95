"""tensorflow compat.v1.losses.sigmoid_cross_entropy: the second derivative by the prediction in float64 is off by 1.7e+08 ULP where it is 0.07833.

Exits with 1 where the mismatch shows, with 0 where it does not, and with 125 where it cannot be told.
"""
import sys

def cannot_tell(kind, error, traceback):
    print(f"cannot tell: {kind.__name__}: {error}")
    sys.exit(125)

sys.excepthook = cannot_tell
import tensorflow as tf

def gradient(function, variable):
    with tf.GradientTape() as tape:
        tape.watch(variable)
        result = function(variable)
    return tape.gradient(result, variable, unconnected_gradients="zero")

def loss(prediction, label):
    return tf.compat.v1.losses.sigmoid_cross_entropy(multi_class_labels=label, logits=prediction, weights=1.0, label_smoothing=0, reduction=tf.compat.v1.losses.Reduction.SUM_OVER_BATCH_SIZE)

prediction = tf.constant([-0.5, 0.75, 1.0], dtype=tf.float64)
label = tf.constant([1.0, 0.0, 0.3], dtype=tf.float64)
result = gradient(lambda prediction: gradient(lambda prediction: loss(prediction, label), prediction), prediction)
got = result.numpy().tolist()[0]
# Exactly, the mean of sigmoid(z)*sigmoid(-z); sigmoid(x) = 1/(1 + exp(-x)).
expected = 0.07833457073386484  # 0x1.40dbc0372b9d7p-4
ulp = 2.0**-56  # of float64 at the expected value
error = abs(got - expected) / ulp
print("tensorflow", tf.__version__, "Python", sys.version.split()[0])
print(f"got {got!r}, expected {expected!r}, error {error:.3g} ULP")
if not error <= 4:
    print("MISMATCH: the second derivative by the prediction in float64 is off by 1.7e+08 ULP where it is 0.07833")
    sys.exit(1)
print("MATCH: the result is within rounding of the expected value")
