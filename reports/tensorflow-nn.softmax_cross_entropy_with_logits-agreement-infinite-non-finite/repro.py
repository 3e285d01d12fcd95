"""tensorflow nn.softmax_cross_entropy_with_logits: xla mode does not do what the plain call does (nan) in float64.

Exits with 1 where the mismatch shows, with 0 where it does not, and with 125 where it cannot be told.
"""
import sys

def cannot_tell(kind, error, traceback):
    print(f"cannot tell: {kind.__name__}: {error}")
    sys.exit(125)

sys.excepthook = cannot_tell
import tensorflow as tf

def loss(prediction, label):
    return tf.nn.softmax_cross_entropy_with_logits(labels=tf.stack([1 - label, label], axis=-1), logits=tf.stack([tf.zeros_like(prediction), prediction], axis=-1))

prediction = tf.constant([float("-inf")], dtype=tf.float64)  # -inf = 0xfff0000000000000
label = tf.constant([0.0], dtype=tf.float64)  # 0 = 0x0000000000000000
expected = loss(prediction, label).numpy().item()
got = tf.function(lambda prediction, label: loss(prediction, label), autograph=False, jit_compile=True)(prediction, label).numpy().item()
bound = 8 * 5e-324  # 8 ULP of float64: the budgets of both
print("tensorflow", tf.__version__, "Python", sys.version.split()[0])
print(f"got {got!r}, plainly {expected!r}")
if not (got == expected or abs(got - expected) <= bound or (got != got and expected != expected)):
    print("MISMATCH: xla mode does not do what the plain call does (nan) in float64")
    sys.exit(1)
print("MATCH: both modes agree")
