"""tensorflow nn.softmax_cross_entropy_with_logits: jvp mode does not do what the plain call does (inaccurate) in float64.

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
def gradient(function, variable):
    with tf.GradientTape() as tape:
        tape.watch(variable)
        result = function(variable)
    return tape.gradient(result, variable, unconnected_gradients="zero")

def loss(prediction, label):
    return tf.nn.softmax_cross_entropy_with_logits(labels=tf.stack([1 - label, label], axis=-1), logits=tf.stack([tf.zeros_like(prediction), prediction], axis=-1))

prediction = tf.constant([5.0], dtype=tf.float64)  # 5 = 0x4014000000000000
label = tf.constant([0.0], dtype=tf.float64)  # 0 = 0x0000000000000000
expected = gradient(lambda prediction: gradient(lambda prediction: loss(prediction, label), prediction), prediction).numpy().item()
got = along(lambda prediction: gradient(lambda prediction: loss(prediction, label), prediction), prediction).numpy().item()
bound = 8 * 8.673617379884035e-19  # 8 ULP of float64: the budgets of both
print("tensorflow", tf.__version__, "Python", sys.version.split()[0])
print(f"got {got!r}, plainly {expected!r}")
if not (got == expected or abs(got - expected) <= bound or (got != got and expected != expected)):
    print("MISMATCH: jvp mode does not do what the plain call does (inaccurate) in float64")
    sys.exit(1)
print("MATCH: both modes agree")
