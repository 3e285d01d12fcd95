"""keras-tensorflow losses.binary_crossentropy: xla mode does not do what the plain call does (nan) in float16.

Exits with 1 where the mismatch shows, with 0 where it does not, and with 125 where it cannot be told.
"""
import sys

def cannot_tell(kind, error, traceback):
    print(f"cannot tell: {kind.__name__}: {error}")
    sys.exit(125)

sys.excepthook = cannot_tell
import os
os.environ["KERAS_BACKEND"] = "tensorflow"
import keras
import tensorflow as tf

def gradient(function, variable):
    with tf.GradientTape() as tape:
        tape.watch(variable)
        result = function(variable)
    return tape.gradient(result, variable, unconnected_gradients="zero")

def loss(prediction, label):
    return keras.losses.binary_crossentropy(keras.ops.expand_dims(label, -1), keras.ops.expand_dims(prediction, -1), from_logits=False)

prediction = tf.constant([1.0], dtype=tf.float16)  # 1 = 0x3c00
label = tf.constant([1.0], dtype=tf.float16)  # 1 = 0x3c00
expected = gradient(lambda prediction: gradient(lambda prediction: loss(prediction, label), prediction), prediction).numpy().item()
got = tf.function(lambda prediction, label: gradient(lambda prediction: gradient(lambda prediction: loss(prediction, label), prediction), prediction), autograph=False, jit_compile=True)(prediction, label).numpy().item()
bound = 8 * 0.0009765625  # 8 ULP of float16: the budgets of both
print("keras", keras.__version__, "tensorflow", tf.__version__, "Python", sys.version.split()[0])
print(f"got {got!r}, plainly {expected!r}")
if not (got == expected or abs(got - expected) <= bound or (got != got and expected != expected)):
    print("MISMATCH: xla mode does not do what the plain call does (nan) in float16")
    sys.exit(1)
print("MATCH: both modes agree")
