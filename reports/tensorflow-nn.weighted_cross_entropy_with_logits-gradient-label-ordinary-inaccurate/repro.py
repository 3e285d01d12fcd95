"""tensorflow nn.weighted_cross_entropy_with_logits: the gradient by the label in float32 is 0 where it is -2.061e-09.

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

def loss(prediction, label, pos_weight):
    return tf.nn.weighted_cross_entropy_with_logits(labels=label, logits=prediction, pos_weight=pos_weight)

prediction = tf.constant([-20.0], dtype=tf.float32)  # -20 = 0xc1a00000
label = tf.constant([0.0], dtype=tf.float32)  # 0 = 0x00000000
pos_weight = tf.constant([0.0], dtype=tf.float32)  # 0 = 0x00000000
result = gradient(lambda label: loss(prediction, label, pos_weight), label)
got = result.numpy().item()
# Exactly, w*(q*softplus(-z) - softplus(z)); softplus(x) = log(1 + exp(x)), at z = -20, y = 0, q = 0.
expected = -2.061153620314381e-09  # -0x1.1b48655a5141ep-29
ulp = 2.0**-52  # of float32 at the expected value
error = abs(got - expected) / ulp
print("tensorflow", tf.__version__, "Python", sys.version.split()[0])
print(f"got {got!r}, expected {expected!r}, error {error:.3g} ULP")
if not error <= 4:
    print("MISMATCH: the gradient by the label in float32 is 0 where it is -2.061e-09")
    sys.exit(1)
print("MATCH: the result is within rounding of the expected value")
