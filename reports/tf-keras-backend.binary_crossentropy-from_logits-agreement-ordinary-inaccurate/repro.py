"""tf-keras losses.BinaryCrossentropy[from_logits]: function mode does not do what the plain call does (inaccurate) in float32.

Exits with 1 where the mismatch shows, with 0 where it does not, and with 125 where it cannot be told.
"""
import sys

def cannot_tell(kind, error, traceback):
    print(f"cannot tell: {kind.__name__}: {error}")
    sys.exit(125)

sys.excepthook = cannot_tell
import tensorflow as tf
import tf_keras

def gradient(function, variable):
    with tf.GradientTape() as tape:
        tape.watch(variable)
        result = function(variable)
    return tape.gradient(result, variable, unconnected_gradients="zero")

def loss(prediction, label):
    return tf_keras.losses.BinaryCrossentropy(from_logits=True, reduction='none')(tf.expand_dims(label, -1), tf.expand_dims(prediction, -1), sample_weight=None)

prediction = tf.constant([7.0], dtype=tf.float32)  # 7 = 0x40e00000
label = tf.constant([1.0], dtype=tf.float32)  # 1 = 0x3f800000
expected = gradient(lambda prediction: loss(prediction, label), prediction).numpy().item()
got = tf.function(lambda prediction, label: gradient(lambda prediction: loss(prediction, label), prediction), autograph=False)(prediction, label).numpy().item()
bound = 8 * 5.820766091346741e-11  # 8 ULP of float32: the budgets of both
print("tf_keras", tf_keras.__version__, "tensorflow", tf.__version__, "Python", sys.version.split()[0])
print(f"got {got!r}, plainly {expected!r}")
if not (got == expected or abs(got - expected) <= bound or (got != got and expected != expected)):
    print("MISMATCH: function mode does not do what the plain call does (inaccurate) in float32")
    sys.exit(1)
print("MATCH: both modes agree")
