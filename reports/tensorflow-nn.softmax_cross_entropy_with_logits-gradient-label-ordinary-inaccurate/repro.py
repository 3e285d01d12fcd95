"""tensorflow nn.softmax_cross_entropy_with_logits: the gradient by the label in float32 is 0 where it is -1.2e-38.

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
    return tf.nn.softmax_cross_entropy_with_logits(labels=tf.stack([1 - label, label], axis=-1), logits=tf.stack([tf.zeros_like(prediction), prediction], axis=-1))

prediction = tf.constant([float.fromhex("0x1.05563cp-126")], dtype=tf.float32)  # 1.2e-38 = 0x0082ab1e
label = tf.constant([0.0], dtype=tf.float32)  # 0 = 0x00000000
result = gradient(lambda label: loss(prediction, label), label)
got = result.numpy().item()
# Exactly, -z, at z = 1.2e-38, y = 0.
expected = -1.199999978106707e-38  # -0x1.05563cp-126
ulp = 2.0**-149  # of float32 at the expected value
error = abs(got - expected) / ulp
print("tensorflow", tf.__version__, "Python", sys.version.split()[0])
print(f"got {got!r}, expected {expected!r}, error {error:.3g} ULP")
if not error <= 4:
    print("MISMATCH: the gradient by the label in float32 is 0 where it is -1.2e-38")
    sys.exit(1)
print("MATCH: the result is within rounding of the expected value")
