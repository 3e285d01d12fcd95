"""keras-openvino losses.binary_crossentropy: the loss in float64 is off by 2.5e+08 ULP where it is 0.2877.

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

prediction = keras.ops.convert_to_tensor(np.array([0.25], dtype='float64'))  # 0.25 = 0x3fd0000000000000
label = keras.ops.convert_to_tensor(np.array([0.0], dtype='float64'))  # 0 = 0x0000000000000000
result = loss(prediction, label)
got = float(keras.ops.convert_to_numpy(result).item())
# Exactly, the mean of -log(1 - p), at p = 0.25, y = 0.
expected = 0.2876820724517809  # 0x1.269621134db92p-2
ulp = 2.0**-54  # of float64 at the expected value
error = abs(got - expected) / ulp
print("keras", keras.__version__, "numpy", np.__version__, "Python", sys.version.split()[0])
print(f"got {got!r}, expected {expected!r}, error {error:.3g} ULP")
if not error <= 13:
    print("MISMATCH: the loss in float64 is off by 2.5e+08 ULP where it is 0.2877")
    sys.exit(1)
print("MATCH: the result is within rounding of the expected value")
