"""keras-openvino losses.binary_crossentropy: the mean is not that of the unreduced losses in float64.

Exits with 1 where the mismatch shows, with 0 where it does not, and with 125 where it cannot be told.
"""
import sys

def cannot_tell(kind, error, traceback):
    print(f"cannot tell: {kind.__name__}: {error}")
    sys.exit(125)

sys.excepthook = cannot_tell
import os
os.environ["KERAS_BACKEND"] = "openvino"
import keras
import numpy as np

def loss(prediction, label):
    return keras.losses.binary_crossentropy(label, prediction, from_logits=False)

def unreduced(prediction, label):
    return keras.losses.binary_crossentropy(keras.ops.expand_dims(label, -1), keras.ops.expand_dims(prediction, -1), from_logits=False)

import math
prediction = keras.ops.convert_to_tensor(np.array([0.0, 1.0], dtype='float64'))  # 0 = 0x0000000000000000, 1 = 0x3ff0000000000000
label = keras.ops.convert_to_tensor(np.array([0.5, 0.5], dtype='float64'))  # 0.5 = 0x3fe0000000000000, 0.5 = 0x3fe0000000000000
got = float(keras.ops.convert_to_numpy(loss(prediction, label)).item())
terms = keras.ops.convert_to_numpy(unreduced(prediction, label)).tolist()
expected = math.fsum(terms) / len(terms)  # the exact mean of the losses themselves
bound = 8.9e-15  # what summation and one rounding may cost, docs/reference.md of bce-conformance
print("keras", keras.__version__, "numpy", np.__version__, "Python", sys.version.split()[0])
print(f"got {got!r}, expected {expected!r}, error {abs(got - expected):.3g}, bound {bound:.3g}")
if not (got == expected or abs(got - expected) <= bound or (got != got and expected != expected)):
    print("MISMATCH: the mean is not that of the unreduced losses in float64")
    sys.exit(1)
print("MATCH: the result is that of its terms")
