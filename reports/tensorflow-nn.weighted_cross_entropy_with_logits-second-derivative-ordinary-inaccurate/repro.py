"""tensorflow nn.weighted_cross_entropy_with_logits: the second derivative by the prediction in float32 is 0 where it is 0.25.

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
    return tf.nn.weighted_cross_entropy_with_logits(labels=label, logits=prediction, pos_weight=1)

prediction = tf.constant([0.0], dtype=tf.float32)  # 0 = 0x00000000
label = tf.constant([0.0], dtype=tf.float32)  # 0 = 0x00000000
result = gradient(lambda prediction: gradient(lambda prediction: loss(prediction, label), prediction), prediction)
got = result.numpy().item()
# Exactly, sigmoid(z)*sigmoid(-z); sigmoid(x) = 1/(1 + exp(-x)), at z = 0, y = 0.
expected = 0.25  # 0x1p-2
ulp = 2.0**-25  # of float32 at the expected value
error = abs(got - expected) / ulp
print("tensorflow", tf.__version__, "Python", sys.version.split()[0])
print(f"got {got!r}, expected {expected!r}, error {error:.3g} ULP")
if not error <= 4:
    print("MISMATCH: the second derivative by the prediction in float32 is 0 where it is 0.25")
    sys.exit(1)
print("MATCH: the result is within rounding of the expected value")
