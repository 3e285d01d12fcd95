"""tensorflow nn.weighted_cross_entropy_with_logits: the gradient by the prediction in float32 has the wrong sign where it is -0.3.

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
label = tf.constant([float.fromhex("0x1.99999ap-1")], dtype=tf.float32)  # 0.8 = 0x3f4ccccd
result = gradient(lambda prediction: loss(prediction, label), prediction)
got = result.numpy().item()
# Exactly, sigmoid(z) - y; sigmoid(x) = 1/(1 + exp(-x)), at z = 0, y = 0.8.
expected = -0.30000001192092896  # -0x1.333334p-2
ulp = 2.0**-24  # of float32 at the larger of the two terms of the formula
error = abs(got - expected) / ulp
print("tensorflow", tf.__version__, "Python", sys.version.split()[0])
print(f"got {got!r}, expected {expected!r}, error {error:.3g} ULP")
if not error <= 4:
    print("MISMATCH: the gradient by the prediction in float32 has the wrong sign where it is -0.3")
    sys.exit(1)
print("MATCH: the result is within rounding of the expected value")
